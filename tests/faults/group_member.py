"""One member of a group, as a process of its own so that it can be killed: reads what it is given,
commits now and then, and writes each event as a line of JSON (group_history.py has them). SIGTERM
lets it leave. Through librdkafka; tests/clients/*/member.* are the same with other clients.

    group_member.py ADDRESS GROUP TOPIC PROTOCOL
"""
import json
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException

PROTOCOLS = {
    "classic": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 300},
    "cooperative": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 300,
                    "partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}
COMMIT_EVERY_S = 0.2
goes_on = True


def stop(*_):
    global goes_on
    goes_on = False


def say(*event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def commit(consumer, positions):
    """What was read so far, and only if there is something; a refusal is part of life here."""
    offsets = [where for where in consumer.position(positions) if where.offset >= 0]
    if not offsets:
        return
    try:
        done = consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException:
        return
    good = {where.partition: where.offset for where in done if not where.error}
    if good:
        say("committed", time.monotonic(), good)


def main():
    address, group, topic, protocol = sys.argv[1:]
    signal.signal(signal.SIGTERM, stop)
    consumer = Consumer({
        "bootstrap.servers": address, "group.id": group, "enable.auto.commit": False,
        "auto.offset.reset": "earliest", "reconnect.backoff.ms": 10, "log_level": 0,
        "reconnect.backoff.max.ms": 100, "fetch.wait.max.ms": 100, **PROTOCOLS[protocol]})
    consumer.subscribe(
        [topic],
        on_assign=lambda _, all: say("given", time.monotonic(), [p.partition for p in all]),
        on_revoke=commit, on_lost=lambda *_: None)
    next_commit = 0
    while goes_on:
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            say("read", message.partition(), message.offset())
        elif message is not None and message.error().code() == KafkaError._FATAL:
            raise KafkaException(message.error())
        if time.monotonic() > next_commit:
            commit(consumer, consumer.assignment())
            next_commit = time.monotonic() + COMMIT_EVERY_S
    commit(consumer, consumer.assignment())
    consumer.close()


main()
