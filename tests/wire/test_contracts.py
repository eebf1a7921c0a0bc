"""Contracts: what a topic takes when its records have to be a registered message."""
import json
import random
import subprocess
import threading
import time
import urllib.request

import records
from broker import ERRORS, Broker

ORDER = """syntax = "proto3"; package shop;
message Order { string id = 1; int32 count = 2; repeated Item items = 3; }
message Item { string sku = 1; int32 qty = 2; }
message Note { string text = 1; }
"""
LOOSE = ORDER.replace("int32 count = 2;", "int32 count = 2; string gift = 4;")
GOOD = b"\x0a\x01a\x10\x07"  # id "a", count 7
BAD = b"\x0a\x01a\x12\x02zz"  # count is not a varint
NOTE = b"\x0a\x04note"
INVALID = ERRORS["INVALID_RECORD"]
PAYLOAD = {"millrace.value.contract": "payload"}
RAW = {**PAYLOAD, "millrace.value.framing": "raw", "millrace.value.message": "shop.Order"}


def rest(broker, method, path, body=None):
    request = urllib.request.Request(
        broker.ready["schema_registry"] + path, method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def register(broker, subject, text=ORDER, kind="PROTOBUF"):
    return rest(broker, "POST", f"/subjects/{subject}/versions",
                {"schemaType": kind, "schema": text})["id"]


def framed(number, payload=GOOD, path=b"\0"):
    return b"\0" + number.to_bytes(4, "big") + path + payload


def alter(client, topic, **configs):
    """NONE or the refusal's words; a name without value is deleted."""
    answer = client.call("IncrementalAlterConfigs", 1, validate_only=False, resources=[{
        "resource_type": 2, "resource_name": topic, "configs": [
            {"name": name.replace("_", "."), "config_operation": 0 if value is not None else 1,
             "value": value} for name, value in configs.items()]}])
    return answer["responses"][0]["error_message"] if answer["responses"][0]["error_code"] else None


def produce(client, values, topic="t", version=9, **more):
    return client.produce(topic, records.batch(values, **more), version=version)


def refused(part, *indexes):
    assert part["error_code"] == INVALID and part["base_offset"] == -1, part
    assert [e["batch_index"] for e in part["record_errors"]] == list(indexes), part
    return part["error_message"]


def stored(part):
    assert part["error_code"] == 0 and not part["record_errors"], part
    return part["base_offset"]


def test_framed_payloads():
    with Broker() as broker, broker.connect() as client:
        client.create("t", **PAYLOAD)
        assert "no schema with id 1" in refused(produce(client, [framed(1)]), 0)
        assert register(broker, "t-value") == 1
        assert stored(produce(client, [framed(1), None, framed(1, NOTE, b"\2\4")])) == 0
        for first in (True, False):
            values = [framed(1, BAD), framed(1)] if first else [framed(1), framed(1, BAD)]
            index = 0 if first else 1
            said = refused(produce(client, values), index, index)
            assert said == (f"record {index}: Order.count: expected varint (int32), found 2 bytes "
                            "length-delimited (schema id 1)"), said
        said = refused(produce(client, [b"hi"]), 0)
        assert "was it written without a serializer?" in said, said
        assert "id 7" in refused(produce(client, [framed(7)]), 0)
        assert "message indexes" in refused(produce(client, [framed(1, path=b"\2\x20")]), 0)
        many = produce(client, [framed(1, BAD if i % 2 else GOOD) for i in range(60)])
        said = refused(many, *range(1, 60, 2))
        assert said.endswith("; 30 of 60 records break the contract"), said
        texts = [e["batch_index_error_message"] for e in many["record_errors"]]
        assert texts[15].startswith("record 31: ") and texts[16:] == [None] * 14, texts
        assert len(client.all("t")) == 3


def test_the_code_alone_before_version_8():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD)
        assert produce(client, [framed(1, BAD)], version=7)["error_code"] == INVALID


def test_messages_and_raw_payloads():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD, **{"millrace.value.message": "shop.Order"})
        stored(produce(client, [framed(1)]))
        assert "shop.Note is not allowed" in refused(produce(client, [framed(1, NOTE, b"\2\4")]), 0)
        register(broker, "orders")
        client.create("r", **RAW, **{"millrace.value.subject": "orders"})
        assert stored(produce(client, [GOOD, GOOD], "r")) == 0
        assert "not in the schema" in refused(produce(client, [b"hi"], "r"), 0)
        bad_item = GOOD + b"\x1a\x05\x0a\x01s\x10\x01" + b"\x1a\x06\x0a\x01s\x12\x01x"
        said = refused(produce(client, [GOOD] * 17 + [bad_item], "r"), 17, 17)
        assert said == ("record 17: Order.items[1].qty: expected varint (int32), found 1 bytes "
                        "length-delimited (schema id 1)"), said


def test_compressed_batches_small_and_large():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD)
        assert stored(produce(client, [framed(1)] * 100, codec="gzip")) == 0
        refused(produce(client, [framed(1)] * 99 + [framed(1, BAD)], codec="gzip"), 99, 99)
        chance = random.Random(1)
        noise = [framed(1, b"\x0a\x10" + bytes(chance.randrange(128) for _ in range(16)))
                 for _ in range(12000)]
        raw = records.batch(noise, codec="gzip")
        assert len(raw) > 100000, "large enough for a worker"
        assert stored(client.produce("t", raw)) == 100
        refused(produce(client, noise[:8000] + [framed(1, BAD)] + noise[8000:], codec="gzip"),
                8000, 8000)


def test_a_refused_sequence_is_the_next():
    with Broker("--cores", "2") as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", partitions=2, **PAYLOAD)
        for partition in range(2):
            producer = client.producer_id()

            def send(value, sequence):
                return client.produce("t", records.batch([framed(1, value)], producer=producer,
                                                         epoch=0, sequence=sequence), partition)

            assert stored(send(GOOD, 0)) == 0
            refused(send(BAD, 1), 0)
            assert send(BAD, 5)["error_code"] == ERRORS["OUT_OF_ORDER_SEQUENCE_NUMBER"]
            refused(send(BAD, 1), 0)
            assert stored(send(GOOD, 1)) == 1, "the refused batch has left no trace"


def test_a_retry_of_what_was_stored_succeeds():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t")
        producer = client.producer_id()
        raw = records.batch([b"free"], producer=producer, epoch=0, sequence=0)
        assert stored(client.produce("t", raw)) == 0
        assert alter(client, "t", millrace_value_contract="payload") is None
        assert stored(client.produce("t", raw)) == 0, "a duplicate is not judged"
        refused(client.produce("t", records.batch([b"free"], producer=producer, epoch=0,
                                                  sequence=1)), 0)
        assert len(client.all("t")) == 1


def test_a_contract_holds_from_its_answer_on():
    """Producers on other connections meet it at once, whatever is under way."""
    with Broker("--cores", "2") as broker, broker.connect() as admin:
        register(broker, "t-value")
        admin.create("t", partitions=4)
        bound, after, done = threading.Event(), [], threading.Event()

        def send(partition):
            with broker.connect() as client:
                while not done.is_set():
                    was_bound = bound.is_set()
                    part = client.produce("t", records.batch([b"free"]), partition)
                    if was_bound:
                        after.append(part["error_code"])

        threads = [threading.Thread(target=send, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        assert alter(admin, "t", millrace_value_contract="payload") is None
        bound.set()
        while len(after) < 100:
            threading.Event().wait(0.01)
        done.set()
        for thread in threads:
            thread.join()
        assert set(after) == {INVALID}, set(after)


def test_versions_and_evolution():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD)
        stored(produce(client, [framed(1)]))
        assert register(broker, "t-value", LOOSE) == 2
        stored(produce(client, [framed(1), framed(2)]))
        rest(broker, "DELETE", "/subjects/t-value/versions/1")
        stored(produce(client, [framed(1)]))
        assert alter(client, "t", millrace_value_versions=">=2") is None
        assert "version 1 of subject" in refused(produce(client, [framed(1)]), 0)
        stored(produce(client, [framed(2)]))


def test_schema_ids_alone():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value", '"int"', "AVRO")
        client.create("t", **{"confluent.value.schema.validation": "true"})
        stored(produce(client, [framed(1, b"", b"\2"), None]))
        assert "no schema with id 2" in refused(produce(client, [framed(2)]), 0)
        register(broker, "u-value")
        client.create("u", **{"redpanda.value.schema.id.validation": "true"})
        stored(produce(client, [framed(2, BAD)], "u"))


def test_keys_and_nulls():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-key")
        client.create("t", **{"millrace.key.contract": "payload", "millrace.value.null": "reject",
                              "millrace.value.contract": "schema-id"})
        register(broker, "t-value")
        stored(produce(client, [framed(1)], keys=[framed(1)]))
        stored(produce(client, [framed(1)], keys=[None]))
        assert refused(produce(client, [framed(1)], keys=[b"k"]), 0).startswith("record 0: key: ")
        assert "null" in refused(produce(client, [None], keys=[framed(1)]), 0)


def test_what_is_observed_is_stored():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD, **{"millrace.value.on.violation": "observe"})
        assert stored(produce(client, [framed(1, BAD), framed(1)])) == 0


def test_what_can_be_bound():
    with Broker() as broker, broker.connect() as client:
        register(broker, "orders")
        register(broker, "numbers", '"int"', "AVRO")
        client.create("t")
        said = alter(client, "t", millrace_value_contract="payload", millrace_value_subject="order")
        assert said == 'there is no subject "order"; the registry has: numbers, orders', said
        said = alter(client, "t", millrace_value_contract="payload",
                     millrace_value_subject="orders", millrace_value_message="shop.Cart")
        assert "no message \"shop.Cart\"; it has: shop.Order, shop.Item, shop.Note" in said, said
        said = alter(client, "t", millrace_value_contract="payload", millrace_value_subject="numbers")
        assert "AVRO" in said, said
        assert alter(client, "t", millrace_value_contract="payload",
                     millrace_value_subject="orders") is None
        answer = client.call("DescribeConfigs", 4, include_synonyms=False,
                             include_documentation=False, resources=[{
                                 "resource_type": 2, "resource_name": "t",
                                 "configuration_keys": ["millrace.value.contract",
                                                        "millrace.key.contract"]}])
        found = {c["name"]: c["value"] for c in answer["results"][0]["configs"]}
        assert found == {"millrace.value.contract": "payload", "millrace.key.contract": "off"}


def test_contracts_survive_a_restart():
    """The registry is read anew; produce waits for it rather than let anything through."""
    with Broker("--cores", "2") as broker:
        with broker.connect() as client:
            register(broker, "t-value")
            client.create("t", partitions=3, **PAYLOAD)
            for partition in range(3):
                stored(client.produce("t", records.batch([framed(1)]), partition))
        for _ in range(3):
            broker.kill()
            broker.start()
            with broker.connect() as client:
                for partition in range(3):
                    refused(client.produce("t", records.batch([framed(1, BAD)]), partition), 0)
                    stored(client.produce("t", records.batch([framed(1)]), partition))


def test_without_a_registry_nothing_gets_in():
    """It waits until its time-out, in order, and leaves a mark: what overtakes it is refused."""
    with Broker("--cores", "2") as broker:
        with broker.connect() as client:
            register(broker, "t-value")
            client.create("t", **PAYLOAD)
            client.create("free")
            producer = client.producer_id()
        broker.registry = ""
        broker.restart()
        with broker.connect() as client:
            raw = [records.batch([framed(1)], producer=producer, epoch=0, sequence=sequence)
                   for sequence in range(2)]
            began = time.monotonic()
            for sequence in range(2):
                body = client.produce_body("t", {0: raw[sequence]})
                client.send("Produce", 9, **{**body, "timeout_ms": 400 if sequence == 0 else 0})
            client.send("Produce", 9, **client.produce_body("free", {0: records.batch([b"x"])}))
            codes = [client.receive()["responses"][0]["partition_responses"][0]["error_code"]
                     for _ in range(3)]
            assert codes == [ERRORS["NOT_ENOUGH_REPLICAS"],
                             ERRORS["OUT_OF_ORDER_SEQUENCE_NUMBER"], 0], codes
            assert time.monotonic() - began >= 0.3
            said = alter(client, "free", millrace_value_contract="payload")
            assert "no registry" in said, said
        broker.registry = Broker.registry
        broker.restart()
        with broker.connect() as client:
            assert [stored(client.produce("t", one)) for one in raw] == [0, 1]


def test_unacknowledged_violations_end_the_connection():
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD)
        client.send("Produce", 9, **client.produce_body("t", {0: records.batch([framed(1, BAD)])},
                                                        acks=0))
        assert client.is_closed()


# --- what is told of it ---

def cli(broker, *arguments, status=0):
    words = [Broker.program, *arguments[:2], "-b", "%s:%d" % broker.address, *arguments[2:]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, (words, done)
    return done.stdout + done.stderr


def counters(broker):
    """The contracts' counters over all cores."""
    with urllib.request.urlopen(broker.ready["admin"] + "/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("millrace_contract_batches_"):
            name = line[len("millrace_contract_batches_"):].split("_")[0]
            found[name] = found.get(name, 0) + int(line.split()[-1])
    return found


def test_evolution_while_producing():
    """Whoever has a new id from the registry may use it at once, on every core."""
    with Broker("--cores", "2") as broker, broker.connect() as admin:
        ids, answers, done = [register(broker, "t-value")], [], threading.Event()
        admin.create("t", partitions=4, **PAYLOAD)

        def send(partition):
            with broker.connect() as client:
                while not done.is_set():
                    values = [framed(number) for number in ids]
                    answers.append(client.produce("t", records.batch(values), partition))

        threads = [threading.Thread(target=send, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for i in range(20):
            ids.append(register(broker, "t-value",
                                ORDER.replace("int32 count = 2;", f"int32 count = 2; bool b{i} = 9;")
                                .replace("= 9;", f"= {9 + i};")))
            seen = len(answers)
            while len(answers) < seen + 8 and all(thread.is_alive() for thread in threads):
                time.sleep(0.005)
        done.set()
        for thread in threads:
            thread.join()
        assert len(set(ids)) == 21 and len(answers) >= 160
        for answer in answers:
            stored(answer)


def test_a_broken_producer_at_full_speed():
    """It repeats what is refused without a pause, on several connections; others go on."""
    with Broker() as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD)
        client.create("u")
        raw, done = records.batch([framed(1, BAD)] * 100), threading.Event()

        def send():
            with broker.connect() as broken:
                body = broken.produce_body("t", {0: raw})
                while not done.is_set():
                    broken.write(b"".join(broken.frame("Produce", 9, **body) for _ in range(20)))
                    for _ in range(20):
                        refused(broken.receive()["responses"][0]["partition_responses"][0],
                                *range(100))

        failed = []

        def guarded():
            try:
                send()
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=guarded) for _ in range(4)]
        for thread in threads:
            thread.start()
        for topic, value in (("t", framed(1)), ("u", b"free")):
            for i in range(50):
                assert stored(produce(client, [value], topic)) == i
        while counters(broker)["refused"] < 500 and not failed:
            time.sleep(0.02)
        done.set()
        for thread in threads:
            thread.join()
        assert not failed, failed[0]
        assert len(client.all("t")) == 50


def test_contract_commands():
    with Broker() as broker, broker.connect() as client:
        register(broker, "orders")
        client.create("t", **{"cleanup.policy": "compact"})
        said = cli(broker, "contract", "set", "t", "--subject", "orders", status=1)
        assert "--any-message" in said, said
        said = cli(broker, "contract", "set", "t", "-s", "orders", "-m", "shop.Cart", status=1)
        assert "shop.Order, shop.Item, shop.Note" in said, said
        cli(broker, "contract", "set", "t", "-s", "orders", "-m", "shop.Order", "--framing", "raw")
        stored(produce(client, [GOOD], keys=[b"k"]))
        refused(produce(client, [b"hi"], keys=[b"k"]), 0)
        shown = json.loads(cli(broker, "contract", "show", "t", "--json"))
        assert shown["value"]["framing"] == "raw" and shown["key"]["contract"] == "off", shown
        said = cli(broker, "contract", "set", "t", "--key", "--any-message", "-s", "orders")
        assert "compacted" in said, said
        cli(broker, "contract", "set", "t", "--key", "--level", "off")
        cli(broker, "contract", "set", "t", "--any-message", "-s", "orders")
        assert "confluent" in cli(broker, "contract", "show", "t")
        stored(produce(client, [framed(1, NOTE, b"\2\4")], keys=[b"k"]))
