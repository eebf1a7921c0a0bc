"""Groups through librdkafka: members come and go in both protocols, and go on where they were."""
import json
import os
import subprocess
import time

from checks import BOOTSTRAP, check, equal
from confluent_kafka import (Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions,
                             ConsumerGroupType, KafkaException, Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS, RECORDS, TIMEOUT = 6, 300, 30
PROTOCOLS = {
    "classic": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500},
    "cooperative": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
                    "partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def wait(futures):
    return {key: future.result(TIMEOUT) for key, future in futures.items()}


def until(holds, what, consumers=()):
    """Polls the consumers meanwhile: they take part in rebalances only then."""
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {TIMEOUT} s")
        for consumer in consumers:
            consumer.take()
        if not consumers:
            time.sleep(0.05)


def produce(topic, first, count):
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    for index in range(first, first + count):
        producer.produce(topic, f"{index}".encode(), partition=index % PARTITIONS)
    equal(producer.flush(TIMEOUT), 0, "messages left after the flush")


class Member:
    """A consumer that subscribes, and what it has read: {(partition, offset): value}."""

    def __init__(self, group, topic, protocol, **config):
        self.owned, self.read, self.topic = set(), {}, topic
        self.consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group,
                                  "auto.offset.reset": "earliest", "enable.auto.commit": False,
                                  **PROTOCOLS[protocol], **config})
        self.consumer.subscribe([topic], on_assign=self.assigned, on_revoke=self.revoked,
                                on_lost=self.lost)

    def assigned(self, _, partitions):
        self.owned |= {p.partition for p in partitions}

    def revoked(self, consumer, partitions):
        positions = [p for p in consumer.position(partitions) if p.offset >= 0]
        if positions:
            consumer.commit(offsets=positions, asynchronous=False)
        self.owned -= {p.partition for p in partitions}

    def lost(self, _, partitions):
        self.owned -= {p.partition for p in partitions}

    def take(self, seconds=0.05):
        message = self.consumer.poll(seconds)
        if message is None:
            return
        if message.error():
            raise KafkaException(message.error())
        where = (message.partition(), message.offset())
        assert where not in self.read, f"{where} came twice to one member"
        self.read[where] = message.value()

    def commit(self):
        self.consumer.commit(asynchronous=False)

    def close(self):
        self.consumer.close()


def new_topic(name):
    wait(admin.create_topics([NewTopic(name, PARTITIONS, 1)]))
    return name


def goes_on_where_it_was(protocol):
    topic = new_topic(f"groups-resume-{protocol}")
    produce(topic, 0, RECORDS)
    first = Member(topic, topic, protocol)
    until(lambda: len(first.read) == RECORDS, "reading all", [first])
    equal(sorted(int(v) for v in first.read.values()), list(range(RECORDS)), "what was read")
    first.commit()
    first.close()
    produce(topic, RECORDS, 60)
    second = Member(topic, topic, protocol)
    until(lambda: len(second.read) == 60, "reading the rest", [second])
    equal(sorted(int(v) for v in second.read.values()), list(range(RECORDS, RECORDS + 60)),
          "the rest")
    second.close()


def shares_and_takes_over(protocol):
    """Three members share the partitions, disjoint; what those leave behind, the last one takes."""
    topic = new_topic(f"groups-share-{protocol}")
    members = [Member(topic, topic, protocol)]
    until(lambda: len(members[0].owned) == PARTITIONS, "the first has all", members)
    for count in (2, 3):
        members.append(Member(topic, topic, protocol))
        until(lambda: all(m.owned for m in members) and
              sum(len(m.owned) for m in members) == PARTITIONS ==
              len(set().union(*(m.owned for m in members))), f"{count} members share", members)
        equal(max(len(m.owned) for m in members) - min(len(m.owned) for m in members),
              PARTITIONS % count and 1, "the difference in size")
    produce(topic, 0, RECORDS)
    until(lambda: sum(len(m.read) for m in members) >= RECORDS, "reading all", members)
    for member in members:
        assert {p for p, _ in member.read} <= member.owned, "read what another one owns"
        member.commit()
    members.pop(0).close()
    members.pop(0).close()
    until(lambda: len(members[0].owned) == PARTITIONS, "the last one has all", members)
    before = len(members[0].read)
    produce(topic, RECORDS, 60)
    until(lambda: len(members[0].read) >= before + 60, "reading the rest", members)
    equal(len(members[0].read), before + 60, "records, each once")
    members[0].close()


def admin_sees(protocol):
    topic = new_topic(f"groups-admin-{protocol}")
    produce(topic, 0, 60)
    member = Member(topic, topic, protocol, **{"client.id": "the-client"})
    until(lambda: len(member.read) == 60, "reading all", [member])
    member.commit()
    listed = admin.list_consumer_groups().result(TIMEOUT)
    equal([error for error in listed.errors], [], "errors")
    found, = [group for group in listed.valid if group.group_id == topic]
    wanted = ConsumerGroupType.CONSUMER if protocol == "consumer" else ConsumerGroupType.CLASSIC
    equal((found.state, found.type), (ConsumerGroupState.STABLE, wanted), "the listed group")
    described = wait(admin.describe_consumer_groups([topic]))[topic]
    equal(described.state, ConsumerGroupState.STABLE, "the described group's state")
    one, = described.members
    equal(one.client_id, "the-client", "the client's id")
    equal({p.partition for p in one.assignment.topic_partitions}, set(range(PARTITIONS)),
          "the assignment")
    refused = wait_error(lambda: wait(admin.delete_consumer_groups([topic])))
    equal(refused, "NON_EMPTY_GROUP", "deleting a group with members")
    member.close()
    asked = [ConsumerGroupTopicPartitions(topic)]
    offsets = wait(admin.list_consumer_group_offsets(asked))[topic].topic_partitions
    equal({p.partition: p.offset for p in offsets}, {p: 10 for p in range(PARTITIONS)}, "offsets")
    moved = ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 3, 4)])
    wait(admin.alter_consumer_group_offsets([moved]))
    offsets = wait(admin.list_consumer_group_offsets(asked))[topic].topic_partitions
    equal({p.partition: p.offset for p in offsets}[3], 4, "the moved offset")
    wait(admin.delete_consumer_groups([topic]))
    assert topic not in {g.group_id for g in admin.list_consumer_groups().result(TIMEOUT).valid}


def wait_error(function):
    try:
        function()
    except KafkaException as error:
        return error.args[0].name()
    return "no error"


def static_member_comes_back(protocol):
    """The same instance, without a rebalance for the other one."""
    topic = new_topic(f"groups-static-{protocol}")
    names = ["one", "two"]
    members = [Member(topic, topic, protocol, **{"group.instance.id": name}) for name in names]
    until(lambda: sorted(len(m.owned) for m in members) == [3, 3], "both share", members)
    owned, kept = set(members[1].owned), set(members[0].owned)
    members[1].close()
    members[1] = Member(topic, topic, protocol, **{"group.instance.id": "two"})
    until(lambda: members[1].owned == owned, "it has the same again", members)
    equal(members[0].owned, kept, "what the other one has")
    for member in members:
        member.close()


def offsets_survive_auto_commit():
    topic = new_topic("groups-auto-commit")
    produce(topic, 0, 60)
    config = {"enable.auto.commit": True, "auto.commit.interval.ms": 100}
    first = Member(topic, topic, "classic", **config)
    until(lambda: len(first.read) == 60, "reading all", [first])
    first.close()
    second = Member(topic, topic, "classic")
    until(lambda: len(second.owned) == PARTITIONS, "it has all", [second])
    committed = second.consumer.committed([TopicPartition(topic, p) for p in range(PARTITIONS)],
                                          TIMEOUT)
    equal([p.offset for p in committed], [10] * PARTITIONS, "committed")
    second.close()


def command(*words, status=0):
    """Rows of `millrace group ...`; what it says on standard error where it is to fail."""
    done = subprocess.run([os.environ["MILLRACE_CLI"], "group", *words, "--json", "-b", BOOTSTRAP],
                          capture_output=True, text=True, timeout=TIMEOUT)
    equal(done.returncode, status, f"the status of {words}: {done.stderr}")
    return done.stderr if status else [json.loads(line) for line in done.stdout.splitlines()]


def command_line_sees(protocol):
    """A member attached: lag and owners, a reset that is refused; then one that moves the next."""
    topic = new_topic(f"groups-command-{protocol}")
    produce(topic, 0, 60)
    member = Member(topic, topic, protocol, **{"client.id": "the-client"})
    until(lambda: len(member.read) == 60, "reading all", [member])
    member.consumer.commit(offsets=[TopicPartition(topic, 2, 4)], asynchronous=False)
    lag, = command("lag", topic)
    parts = {part["partition"]: part for part in lag["partitions"]}
    equal((lag["state"], lag["lag"], len(parts)), ("Stable", 6, PARTITIONS), "state, lag, partitions")
    equal((parts[2]["committed"], parts[2]["end"], parts[3]["lag"]), (4, 10, None), "offsets")
    equal({part["client_id"] for part in parts.values()}, {"the-client"}, "the owners")
    described, = command("describe", topic)
    equal([(one["owned"], one["subscribed"]) for one in described["members"]],
          [({topic: list(range(PARTITIONS))}, [topic])], "the member")
    refused = command("reset", topic, "--to", "earliest", "--yes", status=1)
    assert "client the-client" in refused and "1 active member" in refused, refused
    member.commit()
    member.close()
    equal(command("lag", topic)[0]["lag"], 0, "the lag behind a commit")
    command("reset", topic, "--shift", "-3", "--yes")
    second = Member(topic, topic, protocol)
    until(lambda: len(second.read) >= 3 * PARTITIONS, "reading the rest", [second])
    equal(set(second.read), {(p, o) for p in range(PARTITIONS) for o in (7, 8, 9)}, "the rest")
    second.close()
    command("delete", topic)
    equal([row for row in command("list") if row["group"] == topic], [], "groups of that name")


def main():
    for protocol in PROTOCOLS:
        check(f"group-goes-on-{protocol}", goes_on_where_it_was, protocol)
        check(f"group-shares-{protocol}", shares_and_takes_over, protocol)
    for protocol in ("classic", "consumer"):
        check(f"group-admin-{protocol}", admin_sees, protocol)
        check(f"group-static-{protocol}", static_member_comes_back, protocol)
        check(f"group-command-line-{protocol}", command_line_sees, protocol)
    check("group-auto-commit", offsets_survive_auto_commit)
