"""What is told of refused batches beside the answer: by the command, over HTTP and on a terminal, how
much of their payloads, and what is not told because it was not refused."""
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import records
from broker import ERRORS, Broker, Client, environment
from registry import Registry
from test_contracts import (BAD, PAYLOAD, alter, cli, counters, framed, produce, refused, register,
                            stored)

BYTES = "millrace.contract.rejects.bytes"
LONG = framed(1, b"\x12\x02zz" + b"\x0a\x7f" + b"secret!" * 18 + b"!")  # count is no varint


def rejects(broker, count):
    """What `reject list --json` has, once there are so many."""
    for _ in range(500):
        found = [json.loads(line) for line in cli(broker, "reject", "list", "--json").splitlines()]
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"only {len(found)} rejects of {count}")


def pages(broker, path="/rejects", wanted=1):
    """The answer's JSON, once it has so many."""
    registry = Registry(broker)
    for _ in range(500):
        status, kind, text = registry.raw("GET", path)
        assert (status, kind) == (200, "application/json"), text
        page = json.loads(text)
        if len(page["rejects"]) >= wanted:
            return page
        time.sleep(0.02)
    raise AssertionError(page)


def test_rejects_are_kept():
    with Broker("--cores", "2") as broker, broker.connect() as client:
        assert cli(broker, "reject", "list") == ""
        register(broker, "t-value")
        client.create("t", partitions=2, **PAYLOAD)
        producer = client.producer_id()
        refused(client.produce("t", records.batch([framed(1), framed(1, BAD)], producer=producer,
                                                  epoch=0, sequence=7), 1), 1, 1)
        client.create("seen", **PAYLOAD, **{"millrace.value.on.violation": "observe",
                                            "millrace.value.subject": "t-value"})
        stored(produce(client, [framed(1, BAD)], "seen"))
        first, second = rejects(broker, 2)
        assert (first["topic"], first["partition"], first["bad_count"], first["record_count"]) == (
            "t", 1, 1, 2), first
        assert (first["producer_id"], first["producer_epoch"], first["base_sequence"]) == (
            producer, 0, 7), first
        assert first["violations"] == [{
            "record_index": 1, "in_key": False, "schema_id": 1, "path": "Order.count",
            "reason": "expected varint (int32), found 2 bytes length-delimited"}], first
        assert second["observed"] and second["topic"] == "seen" and not first["observed"]
        assert b"zz" not in b"".join(value for _, value in client.all("__millrace_rejects"))
        line = cli(broker, "reject", "list", "t")
        assert line.count("\n") == 1 and "refused, 1 of 2 records  record 1: Order.count: " in line
        assert "producer %d, epoch 0, sequence 7" % producer in cli(broker, "reject", "show", "t")
        part = client.produce("__millrace_rejects", records.batch([b"forged"]))
        assert part["error_code"] == ERRORS["INVALID_TOPIC_EXCEPTION"]


def test_many_rejects_are_counted():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD)
        began = time.monotonic()
        for _ in range(300):
            refused(produce(client, [framed(1, BAD)]), 0)
        told = 0
        for _ in range(300):
            found = rejects(broker, 1)
            told = sum(r["left_out"] + (r["bad_count"] > 0) for r in found)
            if told == 300:
                break
            time.sleep(0.02)
        assert told == 300, told
        allowed = 50 + 10 * (time.monotonic() - began) + 10
        assert len(found) <= allowed, "bounded by its bucket"
        count = counters(broker)
        assert (count["refused"], count["observed"]) == (300, 0), count
        assert count["untold"] >= 300 - allowed, count


def test_payloads_are_kept_where_the_topic_says_so():
    with Broker("--cores", "2") as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD)
        refused(produce(client, [LONG]), 0)
        plain = rejects(broker, 1)[0]["violations"][0]
        assert "payload_hex" not in plain and "payload_size" not in plain, plain
        assert b"secret" not in b"".join(value for _, value in client.all("__millrace_rejects"))
        assert "bytes: " not in cli(broker, "reject", "show", "t")
        assert alter(client, "t", **{BYTES: "1025"}), "bounded"
        assert alter(client, "t", **{BYTES: "20"}) is None
        refused(produce(client, [framed(1), LONG, framed(1, b"\x12\x01z")]), 1, 2)
        first, second = rejects(broker, 2)[1]["violations"]
        assert (first["payload_hex"], first["payload_size"]) == (LONG[:20].hex(), len(LONG)), first
        assert (second["payload_hex"], second["payload_size"]) == (
            framed(1, b"\x12\x01z").hex(), 9), second
        said = cli(broker, "reject", "show", "t", "-o", "-1")
        assert f"20 of {len(LONG)} bytes: {LONG[:20].hex()}" in said, said
        assert alter(client, "t", **{BYTES: "1000", "millrace.value.framing": "raw",
                                     "millrace.value.message": "shop.Order"}) is None
        refused(produce(client, [b"hi there"]), 0)
        rejects(broker, 3)
        assert '8 bytes: "hi there"' in cli(broker, "reject", "show", "t"), "text where it is text"


def test_they_are_read_over_http():
    with Broker("--cores", "3") as broker, broker.connect() as client:
        assert pages(broker, wanted=0) == {"rejects": [], "next": 0}, "there is no topic yet"
        register(broker, "shared")
        for topic in ("t", "u"):
            client.create(topic, **PAYLOAD, **{"millrace.value.subject": "shared"})
        for number in range(5):
            refused(produce(client, [framed(1, BAD)], "u" if number == 2 else "t"), 0)
            pages(broker, wanted=number + 1)
        page = pages(broker, wanted=5)
        assert [one["offset"] for one in page["rejects"]] == [4, 3, 2, 1, 0], "newest first"
        assert page["next"] == 5
        one = page["rejects"][0]
        assert (one["topic"], one["bad_count"], one["observed"]) == ("t", 1, False), one
        assert one["violations"][0]["path"] == "Order.count", one
        assert one == rejects(broker, 5)[4], "the same as the command's"
        page = pages(broker, "/rejects/u")
        assert [one["offset"] for one in page["rejects"]] == [2] and page["next"] == 5
        assert pages(broker, "/rejects/none", 0)["rejects"] == []
        page = pages(broker, "/rejects?offset=1&limit=2")
        assert [one["offset"] for one in page["rejects"]] == [1, 2] and page["next"] == 3
        page = pages(broker, "/rejects/t?offset=1&limit=2")
        assert [one["offset"] for one in page["rejects"]] == [1, 3] and page["next"] == 4
        page = pages(broker, f"/rejects/t?offset={page['next']}")
        assert [one["offset"] for one in page["rejects"]] == [4] and page["next"] == 5
        assert pages(broker, "/rejects?offset=99", 0) == {"rejects": [], "next": 5}
        assert [one["offset"] for one in pages(broker, "/rejects?limit=1")["rejects"]] == [4]
        registry = Registry(broker)
        for wrong in ("limit=0", "limit=1001", "limit=x", "offset=-1", "offset=1e9"):
            assert registry.raw("GET", f"/rejects?{wrong}")[0] == 422, wrong
        assert registry.raw("POST", "/rejects")[0] == 405
        assert registry.raw("GET", "/rejects", Origin="http://evil.example")[0] == 403


def test_pages_are_bounded():
    """A megabyte each, however much is kept of payloads; `next` leads on."""
    with Broker("--cores", "2") as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD, **{BYTES: "1024"})
        bad = [framed(1, b"\x12\x02zz" + b"z" * 2000)] * 16
        for number in range(40):
            refused(produce(client, bad), *range(16))
            while pages(broker, "/rejects?limit=1")["rejects"][0]["offset"] != number:
                time.sleep(0.02)
        page, found = {"next": 0}, []
        while page["next"] < 40:
            page = pages(broker, f"/rejects/t?limit=1000&offset={page['next']}")
            assert len(json.dumps(page)) < 1.2 * (1 << 20) and len(page["rejects"]) < 40
            found += [one["offset"] for one in page["rejects"]]
        assert found == list(range(40)), found
        newest = [one["offset"] for one in pages(broker, "/rejects?limit=1000")["rejects"]]
        assert newest == list(range(39, 39 - len(newest), -1)) and 20 < len(newest) < 40, newest


def test_many_read_them_at_once():
    """One page is made at a time; the others wait in line and come."""
    with Broker("--cores", "2") as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD)
        for _ in range(20):
            refused(produce(client, [framed(1, BAD)] * 20), *range(20))
        count = len(pages(broker, "/rejects?limit=1000", 20)["rejects"])
        readers = [Registry(broker) for _ in range(30)]
        for reader in readers:
            reader.client.request("GET", "/rejects/t?limit=1000&offset=0")
        for reader in readers:
            answer = reader.client.getresponse()
            page = json.loads(answer.read())
            assert answer.status == 200 and len(page["rejects"]) == count, page
            offsets = [one["offset"] for one in page["rejects"]]
            assert offsets == sorted(offsets) and len(page["rejects"][0]["violations"]) == 16


def test_what_was_not_refused_is_not_told():
    """A repetition of a stored batch succeeds, whatever the contract says by now."""
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t")
        producer = client.producer_id()
        raw = records.batch([b"free"], producer=producer, epoch=0, sequence=0)
        stored(client.produce("t", raw))
        assert alter(client, "t", millrace_value_contract="payload") is None
        stored(client.produce("t", raw))
        refused(client.produce("t", records.batch([b"free"], producer=producer, epoch=0,
                                                  sequence=1)), 0)
        told = rejects(broker, 1)
        assert [one["base_sequence"] for one in told] == [1], told


def test_a_terminal_is_told():
    main, side = os.openpty()
    with tempfile.TemporaryDirectory(prefix="millrace-wire-") as folder:
        ready = Path(folder) / "ready"
        process = subprocess.Popen(
            [Broker.program, "serve", "--ephemeral", "--listen", "127.0.0.1:0", "--registry-listen",
             "127.0.0.1:0", "--ready-file", ready, "--exit-with-parent"], stdout=subprocess.DEVNULL,
            stderr=side, env={**environment(), "TMPDIR": folder})
        try:
            while not ready.exists():
                time.sleep(0.01)
            told = json.loads(ready.read_text())
            host, port = told["kafka"][0].rsplit(":", 1)
            broker = SimpleNamespace(ready=told, address=(host, int(port)))
            register(broker, "t-value")
            with Client(broker) as client:
                client.create("t", **PAYLOAD)
                refused(produce(client, [framed(1, BAD)]), 0)
            said = b""
            while not (b"refused a batch for topic t, partition 0" in said and
                       b"Order.count: expected varint (int32), found 2 bytes" in said):
                said += os.read(main, 4096)
        finally:
            process.terminate()
            assert process.wait(30) == 0
    os.close(main)
    os.close(side)
