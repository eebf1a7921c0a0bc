"""Fetch, ListOffsets, OffsetForLeaderEpoch and DeleteRecords."""
import threading
import time

import records
from broker import ERRORS, Broker


def fill(client, topic="t", batches=10, size=1000, partitions=1):
    client.create(topic, partitions)
    for partition in range(partitions):
        for i in range(batches):
            raw = records.batch([b"%d" % i * size])
            assert client.produce(topic, raw, partition)["error_code"] == 0


def later(seconds, action):
    thread = threading.Thread(target=lambda: (time.sleep(seconds), action()))
    thread.start()
    return thread


def test_at_least_one_batch_whatever_the_limits():
    with Broker() as broker, broker.connect() as client:
        fill(client)
        for most, part_most in ((1, 1 << 20), (1 << 20, 1), (0, 1 << 20)):
            part = client.fetch("t", 3, most=most, part_most=part_most)
            assert [offset for offset, _ in records.values(part["records"])] == [3], part
        part = client.fetch("t", 0, part_most=2500)
        assert len(records.batches(part["records"])) == 2


def test_max_bytes_over_partitions():
    with Broker("--cores", "2") as broker, broker.connect() as client:
        fill(client, partitions=4)
        answer = client.call("Fetch", 12, **client.fetch_body(
            "t", {0: 10, 1: 0, 2: 0, 3: 0}, most=5000, part_most=3000))
        counts = [len(records.batches(part["records"]))
                  for part in answer["responses"][0]["partitions"]]
        assert counts[0] == 0 and counts[1] == 2 and counts[2] in (1, 2), counts
        assert sum(counts) <= 4


def test_from_the_middle_of_a_batch():
    with Broker() as broker, broker.connect() as client:
        client.create("t")
        client.produce("t", records.batch([b"a", b"b", b"c"]))
        part = client.fetch("t", 2)
        assert [offset for offset, _ in records.values(part["records"])] == [0, 1, 2]


def test_offsets_out_of_range():
    with Broker() as broker, broker.connect() as client:
        fill(client, batches=3)
        began = time.monotonic()
        for offset in (4, 1 << 40, -1):
            part = client.fetch("t", offset, wait=60000)
            assert part["error_code"] == ERRORS["OFFSET_OUT_OF_RANGE"], offset
            assert part["records"] == b"" or part["records"] is None
        assert time.monotonic() - began < 30, "an error must not wait"
        part = client.fetch("t", 3)
        assert part["error_code"] == 0 and part["high_watermark"] == 3 and not part["records"]


def test_leader_epochs():
    with Broker() as broker, broker.connect() as client:
        fill(client, batches=2)
        epoch = client.call("Metadata", 9, topics=[{"name": "t"}])[
            "topics"][0]["partitions"][0]["leader_epoch"]
        assert epoch >= 0
        for asked, code in ((epoch, "NONE"), (-1, "NONE"), (epoch + 1, "UNKNOWN_LEADER_EPOCH")):
            body = client.fetch_body("t", {0: 0})
            body["topics"][0]["partitions"][0]["current_leader_epoch"] = asked
            part = client.call("Fetch", 12, **body)["responses"][0]["partitions"][0]
            assert part["error_code"] == ERRORS[code], (asked, part)
        for asked, found in ((epoch, (epoch, 2)), (epoch + 5, None)):
            answer = client.call("OffsetForLeaderEpoch", 4, replica_id=-1, topics=[{
                "topic": "t", "partitions": [{"partition": 0, "leader_epoch": asked}]}])
            part = answer["topics"][0]["partitions"][0]
            assert part["error_code"] == 0
            if found:
                assert (part["leader_epoch"], part["end_offset"]) == found


def test_long_poll_wakes():
    for cores in ("1", "3"):
        with Broker("--cores", cores) as broker, broker.connect() as client:
            client.create("t", 6)
            with broker.connect() as other:
                for i in range(6):
                    began = time.monotonic()
                    client.send("Fetch", 12, **client.fetch_body(
                        "t", {p: 0 if p >= i else 1 for p in range(6)}, wait=60000))
                    thread = later(0.05, lambda: other.produce("t", records.batch([b"x"]), i))
                    answer = client.receive()
                    thread.join()
                    assert time.monotonic() - began < 30
                    parts = answer["responses"][0]["partitions"]
                    assert [p["partition_index"] for p in parts if p["records"]] == [i]


def test_long_poll_deadline():
    with Broker("--cores", "2") as broker, broker.connect() as client:
        fill(client, batches=1, partitions=4)
        for wait, least, offset in ((300, 1, 1), (300, 1 << 20, 0), (0, 1 << 20, 0)):
            began = time.monotonic()
            answer = client.call("Fetch", 12, **client.fetch_body(
                "t", {p: offset for p in range(4)}, wait=wait, least=least))
            took = time.monotonic() - began
            assert wait / 1000 <= took < wait / 1000 + 15, (wait, took)
            got = [bool(part["records"]) for part in answer["responses"][0]["partitions"]]
            assert got == [offset == 0] * 4, got


def test_long_poll_waits_for_min_bytes():
    with Broker("--cores", "2") as broker, broker.connect() as client, broker.connect() as other:
        client.create("t", 2)
        began = time.monotonic()
        client.send("Fetch", 12, **client.fetch_body("t", {0: 0, 1: 0}, wait=60000, least=5000))
        for i in range(6):
            time.sleep(0.03)
            other.produce("t", records.batch([b"x" * 1000]), i % 2)
        answer = client.receive()
        assert time.monotonic() - began < 30
        total = sum(len(part["records"]) for part in answer["responses"][0]["partitions"])
        assert total >= 5000


def test_deleting_a_topic_wakes_its_fetch():
    with Broker("--cores", "2") as broker, broker.connect() as client, broker.connect() as other:
        topic_id = client.create("t", 4)
        began = time.monotonic()
        client.send("Fetch", 13, **client.fetch_body(topic_id, {p: 0 for p in range(4)}, 13,
                                                     wait=60000))
        thread = later(0.1, lambda: other.call("DeleteTopics", 6, timeout_ms=5000, topics=[
            {"name": "t", "topic_id": bytes(16)}]))
        answer = client.receive()
        thread.join()
        assert time.monotonic() - began < 30
        codes = {part["error_code"] for part in answer["responses"][0]["partitions"]}
        assert ERRORS["UNKNOWN_TOPIC_ID"] in codes, codes


def test_a_parked_fetch_goes_with_its_client():
    with Broker() as broker:
        with broker.connect() as client:
            client.create("t")
        for _ in range(20):
            with broker.connect() as client:
                client.send("Fetch", 12, **client.fetch_body("t", {0: 0}, wait=60000))
        assert broker.stop() == 0
        assert "are cut" not in broker.said()


def test_followers_are_refused():
    with Broker() as broker, broker.connect() as client:
        fill(client, batches=1)
        answer = client.call("Fetch", 12, **client.fetch_body("t", {0: 0}, replica_id=2))
        assert answer["error_code"] == ERRORS["INVALID_REQUEST"]


def test_many_fetches_of_much():
    """Answers of many pieces, over several sends, while others produce."""
    with Broker("--cores", "2") as broker, broker.connect() as client:
        fill(client, batches=40, size=5000, partitions=5)
        offsets = {}
        for i in range(30):
            client.send("Fetch", 12, **client.fetch_body(
                "t", {p: i for p in range(5)}, most=50 << 20))
        for i in range(30):
            for part in client.receive()["responses"][0]["partitions"]:
                key = part["partition_index"]
                if i == 0:  # checks the CRCs
                    offsets[key] = part["records"]
                    got = [offset for offset, _ in records.values(offsets[key])]
                    assert got == list(range(40))
                assert offsets[key].endswith(part["records"]) and part["records"]


# ---- ListOffsets, DeleteRecords ------------------------------------------------------------------


def test_list_offsets_marks_and_times():
    with Broker() as broker, broker.connect() as client:
        client.create("t")
        client.create("empty")
        client.produce("t", records.batch([b"a", b"b"], timestamps=[1000, 5000]))
        client.produce("t", records.batch([b"c", b"d"], timestamps=[3000, 2000]))
        client.produce("t", records.batch([b"e"], timestamps=[9000]))

        def at(timestamp, version=7, topic="t"):
            found = client.offset(topic, timestamp, version=version)
            assert found["error_code"] == 0, found
            return found["offset"], found["timestamp"]

        assert at(-1) == (5, -1) and at(-2) == (0, -1)
        assert at(-3) == (4, 9000)
        assert at(0) == (0, 1000) and at(1000) == (0, 1000) and at(1001) == (1, 5000)
        assert at(5001) == (4, 9000) and at(9001) == (-1, -1)
        assert at(-1, topic="empty") == (0, -1) and at(5, topic="empty") == (-1, -1)
        assert at(-4, 8) == (0, -1) and at(-5, 9) == (-1, -1) and at(-6, 11) == (-1, -1)
        for version in range(1, 12):
            assert at(1001, version) == (1, 5000)
        assert client.offset("t", -3, version=6)["error_code"] == ERRORS["UNSUPPORTED_VERSION"]
        assert client.offset("no", -1)["error_code"] == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
        assert client.offset("t", -1, 9)["error_code"] == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]


def delete(client, topic, offset, partition=0):
    answer = client.call("DeleteRecords", 2, timeout_ms=10000, topics=[{
        "name": topic, "partitions": [{"partition_index": partition, "offset": offset}]}])
    part = answer["topics"][0]["partitions"][0]
    return part["error_code"], part["low_watermark"]


def test_delete_records():
    with Broker("--cores", "2") as broker:
        with broker.connect() as client:
            fill(client)
            assert delete(client, "t", 4) == (0, 4)
            assert delete(client, "t", 2) == (0, 4), "it never goes back"
            assert delete(client, "t", 11) == (ERRORS["OFFSET_OUT_OF_RANGE"], -1)
            assert delete(client, "no", 1)[0] == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
            assert client.offset("t", -2)["offset"] == 4
            assert client.fetch("t", 3)["error_code"] == ERRORS["OFFSET_OUT_OF_RANGE"]
            part = client.fetch("t", 4)
            assert part["log_start_offset"] == 4
            assert records.values(part["records"])[0][0] == 4
        broker.restart()
        with broker.connect() as client:
            assert client.offset("t", -2)["offset"] == 4
            assert [offset for offset, _ in client.all("t")] == list(range(4, 10))
            assert delete(client, "t", -1) == (0, 10)
            assert client.all("t") == []
            assert client.produce("t", records.batch([b"z"]))["base_offset"] == 10
