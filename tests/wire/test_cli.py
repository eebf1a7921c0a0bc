"""The client commands against a real broker."""
import json
import os
import socket
import subprocess

from broker import Broker


def run(broker, *arguments, said="", status=0):
    """Standard output; with a status other than 0, standard error."""
    done = subprocess.run([Broker.program, *arguments], input=said.encode("utf-8", "surrogateescape"),
                          capture_output=True, timeout=60,
                          env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": "%s:%d" % broker.address})
    assert done.returncode == status, (arguments, done)
    return (done.stderr if status else done.stdout).decode("utf-8", "surrogateescape")


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def test_topics():
    with Broker(ephemeral=True) as broker:
        run(broker, "topic", "create", "a", "b", "-p", "3", "-c", "retention.ms=1h")
        assert "TOPIC_ALREADY_EXISTS" in run(broker, "topic", "create", "a", status=1)
        run(broker, "topic", "create", "a", "--if-not-exists")
        assert "retention.ms" in run(broker, "topic", "create", "c", "-c", "retention.ms=soon",
                                     status=1)
        assert run(broker, "topic", "list") == "a\nb\n"
        assert [row["partitions"] for row in rows(run(broker, "topic", "list", "--json"))] == [3, 3]
        run(broker, "topic", "alter", "a", "--partitions", "4", "--unset", "retention.ms",
            "--set", "segment.bytes=64MiB", "--append", "cleanup.policy=compact")
        about, = rows(run(broker, "topic", "describe", "a", "--json"))
        assert len(about["partitions"]) == 4
        assert about["configs"] == {"cleanup.policy": "delete,compact",
                                    "segment.bytes": str(64 << 20)}
        everything, = rows(run(broker, "topic", "describe", "a", "--json", "--all"))
        assert everything["configs"]["retention.ms"] == "604800000"
        assert "nothing to change" in run(broker, "topic", "alter", "a", status=1)
        said = run(broker, "topic", "alter", "a", "--set", "min.compaction.lag.ms=2h",
                   "--set", "max.compaction.lag.ms=1h", status=1)
        assert "conflict topic config setting" in said and "INVALID_CONFIG" in said, said
        assert "UNKNOWN_TOPIC" in run(broker, "topic", "delete", "a", "nope", status=1)
        run(broker, "topic", "delete", "nope", "--if-exists")
        assert run(broker, "topic", "list") == "b\n"
        assert "topic create nope" in run(broker, "topic", "describe", "nope", status=1)


def test_records_come_back_as_they_went():
    text = "".join(f"line {i} \udcff é\t\n" for i in range(5000)) + "\nlast without newline"
    with Broker() as broker:
        for codec in ("none", "gzip", "lz4", "zstd"):
            run(broker, "produce", codec, "-z", codec, said=text)
            assert run(broker, "consume", codec) == text + "\n", codec
            assert run(broker, "consume", codec, "-o", "-1", "-f", "%v") == "last without newline"
        assert "not one of" in run(broker, "produce", "x", "-z", "snappy", status=2)


def test_keys_headers_and_nulls():
    with Broker(ephemeral=True) as broker:
        run(broker, "topic", "create", "t", "-p", "5")
        pairs = "".join(f"k{i}:v{i}\n" for i in range(1000))
        stored = rows(run(broker, "produce", "t", "-K", ":", "-H", "a=b", "--json", said=pairs))
        assert sum(row["records"] for row in stored) == 1000
        assert len({row["partition"] for row in stored}) == 5
        back = run(broker, "consume", "t", "-f", "%k:%v\\n")
        assert sorted(back.splitlines()) == sorted(pairs.splitlines())
        assert len(run(broker, "consume", "t", "-n", "7").splitlines()) == 7
        some = rows(run(broker, "consume", "t", "-p", "1,3", "--json"))
        assert {row["partition"] for row in some} == {1, 3}
        assert some[0]["headers"] == [{"name": "a", "value": "b"}]
        assert "no partition 5" in run(broker, "consume", "t", "-p", "5", status=1)
        run(broker, "produce", "nulls", "gone:", "kept:x", "-K", ":", "--empty-is-null")
        assert [(row["key"], row["value"]) for row in rows(run(broker, "consume", "nulls", "--json"))
                ] == [("gone", None), ("kept", "x")]


def test_offsets():
    with Broker(ephemeral=True) as broker:
        run(broker, "produce", "t", said="".join(f"{i}\n" for i in range(10)))
        assert run(broker, "consume", "t", "-o", "8") == "8\n9\n"
        assert run(broker, "consume", "t", "-o", "10") == ""
        assert run(broker, "consume", "t", "-o", "-3") == "7\n8\n9\n"
        assert run(broker, "consume", "t", "-o", "@-1h") == run(broker, "consume", "t")
        assert run(broker, "consume", "t", "-o", "@99999999999999") == ""
        assert "has 0 to 10" in run(broker, "consume", "t", "-o", "11", status=1)
        assert "is not one of" in run(broker, "consume", "t", "-o", "soon", status=2)


def test_follow():
    with Broker(ephemeral=True) as broker:
        run(broker, "topic", "create", "t")
        reader = subprocess.Popen([Broker.program, "consume", "t", "-F", "-n", "3", "-b",
                                   "%s:%d" % broker.address], stdout=subprocess.PIPE)
        for value in ("a", "b", "c"):
            run(broker, "produce", "t", value)
            assert reader.stdout.readline() == value.encode() + b"\n"
        assert reader.wait(20) == 0


def test_input_is_sent_when_it_pauses():
    with Broker(ephemeral=True) as broker:
        writer = subprocess.Popen([Broker.program, "produce", "t", "--json", "-b",
                                   "%s:%d" % broker.address], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        writer.stdin.write(b"first\nhalf a li")
        writer.stdin.flush()
        while True:
            done = subprocess.run([Broker.program, "consume", "t", "-b", "%s:%d" % broker.address],
                                  capture_output=True, timeout=60)
            if done.stdout:
                break
        assert done.stdout == b"first\n"
        out, _ = writer.communicate(b"ne\n", timeout=20)
        assert [row["offset"] for row in rows(out.decode())] == [0, 1]


def test_refused_lines_are_named():
    with Broker(ephemeral=True) as broker:
        run(broker, "topic", "create", "c", "-c", "cleanup.policy=compact")
        assert "line 1 was refused" in run(broker, "produce", "c", said="no key\n", status=1)
        run(broker, "topic", "create", "small", "-c", "max.message.bytes=2000")
        run(broker, "produce", "small", said="x" * 500 + "\n" + ("y" * 500 + "\n") * 20)
        text = "".join(f"{i}\n" for i in range(10)) + "z" * 3000 + "\n"
        said = run(broker, "produce", "small", said=text, status=1)
        assert "line 11 was refused" in said and "10 records were stored" in said, said
        assert "no key separator" in run(broker, "produce", "c", "-K", "=", "abc", status=1)


def test_commands_that_are_wrong():
    with Broker(ephemeral=True) as broker:
        assert "did you mean: millrace consume" in run(broker, "consum", status=2)
        assert "did you mean: millrace topic create" in run(broker, "topic", "craete", status=2)
        assert "did you mean --follow?" in run(broker, "consume", "t", "--folow", status=2)
        assert "a topic's name is missing" in run(broker, "consume", status=2)
        assert "unknown" in run(broker, "consume", "t", "-f", "%q", status=2)
        for words in (["--help"], ["help", "topic", "create"], ["produce", "-h"], ["version"],
                      ["topic", "--help"], ["config", "--help"], ["config", "default"]):
            assert run(broker, *words), words
        run(broker, "wait", "--timeout", "5s")
        with socket.socket() as nobody:  # has the port and does not listen
            nobody.bind(("127.0.0.1", 0))
            gone = "%s:%d" % nobody.getsockname()
            said = run(broker, "topic", "list", "-b", gone, status=3)
            assert "millrace serve" in said, said
            said = run(broker, "wait", "-b", gone, "--timeout", "100ms", status=3)
            assert "gave up after 100ms" in said, said


def test_config_show():
    with Broker(ephemeral=True) as broker:
        path = broker.folder / "millrace.yaml"
        path.write_text("cores: 3\nlog-level: debug\n")
        shown = {row["name"]: row for row in json.loads(
            run(broker, "config", "show", "--json", "--config", str(path), "--cores", "2"))}
        assert (shown["cores"]["value"], shown["cores"]["source"]) == ("2", "flag --cores")
        assert shown["log-level"]["source"] == f"file {path}:2"
        assert shown["num-partitions"]["source"] == "default"
        path.write_text("croes: 3\n")
        assert "did you mean cores?" in run(broker, "config", "show", "--config", str(path),
                                            status=2)
