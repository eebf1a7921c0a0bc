"""Metadata and auto-creation; that all cores see a topic when its answer leaves."""
import time

import records
from broker import ERRORS, SECONDS, Broker


def names(answer):
    return [topic["name"] for topic in answer["topics"]]


def test_what_an_empty_list_asks_for():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.create("b")
        client.create("a", 3)
        assert names(client.call("Metadata", 0, topics=[])) == ["a", "b"]
        for version in range(1, 14):
            assert names(client.call("Metadata", version, topics=None)) == ["a", "b"], version
            assert names(client.call("Metadata", version, topics=[])) == []


def test_the_broker_and_the_cluster():
    with Broker() as broker:
        with broker.connect() as client:
            answer = client.call("Metadata", 9, topics=None)
            host, port = broker.address
            assert [(b["node_id"], b["host"], b["port"]) for b in answer["brokers"]] == [
                (1, host, port)]
            assert answer["controller_id"] == 1 and answer["cluster_id"]
            assert answer.get("cluster_authorized_operations", -2**31) == -2**31
        broker.restart()
        with broker.connect() as client:
            assert client.call("Metadata", 9, topics=None)["cluster_id"] == answer["cluster_id"]


def test_advertised_addresses():
    with Broker("--advertise", "kafka.example:1234", ephemeral=True) as broker:
        with broker.connect() as client:
            one, = client.call("Metadata", 9, topics=None)["brokers"]
            assert (one["host"], one["port"]) == ("kafka.example", 1234)
            answer = client.call("FindCoordinator", 2, key="g", key_type=0)
            assert (answer["error_code"], answer["host"]) == (0, "kafka.example")


def test_topics_by_id_and_twice():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        topic_id = client.create("t", 2)
        answer = client.call("Metadata", 12, topics=[{"topic_id": topic_id, "name": None}])
        assert answer["topics"][0]["name"] == "t" and len(answer["topics"][0]["partitions"]) == 2
        answer = client.call("Metadata", 12, topics=[{"topic_id": b"\7" * 16, "name": None}])
        assert answer["topics"][0]["error_code"] == ERRORS["UNKNOWN_TOPIC_ID"]
        answer = client.call("Metadata", 9, topics=[{"name": "t"}] * 1000)
        assert names(answer) == ["t"]


def test_auto_creation():
    with Broker("--num-partitions", "3", ephemeral=True) as broker, broker.connect() as client:
        ask = [{"name": "made"}]
        answer = client.call("Metadata", 9, topics=ask, allow_auto_topic_creation=False)
        assert answer["topics"][0]["error_code"] == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
        made = client.call("Metadata", 9, topics=ask, allow_auto_topic_creation=True)["topics"][0]
        assert made["error_code"] == 0 and len(made["partitions"]) == 3, made
        assert client.produce("made", records.batch([b"x"]), 2)["error_code"] == 0
        bad = client.call("Metadata", 9, allow_auto_topic_creation=True,
                          topics=[{"name": "a/b"}, {"name": ""}, {"name": "x" * 250}, *ask])
        codes = [topic["error_code"] for topic in bad["topics"]]
        assert codes == [ERRORS["INVALID_TOPIC_EXCEPTION"]] * 3 + [0]
        assert names(client.call("Metadata", 9, topics=None)) == ["made"]


def test_auto_creation_switched_off():
    with Broker("--auto-create-topics=false", ephemeral=True) as broker:
        with broker.connect() as client:
            answer = client.call("Metadata", 9, topics=[{"name": "t"}])
            assert answer["topics"][0]["error_code"] == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]


def test_produce_does_not_create():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.produce("t", records.batch([b"x"]))
        assert names(client.call("Metadata", 9, topics=None)) == []


def test_every_core_sees_a_topic_at_once():
    with Broker("--cores", "3", ephemeral=True) as broker:
        clients = [broker.connect() for _ in range(6)]
        for i in range(10):
            name = f"t{i}"
            clients[i % 6].create(name, 5)
            for client in clients:
                for partition in range(5):
                    part = client.produce(name, records.batch([b"x"]), partition)
                    assert part["error_code"] == 0
        for client in clients:
            assert client.offset("t9", -1, 4)["offset"] == 6
            client.close()


def test_a_topic_made_again_is_another_one():
    with Broker() as broker:
        with broker.connect() as client:
            first = client.create("t")
            client.produce("t", records.batch([b"old"]))
            answer = client.call("DeleteTopics", 5, topic_names=["t"], timeout_ms=5000)
            assert answer["responses"][0]["error_code"] == 0
            assert client.produce("t", records.batch([b"x"]))["error_code"] == 3
            second = client.create("t")
            assert first != second and client.all("t") == []
            client.produce("t", records.batch([b"new"]))
        broker.restart()
        with broker.connect() as client:
            assert client.all("t") == [(0, b"new")]


def test_the_numbers_of_topics_and_partitions_have_bounds():
    """A refusal names the bound and its option; what is deleted makes room; options reload."""
    policy = ERRORS["POLICY_VIOLATION"]
    with Broker("--topics-max", "3", "--partitions-max", "10") as broker, broker.connect() as client:
        def create(*wishes, **more):
            answer = client.call("CreateTopics", 7, timeout_ms=5000, **more, topics=[
                {"name": name, "num_partitions": count, "replication_factor": 1}
                for name, count in wishes])
            return [(one["error_code"], one["error_message"]) for one in answer["topics"]]

        def grow(name, count):
            answer = client.call("CreatePartitions", 3, timeout_ms=5000, topics=[
                {"name": name, "count": count, "assignments": None}])["results"][0]
            return answer["error_code"], answer["error_message"]

        (code, said), = create(("wide", 11))
        assert code == policy and "10 (option partitions-max)" in said, said
        assert create(("a", 4), ("b", 4), validate_only=True) == [(0, None)] * 2
        one, two, (code, said) = create(("a", 4), ("b", 4), ("c", 4))
        assert (one, two) == ((0, None), (0, None))
        assert code == policy and "8 partitions and may have 10" in said, said
        assert grow("a", 6) == (0, None)
        code, said = grow("a", 7)
        assert code == policy and "partitions-max" in said, said
        answer = client.call("Metadata", 9, topics=[{"name": "mentioned"}],
                             allow_auto_topic_creation=True)
        assert answer["topics"][0]["error_code"] == policy
        client.call("DeleteTopics", 5, topic_names=["b"], timeout_ms=5000)
        assert create(("c", 1), ("d", 1)) == [(0, None)] * 2
        (code, said), = create(("e", 1))
        assert code == policy and "3 (option topics-max)" in said, said
    with Broker("--topics-max", "3") as broker:
        with broker.connect() as client:
            client.create("a")
            client.create("b")
        broker.options = ["--topics-max", "1"]
        broker.restart()
        with broker.connect() as client:
            assert names(client.call("Metadata", 9, topics=None)) == ["a", "b"], "they stay"


def test_changes_on_a_full_disk():
    """One that is too large for the journal has its place in the log before anybody knows that the
    disk is full: it is made when there is space. Those that come meanwhile are refused."""
    many = [f"{number:0245}" for number in range(600)]

    def create(client, wanted):
        answer = client.call("CreateTopics", 7, timeout_ms=1000, topics=[
            {"name": name, "num_partitions": 1, "replication_factor": 1} for name in wanted])
        return {topic["error_code"] for topic in answer["topics"]}

    with Broker("--cores", "2", fault="segment_allocate:1:28:40") as broker:
        with broker.connect() as client:
            assert create(client, many) == {ERRORS["REQUEST_TIMED_OUT"]}
            codes = create(client, ["x"])
            assert codes == {ERRORS["KAFKA_STORAGE_ERROR"]}, codes
            assert names(client.call("Metadata", 12, topics=None)) == []
            deadline = time.monotonic() + 2 * SECONDS
            while (codes := create(client, ["x"])) != {0}:
                assert codes == {ERRORS["KAFKA_STORAGE_ERROR"]} and time.monotonic() < deadline
                time.sleep(0.1)
            assert create(client, many) == {ERRORS["TOPIC_ALREADY_EXISTS"]}
        broker.restart()
        with broker.connect() as client:
            assert sorted(names(client.call("Metadata", 12, topics=None))) == sorted([*many, "x"])


def test_compression_type_is_shown_and_changes_nothing():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        client.create("plain")
        assert "compression.type" not in broker.said()
        client.create("made", **{"compression.type": "zstd"})
        assert broker.said().count("topic made has compression.type=zstd, which has no effect") == 1
        client.call("IncrementalAlterConfigs", 1, resources=[
            {"resource_type": 2, "resource_name": "plain", "configs": [
                {"name": "compression.type", "config_operation": 0, "value": "gzip"}]}])
        assert broker.said().count("topic plain has compression.type=gzip") == 1
        for topic in ("made", "plain"):
            for codec in (None, "gzip"):
                raw = records.batch([b"x" * 3000], codec=codec)
                offset = client.produce(topic, raw)["base_offset"]
                (_, kept), = records.batches(client.fetch(topic, offset)["records"])
                assert kept[21:] == raw[21:], "byte for byte, from the attributes on"
            row, = client.call("DescribeConfigs", 4, include_documentation=True, resources=[
                {"resource_type": 2, "resource_name": topic, "configuration_keys":
                    ["compression.type"]}])["results"][0]["configs"]
            assert row["value"] in ("zstd", "gzip") and "without effect here" in row["documentation"]
