"""Classic groups and their offsets: the rules of Kafka's coordinator, byte by byte."""
import signal
import time

import records
from broker import ERRORS, SECONDS, Broker, Closed
from group_member import (FENCED, ILLEGAL_GENERATION, MEMBER_ID_REQUIRED, NONE, REBALANCING,
                          UNKNOWN_MEMBER, Member, describe, fetch_offsets, find_coordinator,
                          listed)

SHORT = ["--group-min-session-timeout-ms", "1"]


def until(holds, what):
    """Something that is to happen by itself."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


class Clients:
    """As many connections as a test asks for, closed together."""

    def __init__(self, broker):
        self.broker, self.all = broker, []

    def __enter__(self):
        find_coordinator(self.next())
        return self

    def next(self):
        self.all.append(self.broker.connect())
        return self.all[-1]

    def __exit__(self, *_):
        for client in self.all:
            client.close()


def group_of(clients, count, group="g", **more):
    """A settled group of several members; the first one leads."""
    members = [Member(clients.next(), group, **more) for _ in range(count)]
    first = members[0].settle()
    for member in members[1:]:
        if member.instance is None:
            member.get_id()
        member.send_join()
    until(lambda: first.heartbeat() == REBALANCING, "a rebalance")
    first.send_join()
    for member in members:
        assert member.receive_join()["error_code"] == NONE
    assert sorted(first.members) == sorted(m.id for m in members)
    for member in members[1:]:
        assert not member.members and not member.leads
        member.send_sync()
    first.send_sync({m.id: m.id.encode() for m in members})
    for member in members:
        answer = member.client.receive()
        assert (answer["error_code"], answer["assignment"]) == (NONE, member.id.encode())
    return members


# ---- every version ---------------------------------------------------------------------------

def test_a_member_alone_in_every_version():
    with Broker("--cores", "3", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        topic_id = client.create("t", 3)
        for version in range(10):
            member = Member(client, f"g{version}", join=version)
            answer = member.join()
            assert member.leads and member.members == [member.id], answer
            assert answer["protocol_name"] == "range" and answer["generation_id"] == 1
            assert answer.get("skip_assignment", False) is False
            answer = member.sync({member.id: b"mine"}, min(version, 5))
            assert (answer["error_code"], answer["assignment"]) == (NONE, b"mine")
            assert member.heartbeat(min(version, 4)) == NONE
            commit = version + 1 if version else 2
            assert member.commit(topic_id if commit == 10 else "t", 7, version=commit) == NONE
            assert member.leave(min(version, 5)) == NONE
            assert describe(client, member.group)["group_state"] == "Empty"
        for version in range(1, 11):
            name = topic_id if version == 10 else "t"
            got = fetch_offsets(client, "g9", {name: [0, 1]}, version)
            assert got == {name: {0: (7, "", 0), 1: (-1, "", 0)}}, (version, got)


def test_protocol_types_are_opaque():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        connect = Member(clients.next(), "g", kind="connect", protocols=(("sessioned", b"\xff"),))
        answer = connect.settle()
        stranger = Member(clients.next(), "g")
        stranger.send_join()
        answer = stranger.receive_join()
        assert answer["error_code"] == ERRORS["INCONSISTENT_GROUP_PROTOCOL"], answer
        assert listed(clients.next()) == {"g": ("Stable", "classic")}
        assert describe(clients.next(), "g")["protocol_type"] == "connect"


def test_a_protocol_that_all_have_is_chosen():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        first = Member(clients.next(), "g", protocols=(("a", b"1"), ("b", b"2"))).settle()
        other = Member(clients.next(), "g", protocols=(("c", b"3"), ("b", b"4")))
        other.get_id()
        other.send_join()
        until(lambda: first.heartbeat() == REBALANCING, "a rebalance")
        first.send_join()
        answer = first.receive_join()
        assert answer["protocol_name"] == "b" == other.receive_join()["protocol_name"]
        assert sorted(m["metadata"] for m in answer["members"]) == [b"2", b"4"]
        third = Member(clients.next(), "g", protocols=(("a", b""), ("c", b"")))
        third.send_join()
        assert third.receive_join()["error_code"] == ERRORS["INCONSISTENT_GROUP_PROTOCOL"]


# ---- states ----------------------------------------------------------------------------------

def test_rebalance_states_are_not_symmetric():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        admin = clients.next()
        admin.create("t")
        first = Member(clients.next(), "g").settle()
        other = Member(clients.next(), "g")
        other.get_id()
        other.send_join()
        until(lambda: describe(admin, "g")["group_state"] == "PreparingRebalance", "PREPARING")
        assert first.heartbeat() == REBALANCING
        assert first.commit("t", 5) == NONE
        assert first.sync()["error_code"] == REBALANCING
        assert first.heartbeat(generation_id=9) == ILLEGAL_GENERATION
        assert first.heartbeat(member_id="who") == UNKNOWN_MEMBER
        first.send_join()
        first.receive_join()
        other.receive_join()
        assert describe(admin, "g")["group_state"] == "CompletingRebalance"
        assert first.heartbeat() == NONE == other.heartbeat()
        assert first.commit("t", 6) == REBALANCING
        assert first.commit("t", 6, generation_id_or_member_epoch=1) == ILLEGAL_GENERATION
        other.send_sync()
        assert other.client.is_silent()
        assert first.sync({first.id: b"1", other.id: b"2"})["assignment"] == b"1"
        assert other.client.receive()["assignment"] == b"2"
        assert describe(admin, "g")["group_state"] == "Stable"
        assert other.commit("t", 6) == NONE
        assert other.sync()["assignment"] == b"2"
        assert other.sync(protocol_name="x")["error_code"] == ERRORS["INCONSISTENT_GROUP_PROTOCOL"]


def test_join_again():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        leader, follower = group_of(clients, 2)
        generation = leader.generation
        follower.send_join()  # nothing has changed: told the generation, no rebalance
        assert follower.receive_join()["generation_id"] == generation
        assert leader.heartbeat() == NONE
        follower.protocols = (("range", b"changed"),)
        follower.send_join()
        until(lambda: leader.heartbeat() == REBALANCING, "a rebalance")
        leader.send_join()
        assert leader.receive_join()["generation_id"] == generation + 1
        follower.receive_join()
        leader.send_sync({leader.id: b"", follower.id: b""})
        leader.client.receive()
        leader.send_join()  # a leader always begins one
        until(lambda: follower.heartbeat() == REBALANCING, "a rebalance")
        follower.send_join()
        assert follower.receive_join()["generation_id"] == generation + 2
        leader.receive_join()


def test_leaving_rebalances_the_others():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        first, second, third = group_of(clients, 3)
        assert first.leave() == NONE  # the leader
        assert first.heartbeat() == UNKNOWN_MEMBER
        assert second.heartbeat() == REBALANCING
        second.send_join()
        third.send_join()
        second.receive_join()
        third.receive_join()
        assert second.leader == third.leader and second.leader in (second.id, third.id)
        answer = clients.next().call("LeaveGroup", 3, group_id="g", members=[
            {"member_id": second.id}, {"member_id": third.id}, {"member_id": "nobody"}])
        assert [m["error_code"] for m in answer["members"]] == [NONE, NONE, UNKNOWN_MEMBER]
        assert describe(clients.next(), "g")["group_state"] == "Empty"


# ---- ids, sizes, sessions --------------------------------------------------------------------

def test_ids_that_nobody_joins_with_expire():
    with Broker(*SHORT, ephemeral=True) as broker, Clients(broker) as clients:
        settled = Member(clients.next(), "g").settle()
        ghost = Member(clients.next(), "g", session=300)
        ghost.get_id()
        third = Member(clients.next(), "g")
        third.get_id()
        third.send_join()
        until(lambda: settled.heartbeat() == REBALANCING, "a rebalance")
        settled.send_join()  # the ghost's id holds it up, until its session ends
        assert settled.receive_join()["error_code"] == NONE
        assert third.receive_join()["error_code"] == NONE
        ghost.send_join()
        assert ghost.receive_join()["error_code"] == UNKNOWN_MEMBER


def test_group_max_size():
    with Broker("--group-max-size", "2", ephemeral=True) as broker, Clients(broker) as clients:
        Member(clients.next(), "g").settle()
        Member(clients.next(), "g").get_id()  # counts before it joins
        full = Member(clients.next(), "g")
        full.send_join()
        assert full.receive_join()["error_code"] == ERRORS["GROUP_MAX_SIZE_REACHED"]


def test_sessions_end():
    with Broker(*SHORT, ephemeral=True) as broker, Clients(broker) as clients:
        silent = Member(clients.next(), "g", session=300).settle()
        admin = clients.next()
        until(lambda: describe(admin, "g")["group_state"] == "Empty", "the end of the session")
        assert silent.heartbeat() == UNKNOWN_MEMBER
        other = Member(clients.next(), "g", session=7)
        answer = other.join()
        assert answer["generation_id"] == silent.generation + 2


def test_time_outs_out_of_bounds():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        for session in (5999, 1800001, -1):
            member = Member(clients.next(), "g", session=session)
            member.send_join()
            assert member.receive_join()["error_code"] == ERRORS["INVALID_SESSION_TIMEOUT"]
        nameless = Member(clients.next(), "")
        nameless.send_join()
        assert nameless.receive_join()["error_code"] == ERRORS["INVALID_GROUP_ID"]
        stranger = Member(clients.next(), "nowhere")
        stranger.id = "made-up"
        stranger.send_join()
        assert stranger.receive_join()["error_code"] == UNKNOWN_MEMBER
        assert listed(clients.next()) == {}


def test_members_that_do_not_join_again_or_sync_go():
    with Broker(*SHORT, ephemeral=True) as broker, Clients(broker) as clients:
        first = Member(clients.next(), "g", rebalance=300, session=20000).settle()
        second = Member(clients.next(), "g", rebalance=300, session=20000)
        second.get_id()
        second.send_join()  # `first` does not come, and is left behind
        assert second.receive_join()["error_code"] == NONE and second.leads
        assert first.heartbeat() == UNKNOWN_MEMBER
        admin = clients.next()  # `second` owes SyncGroup, and goes as well
        until(lambda: describe(admin, "g")["group_state"] == "Empty", "an empty group")
        assert second.heartbeat() == UNKNOWN_MEMBER


def test_an_initial_delay_collects_members():
    with Broker("--group-initial-rebalance-delay-ms", "500", ephemeral=True) as broker, \
            Clients(broker) as clients:
        members = [Member(clients.next(), "g") for _ in range(5)]
        for member in members:
            member.get_id()
            member.send_join()
        for member in members:
            assert member.receive_join()["error_code"] == NONE
        assert {m.generation for m in members} == {1}
        assert sum(len(m.members) for m in members) == 5


def test_a_stalled_broker_keeps_its_members():
    """It stands still for longer than the session, and what was sent meanwhile counts."""
    with Broker(*SHORT) as broker, Clients(broker) as clients:
        member = Member(clients.next(), "g", session=1000).settle()
        quiet = Member(clients.next(), "h", session=1000).settle()
        broker.process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        broker.process.send_signal(signal.SIGCONT)
        assert member.heartbeat() == NONE
        assert quiet.heartbeat() == NONE


# ---- static members --------------------------------------------------------------------------

def test_static_members_are_replaced():
    with Broker("--cores", "2") as broker:
        with Clients(broker) as clients:
            old = Member(clients.next(), "g", "one").settle()
            other = Member(clients.next(), "g", "two")
            other.send_join()
            until(lambda: old.heartbeat() == REBALANCING, "a rebalance")
            old.send_join()
            old.receive_join()
            other.receive_join()
            old.send_sync({old.id: b"first", other.id: b"second"})
            old.client.receive()
            assert other.sync()["assignment"] == b"second"
            generation = old.generation

            again = Member(clients.next(), "g", "two")  # no rebalance, and the same work
            again.send_join()
            answer = again.receive_join()
            assert (answer["error_code"], answer["generation_id"]) == (NONE, generation)
            assert again.id != other.id and not answer["skip_assignment"]
            assert again.sync()["assignment"] == b"second"
            assert other.heartbeat() == FENCED == other.sync()["error_code"]
            assert other.leave() == FENCED
            assert old.heartbeat() == NONE == again.heartbeat()

            leader = Member(clients.next(), "g", "one")  # told not to assign again (KIP-814)
            leader.send_join()
            answer = leader.receive_join()
            assert answer["skip_assignment"] and leader.leads and len(leader.members) == 2
            older = Member(clients.next(), "g", "one", join=8)
            older.send_join()
            answer = older.receive_join()
            assert answer["leader"] == leader.id != older.id and not older.members
            assert older.sync()["assignment"] == b"first"
            changed = Member(clients.next(), "g", "two", protocols=(("other", b""),))
            changed.send_join()
            assert changed.receive_join()["error_code"] == ERRORS["INCONSISTENT_GROUP_PROTOCOL"]
        broker.restart()
        with Clients(broker) as clients:  # replaced for good
            older.client = again.client = clients.next()
            assert older.heartbeat() == NONE == again.heartbeat()
            answer = clients.next().call("LeaveGroup", 5, group_id="g", members=[
                {"member_id": "", "group_instance_id": "two"},
                {"member_id": "", "group_instance_id": "three"}])
            assert [m["error_code"] for m in answer["members"]] == [NONE, UNKNOWN_MEMBER]
            assert older.heartbeat() == REBALANCING


# ---- restarts --------------------------------------------------------------------------------

def test_a_generation_survives_the_broker():
    with Broker("--cores", "3") as broker:
        with Clients(broker) as clients:
            clients.next().create("t")
            members = group_of(clients, 3)
            assert members[0].commit("t", 41) == NONE
        for how in ("kill", "stop", "kill"):
            getattr(broker, how)()
            broker.start()
            with Clients(broker) as clients:
                for member in members:
                    member.client = clients.next()
                    assert member.heartbeat() == NONE
                    assert member.sync()["assignment"] == member.id.encode()
                    assert member.commit("t", 42) == NONE
                assert fetch_offsets(clients.next(), "g") == {"t": {0: (42, "", 0)}}
                described = describe(clients.next(), "g")
                assert described["group_state"] == "Stable" and len(described["members"]) == 3


def commits_whose_answers_are_lost(broker, make):
    """The broker dies when a commit is durable and nobody has read the answer, or a moment after it
    was sent. It is there then, or was not taken; saying it again is right in both cases."""
    with Clients(broker) as clients:
        clients.next().create("t")
        member = make(clients.next())
        assert member.commit("t", 0) == NONE
    for offset in range(1, 9):
        with Clients(broker) as clients:
            member.client, asker = clients.next(), clients.next()
            until(lambda: member.commit("t", offset - 1) == NONE, "loading")
            member.send_commit("t", offset)
            durable = offset % 2 == 1
            if durable:
                until(lambda: fetch_offsets(asker, "g") == {"t": {0: (offset, "", 0)}}, "a commit")
            broker.kill()
        broker.start()
        with Clients(broker) as clients:
            found = fetch_offsets(clients.next(), "g")["t"][0][0]
            assert found == offset or (found == offset - 1 and not durable), (found, offset)
            member.client = clients.next()
            assert member.commit("t", offset) == NONE


def test_commits_whose_answers_are_lost():
    with Broker("--cores", "2") as broker:
        commits_whose_answers_are_lost(broker, lambda client: Member(client, "g").settle())


def test_another_number_of_cores():
    with Broker("--cores", "1") as broker:
        with Clients(broker) as clients:
            clients.next().create("t")
            for number in range(40):
                member = Member(clients.next(), f"g{number}", join=0).settle()
                assert member.commit("t", number) == NONE
        broker.options = ["--cores", "3"]
        broker.restart()
        with Clients(broker) as clients:
            client = clients.next()
            for number in range(40):
                assert fetch_offsets(client, f"g{number}") == {"t": {0: (number, "", 0)}}
            assert len(listed(client)) == 40


def test_the_end_while_members_wait():
    with Broker("--cores", "2") as broker, Clients(broker) as clients:
        Member(clients.next(), "g").settle()
        waiting = Member(clients.next(), "g")
        waiting.get_id()
        waiting.send_join()
        assert waiting.client.is_silent()
        assert broker.stop() == 0
        try:
            assert waiting.receive_join()["error_code"] == ERRORS["COORDINATOR_NOT_AVAILABLE"]
        except Closed:
            pass


def test_a_client_that_is_gone_while_it_waits():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        first = Member(clients.next(), "g").settle()
        waiting = Member(clients.next(), "g")
        waiting.get_id()
        waiting.send_join()
        until(lambda: first.heartbeat() == REBALANCING, "a rebalance")
        waiting.client.close()
        first.send_join()  # it counts as there until its session ends
        assert first.receive_join()["error_code"] == NONE and len(first.members) == 2
        waiting.client = clients.next()
        assert first.sync({waiting.id: b"yours"})["error_code"] == NONE
        waiting.send_join()
        assert waiting.receive_join()["generation_id"] == first.generation
        assert waiting.sync()["assignment"] == b"yours"


# ---- a full disk -----------------------------------------------------------------------------

NO_SPACE = "segment_allocate:1:28"  # ENOSPC, for what is too large for the journal
NOT_YET = (ERRORS["COORDINATOR_NOT_AVAILABLE"], ERRORS["COORDINATOR_LOAD_IN_PROGRESS"])


def large_member(client):
    return Member(client, "large", protocols=(("range", bytes(500_000)),))


def test_groups_outlast_a_full_disk():
    """A group that needs more than the journal takes is told so, with those beside it in its log;
    they all go on when there is space."""
    options = ["--cores", "1", "--offsets-topic-num-partitions", "1"]
    with Broker(*options, fault=NO_SPACE + ":85") as broker, Clients(broker) as clients:
        clients.next().create("t", 1)
        small, large = Member(clients.next(), "small").settle(), large_member(clients.next())
        assert small.commit("t", 7) == NONE
        large.join()
        answer = large.sync({large.id: b"mine"})
        assert answer["error_code"] in NOT_YET, answer
        assert "is full, or nearly" in broker.said()
        assert small.heartbeat() == NONE and small.commit("t", 8) in NOT_YET
        until(lambda: small.client.call("OffsetFetch", 7, group_id="small", topics=[])
              ["error_code"] == NONE, "space")
        assert fetch_offsets(small.client, "small") == {"t": {0: (7, "", 0)}}
        assert small.heartbeat() == NONE and small.commit("t", 9) == NONE
        assert large.heartbeat() == NONE and large.sync()["assignment"] == b"mine"
        broker.restart()
        with broker.connect() as client:
            until(lambda: client.call("OffsetFetch", 7, group_id="small", topics=[])["error_code"]
                  == NONE, "loading")
            assert fetch_offsets(client, "small") == {"t": {0: (9, "", 0)}}
            assert describe(client, "large")["group_state"] == "Stable"


def test_a_broker_ends_while_a_group_waits_for_space():
    with Broker(fault=NO_SPACE) as broker, Clients(broker) as clients:
        large = large_member(clients.next())
        large.join()
        large.send_sync({large.id: b"mine"})
        until(lambda: "is full, or nearly" in broker.said(), "a full disk")
        assert broker.stop() == 0


# ---- offsets ---------------------------------------------------------------------------------

def test_offsets_of_consumers_that_manage_themselves():
    with Broker("--cores", "2") as broker:
        with Clients(broker) as clients:
            client = clients.next()
            client.create("t", 2)
            alone = Member(client, "g")
            for version in range(2, 10):
                assert alone.commit("t", version, version=version, metadata="m") == NONE
                assert fetch_offsets(client, "g") == {"t": {0: (version, "m", 0)}}
            assert listed(client) == {"g": ("Empty", "classic")}
            assert alone.commit("t", 1, partition=2) == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
            assert alone.commit("x", 1) == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
            assert alone.commit(b"\7" * 16, 1, version=10) == ERRORS["UNKNOWN_TOPIC_ID"]
            long = "x" * 4097
            assert alone.commit("t", 1, metadata=long) == ERRORS["OFFSET_METADATA_TOO_LARGE"]
            assert alone.commit("t", 1, generation_id_or_member_epoch=5) == UNKNOWN_MEMBER
            other = Member(client, "other")
            assert other.commit("t", 1, generation_id_or_member_epoch=5) == ILLEGAL_GENERATION
            assert (other.commit("t", 1, version=9, generation_id_or_member_epoch=5)
                    == ERRORS["GROUP_ID_NOT_FOUND"])
            assert "other" not in listed(client)
            member = Member(clients.next(), "g").settle()
            assert alone.commit("t", 1) == UNKNOWN_MEMBER  # only while nobody is a member
            assert member.commit("t", 10) == NONE
        broker.restart()
        with broker.connect() as client:
            assert fetch_offsets(client, "g") == {"t": {0: (10, "", 0)}}


def test_fetching_offsets_of_several_groups():
    with Broker("--cores", "3", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        client.create("t")
        for number in range(20):
            assert Member(client, f"g{number}").commit("t", number) == NONE
        answer = client.call("OffsetFetch", 9, require_stable=True, groups=[
            *({"group_id": f"g{number}", "topics": None} for number in range(20)),
            {"group_id": "", "topics": None},
            {"group_id": "none", "topics": [{"name": "t", "partition_indexes": [0]}]}])
        groups = answer["groups"]
        assert [g["topics"][0]["partitions"][0]["committed_offset"] for g in groups[:20]] == [
            *range(20)]
        assert groups[20]["error_code"] == ERRORS["INVALID_GROUP_ID"]
        assert groups[21]["topics"][0]["partitions"][0]["committed_offset"] == -1


def test_deleting_offsets_and_groups():
    with Broker("--cores", "2") as broker:
        with Clients(broker) as clients:
            client = clients.next()
            client.create("t")
            client.create("u")
            subscription = b"\0\0\0\0\0\1\0\1t\xff\xff\xff\xff"
            member = Member(clients.next(), "g", protocols=(("range", subscription),)).settle()
            assert member.commit("t", 1) == NONE == member.commit("u", 2)

            def delete(group, *topics):
                return client.call("OffsetDelete", 0, group_id=group, topics=[
                    {"name": t, "partitions": [{"partition_index": 0}]} for t in topics])
            codes = [t["partitions"][0]["error_code"] for t in delete("g", "t", "u")["topics"]]
            assert codes == [ERRORS["GROUP_SUBSCRIBED_TO_TOPIC"], NONE]
            assert fetch_offsets(client, "g") == {"t": {0: (1, "", 0)}}
            assert delete("none", "t")["error_code"] == ERRORS["GROUP_ID_NOT_FOUND"]
            opaque = Member(clients.next(), "c", kind="connect").settle()
            assert delete("c", "t")["error_code"] == ERRORS["NON_EMPTY_GROUP"]

            def delete_groups(*names):
                answer = client.call("DeleteGroups", 2, groups_names=list(names))
                return [r["error_code"] for r in answer["results"]]
            assert delete_groups("g", "none", "") == [
                ERRORS["NON_EMPTY_GROUP"], ERRORS["GROUP_ID_NOT_FOUND"],
                ERRORS["INVALID_GROUP_ID"]]
            assert member.leave() == NONE == opaque.leave()
            assert delete_groups("g") == [NONE]
            assert fetch_offsets(client, "g") == {} and set(listed(client)) == {"c"}
        broker.restart()
        with Clients(broker) as clients:
            assert set(listed(clients.next())) == {"c"}
            assert fetch_offsets(clients.next(), "g") == {}


def test_a_topic_made_again_has_no_offsets():
    with Broker("--cores", "3") as broker:
        for how in (None, "kill", None):
            with Clients(broker) as clients:
                client = clients.next()
                client.create("t", 2)
                client.create("other")
                groups = [f"g{number}" for number in range(30)]
                for group in groups:
                    assert Member(client, group).commit("t", 5, partition=1) == NONE
                    assert Member(client, group).commit("other", 6) == NONE
                answer = client.call("DeleteTopics", 4, topic_names=["t"], timeout_ms=10000)
                assert answer["responses"][0]["error_code"] == NONE
            if how:
                broker.restart()
            with Clients(broker) as clients:
                client = clients.next()
                client.create("t", 2)
                for group in groups:
                    assert fetch_offsets(client, group) == {"other": {0: (6, "", 0)}}
                client.call("DeleteTopics", 4, topic_names=["t", "other"], timeout_ms=10000)
                assert all(fetch_offsets(client, group) == {} for group in groups)


def test_offsets_expire():
    """By the time that an old client asked for: the broker's own retention counts in minutes."""
    with Broker("--offsets-retention-check-interval-ms", "100") as broker, \
            Clients(broker) as clients:
        client = clients.next()
        client.create("t")
        assert Member(client, "g").commit("t", 1, version=4, retention_time_ms=1) == NONE
        assert Member(client, "h").commit("t", 1, version=4) == NONE
        until(lambda: fetch_offsets(client, "g") == {}, "the end of an offset")
        assert fetch_offsets(client, "h") == {"t": {0: (1, "", 0)}}
        until(lambda: set(listed(client)) == {"h"}, "the end of a group")


# ---- admin -----------------------------------------------------------------------------------

def test_describing_and_listing():
    with Broker("--cores", "2", ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        client.create("t")
        assert listed(client) == {}
        member = Member(clients.next(), "full", "fixed").settle()
        Member(client, "simple").commit("t", 1)
        for version in range(6):
            assert set(listed(client, version)) == {"full", "simple"}
        assert listed(client, states_filter=["stable"]) == {"full": ("Stable", "classic")}
        assert listed(client, types_filter=["consumer"]) == {}
        assert set(listed(client, types_filter=["Classic"])) == {"full", "simple"}
        for version in range(7):
            got = describe(client, "full", version)
            assert (got["group_state"], got["protocol_data"]) == ("Stable", "range")
            one, = got["members"]
            assert (one["member_id"], one["client_id"]) == (member.id, "wire")
            assert one["client_host"] == "/127.0.0.1"
            assert (one["member_metadata"], one["member_assignment"]) == (b"r", b"all of it")
            assert version < 4 or one["group_instance_id"] == "fixed"
            missing = describe(client, "missing", version)
            assert missing["group_state"] == "Dead"
            assert missing["error_code"] == (ERRORS["GROUP_ID_NOT_FOUND"] if version == 6 else 0)
        answer = client.call("DescribeGroups", 5, groups=["full"],
                             include_authorized_operations=True)
        assert answer["groups"][0]["authorized_operations"] > 0


def test_the_offsets_topic_is_the_brokers_own():
    with Broker(ephemeral=True) as broker, Clients(broker) as clients:
        client = clients.next()
        client.create("t")
        name = "__consumer_offsets"
        topic, = client.call("Metadata", 9, topics=[{"name": name}])["topics"]
        assert topic["is_internal"] and len(topic["partitions"]) == 50
        assert Member(client, "g").commit("t", 3) == NONE
        held = [p for p in range(50) if client.offset(name, -1, p)["offset"]]
        assert len(held) == 1
        part = client.fetch(name, 0, held[0])
        assert part["error_code"] == NONE and b"\0\1\0\1g\0\1t" in part["records"]
        refused = ERRORS["INVALID_TOPIC_EXCEPTION"]
        assert client.produce(name, records.batch([b"x"]))["error_code"] == refused
        answer = client.call("DeleteTopics", 4, topic_names=[name], timeout_ms=1000)
        assert answer["responses"][0]["error_code"] != NONE
        answer = client.call("CreatePartitions", 3, timeout_ms=1000, validate_only=False, topics=[
            {"name": name, "count": 60, "assignments": None}])
        assert answer["results"][0]["error_code"] != NONE
        answer = client.call("DeleteRecords", 2, timeout_ms=1000, topics=[
            {"name": name, "partitions": [{"partition_index": held[0], "offset": -1}]}])
        assert answer["topics"][0]["partitions"][0]["error_code"] != NONE


def test_the_log_of_offsets_stays_short():
    words, rounds = "x" * 1000, 100
    with Broker() as broker:
        with Clients(broker) as clients:
            client = clients.next()
            client.create("t", 100)
            for round_ in range(rounds):
                answer = client.call(
                    "OffsetCommit", 8, group_id="g", generation_id_or_member_epoch=-1,
                    member_id="", topics=[{"name": "t", "partitions": [
                        {"partition_index": i, "committed_offset": round_ * 1000 + i,
                         "committed_metadata": words} for i in range(100)]}])
                codes = {p["error_code"] for p in answer["topics"][0]["partitions"]}
                assert codes == {NONE}
            starts = [client.offset("__consumer_offsets", -2, p)["offset"] for p in range(50)]
            ends = [client.offset("__consumer_offsets", -1, p)["offset"] for p in range(50)]
            assert max(starts) > 0, "nothing was trimmed"
            assert max(ends) >= rounds * 100
        for _ in range(2):
            broker.restart()
            with broker.connect() as client:
                until(lambda: client.call("OffsetFetch", 7, group_id="g", topics=[])
                      ["error_code"] == NONE, "loading")
                got = fetch_offsets(client, "g")["t"]
                assert got == {i: ((rounds - 1) * 1000 + i, words, 0) for i in range(100)}


def test_configs_of_groups():
    group, session, heartbeat = 32, "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
    interval = "consumer.assignment.interval.ms"
    with Broker("--cores", "2") as broker:
        with broker.connect() as client:
            def alter(name, value, operation=0, resource="g"):
                answer = client.call("IncrementalAlterConfigs", 1, resources=[
                    {"resource_type": group, "resource_name": resource, "configs": [
                        {"name": name, "config_operation": operation, "value": value}]}])
                return answer["responses"][0]["error_code"]

            def described(resource="g", keys=None):
                result, = client.call("DescribeConfigs", 4, include_synonyms=True, resources=[
                    {"resource_type": group, "resource_name": resource,
                     "configuration_keys": keys}])["results"]
                return {row["name"]: (row["value"], row["config_source"], len(row["synonyms"]))
                        for row in result["configs"]}
            assert described() == {session: ("45000", 5, 1), heartbeat: ("5000", 5, 1),
                                   interval: ("0", 5, 1)}
            assert alter(session, "50000") == NONE
            assert alter(session, "5000") == ERRORS["INVALID_CONFIG"]
            assert alter("retention.ms", "5000") == ERRORS["INVALID_CONFIG"]
            assert alter(session, "50000", resource="") == ERRORS["INVALID_REQUEST"]
        broker.restart()
        with broker.connect() as client:
            assert described() == {session: ("50000", 8, 2), heartbeat: ("5000", 5, 1),
                                   interval: ("0", 5, 1)}
            assert described(keys=[session]) == {session: ("50000", 8, 2)}
            assert described("h")[session] == ("45000", 5, 1)
            answer = client.call("ListConfigResources", 1, resource_types=[group])
            assert [r["resource_name"] for r in answer["config_resources"]] == ["g"]
            assert alter(session, None, operation=1) == NONE
            assert described()[session] == ("45000", 5, 1)
