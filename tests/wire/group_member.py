"""A member of a classic group, for wire tests: one connection that joins, syncs, commits and leaves
in the API versions that it is given."""
from broker import ERRORS

NONE = 0
UNKNOWN_MEMBER = ERRORS["UNKNOWN_MEMBER_ID"]
REBALANCING = ERRORS["REBALANCE_IN_PROGRESS"]
ILLEGAL_GENERATION = ERRORS["ILLEGAL_GENERATION"]
MEMBER_ID_REQUIRED = ERRORS["MEMBER_ID_REQUIRED"]
FENCED = ERRORS["FENCED_INSTANCE_ID"]


def find_coordinator(client, group="any"):
    answer = client.call("FindCoordinator", 3, key=group, key_type=0)
    assert answer["error_code"] == NONE, answer


class Member:
    def __init__(self, client, group, instance=None, join=9, protocols=(("range", b"r"),),
                 kind="consumer", session=30000, rebalance=30000):
        self.client, self.group, self.instance, self.version = client, group, instance, join
        self.protocols, self.kind = protocols, kind
        self.session, self.rebalance = session, rebalance
        self.id, self.generation, self.leader, self.members = "", -1, "", []

    # --- JoinGroup ---

    def send_join(self, version=None):
        body = {"group_id": self.group, "session_timeout_ms": self.session,
                "member_id": self.id, "protocol_type": self.kind,
                "protocols": [{"name": n, "metadata": m} for n, m in self.protocols]}
        version = self.version if version is None else version
        if version >= 1:
            body["rebalance_timeout_ms"] = self.rebalance
        if version >= 5:
            body["group_instance_id"] = self.instance
        self.client.send("JoinGroup", version, **body)

    def receive_join(self):
        answer = self.client.receive()
        if answer["error_code"] in (NONE, MEMBER_ID_REQUIRED):
            self.id = answer["member_id"]
        if answer["error_code"] == NONE:
            self.generation, self.leader = answer["generation_id"], answer["leader"]
            self.members = [m["member_id"] for m in answer["members"]]
        return answer

    def get_id(self):
        """The first JoinGroup of versions that want an id (KIP-394)."""
        self.send_join()
        answer = self.receive_join()
        assert answer["error_code"] == MEMBER_ID_REQUIRED and self.id, answer

    def join(self):
        """All of it, where nobody has to be waited for."""
        self.send_join()
        answer = self.receive_join()
        if answer["error_code"] == MEMBER_ID_REQUIRED:
            self.send_join()
            answer = self.receive_join()
        assert answer["error_code"] == NONE, answer
        return answer

    @property
    def leads(self):
        return self.leader == self.id

    # --- SyncGroup ---

    def send_sync(self, assignments=None, version=5, **more):
        body = {"group_id": self.group, "generation_id": self.generation, "member_id": self.id,
                "assignments": [{"member_id": member, "assignment": part}
                                for member, part in (assignments or {}).items()], **more}
        if version >= 3:
            body["group_instance_id"] = self.instance
        self.client.send("SyncGroup", version, **body)

    def sync(self, assignments=None, version=5, **more):
        self.send_sync(assignments, version, **more)
        return self.client.receive()

    def settle(self):
        """Joins and syncs as the only member."""
        self.join()
        answer = self.sync({self.id: b"all of it"})
        assert (answer["error_code"], answer["assignment"]) == (NONE, b"all of it"), answer
        return self

    # --- the rest ---

    def heartbeat(self, version=4, **more):
        body = {"group_id": self.group, "generation_id": self.generation, "member_id": self.id}
        if version >= 3:
            body["group_instance_id"] = self.instance
        return self.client.call("Heartbeat", version, **{**body, **more})["error_code"]

    def leave(self, version=5):
        if version < 3:
            return self.client.call("LeaveGroup", version, group_id=self.group,
                                    member_id=self.id)["error_code"]
        answer = self.client.call("LeaveGroup", version, group_id=self.group, members=[
            {"member_id": self.id, "group_instance_id": self.instance}])
        return answer["error_code"] or answer["members"][0]["error_code"]

    def send_commit(self, topic, offset, partition=0, version=8, metadata="", **more):
        part = {"partition_index": partition, "committed_offset": offset,
                "committed_metadata": metadata}
        body = {"group_id": self.group, "generation_id_or_member_epoch": self.generation,
                "member_id": self.id}
        if version >= 7:
            body["group_instance_id"] = self.instance
        which = {"topic_id": topic} if version >= 10 else {"name": topic}
        self.client.send("OffsetCommit", version, **{**body, **more}, topics=[
            {**which, "partitions": [part]}])

    def commit(self, topic, offset, *place, **more):
        """The partition's code."""
        self.send_commit(topic, offset, *place, **more)
        return self.client.receive()["topics"][0]["partitions"][0]["error_code"]


def fetch_offsets(client, group, topics=None, version=8, **more):
    """{topic: {partition: (offset, metadata, code)}} of one group; `topics`: {topic: partitions}."""
    key = "topic_id" if version >= 10 else "name"
    asked = None if topics is None else [
        {key: name, "partition_indexes": list(parts)} for name, parts in topics.items()]
    if version < 8:
        answer = client.call("OffsetFetch", version, group_id=group, topics=asked)
    else:
        answer, = client.call("OffsetFetch", version, groups=[
            {"group_id": group, "topics": asked, **more}])["groups"]
    assert answer.get("error_code", 0) == NONE, answer
    return {topic[key]: {part["partition_index"]: (part["committed_offset"], part["metadata"],
                                                   part["error_code"])
                         for part in topic["partitions"]} for topic in answer["topics"]}


def describe(client, group, version=5):
    described, = client.call("DescribeGroups", version, groups=[group])["groups"]
    return described


def listed(client, version=5, **filters):
    """{group: (state, type)}"""
    answer = client.call("ListGroups", version, **filters)
    assert answer["error_code"] == NONE, answer
    return {g["group_id"]: (g.get("group_state"), g.get("group_type")) for g in answer["groups"]}
