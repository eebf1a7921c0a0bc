"""A producer that was left behind: built when an item's quantity was still a text, as in "2 boxes".

Without a contract its orders would be stored, and workers would ship nothing: Protobuf takes a field
of another type for an unknown one, and the quantity is 0. The broker refuses them, and says which
field is wrong. This program uses kafka-python, which passes the broker's words on; librdkafka tells
its users the error's code alone.
"""
import os
import sys

from contract import message_class, newest_contract
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from kafka import KafkaProducer
from kafka.errors import InvalidRecordError

BROKER = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
REGISTRY = os.environ.get("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081")


def old_order_class():
    """The class that this program was built with."""
    contract = newest_contract(REGISTRY, "orders-value")
    item = next(message for message in contract.message_type if message.name == "Item")
    quantity = next(field for field in item.field if field.name == "quantity")
    quantity.type = FieldDescriptorProto.TYPE_STRING
    return message_class(contract, "shop.Order")


order = old_order_class()(id="old-1", customer="ada")
order.items.add(sku="tea", quantity="2 boxes")
producer = KafkaProducer(bootstrap_servers=BROKER, client_id="outdated")
try:
    stored = producer.send("orders", key=b"ada", value=order.SerializeToString()).get(timeout=60)
    print(f"outdated: stored at {stored.partition}:{stored.offset}")
except InvalidRecordError as refused:
    sys.exit(f"outdated: {refused}")
finally:
    producer.close()
