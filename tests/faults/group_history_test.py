#!/usr/bin/env python3
"""The judge of groups: histories with one fault each, and which promise they break."""
import sys

from group_history import GroupHistory

STORED = {0: range(4)}


def history(*members, seen=()):
    result = GroupHistory()
    for events in members:
        result.add_member(events)
    result.seen[0].extend(seen)
    return result


def reads(first, last, given=0.0):
    return [("given", given, [0])] + [("read", 0, offset) for offset in range(first, last)]


def committed(time, offset):
    return ("committed", time, {0: offset})


CASES = {
    "all is well": (history(reads(0, 4) + [committed(1.0, 4)], seen=[(2, 3, 4)]), []),
    "a record is not read": (history(reads(0, 3)), ["missed"]),
    "repeats are allowed": (history(reads(0, 3), reads(1, 4, 5.0)), []),
    "what was not read is skipped": (history(reads(0, 1), reads(2, 4, 5.0)), ["missed"]),
    "an offset is seen to go back": (history(reads(0, 4), seen=[(1, 2, 4), (3, 4, 2)]),
                                     ["went-back"]),
    "two questions overlap": (history(reads(0, 4), seen=[(1, 4, 4), (2, 5, 2)]), []),
    "a commit is not seen": (history(reads(0, 4) + [committed(1.0, 4)], seen=[(2, 3, 2)]),
                             ["went-back"]),
    "a member starts over": (history(reads(0, 3) + [committed(1.0, 3)], reads(0, 4, 2.0)),
                             ["forgotten"]),
    "a commit comes too late to count": (history(reads(0, 3) + [committed(3.0, 3)],
                                                 reads(0, 4, 2.0)), []),
}


def main():
    failures = 0
    for name, (given, wanted) in CASES.items():
        found = sorted({problem.split(":")[0] for problem in given.judge(STORED)})
        if found != wanted:
            failures += 1
            print(f"not ok {name}: {found}, not {wanted}")
    return len(CASES) - failures, failures


if __name__ == "__main__":
    passed, failed = main()
    print(f"group_history: {passed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)
