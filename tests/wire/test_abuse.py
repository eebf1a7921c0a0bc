"""Peers that mean no good, or die at a bad moment: what they can make the broker hold or do."""
import os
import resource
import socket
import struct
import threading
import time

import codec
import records
from broker import ERRORS, Broker, Closed
from group_member import Member, find_coordinator


def reset(client):
    """Dies without a word: whatever is under way on its connection has nobody left to answer."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_the_end_in_the_middle_of_produce():
    """SIGTERM while records are written out, in both modes."""
    for ephemeral in (True, False):
        with Broker("--cores", "2", ephemeral=ephemeral) as broker:
            clients = [broker.connect() for _ in range(3)]
            clients[0].create("t", 8)
            raw = records.batch([os.urandom(200000)])
            for client in clients:
                for _ in range(8):
                    client.send("Produce", 9, **client.produce_body("t", {i: raw for i in range(8)}))
            clients[0].receive()
            assert broker.stop() == 0
            for client in clients:
                client.close()


def test_the_end_in_the_middle_of_fetch():
    """SIGTERM while answers leave that other cores have slices in: nothing is left behind."""
    with Broker("--cores", "3") as broker:
        with broker.connect() as client:
            client.create("t", 6)
            raw = records.batch([os.urandom(100000)])
            client.call("Produce", 9, **client.produce_body("t", {i: raw for i in range(6)}))
        for round_ in range(6):
            clients = [broker.connect() for _ in range(6)]
            for client in clients:
                for _ in range(4):
                    client.send("Fetch", 12, **client.fetch_body("t", {i: 0 for i in range(6)}))
            for client in clients:
                client.receive()
            if round_ % 2:
                for client in clients:
                    reset(client)
            assert broker.stop() == 0, broker.said()
            for client in clients:
                client.close()
            broker.start()


def peak_mib(broker):
    for line in open(f"/proc/{broker.process.pid}/status", encoding="ascii"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) >> 10
    raise AssertionError("no VmHWM")


GROWTH_MIB = 400  # a sanitizer keeps 256 of what was freed


def test_lookups_of_one_partition_many_times_over():
    """Each lookup by time reads the log into memory of its own."""
    with Broker() as broker, broker.connect() as client:
        client.create("t", 2)
        client.produce("t", records.batch([os.urandom(400000)]))
        before = peak_mib(broker)
        answer = client.call("ListOffsets", 7, replica_id=-1, topics=[{"name": "t", "partitions": [
            {"partition_index": 0, "timestamp": 0} for _ in range(4000)]
            + [{"partition_index": 1, "timestamp": 0}]}])
        codes = [part["error_code"] for part in answer["topics"][0]["partitions"]]
        assert codes == [ERRORS["INVALID_REQUEST"]] * 4000 + [0]
        assert peak_mib(broker) - before < GROWTH_MIB


def test_lookups_of_many_partitions():
    """A few at a time, whatever is asked in between."""
    for cores in ("1", "3"):
        with Broker("--cores", cores) as broker, broker.connect() as client:
            client.create("t", 200)
            before = peak_mib(broker)
            raw = records.batch([os.urandom(2000)])
            client.call("Produce", 9, **client.produce_body("t", {i: raw for i in range(200)}))
            wanted = [0, -1, 1 << 60, -2, -3]
            answer = client.call("ListOffsets", 7, replica_id=-1, topics=[{
                "name": "t", "partitions": [{"partition_index": i, "timestamp": wanted[i % 5]}
                                            for i in range(201)]}])
            parts = answer["topics"][0]["partitions"]
            for part, i in zip(parts, range(200)):
                assert part["error_code"] == 0 and part["partition_index"] == i
                assert part["offset"] == [0, 1, -1, 0, 0][i % 5], (i, part)
            assert parts[200]["error_code"] == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
            assert peak_mib(broker) - before < GROWTH_MIB


def test_answers_that_nobody_takes_are_not_made():
    """Short requests for long answers, sent ahead by a peer that does not read."""
    with Broker("--in-flight-max", "100") as broker, broker.connect() as client:
        client.create("t")
        before = peak_mib(broker)
        ask = {"resources": [{"resource_type": 2, "resource_name": "t",
                              "configuration_keys": None}] * 1000,
               "include_synonyms": True, "include_documentation": True}
        for _ in range(40):
            client.send("DescribeConfigs", 4, **ask)
        time.sleep(1.5)
        grown = peak_mib(broker) - before
        assert grown < GROWTH_MIB, f"{grown} MiB"
        with broker.connect() as other:
            other.call("Metadata", 9, topics=[])
        for _ in range(40):
            assert len(client.read_frame()) > 1 << 20


def test_many_at_once_ask_for_long_answers():
    """What is made at once is bounded over all connections; in the end everybody is served."""
    with Broker("--memory", "64MiB") as broker:
        clients = [broker.connect() for _ in range(40)]
        clients[0].create("t")
        before = peak_mib(broker)
        ask = {"resources": [{"resource_type": 2, "resource_name": "t",
                              "configuration_keys": None}] * 1000,
               "include_synonyms": True, "include_documentation": True}
        for client in clients:
            client.send("DescribeConfigs", 4, **ask)
        time.sleep(1.5)
        grown = peak_mib(broker) - before
        assert grown < GROWTH_MIB, f"{grown} MiB"
        for client in clients:
            assert len(client.read_frame()) > 1 << 20
            client.close()


def test_a_group_named_many_times_over():
    """Kilobytes of members and of metadata for a few bytes of the question: once."""
    with Broker("--memory", "64MiB", ephemeral=True) as broker, broker.connect() as client:
        client.create("t", 100)
        find_coordinator(client)
        Member(client, "g", protocols=[("range", bytes(900000))]).settle()
        committed = client.call(
            "OffsetCommit", 8, group_id="offsets", generation_id_or_member_epoch=-1, member_id="",
            group_instance_id=None, topics=[{"name": "t", "partitions": [
                {"partition_index": partition, "committed_offset": 7,
                 "committed_metadata": "m" * 4000} for partition in range(100)]}])
        assert {part["error_code"] for part in committed["topics"][0]["partitions"]} == {0}
        before = peak_mib(broker)
        described = client.call("DescribeGroups", 5, groups=["g", "other"] + ["g"] * 500)["groups"]
        assert [group["group_id"] for group in described] == ["g", "other"]
        assert len(described[0]["members"][0]["member_metadata"]) == 900000
        fetched = client.call("OffsetFetch", 9, require_stable=False, groups=[
            {"group_id": "offsets", "topics": None}] * 1000)["groups"]
        assert [len(group["topics"][0]["partitions"]) for group in fetched] == [100]
        fetched, = client.call("OffsetFetch", 9, require_stable=False, groups=[
            {"group_id": "offsets", "topics": [{"name": "t", "partition_indexes": [1] * 60000}]}
        ])["groups"]
        found = fetched["topics"][0]["partitions"]
        assert (found[0]["committed_offset"], len(found[0]["metadata"])) == (7, 4000)
        assert {part["error_code"] for part in found[1:]} == {ERRORS["INVALID_REQUEST"]}
        assert peak_mib(broker) - before < GROWTH_MIB


def test_producers_of_one_partition_many_times_over():
    with Broker("--memory", "64MiB", ephemeral=True) as broker, broker.connect() as client:
        client.create("t")
        for number in range(200):
            raw = records.batch([b"x"], producer=number, epoch=0, sequence=0)
            assert client.produce("t", raw)["error_code"] == 0
        before = peak_mib(broker)
        client.send("DescribeProducers", 0, topics=[
            {"name": "t", "partition_indexes": [0] * 50000}])
        frame = client.read_frame()
        assert len(frame) < 8 << 20
        _, answer = codec.decode_response("DescribeProducers", 0, frame)
        found = answer["topics"][0]["partitions"]
        assert len(found[0]["active_producers"]) == 200
        assert {part["error_code"] for part in found[1:]} == {ERRORS["INVALID_REQUEST"]}
        assert peak_mib(broker) - before < GROWTH_MIB


def test_a_produce_of_nothing_but_parts():
    with Broker() as broker, broker.connect() as client:
        client.create("t")
        before = peak_mib(broker)
        part = struct.pack(">ii", 0, 0)
        body = (struct.pack(">hhih", 0, 7, 1, -1) + struct.pack(">hhii", -1, -1, 1000, 1)
                + struct.pack(">h", 1) + b"t" + struct.pack(">i", 900000) + part * 900000)
        client.write(struct.pack(">i", len(body)) + body)
        assert client.is_closed()
        assert "more parts than its bytes can fill" in broker.said()
        assert peak_mib(broker) - before < GROWTH_MIB


def test_a_fetch_of_nothing_but_duplicates():
    with Broker() as broker:
        client = broker.connect()
        client.create("t")
        client.produce("t", records.batch([b"x"]))
        before = peak_mib(broker)
        for count, seems in ((200000, "more partitions than there are"), (9000, None)):
            part = struct.pack(">iqi", 0, 0, 1 << 20)
            body = (struct.pack(">hhih", 1, 4, 1, -1) + struct.pack(">iiiibi", -1, 0, 1, 1 << 20, 0, 1)
                    + struct.pack(">h", 1) + b"t" + struct.pack(">i", count) + part * count)
            client.write(struct.pack(">i", len(body)) + body)
            if not seems:
                assert len(client.read_frame()) > 9000 * 42
            else:
                assert client.is_closed() and seems in broker.said()
                client = broker.connect()
        assert peak_mib(broker) - before < GROWTH_MIB


def test_lines_that_a_peer_can_cause_are_few():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.create("t")
        pid = client.producer_id()
        for i in range(100):
            raw = records.batch([b"%d" % i], producer=pid, epoch=0, sequence=0)
            assert client.produce("t", raw)["error_code"] == 0
        for i in range(100):
            answer = client.call("CreateTopics", 5, timeout_ms=1000, topics=[
                {"name": f"n{i}", "num_partitions": 1, "replication_factor": 3}])
            assert answer["topics"][0]["error_code"] == 0
        for _ in range(100):
            with broker.connect(greet=False) as stranger:
                stranger.write(b"GET / HTTP/1.1\r\n\r\n")
                assert stranger.is_closed()
        said = broker.said()
        assert said.count("with other contents") == 1
        assert len(said.splitlines()) < 30, said


def test_large_frames_that_do_not_come_hold_nobody_up():
    """The whole budget many times over, announced in a few bytes: everything else goes on."""
    with Broker("--memory", "64MiB") as broker, broker.connect() as client:
        client.create("t")
        silent = [broker.connect() for _ in range(100)]
        for i, other in enumerate(silent):
            other.write(struct.pack(">ihhi", 3 << 20, (0, 1, 3)[i % 3], 7, 1))
        time.sleep(0.3)
        client.call("Metadata", 9, topics=[{"name": "t"}])
        assert client.fetch("t", 0)["error_code"] == 0
        for size in (1, 900000):
            assert client.produce("t", records.batch([b"x" * size]))["error_code"] == 0
        for other in silent:
            reset(other)


class Hostile:
    """Connections from one address that begin large frames and stop, and come again when closed."""

    def __init__(self, broker, count):
        self.broker, self.over = broker, threading.Event()
        self.threads = [threading.Thread(target=self.go_on) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def go_on(self):
        while not self.over.is_set():
            with self.broker.connect(greet=False, source="127.0.0.2") as client:
                client.write(struct.pack(">ihhi", 3 << 20, 0, 9, 1) + bytes(40000))
                while not self.over.is_set() and not client.is_closed(0.1):
                    pass

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_large_frames_that_stop_do_not_keep_producers_out():
    """They fill the line many times over; a producer elsewhere gets through all the same."""
    with Broker("--memory", "64MiB", "--request-progress-ms", "4s") as broker:
        with broker.connect() as client:
            client.create("t")
            hostile = Hostile(broker, 60)
            try:
                time.sleep(1)
                for size in (1, 900000, 900000):
                    assert client.produce("t", records.batch([b"x" * size]))["error_code"] == 0
                deadline = time.monotonic() + 20
                while "comes too slowly while others wait" not in broker.said():
                    assert time.monotonic() < deadline, "they may keep the memory"
                    time.sleep(0.05)
            finally:
                hostile.end()


def test_names_by_the_hundred_thousand():
    """Nothing here may take the square of a count: other clients are waiting."""
    with Broker("--memory", "512MiB", ephemeral=True) as broker, broker.connect() as client:
        names = b"".join(struct.pack(">h", 6) + b"%06d" % i for i in range(200000))
        began = time.monotonic()
        body = struct.pack(">hhih", 3, 4, 1, -1) + struct.pack(">i", 200000) + names + b"\1"
        client.write(struct.pack(">i", len(body)) + body)
        _, answer = codec.decode_response("Metadata", 4, client.read_frame())
        assert time.monotonic() - began < 60
        assert [topic["name"] for topic in answer["topics"]] == [f"{i:06}" for i in range(200000)]
        codes = [topic["error_code"] for topic in answer["topics"]]
        assert codes == [0] * 1000 + [ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]] * 199000
        more = client.call("Metadata", 4, topics=[{"name": f"{i:06}"} for i in (5, 2000, 2000, 999)],
                           allow_auto_topic_creation=True)
        assert [(topic["name"], topic["error_code"]) for topic in more["topics"]] == [
            ("000005", 0), ("002000", 0), ("000999", 0)]
