"""Apache Kafka: one node, KRaft, jars from Maven Central, in the JVM settings of its own scripts.

One process serves both modes: the default, where an acknowledged record is in the page cache, and
`flush.messages=1` as a config of the topic, where each append is synced."""
import shutil
import sys

import harness
from peers.kafka import scenarios
from peers.loads import Side
from peers.program import Limit, Program, metadata_probe

sys.path.append(str(harness.ROOT / "tests/clients"))
import apache_kafka  # noqa: E402

TITLE = "Apache Kafka"
SYNCED, DEFAULT = "flush.messages=1", "default (no sync)"
FLUSH = ["--config", "flush.messages=1"]

# What kafka-server-start.sh and kafka-run-class.sh set.
JVM = ["-Xms1G", "-Xmx1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
       "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
       "-Djava.awt.headless=true"]

# Deleted topics free their disk and their pages at once, for the next run's sake.
PROPERTIES = ["log.segment.delete.delay.ms=100"]

SYNCED_TARGETS = {"small": 12, "spread": 14, "wide": 20, "bulk": 2.5, "latency": 0.5}
DEFAULT_TARGETS = {"spread": 2, "bulk": 1.2, "records": 3, "rdkafka": 3, "catch-up": 1.3,
                   "latency": 0.5}


class Peer:
    title = TITLE

    def __init__(self, cache):
        for tool in ("java", "mvn"):
            if not shutil.which(tool):
                raise FileNotFoundError(f"{tool} is missing")
        self.classpath = apache_kafka.fetch_jars(cache)
        self.version = f"kafka {apache_kafka.VERSION}"

    def program(self):
        def prepare(directory, port):
            properties = apache_kafka.write_properties(directory, "127.0.0.1", port, None, PROPERTIES)
            apache_kafka.format_directory(self.classpath, properties)
        return Program("kafka", lambda directory, port: [
            *apache_kafka.java(self.classpath, *JVM), "kafka.Kafka",
            f"{directory}/server.properties"], metadata_probe(), prepare=prepare)

    def modes(self):
        program = self.program()
        yield Side(TITLE, SYNCED, program, FLUSH, SYNCED_TARGETS, settles=True)
        yield Side(TITLE, DEFAULT, program, (), DEFAULT_TARGETS, settles=True)
        for mode, words, target in (("written", "blocks written before", 0.8),
                                    ("segment", "blocks allocated ahead", None)):
            yield Side("bare program", f"durable, {words}", Limit(mode, lambda mode=mode:
                       harness.bare(mode)), ["--no-create", "--topic", "perf"], {"bulk": target},
                       ("bulk",))

    def scenarios(self):
        return {"rdkafka": scenarios.librdkafka, "catch-up": scenarios.catch_up,
                "latency": scenarios.latency}

    def start(self):
        return Side(TITLE, "-", self.program(), targets={"start": 0.01, "idle": 0.05})
