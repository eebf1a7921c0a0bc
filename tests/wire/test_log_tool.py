"""millrace log inspect, verify and repair on what a real broker has written."""
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import records
from broker import Broker

BATCHES, VALUE = 60, b"x" * 20000


def log(broker, command, *flags, status=0):
    done = subprocess.run([Broker.program, "log", command, str(broker.data), *flags],
                          capture_output=True, timeout=60)
    assert done.returncode == status, (command, flags, done)
    return (done.stderr if status == 2 else done.stdout).decode()


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def fingerprint(folder):
    """Names, bytes and times of change."""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*")):
        state = path.stat()
        digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0x10]))


PARTITION = 1  # the first one of all shares its shard with the catalog


def written(broker, topic):
    """Batches of one record; the broker is stopped then."""
    with broker.connect() as client:
        client.create(topic, PARTITION + 1)
        for number in range(BATCHES):
            part = client.produce(topic, records.batch([b"%d " % number + VALUE]), PARTITION)
            assert (part["error_code"], part["base_offset"]) == (0, number)
    assert broker.stop() == 0


def consumed(broker, topic):
    """The numbers that a stock client reads, or ours where that is not installed."""
    kcat = shutil.which("kcat")
    address = "%s:%d" % broker.address
    if not kcat:
        with broker.connect() as client:
            return [int(value.split()[0]) for _, value in client.all(topic, PARTITION)]
    done = subprocess.run([kcat, "-C", "-b", address, "-t", topic, "-p", str(PARTITION), "-o", "beginning", "-e", "-q",
                           "-X", "check.crcs=true"], capture_output=True, timeout=60)
    assert done.returncode == 0, done
    return [int(line.split()[0]) for line in done.stdout.decode().splitlines()]


def test_a_flipped_bit_is_found_and_taken_out():
    with Broker("--cores", "2") as broker:
        written(broker, "orders")
        before = fingerprint(broker.data)
        assert log(broker, "verify") == ""
        batches = rows(log(broker, "inspect", "-p", "orders-1", "--records", "--json"))
        batches = [row for row in batches if row["kind"] == "batch"]
        assert [row["first"] for row in batches] == list(range(BATCHES))
        assert all(row["checksum"] == "holds" for row in batches)
        assert fingerprint(broker.data) == before

        victim = batches[7]
        flip(broker.data / "segments" / victim["file"], victim["position"] + 5000)
        before = fingerprint(broker.data)
        found, = rows(log(broker, "verify", "--json", status=1))
        assert (found["kind"], found["file"]) == ("damage", "segments/" + victim["file"])
        assert found["position"] == victim["position"]
        plan = log(broker, "repair")
        assert "59 batches stay" in plan and "--yes" in plan
        assert fingerprint(broker.data) == before
        assert "59 batches stay" in log(broker, "repair", "--yes")
        assert not [row for row in rows(log(broker, "verify", "--json"))
                    if row["kind"] == "damage"]
        kept, = (broker.data / "damaged").rglob("segments-*")
        assert kept.stat().st_size > BATCHES * len(VALUE)

        broker.start()
        assert consumed(broker, "orders") == [n for n in range(BATCHES) if n != 7]
        with broker.connect() as client:
            assert client.produce("orders", records.batch([b"99 more"]), PARTITION)["base_offset"] == BATCHES


def test_an_offline_partition_comes_back():
    """The snapshot of its shard is damaged: a start takes the partition offline, a repair ends it."""
    with Broker("--cores", "1") as broker:
        written(broker, "orders")
        row, = [row for row in rows(log(broker, "inspect", "--json"))
                if row["kind"] == "partition" and row["partition"] == "orders-1"]
        assert row["shard"] != 0
        flip(broker.data / "snapshots" / str(row["shard"]), 60)
        broker.start()
        with broker.connect() as client:
            assert client.produce("orders", records.batch([b"x"]), PARTITION)["error_code"] == 56
        assert broker.stop() == 0
        said = log(broker, "verify", status=1)
        assert "orders-1 is offline" in said, said
        log(broker, "repair", "--yes")
        log(broker, "verify")
        broker.start()
        numbers = consumed(broker, "orders")
        assert numbers == list(range(len(numbers))) and len(numbers) >= BATCHES - 1
        with broker.connect() as client:
            part = client.produce("orders", records.batch([b"99 more"]), PARTITION)
            assert (part["error_code"], part["base_offset"]) == (0, len(numbers))
        broker.kill()
        log(broker, "verify")
        broker.start()


def test_a_broker_that_runs_is_left_alone():
    with Broker("--cores", "1") as broker:
        for command in (["inspect"], ["verify"], ["repair"], ["repair", "--yes"]):
            done = subprocess.run([Broker.program, "log", *command, str(broker.data)],
                                  capture_output=True, timeout=60)
            assert done.returncode == 1 and b"in use by a broker" in done.stderr, done


def test_what_is_no_data_directory():
    done = subprocess.run([Broker.program, "log", "verify", "/usr"], capture_output=True,
                          timeout=60)
    assert done.returncode == 1 and b"no data directory" in done.stderr, done
