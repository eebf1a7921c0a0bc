"""Fetch sessions (KIP-227): a request names what has changed, and so does its answer."""
import records
from broker import ERRORS, Broker

NOT_FOUND, BAD_EPOCH = ERRORS["FETCH_SESSION_ID_NOT_FOUND"], ERRORS["INVALID_FETCH_SESSION_EPOCH"]
MIXED, UNKNOWN = ERRORS["FETCH_SESSION_TOPIC_ID_ERROR"], ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
BY_ID = 13


class Session:
    """What a consumer does: `wanted` is topic -> {partition: offset}."""

    def __init__(self, client, version, topics):
        self.client, self.version, self.topics = client, version, topics  # name -> id
        self.names = {topic_id: name for name, topic_id in topics.items()}
        self.id, self.epoch = 0, 0

    def which(self, name):
        if self.version >= BY_ID:
            return {"topic_id": self.topics[name]}
        return {"topic": name}

    def ask(self, wanted, forget=None, *, epoch=None, wait=0, most=1 << 20, part_most=1 << 20):
        body = {"max_wait_ms": wait, "min_bytes": 1, "max_bytes": most, "session_id": self.id,
                "session_epoch": self.epoch if epoch is None else epoch, "topics": [
                    {**self.which(name), "partitions": [
                        {"partition": i, "fetch_offset": offset, "partition_max_bytes": part_most}
                        for i, offset in parts.items()]} for name, parts in wanted.items()]}
        body["forgotten_topics_data"] = [{**self.which(name), "partitions": parts}
                                         for name, parts in (forget or {}).items()]
        self.client.send("Fetch", self.version, **body)

    def take(self):
        """{(topic, partition): its part of the answer}"""
        answer = self.client.receive()
        self.code = answer["error_code"]
        if self.code == 0:
            self.id = answer["session_id"]
            self.epoch += 1
        found = {}
        for topic in answer["responses"]:
            name = self.names[topic["topic_id"]] if self.version >= BY_ID else topic["topic"]
            for part in topic["partitions"]:
                key = name, part["partition_index"]
                assert key not in found and part["error_code"] == 0 or part["error_code"], part
                found[key] = part
        return found

    def fetch(self, *args, **more):
        self.ask(*args, **more)
        return self.take()


def batch(value=b"x"):
    return records.batch([value])


def make(client, **topics):
    return {name: client.create(name, count) for name, count in topics.items()}


def test_only_what_has_changed():
    for cores in ("1", "3"):
        with Broker("--cores", cores) as broker, broker.connect() as client:
            for version in (7, 11, 12, 13, 17):
                a, b = f"a{version}", f"b{version}"
                session = Session(client, version, make(client, **{a: 3, b: 1}))
                client.produce(a, batch(), 1)
                found = session.fetch({a: {0: 0, 1: 0, 2: 0}, b: {0: 0}})
                assert session.id > 0 and len(found) == 4, "all of it, the first time"
                assert [key for key, part in found.items() if part["records"]] == [(a, 1)]
                found = session.fetch({})
                assert list(found) == [(a, 1)], "its offset has not moved"
                kept = session.id
                assert session.fetch({a: {1: 1}}) == {} and session.id == kept
                client.produce(b, batch(b"new"), 0)
                found = session.fetch({})
                assert list(found) == [(b, 0)] and found[b, 0]["high_watermark"] == 1
                assert records.values(found[b, 0]["records"]) == [(0, b"new")]
                assert session.fetch({b: {0: 1}}) == {}
                client.produce(a, batch(), 2)
                assert session.fetch({}, forget={a: [2], b: [7]}) == {}, "forgotten"
                found = session.fetch({a: {2: 0}})
                assert list(found) == [(a, 2)], "and wanted again"
                assert session.fetch({}, epoch=-1) == {} and session.id == 0


def test_waiting_in_a_session():
    with Broker("--cores", "2") as broker, broker.connect() as client, broker.connect() as other:
        session = Session(client, 12, make(client, t=4))
        session.fetch({"t": {i: 0 for i in range(4)}})
        session.ask({}, wait=20000)
        assert client.is_silent(0.3)
        other.produce("t", batch(b"woken"), 3)
        found = session.take()
        assert list(found) == [("t", 3)]
        assert records.values(found["t", 3]["records"]) == [(0, b"woken")]
        assert session.fetch({"t": {3: 1}}, wait=200) == {}, "nothing, at the deadline"


def test_who_may_go_on():
    with Broker() as broker, broker.connect() as client, broker.connect() as other:
        topics = make(client, t=1)
        session = Session(client, 12, topics)
        session.fetch({}, epoch=1)
        assert session.code == NOT_FOUND
        session.fetch({"t": {0: 0}})
        first = session.id
        assert session.fetch({}, epoch=5) == {} and session.code == BAD_EPOCH
        assert session.fetch({}) == {} and session.code == 0, "it is still there"
        stranger = Session(other, 12, topics)
        stranger.id = first
        assert stranger.fetch({}, epoch=2) == {} and stranger.code == NOT_FOUND
        session.version = BY_ID
        assert session.fetch({}) == {} and session.code == MIXED
        session.version, session.epoch = 12, 0
        session.fetch({"t": {0: 0}})
        assert session.code == 0 and session.id not in (0, first), "a new one in its place"
        second, session.id = session.id, first
        assert session.fetch({}) == {} and session.code == NOT_FOUND
        session.id = second
        client.fetch("t", 0)  # without a session, beside it
        assert session.fetch({}) == {} and session.code == 0
        assert session.fetch({}, forget={"t": [0]}) == {} and session.id == 0, "nothing is left"
        session.id = second
        assert session.fetch({}) == {} and session.code == NOT_FOUND
        assert client.call("Fetch", 6, **client.fetch_body("t", {0: 0}, 6))["responses"]


def test_errors_are_told_each_time():
    with Broker() as broker, broker.connect() as client:
        session = Session(client, 12, make(client, t=2))
        wanted = {"t": {0: 0, 1: 5, 2: 0}, "nowhere": {0: 0}}
        assert len(session.fetch(wanted)) == 4
        for _ in range(2):
            found = session.fetch({})
            assert {key: part["error_code"] for key, part in found.items()} == {
                ("t", 1): ERRORS["OFFSET_OUT_OF_RANGE"], ("t", 2): UNKNOWN,
                ("nowhere", 0): UNKNOWN}
        found = session.fetch({"t": {1: 0}}, forget={"t": [2], "nowhere": [0]})
        assert list(found) == [("t", 1)] and found["t", 1]["error_code"] == 0, "it is well again"
        assert session.fetch({}) == {}
        client.call("DeleteTopics", 5, topic_names=["t"], timeout_ms=5000)
        assert len(session.fetch({})) == 2
        client.create("t", 2)
        found = session.fetch({})
        assert len(found) == 2 and all(part["high_watermark"] == 0 for part in found.values())
        assert session.fetch({}) == {}


def test_a_deleted_topic_by_its_id():
    with Broker() as broker, broker.connect() as client:
        session = Session(client, 13, make(client, t=1))
        session.fetch({"t": {0: 0}})
        client.call("DeleteTopics", 5, topic_names=["t"], timeout_ms=5000)
        client.create("t")
        for _ in range(2):
            found = session.fetch({})
            assert found["t", 0]["error_code"] == ERRORS["UNKNOWN_TOPIC_ID"]


def test_watermarks_without_records():
    """max_bytes is spent on another partition: what moved is told all the same."""
    with Broker() as broker, broker.connect() as client:
        session = Session(client, 12, make(client, t=2))
        session.fetch({"t": {0: 0, 1: 0}})
        for partition in (0, 1):
            client.produce("t", batch(b"x" * 5000), partition)
        found = session.fetch({}, most=1000)
        assert [bool(part["records"]) for part in found.values()] == [True, False]
        assert [part["high_watermark"] for part in found.values()] == [1, 1]
        answer = client.call("DeleteRecords", 2, timeout_ms=5000, topics=[
            {"name": "t", "partitions": [{"partition_index": 0, "offset": 1}]}])
        assert answer["topics"][0]["partitions"][0]["error_code"] == 0
        found = session.fetch({"t": {0: 1, 1: 1}})
        assert found["t", 0]["log_start_offset"] == 1 and ("t", 1) not in found


def test_all_partitions_get_their_turn():
    with Broker("--cores", "2") as broker, broker.connect() as client:
        topics = make(client, a=3, b=2)
        session = Session(client, 13, topics)
        for name, count in (("a", 3), ("b", 2)):
            for partition in range(count):
                for _ in range(10):
                    client.produce(name, batch(b"x" * 3000), partition)
        served, found = [], session.fetch({"a": {0: 0, 1: 0, 2: 0}, "b": {0: 0, 1: 0}}, most=1000)
        for _ in range(10):
            got = [key for key, part in found.items() if part["records"]]
            assert len(got) == 1
            served += got
            offset = records.batches(found[got[0]]["records"])[-1][0] + 1
            found = session.fetch({got[0][0]: {got[0][1]: offset}}, most=1000)
        assert all(served.count(key) >= 1 for key in [("a", i) for i in range(3)] + [
            ("b", 0), ("b", 1)]), served


def test_over_budget_there_is_no_session():
    """The memory for sessions is bounded; who gets none fetches without."""
    with Broker("--memory", "64MiB", ephemeral=True) as broker:
        with broker.connect() as first, broker.connect() as second:
            topics = make(first, t=1)
            wide = {"t": {0: 0, **{i: 0 for i in range(1, 8000)}}}
            opened = Session(first, 12, topics)
            opened.fetch(wide)
            assert opened.id > 0
            refused = Session(second, 12, topics)
            assert len(refused.fetch(wide)) == 8000 and refused.id == 0
            assert second.fetch("t", 0)["error_code"] == 0
            narrow = Session(second, 12, topics)
            narrow.fetch({"t": {0: 0}})
            assert narrow.id > 0
            narrow.fetch(wide)
            assert narrow.code == NOT_FOUND, "it could not grow"
            for epoch in (1, 2):
                narrow.fetch({}, epoch=epoch)
                assert narrow.code == NOT_FOUND, "and is closed"
            assert first.fetch("t", 0)["error_code"] == 0
            opened.fetch({})
            assert opened.code == 0, "a live one is never taken away"
        with broker.connect() as third:
            again = Session(third, 12, topics)
            again.fetch(wide)
            assert again.id > 0, "the others' memory came back with their connections"


def test_sessions_of_connections_that_die():
    with Broker("--cores", "2") as broker:
        with broker.connect() as client:
            topics = make(client, t=6)
        for round_ in range(40):
            client = broker.connect()
            session = Session(client, 12 + round_ % 2, topics)
            session.fetch({"t": {i: 0 for i in range(6)}})
            if round_ % 3 == 0:
                session.ask({}, wait=10000)
            if round_ % 4 == 0:
                client.send("Produce", 9, **client.produce_body("t", {round_ % 6: batch()}))
            client.close()
