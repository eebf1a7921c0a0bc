"""`millrace group ...` against a real broker, with members of both protocols attached."""
import records
from broker import Broker
from consumer_member import ConsumerMember, settle
from group_member import NONE, Member, fetch_offsets
from test_cli import rows, run
from test_groups import Clients

START_MS = 1_700_000_000_000


def fill(client, topic, partitions=3, count=10):
    """Records one second apart, from START_MS on, in each partition."""
    topic_id = client.create(topic, partitions)
    stamps = [START_MS + 1000 * i for i in range(count)]
    for partition in range(partitions):
        batch = records.batch([b"x"] * count, timestamps=stamps)
        assert client.produce(topic, batch, partition)["error_code"] == NONE
    return topic_id


def committed(client, group):
    return {topic: {part: offset for part, (offset, _, _) in parts.items()}
            for topic, parts in fetch_offsets(client, group).items()}


def lag(broker, group):
    """The whole, and {(topic, partition): row}."""
    shown, = rows(run(broker, "group", "lag", group, "--json"))
    return shown, {(row["topic"], row["partition"]): row for row in shown["partitions"]}


def test_a_group_with_members():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        fill(client, "t")
        members = [ConsumerMember(clients.next(), "new", ["t"]).join() for _ in range(2)]
        settle(members)
        assert members[0].commit("t", 4, sorted(members[0].owned.values())[0][0]) == NONE
        Member(clients.next(), "old", protocols=[("range", b"\0\0\0\0\0\1\0\1t\0\0\0\0")]).settle()
        assert [row["group"] for row in rows(run(broker, "group", "list", "--json"))] == [
            "new", "old"]
        assert run(broker, "group", "list", "--type", "Consumer").split() == [
            "new", "consumer", "Stable"]
        assert run(broker, "group", "list", "--state", "Empty") == ""

        shown, old = rows(run(broker, "group", "describe", "new", "old", "--json"))
        assert (shown["type"], shown["state"], shown["assignor"]) == ("consumer", "Stable",
                                                                      "uniform")
        assert shown["epoch"] == shown["assignment_epoch"] == members[0].epoch
        assert {one["member"] for one in shown["members"]} == {m.id for m in members}
        for one in shown["members"]:
            assert (one["client_id"], one["host"]) == ("wire", "/127.0.0.1")
            assert one["owned"] == one["target"] and one["subscribed"] == ["t"]
        assert sorted(sum((one["owned"]["t"] for one in shown["members"]), [])) == [0, 1, 2]
        assert (old["type"], old["protocol_type"]) == ("classic", "consumer")
        assert old["members"][0]["subscribed"] == ["t"]
        text = run(broker, "group", "describe", "new")
        assert text.startswith("new  consumer  Stable  assignor uniform  epoch ")
        assert f"  member {members[1].id}  client wire  host /127.0.0.1  epoch " in text

        whole, parts = lag(broker, "new")
        first = sorted(members[0].owned.values())[0][0]
        assert (whole["state"], whole["lag"]) == ("Stable", 6)
        assert parts["t", first] == {"topic": "t", "partition": first, "committed": 4, "end": 10,
                                     "lag": 6, "member": members[0].id, "client_id": "wire",
                                     "host": "/127.0.0.1"}
        assert [row["lag"] for key, row in parts.items() if key[1] != first] == [None, None]
        assert all("member" in row for row in parts.values())
        assert "new  Stable  lag 6\n" in run(broker, "group", "lag", "new")


def test_members_are_in_the_way():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        fill(client, "t")
        new = ConsumerMember(clients.next(), "new", ["t"]).join()
        old = Member(clients.next(), "old").settle()
        assert new.commit("t", 4) == NONE and old.commit("t", 4) == NONE
        for group, member in (("new", new), ("old", old)):
            for words in (["reset", group, "--to", "earliest", "--yes"], ["delete", group]):
                said = run(broker, "group", *words, status=1)
                assert f"active: member {member.id}  client wire  host /127.0.0.1\n" in said, said
                assert f"{words[0]} group {group}: it has 1 active member; stop" in said, said
            assert committed(client, group) == {"t": {0: 4}}
            member.leave()
            run(broker, "group", "reset", group, "--to", "earliest", "--yes")
            assert committed(client, group) == {"t": {0: 0}}
            assert run(broker, "group", "delete", group) == f"deleted group {group}\n"
        assert run(broker, "group", "list") == ""


def test_a_static_member_is_expected_back():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        fill(client, "t")
        member = ConsumerMember(client, "g", ["t"], instance="i").join()
        assert member.leave(-2) == NONE
        assert "instance i  has left, is expected back\n" in run(broker, "group", "describe", "g")
        assert "instance i has left, and is expected back" in run(broker, "group", "delete", "g",
                                                                  status=1)


def reset(broker, *words):
    """{(topic, partition): (committed, offset)}, and whether it is done."""
    shown = rows(run(broker, "group", "reset", "g", *words, "--json"))
    return {(row["topic"], row["partition"]): (row["committed"], row["offset"]) for row in shown}


def test_reset():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        fill(client, "t")
        fill(client, "u", 2)
        member = Member(client, "g").settle()
        for partition in range(3):
            assert member.commit("t", 5, partition) == NONE
        assert member.commit("u", 7) == NONE
        member.leave()
        before = committed(client, "g")

        text = run(broker, "group", "reset", "g", "--to", "earliest")
        assert text.startswith("would reset group g\n") and "--yes" in text, text
        assert reset(broker, "--to", "latest") == {
            ("t", 0): (5, 10), ("t", 1): (5, 10), ("t", 2): (5, 10), ("u", 0): (7, 10)}
        assert reset(broker, "--to", "-4", "-t", "u") == {("u", 0): (7, 6), ("u", 1): (-1, 6)}
        assert reset(broker, "--to", "3", "--topic", "t:0,2") == {
            ("t", 0): (5, 3), ("t", 2): (5, 3)}
        assert set(reset(broker, "--to", f"@{START_MS + 2500}").values()) == {(5, 3), (7, 3)}
        assert set(reset(broker, "--to", "@-1h").values()) == {(5, 10), (7, 10)}
        assert set(reset(broker, "--shift", "-6", "--topic", "t").values()) == {(5, 0)}
        assert reset(broker, "--shift", "+1", "-t", "u:0", "-t", "t:1-2") == {
            ("t", 1): (5, 6), ("t", 2): (5, 6), ("u", 0): (7, 8)}
        assert committed(client, "g") == before, "a preview changes nothing"

        text = run(broker, "group", "reset", "g", "--shift", "-6", "--topic", "t:1", "--yes")
        assert text.startswith("reset group g\n") and "--yes" not in text, text
        assert committed(client, "g") == {"t": {0: 5, 1: 0, 2: 5}, "u": {0: 7}}
        reset(broker, "--to", "2", "--topic", "u", "--yes")
        assert committed(client, "g") == {"t": {0: 5, 1: 0, 2: 5}, "u": {0: 2, 1: 2}}
        again = ConsumerMember(client, "g", ["t"])
        assert again.join().commit("t", 5) == NONE, "a member can go on there"


def test_what_is_not_there():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        fill(client, "t")
        for words in (["describe", "g"], ["lag", "g"], ["delete", "g"]):
            assert "group g does not exist; millrace group list names those that do" in run(
                broker, "group", *words, status=1)
        assert run(broker, "group", "delete", "g", "--if-exists") == ""
        assert "has committed nothing; say what it is to read with --topic" in run(
            broker, "group", "reset", "g", "--to", "earliest", status=1)
        assert "topic t has no partition 3, only 0 to 2" in run(
            broker, "group", "reset", "g", "--to", "earliest", "-t", "t:0-3", status=1)
        assert "millrace topic create nope" in run(
            broker, "group", "reset", "g", "--to", "earliest", "-t", "nope", status=1)
        assert "no committed offset to shift; use --to" in run(
            broker, "group", "reset", "g", "--shift", "1", "-t", "t", status=1)
        assert "give either --to" in run(broker, "group", "reset", "g", status=2)
        assert "TOPIC:0,3-5" in run(broker, "group", "reset", "g", "--to", "0", "-t", "t:x",
                                    status=2)
        run(broker, "group", "reset", "g", "--to", "4", "-t", "t", "--yes")
        assert committed(client, "g") == {"t": {0: 4, 1: 4, 2: 4}}, "it is made"


def test_a_topic_that_is_deleted():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        fill(client, "t", 1)
        fill(client, "u", 1)
        run(broker, "group", "reset", "g", "--to", "4", "-t", "t", "-t", "u", "--yes")
        run(broker, "topic", "delete", "u")
        whole, parts = lag(broker, "g")
        assert whole["lag"] == 6 and list(parts) == [("t", 0)], whole
