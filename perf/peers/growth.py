"""What an append and a restart cost Millrace as partitions and history grow: flat, or linear.

One load at every size: 16 connections × 8 requests in flight, each one record of 1 KiB into the next
of all partitions. A run is: start, load, kill -9, start (timed: replay), stop, start (timed)."""
import os
import shutil
import signal
import statistics

import harness
from peers import program

MIB = harness.MIB
HISTORY_PARTITIONS = 100
SEGMENT_MIB = 64  # so that a long history is many files
SPARE_GB = 8      # of the disk, for everybody else

HEAD = ("grows", "size", "appends/s min/med/max", "us of CPU an append", "p50/p99 us",
        "start after kill -9, ms", "start after a stop, ms", "MiB resident")


def load(options, running, topic, partitions):
    options.memory.refresh()
    os.sync()
    return harness.call("load", "produce", "--topic", topic, "--no-create", "--partitions",
                        partitions, "--connections", 16, "--in-flight", 8, "--record", 1000,
                        "--broker", running.address, "--pid", running.pid, "--seconds",
                        options.seconds, "--warm-up", options.warm_up)


def fill(running, topic, partitions, requests, batch):
    """So many requests, each one batch into the next partition."""
    harness.call("load", "produce", "--broker", running.address, "--topic", topic, "--no-create",
                 "--partitions", partitions, "--connections", 4, "--in-flight", 4, "--requests",
                 requests, "--batch", batch, "--seconds", 900, seconds=1000)


def create(running, topic, partitions, *configs):
    harness.run("load", "create", "--broker", running.address, "--topic", topic, "--partitions",
                partitions, *(part for config in configs for part in ("--config", config)))


def run_once(options, restarts, topic, partitions):
    running = restarts.start()
    try:
        result = load(options, running, topic, partitions)
        resident = harness.resident_mib(running.pid)
    finally:
        running.stop(signal.SIGKILL)
    return {"rate": result["requests_per_s"], "p50_us": result["answer"]["p50_us"],
            "p99_us": result["answer"]["p99_us"], "resident": resident,
            "cpu_us": result["broker_cpu"] * 1e6 / max(result["requests_per_s"], 1),
            "killed_ms": restarts.time_start()["value"],
            "clean_ms": restarts.time_start()["value"]}


def measure(options, restarts, topic, partitions, grows, size):
    runs = [run_once(options, restarts, topic, partitions) for _ in range(options.growth_runs)]
    return {"grows": grows, "size": size,
            **{key: sorted(run[key] for run in runs) for key in runs[0]}}


def partitions(options):
    """Every partition holds records before it counts."""
    for count in options.growth_partitions:
        restarts = program.Restarts(program.millrace(options))
        try:
            running = restarts.start()
            create(running, "grown", count)
            fill(running, "grown", count, count, 1)
            running.stop()
            yield measure(options, restarts, "grown", count, "partitions", f"{count:,}")
        finally:
            restarts.close()


def history(options):
    """One directory that grows."""
    restarts = program.Restarts(program.millrace(options))
    written = 0
    try:
        running = restarts.start()
        create(running, "history", HISTORY_PARTITIONS, f"segment.bytes={SEGMENT_MIB * MIB}")
        running.stop()
        for size in options.growth_gb:
            free = shutil.disk_usage(harness.SCRATCH).free / 1e9
            if free < size - written + SPARE_GB:
                options.skipped.append(f"history of {size} GB: only {free:.0f} GB of disk are free")
                return
            running = restarts.start()
            fill(running, "history", HISTORY_PARTITIONS, int((size - written) * 1e9 / MIB), MIB)
            running.stop()
            written = size
            yield measure(options, restarts, "history", HISTORY_PARTITIONS, "history",
                          f"{size:g} GB")
    finally:
        restarts.close()


def table(rows):
    lines = [HEAD]
    for row in rows:
        middle = {key: statistics.median(values) for key, values in row.items()
                  if isinstance(values, list)}
        lines.append((row["grows"], row["size"], harness.spread(row["rate"]),
                      harness.number(middle["cpu_us"]),
                      f"{middle['p50_us']:,.0f} / {middle['p99_us']:,.0f}",
                      harness.spread(row["killed_ms"]), harness.spread(row["clean_ms"]),
                      harness.number(middle["resident"])))
    return lines
