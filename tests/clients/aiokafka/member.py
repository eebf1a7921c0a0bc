"""One member of a group for tests/faults/groups, through aiokafka (classic protocol): what it says
is described in tests/faults/group_member.py.

    member.py ADDRESS GROUP TOPIC PROTOCOL
"""
import asyncio
import json
import signal
import sys
import time

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError

COMMIT_EVERY_S = 0.2


def say(*event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Member(ConsumerRebalanceListener):
    def __init__(self, consumer):
        self.consumer, self.next = consumer, {}  # partition -> behind what was read

    async def on_partitions_assigned(self, assigned):
        self.next = {}
        say("given", time.monotonic(), [p.partition for p in assigned])

    async def on_partitions_revoked(self, _):
        await self.commit()

    async def take(self):
        for where, messages in (await self.consumer.getmany(timeout_ms=50)).items():
            for message in messages:
                say("read", where.partition, message.offset)
            self.next[where] = messages[-1].offset + 1

    async def commit(self):
        """A refusal is part of life here."""
        offsets = dict(self.next)
        if not offsets:
            return
        try:
            await self.consumer.commit(offsets)
        except KafkaError:
            return
        say("committed", time.monotonic(), {p.partition: o for p, o in offsets.items()})


async def main():
    address, group, topic, _ = sys.argv[1:]
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address, group_id=group, auto_offset_reset="earliest",
        enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=300,
        fetch_max_wait_ms=100, retry_backoff_ms=50)
    member = Member(consumer)
    consumer.subscribe([topic], listener=member)
    await consumer.start()
    next_commit = 0
    while not stopping.is_set():
        await member.take()
        if time.monotonic() > next_commit:
            await member.commit()
            next_commit = time.monotonic() + COMMIT_EVERY_S
    await member.commit()
    await consumer.stop()


asyncio.run(main())
