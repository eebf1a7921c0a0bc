"""millrace schema register, list, show and import, with a registry."""
import json
import socket

from broker import Broker
from registry import Registry, proto
from test_schema_cli import ITEM, ORDER, Folder


def url(broker):
    return broker.ready["schema_registry"]


def test_register_list_and_show():
    at = Folder(order_proto=ORDER, item_proto=ITEM)
    with Broker(ephemeral=True) as broker:
        there = ("-r", url(broker))
        assert at.run("schema", "list", *there) == ""
        for _ in range(2):
            assert at.run("schema", "register", "orders-value", "order.proto", *there) == (
                "item.proto version 1, id 1\norders-value version 1, id 2\n")
        assert [line.split() for line in at.run("schema", "list", *there).splitlines()[1:]] == [
            ["item.proto", "1", "1", "PROTOBUF"], ["orders-value", "1", "2", "PROTOBUF"]]
        assert "repeated Item items = 2;" in at.run("schema", "show", "orders-value", *there)
        shown = json.loads(at.run("schema", "show", "orders-value", "--json", *there))
        assert shown["references"] == [{"name": "item.proto", "subject": "item.proto", "version": 1}]
        assert at.run("schema", "show", "--id", "1", *there) == at.run(
            "schema", "show", "item.proto", "-V", "1", *there)
        assert at.run("schema", "register", ":.c:orders", "order.proto", *there) == (
            ":.c:item.proto version 1, id 1\n:.c:orders version 1, id 2\n"), "imports are beside it"
        at.write("item.proto", ITEM.replace("int32", "string"))
        assert "incompatible" in at.run("schema", "register", "item.proto", "item.proto", *there,
                                        status=1)
        assert "'none' not found" in at.run("schema", "show", "none", *there, status=1)
        assert "name a subject" in at.run("schema", "show", *there, status=2)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert str(port) in at.run("schema", "list", "-r", f"http://127.0.0.1:{port}", status=3)
    assert "http://HOST:PORT" in at.run("schema", "list", "-r", "ftp://x", status=2)


def test_a_list_has_several_pages():
    with Broker(ephemeral=True) as broker:
        registry = Registry(broker)
        names = [f"subject-{number:04}" for number in range(1001)]  # a page has 1000
        for name in names:
            registry.post(f"/subjects/{name}/versions", {"schema": '"string"', "schemaType": "AVRO"})
        at = Folder()
        listed = at.run("schema", "list", "-r", url(broker)).splitlines()[1:]
        assert [line.split()[0] for line in listed] == names
        listed = json.loads(at.run("schema", "list", "--all", "--json", "-r", url(broker)))
        assert [one["subject"] for one in listed] == names


def test_a_backup_comes_back_with_its_ids():
    at = Folder(order_proto=ORDER, item_proto=ITEM)
    with Broker(ephemeral=True) as old, Broker(ephemeral=True) as new:
        at.run("schema", "register", "orders-value", "order.proto", "-r", url(old))
        registry = Registry(old)
        registry.put("/config/gone", {"compatibility": "NONE"})
        registry.register("gone", proto("string a = 1;")), registry.register("gone", proto("int32 b = 2;"))
        registry.register(":.x:other", proto("string a = 1;"))
        registry.delete("/subjects/gone/versions/2")
        registry.put("/mode/gone", {"mode": "READONLY"})
        backup = at.run("consume", "_schemas", "--json", "-b", "%s:%d" % old.address)
        lines = [json.loads(line) for line in backup.splitlines()]
        at.write("backup.json", backup)
        at.write("backup.tsv", "".join(f"{line['key']}\t{line['value'] or ''}\n" for line in lines))
        everything = "/schemas?deleted=true&subjectPrefix=:*:"
        for name in ("backup.json", "backup.tsv"):
            said = at.run("schema", "import", name, "-r", url(new))
            assert said == "5 versions imported, 0 refused\n"
            assert Registry(new).get(everything) == registry.get(everything), name
            assert Registry(new).get("/config/gone") == {"compatibilityLevel": "NONE"}
            assert Registry(new).get("/mode/gone") == {"mode": "READONLY"}
        Registry(new).put("/mode", {"mode": "READONLY"})  # a mirror, that nobody else writes to
        at.run("schema", "import", "backup.tsv", "-r", url(new))
        assert Registry(new).get(everything) == registry.get(everything)
        at.write("broken", '{"keytype":"SCHEMA"}\t{}\n')
        assert "line 1" in at.run("schema", "import", "broken", "-r", url(new), status=1)
