"""Bounds: in-flight cap, connection caps, memory budget, time-outs."""
import os
import socket
import struct
import time

import records
from broker import ERRORS, Broker, Closed


def test_in_flight_cap_holds_back_and_goes_on():
    """With a parked fetch in front, only so many requests are read; all are answered later."""
    with Broker("--in-flight-max", "4") as broker, broker.connect() as client:
        client.create("t")
        client.send("Fetch", 12, **client.fetch_body("t", {0: 0}, wait=1500))
        client.write(b"".join(client.frame("Metadata", 9, topics=[]) for _ in range(500)))
        assert client.receive()["responses"]
        for _ in range(500):
            assert client.receive()["brokers"]


def test_in_flight_cap_stops_reading():
    with Broker("--in-flight-max", "2") as broker, broker.connect() as client:
        client.create("t")
        client.send("Fetch", 12, **client.fetch_body("t", {0: 0}, wait=3000))
        raw = client.frame("Produce", 9, **client.produce_body(
            "t", {0: records.batch([b"x" * 900000])}))
        client.socket.setblocking(False)
        sent, deadline = 0, time.monotonic() + 1.5
        while time.monotonic() < deadline:
            try:
                sent += client.socket.send(raw)
            except BlockingIOError:
                time.sleep(0.02)
        assert sent < 30 << 20, "more was taken than sockets and two requests hold"


def test_connections_max():
    with Broker("--connections-max", "5", ephemeral=True) as broker:
        clients = [broker.connect() for _ in range(5)]
        with broker.connect(greet=False) as late:
            assert late.is_closed()
        clients.pop().close()
        deadline = time.monotonic() + 10
        while True:  # the place is free a moment after the close
            try:
                clients.append(broker.connect())
                break
            except Closed:
                assert time.monotonic() < deadline
        for client in clients:
            client.call("Metadata", 1, topics=[])
            client.close()
        assert broker.said().count("refused a connection") == 1, "said once a minute"


def test_connections_max_per_address():
    with Broker("--connections-max-per-address", "3", "--cores", "2", ephemeral=True) as broker:
        clients = [broker.connect() for _ in range(3)]
        with broker.connect(greet=False) as late:
            assert late.is_closed()
        assert "connections-max-per-address" in broker.said()
        for client in clients:
            client.close()


def test_many_connections_come_and_go():
    with Broker("--cores", "2", ephemeral=True) as broker:
        for _ in range(5):
            clients = [broker.connect(greet=i % 3 > 0) for i in range(100)]
            for client in clients:
                client.close()
        with broker.connect() as client:
            client.call("Metadata", 1, topics=[])


def test_idle_connections_end():
    with Broker("--connection-idle-ms", "1s", ephemeral=True) as broker:
        with broker.connect() as idle, broker.connect() as busy:
            began = time.monotonic()
            while time.monotonic() < began + 2:
                busy.call("Metadata", 1, topics=[])
                time.sleep(0.1)
            assert idle.is_closed(1)
            busy.call("Metadata", 1, topics=[])


def test_a_waiting_fetch_is_not_idle():
    with Broker("--connection-idle-ms", "1s", ephemeral=True) as broker, broker.connect() as client:
        client.create("t")
        client.send("Fetch", 12, **client.fetch_body("t", {0: 0}, wait=2500))
        assert client.receive()["responses"]
        client.call("Metadata", 1, topics=[])


def test_a_slow_frame_ends():
    with Broker("--request-progress-ms", "500", ephemeral=True) as broker:
        with broker.connect() as client:
            raw = client.frame("Metadata", 9, topics=[{"name": "x" * 100}])
            began = time.monotonic()
            try:
                for byte in raw:
                    client.write(bytes([byte]))
                    time.sleep(0.05)
                    if time.monotonic() > began + 5:
                        raise AssertionError("it was let go on")
            except ConnectionError:
                pass
        for start in (b"\0", b"\0\0\0\x20\0\x03", struct.pack(">ihh", 60000, 3, 9) + b"x" * 50000):
            with broker.connect() as client:
                client.write(start)
                assert client.is_closed(5), start[:10]


def test_answers_that_are_not_taken_end():
    with Broker("--request-progress-ms", "300") as broker, broker.connect() as client:
        client.create("t")
        for _ in range(12):
            client.produce("t", records.batch([b"x" * 900000]))
        with broker.connect() as lazy:
            lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(8):
                lazy.send("Fetch", 12, **lazy.fetch_body("t", {0: 0}, most=50 << 20,
                                                         part_most=50 << 20))
            deadline = time.monotonic() + 10
            while "its answers are not taken" not in broker.said():
                assert time.monotonic() < deadline
                time.sleep(0.05)
        client.call("Metadata", 1, topics=[])


def test_admission_bounds_memory():
    """Twenty connections begin to send 5 MiB each: the budget lets a few in, the others wait, other
    requests are answered meanwhile, and in the end all batches are stored."""
    with Broker("--memory", "64MiB", "--message-max-bytes", "16MiB") as broker:
        with broker.connect() as client:
            client.create("t")
            raw = records.batch([os.urandom(1 << 20) * 5])
            clients = [broker.connect() for _ in range(20)]
            halves = []
            for other in clients:
                other.socket.settimeout(60)
                frame = other.frame("Produce", 9, **other.produce_body("t", {0: raw}))
                halves.append(frame[len(frame) // 2:])
                other.socket.setblocking(False)
                try:  # what the kernel takes at once
                    done = other.socket.send(frame[:len(frame) // 2])
                except BlockingIOError:
                    done = 0
                halves[-1] = frame[done:]
                other.socket.setblocking(True)
            began = time.monotonic()
            assert client.call("Metadata", 9, topics=[{"name": "t"}])["topics"]
            assert client.fetch("t", 0)["error_code"] == 0
            assert time.monotonic() - began < 15, "control traffic waited for produce"
            # in the order of arrival, so that those that were admitted finish first
            for other, rest in zip(clients, halves):
                other.write(rest)
            offsets = set()
            for other in clients:
                part = other.receive()["responses"][0]["partition_responses"][0]
                assert part["error_code"] == 0
                offsets.add(part["base_offset"])
                other.close()
            assert offsets == set(range(20))
            assert client.offset("t", -1)["offset"] == 20


def test_a_frame_above_the_budget_closes():
    with Broker("--memory", "64MiB", "--message-max-bytes", "100MiB", ephemeral=True) as broker:
        with broker.connect() as client:
            client.write(struct.pack(">ihh", 90 << 20, 0, 9))
            assert client.is_closed()
        assert "memory budget" in broker.said()


def test_a_frame_above_the_limit_closes():
    with Broker("--frame-bytes-max", "1MiB", ephemeral=True) as broker, broker.connect() as client:
        client.write(struct.pack(">ihh", (1 << 20) + 1, 0, 9))
        assert client.is_closed()


def test_disconnecting_in_the_middle_of_everything():
    with Broker("--cores", "2") as broker:
        with broker.connect() as client:
            client.create("t", 4)
        batch = records.batch([b"x" * 2000])
        for i in range(60):
            client = broker.connect()
            frames = b""
            for k in range(10):
                frames += client.frame("Produce", 9, **client.produce_body("t", {k % 4: batch}))
                if i % 3 == 0:
                    frames += client.frame("Fetch", 12, **client.fetch_body(
                        "t", {p: 0 for p in range(4)}, wait=100 * k))
            client.write(frames[:len(frames) - i * 7])
            if i % 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                         struct.pack("ii", 1, 0))
            client.close()
        with broker.connect() as client:
            for partition in range(4):
                client.all("t", partition)


def test_unknown_group_coordinator_types():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        answer = client.call("FindCoordinator", 2, key="g", key_type=9)
        assert answer["error_code"] == ERRORS["INVALID_REQUEST"]


def test_lists_that_unpack_to_much_close():
    """A body may take an eighth of the budget when decoded, however short its items are."""
    with Broker("--memory", "64MiB", ephemeral=True) as broker:
        with broker.connect() as client:
            body = struct.pack(">hhih", 3, 4, 1, -1) + struct.pack(">i", 900000) + b"\0" * 1800001
            client.write(struct.pack(">i", len(body)) + body)
            assert client.is_closed()
        with broker.connect() as client:
            answer = client.call("Metadata", 4, topics=[{"name": f"{i}"} for i in range(20000)],
                                 allow_auto_topic_creation=False)
            assert len(answer["topics"]) == 20000
