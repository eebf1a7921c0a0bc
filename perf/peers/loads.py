"""The loads of the comparison, the sides that take turns in one, and the rows that come out."""
import os
import statistics
import sys
import time

import harness
from peers import machine

MIB = harness.MIB
RECORDS_IN_14_KIB = 130  # of 100 B, as the generator's batches hold them


class Load:
    """`common` are arguments of perf/load for every protocol; `kafka` and `message` those that differ
    where a peer has batches and where a message is all it has. `figure` reads one run."""

    def __init__(self, name, title, unit, common, kafka, message, figure):
        self.name, self.title, self.unit = name, title, unit
        self.common, self.kafka, self.message = common, kafka, message
        self.figure = figure


def say(words):
    print(f"perf/peers: {words}", file=sys.stderr, flush=True)


def per_core(result):
    return result["records_per_s"] / max(result["broker_cpu"], 0.01)


LOADS = {load.name: load for load in (
    Load("small", "1 partition, 64 connections × one 1 KiB record", "records/s",
         ["--connections", 64, "--record", 1024], [], [], lambda run: run["requests_per_s"]),
    Load("spread", "100 partitions, 4 KiB batches, 16 connections × 8", "batches/s",
         ["--partitions", 100, "--connections", 16, "--in-flight", 8],
         ["--record", 4000, "--batch", 4096], ["--record", 4096],
         lambda run: run["requests_per_s"]),
    Load("wide", "100 partitions, 100 batches of 4 KiB a request, 4 × 2", "batches/s",
         ["--partitions", 100, "--batches", 100, "--connections", 4, "--in-flight", 2],
         ["--record", 4000, "--batch", 4096], ["--record", 4096],
         lambda run: run["requests_per_s"] * 100),
    Load("bulk", "1 partition, 1 MiB batches, 4 × 2", "MB/s",
         ["--connections", 4, "--in-flight", 2], ["--record", 1024, "--batch", MIB], None,
         lambda run: run["mb_per_s"]),
    Load("records", "1 partition, 100 B records in 14 KiB batches, 8 × 2", "records/s/core",
         ["--connections", 8, "--in-flight", 2, "--record", 100], ["--batch", 14336],
         ["--batches", RECORDS_IN_14_KIB], per_core),
)}


# What the names of rows mean, those of the other scenarios too.
TITLES = {
    **{load.name: load.title for load in LOADS.values()},
    "rdkafka": "librdkafka as an application uses it, produces 1 KiB messages",
    "catch-up": "fetch of 1 MiB from the start over and over, 2 connections, both sides warm",
    "latency": "produce → consume p99, 1 KiB, 16 partitions, each at a tenth of its own maximum",
    "start": "exec → first answer that serves, on a directory that was used before",
    "idle": "resident memory at rest",
}


class Side:
    """A program in one mode of durability. `targets` is load → what Millrace must reach as a multiple
    of this side (where less is better: at most); without one the row only informs. `loads` names
    the loads that it takes part in. `server` is set while it runs."""

    def __init__(self, peer, mode, program, arguments=(), targets=None, loads=tuple(LOADS),
                 settles=False):
        self.peer, self.mode, self.program = peer, mode, program
        self.arguments = list(arguments)
        self.targets = targets or {}
        self.loads = loads
        self.settles = settles
        self.server = None

    @property
    def speaks_kafka(self):
        return "--protocol" not in self.arguments


def produce(options, load, side, seconds=None):
    """One run of a load against one side."""
    options.memory.refresh()
    os.sync()  # nobody pays for what another left to write
    extra = load.kafka if side.speaks_kafka else load.message
    flushed, began = machine.flushes(side.server.directory), time.monotonic()
    result = harness.call("load", "produce", "--broker", side.server.address, "--pid",
                          side.server.pid, "--seconds", seconds or options.seconds, "--warm-up",
                          options.warm_up, *load.common, *extra, *side.arguments)
    flushed = machine.flushes(side.server.directory) - flushed
    return {"value": load.figure(result), "p50_us": result["answer"]["p50_us"],
            "p99_us": result["answer"]["p99_us"], "cpu": result["broker_cpu"],
            "client_cpu": result["client_cpu"],
            "flushes": flushed / (time.monotonic() - began)}


def compare_produce(options, load, sides, subject):
    """All sides of one load in turns, the subject last. Where a side settles first (a JVM compiles),
    that one and the subject have a run that is not counted."""
    taking = [side for side in sides if load.name in side.loads]
    settling = [side for side in taking if side.settles]
    if options.settle_seconds:
        for side in (*settling, subject) if settling else ():
            produce(options, load, side, options.settle_seconds)
    runs = harness.take_turns(options.runs, [*taking, subject] if taking else [],
                              lambda side: produce(options, load, side))
    return [compare(load.name, load.unit, side, figures, runs[-1], side.targets.get(load.name))
            for side, figures in zip(taking, runs)]


def scenarios():
    """Load → what measures it."""
    return {name: lambda *arguments, load=load: compare_produce(arguments[0], load, *arguments[1:])
            for name, load in LOADS.items()}


def middle(runs, key):
    return statistics.median(run.get(key, 0) for run in runs)


def compare(name, unit, side, peer_runs, subject_runs, target=None, less=False):
    """A row; with `less`, less is better and the target is the most that the ratio may be."""
    bound = middle(peer_runs, "value")
    row = {"load": name, "unit": unit, "peer": side.peer, "mode": side.mode,
           "peer_values": sorted(run["value"] for run in peer_runs),
           "values": sorted(run["value"] for run in subject_runs),
           "ratio": middle(subject_runs, "value") / bound if bound else 0,
           "target": target, "less": less}
    for key in ("p50_us", "p99_us", "cpu", "client_cpu", "flushes"):
        row[key], row["peer_" + key] = middle(subject_runs, key), middle(peer_runs, key)
    return row


def bound(name, unit, values, most):
    """A row without a peer: values against the most that they may be."""
    return {"load": name, "unit": unit, "peer": "-", "mode": "-", "values": sorted(values),
            "most": most}
