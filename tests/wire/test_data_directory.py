"""What the broker will not open: it says what is wrong and what to do, and touches nothing."""
import os
import shutil
import subprocess
import time

import records
from broker import SECONDS, Broker

NOBODY = 65534


def tree(folder):
    """Everything that a change would change; but the lock, which whoever looks has to take."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        held = None if path.is_dir() else path.read_bytes()
        found[str(path.relative_to(folder))] = (state.st_mode, state.st_mtime_ns, held)
    return found


def refused(data, *options, user=None):
    """What it says; the directory is as it was."""
    before = tree(data)
    done = subprocess.run([Broker.program, "serve", "--io", Broker.backend, "--data", str(data),
                           "--listen", "127.0.0.1:0", "--admin-listen", "",
                           "--registry-listen", "", *options],
                          capture_output=True, text=True, timeout=SECONDS, user=user)
    assert done.returncode == 1, done
    assert tree(data) == before, set(tree(data).items()) ^ set(before.items())
    assert str(data) in done.stderr, done.stderr
    return done.stderr


def made():
    """A broker that has ended, with a record in its directory."""
    broker = Broker()
    with broker.connect() as client:
        client.create("t")
        assert client.produce("t", records.batch([b"x"]))["error_code"] == 0
    broker.stop()
    return broker


def expect_well(broker):
    broker.start()
    with broker.connect() as client:
        assert client.all("t") == [(0, b"x")]


def test_a_foreign_directory():
    with made() as broker:
        foreign = broker.folder / "foreign"
        foreign.mkdir()
        (foreign / "letters.txt").write_text("dear")
        said = refused(foreign)
        assert "is not ours" in said and "letters.txt" in said and "--data" in said, said


def test_another_nodes():
    with made() as broker:
        said = refused(broker.data, "--node-id", "7")
        assert "belongs to node 1" in said and "--node-id 1" in said, said
        expect_well(broker)


def test_a_newer_format():
    with made() as broker:
        raw = bytearray((broker.data / "superblock").read_bytes())
        whole = bytes(raw)
        for at in range(0, len(raw), 4096):
            if raw[at:at + 8] == bytes(8):
                continue
            raw[at + 12:at + 20] = (99).to_bytes(4, "big") * 2  # version, and its oldest reader
            raw[at + 8:at + 12] = records.crc32c(bytes(raw[at + 12:at + 4096])).to_bytes(4, "big")
        (broker.data / "superblock").write_bytes(raw)
        said = refused(broker.data)
        assert "written by a newer release (format 99" in said and "start that release" in said, said
        (broker.data / "superblock").write_bytes(whole)
        expect_well(broker)


def test_without_its_superblock():
    with made() as broker:
        (broker.data / "superblock").rename(broker.folder / "aside")
        said = refused(broker.data)
        assert "no superblock" in said and "restore the superblock" in said, said
        (broker.folder / "aside").rename(broker.data / "superblock")
        expect_well(broker)


def test_a_second_process():
    with Broker() as broker:
        with broker.connect() as client:
            client.create("t")
            client.produce("t", records.batch([b"x"]))
            time.sleep(1.5)  # its journal says once more what it has acknowledged, then rests
            said = refused(broker.data)
            assert "is in use by another process" in said and "--data" in said, said
            assert client.all("t") == [(0, b"x")]


def test_one_that_may_not_be_written():
    with made() as broker:
        program, user = Broker.program, None
        if os.geteuid() == 0:  # whom no permission stops: another one tries
            user = NOBODY
            broker.folder.chmod(0o755)
            copy = broker.folder / "millrace"
            shutil.copy(program, copy)
            copy.chmod(0o755)
            Broker.program = copy
        for path in [broker.data, *broker.data.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            said = refused(broker.data, user=user)
        finally:
            Broker.program = program
            for path in [broker.data, *broker.data.rglob("*")]:
                path.chmod(0o700 if path.is_dir() else 0o600)
        assert "cannot write in" in said and "make it writable" in said, said
        expect_well(broker)


def test_write_errors_in_a_row():
    with made() as broker:
        now_ms = int(time.time() * 1000)
        (broker.data / "write-errors").write_text("".join(
            f"{now_ms - ago * 1000} writing to journal: Input/output error\n"
            for ago in (700, 500, 300, 1)))
        said = refused(broker.data)
        assert "write errors have stopped 3 processes" in said and "check the disk" in said, said
        (broker.data / "write-errors").unlink()
        expect_well(broker)
