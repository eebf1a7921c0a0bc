"""Start, restart, reload, and the end."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import records
from broker import SECONDS, Broker


def test_restart_keeps_everything():
    with Broker("--cores", "2") as broker:
        with broker.connect() as client:
            ids = {name: client.create(name, 3, **{"retention.ms": "123456789"})
                   for name in ("a", "b")}
            for i in range(30):
                for name in ids:
                    client.produce(name, records.batch([b"%s %d" % (name.encode(), i)]), i % 3)
        for how in ("kill", "stop", "kill"):
            getattr(broker, how)()
            broker.start()
            with broker.connect() as client:
                for topic in client.call("Metadata", 12, topics=None)["topics"]:
                    assert topic["topic_id"] == ids[topic["name"]]
                for name in ids:
                    for partition in range(3):
                        want = [(i, b"%s %d" % (name.encode(), 3 * i + partition))
                                for i in range(10)]
                        assert client.all(name, partition) == want


def test_other_numbers_of_cores():
    with Broker("--cores", "3") as broker:
        for round_, cores in enumerate(("1", "2", "3")):
            with broker.connect() as client:
                if round_ == 0:
                    client.create("t", 6)
                for partition in range(6):
                    part = client.produce("t", records.batch([b"%d" % round_]), partition)
                    assert (part["error_code"], part["base_offset"]) == (0, round_)
            broker.options = ["--cores", cores]
            broker.restart()
        with broker.connect() as client:
            for partition in range(6):
                assert client.all("t", partition) == [(0, b"0"), (1, b"1"), (2, b"2")]


def test_sigterm_finishes_what_is_in_flight():
    with Broker("--cores", "2") as broker:
        with broker.connect() as client, broker.connect() as poller:
            client.create("t", 2)
            poller.send("Fetch", 12, **poller.fetch_body("t", {0: 0, 1: 0}, wait=60000,
                                                         least=1 << 20))
            time.sleep(0.2)
            client.write(b"".join(client.frame("Produce", 9, **client.produce_body(
                "t", {i % 2: records.batch([b"%d" % i])})) for i in range(50)))
            time.sleep(0.1)
            assert broker.stop() == 0
            assert "are cut" not in broker.said()
            answers = [client.receive() for _ in range(50)]
            assert poller.receive()["responses"]
        assert all(a["responses"][0]["partition_responses"][0]["error_code"] == 0 for a in answers)
        broker.start()
        with broker.connect() as client:
            assert len(client.all("t", 0)) == 25


def test_ready_file_and_ready_fd():
    with Broker(ephemeral=True) as broker:
        assert broker.ready["pid"] == broker.process.pid
        assert broker.ready["kafka"][0].startswith("127.0.0.1:") and broker.ready["version"]
        assert [name for name in os.listdir(broker.folder) if name.startswith("ready.")] == []
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [Broker.program, "serve", "--ephemeral", "--listen", "127.0.0.1:0", "--listen",
         "second=127.0.0.1:0", "--registry-listen", "", "--ready-fd", str(writer), "--io",
         Broker.backend],
        pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        ready = json.loads(pipe.read())  # ends because the broker closes it
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert len(set(ready["kafka"])) == 2


def test_ephemeral_leaves_nothing_behind():
    with Broker(ephemeral=True) as broker:
        with broker.connect() as client:
            client.create("t")
            client.produce("t", records.batch([b"x" * 500000]))
            assert len(client.all("t")) == 1
        left = lambda: list(Path(broker.folder).glob("millrace-ephemeral-*"))
        assert len(left()) == 1
        assert broker.stop() == 0
        assert left() == []
        broker.start()
        broker.kill()
        stale = left()
        assert len(stale) == 1
        broker.start()
        assert len(left()) == 1 and left() != stale, "what a killed one left is removed"
        with broker.connect() as client:
            assert client.call("Metadata", 9, topics=None)["topics"] == []


def test_two_ephemeral_brokers_at_once():
    with Broker(ephemeral=True) as first:
        os.environ["TMPDIR"], old = str(first.folder), os.environ.get("TMPDIR")
        try:
            with Broker(ephemeral=True) as second:
                with first.connect() as a, second.connect() as b:
                    a.create("t")
                    assert b.call("Metadata", 9, topics=None)["topics"] == []
        finally:
            if old is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = old


def test_exit_with_parent():
    """The parent is a process of its own, which starts the broker and is killed."""
    folder = Path(Broker(ephemeral=True).folder)
    ready = folder / "child-ready"
    code = ("import subprocess,sys,time;"
            "subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL);time.sleep(60)")
    parent = subprocess.Popen([
        sys.executable, "-c", code, Broker.program, "serve", "--data", str(folder / "child"),
        "--listen", "127.0.0.1:0", "--registry-listen", "", "--io", Broker.backend, "--ready-file",
        str(ready), "--exit-with-parent"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + SECONDS
    while not ready.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    pid = json.loads(ready.read_text())["pid"]
    parent.kill()
    parent.wait()
    while os.path.exists(f"/proc/{pid}/status"):
        state = Path(f"/proc/{pid}/status").read_text().split("State:")[1].split()[0]
        if state == "Z":
            break
        assert time.monotonic() < deadline, "the broker outlives its parent"
        time.sleep(0.02)
    for broker in list(Broker.alive):
        broker.close()


def test_what_cannot_start_says_why():
    def refused(*options):
        done = subprocess.run([Broker.program, "serve", "--io", Broker.backend,
                               "--registry-listen", "", *options],
                              capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 1, done
        return done.stderr

    with Broker() as broker:
        port = broker.address[1]
        said = refused("--ephemeral", "--listen", f"127.0.0.1:{port}")
        assert f"127.0.0.1:{port}" in said, said
        said = refused("--data", str(broker.data), "--listen", "127.0.0.1:0")
        assert str(broker.data) in said or "lock" in said or "use" in said, said
        assert "--lisen" in refused("--lisen", "x")
        file = broker.folder / "file"
        file.write_text("x")
        assert str(file) in refused("--data", str(file), "--listen", "127.0.0.1:0")
        with broker.connect() as client:
            client.call("Metadata", 1, topics=[])


def test_sighup_reloads():
    with Broker(ephemeral=True) as broker:
        options = broker.folder / "options.yaml"
        options.write_text("num-partitions: 2\nin-flight-max: 64\n")
        broker.options = ["--config", str(options)]
        broker.restart()
        with broker.connect() as client:
            made = client.call("Metadata", 9, topics=[{"name": "a"}])["topics"][0]
            assert len(made["partitions"]) == 2
            options.write_text("num-partitions: 5\n")
            broker.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + SECONDS
            while "options reloaded" not in broker.said():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            made = client.call("Metadata", 9, topics=[{"name": "b"}])["topics"][0]
            assert len(made["partitions"]) == 5
            options.write_text("num-partitons: 5\n")
            broker.process.send_signal(signal.SIGHUP)
            while "not reloaded" not in broker.said():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            client.call("Metadata", 1, topics=[])


def test_no_cpu_when_idle():
    with Broker("--cores", "2") as broker, broker.connect() as client:
        client.create("t")
        client.produce("t", records.batch([b"x"]))
        time.sleep(1.5)  # the closing block of an idle journal
        ticks = lambda: sum(map(int, Path(f"/proc/{broker.process.pid}/stat").read_text()
                                .rsplit(")", 1)[1].split()[11:13]))
        before = ticks()
        time.sleep(1)
        assert ticks() - before <= 2
