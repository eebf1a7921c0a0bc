"""A real broker on port 0, and connections to it."""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import codec
import records

ERRORS = {}
for line in (codec.ROOT / "protocol/error_code.h").read_text().splitlines():
    if line.strip().startswith("X("):
        number, name = line.strip()[2:].split(",")[:2]
        ERRORS[name.strip()] = int(number)

SECONDS = 20  # no answer takes longer, even with sanitizers on a busy machine


def environment():
    """Ours, without options for brokers."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_")}


class Broker:
    """`with Broker("--cores", "2") as broker:`; the data directory survives kill() and stop()."""

    program, backend, alive = None, "uring", []
    registry = "127.0.0.1:0"  # "": none, from the next start on

    def __init__(self, *options, data=None, ephemeral=False, fault=None):
        """`fault`: as base/fault.h has it, until it is taken away; debug brokers only."""
        self.folder = Path(tempfile.mkdtemp(prefix="millrace-wire-"))
        self.data = Path(data) if data else self.folder / "data"
        self.log = self.folder / "log"
        self.options = list(options)
        self.ephemeral = ephemeral
        self.fault = fault
        self.start()

    def start(self):
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        where = ["--ephemeral"] if self.ephemeral else ["--data", str(self.data)]
        self.log_file = open(self.log, "a+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [self.program, "serve", *where, "--listen", "127.0.0.1:0", "--registry-listen",
             self.registry, "--io", self.backend, "--ready-file", str(ready), "--exit-with-parent", *self.options],
            stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=self.log_file,
            env={**environment(), "TMPDIR": str(self.folder),
                 **({"MILLRACE_FAULT": self.fault} if self.fault else {})})
        Broker.alive.append(self)
        deadline = time.monotonic() + SECONDS
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the broker did not start: {self.said()}")
            time.sleep(0.005)
        self.ready = json.loads(ready.read_text())
        host, port = self.ready["kafka"][0].rsplit(":", 1)
        self.address = (host, int(port))

    def said(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log_file.close()

    def stop(self, seconds=SECONDS):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.log_file.close()
        return status

    def restart(self):
        if self.process.poll() is None:
            self.kill()
        self.start()

    def drop(self):
        """Ends it somehow, and removes all that it left."""
        if self in Broker.alive:
            Broker.alive.remove(self)
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self):
        """Ends it, and fails when it had not ended well by itself: sanitizers speak at the end."""
        if self in Broker.alive:
            Broker.alive.remove(self)
        status = 0
        if self.process.poll() is None:
            status = self.stop()
        elif self.process.returncode not in (0, -signal.SIGKILL):
            status = self.process.returncode
        said = self.said()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert status == 0, f"the broker ended with status {status}: {said[-3000:]}"

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        try:
            self.close()
        except AssertionError:
            if kind is None or kind is AssertionError:
                raise

    def connect(self, greet=True, source=None):
        """`source`: the address that the connection comes from, as "127.0.0.2"."""
        client = Client(self, source)
        if greet:
            client.call("ApiVersions", 0)
        return client


class Closed(Exception):
    pass


class Client:
    def __init__(self, broker, source=None):
        self.socket = socket.create_connection(broker.address, SECONDS, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.broker = broker
        self.correlation = 0
        self.sent = []  # (correlation, name, version) of answers to come

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- frames ---

    def write(self, raw):
        self.socket.sendall(raw)

    def frame(self, name, version, **body):
        self.correlation += 1
        self.sent.append((self.correlation, name, version))
        return codec.encode_request(name, version, self.correlation, body)

    def send(self, name, version, **body):
        self.write(self.frame(name, version, **body))

    def read_exactly(self, count):
        out = bytearray()
        while len(out) < count:
            try:
                more = self.socket.recv(count - len(out))
            except ConnectionError as error:
                raise Closed(str(error)) from error
            if not more:
                raise Closed(f"closed after {len(out)} of {count} bytes")
            out += more
        return bytes(out)

    def read_frame(self):
        return self.read_exactly(struct.unpack(">i", self.read_exactly(4))[0])

    def receive(self):
        """The next answer, which must be that of the oldest request."""
        correlation, name, version = self.sent.pop(0)
        got, values = codec.decode_response(name, version, self.read_frame())
        assert got == correlation, f"answer {got} came where {correlation} was due"
        return values

    def call(self, name, version, **body):
        self.send(name, version, **body)
        assert len(self.sent) == 1
        return self.receive()

    def is_closed(self, seconds=SECONDS):
        """Waits for the end of the stream."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def is_silent(self, seconds=0.2):
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
            return False
        except socket.timeout:
            return True
        finally:
            self.socket.settimeout(SECONDS)

    # --- what most tests need ---

    def create(self, name, partitions=1, **configs):
        answer = self.call("CreateTopics", 7, timeout_ms=10000, topics=[{
            "name": name, "num_partitions": partitions, "replication_factor": 1,
            "configs": [{"name": key, "value": value} for key, value in configs.items()]}])
        assert answer["topics"][0]["error_code"] == 0, answer
        return answer["topics"][0]["topic_id"]

    def produce_body(self, topic, parts, acks=-1, version=9):
        """`parts`: partition -> batch bytes. From version 13 on, `topic` is an id."""
        which = {"topic_id": topic} if version >= 13 else {"name": topic}
        return {"acks": acks, "timeout_ms": 10000, "topic_data": [{
            **which,
            "partition_data": [{"index": i, "records": raw} for i, raw in parts.items()]}]}

    def produce(self, topic, raw, partition=0, acks=-1, version=9):
        """The answer of the one partition."""
        answer = self.call("Produce", version,
                           **self.produce_body(topic, {partition: raw}, acks, version))
        return answer["responses"][0]["partition_responses"][0]

    def fetch_body(self, topic, offsets, version=12, *, wait=0, least=1, most=1 << 20,
                   part_most=1 << 20, **more):
        which = {"topic_id": topic} if version >= 13 else {"topic": topic}
        return {"max_wait_ms": wait, "min_bytes": least, "max_bytes": most, **more, "topics": [{
            **which, "partitions": [{"partition": i, "fetch_offset": offset,
                                     "partition_max_bytes": part_most}
                                    for i, offset in offsets.items()]}]}

    def fetch(self, topic, offset, partition=0, version=12, **more):
        answer = self.call("Fetch", version,
                           **self.fetch_body(topic, {partition: offset}, version, **more))
        return answer["responses"][0]["partitions"][0]

    def offset(self, topic, timestamp, partition=0, version=7):
        answer = self.call("ListOffsets", version, replica_id=-1, topics=[{
            "name": topic, "partitions": [{"partition_index": partition, "timestamp": timestamp}]}])
        return answer["topics"][0]["partitions"][0]

    def producer_id(self):
        answer = self.call("InitProducerId", 4, transactional_id=None, transaction_timeout_ms=60000)
        assert answer["error_code"] == 0, answer
        return answer["producer_id"]

    def all(self, topic, partition=0):
        """(offset, value) of every record from the start."""
        found, offset = [], self.offset(topic, -2, partition)["offset"]
        end = self.offset(topic, -1, partition)["offset"]
        while offset < end:
            part = self.fetch(topic, offset, partition)
            assert part["error_code"] == 0 and part["records"], part
            got = [pair for pair in records.values(part["records"]) if pair[0] >= offset]
            found += got
            offset = got[-1][0] + 1
        return found
