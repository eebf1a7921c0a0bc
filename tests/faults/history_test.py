#!/usr/bin/env python3
"""The judge is judged: histories with one fault each, which must be found and called by its name.

    tests/faults/history_test.py
"""
import sys

from history import History, Record, make_value, parse_value

PARTITION = ("topic", 0)


def a(sequence):
    return Record("a", sequence)


def sound():
    """Five records of an idempotent producer, all acknowledged, all seen."""
    history = History()
    history.idempotent.add("a")
    for sequence in range(5):
        record = a(history.send(PARTITION, "a"))
        history.log[PARTITION][sequence] = record
        history.acknowledge(PARTITION, record, sequence)
        history.see(PARTITION, sequence, record)
    return history


def nothing_wrong(history):
    pass


def lost(history):
    history.acknowledge(PARTITION, a(history.send(PARTITION, "a")), -1)


def lost_at_the_end(history):
    del history.log[PARTITION][4]


def misplaced(history):
    history.acknowledged[PARTITION][a(2)] = 3


def duplicate(history):
    history.log[PARTITION][5] = a(4)


def duplicate_much_later(history):
    history.log[PARTITION][5] = a(0)


def reordered(history):
    log = history.log[PARTITION]
    for event in (history.seen, history.acknowledged):
        event[PARTITION].clear()
    log[1], log[2] = log[2], log[1]


def unseen(history):
    history.send(PARTITION, "b")
    history.see(PARTITION, 5, Record("b", 0))
    history.watermark.clear()


def changed_in_the_log(history):
    history.send(PARTITION, "b")
    history.seen[PARTITION][1] = Record("b", 0)


def changed_while_seen(history):
    history.see(PARTITION, 1, a(3))


def regressed(history):
    history.tell_watermark(PARTITION, 4)


def regressed_at_the_end(history):
    history.tell_watermark(PARTITION, 6)


def foreign(history):
    history.log[PARTITION][5] = Record("nobody", 0)


def damaged(history):
    history.log[PARTITION][5] = None


def plain_duplicate(history):
    history.idempotent.clear()
    history.log[PARTITION][5] = a(4)


FIXTURES = [
    (nothing_wrong, set()),
    (plain_duplicate, set()),
    (lost, {"lost"}),
    (lost_at_the_end, {"lost", "unseen", "regressed"}),
    (misplaced, {"misplaced"}),
    (duplicate, {"duplicate"}),
    (duplicate_much_later, {"duplicate"}),
    (reordered, {"reordered"}),
    (unseen, {"unseen"}),
    (changed_in_the_log, {"changed"}),
    (changed_while_seen, {"changed"}),
    (regressed, {"regressed"}),
    (regressed_at_the_end, {"regressed"}),
    (foreign, {"foreign"}),
    (damaged, {"foreign"}),
]


def check_values():
    value = make_value("p", 7, 3, b"padding:with:colons")
    return (parse_value(value, 3) == Record("p", 7) and parse_value(value, 2) is None
            and parse_value(value[:-1], 3) is None and parse_value(b"", 3) is None
            and parse_value(value.replace(b":7:", b":8:"), 3) is None)


def run():
    """Prints a line per fixture; returns how many (passed, failed)."""
    results = [("values", check_values(), "")]
    for fixture, wanted in FIXTURES:
        history = sound()
        fixture(history)
        found = {kind for kind, _ in history.violations()}
        results.append((fixture.__name__, found == wanted, f": found {found}, not {wanted}"))
    for name, good, why in results:
        print(f"ok judge-{name}" if good else f"not ok judge-{name}{why}", flush=True)
    failed = sum(not good for _, good, _ in results)
    return len(results) - failed, failed


if __name__ == "__main__":
    passed, failed = run()
    print(f"history: {passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)
