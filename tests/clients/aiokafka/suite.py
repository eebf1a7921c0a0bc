"""aiokafka: the pure Python client; admin, producer, a consumer by assignment, and groups."""
import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import contracts
import groups
from checks import (BASE_MS, BOOTSTRAP, CODECS, PARTITIONS, PER_CODEC, STAND_IN, Skip, describe,
                    equal, finish, record, report)
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import (AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete)
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (InvalidPartitionsError, KafkaError, KafkaTimeoutError,
                             MessageSizeTooLargeError, OffsetOutOfRangeError, UnknownError,
                             UnknownTopicOrPartitionError)

TOPIC = "aiokafka"
TIMEOUT = 20
WRITTEN = CODECS + ["idempotent"]


async def check(name, function, *arguments):
    """As checks.check, for a coroutine."""
    try:
        await asyncio.wait_for(function(*arguments), 60)
        report("ok", name)
    except Skip as reason:
        report("skip", name, reason)
    except Exception as error:
        report("not ok", name, describe(error))


# ---- small helpers ---------------------------------------------------------------------------

class admin_client:
    """An admin client for the time of an `async with`."""

    async def __aenter__(self):
        self.client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
        await self.client.start()
        return self.client

    async def __aexit__(self, *_):
        await self.client.close()


def codes(response):
    """The error code per topic of an admin answer, whose rows start with (topic, code)."""
    for name in ("topic_errors", "topic_error_codes"):
        if hasattr(response, name):
            return {row[0]: row[1] for row in getattr(response, name)}
    raise AssertionError(f"no errors in {response}")


async def refused(kind, call):
    """The call must fail with this kind of error."""
    try:
        await call
    except KafkaError as error:
        equal(type(error), kind, f"the error ({error})")
        return
    raise AssertionError(f"no {kind.__name__}")


async def create(name, partitions, configs=None, replicas=1, wanted=0):
    async with admin_client() as admin:
        topic = NewTopic(name, partitions, replicas, topic_configs=configs or {})
        equal(codes(await admin.create_topics([topic]))[name], wanted, "the error code")


async def topic_names():
    async with admin_client() as admin:
        return await admin.list_topics()


async def produce(config, records, topic=TOPIC):
    """Sends all records at once and returns what became of each: metadata or an error."""
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=20,
                                request_timeout_ms=10_000, **config)
    await producer.start()
    try:
        futures = []
        for partition, key, value, headers, timestamp in records:
            futures.append(await producer.send(topic, value, key, partition, timestamp, headers))
        return await asyncio.gather(*futures, return_exceptions=True)
    finally:
        await producer.stop()


def delivered(outcome, count):
    errors = [one for one in outcome if isinstance(one, Exception)]
    equal((errors, len(outcome)), ([], count), "errors and results")


async def with_consumer(use, **config):
    consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=None,
                                auto_offset_reset="none", enable_auto_commit=False, **config)
    await consumer.start()
    try:
        return await use(consumer)
    finally:
        await consumer.stop()


async def consume(partitions, **config):
    """Everything from the beginning to the end of some partitions."""
    async def read(consumer):
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        messages = []
        while [p for p in partitions if await consumer.position(p) < ends[p]]:
            batch = await asyncio.wait_for(consumer.getmany(timeout_ms=500), TIMEOUT)
            for some in batch.values():
                messages.extend(some)
        return messages
    return await with_consumer(read, **config)


def at(partition):
    return TopicPartition(TOPIC, partition)


ALL = [at(p) for p in range(PARTITIONS)]


# ---- topics ----------------------------------------------------------------------------------

async def create_topic():
    await create(TOPIC, PARTITIONS, {"max.message.bytes": "300000", "retention.ms": "-1"})


async def create_refused():
    await create(TOPIC, 1, wanted=36)
    await create("no spaces", 1, wanted=17)
    await create("no-partitions", 0, wanted=37)
    await create("bad-config", 1, {"retention.ms": "soon"}, wanted=40)


async def create_three_replicas():
    if STAND_IN:
        raise Skip("one Apache Kafka node refuses it, Millrace reports 1")
    await create("three-replicas", 1, replicas=3)
    async with admin_client() as admin:
        described, = await admin.describe_topics(["three-replicas"])
    equal(len(described["partitions"][0]["replicas"]), 1, "replicas")


async def create_partitions():
    await create("growing", 1)
    async with admin_client() as admin:
        await admin.create_partitions({"growing": NewPartitions(4)})
        described, = await admin.describe_topics(["growing"])
        equal(len(described["partitions"]), 4, "partitions")
        await refused(InvalidPartitionsError,
                      admin.create_partitions({"growing": NewPartitions(2)}))


async def describe_topic():
    async with admin_client() as admin:
        described, = await admin.describe_topics([TOPIC])
        equal((described["error_code"], len(described["partitions"])), (0, PARTITIONS),
              "error and partitions")
        cluster = await admin.describe_cluster()
    equal(len(cluster["brokers"]), 1, "brokers")
    assert cluster["cluster_id"], "no cluster id"


# ---- records ---------------------------------------------------------------------------------

async def produce_codec(name, config):
    outcome = await produce(config, [record(name, index) for index in range(PER_CODEC)])
    delivered(outcome, PER_CODEC)
    equal(outcome[3].offset, outcome[0].offset + 1, "the next offset")


async def produce_acks(acks):
    await create(f"acks-{acks}", 1)
    delivered(await produce({"acks": acks}, [(0, None, b"v", [], BASE_MS)] * 20, f"acks-{acks}"),
              20)

    async def settled():
        return len(await consume([TopicPartition(f"acks-{acks}", 0)]))
    for _ in range(20):  # acks=0 is not waited for
        count = await settled()
        if count == 20:
            break
        await asyncio.sleep(0.1)
    equal(count, 20, "records")


async def consume_all():
    wanted = {p: [] for p in range(PARTITIONS)}
    for codec in WRITTEN:
        for index in range(PER_CODEC):
            partition, key, value, headers, timestamp = record(codec, index)
            wanted[partition].append((key, value, tuple(headers), timestamp))
    got = {p: [] for p in range(PARTITIONS)}
    for message in await consume(ALL, check_crcs=True):
        equal(message.offset, len(got[message.partition]), "offset")
        equal(message.timestamp_type, 0, "timestamp type")
        got[message.partition].append(
            (message.key, message.value, tuple(message.headers), message.timestamp))
    equal(got, wanted, "what was read")


async def consume_small_fetches():
    await create("large", 1)
    value = os.urandom(250_000)
    delivered(await produce({}, [(0, None, value, [], BASE_MS)] * 8, "large"), 8)
    messages = await consume([TopicPartition("large", 0)], fetch_max_bytes=1000,
                             max_partition_fetch_bytes=1000)
    equal([message.value == value for message in messages], [True] * 8, "values")


async def consume_out_of_range():
    async def read(consumer):
        consumer.assign([at(0)])
        consumer.seek(at(0), 1_000_000)
        await refused(OffsetOutOfRangeError, consumer.getmany(timeout_ms=5000))
    await with_consumer(read)


# ---- offsets ---------------------------------------------------------------------------------

def end_of(partition):
    return len(range(partition, PER_CODEC, PARTITIONS)) * len(WRITTEN)


async def offsets():
    async def ask(consumer):
        equal(await consumer.beginning_offsets(ALL), {p: 0 for p in ALL}, "beginning")
        equal(await consumer.end_offsets(ALL), {p: end_of(p.partition) for p in ALL}, "end")
    await with_consumer(ask)


async def offsets_by_time():
    async def ask(consumer):
        found = (await consumer.offsets_for_times({at(1): BASE_MS + 9500}))[at(1)]
        equal((found.offset, found.timestamp), (3, BASE_MS + 10_000), "offset and time")
        found = (await consumer.offsets_for_times({at(1): BASE_MS + 10_000_000}))[at(1)]
        equal(found, None, "past the end")
    await with_consumer(ask)


async def offsets_bad_partition():
    async def ask(consumer):
        # The client asks until its time is over.
        await refused(KafkaTimeoutError, consumer.end_offsets([at(99)]))
    await with_consumer(ask, request_timeout_ms=1000)


# ---- configs ---------------------------------------------------------------------------------

async def configs_of(name):
    async with admin_client() as admin:
        responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    code, _, _, _, entries = responses[0].resources[0]
    return code, {entry[0]: entry[1] for entry in entries}


async def describe_configs():
    code, values = await configs_of(TOPIC)
    equal(code, 0, "the error code")
    equal((values["max.message.bytes"], values["cleanup.policy"]), ("300000", "delete"), "values")
    equal((await configs_of("nowhere"))[0], 3, "the error code of an unknown topic")


async def alter(name, configs):
    async with admin_client() as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, name, configs)
        responses = await admin.alter_configs([resource])
    return responses[0].resources[0][0]


async def alter_replacing():
    await create("replaced", 1, {"retention.ms": "5000"})
    equal(await alter("replaced", {"segment.ms": "70000"}), 0, "the error code")
    _, values = await configs_of("replaced")
    equal((values["segment.ms"], values["retention.ms"]), ("70000", "604800000"), "values")
    equal(await alter("replaced", {"segment.ms": "soon"}), 40, "the code of a bad value")
    equal(await alter("replaced", {"no.such": "1"}), 40, "the code of an unknown name")
    equal(await alter("nowhere", {"segment.ms": "70000"}), 3, "the code of an unknown topic")


async def alter_incremental():
    raise Skip("aiokafka 0.14 has no IncrementalAlterConfigs")


# ---- deleting and refusals -------------------------------------------------------------------

async def delete_records():
    async with admin_client() as admin:
        low = await admin.delete_records({at(0): RecordsToDelete(before_offset=10),
                                          at(1): RecordsToDelete(before_offset=-1)})
        equal(low, {at(0): 10, at(1): end_of(1)}, "low watermarks")
        await refused(OffsetOutOfRangeError,
                      admin.delete_records({at(2): RecordsToDelete(before_offset=1_000_000)}))
    equal((await consume([at(0)]))[0].offset, 10, "first offset")
    equal(await consume([at(1)]), [], "records where all are deleted")


async def refuse_too_large():
    one = [(0, None, os.urandom(400_000), [], BASE_MS)]
    for config in ({}, {"enable_idempotence": True}):
        error, = await produce({"max_request_size": 2_000_000, **config}, one)
        equal(type(error), MessageSizeTooLargeError, "the error")


async def refuse_unknown_topic():
    """The producer cannot switch auto-creation off, so it is the admin client that asks."""
    async with admin_client() as admin:
        equal(codes(await admin.delete_topics(["nowhere"])), {"nowhere": 3}, "the error code")
        await refused(UnknownTopicOrPartitionError,
                      admin.create_partitions({"nowhere": NewPartitions(2)}))


async def refuse_bad_partition():
    try:
        await produce({}, [(99, None, b"v", [], BASE_MS)])
    except (AssertionError, KafkaError, ValueError) as error:
        assert "partition" in str(error).lower(), error
    else:
        raise AssertionError("no error")


async def refuse_null_key():
    await create("compacted", 1, {"cleanup.policy": "compact"})
    error, = await produce({}, [(0, None, b"v", [], BASE_MS)], "compacted")
    equal(type(error), UnknownError, "the error (aiokafka does not know INVALID_RECORD)")


async def delete_topic():
    async with admin_client() as admin:
        equal(codes(await admin.delete_topics([TOPIC])), {TOPIC: 0}, "the error code")
        if STAND_IN:
            await asyncio.sleep(1)
        assert TOPIC not in await admin.list_topics(), "it is still listed"


async def main():
    await check("create-topic", create_topic)
    await check("create-refused", create_refused)
    await check("create-three-replicas", create_three_replicas)
    await check("create-partitions", create_partitions)
    await check("describe-topic", describe_topic)
    for codec in CODECS:
        config = {} if codec == "none" else {"compression_type": codec}
        await check(f"produce-{codec}", produce_codec, codec, config)
    await check("produce-idempotent", produce_codec, "idempotent",
                {"enable_idempotence": True, "max_batch_size": 2000})
    for acks in (0, 1):
        await check(f"produce-acks-{acks}", produce_acks, acks)
    await check("consume-all", consume_all)
    await check("consume-small-fetches", consume_small_fetches)
    await check("consume-out-of-range", consume_out_of_range)
    await check("offsets", offsets)
    await check("offsets-by-time", offsets_by_time)
    await check("offsets-bad-partition", offsets_bad_partition)
    await check("describe-configs", describe_configs)
    await check("alter-configs-incremental", alter_incremental)
    await check("alter-configs-replacing", alter_replacing)
    await check("delete-records", delete_records)
    await check("refuse-too-large", refuse_too_large)
    await check("refuse-unknown-topic", refuse_unknown_topic)
    await check("refuse-bad-partition", refuse_bad_partition)
    await check("refuse-null-key-compacted", refuse_null_key)
    await check("delete-topic", delete_topic)
    await contracts.main(check)
    await groups.main(check)
    finish()


asyncio.run(main())
