"""A member of a consumer group (KIP-848), for wire tests: one connection that heartbeats, gives up
what it is asked to give up, and commits with its epoch."""
import uuid

from broker import ERRORS

NONE = 0


class ConsumerMember:
    """`owned` is what the member believes to own: {topic id: partitions}."""

    def __init__(self, client, group, topics=(), instance=None, regex=None, version=1):
        self.client, self.group, self.instance, self.version = client, group, instance, version
        self.topics, self.regex = list(topics), regex
        self.id, self.epoch, self.owned = str(uuid.uuid4()), 0, {}
        self.pending = None  # what it is to own, when it has not obeyed yet

    def body(self, epoch, **more):
        body = {"group_id": self.group, "member_id": self.id, "member_epoch": epoch,
                "instance_id": self.instance}
        if epoch == 0:
            body.update(rebalance_timeout_ms=60000, subscribed_topic_names=self.topics,
                        topic_partitions=[])
            if self.version >= 1:
                body["subscribed_topic_regex"] = self.regex
        return {**body, **more}

    def send(self, epoch=None, **more):
        epoch = self.epoch if epoch is None else epoch
        self.client.send("ConsumerGroupHeartbeat", self.version, **self.body(epoch, **more))

    def receive(self):
        answer = self.client.receive()
        if answer["error_code"] == NONE:
            self.id, self.epoch = answer["member_id"], answer["member_epoch"]
            if answer["assignment"] is not None:
                self.pending = {part["topic_id"]: sorted(part["partitions"])
                                for part in answer["assignment"]["topic_partitions"]}
        return answer

    def beat(self, epoch=None, **more):
        """One heartbeat as told; the answer."""
        self.send(epoch, **more)
        return self.receive()

    def join(self):
        answer = self.beat(0)
        assert answer["error_code"] == NONE, answer
        self.obey()
        return self

    def obey(self):
        if self.pending is not None:
            self.owned, self.pending = self.pending, None

    def says(self):
        return [{"topic_id": topic, "partitions": parts} for topic, parts in self.owned.items()]

    def go_on(self):
        """A heartbeat that says what is owned; then does as it is told."""
        answer = self.beat(topic_partitions=self.says())
        assert answer["error_code"] == NONE, answer
        self.obey()
        return answer

    def leave(self, epoch=-1):
        answer = self.client.call("ConsumerGroupHeartbeat", self.version, **self.body(epoch))
        return answer["error_code"]

    def send_commit(self, topic, offset, partition=0, epoch=None, version=9):
        self.client.send(
            "OffsetCommit", version, group_id=self.group, member_id=self.id,
            generation_id_or_member_epoch=self.epoch if epoch is None else epoch,
            topics=[{"name": topic, "partitions": [{"partition_index": partition,
                                                    "committed_offset": offset}]}])

    def commit(self, topic, offset, *place, **more):
        """The partition's code."""
        self.send_commit(topic, offset, *place, **more)
        return self.client.receive()["topics"][0]["partitions"][0]["error_code"]

    def count(self):
        return sum(len(parts) for parts in self.owned.values())


def describe(client, group, version=1):
    described, = client.call("ConsumerGroupDescribe", version, group_ids=[group])["groups"]
    return described


def settle(members, rounds=50):
    """Heartbeats until all are at one epoch and nothing moves."""
    for _ in range(rounds):
        before = [(m.epoch, m.owned) for m in members]
        for member in members:
            member.go_on()
        state = describe(members[0].client, members[0].group)["group_state"]
        if state == "Stable" and before == [(m.epoch, m.owned) for m in members]:
            return
    raise AssertionError(f"the group does not settle: {before}")


def assert_each_once(members, expected):
    """`expected`: how many partitions there are."""
    owned = [(topic, part) for m in members for topic, parts in m.owned.items() for part in parts]
    assert len(owned) == len(set(owned)) == expected, owned


UNKNOWN_MEMBER = ERRORS["UNKNOWN_MEMBER_ID"]
FENCED_EPOCH = ERRORS["FENCED_MEMBER_EPOCH"]
STALE_EPOCH = ERRORS["STALE_MEMBER_EPOCH"]
