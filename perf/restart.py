"""What a start costs after kill -9 under load, with a history behind it: from before the process is
made to the first answers that took the storage of all partitions."""
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

from harness import MIB, PROGRAMS, ROOT, SCRATCH, Started, broker, call, run

sys.path.append(str(ROOT / "tests/wire"))
from records import batch

PARTITIONS = 1000
SEGMENT_MIB = 64
LOAD_SECONDS = 4  # so that there is a journal to replay
SPARE_GB = 8      # of the disk, for everybody else
TOPIC = b"history"
PRODUCE, FETCH = 0, 1


def text(value):
    return struct.pack(">h", len(value)) + value


def ask(address, api, version, body):
    """One request on a connection of its own; the answer without its head."""
    host, port = address.rsplit(":", 1)
    head = struct.pack(">hhi", api, version, 1) + text(b"perf")
    with socket.create_connection((host, int(port))) as connection:
        connection.settimeout(60)
        connection.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        answer = b""
        while len(answer) < 4 or len(answer) < 4 + struct.unpack(">i", answer[:4])[0]:
            piece = connection.recv(MIB)
            if not piece:
                raise SystemExit("perf: the broker hung up after a restart")
            answer += piece
    return answer[8:]


def produce_everywhere():
    """A request that is answered when every partition has stored a record."""
    records = batch([b"restart"])
    parts = b"".join(struct.pack(">ii", partition, len(records)) + records
                     for partition in range(PARTITIONS))
    return struct.pack(">hhii", -1, -1, 60000, 1) + text(TOPIC) + struct.pack(">i", PARTITIONS) + parts


def check_produced(answer):
    at = 4 + 2 + len(TOPIC) + 4
    for _ in range(PARTITIONS):
        if struct.unpack_from(">h", answer, at + 4)[0] != 0:
            raise SystemExit("perf: a record is refused after a restart")
        at += 4 + 2 + 8 + 8


def fetch_first():
    """The oldest records of the first partition, which come from a segment file."""
    return (struct.pack(">iiiibi", -1, 0, 1, MIB, 0, 1) + text(TOPIC) +
            struct.pack(">iiqi", 1, 0, 0, MIB))


def check_fetched(answer):
    if len(answer) < MIB // 2:
        raise SystemExit("perf: the oldest records are not there after a restart")


def fill(options, server):
    requests = int(options.history_gb * 1e9 / MIB)
    if shutil.disk_usage(SCRATCH).free / 1e9 < options.history_gb + SPARE_GB:
        raise SystemExit(f"perf: {options.history_gb:g} GB of history do not fit the disk")
    run("load", "create", "--broker", server.address, "--topic", TOPIC.decode(), "--partitions",
        PARTITIONS, "--config", f"segment.bytes={SEGMENT_MIB * MIB}")
    call("load", "produce", "--broker", server.address, "--topic", TOPIC.decode(), "--no-create",
         "--partitions", PARTITIONS, "--connections", 4, "--in-flight", 4, "--batch", MIB,
         "--requests", max(requests, PARTITIONS), "--seconds", 3000, seconds=3100)


def kill_under_load(address, kill, seconds):
    """One record of 1 KiB into the next of all partitions, over and over, until the broker is gone."""
    load = subprocess.Popen(
        [str(PROGRAMS / "load"), "produce", "--broker", address, "--topic", TOPIC.decode(),
         "--no-create", "--partitions", str(PARTITIONS), "--connections", "16", "--in-flight", "8",
         "--record", "1000", "--seconds", "600"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(seconds)
        kill()
    finally:
        load.kill()
        load.wait()


def start_again(options, server, figures):
    """A running broker, with what its start took."""
    started = Started(options, server.directory / "data", server.directory / "again")
    figures["ready"].append(started.ready_ms)
    for name, request, check in (("fetch", (FETCH, 4, fetch_first()), check_fetched),
                                 ("produce", (PRODUCE, 3, produce_everywhere()), check_produced)):
        answer = ask(started.address, *request)
        figures[name].append(started.elapsed_ms())
        check(answer)
    said = (server.directory / "again").read_text(errors="replace")
    found = re.search(r"recovered (\d+) batches \((\d+) MiB of journal\) in (\d+) ms", said)
    for name, value in zip(("batches", "journal", "replay"), found.groups() if found else ()):
        figures[name].append(float(value))
    return started


def scenario(bounded):
    def measure(options):
        figures = {name: [] for name in ("ready", "fetch", "produce", "batches", "journal", "replay")}
        seconds = max(options.seconds, LOAD_SECONDS)
        with broker(options, name="restart") as server:
            fill(options, server)
            server.process.terminate()
            server.process.wait()
            started = Started(options, server.directory / "data", server.directory / "first")
            try:
                for _ in range(options.runs):
                    kill_under_load(started.address, started.kill, seconds)
                    started = start_again(options, server, figures)
            finally:
                started.kill()
        bounds = (("fetch", "ms", 1000), ("produce", "ms", 1000), ("ready", "ms", None),
                  ("replay", "ms", None), ("journal", "MiB", None), ("batches", "entries", None))
        return [bounded(f"restart-1000p-{name}", unit, figures[name], most)
                for name, unit, most in bounds if figures[name]]
    return measure
