"""The schema registry over HTTP: paths, bodies, codes; what clients of other registries tripped over;
restarts and kills."""
import base64
import contextlib
import http.client
import json
import re
import select
import socket
import subprocess
import threading
import time
import urllib.request

import records
from broker import ERRORS, Broker, SECONDS
from registry import JSON, Registry, proto

ONE = proto("string id = 1;")
TWO = proto("string id = 1; int32 qty = 2;")
OTHER = proto("int64 id = 1;")


def body(text, kind="PROTOBUF", **more):
    return {"schema": text, "schemaType": kind, **more}


# ---- what is asked first ---------------------------------------------------------------------

def test_probes_and_unknown_paths():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        assert registry.get("/") == {} and registry.get("/subjects") == []
        assert registry.get("/subjects/") == registry.get("//subjects?unknown=1") == []
        assert "PROTOBUF" in registry.get("/schemas/types")
        assert registry.get("/contexts") == ["."]
        assert registry.get("/v1/metadata/id")["scope"]["clusters"]["kafka-cluster"]
        assert registry.get("/v1/metadata/deployment") == {"attributes": []}
        # A string instead of an object made every JavaScript producer fail elsewhere.
        for path in ("/nothing", "/exporters", "/dek-registry/v1/keks", "/subjects/a/b/c/d/e/f"):
            assert registry.refused("GET", path) == (404, 404), path
        assert registry.refused("PUT", "/subjects") == (405, 405)
        assert registry.get("/associations/resources/-/orders?resourceType=topic"
                            "&associationType=key&associationType=value") == []
        status, kind, text = registry.raw("HEAD", "/subjects")
        assert (status, kind, text) == (200, JSON, "")


def test_any_content_type_and_accept():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        text = json.dumps(body(ONE))
        for kind in ("application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json",
                     "application/json; charset=utf-8", "application/octet-stream"):
            status, answered, _ = registry.raw("POST", "/subjects/a/versions", text, **{
                "Content-Type": kind, "Accept": "application/json, */*;q=0.1"})
            assert (status, answered) == (200, JSON)
        for broken in ("", "{", "[]", '"a"', '{"schema": 1}'):
            status, _, answer = registry.raw("POST", "/subjects/a/versions", broken)
            assert status in (400, 422) and json.loads(answer)["error_code"], broken
        assert registry.refused("POST", "/subjects/a/versions", {}) == (422, 42201)


def test_null_and_unknown_properties_pass():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        first = registry.post("/subjects/a/versions", body(
            ONE, metadata=None, ruleSet=None, references=None, id=None, version=None, novel=[1]))
        assert first["id"] == registry.register("a", ONE, id=-1, version=-1)
        kept = {"properties": {"owner": "me"}}
        registry.register("b", ONE, metadata=kept)
        assert registry.get("/subjects/b/versions/1")["metadata"] == kept


# ---- registering -----------------------------------------------------------------------------

def test_ids_versions_and_lookups():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        assert [registry.register("a", ONE), registry.register("a", TWO)] == [1, 2]
        assert registry.register("b", TWO) == 2
        assert registry.get("/subjects/a/versions") == [1, 2]
        assert registry.get("/subjects/a/versions?limit=1&offset=1") == [2]
        latest = registry.get("/subjects/a/versions/latest")
        assert latest == registry.get("/subjects/a/versions/-1")
        assert (latest["subject"], latest["version"], latest["id"]) == ("a", 2, 2)
        assert latest["schemaType"] == "PROTOBUF" and "message M" in latest["schema"]
        assert registry.raw("GET", "/subjects/a/versions/2/schema")[2] == latest["schema"]
        assert registry.raw("GET", "/schemas/ids/2/schema")[2] == latest["schema"]
        assert registry.get("/schemas/ids/2?fetchMaxId=true")["maxId"] == 2
        assert registry.get("/schemas/ids/2/versions") == [{"subject": "a", "version": 2},
                                                           {"subject": "b", "version": 1}]
        assert registry.get("/schemas/ids/2/subjects") == ["a", "b"]
        assert registry.get(f"/schemas/guids/{latest['guid']}")["schema"] == latest["schema"]
        assert registry.get(f"/schemas/guids/{latest['guid']}/ids") == [{"context": ".", "id": 2}]
        found = registry.post("/subjects/b", body("// a comment\n" + TWO))
        assert (found["id"], found["version"]) == (2, 1)
        assert [one["version"] for one in registry.get("/schemas?subjectPrefix=a")] == [1, 2]
        assert [one["subject"] for one in registry.get("/schemas?latestOnly=true")] == ["a", "b"]
        for wrong, code in {"3": 40402, "0": 42202, "-2": 42202, "x": 42202,
                            "99999999999": 42202}.items():
            assert registry.refused("GET", f"/subjects/a/versions/{wrong}")[1] == code, wrong
        assert registry.refused("GET", "/subjects/none/versions") == (404, 40401)
        assert registry.refused("POST", "/subjects/none", body(ONE)) == (404, 40401)
        assert registry.refused("POST", "/subjects/b", body(ONE)) == (404, 40403)
        assert registry.refused("GET", "/schemas/ids/9") == (404, 40403)
        assert registry.refused("GET", "/schemas/guids/nonsense") == (404, 40403)


def test_names_are_decoded_once():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        names = ["a/b.proto", "with space", "per%cent", "plus+", "ünï", "q?x=1", 'quote"']
        for name in names:
            registry.register(name, ONE)
        assert sorted(registry.get("/subjects")) == sorted(names)
        assert registry.get("/subjects/a%2Fb.proto/versions") == [1]
        assert registry.refused("GET", "/subjects/a%zz/versions")[0] == 404
        for bad in ("a%0Ab", "a%FFb", "%7F", "a" * 1001):
            assert registry.refused("POST", f"/subjects/{bad}/versions", body(ONE)) == (422, 42208)


def test_text_and_descriptor():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        identity = registry.register("text", TWO)
        serialized = registry.get("/schemas/ids/1?format=serialized")["schema"]
        assert base64.b64decode(serialized).startswith(b"\n\rdefault.proto\x12\x01p")
        assert registry.register("descriptor", serialized) == identity
        assert "message M" in registry.get("/subjects/descriptor/versions/1")["schema"], \
            "consoles compile the text"
        assert registry.get("/subjects/text/versions/latest?format=serialized")["schema"] == serialized
        assert registry.get("/schemas/ids/1?format=novel")["schema"].startswith("syntax")


def test_references():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        refers = proto("p.Base base = 1; google.protobuf.Timestamp at = 2;", more=(
            'import "base.proto";\nimport "google/protobuf/timestamp.proto";\n')).replace(
                "message M", "message User")
        reference = {"name": "base.proto", "subject": "base", "version": -1}
        assert registry.refused("POST", "/subjects/user/versions",
                                body(refers, references=[reference])) == (422, 42201)
        registry.register("base", proto("string id = 1;").replace("message M", "message Base"))
        identity = registry.register("user", refers, references=[reference])
        kept = registry.get("/subjects/user/versions/1")["references"]
        assert kept == [{**reference, "version": 1}], "latest is fixed"
        assert registry.get("/subjects/base/versions/1/referencedby") == [identity]
        assert registry.get(f"/schemas/ids/{identity}?format=serialized")["schema"]
        status, answer = registry.call("DELETE", "/subjects/base/versions/1")
        assert (status, answer["error_code"]) == (422, 42206)
        assert answer["message"] == ("One or more references exist to the schema {magic=1,keytype="
                                     "SCHEMA,subject=base,version=1}.")
        assert registry.refused("DELETE", "/subjects/base") == (422, 42206)
        registry.delete("/subjects/user")
        assert registry.refused("DELETE", "/subjects/base") == (422, 42206), "hidden, and still refers"
        registry.delete("/subjects/user?permanent=true")
        assert registry.delete("/subjects/base") == [1]


def test_old_java_clients_get_what_they_know():
    with Broker(ephemeral=True) as broker:
        old = Registry(broker, User_Agent="Java/17.0.1")
        new = Registry(broker, User_Agent="Java/17.0.1", Confluent_Client_Version="8.0.0")
        assert old.post("/subjects/a/versions", body(ONE)) == {"id": 1}
        assert set(old.get("/subjects/a/versions/1")) == {"subject", "version", "id", "schemaType",
                                                          "schema"}
        assert "guid" in new.get("/subjects/a/versions/1")


def test_a_hundred_at_once_get_one_id():
    with Broker("--cores", "2", ephemeral=True) as broker:
        answers = []

        def register(number):
            registry = Registry(broker)
            answers.append((registry.register("same", TWO), registry.register(f"own-{number}", TWO),
                            registry.register(f"own-{number}", proto(f"string f{number} = 1;"))))

        threads = [threading.Thread(target=register, args=(number,)) for number in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 100 and {(same, again) for same, again, _ in answers} == {(1, 1)}
        assert sorted(own for _, _, own in answers) == list(range(2, 102)), "none twice, none lost"
        assert Registry(broker).get("/subjects/same/versions") == [1]


# ---- rules -----------------------------------------------------------------------------------

def test_levels_and_their_scopes():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        assert registry.get("/config") == {"compatibilityLevel": "BACKWARD"}
        assert registry.refused("GET", "/config/a") == (404, 40408)
        assert registry.get("/config/a?defaultToGlobal=true") == {"compatibilityLevel": "BACKWARD"}
        assert registry.put("/config", {"compatibility": "full"}) == {"compatibility": "FULL"}
        assert registry.put("/config/a", {"compatibility": "NONE"}) == {"compatibility": "NONE"}
        assert registry.get("/config/a") == {"compatibilityLevel": "NONE"}
        assert registry.refused("PUT", "/config/a", {"compatibility": "x"}) == (422, 42203)
        assert registry.refused("PUT", "/config/a", {}) == (422, 42203)
        registry.register("a", ONE), registry.register("b", ONE)
        assert registry.register("a", OTHER) == 2
        status, answer = registry.call("POST", "/subjects/b/versions", body(OTHER))
        assert (status, answer["error_code"]) == (409, 409)
        assert answer["message"].startswith("Schema being registered is incompatible with an earlier "
                                            'schema for subject "b", details: [{errorType:"')
        assert registry.delete("/config/a") == {"compatibilityLevel": "NONE"}
        assert registry.refused("DELETE", "/config/a") == (404, 40408)
        assert registry.get("/config/a?defaultToGlobal=true") == {"compatibilityLevel": "FULL"}
        assert registry.delete("/config") == {"compatibilityLevel": "FULL"}
        assert registry.get("/config") == {"compatibilityLevel": "BACKWARD"}


def test_comparing_without_registering():
    path = "/compatibility/subjects/a/versions"
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        assert registry.post(f"{path}/latest", body(ONE)) == {"is_compatible": True}, "no subject"
        assert registry.refused("POST", f"{path}/1", body(ONE))[0] == 404
        registry.register("a", ONE), registry.register("a", TWO)
        assert registry.post(f"{path}/latest/?verbose=false", body(TWO)) == {"is_compatible": True}
        told = registry.post(f"{path}/2?verbose=true", body(OTHER))
        assert not told["is_compatible"] and "FIELD_SCALAR_KIND_CHANGED" in told["messages"][0]
        assert registry.refused("POST", f"{path}/7", body(ONE)) == (404, 40402)
        assert registry.refused("POST", f"{path}/latest", body("message {")) == (422, 42201)
        assert "1:9" in registry.post(f"{path}/latest?verbose=true", body("message {"))["messages"][0]
        moved = proto("string id = 1; int64 qty = 2;")
        assert registry.post(path, body(moved))["is_compatible"], "int32 and int64 are alike"
        registry.put("/config/a", {"compatibility": "FULL_TRANSITIVE"})
        assert not registry.post(path, body(proto("bytes id = 1; string qty = 2;")))["is_compatible"]


def test_other_types_are_kept_and_not_compared():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        text = '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}'
        assert registry.post("/subjects/a/versions", {"schema": text})["id"] == 1, "AVRO by default"
        assert registry.register("a", text.replace(" ", ""), schemaType="AVRO") == 1
        status, answer = registry.call("POST", "/subjects/a/versions", {
            "schema": text.replace("int", "long")})
        assert status == 409 and "only PROTOBUF schemas are compared" in answer["message"]
        assert registry.refused("POST", "/subjects/a/versions", body(ONE)) == (409, 409)
        registry.put("/config/a", {"compatibility": "NONE"})
        assert registry.register("a", text.replace("int", "long"), schemaType="AVRO") == 2
        assert "schemaType" not in registry.get("/schemas/ids/1")
        assert registry.refused("POST", "/subjects/a/versions", body("{", "JSON")) == (422, 42201)
        assert registry.refused("POST", "/subjects/a/versions", body(ONE, "XML")) == (422, 42201)


def test_modes_and_import():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        registry.register("a", ONE)
        assert registry.get("/mode") == {"mode": "READWRITE"}
        assert registry.refused("GET", "/mode/a") == (404, 40409)
        assert registry.refused("PUT", "/mode/a", {"mode": "x"}) == (422, 42204)
        assert registry.refused("PUT", "/mode/a", {"mode": "IMPORT"}) == (422, 42205), "has versions"
        assert registry.put("/mode/a", {"mode": "READONLY"}) == {"mode": "READONLY"}
        assert registry.register("a", ONE) == 1, "what is there is found"
        assert registry.refused("POST", "/subjects/a/versions", body(TWO)) == (422, 42205)
        assert registry.refused("DELETE", "/subjects/a") == (422, 42205)
        assert registry.delete("/mode/a") == {"mode": "READONLY"}
        assert registry.refused("POST", "/subjects/a/versions", body(TWO, id=7)) == (422, 42205)
        registry.put("/mode/old", {"mode": "IMPORT"})
        assert registry.refused("POST", "/subjects/old/versions", body(TWO)) == (422, 42205)
        assert registry.register("old", TWO, id=40, version=3) == 40
        assert registry.register("old", TWO, id=40, version=3) == 40, "again"
        assert registry.refused("POST", "/subjects/old/versions", body(OTHER, id=40)) == (422, 42207)
        assert registry.get("/subjects/old/versions") == [3]
        registry.put("/mode/last", {"mode": "IMPORT"})
        registry.register(":.x:last", ONE)
        registry.put("/mode/:.y:last", {"mode": "IMPORT"})
        top = (1 << 31) - 1
        assert registry.register(":.y:last", ONE, id=top, version=top) == top
        registry.delete("/mode/:.y:last")
        assert registry.refused("POST", "/subjects/:.y:last/versions", body(TWO)) == (422, 42205)
        assert registry.refused("POST", "/subjects/:.y:next/versions", body(TWO)) == (422, 42205)
        assert registry.register(":.y:next", ONE) == top, "the same schema needs no new id"
        registry.put("/mode/old", {"mode": "READWRITE"})
        registry.put("/config/a", {"compatibility": "NONE"})
        assert registry.register("a", OTHER) == 41, "above what was imported"


def test_contexts():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        assert registry.register("a", ONE) == 1 and registry.register("a", TWO) == 2
        assert registry.register(":.x:a", TWO) == 1, "ids count per context"
        assert registry.post("/contexts/.x/subjects/b/versions", body(TWO))["id"] == 1
        assert registry.get("/contexts") == [".", ".x"]
        assert registry.get("/subjects") == [":.x:a", ":.x:b", "a"]
        assert registry.get("/subjects?subjectPrefix=:.x:") == [":.x:a", ":.x:b"]
        assert registry.get("/contexts/.x/subjects/b/versions") == [1]
        assert registry.get("/contexts/.x/schemas/ids/1")["schema"] == \
            registry.get("/schemas/ids/1?subject=:.x:")["schema"]
        assert registry.get("/schemas/ids/1")["schema"] != \
            registry.get("/contexts/:.x:/schemas/ids/1")["schema"]
        assert registry.get("/contexts/./subjects/a/versions") == [1, 2]
        assert registry.get("/contexts/.x/subjects?subjectPrefix=:.x:b") == [":.x:b"]
        reference = {"name": "a", "subject": "a", "version": 1}
        registry.post("/subjects/:.x:avro/versions", body('"string"', "AVRO", references=[reference]))
        assert registry.get("/subjects/:.x:a/versions/1/referencedby") == [2], "its own context's"
        assert registry.get("/subjects/a/versions/1/referencedby") == []


# ---- deleting --------------------------------------------------------------------------------

def test_deleting_hides_first():
    with Broker() as broker:
        registry = Registry(broker)
        registry.register("a", ONE), registry.register("a", TWO)
        assert registry.refused("DELETE", "/subjects/a/versions/1?permanent=true") == (404, 40407)
        assert registry.delete("/subjects/a/versions/1") == 1
        assert registry.refused("DELETE", "/subjects/a/versions/1") == (404, 40406)
        assert registry.get("/subjects/a/versions") == [2]
        assert registry.get("/subjects/a/versions?deleted=True") == [1, 2]
        assert registry.get("/subjects/a/versions?deletedOnly=true") == [1]
        assert registry.get("/schemas/ids/1"), "its id stays readable"
        assert registry.refused("GET", "/subjects/a/versions/1") == (404, 40402)
        assert registry.get("/subjects/a/versions/1?deleted=true")["id"] == 1
        assert registry.refused("DELETE", "/subjects/a?permanent=true") == (404, 40405)
        assert registry.delete("/subjects/a") == [2]
        assert registry.refused("DELETE", "/subjects/a") == (404, 40404)
        assert registry.get("/subjects") == [] and registry.get("/subjects?deleted=true") == ["a"]
        assert registry.refused("GET", "/subjects/a/versions") == (404, 40401)
        assert registry.register("a", TWO) == 2, "the same id"
        assert registry.get("/subjects/a/versions") == [3], "a new version"
        registry.delete("/subjects/a")
        assert registry.delete("/subjects/a?permanent=true") == [1, 3]
        assert registry.refused("GET", "/schemas/ids/2") == (404, 40403)
        broker.restart()
        assert Registry(broker).register("a", ONE) == 3, "ids are never given again"


def test_contracts_are_served_and_hold_their_versions():
    with Broker("--cores", "2", ephemeral=True) as broker, broker.connect() as client:
        registry = Registry(broker)
        registry.register("order", ONE), registry.register("order", TWO)
        client.create("t", **{"millrace.value.contract": "payload", "millrace.value.subject": "order",
                              "millrace.value.versions": ">=2", "millrace.key.contract": "schema-id"})
        probe = "/associations/resources/-/t?resourceType=topic&associationType="
        value = registry.get(probe + "value")
        assert [one["subject"] for one in value] == ["order"], value
        assert (value[0]["resourceName"], value[0]["associationType"]) == ("t", "value")
        assert [one["subject"] for one in registry.get(probe + "key")] == ["t-key"]
        assert len(registry.get(probe + "key&associationType=value")) == 2
        assert registry.get(probe.replace("/t?", "/u?") + "value") == []
        registry.delete("/subjects/order")
        status, answer = registry.call("DELETE", "/subjects/order/versions/2?permanent=true")
        assert (status, answer["error_code"]) == (422, 42206) and "'t'" in answer["message"], answer
        assert registry.refused("DELETE", "/subjects/order?permanent=true") == (422, 42206)
        assert registry.delete("/subjects/order/versions/1?permanent=true") == 1, "not admitted"


# ---- what lasts ------------------------------------------------------------------------------

def test_everything_is_there_after_a_restart():
    with Broker("--cores", "2") as broker:
        registry = Registry(broker)
        registry.register("a", ONE), registry.register("a", TWO), registry.register("b", TWO)
        registry.put("/config/a", {"compatibility": "FULL"})
        registry.put("/mode/b", {"mode": "READONLY"})
        registry.delete("/subjects/a/versions/1")
        before = registry.get("/schemas?deleted=true")
        broker.restart()
        registry = Registry(broker)
        assert registry.get("/schemas?deleted=true") == before, "asked before it is loaded, or after"
        assert registry.get("/config/a") == {"compatibilityLevel": "FULL"}
        assert registry.get("/mode/b") == {"mode": "READONLY"}


def test_a_long_log_is_replaced_by_an_image():
    large = json.dumps({"type": "string", "doc": "x" * 900000})
    with Broker("--cores", "2") as broker, broker.connect() as client:
        registry = Registry(broker)
        registry.register("a", ONE), registry.register("a", TWO), registry.delete("/subjects/a/versions/1")
        registry.register("b", large, schemaType="JSON")
        registry.put("/config", {"compatibility": "NONE"}), registry.put("/mode/a", {"mode": "READONLY"})
        registry.register("gone", OTHER), registry.delete("/subjects/gone")
        registry.delete("/subjects/gone?permanent=true")
        for _ in range(8):
            registry.delete("/subjects/b")
            registry.register("b", large, schemaType="JSON")
        deadline = time.monotonic() + SECONDS
        while client.offset("_schemas", -2)["offset"] == 0:
            assert time.monotonic() < deadline, "nothing is trimmed"
            time.sleep(0.05)
        before = registry.get("/schemas?deleted=true")
        broker.restart()
        registry = Registry(broker)
        assert registry.get("/schemas?deleted=true") == before
        assert registry.get("/config") == {"compatibilityLevel": "NONE"}
        assert registry.get("/mode/a") == {"mode": "READONLY"}
        assert registry.register("c", OTHER) == 5, "4 was given, and is gone for good"


def test_kill_while_registering():
    """What was answered is there; no id names two schemas."""
    with Broker("--cores", "2") as broker:
        known = {}
        for life in range(4):
            registry = Registry(broker)
            stop = threading.Event()

            def register(thread):
                mine, number = Registry(broker), 0
                try:
                    while not stop.is_set():
                        name = f"f{life}_{thread}_{number}"
                        known[mine.register(f"s{thread}", proto(f"string {name} = 1;", "k"))] = name
                        mine.put(f"/config/s{thread}", {"compatibility": "NONE"})
                        number += 1
                except (OSError, http.client.HTTPException):
                    pass

            threads = [threading.Thread(target=register, args=(one,)) for one in range(4)]
            for thread in range(4):
                registry.put(f"/config/s{thread}", {"compatibility": "NONE"})
            for thread in threads:
                thread.start()
            time.sleep(0.2)
            broker.kill()
            stop.set()
            for thread in threads:
                thread.join()
            broker.start()
        registry = Registry(broker)
        assert len(known) > 20
        for identity, name in known.items():
            assert f" {name} =" in registry.get(f"/schemas/ids/{identity}")["schema"]
        for one in registry.get("/schemas?deleted=true"):
            assert one["id"] not in known or f" {known[one['id']]} =" in one["schema"]


def test_the_topic_is_ours_and_readable():
    ours = ERRORS["INVALID_TOPIC_EXCEPTION"]
    wish = {"name": "_schemas", "num_partitions": 1, "replication_factor": 1, "assignments": [],
            "configs": []}
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        def refused(name, version, field, **body):
            return client.call(name, version, timeout_ms=1000, **body)[field][0]["error_code"] == ours

        assert refused("CreateTopics", 4, "topics", topics=[wish], validate_only=False)
        registry = Registry(broker)
        registry.register("a", ONE)
        values = [json.loads(value) for _, value in client.all("_schemas")]
        assert [(value["subject"], value["id"], value["schemaType"]) for value in values] == [
            ("a", 1, "PROTOBUF")]
        assert client.produce("_schemas", records.batch([b"x"]))["error_code"] == ours
        assert refused("DeleteTopics", 5, "responses", topic_names=["_schemas"])


def test_without_a_registry_the_topic_is_plain():
    with Broker(ephemeral=True) as broker:
        assert "schema_registry" in broker.ready
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([Broker.program, "serve", "--ephemeral", "--listen", "127.0.0.1:0",
                               "--registry-listen", f"127.0.0.1:{port}", "--io", Broker.backend],
                              capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 1 and str(port) in done.stderr
        assert "--registry-listen" in done.stderr, done.stderr


# ---- what must not hurt ----------------------------------------------------------------------

def test_deep_and_large_schemas_are_refused():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        deep = 'syntax = "proto3";' + "message A {" * 20000 + "}" * 20000
        assert registry.refused("POST", "/subjects/a/versions", body(deep)) == (422, 42201)
        nested = b""
        for _ in range(5000):
            nested = b"\x1a" + varint(len(nested)) + nested
        descriptor = base64.b64encode(b"\x22" + varint(len(nested)) + nested).decode()
        assert registry.refused("POST", "/subjects/a/versions", body(descriptor)) == (422, 42201)
        large = ONE + "//" + "x" * (1 << 20)
        assert registry.refused("POST", "/subjects/a/versions", body(large)) == (422, 42209)
        json_deep = "[" * 100000 + "]" * 100000
        assert registry.refused("POST", "/subjects/a/versions", body(json_deep, "JSON")) == (422, 42201)
        status, _, answer = registry.raw("POST", "/subjects/a/versions", json_deep)
        assert status == 400 and json.loads(answer)["error_code"] == 400
        status, kind, answer = Registry(broker).raw("POST", "/subjects/a/versions", "x" * (5 << 20))
        assert (status, kind, json.loads(answer)["error_code"]) == (413, JSON, 413)
        many = body('"string"', "AVRO", references=[{"name": "a", "subject": "a", "version": 1}] * 256)
        assert registry.refused("POST", "/subjects/a/versions", many) == (422, 42201)
        assert registry.register("a", ONE) == 1, "and it goes on"


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def test_pages_may_not_ask():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            status, _, answer = registry.raw("POST", "/subjects/a/versions", json.dumps(body(ONE)),
                                             **headers)
            assert status == 403 and json.loads(answer)["error_code"] == 403
        assert registry.get("/subjects") == []


# ---- what it cannot do ------------------------------------------------------------------------

def test_what_cannot_be_stored_is_not_there():
    """The log takes the first registration and no more."""
    with Broker("--cores", "2", fault="coordinator_append:2") as broker:
        registry = Registry(broker)
        assert registry.register("a", ONE) == 1
        assert registry.refused("POST", "/subjects/b/versions", body(TWO)) == (500, 50001)
        assert registry.refused("POST", "/subjects/a/versions", body(TWO)) == (500, 50001)
        assert registry.refused("PUT", "/config/a", {"compatibility": "NONE"}) == (500, 50001)
        assert registry.refused("DELETE", "/config/a") == (500, 50001)
        assert registry.refused("DELETE", "/subjects/a") == (500, 50001)
        assert registry.refused("DELETE", "/subjects/a?permanent=true") == (500, 50001)
        assert registry.get("/subjects") == ["a"] and registry.get("/subjects/a/versions") == [1]
        assert registry.refused("GET", "/schemas/ids/2") == (404, 40403)
        assert registry.refused("POST", "/subjects/b", body(TWO)) == (404, 40401)
        assert registry.register("a", ONE) == 1, "what is there is found"
        assert broker.stop() == 0
        broker.fault = None
        broker.start()
        registry = Registry(broker)
        assert registry.get("/subjects") == ["a"] and registry.get("/subjects/a/versions") == [1]
        assert registry.refused("GET", "/config/a") == (404, 40408)
        assert registry.register("b", TWO) == 2


def test_it_goes_on_when_it_can_store_again():
    """Each refusal has it read its log again, with a view for every core; a change that comes
    meanwhile waits, or is refused, too."""
    with Broker("--cores", "2", fault="coordinator_append:2:28:3") as broker:
        registry = Registry(broker)
        assert registry.register("a", ONE) == 1
        refused, deadline = 0, time.monotonic() + SECONDS
        while (answer := registry.call("POST", "/subjects/b/versions", body(TWO)))[0] != 200:
            assert answer[0] == 500 and answer[1]["error_code"] == 50001, answer
            assert registry.get("/subjects") == ["a"]
            refused += 1
            assert time.monotonic() < deadline, "it does not go on"
        assert refused >= 3 and answer[1]["id"] == 2
        assert registry.get("/subjects") == ["a", "b"]
        assert registry.register("a", ONE) == 1
        broker.restart()
        registry = Registry(broker)
        assert registry.get("/subjects") == ["a", "b"] and registry.register("b", TWO) == 2


# ---- how much it holds ------------------------------------------------------------------------

def registry_metric(broker, name):
    with urllib.request.urlopen(broker.ready["admin"] + "/metrics", timeout=SECONDS) as answer:
        text = answer.read().decode()
    return float(re.search(rf"^millrace_registry_{name} (\S+)$", text, re.M)[1])


def test_bodies_that_never_end_are_bounded():
    """The share of a broker of 64 MiB is 4 MiB; what is small passes beside it."""
    share, sent = 4 << 20, 900000
    head = (b"POST /subjects/a/versions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 1000000\r\n\r\n")
    with Broker("--memory", "64MiB", ephemeral=True) as broker:
        host, port = Registry(broker).address.rsplit(":", 1)
        slow = []
        for _ in range(30):
            one = socket.create_connection((host, int(port)), SECONDS)
            slow.append(one)
            with contextlib.suppress(ConnectionError):
                one.sendall(head + b"a" * sent)
        deadline = time.monotonic() + 30
        while registry_metric(broker, "refused_for_memory_total") < 30 - share // sent:
            assert time.monotonic() < deadline, "the others are refused"
            time.sleep(0.02)
        held = registry_metric(broker, "memory_bytes")
        assert sent <= held <= share, held
        registry = Registry(broker)
        assert registry.register("a", ONE) == 1 and registry.get("/subjects") == ["a"]
        told = b"".join(one.recv(4096) for one in select.select(slow, [], [], SECONDS)[0])
        assert told.count(b"HTTP/1.1 503 ") == told.count(b"\r\nRetry-After: 1\r\n") > 20, told
        for one in slow:
            one.close()
        while registry_metric(broker, "memory_bytes") > 0:
            assert time.monotonic() < deadline, "it is given back"
            time.sleep(0.02)
        assert registry.refused("POST", "/subjects/a/versions",
                                body(ONE + " " * sent + "!")) == (422, 42201)
