"""millrace produce --json and consume, on topics with contracts."""
import json
import subprocess
import time

from broker import Broker
from registry import Registry
from test_cli import rows, run as run_cli
from test_contracts import BAD, GOOD, ORDER, PAYLOAD, RAW, framed, produce, register, stored

ITEM = 'syntax = "proto3"; package shop; message Item { string sku = 1; int32 qty = 2; }'
LIST = """syntax = "proto3"; package shop; import "shop/item.proto";
import "google/protobuf/timestamp.proto";
message List { google.protobuf.Timestamp at = 1; repeated Item items = 2; int64 total = 3;
  enum Kind { PLAIN = 0; GIFT = 1; } Kind kind = 4; bytes data = 5; map<string, Item> by_name = 6; }
message Other { message Deep { int32 n = 1; } Deep deep = 1; }
"""
LINES = [
    '{"at":"2024-01-31T12:00:00Z","items":[{"sku":"a","qty":1},{}],"total":"9007199254740993"}',
    '{"kind":"GIFT","data":"AQID","byName":{"x":{"qty":2},"y":{}}}',
    '{}',
]


def url(broker):
    return broker.ready["schema_registry"]


def run(broker, *arguments, said="", status=0):
    return run_cli(broker, *arguments, "-r", url(broker), said=said, status=status)


def list_registered(broker, subject):
    """With an import that is a reference."""
    registry = Registry(broker)
    register(broker, "item", ITEM)
    return registry.post(f"/subjects/{subject}/versions", {
        "schemaType": "PROTOBUF", "schema": LIST,
        "references": [{"name": "shop/item.proto", "subject": "item", "version": 1}]})["id"]


def values(client, topic):
    return [value for _, value in client.all(topic)]


def test_framed_there_and_back():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        number = list_registered(broker, "t-value")
        client.create("t", **PAYLOAD, **{"millrace.value.message": "shop.List"})
        said = "\n".join(LINES + ["null", ' {"total": 7, "by_name": {}} ']) + "\n"
        stored_rows = rows(run(broker, "produce", "t", "--json", said=said))
        assert sum(row["records"] for row in stored_rows) == 5, stored_rows
        assert run(broker, "consume", "t").splitlines() == LINES + ["null", '{"total":"7"}']
        raw = values(client, "t")
        assert raw[2] == framed(number, b"") and raw[3] is None, raw
        assert raw[4] == framed(number, b"\x18\x07"), raw
        shown = rows(run(broker, "consume", "t", "--json"))
        assert shown[0]["value"]["items"] == [{"sku": "a", "qty": 1}, {}] and shown[3]["value"] is None
        assert [row["offset"] for row in shown] == [0, 1, 2, 3, 4]
        # Bytes on demand.
        assert rows(run(broker, "consume", "t", "--json", "--raw"))[4]["value"] == (
            framed(number, b"\x18\x07").decode())
        assert run(broker, "consume", "t", "-o", "4", "-f", "%v") == framed(number,
                                                                         b"\x18\x07").decode()
        assert run(broker, "consume", "t", "-o", "4", "--raw") == framed(
            number, b"\x18\x07").decode() + "\n"


def test_a_message_behind_indexes():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        number = list_registered(broker, "t-value")
        client.create("t", **PAYLOAD)
        said = run(broker, "produce", "t", "--json", "{}", status=2)
        assert "--message: shop.List, shop.Other" in said, said
        run(broker, "produce", "t", "--json", "-m", "shop.Other.Deep", '{"n": 5}')
        run(broker, "produce", "t", "--json", "-m", "shop.Other", '{"deep": {"n": 6}}')
        run(broker, "produce", "t", "--json", "-m", "shop.List", '{"total": 7}')
        assert values(client, "t") == [framed(number, b"\x08\x05", b"\4\2\0"),
                                       framed(number, b"\x0a\x02\x08\x06", b"\2\2"),
                                       framed(number, b"\x18\x07")]
        assert run(broker, "consume", "t").splitlines() == ['{"n":5}', '{"deep":{"n":6}}',
                                                            '{"total":"7"}']
        assert "no message shop.Nope" in run(broker, "produce", "t", "--json", "-m", "shop.Nope",
                                             "{}", status=1)
        client.create("two", **PAYLOAD, **{"millrace.value.message": "shop.List,shop.Other",
                                           "millrace.value.subject": "t-value"})
        assert "--message: shop.List,shop.Other" in run(broker, "produce", "two", "--json", "{}",
                                                        status=2)
        assert "comes from an import" in run(broker, "produce", "t", "--json", "-m", "shop.Item",
                                             "{}", status=2)
        assert "does not take shop.Item" in run(broker, "produce", "two", "--json", "-m",
                                                "shop.Item", "{}", status=2)


def test_header_framing_and_keys():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        register(broker, "t-key", ITEM)
        register(broker, "t-value")
        client.create("t", **PAYLOAD, **{
            "millrace.value.framing": "header", "millrace.value.message": "shop.Order",
            "millrace.key.contract": "payload"})
        line = '{"sku":"a"}\t{"id":"o-1","items":[{"qty":2}]}\n'
        run(broker, "produce", "t", "--json", "-K", "\t", "-H", "a=b", said=line)
        shown, = rows(run(broker, "consume", "t", "--json"))
        assert shown["key"] == {"sku": "a"}, shown
        assert shown["value"] == {"id": "o-1", "items": [{"qty": 2}]}, shown
        assert [one["name"] for one in shown["headers"]] == ["a", "__value_schema_id"], shown
        assert run(broker, "consume", "t") == '{"id":"o-1","items":[{"qty":2}]}\n'
        said = run(broker, "produce", "t", "--json", "-K", "\t", said='{"sku":1}\t{}\n', status=1)
        assert "line 1: key: Item.sku: expected a string, found 1" in said, said


def test_raw_there_and_back():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        register(broker, "orders")
        client.create("t", **RAW, **{"millrace.value.subject": "orders"})
        run(broker, "produce", "t", "--json", '{"id": "a", "count": 7}')
        assert values(client, "t") == [GOOD]
        register(broker, "orders", ORDER.replace("int32 count = 2;", "int32 count = 2; string "
                                                 "gift = 4;"))
        run(broker, "produce", "t", "--json", '{"gift": "yes"}')
        assert run(broker, "consume", "t").splitlines() == ['{"id":"a","count":7}',
                                                            '{"gift":"yes"}']


def test_a_raw_version_that_comes_while_it_follows():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        register(broker, "orders")
        client.create("t", **RAW, **{"millrace.value.subject": "orders",
                                     "millrace.value.unknown.fields": "allow"})
        stored(produce(client, [GOOD]))
        reader = subprocess.Popen([Broker.program, "consume", "t", "-F", "-r", url(broker), "-b",
                                   "%s:%d" % broker.address], stdout=subprocess.PIPE, text=True)
        assert reader.stdout.readline() == '{"id":"a","count":7}\n'
        register(broker, "orders", ORDER.replace("int32 count = 2;", "int32 count = 2; string "
                                                 "gift = 4;"))
        for _ in range(300):
            stored(produce(client, [b"\x22\x03yes"]))
            line = reader.stdout.readline()
            if line != "{}\n":
                break
            time.sleep(0.1)
        assert line == '{"gift":"yes"}\n', line
        reader.kill()
        reader.communicate()


def test_lines_that_do_not_fit():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        register(broker, "t-value")
        client.create("t", **PAYLOAD, **{"millrace.value.message": "shop.Order",
                                         "max.message.bytes": "4000"})
        for line, why in (
                ('{"items": [{}, {"qty": "x"}]}',
                 'Order.items[1].qty: expected int32, found "x"'),
                ('{"cuont": 1}', 'shop.Order has no field "cuont"'),
                ('{"count": 1', "not JSON"), ("hello", "not JSON"), ("", "not JSON"),
                ('{"count": 1, "count": 2}', "duplicate object key"),
                ("[" * 5000, "not JSON"), ('{"count": 18446744073709551615}',
                                         "expected int32, found 18446744073709551615"),
                ("[" * 2000 + "]" * 2000, "expected an object, found an array"),
                ('"x"', 'expected an object, found "x"')):
            said = run(broker, "produce", "t", "--json", said=f'{{"count":1}}\n{line}\n', status=1)
            assert "line 2: " in said and why in said, (line, said)
        assert not client.all("t"), "what waited with a bad line is not sent"
        # What was acknowledged before is told.
        many = '{"id": "%s"}\n' % ("x" * 500) * 20 + '{"id": 1}\n'
        said = run(broker, "produce", "t", "--json", said=many, status=1)
        count = len(client.all("t"))
        assert "line 21: Order.id" in said and 0 < count < 20, (said, count)
        assert f"{count} records were stored" in said, (said, count)


def test_records_that_cannot_be_decoded():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        number = register(broker, "t-value")
        client.create("t", **PAYLOAD, **{"millrace.value.on.violation": "observe"})
        stored(produce(client, [framed(number), b"plain text", framed(number, BAD), framed(99),
                                framed(number, path=b"\2\x20"), b"", None, framed(number)]))
        lines = run(broker, "consume", "t").splitlines()
        shown = [json.loads(line) for line in lines]
        assert [lines[0], lines[6], lines[7]] == ['{"id":"a","count":7}', "null",
                                                  '{"id":"a","count":7}'], lines
        assert [row["offset"] for row in shown[1:6]] == [1, 2, 3, 4, 5], lines
        for row, why in ((1, "no schema id"), (2, "Order.count: expected varint (int32)"),
                         (3, "Schema 99 not found"), (4, "message indexes"), (5, "empty")):
            assert why in shown[row]["value_problem"], shown[row]
        assert shown[1]["value"] == "plain text" and "value_base64" not in shown[1]
        # Nobody to ask: records are shown as they are, and reading goes on.
        gone = rows(run_cli(broker, "consume", "t", "-r", "http://127.0.0.1:9", "-p", "0"))
        assert "no registry answers" in gone[0]["value_problem"] and gone[6] is None, gone
        assert "no registry answers" in run_cli(broker, "produce", "t", "--json", "{}", "-r",
                                                "http://127.0.0.1:9", status=3)


def test_other_schemas_and_topics_without_a_contract():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        number = register(broker, "t-value", '"string"', "AVRO")
        client.create("t", **{"millrace.value.contract": "schema-id"})
        stored(produce(client, [framed(number, b"x", b"")]))
        shown, = rows(run(broker, "consume", "t"))
        assert "AVRO" in shown["value_problem"] and shown["value"] == framed(
            number, b"x", b"").decode(), shown
        assert "AVRO" in run(broker, "produce", "t", "--json", "{}", status=1)
        # As ever: text goes in and comes out.
        run(broker, "produce", "plain", "--json", said='{"a": 1}\nhello\n')
        assert run(broker, "consume", "plain") == '{"a": 1}\nhello\n'
        # Nothing is asked of a registry then, not even that we can speak to it.
        secure = ("-r", "https://registry.example")
        run_cli(broker, "produce", "plain", "--json", "there", *secure)
        assert run_cli(broker, "consume", "plain", *secure) == '{"a": 1}\nhello\nthere\n'
        assert "not the address" in run_cli(broker, "consume", "t", *secure, status=2)


def test_subjects_by_record_and_in_contexts():
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        register(broker, "shop.Order")
        client.create("r", **PAYLOAD, **{"millrace.value.subject.strategy": "record",
                                         "millrace.value.message": "shop.Order"})
        run(broker, "produce", "r", "--json", '{"id": "a"}')
        assert run(broker, "consume", "r") == '{"id":"a"}\n'
        client.create("v", **PAYLOAD, **{"millrace.value.subject": "shop.Order",
                                         "millrace.value.message": "shop.Order",
                                         "millrace.value.versions": ">=2"})
        assert "takes versions >=2 of the schema, and the latest is 1" in run(
            broker, "produce", "v", "--json", "{}", status=1)
        register(broker, ":.c:orders", ORDER.replace("count", "number"))
        client.create("c", **PAYLOAD, **{"millrace.value.subject": ":.c:orders",
                                         "millrace.value.message": "shop.Order"})
        run(broker, "produce", "c", "--json", '{"number": 3}')
        assert run(broker, "consume", "c") == '{"number":3}\n'


def test_references_of_references_in_another_context():
    """What a schema refers to without a context is of its own one, not of the first schema's."""
    with Broker(ephemeral=True) as broker, broker.connect() as client:
        def refer(subject, text, name, referred):
            Registry(broker).post(f"/subjects/{subject}/versions", {
                "schemaType": "PROTOBUF", "schema": text,
                "references": [{"name": name, "subject": referred, "version": -1}]})
        head = 'syntax = "proto3"; package shop; '
        register(broker, "unit", head + "message Unit { int32 n = 1; }")
        refer(":.c:part", head + 'import "unit.proto"; message Part { Unit unit = 1; }',
              "unit.proto", ":.:unit")
        refer(":.c:item", head + 'import "part.proto"; message Item { Part part = 1; }',
              "part.proto", "part")
        refer("t-value", head + 'import "item.proto"; message Order { Item item = 1; }',
              "item.proto", ":.c:item")
        assert Registry(broker).refused("DELETE", "/subjects/unit") == (422, 42206), "referred to"
        client.create("t", **PAYLOAD)
        line = '{"item":{"part":{"unit":{"n":5}}}}\n'
        run(broker, "produce", "t", "--json", said=line)
        assert run(broker, "consume", "t") == line
