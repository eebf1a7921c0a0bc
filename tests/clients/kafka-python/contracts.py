"""kafka-python after a batch with a record that breaks its topic's contract. It is the one that
hands the broker's words to the application."""
from checks import BOOTSTRAP, check, equal
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from orders import BAD, CONFIGS, GOOD, WHY, framed, schema_id

TIMEOUT = 20
INVALID = f"InvalidRecordError: record 1: {WHY} (schema id"


def create(topic):
    admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    admin.create_topics([NewTopic(topic, 1, 1, topic_configs=CONFIGS)])
    admin.close()


def send(producer, topic, *payloads):
    """One batch; what each record is told: an offset or an error's words."""
    number, told = schema_id(), []
    futures = [producer.send(topic, framed(number, payload), partition=0) for payload in payloads]
    for future in futures:
        try:
            told.append(future.get(TIMEOUT).offset)
        except Exception as error:
            told.append(str(error))
    return told


def refused(producer, topic):
    first, second, third = send(producer, topic, GOOD, BAD, GOOD)
    assert INVALID in second, second
    assert "part of a batch" in first and "part of a batch" in third, (first, third)


def plain():
    topic = "contract-plain"
    schema_id()
    create(topic)
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=100, enable_idempotence=False)
    equal(send(producer, topic, GOOD), [0], "a good one")
    refused(producer, topic)
    equal(send(producer, topic, GOOD, GOOD), [1, 2], "the next")
    producer.close(TIMEOUT)


def idempotent():
    """It ends all that follows with the first error: nothing goes until it is made anew."""
    topic = "contract-idempotent"
    schema_id()
    create(topic)
    for start in (0, 1):
        producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, linger_ms=100,
                                 enable_idempotence=True)
        equal(send(producer, topic, GOOD), [start], "a good one")
        refused(producer, topic)
        after = send(producer, topic, GOOD)[0]
        assert INVALID in after, after
        producer.close(TIMEOUT)


def main():
    check("contract-plain", plain)
    check("contract-idempotent", idempotent)
