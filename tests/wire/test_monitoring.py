"""The admin listener: health, readiness, metrics; who may ask; where it listens."""
import http.client
import json
import re
import socket
import subprocess
from pathlib import Path

import records
from broker import Broker, SECONDS

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
