"""The admin listener: health, readiness, metrics; who may ask; where it listens."""
import http.client
import json
import re
import socket
import subprocess
import time
from pathlib import Path

import records
from broker import Broker, SECONDS
from registry import Registry

DOCS = Path(__file__).resolve().parent.parent.parent / "docs/metrics.md"


def address_of(broker):
    return broker.ready["admin"].removeprefix("http://")


def get(broker, path, headers=None, method="GET"):
    client = http.client.HTTPConnection(address_of(broker), timeout=SECONDS)
    client.request(method, path, headers=headers or {})
    answer = client.getresponse()
    body = answer.read().decode()
    client.close()
    return answer.status, answer.getheader("Content-Type"), body


def metrics(broker):
    """Samples by name and labels."""
    status, kind, body = get(broker, "/metrics")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4")
    samples = {}
    for line in body.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) [a-z_]+ \S", line), line
            continue
        name, value = re.fullmatch(r"([a-z_]+(?:\{[^}]*\})?) (\S+)", line).groups()
        assert name not in samples
        samples[name] = float(value)
    return samples


def names(samples):
    return {name.split("{")[0] for name in samples}


def test_health_and_ready():
    with Broker("--admin-listen", "127.0.0.1:0", ephemeral=True) as broker:
        for path in ("/health", "/ready", "/ready/"):
            assert get(broker, path)[::2] == (200, "ok\n")
        assert get(broker, "/health", method="HEAD")[::2] == (200, "")
        status, kind, body = get(broker, "/subjects")
        assert (status, kind, json.loads(body)["error_code"]) == (404, "application/json", 404)
        assert get(broker, "/health", method="POST")[0] == 405


def test_metrics_are_the_documented_ones_and_count():
    documented = set(re.findall(r"^\| `([a-z_]+)` \| (?:gauge|counter)", DOCS.read_text(), re.M))
    with Broker("--admin-listen", "127.0.0.1:0", "--cores", "2") as broker:
        before = metrics(broker)
        assert names(before) == documented
        assert before["millrace_topics"] == 0
        with broker.connect() as client:
            client.create("t", partitions=3)
            client.produce("t", records.batch([b"x" * 1000]))
            after = metrics(broker)
            connections = [after[f'millrace_connections{{core="{core}"}}'] for core in (0, 1)]
            assert sum(connections) >= 1
        assert after["millrace_topics"] == 1 and after["millrace_partitions"] == 3
        commits = lambda samples: sum(v for k, v in samples.items() if "commits_total" in k)
        assert commits(after) > commits(before)
        assert after["process_resident_memory_bytes"] > 1 << 20


def total(samples, name):
    """Over all labels."""
    return sum(value for key, value in samples.items() if key.split("{")[0] == "millrace_" + name)


def test_registry_and_contracts_are_counted():
    schema = {"schemaType": "PROTOBUF", "schema": 'syntax = "proto3"; message M { int32 a = 1; }'}
    with Broker("--admin-listen", "127.0.0.1:0", "--cores", "2") as broker:
        registry = Registry(broker)
        before = metrics(broker)
        assert registry.register("t-value", schema["schema"]) == 1
        assert registry.register("t-value", schema["schema"]) == 1
        assert registry.post("/subjects/t-value", schema)["id"] == 1
        assert registry.refused("POST", "/subjects/t-value", {**schema, "schema": "x"})[0] == 422
        assert registry.refused("GET", "/subjects/none/versions")[0] == 404
        after = metrics(broker)
        for name, more in {"registrations_total": 2, "lookups_total": 1, "compiles_total": 4,
                           "schemas": 1, "subjects": 1, "versions": 1, "refused_total": 2}.items():
            name = "registry_" + name
            assert total(after, name) - total(before, name) == more, name
        assert after['millrace_registry_refused_total{status="422"}'] == 1
        assert after["millrace_registry_compile_seconds_total"] > 0
        assert after["millrace_registry_loaded"] == 1
        with broker.connect() as client:
            client.create("t", **{"millrace.value.contract": "payload",
                                  "millrace.value.framing": "raw"})
            client.produce("t", records.batch([b"\x08\x01"] * 3))
            client.produce("t", records.batch([b"\x08\x01", b"hi"]))
            client.produce("t", records.batch([b"\x08\x01"] * 20000))
        contracts = metrics(broker)
        for name, value in {"batches_checked": 3, "batches_checked_by_worker": 1,
                            "records_checked": 20005, "records_refused": 1,
                            "records_observed": 0, "batches_refused": 1,
                            "requests_waited": 0}.items():
            assert total(contracts, f"contract_{name}_total") == value, name


def test_waiting_for_the_registry_is_counted():
    with Broker("--admin-listen", "127.0.0.1:0") as broker:
        with broker.connect() as client:
            Registry(broker).register("t-value", 'syntax = "proto3"; message M { int32 a = 1; }')
            client.create("t", **{"millrace.value.contract": "payload"})
        broker.registry = ""
        broker.restart()
        with broker.connect() as client:
            body = client.produce_body("t", {0: records.batch([b"x"])})
            client.send("Produce", 9, **{**body, "timeout_ms": 1000})
            deadline = time.monotonic() + SECONDS
            while total(metrics(broker), "contract_requests_waited_total") != 1:
                assert time.monotonic() < deadline
            assert total(metrics(broker), "registry_loaded") == 0
            client.receive()
        after = metrics(broker)
        assert total(after, "contract_requests_waiting") == 0
        assert total(after, "contract_requests_waited_total") == 1


def test_web_pages_are_refused():
    with Broker("--admin-listen", "127.0.0.1:0", ephemeral=True) as broker:
        assert get(broker, "/metrics", {"Host": "evil.example"})[0] == 403
        assert get(broker, "/metrics", {"Origin": "http://evil.example"})[0] == 403
        assert get(broker, "/metrics", {"Origin": broker.ready["admin"]})[0] == 200


def test_where_it_listens():
    with Broker("--admin-listen", "", ephemeral=True) as broker:
        assert "admin" not in broker.ready
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([Broker.program, "serve", "--ephemeral", "--listen", "127.0.0.1:0",
                               "--registry-listen", "", "--admin-listen", f"127.0.0.1:{port}",
                               "--io", Broker.backend],
                              capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 1 and str(port) in done.stderr
    with Broker(ephemeral=True) as first, Broker(ephemeral=True) as second:
        assert get(first, "/ready")[0] == 200 and get(second, "/ready")[0] == 200
        assert address_of(first) != address_of(second)


def test_a_slow_scraper_does_not_hold_the_end():
    with Broker("--admin-listen", "127.0.0.1:0") as broker:
        host, port = address_of(broker).rsplit(":", 1)
        with socket.create_connection((host, int(port)), SECONDS) as slow:
            slow.sendall(b"GET /metr")
            assert broker.stop() == 0
            assert slow.recv(100) == b""
