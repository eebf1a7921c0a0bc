"""What cannot be read: a damaged batch costs itself; a partition whose snapshot is damaged is
offline, as one in a failed log directory is to Kafka's clients; everything else serves."""
import random

import records
from broker import ERRORS, Broker

def partitions_of(answer):
    return {p["partition_index"]: p for p in answer["topics"][0]["partitions"]}


def snapshots_with(broker, value):
    return [path for path in (broker.data / "snapshots").iterdir() if value in path.read_bytes()]


def damage(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def test_a_partition_without_its_snapshot_is_offline():
    with Broker("--cores", "2") as broker:
        with broker.connect() as client:
            client.create("t", 2)
            for partition in (0, 1):
                part = client.produce("t", records.batch([b"first of %d" % partition]), partition)
                assert part["error_code"] == 0
        # The catalog is in the shard of the first partition: it is the second that is damaged.
        broker.options = ["--cores", "1"]  # other cores: all of it is put into snapshots
        broker.restart()
        broker.stop()
        path, = snapshots_with(broker, b"first of 1")
        damage(path)
        broker.start()
        for _ in range(2):  # and again: the snapshots keep it
            with broker.connect() as client:
                expect_offline(broker, client)
            broker.restart()
        with broker.connect() as client:
            client.call("DeleteTopics", 3, topic_names=["t"], timeout_ms=10000)
            client.create("t", 2)
            assert client.produce("t", records.batch([b"x"]))["error_code"] == 0


def expect_offline(broker, client):
    for version in (1, 5, 9, 12):
        parts = partitions_of(client.call("Metadata", version, topics=[{"name": "t"}]))
        assert (parts[1]["error_code"], parts[1]["leader_id"]) == (
            ERRORS["LEADER_NOT_AVAILABLE"], -1), parts
        assert (parts[0]["error_code"], parts[0]["leader_id"]) == (0, 1), parts
        if version >= 5:
            assert (parts[1]["offline_replicas"], parts[0]["offline_replicas"]) == ([1], [])
        assert parts[1]["replica_nodes"] == [1]
    answer = client.call("DescribeTopicPartitions", 0, topics=[{"name": "t"}],
                         response_partition_limit=2000, cursor=None)
    parts = partitions_of(answer)
    assert (parts[1]["leader_id"], parts[1]["offline_replicas"]) == (-1, [1]), parts
    assert (parts[0]["leader_id"], parts[0]["offline_replicas"]) == (1, []), parts
    whole, failed = client.call("DescribeLogDirs", 4, topics=None)["results"]
    shown = {t["name"]: [p["partition_index"] for p in t["partitions"]] for t in whole["topics"]}
    assert (whole["error_code"], shown["t"]) == (0, [0])
    assert (failed["error_code"], failed["topics"]) == (ERRORS["KAFKA_STORAGE_ERROR"], [])
    assert failed["log_dir"] == whole["log_dir"] + "/damaged"
    storage_error = ERRORS["KAFKA_STORAGE_ERROR"]
    assert client.produce("t", records.batch([b"x"]), 1)["error_code"] == storage_error
    assert client.fetch("t", 0, 1)["error_code"] == storage_error
    assert client.offset("t", -1, 1)["error_code"] == storage_error
    assert client.produce("t", records.batch([b"x"]), 0)["error_code"] == 0
    assert client.all("t", 0)[0] == (0, b"first of 0")
    assert "t-1 is offline: the snapshot of its shard cannot be read" in broker.said()


def test_a_damaged_batch_costs_itself():
    chance = random.Random(1)
    values = [chance.randbytes(200000) for _ in range(5)]  # go to the segment file at once
    with Broker() as broker:
        with broker.connect() as client:
            client.create("t")
            for value in values:
                assert client.produce("t", records.batch([value]))["error_code"] == 0
        broker.kill()
        path, = (path for path in (broker.data / "segments").iterdir()
                 if values[2][50000:50100] in path.read_bytes())
        raw = bytearray(path.read_bytes())
        raw[raw.index(values[2][50000:50100])] ^= 1
        path.write_bytes(raw)
        broker.start()
        with broker.connect() as client:
            for again in range(2):
                for offset, value in enumerate(values):
                    part = client.fetch("t", offset, part_most=200000)
                    if offset == 2:
                        assert part["error_code"] == ERRORS["CORRUPT_MESSAGE"], part
                    else:
                        assert records.values(part["records"]) == [(offset, value)], offset
                produced = client.produce("t", records.batch([b"more"]))
                assert (produced["error_code"], produced["base_offset"]) == (0, 5 + again)
                assert records.values(client.fetch("t", 5 + again)["records"]) == [
                    (5 + again, b"more")]
        assert "a damaged batch" in broker.said()


def test_without_damage_no_directory_has_failed():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.create("t")
        assert len(client.call("DescribeLogDirs", 4, topics=None)["results"]) == 1
