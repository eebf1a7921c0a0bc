"""The mixed load of `mixed` and `power`, and what must hold at its end.

Idempotent and plain producers write to topics that are kept, retained by size, trimmed by
DeleteRecords, and compacted; a consumer follows all of them; meanwhile an operator trims, changes
configs, and creates and deletes topics. judge() says what is left of the promises: what was
acknowledged is there, but for what lies below the log start; the log start is where retention or a
trim may have put it; idempotent producers have no duplicates; nothing seen is gone or changed; of
compacted keys the newest is there; topics and configs are as the operator was told last.
"""
import random
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   NewTopic, OffsetSpec, ResourceType)

from history import History, make_value, parse_value
from retention import Retention

SMALL = {"segment.bytes": "1048576", "retention.ms": "-1"}
TOPICS = {  # name -> partitions, configs
    "kept": (3, {"retention.ms": "-1"}),
    "retained": (2, {**SMALL, "retention.bytes": "1500000"}),
    "trimmed": (2, SMALL),
    "compacted": (2, {"cleanup.policy": "compact", "segment.ms": "300", "segment.bytes": "1048576",
                      "min.cleanable.dirty.ratio": "0.0", "delete.retention.ms": "86400000"}),
}
PARTITIONS = [(topic, at) for topic, (count, _) in TOPICS.items() for at in range(count)]
CHANGES = [("retained", "retention.bytes", ["1200000", "1500000", "2500000"]),
           ("retained", "segment.bytes", ["1048576", "1500000"]),
           ("trimmed", "segment.bytes", ["1048576", "1500000"]),
           ("compacted", "segment.ms", ["200", "300", "1000"])]
PRODUCERS = {"idempotent-1": (True, "none"), "idempotent-2": (True, "lz4"),
             "plain-1": (False, "zstd"), "plain-2": (False, "none")}
KEYS = 200
PER_SECOND = 300  # records per producer
QUIET = {"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 100, "log_level": 0}
SECONDS = 60  # nothing takes longer, even on a busy machine


class Operator:
    """Changes topics, and knows what must hold: what was answered is so, what was not may be."""

    def __init__(self, address, chance, retention):
        self.admin = AdminClient({"bootstrap.servers": address, **QUIET})
        self.chance, self.retention = chance, retention
        self.asked, self.trimmed = {}, {}  # partition -> the highest offset asked for, answered
        self.configs = {}  # (topic, name) -> value; None where nobody knows
        self.topics = {}  # name -> there (True, False), or None
        self.done = 0

    def tries(self, futures):
        """True when all was answered; a broker that is killed answers nothing."""
        try:
            for future in futures.values():
                future.result(SECONDS)
            self.done += 1
            return True
        except KafkaException as error:
            code = error.args[0]
            # The client's own errors, and what a request says that is sent again after a kill.
            if not code.retriable() and not code.name().startswith("_") and code.name() not in (
                    "TOPIC_ALREADY_EXISTS", "UNKNOWN_TOPIC_OR_PART"):
                raise
            return False

    def trim(self, watermark):
        partition = ("trimmed", self.chance.randrange(TOPICS["trimmed"][0]))
        offset = self.chance.randint(self.asked.get(partition, 0), max(
            watermark[partition], self.asked.get(partition, 0)))
        self.asked[partition] = max(offset, self.asked.get(partition, 0))
        if self.tries(self.admin.delete_records([TopicPartition(*partition, offset)],
                                                request_timeout=2)):
            self.trimmed[partition] = max(offset, self.trimmed.get(partition, 0))

    def configure(self):
        topic, name, values = self.chance.choice(CHANGES)
        value = self.chance.choice(values)
        self.configs[topic, name] = None
        if name == "retention.bytes":
            self.retention.ask_limit(int(value))
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        if self.tries(self.admin.incremental_alter_configs([resource], request_timeout=2)):
            self.configs[topic, name] = value

    def create(self):
        name = f"passing-{len(self.topics)}"
        self.topics[name] = None
        if self.tries(self.admin.create_topics([NewTopic(name, 3, 1)], request_timeout=2)):
            self.topics[name] = True

    def delete(self):
        there = [name for name, is_there in self.topics.items() if is_there]
        if not there:
            return
        name = self.chance.choice(there)
        self.topics[name] = None
        if self.tries(self.admin.delete_topics([name], request_timeout=2)):
            self.topics[name] = False

    def act(self, watermark):
        self.chance.choice([lambda: self.trim(watermark), self.configure, self.create,
                            self.delete])()

    def violations(self):
        told = set(self.admin.list_topics(timeout=SECONDS).topics)
        for name, there in self.topics.items():
            if there is not None and there != (name in told):
                yield "catalog", f"{name}: {'gone' if there else 'still there'}"
        resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in TOPICS]
        for resource, future in self.admin.describe_configs(resources).items():
            found = future.result(SECONDS)
            for (topic, name), value in self.configs.items():
                if topic == resource.name and value not in (None, found[name].value):
                    yield "catalog", f"{topic}, {name}: {found[name].value}, not {value}"


class Load:
    """Producers, a consumer and the operator, each on a thread of its own."""

    def __init__(self, address, seed):
        self.address, self.seed = address, seed
        self.history = History()
        self.keys = {}  # (partition, Record) -> key, in the compacted topic
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.trouble = []
        self.retention = Retention(int(TOPICS["retained"][1]["retention.bytes"]))
        self.operator = Operator(address, random.Random(f"{seed} operator"), self.retention)
        targets = [(self.produce, name) for name in PRODUCERS]
        targets += [(self.consume, "consumer"), (self.operate, "operator")]
        self.threads = [threading.Thread(target=self.guarded, args=target) for target in targets]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def guarded(self, function, name):
        try:
            function(name)
        except Exception as error:
            self.complain(f"{name} stopped: {type(error).__name__}: {error}")

    def complain(self, text):
        with self.lock:
            self.trouble.append(text)

    def know(self, message):
        """How large a record is that a log has, or had."""
        if message.topic() == "retained":
            self.retention.know((message.topic(), message.partition()), message.offset(),
                                len(message.value()))

    def client_error(self, error):
        if error.fatal():
            self.complain(f"fatal: {error}")

    def produce(self, name):
        idempotent, codec = PRODUCERS[name]
        if idempotent:
            self.history.idempotent.add(name)
        producer = Producer({"bootstrap.servers": self.address, "acks": "all", "linger.ms": 2,
                             "enable.idempotence": idempotent, "compression.type": codec,
                             "message.timeout.ms": 300_000, "retry.backoff.ms": 10,
                             "retry.backoff.max.ms": 100, "retries": 1_000_000,
                             "error_cb": self.client_error, **QUIET})
        chance = random.Random(f"{self.seed} {name}")
        started, sent = time.monotonic(), 0
        while not self.stopping.is_set():
            if sent < (time.monotonic() - started) * PER_SECOND and len(producer) < 1500:
                self.send(producer, name, chance)
                sent += 1
            producer.poll(0 if sent % 8 else 0.002)
        left = producer.flush(SECONDS)
        if left:
            self.complain(f"{name}: {left} records are not delivered after {SECONDS} s")

    def send(self, producer, name, chance):
        topic, number = partition = chance.choice(PARTITIONS)
        size = 150_000 if chance.random() < 0.004 else int(chance.expovariate(1 / 400))
        with self.lock:
            sequence = self.history.send(partition, name)
        value = make_value(name, sequence, number, chance.randbytes(size))
        key = f"key {chance.randrange(KEYS)}".encode() if topic == "compacted" else None
        producer.produce(topic, value, key=key, partition=number, on_delivery=self.delivered)

    def delivered(self, error, message):
        if error:
            self.complain(f"not delivered: {error}")
            return
        partition = message.topic(), message.partition()
        record = parse_value(message.value(), message.partition())
        with self.lock:
            self.history.acknowledge(partition, record, message.offset())
            self.keys[partition, record] = message.key()
            self.know(message)

    def consume(self, name):
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "unused",
                             "enable.auto.commit": False, "auto.offset.reset": "earliest",
                             "fetch.wait.max.ms": 50, "error_cb": self.client_error, **QUIET})
        consumer.assign([TopicPartition(*partition, OFFSET_BEGINNING) for partition in PARTITIONS])
        while not self.stopping.is_set():
            for message in consumer.consume(500, 0.05):
                if message.error():
                    continue
                record = parse_value(message.value(), message.partition())
                with self.lock:
                    self.history.see((message.topic(), message.partition()), message.offset(),
                                     record)
                    self.know(message)
        consumer.close()

    def operate(self, name):
        while not self.stopping.is_set():
            with self.lock:
                watermark = dict(self.history.watermark)
            self.operator.act({partition: watermark.get(partition, 0) for partition in PARTITIONS})
            self.stopping.wait(0.1)


    def check_watermarks(self, address):
        """What a broker that has just started tells is not below what was known."""
        with self.lock:
            known = dict(self.history.watermark)
        starts = offsets(address, OffsetSpec.earliest())
        for partition, offset in offsets(address, OffsetSpec.latest()).items():
            with self.lock:
                if offset < known.get(partition, 0):
                    self.history.tell_watermark(partition, offset)
                if partition[0] == "retained":
                    self.retention.tell(partition, starts[partition], offset)


# ---- asking ----------------------------------------------------------------------------------

def offsets(address, which):
    admin = AdminClient({"bootstrap.servers": address, **QUIET})
    futures = admin.list_offsets({TopicPartition(*partition): which for partition in PARTITIONS})
    return {(at.topic, at.partition): future.result(SECONDS).offset
            for at, future in futures.items()}


def create_topics(address):
    admin = AdminClient({"bootstrap.servers": address})
    topics = [NewTopic(name, count, 1, config=configs)
              for name, (count, configs) in TOPICS.items()]
    for future in admin.create_topics(topics).values():
        future.result(SECONDS)


def read_log(address, load):
    """Everything that is there, into the history's log."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "unused",
                         "enable.auto.commit": False, "enable.partition.eof": True,
                         "auto.offset.reset": "error", "check.crcs": True})
    consumer.assign([TopicPartition(*partition, OFFSET_BEGINNING) for partition in PARTITIONS])
    ended, deadline = set(), time.monotonic() + 2 * SECONDS
    while len(ended) < len(PARTITIONS):
        if time.monotonic() > deadline:
            raise RuntimeError("the log cannot be read to its end")
        for message in consumer.consume(1000, 0.2):
            partition = message.topic(), message.partition()
            if message.error() is None:
                record = parse_value(message.value(), message.partition())
                load.history.log[partition][message.offset()] = record
                load.keys.setdefault((partition, record), message.key())
                load.know(message)
            elif message.error().name() == "_PARTITION_EOF":
                ended.add(partition)
            else:
                raise RuntimeError(f"{partition}: {message.error()}")
    consumer.close()


# ---- judging ---------------------------------------------------------------------------------

def judge_starts(load, starts):
    """Log starts are where somebody may have put them; what lies below is forgotten."""
    for partition, start in starts.items():
        asked = load.operator.asked.get(partition, 0)
        trimmed = load.operator.trimmed.get(partition, 0)
        if start < trimmed:
            yield "start", f"{partition} begins at {start}, trimmed to {trimmed}"
        if start > asked and partition[0] != "retained":
            yield "start", f"{partition} begins at {start}, at most {asked} was asked for"
        forget(load.history, partition, lambda offset, record: offset >= start)


def forget(history, partition, stays):
    acknowledged, seen = history.acknowledged[partition], history.seen[partition]
    history.acknowledged[partition] = {record: offset for record, offset in acknowledged.items()
                                       if stays(offset, record)}
    history.seen[partition] = {offset: record for offset, record in seen.items()
                               if stays(offset, record)}


def judge_compacted(load):
    """The newest of each key that anybody knows of is there; older ones may be gone."""
    history = load.history
    for partition in PARTITIONS:
        if partition[0] != "compacted":
            continue
        log = history.log[partition]
        newest = {}
        for offset in sorted(log):
            newest[load.keys[partition, log[offset]]] = offset
        for record, offset in history.acknowledged[partition].items():
            if newest.get(load.keys[partition, record], -1) < offset:
                yield "compacted", f"{partition}: {record} at {offset} was the newest of its key"
        forget(history, partition, lambda offset, record: offset in log)


def judge(load, starts):
    """Prints a line per promise; returns (passed, failed)."""
    found = [*judge_starts(load, starts), *load.retention.violations(), *judge_compacted(load),
             *load.operator.violations(),
             *load.history.violations(), *(("trouble", text) for text in load.trouble)]
    promises = {"nothing-acknowledged-is-lost": ["lost", "misplaced"],
                "no-duplicates-of-idempotent-producers": ["duplicate", "reordered"],
                "nothing-seen-is-lost-or-changed": ["unseen", "changed"],
                "no-high-watermark-goes-back": ["regressed"],
                "nothing-that-nobody-sent": ["foreign"],
                "log-starts-are-where-they-may-be": ["start"],
                "the-newest-of-each-key-stays": ["compacted"],
                "topics-and-configs-are-as-answered": ["catalog"],
                "clients-without-trouble": ["trouble"]}
    failed = 0
    for name, kinds in promises.items():
        texts = [f"{kind}: {text}" for kind, text in found if kind in kinds]
        failed += bool(texts)
        print(f"not ok {name}: {len(texts)}; {'; '.join(texts[:5])}" if texts else f"ok {name}")
    return len(promises) - failed, failed


def read_and_judge(load, address):
    """Of a broker that has just been started after its last crash: (passed, failed)."""
    read_log(address, load)
    starts = offsets(address, OffsetSpec.earliest())  # retention may have gone on while it was read
    for partition, end in offsets(address, OffsetSpec.latest()).items():
        if partition[0] == "retained":
            load.retention.tell(partition, starts[partition], end)
    acknowledged = sum(map(len, load.history.acknowledged.values()))
    print(f"  {acknowledged} records acknowledged, "
          f"{sum(map(len, load.history.seen.values()))} seen, {load.operator.done} changes; "
          f"log starts {sum(starts.values())}")
    return judge(load, starts)
