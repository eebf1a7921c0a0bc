"""aiokafka after a batch with a record that breaks its topic's contract. It knows no INVALID_RECORD
and tells all records of the batch UnknownError."""
import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from checks import BOOTSTRAP, equal
from orders import BAD, CONFIGS, GOOD, framed, schema_id

TIMEOUT = 20


async def create(topic):
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=CONFIGS)])
    await admin.close()


async def send(producer, topic, *payloads):
    """One batch; what each record is told: an offset or an error's name."""
    number = schema_id()
    futures = [await producer.send(topic, framed(number, payload), partition=0)
               for payload in payloads]
    done = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), TIMEOUT)
    return [type(one).__name__ if isinstance(one, Exception) else one.offset for one in done]


async def plain():
    topic = "contract-plain"
    schema_id()
    await create(topic)
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=100) as producer:
        equal(await send(producer, topic, GOOD), [0], "a good one")
        equal(await send(producer, topic, GOOD, BAD, GOOD), ["UnknownError"] * 3, "one bad of three")
        equal(await send(producer, topic, GOOD, GOOD), [1, 2], "the next")


async def idempotent():
    """It counts the refused sequences as used: nothing goes until it is made anew."""
    topic = "contract-idempotent"
    schema_id()
    await create(topic)
    for start in (0, 1):
        async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=100,
                                    enable_idempotence=True) as producer:
            equal(await send(producer, topic, GOOD), [start], "a good one")
            equal(await send(producer, topic, GOOD, BAD), ["UnknownError"] * 2, "one bad of two")
            equal(await send(producer, topic, GOOD), ["OutOfOrderSequenceNumber"], "the next")


async def main(check):
    await check("contract-plain", plain)
    await check("contract-idempotent", idempotent)
