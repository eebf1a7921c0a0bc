"""A catalog that cannot be read: the start is refused, says where and what to do; after `millrace log
repair` the broker starts, and a stock client consumes what was there."""
import shutil
import subprocess
import time

import records
from broker import ERRORS, SECONDS, Broker
from test_log_tool import flip, log, rows

BATCHES = 20
BLOCK = 4096


def fill(client, topic):
    for number in range(BATCHES):
        part = client.produce(topic, records.batch([b"%s %d" % (topic.encode(), number)]))
        assert (part["error_code"], part["base_offset"]) == (0, number), part


def make(client, *topics):
    for topic in topics:
        client.create(topic)
        fill(client, topic)


def killed(broker):
    time.sleep(1.5)  # the journal says once more what it has acknowledged, then rests
    broker.kill()


def block_with(broker, wanted, unwanted=None):
    """The file and position of the journal's first block that has these bytes."""
    for path in sorted((broker.data / "journal").iterdir()):
        raw = path.read_bytes()
        for at in range(0, len(raw), BLOCK):
            block = raw[at:at + BLOCK]
            if wanted in block and not (unwanted and unwanted in block):
                return path, at
    raise AssertionError(f"no block has {wanted}")


def refused(broker):
    """What it says that does not start."""
    done = subprocess.run([Broker.program, "serve", "--io", Broker.backend, "--data", str(broker.data),
                           "--listen", "127.0.0.1:0", "--admin-listen", "", "--registry-listen", "",
                           "--exit-with-parent"], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1, done
    assert "the catalog is damaged: " in done.stderr, done.stderr
    assert f"`millrace log repair {broker.data}`" in done.stderr, done.stderr
    return done.stderr


def repaired(broker):
    """What the repair says; nothing is damaged then."""
    plan = log(broker, "repair")
    assert "nothing was changed; --yes does it" in plan, plan
    refused(broker)
    said = log(broker, "repair", "--yes")
    assert "what was taken out is kept in" in said, said
    log(broker, "verify")
    broker.start()
    return said


def consumed(broker, topic):
    """Values that kcat reads, or our own client where that is not installed."""
    kcat = shutil.which("kcat")
    if not kcat:
        with broker.connect() as client:
            return [value for _, value in client.all(topic)]
    done = subprocess.run([kcat, "-C", "-b", "%s:%d" % broker.address, "-t", topic, "-p", "0", "-o",
                           "beginning", "-e", "-q", "-X", "check.crcs=true"],
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done
    return done.stdout.splitlines()


def expect(broker, topic, was=None):
    """All that `was` had is in `topic`, and more goes in."""
    was = (was or topic).encode()
    assert consumed(broker, topic) == [b"%s %d" % (was, number) for number in range(BATCHES)]
    with broker.connect() as client:
        part = client.produce(topic, records.batch([b"more"]))
        assert part["error_code"] == 0 and part["base_offset"] >= BATCHES, part
        assert client.all(topic)[-1] == (part["base_offset"], b"more")


def names(broker):
    with broker.connect() as client:
        return {topic["name"] for topic in client.call("Metadata", 9, topics=None)["topics"]}


def test_a_block_of_the_journal_in_the_middle():
    with Broker("--cores", "1") as broker:
        with broker.connect() as client:
            make(client, "before", "middle", "after")
        killed(broker)
        path, position = block_with(broker, b"middle")
        flip(path, position + 200)
        said = refused(broker)
        assert f"journal/{path.name}, byte {position}: block" in said, said
        told = log(broker, "verify", status=1)
        lost, = [row["what"].split(": ")[-1] for row in rows(log(broker, "verify", "--json", status=1))
                 if "has no topic any more" in row["what"]]
        seen = {row["partition"]: row for row in rows(log(broker, "inspect", "--json"))
                if row["kind"] == "partition"}
        assert seen[lost]["high_watermark"] == BATCHES, seen
        assert "changes " in told and " of the catalog cannot be read" in told and lost in told, told
        topic = lost.rsplit("-", 1)[0]
        assert topic.startswith("lost-") and topic in repaired(broker)
        assert names(broker) == {"before", "after", topic}
        expect(broker, "before")
        expect(broker, "after")
        expect(broker, topic, "middle")
        kept = {path.name for path in (broker.data / "damaged").rglob("*-*")}
        assert "journal-" + path.name in kept, kept
        with broker.connect() as client:  # its name is free, its id is not
            make(client, "middle")
        broker.restart()
        expect(broker, "middle")
        assert len(consumed(broker, topic)) == BATCHES + 1


def test_both_snapshots():
    """What the journal still has of older blocks gives the topics their names back."""
    with Broker("--cores", "1") as broker:
        with broker.connect() as client:
            make(client, "first", "second")  # the first one shares its shard with the catalog
        assert broker.stop() == 0
        for name in ("0", "0-copy"):
            flip(broker.data / "snapshots" / name, 60)
        assert "neither snapshots/0 nor snapshots/0-copy can be read" in refused(broker)
        repaired(broker)
        assert names(broker) == {"first", "second"}
        expect(broker, "second")
        with broker.connect() as client:
            assert client.produce("first", records.batch([b"x"]))["error_code"] == 0


def test_both_snapshots_and_every_name():
    with Broker("--cores", "1") as broker:
        with broker.connect() as client:
            make(client, "first", "second", "third")
        assert broker.stop() == 0
        for name in ("0", "0-copy"):
            flip(broker.data / "snapshots" / name, 60)
        for topic in (b"first", b"second", b"third"):
            path, position = block_with(broker, topic)
            flip(path, position + 200)
        assert "nothing of the catalog can be read" in log(broker, "verify", status=1)
        repaired(broker)
        found = {consumed(broker, topic)[0]: topic for topic in names(broker)}
        assert {value.split()[0] for value in found} == {b"second", b"third"}, found
        expect(broker, found[b"second 0"], "second")
        expect(broker, found[b"third 0"], "third")


def test_a_deletion_that_is_lost():
    """The catalog is older than the data: the topic is back, empty or not, and can be deleted."""
    with Broker("--cores", "1") as broker:
        with broker.connect() as client:
            make(client, "kept")
            topic_id = client.create("gone")
            fill(client, "gone")
            client.call("DeleteTopics", 3, topic_names=["gone"], timeout_ms=10000)
            make(client, "later")
        killed(broker)
        path, position = block_with(broker, topic_id, b"gone")
        flip(path, position + 150)
        refused(broker)
        repaired(broker)
        assert names(broker) == {"kept", "gone", "later"}
        expect(broker, "kept")
        expect(broker, "later")
        with broker.connect() as client:
            assert client.produce("gone", records.batch([b"x"]))["error_code"] == 0
            done = client.call("DeleteTopics", 3, topic_names=["gone"], timeout_ms=10000)
            assert done["responses"][0]["error_code"] == 0
            answer = client.call("Metadata", 9, topics=[{"name": "gone"}],
                                 allow_auto_topic_creation=False)
            assert answer["topics"][0]["error_code"] == ERRORS["UNKNOWN_TOPIC_OR_PARTITION"]
