"""librdkafka through confluent-kafka-python: admin, producer, a consumer by assignment, and groups."""
import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import contracts
import groups
from checks import (BASE_MS, BOOTSTRAP, CODECS, PARTITIONS, PER_CODEC, STAND_IN, Skip, at_once,
                    check, equal, finish, record)
from confluent_kafka import (OFFSET_BEGINNING, OFFSET_END, TIMESTAMP_CREATE_TIME,
                             TIMESTAMP_LOG_APPEND_TIME, Consumer, IsolationLevel, KafkaError,
                             KafkaException, Producer, TopicCollection, TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   ConfigSource, NewPartitions, NewTopic, OffsetSpec,
                                   ResourceType)

TOPIC = "confluent-python"
TIMEOUT = 20
ACCEPTS_ALL = CODECS + ["idempotent"]
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


# ---- small helpers ---------------------------------------------------------------------------

def wait(futures):
    """The results of an admin call's futures, by key."""
    return {key: future.result(TIMEOUT) for key, future in futures.items()}


def refused(code, function, *arguments):
    """The KafkaError of a call that must fail with `code`."""
    try:
        function(*arguments)
    except KafkaException as error:
        equal(error.args[0].name(), code, "the error")
        return error.args[0]
    raise AssertionError(f"no error where {code} was expected")


def topic_resource(name=TOPIC):
    return ConfigResource(ResourceType.TOPIC, name)


def configs_of(resource):
    return wait(admin.describe_configs([resource]))[resource]


def produce(config, records, topic=TOPIC):
    """Produces and returns the delivery errors, None where it was delivered."""
    outcome = []
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 20, **config})
    for partition, key, value, headers, timestamp in records:
        producer.produce(topic, value, key, partition, timestamp=timestamp, headers=headers,
                         on_delivery=lambda error, message: outcome.append(error))
    equal(producer.flush(TIMEOUT), 0, "messages left after the flush")
    return outcome


def consume(positions, config=None):
    """Everything from the given positions to the end of each partition."""
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused",
                         "enable.auto.commit": False, "enable.partition.eof": True,
                         "auto.offset.reset": "error", **(config or {})})
    consumer.assign(positions)
    messages, ended = [], set()
    while len(ended) < len(positions):
        message = consumer.poll(TIMEOUT)
        if message is None:
            raise AssertionError(f"nothing came in {TIMEOUT} s; {len(messages)} read so far")
        if message.error() is None:
            messages.append(message)
        elif message.error().code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        else:
            raise KafkaException(message.error())
    consumer.close()
    return messages


def from_beginning(topic=TOPIC):
    return [TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(PARTITIONS)]


def offsets(spec, topic=TOPIC, partitions=range(PARTITIONS)):
    asked = {TopicPartition(topic, p): spec for p in partitions}
    results = wait(admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED))
    return {where.partition: (info.offset, info.timestamp) for where, info in results.items()}


# ---- topics ----------------------------------------------------------------------------------

def create_topic():
    configs = {"max.message.bytes": "300000", "retention.ms": "-1"}
    wait(admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, config=configs)]))


def describe_topic():
    described = wait(admin.describe_topics(TopicCollection([TOPIC])))[TOPIC]
    equal(len(described.partitions), PARTITIONS, "partitions")
    assert str(described.topic_id), "no topic id"
    for partition in described.partitions:
        equal([node.id for node in partition.replicas], [partition.leader.id], "replicas")
        equal([node.id for node in partition.isr], [partition.leader.id], "in-sync replicas")


def describe_unknown_topic():
    refused("UNKNOWN_TOPIC_OR_PART",
            lambda: wait(admin.describe_topics(TopicCollection(["nowhere"]))))


def describe_cluster():
    cluster = admin.describe_cluster().result(TIMEOUT)
    equal(len(cluster.nodes), 1, "nodes")
    assert cluster.cluster_id and cluster.controller.id == cluster.nodes[0].id


def create_validate_only():
    topic = NewTopic("only-validated", 2, 1)
    wait(admin.create_topics([topic], validate_only=True))
    assert "only-validated" not in admin.list_topics(timeout=TIMEOUT).topics


def create_refused(code, topic):
    refused(code, lambda: wait(admin.create_topics([topic])))


def create_default_counts():
    wait(admin.create_topics([NewTopic("default-counts", -1, -1)]))
    equal(len(admin.list_topics(timeout=TIMEOUT).topics["default-counts"].partitions), 1,
          "partitions")


def create_three_replicas():
    if STAND_IN:
        raise Skip("one Apache Kafka node refuses it, Millrace reports 1")
    wait(admin.create_topics([NewTopic("three-replicas", 1, 3)]))
    partition = admin.list_topics(timeout=TIMEOUT).topics["three-replicas"].partitions[0]
    equal(len(partition.replicas), 1, "replicas")


def create_partitions():
    wait(admin.create_topics([NewTopic("growing", 1, 1)]))
    wait(admin.create_partitions([NewPartitions("growing", 4)]))
    equal(len(admin.list_topics(timeout=TIMEOUT).topics["growing"].partitions), 4, "partitions")
    refused("INVALID_PARTITIONS",
            lambda: wait(admin.create_partitions([NewPartitions("growing", 2)])))
    refused("UNKNOWN_TOPIC_OR_PART",
            lambda: wait(admin.create_partitions([NewPartitions("nowhere", 2)])))


def auto_create():
    equal(produce({}, [(0, b"k", b"v", None, BASE_MS)], "made-by-producing"), [None], "delivery")
    assert "made-by-producing" in admin.list_topics(timeout=TIMEOUT).topics


# ---- records ---------------------------------------------------------------------------------

def produce_codec(codec):
    records = [record(codec, index) for index in range(PER_CODEC)]
    outcome = produce({"compression.type": codec}, records)
    equal(outcome, [None] * PER_CODEC, "delivery")


def produce_idempotent():
    records = [record("idempotent", index) for index in range(PER_CODEC)]
    outcome = produce({"enable.idempotence": True, "batch.num.messages": 7}, records)
    equal(outcome, [None] * PER_CODEC, "delivery")


def produce_acks(acks):
    wait(admin.create_topics([NewTopic(f"acks-{acks}", 1, 1)]))
    records = [(0, None, f"{index}".encode(), None, BASE_MS) for index in range(50)]
    equal(produce({"acks": acks}, records, f"acks-{acks}"), [None] * 50, "delivery")
    messages = consume([TopicPartition(f"acks-{acks}", 0, OFFSET_BEGINNING)])
    equal([message.value() for message in messages], [r[2] for r in records], "values")


def consume_all():
    wanted = {p: [] for p in range(PARTITIONS)}
    for codec in ACCEPTS_ALL:
        for index in range(PER_CODEC):
            partition, *rest = record(codec, index)
            wanted[partition].append(rest)
    got = {p: [] for p in range(PARTITIONS)}
    for message in consume(from_beginning()):
        kind, timestamp = message.timestamp()
        equal(kind, TIMESTAMP_CREATE_TIME, "timestamp type")
        equal(message.offset(), len(got[message.partition()]), "offset")
        got[message.partition()].append(
            [message.key(), message.value(), message.headers(), timestamp])
    equal(got, wanted, "what was read")


def consume_large():
    value = os.urandom(250_000)
    wait(admin.create_topics([NewTopic("large", 1, 1)]))
    records = [(0, None, value, None, BASE_MS)] * 8
    equal(produce({}, records, "large"), [None] * 8, "delivery")
    # The partition's limit is smaller than one batch: the first batch must come all the same.
    messages = consume([TopicPartition("large", 0, OFFSET_BEGINNING)],
                       {"fetch.message.max.bytes": 1000})
    equal([message.value() == value for message in messages], [True] * 8, "values")


def consume_out_of_range():
    beyond = [TopicPartition(TOPIC, 0, 1_000_000)]
    refused("_AUTO_OFFSET_RESET", consume, beyond)
    equal(len(consume(beyond, {"auto.offset.reset": "latest"})), 0, "messages at the end")


def consume_from_end():
    equal(len(consume([TopicPartition(TOPIC, 0, OFFSET_END)])), 0, "messages at the end")


def log_append_time():
    configs = {"message.timestamp.type": "LogAppendTime"}
    wait(admin.create_topics([NewTopic("append-time", 1, 1, config=configs)]))
    equal(produce({}, [(0, None, b"v", None, BASE_MS)], "append-time"), [None], "delivery")
    message, = consume([TopicPartition("append-time", 0, OFFSET_BEGINNING)])
    kind, timestamp = message.timestamp()
    equal(kind, TIMESTAMP_LOG_APPEND_TIME, "timestamp type")
    assert timestamp > BASE_MS + 1_000_000, f"timestamp {timestamp} is the producer's"


# ---- offsets ---------------------------------------------------------------------------------

def per_partition():
    return [len(range(p, PER_CODEC, PARTITIONS)) * len(ACCEPTS_ALL) for p in range(PARTITIONS)]


def offsets_earliest():
    equal([o for o, _ in offsets(OffsetSpec.earliest()).values()], [0] * PARTITIONS, "earliest")


def offsets_latest():
    equal([o for o, _ in offsets(OffsetSpec.latest()).values()], per_partition(), "latest")


def offsets_by_time():
    # Partition 1 holds the indexes 1, 4, 7, …, so the first at or after 10 s is index 10.
    found = offsets(OffsetSpec.for_timestamp(BASE_MS + 9_500), partitions=[1])[1]
    equal(found, (3, BASE_MS + 10_000), "offset and time")
    exact = offsets(OffsetSpec.for_timestamp(BASE_MS + 13_000), partitions=[1])[1]
    equal(exact, (4, BASE_MS + 13_000), "offset and time")
    later = offsets(OffsetSpec.for_timestamp(BASE_MS + 10_000_000), partitions=[1])[1]
    equal(later, (-1, -1), "offset and time past the end")


def offsets_max_timestamp():
    found = offsets(OffsetSpec.max_timestamp(), partitions=[0])[0]
    equal(found, (33, BASE_MS + 99_000), "the newest record's offset and time")


def offsets_for_times():
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused"})
    found, = consumer.offsets_for_times([TopicPartition(TOPIC, 1, BASE_MS + 9_500)], TIMEOUT)
    equal(found.offset, 3, "offset")
    equal(consumer.get_watermark_offsets(TopicPartition(TOPIC, 1), TIMEOUT),
          (0, per_partition()[1]), "watermarks")
    consumer.close()


def offsets_bad_partition():
    # librdkafka looks into its metadata and asks nobody.
    refused("_NOENT", lambda: offsets(OffsetSpec.latest(), partitions=[99]))


# ---- configs ---------------------------------------------------------------------------------

def describe_configs():
    configs = configs_of(topic_resource())
    own, default = configs["max.message.bytes"], configs["cleanup.policy"]
    equal((own.value, own.source, own.is_default),
          ("300000", ConfigSource.DYNAMIC_TOPIC_CONFIG.value, False), "max.message.bytes")
    equal((default.value, default.source, default.is_default),
          ("delete", ConfigSource.DEFAULT_CONFIG.value, True), "cleanup.policy")


def describe_broker_configs():
    broker = next(iter(admin.list_topics(timeout=TIMEOUT).brokers))
    configs = configs_of(ConfigResource(ResourceType.BROKER, str(broker)))
    equal(configs["message.max.bytes"].value, "1048588", "message.max.bytes")


def describe_unknown_configs():
    refused("UNKNOWN_TOPIC_OR_PART", configs_of, topic_resource("nowhere"))


def incremental(name, value, operation, topic=TOPIC):
    entry = ConfigEntry(name, value, incremental_operation=operation)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    wait(admin.incremental_alter_configs([resource]))


def alter_incremental():
    incremental("retention.bytes", "123456", AlterConfigOpType.SET)
    incremental("cleanup.policy", "compact", AlterConfigOpType.APPEND)
    configs = configs_of(topic_resource())
    equal(configs["retention.bytes"].value, "123456", "retention.bytes")
    equal(configs["cleanup.policy"].value, "delete,compact", "cleanup.policy")
    equal(configs["max.message.bytes"].value, "300000", "max.message.bytes (untouched)")
    incremental("cleanup.policy", "compact", AlterConfigOpType.SUBTRACT)
    incremental("retention.bytes", None, AlterConfigOpType.DELETE)
    configs = configs_of(topic_resource())
    equal(configs["retention.bytes"].value, "-1", "retention.bytes")
    equal(configs["cleanup.policy"].value, "delete", "cleanup.policy")


def alter_replacing():
    wait(admin.create_topics([NewTopic("replaced", 1, 1, config={"retention.ms": "5000"})]))
    resource = ConfigResource(ResourceType.TOPIC, "replaced", set_config={"segment.ms": "70000"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        wait(admin.alter_configs([resource]))
    configs = configs_of(topic_resource("replaced"))
    equal(configs["segment.ms"].value, "70000", "segment.ms")
    equal(configs["retention.ms"].value, "604800000", "retention.ms, replaced by the default")


def alter_refused():
    set_to = AlterConfigOpType.SET
    refused("INVALID_CONFIG", incremental, "no.such.config", "1", set_to)
    refused("INVALID_CONFIG", incremental, "retention.ms", "soon", set_to)
    refused("INVALID_CONFIG", incremental, "cleanup.policy", "shred", set_to)
    refused("UNKNOWN_TOPIC_OR_PART", incremental, "retention.ms", "1", set_to, "nowhere")


# ---- deleting records ------------------------------------------------------------------------

def delete_records():
    end = per_partition()[1]
    asked = [TopicPartition(TOPIC, 0, 10), TopicPartition(TOPIC, 1, OFFSET_END)]
    results = wait(admin.delete_records(asked))
    low = {where.partition: done.low_watermark for where, done in results.items()}
    equal(low, {0: 10, 1: end}, "low watermarks")
    earliest = offsets(OffsetSpec.earliest())
    equal([o for o, _ in earliest.values()], [10, end, 0], "earliest")
    equal(consume([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])[0].offset(), 10, "first offset")
    refused("_AUTO_OFFSET_RESET", consume, [TopicPartition(TOPIC, 0, 3)])


def delete_records_beyond():
    refused("OFFSET_OUT_OF_RANGE",
            lambda: wait(admin.delete_records([TopicPartition(TOPIC, 2, 1_000_000)])))


# ---- refusals --------------------------------------------------------------------------------

def refuse_too_large():
    value = os.urandom(400_000)
    error, = produce({}, [(0, None, value, None, BASE_MS)])
    equal(error.name(), "MSG_SIZE_TOO_LARGE", "the error")
    error, = produce({"enable.idempotence": True}, [(0, None, value, None, BASE_MS)])
    equal(error.name(), "MSG_SIZE_TOO_LARGE", "the error when idempotent")


def refuse_unknown_topic():
    config = {"allow.auto.create.topics": False, "topic.metadata.propagation.max.ms": 300}
    error, = produce(config, [(0, None, b"v", None, BASE_MS)], "nowhere")
    equal(error.name(), "UNKNOWN_TOPIC_OR_PART", "the error")
    assert "nowhere" not in admin.list_topics(timeout=TIMEOUT).topics, "it was created"


def refuse_bad_partition():
    error, = produce({}, [(99, None, b"v", None, BASE_MS)])
    equal(error.name(), "_UNKNOWN_PARTITION", "the error")


def refuse_null_key_compacted():
    configs = {"cleanup.policy": "compact"}
    wait(admin.create_topics([NewTopic("compacted", 1, 1, config=configs)]))
    error, = produce({}, [(0, None, b"v", None, BASE_MS)], "compacted")
    equal(error.name(), "INVALID_RECORD", "the error")
    equal(produce({}, [(0, b"k", b"v", None, BASE_MS)], "compacted"), [None], "with a key")


def refuse_late_timestamp():
    configs = {"message.timestamp.before.max.ms": "1000"}
    wait(admin.create_topics([NewTopic("punctual", 1, 1, config=configs)]))
    error, = produce({}, [(0, b"k", b"v", None, BASE_MS)], "punctual")
    equal(error.name(), "INVALID_TIMESTAMP", "the error")


# ---- deleting topics -------------------------------------------------------------------------

def delete_topic():
    wait(admin.delete_topics([TOPIC]))
    at_once(lambda: TOPIC not in admin.list_topics(timeout=TIMEOUT).topics, "it is gone")
    refused("UNKNOWN_TOPIC_OR_PART", lambda: wait(admin.delete_topics([TOPIC])))


def create_again():
    wait(admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)]))
    equal(produce({}, [(0, None, b"new", None, BASE_MS)]), [None], "delivery")
    message, = consume([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    equal((message.offset(), message.value()), (0, b"new"), "the only message")
    wait(admin.delete_topics([TOPIC]))


def main():
    check("create-topic", create_topic)
    check("create-existing", create_refused, "TOPIC_ALREADY_EXISTS", NewTopic(TOPIC, 1, 1))
    check("create-bad-config", create_refused, "INVALID_CONFIG",
          NewTopic("bad-config", 1, 1, config={"retention.ms": "soon"}))
    check("create-unknown-config", create_refused, "INVALID_CONFIG",
          NewTopic("bad-config", 1, 1, config={"no.such": "1"}))
    check("create-bad-name", create_refused, "TOPIC_EXCEPTION", NewTopic("no spaces", 1, 1))
    check("create-validate-only", create_validate_only)
    check("create-default-counts", create_default_counts)
    check("create-three-replicas", create_three_replicas)
    check("create-partitions", create_partitions)
    check("create-automatically", auto_create)
    check("describe-topic", describe_topic)
    check("describe-unknown-topic", describe_unknown_topic)
    check("describe-cluster", describe_cluster)
    for codec in CODECS:
        check(f"produce-{codec}", produce_codec, codec)
    check("produce-idempotent", produce_idempotent)
    for acks in (0, 1):
        check(f"produce-acks-{acks}", produce_acks, acks)
    check("consume-all", consume_all)
    check("consume-large", consume_large)
    check("consume-out-of-range", consume_out_of_range)
    check("consume-from-end", consume_from_end)
    check("log-append-time", log_append_time)
    check("offsets-earliest", offsets_earliest)
    check("offsets-latest", offsets_latest)
    check("offsets-by-time", offsets_by_time)
    check("offsets-max-timestamp", offsets_max_timestamp)
    check("offsets-for-times", offsets_for_times)
    check("offsets-bad-partition", offsets_bad_partition)
    check("describe-configs", describe_configs)
    check("describe-broker-configs", describe_broker_configs)
    check("describe-unknown-configs", describe_unknown_configs)
    check("alter-configs-incremental", alter_incremental)
    check("alter-configs-replacing", alter_replacing)
    check("alter-configs-refused", alter_refused)
    check("delete-records", delete_records)
    check("delete-records-beyond", delete_records_beyond)
    check("refuse-too-large", refuse_too_large)
    check("refuse-unknown-topic", refuse_unknown_topic)
    check("refuse-bad-partition", refuse_bad_partition)
    check("refuse-null-key-compacted", refuse_null_key_compacted)
    check("refuse-late-timestamp", refuse_late_timestamp)
    check("delete-topic", delete_topic)
    check("create-again", create_again)
    contracts.main()
    groups.main()
    finish()


main()
