"""Produce with every payload checked beside produce without, on one broker in turns."""
import json
import subprocess
import urllib.request

from harness import PROGRAMS, broker, take_turns


def orders(*arguments):
    done = subprocess.run([str(PROGRAMS / "order_batches"), *map(str, arguments)],
                          stdout=subprocess.PIPE, check=True)
    return done.stdout


def register(server, subject):
    request = urllib.request.Request(
        f"{server.registry}/subjects/{subject}/versions", method="POST",
        data=json.dumps({"schemaType": "PROTOBUF", "schema": orders("schema").decode()}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())["id"]


def scenario(run_load, compare, codec, target, *, batch, connections):
    """`off` is the limit: the same batches to a topic that takes anything."""
    def run(options):
        options.unit = "req/s"
        with broker(options, "--registry-listen", "127.0.0.1:0") as server:
            server.registry = json.loads((server.directory / "ready").read_text())["schema_registry"]
            number = register(server, "orders")
            path = server.directory / "orders"
            path.write_bytes(orders(codec, batch, 64, number))
            common = ["produce", "--payloads", path, "--variants", 64, "--partitions", connections,
                      "--connections", connections, "--in-flight", 4]
            bound = ["--config", "millrace.value.contract=payload",
                     "--config", "millrace.value.subject=orders"]
            off, payload = take_turns(options.runs, [[], bound], lambda more: run_load(
                server, options, [*common, *more]))
        return [compare("req/s", target, "off", off, payload)]
    return run


def bench(_options):
    """The checker alone."""
    done = subprocess.run([str(PROGRAMS / "contract_bench")], stdout=subprocess.PIPE, check=True)
    rows = []
    for line in done.stdout.splitlines():
        row = json.loads(line)
        if "schema" in row:
            rows.append({"scenario": f"compile {row['schema']}", "unit": "ms", "most": 5,
                         "values": [row["compile_ms"] + row["bind_us"] / 1000]})
        else:
            rows.append({"scenario": f"check {row['payload']}", "unit": "rec/s",
                         "values": [row["records_per_s"]]})
    return rows
