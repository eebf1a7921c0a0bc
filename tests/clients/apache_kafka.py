"""Apache Kafka of one version: its jars, a directory of its own, and the command that runs it.

Used by the launcher beside this file, which gives the original Millrace's command line, and by
perf/peers/kafka. Everything is one node, KRaft, on the loopback.
"""
import pathlib
import socket
import subprocess
import sys

VERSION = "4.3.1"
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>millrace</groupId><artifactId>kafka</artifactId>
<version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
<version>{VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId>
<version>1.7.36</version></dependency>
</dependencies></project>
"""


def fetch_jars(cache):
    """The class path; fetched from Maven Central into the cache the first time."""
    library = pathlib.Path(cache) / f"apache-kafka-{VERSION}"
    if not (library / "complete").exists():
        library.mkdir(parents=True, exist_ok=True)
        (library / "pom.xml").write_text(POM)
        subprocess.run(["mvn", "-q", "-B", "dependency:copy-dependencies",
                        f"-DoutputDirectory={library}/lib"], cwd=library, check=True,
                       stdin=subprocess.DEVNULL, stdout=sys.stderr)
        (library / "complete").touch()
    return f"{library}/lib/*"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_properties(data, host, port, advertise, extra):
    controller = free_port()
    lines = [
        "process.roles=broker,controller", "node.id=1",
        f"controller.quorum.voters=1@127.0.0.1:{controller}",
        f"listeners=PLAINTEXT://{host}:{port},CONTROLLER://127.0.0.1:{controller}",
        f"advertised.listeners=PLAINTEXT://{advertise or f'{host}:{port}'}",
        "controller.listener.names=CONTROLLER", f"log.dirs={data}/log",
        "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=4",
        "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
        "transaction.state.log.num.partitions=4", "share.coordinator.state.topic.min.isr=1",
        "share.coordinator.state.topic.replication.factor=1", "group.initial.rebalance.delay.ms=0",
        *extra,
    ]
    path = pathlib.Path(data) / "server.properties"
    path.write_text("\n".join(lines) + "\n")
    return path


def java(classpath, *options):
    return ["java", *options, "-cp", classpath, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]


def format_directory(classpath, properties):
    """Does nothing to a directory that is formatted."""
    subprocess.run([*java(classpath, "-Xmx256m", "-XX:+UseSerialGC"), "kafka.tools.StorageTool",
                    "format", "--ignore-formatted", "-t", CLUSTER, "-c", str(properties)],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
