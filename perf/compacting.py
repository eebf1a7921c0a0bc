"""What a producer's answers take while the broker compacts a large log, beside what they take while it
does not: open loop, so that a stall counts for every request that it delays."""
import json
import re
import subprocess
import threading
import time
import urllib.request

from harness import PROGRAMS, broker, call, run

BATCH = 64 << 10
BATCHES = 2048        # different ones: 128 MiB
KEYS = 1000000        # about as many as there are records in them
FILLS = 4             # so often each is appended: a quarter of the log stays
RATE = 10000          # requests a second, one record of 1 KiB each
END_SECONDS = 120     # for the compaction to end


def orders(path):
    """The generator's batches, with keys."""
    with open(path, "wb") as file:
        subprocess.run([str(PROGRAMS / "order_batches"), "none", str(BATCH), str(BATCHES), "1",
                        str(KEYS)], stdout=file, check=True)


def compactions(server):
    with urllib.request.urlopen(f"{server.admin}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return sum(int(value) for value in
               re.findall(r'^millrace_compactions_total\{core="\d+"\} (\d+)$', text, re.M))


def load(server, options):
    result = call("load", "produce", "--broker", server.address, "--topic", "live", "--no-create",
                  "--partitions", 16, "--connections", 16, "--in-flight", 16, "--rate", RATE,
                  "--pid", server.pid, "--seconds", max(options.seconds, 3), "--warm-up", 0.5)
    return result["answer"]


def make_dirty(server, topic, path):
    run("load", "create", "--broker", server.address, "--topic", topic, "--partitions", 1,
        "--config", "segment.bytes=16777216")
    call("load", "produce", "--broker", server.address, "--topic", topic, "--no-create",
         "--payloads", path, "--variants", BATCHES, "--connections", 4, "--in-flight", 4,
         "--requests", BATCHES * FILLS, "--seconds", 300, seconds=310)


class Compaction:
    """From the change of the topic's policy to the end of the compaction that it brings about."""

    def __init__(self, options, server, topic):
        self.server, self.ended = server, None
        self.before = compactions(server)
        subprocess.run([str(options.broker), "topic", "alter", topic, "-b", server.address, "--set",
                        "cleanup.policy=compact"], check=True, stdout=subprocess.DEVNULL)
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def watch(self):
        until = time.monotonic() + END_SECONDS
        while time.monotonic() < until:
            if compactions(self.server) > self.before:
                self.ended = time.monotonic()
                return
            time.sleep(0.1)

    def share_of(self, began, ended):
        """How much of that time it was under way."""
        self.watcher.join()
        if self.ended is None:
            raise SystemExit("perf: the compaction has not ended")
        return min(self.ended, ended) - began if self.ended > began else 0


def measure_turn(options, server, turn, path, figures):
    topic = f"dirty-{turn}"
    make_dirty(server, topic, path)
    time.sleep(1)  # what it left to write
    quiet = load(server, options)
    compaction = Compaction(options, server, topic)
    time.sleep(0.3)
    began = time.monotonic()
    busy = load(server, options)
    ended = time.monotonic()
    covered = compaction.share_of(began, ended) / (ended - began)
    for name, answer in (("quiet", quiet), ("compacting", busy)):
        for key in ("p50_us", "p99_us", "p999_us"):
            figures.setdefault((name, key), []).append(answer[key])
    figures.setdefault("covered", []).append(100 * covered)
    run("load", "delete", "--broker", server.address, "--topic", topic)


def scenario(bounded):
    def measure(options):
        figures = {}
        with broker(options, "--admin-listen", "127.0.0.1:0", "--log-cleaner-backoff-ms",
                    "100") as server:
            server.admin = json.loads((server.directory / "ready").read_text())["admin"]
            path = server.directory / "orders"
            orders(path)
            run("load", "create", "--broker", server.address, "--topic", "live", "--partitions", 16)
            for turn in range(options.runs):
                measure_turn(options, server, turn, path, figures)
        rows = [bounded(f"produce-{name}-{key[:-3]}", "us", figures[name, key], None)
                for key in ("p50_us", "p99_us", "p999_us") for name in ("quiet", "compacting")]
        ratios = [busy / quiet for busy, quiet in zip(figures["compacting", "p99_us"],
                                                      figures["quiet", "p99_us"])]
        return [*rows, bounded("produce-compacting-p99-ratio", "×", ratios, 1.5),
                bounded("produce-compacting-covered", "% of time", figures["covered"], None)]
    return measure
