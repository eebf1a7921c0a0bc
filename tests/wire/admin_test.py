"""Topics, configs and the answers of a single healthy node, in all versions of each API."""
import concurrent.futures
import signal

from records import batch

OPTIONS = ["--cores", "3"]  # changes travel to every copy of the catalog

TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)
DYNAMIC_TOPIC, DYNAMIC_BROKER, DYNAMIC_DEFAULT, STATIC, DEFAULT = range(1, 6)
NONE, UNKNOWN_TOPIC, INVALID_TOPIC, EXISTS, BAD_PARTITIONS = 0, 3, 17, 36, 37
BAD_REPLICATION, BAD_ASSIGNMENT, BAD_CONFIG, BAD_REQUEST, POLICY = 38, 39, 40, 42, 44
ELECTION_NOT_NEEDED, NO_REASSIGNMENT, UNKNOWN_ID = 84, 85, 100
NOT_ASKED = -2147483648


def wish(name, partitions=1, replicas=1, **more):
    return {"Name": name, "NumPartitions": partitions, "ReplicationFactor": replicas, **more}


def create(kafka, name, partitions=1, replicas=1, version=7, validate=False, **more):
    answer = kafka.call("CreateTopics", version, validateOnly=validate,
                        Topics=[wish(name, partitions, replicas, **more)])
    assert len(answer["Topics"]) == 1 and answer["Topics"][0]["Name"] == name
    return answer["Topics"][0]


def made(kafka, name, *args, **more):
    result = create(kafka, name, *args, **more)
    assert result["ErrorCode"] == NONE, result
    return result


def metadata(kafka, name):
    """Without creating it."""
    answer = kafka.call("Metadata", 12, Topics=[{"Name": name}], AllowAutoTopicCreation=False)
    return answer["Topics"][0]


def configs(kafka, name, kind=TOPIC, keys=None, version=4, **more):
    answer = kafka.call("DescribeConfigs", version, Resources=[
        {"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}], **more)
    result = answer["Results"][0]
    assert (result["ResourceType"], result["ResourceName"]) == (kind, name)
    return result["ErrorCode"], {row["Name"]: row for row in result["Configs"]}


def alter(kafka, name, edits, kind=TOPIC, validate=False, version=1):
    answer = kafka.call("IncrementalAlterConfigs", version, ValidateOnly=validate, Resources=[
        {"ResourceType": kind, "ResourceName": name, "Configs": [
            {"Name": key, "ConfigOperation": operation, "Value": value}
            for key, operation, value in edits]}])
    return answer["Responses"][0]["ErrorCode"]


# ---- topics ----------------------------------------------------------------------------------

def test_create_in_every_version(broker):
    with broker.connect() as kafka:
        for version in kafka.versions("CreateTopics"):
            name = f"created-{version}"
            result = create(kafka, name, 2, version=version)
            assert result["ErrorCode"] == NONE and result["ErrorMessage"] is None, result
            if version >= 5:
                assert (result["NumPartitions"], result["ReplicationFactor"]) == (2, 1)
                rows = {row["Name"]: row for row in result["Configs"]}
                assert rows["cleanup.policy"]["Value"] == "delete"
            if version >= 7:
                assert result["TopicId"] == metadata(kafka, name)["TopicId"] != bytes(16)
            assert len(metadata(kafka, name)["Partitions"]) == 2
            assert create(kafka, name, version=version)["ErrorCode"] == EXISTS


def test_create_refusals(broker):
    with broker.connect() as kafka:
        assert create(kafka, "a b")["ErrorCode"] == INVALID_TOPIC
        assert create(kafka, "")["ErrorCode"] == INVALID_TOPIC
        assert create(kafka, "zero", 0)["ErrorCode"] == BAD_PARTITIONS
        assert create(kafka, "zero", 1, 0)["ErrorCode"] == BAD_REPLICATION
        assert create(kafka, "many", 1000000)["ErrorCode"] == POLICY
        bad = [{"Name": "retention.mss", "Value": "1"}]
        assert create(kafka, "config", Configs=bad)["ErrorCode"] == BAD_CONFIG
        away = [{"PartitionIndex": 0, "BrokerIds": [4711]}]
        assert create(kafka, "away", -1, -1, Assignments=away)["ErrorCode"] == BAD_ASSIGNMENT
        answer = kafka.call("CreateTopics", 7, Topics=[wish("twin"), wish("twin"), wish("single")])
        codes = {result["Name"]: result["ErrorCode"] for result in answer["Topics"]}
        assert codes == {"twin": BAD_REQUEST, "single": NONE}
        assert metadata(kafka, "twin")["ErrorCode"] == UNKNOWN_TOPIC


def test_create_defaults_and_validation(broker):
    with broker.connect() as kafka:
        result = create(kafka, "dry", -1, -1, validate=True)
        assert result["ErrorCode"] == NONE and result["NumPartitions"] >= 1, result
        assert metadata(kafka, "dry")["ErrorCode"] == UNKNOWN_TOPIC
        made(kafka, "default", -1, -1)
        result = made(kafka, "replicated", 1, 3)
        assert result["ReplicationFactor"] == 1
        us = metadata(kafka, "default")["Partitions"][0]["LeaderId"]
        here = [{"PartitionIndex": i, "BrokerIds": [us]} for i in range(3)]
        assert made(kafka, "assigned", -1, -1, Assignments=here)["NumPartitions"] == 3


def test_delete_in_every_version(broker):
    with broker.connect() as kafka:
        for version in kafka.versions("DeleteTopics"):
            made(kafka, "doomed")
            topic_id = metadata(kafka, "doomed")["TopicId"]
            if version < 6:
                names = {"TopicNames": ["doomed", "never"]}
            else:
                names = {"Topics": [{"Name": "doomed"}, {"Name": "never"}]}
            answer = kafka.call("DeleteTopics", version, TimeoutMs=5000, **names)
            codes = [result["ErrorCode"] for result in answer["Responses"]]
            assert codes == [NONE, UNKNOWN_TOPIC], answer
            assert metadata(kafka, "doomed")["ErrorCode"] == UNKNOWN_TOPIC, "gone when answered"
        made(kafka, "doomed")
        fresh = metadata(kafka, "doomed")["TopicId"]
        assert fresh != topic_id, "a new id after delete and create"
        answer = kafka.call("DeleteTopics", 6, TimeoutMs=5000, Topics=[
            {"Name": None, "TopicId": topic_id}, {"Name": None, "TopicId": fresh},
            {"Name": None}, {"Name": "x", "TopicId": fresh}])
        assert [result["ErrorCode"] for result in answer["Responses"]] == [
            UNKNOWN_ID, NONE, BAD_REQUEST, BAD_REQUEST]
        assert [result["Name"] for result in answer["Responses"]][:2] == [None, "doomed"]


def test_create_partitions_in_every_version(broker):
    with broker.connect() as kafka:
        made(kafka, "growing", 1)
        for version in kafka.versions("CreatePartitions"):
            count = version + 2

            def grow(name, count, **more):
                answer = kafka.call("CreatePartitions", version, TimeoutMs=5000, Topics=[
                    {"Name": name, "Count": count, "Assignments": None}], **more)
                return answer["Results"][0]["ErrorCode"]
            assert grow("growing", count, ValidateOnly=True) == NONE
            assert len(metadata(kafka, "growing")["Partitions"]) == count - 1
            assert grow("growing", count) == NONE
            assert len(metadata(kafka, "growing")["Partitions"]) == count
            assert grow("growing", count) == BAD_PARTITIONS
            assert grow("missing", 4) == UNKNOWN_TOPIC


def test_everything_survives_a_restart(broker):
    with broker.connect() as kafka:
        made(kafka, "kept", 3, Configs=[{"Name": "retention.ms", "Value": "12345"}])
        made(kafka, "dropped")
        before = metadata(kafka, "kept")
        kafka.call("DeleteTopics", 5, TimeoutMs=5000, TopicNames=["dropped"])
        assert alter(kafka, "", [("log.retention.ms", SET, "54321")], BROKER) == NONE
    for number in (signal.SIGTERM, signal.SIGKILL):
        broker.restart(number)
        with broker.connect() as kafka:
            assert metadata(kafka, "kept") == before
            assert metadata(kafka, "dropped")["ErrorCode"] == UNKNOWN_TOPIC
            assert configs(kafka, "kept")[1]["retention.ms"]["Value"] == "12345"
            assert configs(kafka, "", BROKER)[1]["log.retention.ms"]["Value"] == "54321"
            made(kafka, f"after-{int(number)}")
    with broker.connect() as kafka:
        assert alter(kafka, "", [("log.retention.ms", DELETE, None)], BROKER) == NONE


def test_the_catalogs_log_is_replaced_by_an_image(broker):
    long = ",".join(f"{n}:1" for n in range(4000))
    with broker.connect() as kafka:
        made(kafka, "rewritten")
        for turn in range(300):
            value = f"{turn}:1,{long}"
            edits = [("leader.replication.throttled.replicas", SET, value)]
            code = alter(kafka, "rewritten", edits)
            assert code == NONE, (turn, code)
        before = kafka.call("Metadata", 12, Topics=None)["Topics"]
    assert "replaced by an image" in broker.log.read_text()
    for number in (signal.SIGKILL, signal.SIGTERM):
        broker.restart(number)
        with broker.connect() as kafka:
            after = kafka.call("Metadata", 12, Topics=None)["Topics"]
            assert sorted(after, key=str) == sorted(before, key=str)
            row = configs(kafka, "rewritten")[1]["leader.replication.throttled.replicas"]
            assert row["Value"] == value
            made(kafka, f"after-image-{int(number)}")
            before = kafka.call("Metadata", 12, Topics=None)["Topics"]


# ---- configs ---------------------------------------------------------------------------------

def test_describe_configs_in_every_version(broker):
    with broker.connect() as kafka:
        made(kafka, "described", Configs=[{"Name": "cleanup.policy", "Value": "compact"}])
        for version in kafka.versions("DescribeConfigs"):
            more = {"IncludeDocumentation": True} if version >= 3 else {}
            code, rows = configs(kafka, "described", version=version, IncludeSynonyms=True, **more)
            assert code == NONE and len(rows) > 20
            policy, size = rows["cleanup.policy"], rows["max.message.bytes"]
            assert (policy["Value"], policy["ConfigSource"]) == ("compact", DYNAMIC_TOPIC)
            assert (size["Value"], size["ConfigSource"]) == ("1048588", DEFAULT)
            assert policy["Synonyms"][0]["Source"] == DYNAMIC_TOPIC
            assert policy["Synonyms"][-1]["Source"] == DEFAULT
            if version >= 3:
                assert policy["ConfigType"] == 7 and size["ConfigType"] == 3
                assert all(row["Documentation"] for row in rows.values())
        code, rows = configs(kafka, "described")
        assert not any(row["Synonyms"] or row["Documentation"] for row in rows.values())
        code, rows = configs(kafka, "described", keys=["retention.ms", "nonsense"])
        assert list(rows) == ["retention.ms"]
        assert configs(kafka, "described", keys=[])[1] == {}
        assert configs(kafka, "missing")[0] == UNKNOWN_TOPIC
        assert configs(kafka, "a b")[0] == INVALID_TOPIC


def test_describe_other_resources(broker):
    with broker.connect() as kafka:
        node = str(kafka.call("DescribeCluster", 0)["ControllerId"])
        code, rows = configs(kafka, node, BROKER)
        assert code == NONE and rows["node.id"]["Value"] == node and rows["node.id"]["ReadOnly"]
        assert configs(kafka, "4711", BROKER)[0] == BAD_REQUEST
        assert configs(kafka, "", BROKER) == (NONE, {})
        for kind in (8, 16, 32):
            assert configs(kafka, "x", kind)[0] == NONE
        assert configs(kafka, "x", 3)[0] == BAD_REQUEST


def test_describe_many_is_as_describe_one(broker):
    """Above a number of resources the answer is made elsewhere, and topics share what is the same."""
    names = [f"one-of-many-{i}" for i in range(80)]
    with broker.connect() as kafka:
        for i, name in enumerate(names):
            made(kafka, name, Configs=[{"Name": "retention.ms", "Value": str(i)}] if i % 3 else [])
        asked = [(TOPIC, name, None) for name in names]
        asked += [(TOPIC, names[i], keys) for i in (0, 1) for keys in (
            [], ["retention.ms"], ["x"] * 500 + ["retention.ms", "cleanup.policy"] * 2)]
        asked += [(TOPIC, "missing", None), (TOPIC, "a b", None), (BROKER, "", None),
                  (BROKER, "1", None), (BROKER, "1", ["log.retention.ms"]), (BROKER, "2", None),
                  (3, "x", None), (32, "g", None)]
        for version, more in ((1, {}), (4, {"IncludeSynonyms": True, "IncludeDocumentation": True})):
            def describe(resources):
                return kafka.call("DescribeConfigs", version, **more, Resources=[
                    {"ResourceType": kind, "ResourceName": name, "ConfigurationKeys": keys}
                    for kind, name, keys in resources])["Results"]
            together, alone = describe(asked), [describe([one])[0] for one in asked]
            assert together == alone
        assert [len(row["Configs"]) for row in together[80:83]] == [0, 1, 2]


def test_alter_topic_configs(broker):
    with broker.connect() as kafka:
        made(kafka, "altered")
        for version in kafka.versions("IncrementalAlterConfigs"):
            edits = [("retention.ms", SET, "1000"), ("cleanup.policy", APPEND, "compact")]
            assert alter(kafka, "altered", edits, validate=True, version=version) == NONE
            assert configs(kafka, "altered")[1]["retention.ms"]["ConfigSource"] == DEFAULT
            assert alter(kafka, "altered", edits, version=version) == NONE
            rows = configs(kafka, "altered")[1]
            assert rows["retention.ms"]["Value"] == "1000"
            assert set(rows["cleanup.policy"]["Value"].split(",")) == {"compact", "delete"}
            assert alter(kafka, "altered", [("cleanup.policy", SUBTRACT, "delete")]) == NONE
            assert configs(kafka, "altered")[1]["cleanup.policy"]["Value"] == "compact"
            edits = [("retention.ms", DELETE, None), ("cleanup.policy", DELETE, None)]
            assert alter(kafka, "altered", edits, version=version) == NONE
        assert alter(kafka, "altered", [("retention.ms", SET, "soon")]) == BAD_CONFIG
        assert alter(kafka, "altered", [("nonsense", SET, "1")]) == BAD_CONFIG
        assert alter(kafka, "altered", [("retention.ms", APPEND, "1")]) == BAD_CONFIG
        assert alter(kafka, "altered", [("retention.ms", SET, None)]) == BAD_REQUEST
        assert alter(kafka, "missing", [("retention.ms", SET, "1")]) == UNKNOWN_TOPIC


def test_the_older_alter_replaces_all(broker):
    with broker.connect() as kafka:
        made(kafka, "replaced", Configs=[{"Name": "retention.ms", "Value": "1"}])
        for version in kafka.versions("AlterConfigs"):
            answer = kafka.call("AlterConfigs", version, Resources=[
                {"ResourceType": TOPIC, "ResourceName": "replaced", "Configs": [
                    {"Name": "retention.bytes", "Value": str(version)}]}])
            assert answer["Responses"][0]["ErrorCode"] == NONE
            rows = configs(kafka, "replaced")[1]
            assert rows["retention.bytes"]["Value"] == str(version)
            assert rows["retention.ms"]["ConfigSource"] == DEFAULT


def test_broker_configs_reach_topics(broker):
    with broker.connect() as kafka:
        made(kafka, "follower")
        node = str(kafka.call("DescribeCluster", 0)["ControllerId"])
        assert alter(kafka, node, [("log.retention.ms", SET, "777")], BROKER) == NONE
        row = configs(kafka, "follower")[1]["retention.ms"]
        assert row["Value"] == "777" and row["ConfigSource"] == DYNAMIC_DEFAULT, row
        assert configs(kafka, node, BROKER)[1]["log.retention.ms"]["ConfigSource"] == DYNAMIC_BROKER
        assert configs(kafka, "", BROKER)[1]["log.retention.ms"]["ConfigSource"] == DYNAMIC_DEFAULT
        assert alter(kafka, node, [("log.retention.ms", DELETE, None)], BROKER) == NONE
        assert configs(kafka, "follower")[1]["retention.ms"]["ConfigSource"] == DEFAULT
        assert alter(kafka, node, [("node.id", SET, "9")], BROKER) == BAD_REQUEST


def test_list_config_resources(broker):
    with broker.connect() as kafka:
        made(kafka, "listed")
        assert kafka.call("ListConfigResources", 0)["ConfigResources"] == []
        answer = kafka.call("ListConfigResources", 1, ResourceTypes=[TOPIC])
        names = [row["ResourceName"] for row in answer["ConfigResources"]]
        assert "listed" in names and names == sorted(names)
        answer = kafka.call("ListConfigResources", 1, ResourceTypes=[])
        assert {TOPIC, BROKER} <= {row["ResourceType"] for row in answer["ConfigResources"]}
        assert kafka.call("ListConfigResources", 1, ResourceTypes=[7])["ErrorCode"] == 35


# ---- the cluster -----------------------------------------------------------------------------

def test_describe_cluster_in_every_version(broker):
    with broker.connect() as kafka:
        brokers = kafka.call("Metadata", 12, Topics=[])
        for version in kafka.versions("DescribeCluster"):
            answer = kafka.call("DescribeCluster", version)
            assert answer["ErrorCode"] == NONE and answer["ClusterId"] == brokers["ClusterId"]
            assert answer["ControllerId"] == brokers["ControllerId"] >= 0
            row = answer["Brokers"][0]
            assert f"{row['Host']}:{row['Port']}" == broker.address
            assert answer["ClusterAuthorizedOperations"] == NOT_ASKED
        answer = kafka.call("DescribeCluster", 1, IncludeClusterAuthorizedOperations=True)
        assert answer["ClusterAuthorizedOperations"] == 8096
        assert kafka.call("DescribeCluster", 1, EndpointType=2)["ErrorCode"] == 114
        assert kafka.call("DescribeCluster", 1, EndpointType=9)["ErrorCode"] == 115


def test_describe_topic_partitions_in_pages(broker):
    with broker.connect() as kafka:
        for name in ("page-a", "page-b", "page-c"):
            made(kafka, name, 3)
        wanted = [{"Name": name} for name in ("page-c", "page-a", "page-b", "page-x")]
        seen, cursor, pages = {}, None, 0
        while True:
            answer = kafka.call("DescribeTopicPartitions", 0, Topics=wanted,
                                ResponsePartitionLimit=2, Cursor=cursor)
            pages += 1
            for topic in answer["Topics"]:
                if topic["Name"] == "page-x":
                    assert topic["ErrorCode"] == UNKNOWN_TOPIC
                else:
                    seen.setdefault(topic["Name"], []).extend(
                        row["PartitionIndex"] for row in topic["Partitions"])
            cursor = answer["NextCursor"]
            if cursor is None:
                break
        assert seen == {name: [0, 1, 2] for name in ("page-a", "page-b", "page-c")}, seen
        assert pages >= 5
        answer = kafka.call("DescribeTopicPartitions", 0, Topics=[])
        names = [topic["Name"] for topic in answer["Topics"]]
        assert names == sorted(names) and "page-b" in names
        assert all(row["LeaderEpoch"] >= 0 and row["ReplicaNodes"] == row["IsrNodes"]
                   for topic in answer["Topics"] for row in topic["Partitions"])


def test_describe_log_dirs_in_every_version(broker):
    with broker.connect() as kafka:
        made(kafka, "sized", 2)
        kafka.call("Produce", 9, Acks=-1, TimeoutMs=5000, TopicData=[
            {"Name": "sized", "PartitionData": [{"Index": 0, "Records": batch([b"x" * 100])}]}])
        for version in kafka.versions("DescribeLogDirs"):
            answer = kafka.call("DescribeLogDirs", version, Topics=[
                {"Topic": "sized", "Partitions": [0, 1, 7]}, {"Topic": "none", "Partitions": [0]}])
            result = answer["Results"][0]
            assert len(answer["Results"]) == 1 and result["LogDir"].startswith("/")
            assert [topic["Name"] for topic in result["Topics"]] == ["sized"]
            sizes = {row["PartitionIndex"]: row["PartitionSize"]
                     for row in result["Topics"][0]["Partitions"]}
            assert sizes == {0: len(batch([b"x" * 100])), 1: 0}, sizes
            if version >= 4:
                assert result["TotalBytes"] >= result["UsableBytes"] > 0
        answer = kafka.call("DescribeLogDirs", 4, Topics=None)
        assert "sized" in [topic["Name"] for topic in answer["Results"][0]["Topics"]]


def test_describe_producers(broker):
    with broker.connect() as kafka:
        made(kafka, "produced", 2)
        first = kafka.call("InitProducerId", 4, TransactionalId=None, TransactionTimeoutMs=1000)
        second = kafka.call("InitProducerId", 4, TransactionalId=None, TransactionTimeoutMs=1000)
        assert first["ErrorCode"] == NONE and first["ProducerId"] != second["ProducerId"]
        records = batch([b"x"], producer=first["ProducerId"], epoch=0, sequence=0)
        kafka.call("Produce", 9, Acks=-1, TimeoutMs=5000, TopicData=[
            {"Name": "produced", "PartitionData": [{"Index": 1, "Records": records}]}])
        answer = kafka.call("DescribeProducers", 0, Topics=[
            {"Name": "produced", "PartitionIndexes": [0, 1, 2]}])
        rows = answer["Topics"][0]["Partitions"]
        assert [row["ErrorCode"] for row in rows] == [NONE, NONE, UNKNOWN_TOPIC]
        assert rows[0]["ActiveProducers"] == []
        producer = rows[1]["ActiveProducers"][0]
        assert (producer["ProducerId"], producer["LastSequence"]) == (first["ProducerId"], 0)


def test_changes_from_many_connections(broker):
    def work(number):
        ids = []
        with broker.connect() as kafka:
            for turn in range(40):
                name = f"busy-{number}-{turn}"
                made(kafka, name, 3)
                assert create(kafka, "busy-shared")["ErrorCode"] in (NONE, EXISTS)
                assert len(metadata(kafka, name)["Partitions"]) == 3, "usable when answered"
                answer = kafka.call("DeleteTopics", 5, TimeoutMs=5000, TopicNames=[name])
                assert answer["Responses"][0]["ErrorCode"] == NONE
                assert metadata(kafka, name)["ErrorCode"] == UNKNOWN_TOPIC
                ids += [kafka.call("InitProducerId", 4, TransactionalId=None,
                                   TransactionTimeoutMs=1000)["ProducerId"] for _ in range(10)]
        return ids
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = [value for some in pool.map(work, range(8)) for value in some]
    assert len(set(ids)) == len(ids) == 3200, "a producer id was given twice"
    broker.restart(signal.SIGKILL)
    with broker.connect() as kafka:
        fresh = kafka.call("InitProducerId", 4, TransactionalId=None, TransactionTimeoutMs=1000)
        assert fresh["ProducerId"] > max(ids), "an id comes again after a crash"
        names = [topic["Name"] for topic in kafka.call("Metadata", 12, Topics=None)["Topics"]]
        assert "busy-shared" in names and not [n for n in names if n.startswith("busy-1-")]


def test_what_a_single_node_answers(broker):
    with broker.connect() as kafka:
        made(kafka, "still", 1)
        for version in kafka.versions("ListPartitionReassignments"):
            answer = kafka.call("ListPartitionReassignments", version)
            assert (answer["ErrorCode"], answer["Topics"]) == (NONE, [])
        us = kafka.call("DescribeCluster", 0)["ControllerId"]
        for version in kafka.versions("AlterPartitionReassignments"):
            answer = kafka.call("AlterPartitionReassignments", version, Topics=[
                {"Name": "still", "Partitions": [
                    {"PartitionIndex": 0}, {"PartitionIndex": 0, "Replicas": [us]},
                    {"PartitionIndex": 0, "Replicas": [us + 1]}, {"PartitionIndex": 5}]}])
            assert [row["ErrorCode"] for row in answer["Responses"][0]["Partitions"]] == [
                NO_REASSIGNMENT, NONE, BAD_ASSIGNMENT, UNKNOWN_TOPIC]
        for version in kafka.versions("ElectLeaders"):
            answer = kafka.call("ElectLeaders", version, TopicPartitions=[
                {"Topic": "still", "Partitions": [0, 1]}])
            rows = answer["ReplicaElectionResults"][0]["PartitionResult"]
            assert [row["ErrorCode"] for row in rows] == [ELECTION_NOT_NEEDED, UNKNOWN_TOPIC]
            assert kafka.call("ElectLeaders", version,
                              TopicPartitions=None)["ReplicaElectionResults"] == []
        for version in kafka.versions("DescribeClientQuotas"):
            answer = kafka.call("DescribeClientQuotas", version)
            assert (answer["ErrorCode"], answer["Entries"]) == (NONE, [])
        for version in kafka.versions("DescribeQuorum"):
            answer = kafka.call("DescribeQuorum", version, Topics=[
                {"TopicName": "__cluster_metadata", "Partitions": [{"PartitionIndex": 0}]}])
            row = answer["Topics"][0]["Partitions"][0]
            assert row["LeaderId"] == us and row["CurrentVoters"][0]["ReplicaId"] == us


def test_topics_come_by_mention(broker):
    with broker.connect() as kafka:
        answer = kafka.call("Metadata", 12, Topics=[{"Name": "mentioned"}],
                            AllowAutoTopicCreation=True)
        assert answer["Topics"][0]["ErrorCode"] in (NONE, UNKNOWN_TOPIC, 5)
        assert metadata(kafka, "mentioned")["ErrorCode"] == NONE
        assert metadata(kafka, "not-mentioned")["ErrorCode"] == UNKNOWN_TOPIC
