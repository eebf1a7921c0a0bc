"""Ships the orders of the topic `orders`, as one of the group `shippers`.

    worker.py [NAME]

Each order goes to one worker of the group; workers may come and go. An order counts as done when it
has been shipped: one that a worker dies over is shipped by another, so each at least once.
"""
import os
import signal
import sys

from confluent_kafka import Consumer, KafkaException
from contract import message_class, newest_contract

BROKER = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
REGISTRY = os.environ.get("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081")
NAME = sys.argv[1] if len(sys.argv) > 1 else "worker"


def say(text):
    print(f"{NAME}: {text}", flush=True)


def ship(order):
    items = ", ".join(f"{item.quantity} x {item.sku}" for item in order.items)
    say(f"shipped {order.id} to {order.customer}: {items}")


class Worker:
    def __init__(self):
        contract = newest_contract(REGISTRY, "orders-value")
        self.order_class = message_class(contract, "shop.Order")
        self.consumer = Consumer({
            "bootstrap.servers": BROKER,
            "client.id": NAME,
            "group.id": "shippers",
            "group.protocol": "consumer",  # the broker assigns (KIP-848)
            "auto.offset.reset": "earliest",
            "enable.auto.offset.store": False,  # store_offsets() says what may be committed
        })
        self.partitions = None
        self.stopping = False

    def stop(self, *_):
        self.stopping = True

    def run(self):
        self.consumer.subscribe(["orders"])
        try:
            while not self.stopping:
                self.take(self.consumer.poll(0.5))
                self.tell_partitions()
        finally:
            self.consumer.close()  # commits what is done, and leaves the group

    def take(self, message):
        if message is None:
            return
        if message.error():
            raise KafkaException(message.error())
        # The contract holds for every record of the topic: no try, no dead letters.
        ship(self.order_class.FromString(message.value()))
        self.consumer.store_offsets(message)

    def tell_partitions(self):
        partitions = sorted(one.partition for one in self.consumer.assignment())
        if partitions != self.partitions:
            self.partitions = partitions
            say(f"partitions {partitions}")


worker = Worker()
signal.signal(signal.SIGTERM, worker.stop)
signal.signal(signal.SIGINT, worker.stop)
worker.run()
