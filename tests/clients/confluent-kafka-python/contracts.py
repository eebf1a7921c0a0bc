"""librdkafka after a batch with a record that breaks its topic's contract."""
import pathlib
import re
import subprocess
import sys

from checks import BOOTSTRAP, check, equal
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from orders import BAD, CONFIGS, GOOD, framed, schema_id

TIMEOUT = 20
MATE = "_INVALID_DIFFERENT_RECORD"


class Orders:
    """A producer to a topic of its own that takes orders only."""

    def __init__(self, topic, **config):
        self.number, self.topic, self.told = schema_id(), topic, []
        admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
        admin.create_topics([NewTopic(topic, 1, 1, config=CONFIGS)])[topic].result(TIMEOUT)
        self.producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 100, **{
            name.replace("_", "."): value for name, value in config.items()}})

    def send(self, *payloads):
        """One batch; what each record is told: an offset or an error's name."""
        told = [None] * len(payloads)

        def delivered(at):
            def take(error, message):
                told[at] = error.name() if error else message.offset()
            return take

        for at, payload in enumerate(payloads):
            self.producer.produce(self.topic, framed(self.number, payload),
                                  on_delivery=delivered(at))
        equal(self.producer.flush(TIMEOUT), 0, "messages left")
        return told


def goes_on(topic, **config):
    orders = Orders(topic, **config)
    equal(orders.send(GOOD), [0], "a good one")
    equal(orders.send(GOOD, BAD, GOOD), [MATE, "INVALID_RECORD", MATE], "one bad of three")
    equal(orders.send(GOOD, GOOD), [1, 2], "the next")
    equal(orders.send(BAD, BAD, GOOD), ["INVALID_RECORD", "INVALID_RECORD", MATE], "two bad")
    equal(orders.send(BAD), ["INVALID_RECORD"], "alone")
    equal(orders.send(GOOD), [3], "the last")


def gapless_ends():
    orders = Orders("contract-gapless", enable_idempotence=True, enable_gapless_guarantee=True)
    equal(orders.send(GOOD), [0], "a good one")
    try:
        orders.send(GOOD, BAD)
        orders.send(GOOD)
    except KafkaException as error:
        equal((error.args[0].fatal(), error.args[0].name()), (True, "_GAPLESS_GUARANTEE"), "the end")
    else:
        raise AssertionError("it goes on")


def the_guide():
    """The program in docs/contracts.md prints what stands below it."""
    guide = pathlib.Path(__file__).resolve().parents[3] / "docs/contracts.md"
    program = re.search(r"^```python\n(.*?)^```", guide.read_text(), re.M | re.S)[1]
    schema_id()
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    configs = {**CONFIGS, "millrace.value.framing": "raw", "millrace.value.message": "shop.Order"}
    admin.create_topics([NewTopic("orders", 1, 1, config=configs)])["orders"].result(TIMEOUT)
    done = subprocess.run([sys.executable, "-c", program.replace("127.0.0.1:9092", BOOTSTRAP)],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal(done.stdout.splitlines(), [
        "stored at offset 0",
        'KafkaError{code=INVALID_RECORD,val=87,str="Broker: Broker failed to validate record"}'],
        "what it prints")


def main():
    check("contract-plain", goes_on, "contract-plain")
    check("contract-idempotent", lambda: goes_on("contract-idempotent", enable_idempotence=True))
    check("contract-gapless", gapless_ends)
    check("contract-guide", the_guide)
