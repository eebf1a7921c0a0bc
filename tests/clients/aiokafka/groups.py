"""Groups through aiokafka (classic protocol): members come and go, and go on where they were."""
import asyncio

from checks import BOOTSTRAP, equal
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PARTITIONS, RECORDS, TIMEOUT = 6, 300, 30


class Member(ConsumerRebalanceListener):
    """A consumer that subscribes, and what it has read."""

    def __init__(self, group, topic, **config):
        self.topic, self.owned, self.read = topic, set(), {}
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=BOOTSTRAP, group_id=group, auto_offset_reset="earliest",
            enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500, **config)

    async def __aenter__(self):
        self.consumer.subscribe([self.topic], listener=self)
        await self.consumer.start()
        return self

    async def __aexit__(self, *_):
        await self.consumer.stop()

    async def on_partitions_assigned(self, assigned):
        self.owned = {p.partition for p in assigned}

    async def on_partitions_revoked(self, revoked):
        if revoked:
            await self.consumer.commit()
        self.owned = set()

    async def take(self):
        for where, messages in (await self.consumer.getmany(timeout_ms=50)).items():
            for message in messages:
                assert (where.partition, message.offset) not in self.read, "read twice"
                self.read[where.partition, message.offset] = int(message.value)


async def until(holds, what, members):
    deadline = asyncio.get_running_loop().time() + TIMEOUT
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not happen"
        await asyncio.gather(*(member.take() for member in members))


async def new_topic(name):
    client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await client.start()
    await client.create_topics([NewTopic(name, PARTITIONS, 1)])
    await client.close()
    return name


async def produce(topic, first, count):
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP)
    await producer.start()
    for index in range(first, first + count):
        await producer.send(topic, f"{index}".encode(), partition=index % PARTITIONS)
    await producer.stop()


async def goes_on_where_it_was():
    topic = await new_topic("groups-resume")
    await produce(topic, 0, RECORDS)
    async with Member(topic, topic) as first:
        await until(lambda: len(first.read) == RECORDS, "reading all", [first])
        equal(sorted(first.read.values()), list(range(RECORDS)), "what was read")
        await first.consumer.commit({TopicPartition(topic, 1): (7, "words")})
        await first.consumer.commit()
    await produce(topic, RECORDS, 60)
    async with Member(topic, topic) as second:
        await until(lambda: len(second.read) >= 60, "reading the rest", [second])
        equal(sorted(second.read.values()), list(range(RECORDS, RECORDS + 60)), "the rest")


def share(members):
    owned = [p for member in members for p in member.owned]
    return all(m.owned for m in members) and sorted(owned) == list(range(PARTITIONS))


async def shares_and_takes_over():
    topic = await new_topic("groups-share")
    async with Member(topic, topic) as last:
        members = [last]
        await until(lambda: share(members), "the first has all", members)
        async with Member(topic, topic) as second, Member(topic, topic) as third:
            members += [second, third]
            await until(lambda: share(members), "three share", members)
            await produce(topic, 0, RECORDS)
            await until(lambda: sum(len(m.read) for m in members) >= RECORDS, "all", members)
            equal(sorted(v for m in members for v in m.read.values()), list(range(RECORDS)),
                  "records, each once")
            await asyncio.gather(*(m.consumer.commit() for m in members))
        del members[1:]
        await until(lambda: share(members), "the last one has all", members)
        before = len(last.read)
        await produce(topic, RECORDS, 60)
        await until(lambda: len(last.read) >= before + 60, "the rest", members)
        equal(len(last.read), before + 60, "records, each once")


async def static_member_comes_back():
    topic = await new_topic("groups-static")
    async with Member(topic, topic, group_instance_id="one") as one:
        async with Member(topic, topic, group_instance_id="two") as two:
            await until(lambda: share([one, two]), "both share", [one, two])
            owned, kept = set(two.owned), set(one.owned)
        async with Member(topic, topic, group_instance_id="two") as back:
            await until(lambda: back.owned == owned, "it has the same again", [one, back])
            equal(one.owned, kept, "what the other one has")


async def admin_sees():
    topic = await new_topic("groups-admin")
    await produce(topic, 0, 60)
    client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await client.start()
    async with Member(topic, topic) as member:
        await until(lambda: len(member.read) == 60, "reading all", [member])
        await member.consumer.commit()
        assert (topic, "consumer") in await client.list_consumer_groups()
        described, = await client.describe_consumer_groups([topic])
        equal([group[2] for group in described.groups], ["Stable"], "the group's state")
    offsets = await client.list_consumer_group_offsets(topic)
    equal({where.partition: what.offset for where, what in offsets.items()},
          {p: 10 for p in range(PARTITIONS)}, "offsets")
    await client.close()


async def main(check):
    await check("group-goes-on", goes_on_where_it_was)
    await check("group-shares", shares_and_takes_over)
    await check("group-static", static_member_comes_back)
    await check("group-admin", admin_sees)
