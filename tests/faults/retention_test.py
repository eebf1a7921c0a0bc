#!/usr/bin/env python3
"""The judge of log starts is judged.

    tests/faults/retention_test.py
"""
import sys

from retention import LARGEST_BYTES, Retention

PARTITION = ("topic", 0)
LIMIT = 1_200_000
RECORDS, SIZE = 4000, 400  # twice the limit and more


def sound():
    """Two thirds of the log are gone, and more than the limit is left."""
    retention = Retention(LIMIT)
    for offset in range(RECORDS):
        retention.know(PARTITION, offset, SIZE)
    retention.tell(PARTITION, 0, 1000)
    retention.tell(PARTITION, RECORDS - 3000, RECORDS)
    return retention


def nothing_wrong(retention):
    pass


def a_log_that_was_never_larger(retention):
    retention.tell(PARTITION, 0, 3)


def the_last_third_is_gone_too(retention):
    retention.tell(PARTITION, RECORDS - 1000, RECORDS)


def all_is_gone(retention):
    retention.tell(PARTITION, RECORDS, RECORDS)


def a_loss_that_is_grown_over(retention):
    retention.tell(PARTITION, 900, 1000)
    retention.tell(PARTITION, 900, RECORDS)


def a_larger_limit_came_later(retention):
    retention.ask_limit(2 * LIMIT)


def a_smaller_limit_was_asked_for(retention):
    retention.ask_limit(500_000)
    retention.tell(PARTITION, RECORDS - 1000, RECORDS)


def a_smaller_limit_came_later(retention):
    retention.tell(PARTITION, RECORDS - 1000, RECORDS)
    retention.ask_limit(500_000)


def sizes_that_nobody_knows(retention):
    for offset in range(RECORDS - 1000, RECORDS - 1000 + LIMIT // LARGEST_BYTES):
        del retention.sizes[PARTITION][offset]
    retention.tell(PARTITION, RECORDS - 1000, RECORDS)


FIXTURES = [(nothing_wrong, 0), (a_log_that_was_never_larger, 0), (the_last_third_is_gone_too, 1),
            (all_is_gone, 1), (a_loss_that_is_grown_over, 1), (a_larger_limit_came_later, 0),
            (a_smaller_limit_was_asked_for, 0), (a_smaller_limit_came_later, 1),
            (sizes_that_nobody_knows, 0)]


def run():
    """Prints a line per fixture; returns how many (passed, failed)."""
    failed = 0
    for fixture, wanted in FIXTURES:
        retention = sound()
        fixture(retention)
        found = list(retention.violations())
        good = len(found) == wanted
        failed += not good
        print(f"ok judge-{fixture.__name__}" if good
              else f"not ok judge-{fixture.__name__}: {found}", flush=True)
    return len(FIXTURES) - failed, failed


if __name__ == "__main__":
    passed, failed = run()
    print(f"retention: {passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)
