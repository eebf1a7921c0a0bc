"""What the Python suites share: how a check is printed, and the records that everybody writes.

A suite prints one line per check, `ok NAME`, `not ok NAME: why` or `skip NAME: reason`, and exits
non-zero when one failed. The suites in other languages print the same and write the same records,
described in README.md.
"""
import os
import sys
import time
import traceback

BOOTSTRAP = os.environ["MILLRACE_BOOTSTRAP"]
STAND_IN = os.environ.get("MILLRACE_STAND_IN")  # "apache-kafka" when it is not Millrace
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PER_CODEC = 100
PARTITIONS = 3
BASE_MS = (int(time.time()) - 3600) * 1000

failures = 0


class Skip(Exception):
    """A check that this client cannot make; the text says why."""


def report(kind, name, text=""):
    global failures
    failures += kind == "not ok"
    text = " ".join(str(text).split())
    print(f"{kind} {name}" + (f": {text}" if text else ""), flush=True)


def describe(error):
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at line {where.lineno}: {error}"


def check(name, function, *arguments):
    """Runs one check and prints its line; an exception is a failure."""
    try:
        function(*arguments)
        report("ok", name)
    except Skip as reason:
        report("skip", name, reason)
    except Exception as error:  # a failed check must not hide the ones after it
        report("not ok", name, describe(error))


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what} is {got!r:.300}, not {wanted!r:.300}")


def at_once(holds, what):
    """Asks once; the original, which does some things a little after its answer, for five seconds."""
    for _ in range(50 if STAND_IN else 1):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} does not hold")


def finish():
    sys.exit(1 if failures else 0)


def record(codec, index):
    """Record `index` of a codec: (partition, key, value, headers, timestamp)."""
    key = None if index % 10 == 9 else f"{codec}-{index}".encode()
    value = f"value {index} of {codec}, ".encode() * 20
    if index % 10 == 7:
        value = None
    if index % 10 == 8:
        value = b""
    headers = [("codec", codec.encode()), ("null", None), ("codec", b"again")]
    return index % PARTITIONS, key, value, headers, BASE_MS + index * 1000
