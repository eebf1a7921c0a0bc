"""Groups of the consumer protocol (KIP-848): heartbeats, hand-over, epochs, restarts."""
import time

from broker import ERRORS, SECONDS, Broker
from consumer_member import (FENCED_EPOCH, NONE, STALE_EPOCH, UNKNOWN_MEMBER, ConsumerMember,
                             assert_each_once, describe, settle)
from group_member import Member, fetch_offsets, listed
from test_groups import Clients, commits_whose_answers_are_lost, until


def test_a_member_in_both_versions():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        topic = client.create("t", 3)
        for version in (0, 1):
            group = f"g{version}"
            member = ConsumerMember(client, group, ["t"], version=version)
            if version == 0:
                member.id = ""
            member.join()
            assert member.owned == {topic: [0, 1, 2]} and member.epoch > 0
            assert len(member.id) >= 36
            answer = member.beat()
            assert answer["assignment"] is None and answer["heartbeat_interval_ms"] > 0
            for described in (describe(client, group, 0), describe(client, group, 1)):
                assert (described["error_code"], described["group_state"]) == (NONE, "Stable")
                assert described["assignor_name"] == "uniform"
                one, = described["members"]
                assert (one["member_id"], one["member_epoch"]) == (member.id, member.epoch)
                assert (one["client_id"], one["client_host"]) == ("wire", "/127.0.0.1")
                part, = one["assignment"]["topic_partitions"]
                assert (part["topic_name"], sorted(part["partitions"])) == ("t", [0, 1, 2])
                assert one["target_assignment"] == one["assignment"]
            assert one["member_type"] == 1
            assert member.leave() == NONE
            assert describe(client, group)["group_state"] == "Empty"
            assert member.beat()["error_code"] == UNKNOWN_MEMBER


def test_partitions_are_handed_over():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        topic = clients.next().create("t", 4)
        first = ConsumerMember(clients.next(), "g", ["t"]).join()
        second = ConsumerMember(clients.next(), "g", ["t"]).join()
        assert first.owned == {topic: [0, 1, 2, 3]} and second.owned == {}
        first.beat()
        assert first.pending == {topic: [0, 1]}, "it is asked to give up two"
        assert describe(first.client, "g")["group_state"] == "Reconciling"
        second.go_on()
        assert second.owned == {}, "they are in use still"
        first.obey()
        first.go_on()
        second.go_on()
        assert second.owned == {topic: [2, 3]}
        settle([first, second])
        assert first.epoch == second.epoch
        second.leave()
        first.go_on()
        assert first.owned == {topic: [0, 1, 2, 3]}


def test_many_members_on_several_topics():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        client.create("a", 10)
        client.create("b", 5)
        members = [ConsumerMember(clients.next(), "g", ["a", "b"]).join() for _ in range(4)]
        members += [ConsumerMember(clients.next(), "g", ["b"]).join() for _ in range(2)]
        settle(members)
        assert_each_once(members, 15)
        assert sorted(m.count() for m in members) == [2, 2, 2, 3, 3, 3]
        for member in members[1:4]:
            assert member.leave() == NONE
        settle([members[0], *members[4:]])
        assert_each_once([members[0], *members[4:]], 15)
        assert members[0].count() == 10 and members[4].count() in (2, 3)


def test_a_broker_that_dies_in_a_rebalance():
    with Broker("--cores", "2") as broker:
        with Clients(broker) as clients:
            topic = clients.next().create("t", 6)
            first = ConsumerMember(clients.next(), "g", ["t"]).join()
            second = ConsumerMember(clients.next(), "g", ["t"], instance="fixed").join()
            first.beat()
            assert first.commit("t", 7) == NONE
            epoch = describe(first.client, "g")["group_epoch"]
        broker.restart()
        with Clients(broker) as clients:
            first.client, second.client = clients.next(), clients.next()
            until(lambda: second.beat()["error_code"] == NONE, "loading")
            assert describe(first.client, "g")["group_epoch"] == epoch
            assert second.owned == {}, "nothing is free"
            # The answer to this one may have been lost: all is said again.
            answer = first.beat(topic_partitions=first.says(), rebalance_timeout_ms=60000,
                                subscribed_topic_names=["t"])
            assert answer["error_code"] == NONE and first.pending == {topic: [0, 1, 2]}
            first.obey()
            settle([first, second])
            assert_each_once([first, second], 6)
            assert fetch_offsets(first.client, "g") == {"t": {0: (7, "", 0)}}
        # Once more, with another number of cores, when all is quiet.
        broker.kill()
        broker.options = ["--cores", "3"]
        broker.start()
        with Clients(broker) as clients:
            first.client, second.client = clients.next(), clients.next()
            for member in (first, second):
                until(lambda: member.beat()["error_code"] == NONE, "loading")
            assert describe(first.client, "g")["group_state"] == "Stable"


def test_commits_whose_answers_are_lost():
    with Broker("--cores", "2") as broker:
        commits_whose_answers_are_lost(
            broker, lambda client: ConsumerMember(client, "g", ["t"]).join())


def test_epochs_that_are_not_the_newest():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        topic = client.create("t", 2)
        member = ConsumerMember(client, "g", ["t"]).join()
        old = member.epoch
        assert member.commit("t", 1) == NONE
        other = ConsumerMember(clients.next(), "g", ["t"]).join()
        settle([member, other])
        kept, = member.owned[topic]
        assert member.commit("t", 2, kept, epoch=old) == NONE, "it has had it since then"
        assert member.commit("t", 2, 1 - kept, epoch=old) == STALE_EPOCH
        assert member.commit("t", 2, kept, epoch=old - 1) == STALE_EPOCH
        assert member.commit("t", 2, epoch=member.epoch + 1) == STALE_EPOCH
        assert member.commit("t", 2, version=8) == ERRORS["UNSUPPORTED_VERSION"]
        assert member.commit("t", 3) == NONE
        assert member.commit("nowhere", 3) == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
        assert fetch_offsets(client, "g", {"t": [0]}, 9, member_id=member.id,
                             member_epoch=member.epoch) == {"t": {0: (3, "", 0)}}
        answer, = client.call("OffsetFetch", 9, groups=[{
            "group_id": "g", "topics": None, "member_id": member.id, "member_epoch": old}])["groups"]
        assert answer["error_code"] == STALE_EPOCH
        member.id = "stranger"
        assert member.commit("t", 3) == UNKNOWN_MEMBER
        assert member.beat(other.epoch)["error_code"] == UNKNOWN_MEMBER
        assert other.beat(other.epoch + 1)["error_code"] == FENCED_EPOCH
        answer = other.beat(0)
        assert answer["error_code"] == NONE and answer["assignment"] is not None


def test_static_members():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        topic = clients.next().create("t", 2)
        first = ConsumerMember(clients.next(), "g", ["t"], instance="one").join()
        second = ConsumerMember(clients.next(), "g", ["t"], instance="two").join()
        settle([first, second])
        epoch, owned = first.epoch, second.owned
        taken = ConsumerMember(clients.next(), "g", ["t"], instance="two")
        assert taken.beat(0)["error_code"] == ERRORS["UNRELEASED_INSTANCE_ID"]
        assert second.leave(-2) == NONE
        taken.join()
        assert taken.owned == owned and taken.epoch == epoch, "no rebalance"
        assert second.beat()["error_code"] == ERRORS["FENCED_INSTANCE_ID"]
        first.go_on()
        assert first.epoch == epoch and first.owned == {topic: [0]}


def test_patterns():
    with Broker("--cores", "2") as broker:
        with Clients(broker) as clients:
            client = clients.next()
            client.create("orders-1", 2)
            client.create("payments", 1)
            member = ConsumerMember(client, "g", regex="^orders-.*|^nothing").join()
            assert member.count() == 2
            everything = ConsumerMember(clients.next(), "all", regex=".*").join()
            assert everything.count() == 3, "the broker's own topics need their underscore named"
            internal = ConsumerMember(clients.next(), "own", regex="_.*").join()
            assert internal.count() == 50
            client.create("orders-2", 3)
            until(lambda: member.go_on() and member.count() == 5, "the new topic")
            client.call("DeleteTopics", 6, timeout_ms=10000, topics=[{"name": "orders-1"}])
            until(lambda: member.go_on() and member.count() == 3, "the deletion")
            assert describe(client, "g")["members"][0]["subscribed_topic_regex"] == member.regex
            bad = ConsumerMember(clients.next(), "bad", regex="a(b|c")
            answer = bad.beat(0)
            assert answer["error_code"] == ERRORS["INVALID_REGULAR_EXPRESSION"]
            assert "position 2" in answer["error_message"]
        broker.restart()
        with Clients(broker) as clients:
            member.client = clients.next()
            until(lambda: member.beat()["error_code"] == NONE, "loading")
            member.client.create("orders-3", 1)
            until(lambda: member.go_on() and member.count() == 4, "the new topic")


def test_silent_members_are_removed():
    with Broker("--group-consumer-session-timeout-ms", "600",
                "--group-consumer-min-session-timeout-ms", "1", ephemeral=True) as broker:
        with Clients(broker) as clients:
            clients.next().create("t", 2)
            first = ConsumerMember(clients.next(), "g", ["t"]).join()
            second = ConsumerMember(clients.next(), "g", ["t"]).join()
            deadline = time.monotonic() + SECONDS
            while first.count() < 2 or len(describe(first.client, "g")["members"]) > 1:
                assert time.monotonic() < deadline
                first.go_on()
            assert second.beat()["error_code"] == UNKNOWN_MEMBER


def test_one_protocol_at_a_time():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        client.create("t", 2)
        consumer = ConsumerMember(client, "g", ["t"]).join()
        assert consumer.commit("t", 5) == NONE
        classic = Member(clients.next(), "g")
        classic.send_join()
        assert classic.receive_join()["error_code"] == ERRORS["INCONSISTENT_GROUP_PROTOCOL"]
        assert listed(client, types_filter=["consumer"]) == {"g": ("Stable", "consumer")}
        assert listed(client, types_filter=["classic"]) == {}
        assert listed(client, states_filter=["Empty"]) == {}
        consumer.leave()
        classic.settle()
        assert listed(client) == {"g": ("Stable", "classic")}
        assert describe(client, "g")["error_code"] == ERRORS["GROUP_ID_NOT_FOUND"]
        assert consumer.beat(0)["error_code"] == ERRORS["GROUP_ID_NOT_FOUND"]
        assert classic.leave() == NONE
        consumer.join()
        assert fetch_offsets(client, "g") == {"t": {0: (5, "", 0)}}
        result, = client.call("DeleteGroups", 2, groups_names=["g"])["results"]
        assert result["error_code"] == ERRORS["NON_EMPTY_GROUP"]
        consumer.leave()
        result, = client.call("DeleteGroups", 2, groups_names=["g"])["results"]
        assert result["error_code"] == NONE and listed(client) == {}


def test_assignors_that_members_name():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        topics = sorted((client.create("a", 4), client.create("b", 4)))
        member = ConsumerMember(client, "g", ["a", "b"])
        answer = member.beat(0, server_assignor="sticky")
        assert answer["error_code"] == ERRORS["UNSUPPORTED_ASSIGNOR"]
        assert "uniform" in answer["error_message"]
        assert member.beat(0, server_assignor="range")["error_code"] == NONE
        member.obey()
        other = ConsumerMember(clients.next(), "g", ["a", "b"]).join()
        settle([member, other])
        assert describe(client, "g")["assignor_name"] == "range"
        assert {topic: len(parts) for topic, parts in other.owned.items()} == dict.fromkeys(topics, 2)
        assert other.owned[topics[0]] == other.owned[topics[1]], "for joins"


def test_an_answer_that_would_be_too_long():
    """What is kept once for all members would be in it for each of them."""
    names = [f"{number:0249}" for number in range(4000)]
    with Broker("--memory", "64MiB", "--cores", "1", ephemeral=True) as broker, \
            Clients(broker) as clients:
        client = clients.next()
        members = [ConsumerMember(client, "long", names).join() for _ in range(40)]
        ConsumerMember(client, "short", names[:2]).join()
        long, short = client.call("ConsumerGroupDescribe", 1,
                                  group_ids=["long", "short"])["groups"]
        assert long["error_code"] == ERRORS["INVALID_REQUEST"] and long["members"] == []
        assert "memory" in long["error_message"]
        assert short["error_code"] == NONE and len(short["members"]) == 1
        for member in members[2:]:
            assert member.leave() == NONE
        long = describe(client, "long")
        assert [len(one["subscribed_topic_names"]) for one in long["members"]] == [4000, 4000]
