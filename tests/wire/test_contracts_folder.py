"""--contracts: a folder of .proto files is registered and bound at every start."""
import base64
import random
import subprocess
import time

from broker import Broker, environment
from test_contracts import BAD, GOOD, NOTE, alter, framed, produce, refused, rest, stored
from test_schema_cli import Folder

ITEM = """syntax = "proto3";
package shop;
message Item { string sku = 1; int32 qty = 2; }
"""
ORDER = """syntax = "proto3";
package shop;
import "shop/item.proto";
message Order { string id = 1; int32 count = 2; repeated Item items = 3; }
message Note { string text = 1; }
"""
MANIFEST = """topics:
  orders:
    value:
      message: shop.Order
      framing: raw
  events:
    value: {message: [shop.Order, shop.Note], subject: shop-events}
"""


def shop(manifest=MANIFEST, **files):
    at = Folder()
    (at.path / "shop").mkdir()
    at.write("shop/item.proto", ITEM)
    at.write("shop/order.proto", ORDER)
    if manifest:
        at.write("millrace.yaml", manifest)
    return at


def start_refused(broker):
    """What a start says that does not succeed."""
    try:
        broker.start()
    except AssertionError as error:
        broker.alive.remove(broker)
        assert broker.process.returncode == 1, error
        return str(error)
    raise AssertionError("the broker has started")


def restart(broker):
    assert broker.stop() == 0
    broker.start()


def registered(broker):
    """(subject, version) -> id of all that is in the registry."""
    return {(s["subject"], s["version"]): s["id"] for s in rest(broker, "GET", "/schemas?deleted=true")}


def config(client, topic, name):
    answer = client.call("DescribeConfigs", 4, include_synonyms=False, include_documentation=False,
                         resources=[{"resource_type": 2, "resource_name": topic,
                                     "configuration_keys": [name]}])
    return answer["results"][0]["configs"][0]["value"]


def auto_create(client, name):
    answer = client.call("Metadata", 9, topics=[{"name": name}], allow_auto_topic_creation=True,
                         include_cluster_authorized_operations=False,
                         include_topic_authorized_operations=False)
    assert answer["topics"][0]["error_code"] == 0, answer


def test_the_first_record_is_checked_and_a_second_start_changes_nothing():
    at = shop()
    with Broker("--cores", "2", "--contracts", str(at.path)) as broker:
        first = registered(broker)
        assert first == {("shop/item.proto", 1): 1, ("orders-value", 1): 2,
                         ("shop-events", 1): 2}, first
        with broker.connect() as client:
            auto_create(client, "orders")
            assert "Order.count: expected varint" in refused(produce(client, [BAD], "orders"), 0)
            assert stored(produce(client, [GOOD], "orders")) == 0
            client.create("events")
            refused(produce(client, [framed(2, BAD)], "events"), 0)
            stored(produce(client, [framed(2), framed(2, NOTE, b"\2\2")], "events"))
            end = client.offset("_schemas", -1)["offset"]
            assert end == 3, end
        assert "3 new versions of schemas, 2 topics bound" in broker.said()
        restart(broker)
        assert registered(broker) == first
        with broker.connect() as client:
            assert client.offset("_schemas", -1)["offset"] == end
            refused(produce(client, [BAD], "orders"), 0)
            assert stored(produce(client, [GOOD], "orders")) == 1
            assert client.call("DeleteTopics", 4, topic_names=["orders"],
                               timeout_ms=10000)["responses"][0]["error_code"] == 0
            auto_create(client, "orders")
            refused(produce(client, [BAD], "orders"), 0)
            assert stored(produce(client, [GOOD], "orders")) == 0
        assert "0 new versions of schemas, 2 topics bound" in broker.said()


def test_a_topic_that_was_there_is_bound_and_what_admins_set_holds_until_the_next_start():
    at = shop()
    with Broker("--cores", "2") as broker:  # the registry is not on the first core then
        with broker.connect() as client:
            client.create("orders", **{"retention.ms": "1234567"})
            assert stored(produce(client, [b"hi"], "orders")) == 0
        broker.options += ["--contracts", str(at.path)]
        restart(broker)
        with broker.connect() as client:
            assert config(client, "orders", "retention.ms") == "1234567"
            refused(produce(client, [b"hi"], "orders"), 0)
            assert alter(client, "orders", millrace_value_contract="off") is None
            stored(produce(client, [b"hi"], "orders"))
        restart(broker)
        with broker.connect() as client:
            refused(produce(client, [b"hi"], "orders"), 0)
            assert config(client, "orders", "millrace.value.message") == "shop.Order"
        broker.options = broker.options[:-2]
        restart(broker)
        with broker.connect() as client:
            refused(produce(client, [b"hi"], "orders"), 0)  # bound is bound
            assert stored(produce(client, [GOOD], "orders")) == 2


def test_evolution():
    at = shop()
    with Broker("--contracts", str(at.path)) as broker:
        before = registered(broker)
        at.write("shop/order.proto", ORDER.replace("int32 count = 2;", "int32 count = 2; string gift = 4;"))
        restart(broker)
        after = registered(broker)
        assert after == {**before, ("orders-value", 2): 3, ("shop-events", 2): 3}, after
        with broker.connect() as client:
            auto_create(client, "orders")
            stored(produce(client, [GOOD + b"\x22\x01g", GOOD], "orders"))
        assert broker.stop() == 0
        at.write("shop/order.proto", ORDER.replace("int32 count = 2;", "string count = 2; string gift = 4;"))
        said = start_refused(broker)
        assert ("shop/order.proto: not compatible (BACKWARD) with version 2 of subject "
                '"orders-value": {errorType:"FIELD_SCALAR_KIND_CHANGED"') in said, said
        assert "2 problems, said above; nothing was changed" in said, said
        at.write("millrace.yaml", "compatibility: NONE\n" + MANIFEST)
        broker.start()
        assert registered(broker)[("orders-value", 3)] == 4


def test_what_is_wrong_refuses_the_start_and_leaves_nothing():
    at = shop()
    with Broker("--cores", "2") as broker:
        assert broker.stop() == 0
        good = broker.options
        broker.options = [*good, "--contracts", str(at.path)]
        at.write("shop/bad.proto", 'syntax = "proto3";\nmessage A { B b = 1; }\n')
        at.write("millrace.yaml", MANIFEST.replace("framing: raw", "framing: cooked"))
        said = start_refused(broker)
        assert 'shop/bad.proto:2:13: "B" is not defined.' in said, said
        assert "millrace.yaml:5:16: " in said and "raw" in said, said
        (at.path / "shop/bad.proto").unlink()
        at.write("millrace.yaml", MANIFEST.replace("message: shop.Order\n", "message: shop.Cart\n"))
        said = start_refused(broker)
        assert 'millrace.yaml:3: no file has the message "shop.Cart"; there are: shop.Item' in said, said
        Broker.registry = ""
        try:
            assert "needs the schema registry" in start_refused(broker)
        finally:
            Broker.registry = "127.0.0.1:0"
        broker.options = [*good, "--contracts", str(at.path / "nowhere")]
        assert "nowhere: No such file or directory" in start_refused(broker)
        broker.options = good
        broker.start()
        assert registered(broker) == {}
        with broker.connect() as client:
            answer = client.call("Metadata", 9, topics=None, allow_auto_topic_creation=False,
                                 include_cluster_authorized_operations=False,
                                 include_topic_authorized_operations=False)
            assert answer["topics"] == [], answer


def test_a_start_that_is_killed_is_finished_by_the_next():
    at = shop()
    chance = random.Random(7)
    with Broker() as broker:
        with broker.connect() as client:
            client.create("orders")
        broker.kill()
        broker.options += ["--contracts", str(at.path)]
        for _ in range(8):
            process = subprocess.Popen(
                [broker.program, "serve", "--data", str(broker.data), "--listen", "127.0.0.1:0",
                 "--registry-listen", "127.0.0.1:0", "--io", broker.backend, "--exit-with-parent",
                 *broker.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=environment())
            time.sleep(chance.uniform(0.02, 0.2))
            process.kill()
            process.wait()
        broker.start()
        assert registered(broker) == {("shop/item.proto", 1): 1, ("orders-value", 1): 2,
                                      ("shop-events", 1): 2}
        with broker.connect() as client:
            assert client.offset("_schemas", -1)["offset"] == 3
            refused(produce(client, [BAD], "orders"), 0)
            stored(produce(client, [GOOD], "orders"))


def test_without_a_manifest_and_as_an_image():
    at = shop(manifest=None)
    files = {("shop/item.proto", 1): 1, ("shop/order.proto", 1): 2}
    with Broker("--contracts", str(at.path), ephemeral=True) as broker:
        assert registered(broker) == files
        described = [base64.b64decode(rest(broker, "GET", f"/schemas/ids/{number}?format=serialized")["schema"])
                     for number in (1, 2)]
    image = b""
    for (name, _), descriptor in zip(files, described):
        named = descriptor + b"\x0a" + bytes([len(name)]) + name.encode()
        image += b"\x0a" + bytes([len(named) & 0x7f | 0x80, len(named) >> 7]) + named
    at.write("all.binpb", image)
    with Broker("--contracts", str(at.path / "all.binpb"), ephemeral=True) as broker:
        assert registered(broker) == files
    for name in ("shop/item.proto", "shop/order.proto"):
        (at.path / name).unlink()
    at.write("millrace.yaml", MANIFEST)
    with Broker("--contracts", str(at.path), ephemeral=True) as broker, broker.connect() as client:
        auto_create(client, "orders")
        refused(produce(client, [BAD], "orders"), 0)
        stored(produce(client, [GOOD], "orders"))


def test_many_files():
    """More records than one batch of the log, and references over several levels."""
    at = Folder()
    for i in range(24):
        use = f'import "f{i - 1}.proto";\n' if i % 4 else ""
        field = f"F{i - 1} f = 1;" if i % 4 else ""
        more = "".join(f"  string {'long' * 250}{j} = {j + 10};\n" for j in range(50))
        at.write(f"f{i}.proto", f'syntax = "proto3";\n{use}message F{i} {{ {field}\n{more} }}\n')
    with Broker("--contracts", str(at.path)) as broker:
        before = registered(broker)
        assert sorted(before.values()) == list(range(1, 25)), before
        broker.restart()  # kill -9
        assert registered(broker) == before
