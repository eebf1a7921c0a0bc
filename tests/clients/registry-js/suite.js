// @confluentinc/schemaregistry (its client and Protobuf serializers) and kafkajs' registry client.
const assert = require("assert");
const { create, createFileRegistry } = require("@bufbuild/protobuf");
const { FileDescriptorProtoSchema, FileDescriptorSetSchema, TimestampSchema,
        file_google_protobuf_timestamp } = require("@bufbuild/protobuf/wkt");
const { SchemaRegistryClient, SerdeType, ProtobufSerializer,
        ProtobufDeserializer } = require("@confluentinc/schemaregistry");
const { SchemaRegistry, SchemaType } = require("@kafkajs/confluent-schema-registry");

const REGISTRY = process.env.MILLRACE_REGISTRY;
const TEXT = 'syntax = "proto3"; package shop; message Order { string id = 1; int32 qty = 2; }';
let failures = 0;

async function check(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    failures++;
    console.log(`not ok ${name}: ${String(error && error.stack || error).replace(/\s+/g, " ")}`);
  }
}

const client = () => new SchemaRegistryClient({ baseURLs: [REGISTRY], cacheCapacity: 100,
                                                cacheLatestTtlSecs: 0 });

// Types without generated code: TYPE_STRING 9, TYPE_INT32 5, TYPE_MESSAGE 11.
function types() {
  const field = (name, number, type, more) => ({ name, number, type, label: 1, jsonName: name, ...more });
  const item = create(FileDescriptorProtoSchema, {
    name: "shop/item.proto", package: "shop", syntax: "proto3",
    messageType: [{ name: "Item", field: [field("sku", 1, 9)] }] });
  const order = create(FileDescriptorProtoSchema, {
    name: "shop/order.proto", package: "shop", syntax: "proto3",
    dependency: ["shop/item.proto", "google/protobuf/timestamp.proto"],
    messageType: [{ name: "Order", field: [
      field("id", 1, 9), field("item", 2, 11, { typeName: ".shop.Item" }),
      field("at", 3, 11, { typeName: ".google.protobuf.Timestamp" })] }] });
  const set = create(FileDescriptorSetSchema,
                     { file: [file_google_protobuf_timestamp.proto, item, order] });
  return createFileRegistry(set);
}

async function serializers() {
  const registry = types();
  const Order = registry.getMessage("shop.Order");
  const Item = registry.getMessage("shop.Item");
  const order = create(Order, { id: "o-1", item: create(Item, { sku: "a" }),
                                at: create(TimestampSchema, { seconds: 17n }) });
  const serializer = new ProtobufSerializer(client(), SerdeType.VALUE, { autoRegisterSchemas: true });
  serializer.registry.add(Order);
  serializer.registry.add(Item);
  const bytes = await serializer.serialize("orders", order);
  assert.strictEqual(bytes[0], 0);
  const deserializer = new ProtobufDeserializer(client(), SerdeType.VALUE, {});
  const read = await deserializer.deserialize("orders", bytes);
  assert.strictEqual(read.id, "o-1");
  assert.strictEqual(read.item.sku, "a");
  const latest = await client().getLatestSchemaMetadata("orders-value");
  assert.strictEqual(latest.id, bytes.readInt32BE(1));
  assert.deepStrictEqual(latest.references.map(reference => reference.name), ["shop/item.proto"]);
}

async function registryClient() {
  const one = client();
  const info = { schema: TEXT, schemaType: "PROTOBUF" };
  const id = await one.register("s1", info);
  assert.strictEqual(await client().register("s1", info), id);
  assert.strictEqual(await client().getId("s1", info), id);
  assert.deepStrictEqual(await one.getAllVersions("s1"), [1]);
  assert.strictEqual(await one.testSubjectCompatibility("s1", info), true);
  await one.updateCompatibility("s1", "FORWARD");
  assert.strictEqual(await client().getCompatibility("s1"), "FORWARD");
  const changed = { schema: TEXT.replace("int32", "string"), schemaType: "PROTOBUF" };
  await assert.rejects(one.register("s1", changed), error => error.status === 409);
  await assert.rejects(one.getAllVersions("nobody"), error => error.errorCode === 40401);
}

async function kafkajs() {
  const registry = new SchemaRegistry({ host: REGISTRY });
  const { id } = await registry.register({ type: SchemaType.PROTOBUF, schema: TEXT },
                                         { subject: "kafkajs-value" });
  const again = await new SchemaRegistry({ host: REGISTRY })
    .register({ type: SchemaType.PROTOBUF, schema: TEXT }, { subject: "kafkajs-value" });
  assert.strictEqual(again.id, id);
  const bytes = await registry.encode(id, { id: "o-1", qty: 3 });
  assert.strictEqual(bytes.readInt32BE(1), id);
  const read = await new SchemaRegistry({ host: REGISTRY }).decode(bytes);
  assert.strictEqual(read.qty, 3);
  assert.strictEqual(await registry.getLatestSchemaId("kafkajs-value"), id);
}

(async () => {
  if (!REGISTRY) {
    console.log("skip all: there is no registry");
    return;
  }
  await check("@confluentinc/schemaregistry: serializer and deserializer", serializers);
  await check("@confluentinc/schemaregistry: the client", registryClient);
  await check("@kafkajs/confluent-schema-registry", kafkajs);
  process.exit(failures ? 1 : 0);
})();
