"""Produce: what is stored, what is refused, in which words, and in which order."""
import struct
import time

import records
from broker import ERRORS, Broker

MINUTE = 60000


def test_byte_exact_round_trip_in_every_version():
    with Broker() as broker, broker.connect() as client:
        topic_id = client.create("t")
        offset = 0
        for version in range(3, 14):
            raw = records.batch([b"one", None, b"three" * version], keys=[b"k", None, b""])
            part = client.produce(topic_id if version >= 13 else "t", raw, version=version)
            assert (part["error_code"], part["base_offset"]) == (0, offset), (version, part)
            assert part["log_append_time_ms"] == -1
            got = client.fetch("t", offset)["records"]
            assert records.batches(got)[0][0] == offset
            assert got[16:] == raw[16:], "changed beyond the base offset and the leader epoch"
            offset += 3


def test_versions_3_to_17_of_fetch_return_the_same():
    with Broker() as broker, broker.connect() as client:
        topic_id = client.create("t")
        client.produce("t", records.batch([b"a", b"b"]))
        first = client.fetch("t", 0)["records"]
        for version in range(4, 18):
            part = client.fetch(topic_id if version >= 13 else "t", 0, version=version)
            assert part["error_code"] == 0 and part["records"] == first, version
            assert part["high_watermark"] == part["last_stable_offset"] == 2


def test_many_partitions_in_one_request_fail_alone():
    with Broker("--cores", "3") as broker, broker.connect() as client:
        client.create("t", 12)
        parts = {i: records.batch([b"%d" % i]) for i in range(12)}
        parts[12] = records.batch([b"no such partition"])
        parts[3] = parts[3][:-1] + b"!"
        answer = client.call("Produce", 9, **client.produce_body("t", parts))
        codes = {part["index"]: part["error_code"]
                 for part in answer["responses"][0]["partition_responses"]}
        assert codes.pop(12) == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
        assert codes.pop(3) == ERRORS["CORRUPT_MESSAGE"]
        assert set(codes.values()) == {0}
        for i in range(12):
            assert client.all("t", i) == ([] if i == 3 else [(0, b"%d" % i)])


def test_unknown_topics():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        raw = records.batch([b"x"])
        assert client.produce("no", raw)["error_code"] == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
        part = client.produce(b"\1" * 16, raw, version=13)
        assert part["error_code"] == ERRORS["UNKNOWN_TOPIC_ID"]
        assert part["base_offset"] == -1 and part["error_message"]
        part = client.fetch(b"\1" * 16, 0, version=13)
        assert part["error_code"] == ERRORS["UNKNOWN_TOPIC_ID"]


def test_refusals():
    def refused(raw, code, topic="t", records_in_error=None, version=9):
        part = client.produce(topic, raw, version=version)
        assert part["error_code"] == ERRORS[code], (code, part)
        assert part["base_offset"] == -1 and part["error_message"], part
        if records_in_error is not None:
            assert [e["batch_index"] for e in part["record_errors"]] == records_in_error, part

    now = int(time.time() * 1000)
    good = records.batch([b"a", b"b"])
    with Broker() as broker, broker.connect() as client:
        client.create("t")
        client.create("small", **{"max.message.bytes": "100"})
        client.create("keyed", **{"cleanup.policy": "compact"})
        client.create("timed", **{"message.timestamp.before.max.ms": "60000",
                                  "message.timestamp.after.max.ms": "60000"})
        refused(good + good, "INVALID_RECORD")
        refused(good[:16] + b"\1" + good[17:], "INVALID_RECORD")
        refused(good[:-1] + b"?", "CORRUPT_MESSAGE")
        refused(good[:40], "CORRUPT_MESSAGE")
        refused(records.batch([b"a", b"b"], count=3), "INVALID_RECORD")
        refused(records.batch([b"a", b"b"], delta=7), "INVALID_RECORD")
        refused(records.batch([b"x" * 100]), "MESSAGE_TOO_LARGE", "small")
        refused(records.batch([b"a", b"b", b"c"], keys=[b"k", None, None]), "INVALID_RECORD",
                "keyed", [1, 2])
        refused(records.batch([b"a", b"b", b"c"], timestamps=[now, now - 2 * MINUTE, now]),
                "INVALID_TIMESTAMP", "timed", [1])
        refused(records.batch([b"a"], timestamp=now + 2 * MINUTE), "INVALID_TIMESTAMP", "timed",
                [0])
        refused(records.batch([b"a"], attributes=0x20), "INVALID_RECORD")
        for topic in ("t", "small", "keyed", "timed"):
            assert client.offset(topic, -1)["offset"] == 0
        assert client.produce("t", good)["base_offset"] == 0


def test_wrong_acks():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.create("t")
        part = client.produce("t", records.batch([b"a"]), acks=2)
        assert part["error_code"] == ERRORS["INVALID_REQUIRED_ACKS"]


def test_acks_0_is_silent_and_closes_on_error():
    with Broker() as broker:
        with broker.connect() as client:
            client.create("t")
            for i in range(5):
                client.write(client.frame("Produce", 9, **client.produce_body(
                    "t", {0: records.batch([b"%d" % i])}, acks=0)))
                client.sent.pop()
            assert client.is_silent()
            assert len(client.all("t")) == 5
        with broker.connect() as client:
            client.write(client.frame("Produce", 9, **client.produce_body(
                "no", {0: records.batch([b"x"])}, acks=0)))
            assert client.is_closed()


def test_log_append_time():
    with Broker() as broker, broker.connect() as client:
        client.create("t", **{"message.timestamp.type": "LogAppendTime"})
        before = int(time.time() * 1000)
        part = client.produce("t", records.batch([b"a"], timestamp=5))
        assert before <= part["log_append_time_ms"] <= time.time() * 1000 + 1
        (_, whole), = records.batches(client.fetch("t", 0)["records"])
        attributes, = struct.unpack_from(">h", whole, 21)
        newest, = struct.unpack_from(">q", whole, 35)
        assert attributes & 8 and newest == part["log_append_time_ms"]


def test_answers_leave_in_request_order():
    """Produce, Metadata and Fetch in one write; the Fetch sees what was produced before it."""
    with Broker("--cores", "2") as broker, broker.connect() as client:
        client.create("t", 4)
        frames, kinds = b"", []
        for i in range(20):
            frames += client.frame("Produce", 9, **client.produce_body(
                "t", {i % 4: records.batch([b"%d" % i])}))
            frames += client.frame("Fetch", 12, **client.fetch_body("t", {i % 4: i // 4}))
            frames += client.frame("Metadata", 9, topics=[{"name": "t"}])
            kinds += [("Produce", i), ("Fetch", i), ("Metadata", i)]
        client.write(frames)
        for kind, i in kinds:
            answer = client.receive()  # checks the correlation
            if kind == "Produce":
                part = answer["responses"][0]["partition_responses"][0]
                assert (part["error_code"], part["base_offset"]) == (0, i // 4)
            if kind == "Fetch":
                part = answer["responses"][0]["partitions"][0]
                assert records.values(part["records"]) == [(i // 4, b"%d" % i)]


def test_produce_overlaps_produce_in_order():
    with Broker() as broker, broker.connect() as client:
        client.create("t")
        client.write(b"".join(client.frame("Produce", 9, **client.produce_body(
            "t", {0: records.batch([b"%d" % i])})) for i in range(300)))
        for i in range(300):
            part = client.receive()["responses"][0]["partition_responses"][0]
            assert (part["error_code"], part["base_offset"]) == (0, i)
        assert client.all("t") == [(i, b"%d" % i) for i in range(300)]


def test_a_batch_for_the_worker_is_not_overtaken():
    """One that inflates on a worker thread holds its place before small ones of the same producer."""
    with Broker("--message-max-bytes", "4MiB") as broker, broker.connect() as client:
        client.create("t")
        pid = client.producer_id()
        noise = b"".join(struct.pack(">I", i * 2654435761 % 2**32) for i in range(40000))
        big = records.batch([noise], producer=pid, epoch=0, sequence=0, codec="gzip")
        assert len(big) > 65536
        small = [records.batch([b"%d" % i], producer=pid, epoch=0, sequence=i) for i in (1, 2, 3)]
        client.write(b"".join(client.frame("Produce", 9, **client.produce_body("t", {0: raw}))
                              for raw in [big, *small]))
        for i in range(4):
            part = client.receive()["responses"][0]["partition_responses"][0]
            assert (part["error_code"], part["base_offset"]) == (0, i), part


def test_large_batches():
    with Broker("--message-max-bytes", "16MiB") as broker, broker.connect() as client:
        client.create("t")
        sizes = [100, 300 << 10, 1 << 20, 3 << 20, 10]
        for i, size in enumerate(sizes):
            part = client.produce("t", records.batch([b"%d" % i * size]))
            assert (part["error_code"], part["base_offset"]) == (0, i)
        assert [len(value) for _, value in client.all("t")] == sizes


def idempotent(pid, sequence, count=1, epoch=0, text=b"v"):
    return records.batch([text] * count, producer=pid, epoch=epoch, sequence=sequence)


def test_idempotent_producer():
    with Broker() as broker, broker.connect() as client:
        client.create("t")
        pid = client.producer_id()
        assert client.producer_id() != pid

        def produce(sequence, count=1, epoch=0):
            part = client.produce("t", idempotent(pid, sequence, count, epoch))
            return part["error_code"], part["base_offset"]

        out_of_order = (ERRORS["OUT_OF_ORDER_SEQUENCE_NUMBER"], -1)
        for i in range(6):
            assert produce(i) == (0, i)
        for i in range(1, 6):
            assert produce(i) == (0, i), "a duplicate gets its first offset"
        assert produce(0) == out_of_order, "older than the five that are kept"
        assert produce(8) == out_of_order
        assert produce(6, 3) == (0, 6)
        assert produce(6, 3) == (0, 6)
        assert produce(3, epoch=1) == out_of_order, "a new epoch begins at 0"
        assert produce(0, epoch=1) == (0, 9)
        assert produce(9) == (ERRORS["INVALID_PRODUCER_EPOCH"], -1)
        assert len(client.all("t")) == 10
        # each partition has its own sequence, and a refused batch does not move it
        assert client.produce("t", idempotent(pid, 0)[:-1] + b"x")["error_code"] == 2
        assert produce(1, epoch=1) == (0, 10)


def test_sequences_wrap():
    with Broker() as broker, broker.connect() as client:
        client.create("t")
        top = 2**31 - 1
        for i, sequence in enumerate((top - 1, top, 0, 1)):
            part = client.produce("t", idempotent(77, sequence))
            assert (part["error_code"], part["base_offset"]) == (0, i), part


def test_idempotence_survives_kill():
    with Broker() as broker:
        with broker.connect() as client:
            client.create("t")
            pid = client.producer_id()
            for i in range(4):
                assert client.produce("t", idempotent(pid, i))["base_offset"] == i
        for round_ in range(3):
            broker.restart()
            with broker.connect() as client:
                for i in range(max(0, round_ - 1), 4 + round_):
                    part = client.produce("t", idempotent(pid, i))
                    assert (part["error_code"], part["base_offset"]) == (0, i)
                part = client.produce("t", idempotent(pid, 9))
                assert part["error_code"] == ERRORS["OUT_OF_ORDER_SEQUENCE_NUMBER"]
                assert client.produce("t", idempotent(pid, 4 + round_))["base_offset"] == 4 + round_
                assert client.producer_id() > pid
                assert len(client.all("t")) == 5 + round_


def test_transactions_are_refused_clearly():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.create("t")
        answer = client.call("InitProducerId", 4, transactional_id="tx",
                             transaction_timeout_ms=1000)
        assert answer["error_code"] == ERRORS["TRANSACTIONAL_ID_AUTHORIZATION_FAILED"]
        answer = client.call("FindCoordinator", 4, key_type=1, coordinator_keys=["tx"])
        assert answer["coordinators"][0]["error_code"] == answer["coordinators"][0][
            "error_code"] == ERRORS["TRANSACTIONAL_ID_AUTHORIZATION_FAILED"]
        raw = records.batch([b"a"], producer=5, epoch=0, sequence=0, attributes=0x10)
        assert client.produce("t", raw)["error_code"] == ERRORS["INVALID_TXN_STATE"]
