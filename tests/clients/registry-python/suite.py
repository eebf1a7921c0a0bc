"""confluent-kafka-python's registry client and Protobuf serializers: what they register, look up,
write and read."""
import json
import os
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
warnings.filterwarnings("ignore")
from checks import BOOTSTRAP, Skip, check, equal, finish, report  # noqa: E402
from confluent_kafka import Consumer, Producer  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from confluent_kafka.schema_registry import (  # noqa: E402
    Schema, SchemaReference, SchemaRegistryClient, SchemaRegistryError, header_schema_id_serializer)
from confluent_kafka.schema_registry.protobuf import (  # noqa: E402
    ProtobufDeserializer, ProtobufSerializer)
from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: E402
from google.protobuf import (  # noqa: E402
    descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2)

REGISTRY = os.environ.get("MILLRACE_REGISTRY")
if not REGISTRY:
    report("skip", "all", "there is no registry")
    finish()
TIMEOUT = 20
client = SchemaRegistryClient({"url": REGISTRY})
TEXT = Schema('syntax = "proto3"; package shop; message Order { string id = 1; }', "PROTOBUF")


# ---- schemas, without a compiler -------------------------------------------------------------

def field(name, number, kind, type_name=None, label="OPTIONAL"):
    proto = descriptor_pb2.FieldDescriptorProto
    made = proto(name=name, number=number, type=getattr(proto, f"TYPE_{kind}"),
                 label=getattr(proto, f"LABEL_{label}"))
    if type_name:
        made.type_name = type_name
    return made


def file(name, package, messages, imports=()):
    made = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3",
                                              dependency=list(imports))
    for message, fields in messages.items():
        made.message_type.add(name=message).field.extend(fields)
    return made


def classes(*files):
    """Message classes by full name, as generated code would have them."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    for one in files:
        pool.Add(one)
    return {f"{one.package}.{message.name}": message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{one.package}.{message.name}"))
        for one in files for message in one.message_type}


ITEM = file("shop/item.proto", "shop", {"Item": [field("sku", 1, "STRING")]})
ORDER = file("shop/order.proto", "shop", {
    "Unused": [field("x", 1, "BOOL")],
    "Order": [field("id", 1, "STRING"), field("at", 2, "MESSAGE", ".google.protobuf.Timestamp"),
              field("items", 3, "MESSAGE", ".shop.Item", "REPEATED"),
              field("qty", 4, "SINT32")]},
    ["google/protobuf/timestamp.proto", "shop/item.proto"])
MADE = classes(ITEM, ORDER)
Order = MADE["shop.Order"]


def an_order():
    order = Order(id="o-1", qty=-3)
    order.at.seconds = 17
    order.items.add(sku="a")
    order.items.add(sku="b")
    return order


def refused(status, code, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except SchemaRegistryError as error:
        equal((error.http_status_code, error.error_code), (status, code), str(error))
        return error.error_message
    raise AssertionError(f"no error where {code} was expected")


# ---- checks ----------------------------------------------------------------------------------

def value_of(topic):
    return SerializationContext(topic, MessageField.VALUE, [])


def through_the_broker(topic, config):
    """A message in by the serializer, out by the deserializer."""
    context = value_of(topic)
    serialize = ProtobufSerializer(Order, client, config)
    value = serialize(an_order(), context)
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    producer.produce(topic, value, headers=context.headers or None)
    equal(producer.flush(TIMEOUT), 0, "messages left")
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": f"group-{topic}",
                         "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    message = consumer.poll(TIMEOUT)
    consumer.close()
    read = ProtobufDeserializer(Order, {}, SchemaRegistryClient({"url": REGISTRY}))(
        message.value(), SerializationContext(topic, MessageField.VALUE, message.headers()))
    equal(read, an_order(), "the message")
    return message


def serializer_round_trip():
    message = through_the_broker("orders", {})
    equal(message.value()[0], 0, "the magic byte")
    latest = client.get_latest_version("orders-value")
    equal(int.from_bytes(message.value()[1:5], "big"), latest.schema_id, "the id in the record")
    equal([r.name for r in latest.schema.references], ["shop/item.proto"], "references")
    equal(client.get_subjects(), ["orders-value", "shop/item.proto"], "subjects")


def header_round_trip():
    message = through_the_broker("orders-header", {
        "schema.id.serializer": header_schema_id_serializer})
    headers = dict(message.headers())
    equal(headers["__value_schema_id"][0], 1, "the magic byte of a GUID")
    equal(message.value()[0] == 0, False, "the value has a prefix")


def without_registering():
    serialize = ProtobufSerializer(Order, SchemaRegistryClient({"url": REGISTRY}), {
        "auto.register.schemas": False})
    equal(serialize(an_order(), value_of("orders"))[1:5],
          client.get_latest_version("orders-value").schema_id.to_bytes(4, "big"), "the id")
    serialize = ProtobufSerializer(Order, SchemaRegistryClient({"url": REGISTRY}), {
        "auto.register.schemas": False, "use.latest.version": True})
    serialize(an_order(), value_of("orders"))


def text_and_descriptor_are_one():
    """What is registered as a descriptor is found by its text."""
    descriptor = client.get_latest_version("shop/item.proto")
    text = Schema('syntax = "proto3";\n// a comment\npackage shop;\n'
                  'message Item { string sku = 1; }', "PROTOBUF")
    found = client.lookup_schema("shop/item.proto", text)
    equal((found.schema_id, found.version), (descriptor.schema_id, 1), "the lookup")
    equal(client.register_schema("elsewhere", text), descriptor.schema_id, "the id elsewhere")


def versions_and_ids():
    first = client.register_schema("s1", TEXT)
    second = client.register_schema("s1", Schema(TEXT.schema_str.replace("}", "int32 n = 2; }"),
                                                 "PROTOBUF"))
    equal(client.register_schema("s1", TEXT), first, "the same again")
    equal(client.register_schema("s2", TEXT), first, "the same elsewhere")
    equal(client.get_versions("s1"), [1, 2], "versions")
    equal(client.get_latest_version("s1").schema_id, second, "the latest")
    equal(client.get_version("s1", 1).schema_id, first, "the first")
    fresh = SchemaRegistryClient({"url": REGISTRY})
    equal(fresh.get_schema(first).schema_type, "PROTOBUF", "the type")
    equal("message Order" in fresh.get_schema(first).schema_str, True, "text by default")
    refused(404, 40403, fresh.get_schema, 999)
    refused(404, 40401, fresh.get_versions, "nobody")
    refused(404, 40402, fresh.get_version, "s1", 9)
    refused(404, 40401, fresh.lookup_schema, "nobody", TEXT)
    refused(404, 40403, fresh.lookup_schema, "elsewhere", TEXT)


def what_is_refused():
    changed = Schema(TEXT.schema_str.replace("string id", "int32 id"), "PROTOBUF")
    said = refused(409, 409, client.register_schema, "s1", changed)
    equal(said.startswith("Schema being registered is incompatible with an earlier schema for "
                          'subject "s1", details: ['), True, said)
    refused(422, 42201, client.register_schema, "s1", Schema("message {", "PROTOBUF"))
    refused(422, 42201, client.register_schema, "s1", Schema(TEXT.schema_str, "NONSENSE"))
    missing = [SchemaReference("x.proto", "missing", 1)]
    refused(422, 42201, client.register_schema, "s1",
            Schema('syntax = "proto3"; import "x.proto"; message A { X x = 1; }', "PROTOBUF",
                   missing))
    equal(client.test_compatibility("s1", changed), False, "the comparison")
    equal(client.test_compatibility("s1", TEXT), True, "the comparison with itself")


def settings():
    equal(client.get_compatibility(), "BACKWARD", "the default")
    refused(404, 40408, client.get_compatibility, "s1")
    client.set_compatibility("s1", "FULL_TRANSITIVE")
    equal(client.get_compatibility("s1"), "FULL_TRANSITIVE", "the level")
    refused(422, 42203, client.set_compatibility, "s1", "SOMETIMES")


def deleting():
    client.register_schema("gone", TEXT)
    client.register_schema("gone", Schema(TEXT.schema_str.replace("}", "int32 n = 3; }"),
                                          "PROTOBUF"))
    fresh = SchemaRegistryClient({"url": REGISTRY})
    equal(fresh.delete_version("gone", 2), 2, "the version")
    equal(fresh.delete_subject("gone"), [1], "hidden")
    equal("gone" in fresh.get_subjects(), False, "the list")
    refused(404, 40404, fresh.delete_subject, "gone")
    equal(fresh.delete_subject("gone", permanent=True), [1, 2], "gone for good")
    said = refused(422, 42206, fresh.delete_version, "shop/item.proto", 1)
    equal(said, "One or more references exist to the schema {magic=1,keytype=SCHEMA,"
                "subject=shop/item.proto,version=1}.", "the text")


def other_types():
    avro = Schema('{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}',
                  "AVRO")
    first = client.register_schema("avro", avro)
    spaced = Schema(avro.schema_str.replace(" ", "  "), "AVRO")
    equal(SchemaRegistryClient({"url": REGISTRY}).register_schema("avro", spaced), first, "the id")
    changed = Schema(avro.schema_str.replace("int", "long"), "AVRO")
    said = refused(409, 409, client.register_schema, "avro", changed)
    equal("only PROTOBUF schemas are compared" in said, True, said)
    client.set_compatibility("avro", "NONE")
    equal(client.register_schema("avro", changed) != first, True, "a new id")
    refused(422, 42201, client.register_schema, "json", Schema('{"type":', "JSON"))
    client.register_schema("json", Schema('{"type": "object"}', "JSON"))


# ---- contracts -------------------------------------------------------------------------------

def delivered(topic, value, headers=None):
    """What becomes of a value: its offset, or an error's name."""
    told = []
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    producer.produce(topic, value, headers=headers, on_delivery=lambda error, message: told.append(
        error.name() if error else message.offset()))
    equal(producer.flush(TIMEOUT), 0, "messages left")
    return told[0]


def bound(topic, **configs):
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    configs = {f"millrace.value.{name}": value for name, value in configs.items()}
    new = NewTopic(topic, 1, 1, config={"millrace.value.contract": "payload", **configs})
    admin.create_topics([new])[topic].result(TIMEOUT)


def serializers_meet_a_contract():
    """The subject comes with the serializer's first record; then every byte counts."""
    bound("contract", message="shop.Order")
    context = value_of("contract")
    value = ProtobufSerializer(Order, client, {})(an_order(), context)
    equal(delivered("contract", value), 0, "an order")
    equal(delivered("contract", value[:-1]), "INVALID_RECORD", "an order that is cut off")
    equal(delivered("contract", None), 1, "a tombstone")
    unused = MADE["shop.Unused"]
    other = ProtobufSerializer(unused, client, {})(unused(x=True), context)
    equal(delivered("contract", other), "INVALID_RECORD", "another message of the file")
    header = value_of("contract")
    bare = ProtobufSerializer(Order, client, {"schema.id.serializer": header_schema_id_serializer})(
        an_order(), header)
    equal(delivered("contract", bare, header.headers), 2, "an order with its id in a header")
    equal(delivered("contract", bare), "INVALID_RECORD", "the same without the header")


def serializers_evolve():
    """A new version while producing: both are checked against their own."""
    bound("evolving")
    evolved = file("shop/order.proto", "shop", {
        "Unused": [field("x", 1, "BOOL")],
        "Order": [*ORDER.message_type[1].field, field("note", 9, "STRING")]}, ORDER.dependency)
    newer = classes(ITEM, evolved)["shop.Order"]
    first = ProtobufSerializer(Order, client, {})(an_order(), value_of("evolving"))
    equal(delivered("evolving", first), 0, "the first version")
    second = ProtobufSerializer(newer, client, {})(newer(note="n"), value_of("evolving"))
    equal(delivered("evolving", second), 1, "the second")
    equal(delivered("evolving", first), 2, "the first again")
    equal(client.get_versions("evolving-value"), [1, 2], "versions")


def the_command_line_in_json():
    """What a serializer wrote is shown as JSON, and what was typed as JSON is deserialized."""
    command = os.environ.get("MILLRACE_CLI")
    if not command:
        raise Skip("there is no command")
    bound("typed", message="shop.Order")
    value = ProtobufSerializer(Order, client, {})(an_order(), value_of("typed"))
    equal(delivered("typed", value), 0, "an order")
    there = ["-b", BOOTSTRAP, "-r", REGISTRY]

    def run(*arguments):
        return subprocess.run([command, *arguments, *there], capture_output=True, text=True,
                              check=True, timeout=60).stdout

    line = json_format.MessageToJson(an_order(), indent=None)
    shown = run("consume", "typed")
    equal(json.loads(shown), json.loads(line), "the order as JSON")
    run("produce", "typed", "--json", line)
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "typed",
                         "auto.offset.reset": "earliest"})
    consumer.subscribe(["typed"])
    read = ProtobufDeserializer(Order, {}, SchemaRegistryClient({"url": REGISTRY}))
    for _ in range(2):
        message = consumer.poll(TIMEOUT)
        equal(read(message.value(), SerializationContext("typed", MessageField.VALUE,
                                                         message.headers())), an_order(), "it")
    consumer.close()
    bound("typed-header", message="shop.Order", framing="header", subject="typed-value")
    run("produce", "typed-header", "--json", line)
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "typed-header",
                         "auto.offset.reset": "earliest"})
    consumer.subscribe(["typed-header"])
    message = consumer.poll(TIMEOUT)
    consumer.close()
    equal(read(message.value(), SerializationContext("typed-header", MessageField.VALUE,
                                                     message.headers())), an_order(), "by header")


check("serializer and deserializer", serializer_round_trip)
check("the id in a header", header_round_trip)
check("a serializer that must not register", without_registering)
check("text and descriptor are one schema", text_and_descriptor_are_one)
check("versions and ids", versions_and_ids)
check("what is refused", what_is_refused)
check("settings", settings)
check("deleting", deleting)
check("AVRO and JSON", other_types)
check("a contract and its serializers", serializers_meet_a_contract)
check("a contract that evolves", serializers_evolve)
check("the command line in JSON", the_command_line_in_json)
finish()
