"""kafka-python: the older pure Python client; a short pass over producing, and groups."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import contracts
from checks import BOOTSTRAP, CODECS, check, equal, finish
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

PARTITIONS, RECORDS, TIMEOUT = 6, 300, 30
admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


class Member(ConsumerRebalanceListener):
    """A consumer that subscribes, in a thread of its own, and what it has read."""

    def __init__(self, group, topic, **config):
        self.owned, self.read, self.error = set(), {}, None
        self.consumer = KafkaConsumer(
            bootstrap_servers=BOOTSTRAP, group_id=group, auto_offset_reset="earliest",
            enable_auto_commit=False, session_timeout_ms=6000, heartbeat_interval_ms=500,
            **config)
        self.consumer.subscribe([topic], listener=self)
        self.goes_on = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while self.goes_on:
                self.take()
            self.consumer.commit()
            self.consumer.close()
        except Exception as error:
            self.error = error

    def on_partitions_assigned(self, assigned):
        self.owned |= {p.partition for p in assigned}

    def on_partitions_revoked(self, revoked):  # no commit here: it may not block
        self.owned -= {p.partition for p in revoked}

    def take(self):
        """A member that owns nothing waits long: 3.0.12 leaves a join that outlives a poll() in
        flight, and comes back for its end only while need_rejoin() holds (coordinator/base.py:480).
        A leader that assigned before it knew the topic's partitions joins again because of its
        snapshots, they are equal as soon as it has assigned, and then nobody does: no heartbeat
        follows, and its session ends."""
        wait_ms = 50 if self.owned else 5000
        for where, records in self.consumer.poll(timeout_ms=wait_ms).items():
            for record in records:
                assert (where.partition, record.offset) not in self.read, "read twice"
                self.read[where.partition, record.offset] = int(record.value)

    def close(self):
        """What was read is committed."""
        self.goes_on = False
        self.thread.join(TIMEOUT)
        if self.error:
            raise self.error


def until(holds, what):
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen in {TIMEOUT} s"
        time.sleep(0.02)


def new_topic(name):
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    return name


def produce(topic, first, count, codec=None):
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, compression_type=codec)
    for index in range(first, first + count):
        producer.send(topic, f"{index}".encode(), partition=index % PARTITIONS)
    producer.flush(TIMEOUT)
    producer.close()


def goes_on_where_it_was():
    topic = new_topic("groups-resume")
    produce(topic, 0, RECORDS)
    first = Member(topic, topic)
    until(lambda: len(first.read) == RECORDS, "reading all")
    equal(sorted(first.read.values()), list(range(RECORDS)), "what was read")
    first.close()
    produce(topic, RECORDS, 60)
    second = Member(topic, topic)
    until(lambda: len(second.read) >= 60, "reading the rest")
    equal(sorted(second.read.values()), list(range(RECORDS, RECORDS + 60)), "the rest")
    second.close()
    offsets = admin.list_group_offsets(topic)[topic]
    equal({where.partition: what.offset for where, what in offsets.items()},
          {p: (RECORDS + 60) // PARTITIONS for p in range(PARTITIONS)}, "committed")


def share(members):
    owned = [p for member in members for p in member.owned]
    return all(m.owned for m in members) and sorted(owned) == list(range(PARTITIONS))


def shares_and_takes_over():
    topic = new_topic("groups-share")
    members = []
    for count in (1, 2, 3):
        members.append(Member(topic, topic))
        until(lambda: share(members), f"{count} members share")
    produce(topic, 0, RECORDS)
    until(lambda: sum(len(m.read) for m in members) >= RECORDS, "reading all")
    equal(sorted(v for m in members for v in m.read.values()), list(range(RECORDS)), "what was read")
    for member in members[1:]:
        member.close()
    last = members[0]
    until(lambda: share([last]), "the last one has all")
    before = len(last.read)
    produce(topic, RECORDS, 60)
    until(lambda: len(last.read) >= before + 60, "reading the rest")
    equal(len(last.read), before + 60, "records, each once")
    last.close()


def static_member_comes_back():
    topic = new_topic("groups-static")
    members = [Member(topic, topic, group_instance_id=name) for name in ("one", "two")]
    until(lambda: share(members), "both share")
    owned, kept = set(members[1].owned), set(members[0].owned)
    members.pop().close()
    back = Member(topic, topic, group_instance_id="two")
    members.append(back)
    until(lambda: back.owned == owned, "it has the same again")
    equal(members[0].owned, kept, "what the other one has")
    for member in members:
        member.close()


def every_codec():
    topic = new_topic("codecs")
    for at, codec in enumerate(CODECS):
        produce(topic, at * 60, 60, None if codec == "none" else codec)
    member = Member(topic, topic)
    until(lambda: len(member.read) == 60 * len(CODECS), "reading all")
    member.close()


check("every-codec", every_codec)
contracts.main()
check("group-goes-on", goes_on_where_it_was)
check("group-shares", shares_and_takes_over)
check("group-static", static_member_comes_back)
finish()
