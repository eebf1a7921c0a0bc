"""Loads that only Kafka's own clients have: librdkafka, catching up, and from producer to consumer.

Each takes (options, sides, subject) and returns rows; sides that do not speak Kafka's protocol to a
whole broker (the bare programs) are left out by `brokers`."""
import os
import time

import harness
from peers import machine
from peers.loads import Side, compare
from peers.program import Limit

MIB = harness.MIB


def brokers(sides):
    return [side for side in sides if "--no-create" not in side.arguments]


def rows_of(name, unit, sides, runs, less=False):
    return [compare(name, unit, side, figures, runs[-1], side.targets.get(name), less)
            for side, figures in zip(sides, runs)]


# --- librdkafka -----------------------------------------------------------------------------------

RECORD = 1024


def librdkafka(options, sides, subject):
    if not (harness.PROGRAMS / "rdkafka_load").exists():
        options.skipped.append("librdkafka: librdkafka-dev is missing")
        return []
    limit = Side("null broker", "keeps nothing", Limit("null", lambda: harness.null_broker(RECORD)),
                 targets={"rdkafka": 0.9})
    with limit.program.serve() as limit.server:
        taking = [*brokers(sides), limit]
        for side in (*taking, subject):
            produce_with_librdkafka(options, side)
        runs = harness.take_turns(options.runs, [*taking, subject],
                                  lambda side: produce_with_librdkafka(options, side))
    return rows_of("rdkafka", "messages/s", taking, runs)


def produce_with_librdkafka(options, side):
    options.memory.refresh()
    os.sync()
    topic = f"rdkafka-{time.monotonic_ns()}"
    keeps = side.peer != "null broker"
    if keeps:
        topic_call("create", side, topic)
    flushed, before = machine.flushes(side.server.directory), harness.cpu_seconds(side.server.pid)
    result = harness.call("rdkafka_load", "produce", "--broker", side.server.address, "--topic",
                          topic, "--record", RECORD, "--messages", options.messages)
    used = harness.cpu_seconds(side.server.pid) - before
    flushed = machine.flushes(side.server.directory) - flushed
    if keeps:
        topic_call("delete", side, topic)
    return {"value": result["messages_per_s"], "client_cpu": result["client_cpu"],
            "cpu": used / result["seconds"], "flushes": flushed / result["seconds"]}


def topic_call(mode, side, topic, *arguments):
    harness.run("load", mode, "--broker", side.server.address, "--topic", topic, *side.arguments,
                *arguments)


# --- catching up ----------------------------------------------------------------------------------

def catch_up(options, sides, subject):
    """Two sizes: one that Millrace still has in its own memory, one that it has not."""
    rows = []
    for size in options.catch_up_mib:
        rows += catch_up_once(options, [side for side in brokers(sides) if not side.arguments],
                              subject, size)
    return rows


def catch_up_once(options, sides, subject, size):
    topic = f"catch-up-{size}"
    for side in (*sides, subject):
        harness.call("load", "produce", "--broker", side.server.address, "--topic", topic, "--keep",
                     "--batch", MIB, "--connections", 4, "--in-flight", 2, "--requests", size,
                     "--seconds", 60)
        fetch(options, side, topic)  # warm: all was read once
    runs = harness.take_turns(options.runs, [*sides, subject],
                              lambda side: fetch(options, side, topic))
    where = "; ".join(f"{side.peer}: {describe_cache(side)}" for side in (*sides, subject))
    for side in (*sides, subject):
        topic_call("delete", side, topic)
    rows = rows_of("catch-up", f"MB/s of {size} MiB", sides, runs)
    for row in rows:
        row["note"] = where
    return rows


def fetch(options, side, topic):
    result = harness.call("load", "fetch", "--broker", side.server.address, "--topic", topic,
                          "--no-create", "--connections", 2, "--pid", side.server.pid, "--seconds",
                          options.seconds, "--warm-up", options.warm_up)
    return {"value": result["mb_per_s"], "p50_us": result["answer"]["p50_us"],
            "p99_us": result["answer"]["p99_us"], "cpu": result["broker_cpu"],
            "client_cpu": result["client_cpu"]}


def describe_cache(side):
    return (f"{machine.cached_mib(side.server.directory):,.0f} MiB of its files in the page cache, "
            f"{harness.resident_mib(side.server.pid):,.0f} MiB resident")


# --- from producer to consumer ---------------------------------------------------------------------

SHAPE = ["--partitions", 16, "--connections", 16, "--record", 1024]


def latency(options, sides, subject):
    """Each at a tenth of its own maximum: the same share of what it can do."""
    taking = brokers(sides)
    rates = {side: maximum(options, side) / 10 for side in (*taking, subject)}
    runs = harness.take_turns(options.runs, [*taking, subject],
                              lambda side: deliver(options, side, rates[side]))
    rows = rows_of("latency", "us, p99", taking, runs, less=True)
    for row, side in zip(rows, taking):
        row["note"] = f"{side.mode}: {rates[side]:,.0f}/s; Millrace: {rates[subject]:,.0f}/s"
    return rows


def maximum(options, side):
    return harness.call("load", "produce", *SHAPE, "--in-flight", 4, "--broker",
                        side.server.address, "--seconds", max(options.seconds / 2, 0.3),
                        *side.arguments)["requests_per_s"]


def deliver(options, side, rate):
    options.memory.refresh()
    os.sync()
    result = harness.call("load", "latency", *SHAPE, "--in-flight", 32, "--rate", rate, "--broker",
                          side.server.address, "--pid", side.server.pid, "--seconds",
                          options.seconds, "--warm-up", options.warm_up, *side.arguments)
    return {"value": result["delivered"]["p99_us"], "p50_us": result["delivered"]["p50_us"],
            "p99_us": result["delivered"]["p99_us"], "cpu": result["broker_cpu"],
            "client_cpu": result["client_cpu"]}
