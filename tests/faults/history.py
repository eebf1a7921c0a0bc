"""What happened to records while the broker was killed, and what must hold of it.

A history is filled by whoever drives the broker (kill): what was sent, what was acknowledged, what
consumers saw, which high watermarks were told, and at the end the whole log. `violations()` then
names everything that breaks a promise:

    lost        acknowledged, and not in the log
    misplaced   acknowledged at another offset than where it is
    duplicate   an idempotent producer's record is in the log twice
    reordered   an idempotent producer's records are not in the order in which it sent them
    unseen      a consumer saw a record that is not in the log any more
    changed     a consumer saw another record at that offset
    regressed   a high watermark, or the end of the log, is below what was known before
    foreign     the log holds a record that nobody sent, or a damaged one

A record is named by (producer, sequence): the sequence counts what one producer sent to one
partition. A plain producer may have duplicates, as it may with any broker.
"""
import collections
import re
import zlib

Record = collections.namedtuple("Record", "producer sequence")


def make_value(producer, sequence, partition, padding):
    """The bytes of a record; they carry their own checksum."""
    body = b"%s:%d:%d:" % (producer.encode(), sequence, partition) + padding
    return b"%08x:" % zlib.crc32(body) + body


def parse_value(value, partition):
    """The Record in some bytes, or None when they are damaged or were sent elsewhere."""
    found = re.match(rb"([0-9a-f]{8}):(([^:]+):(\d+):(\d+):)", value)
    if not found or int(found[1], 16) != zlib.crc32(value[9:]) or int(found[5]) != partition:
        return None
    return Record(found[3].decode(), int(found[4]))


class History:
    """Everything per partition, where a partition is (topic, number)."""

    def __init__(self):
        self.idempotent = set()  # names of producers
        self.sent = collections.defaultdict(int)  # (partition, producer) -> how many
        self.acknowledged = collections.defaultdict(dict)  # partition -> Record -> offset
        self.seen = collections.defaultdict(dict)  # partition -> offset -> Record
        self.watermark = collections.defaultdict(int)  # partition -> the highest known
        self.log = collections.defaultdict(dict)  # partition -> offset -> Record
        self.early = []  # violations that show while it happens

    # ---- filling -----------------------------------------------------------------------------

    def send(self, partition, producer):
        """The sequence of the record that a producer is about to send."""
        self.sent[partition, producer] += 1
        return self.sent[partition, producer] - 1

    def acknowledge(self, partition, record, offset):
        self.acknowledged[partition][record] = offset
        self.watermark[partition] = max(self.watermark[partition], offset + 1)

    def see(self, partition, offset, record):
        before = self.seen[partition].setdefault(offset, record)
        if before != record:
            self.early.append(("changed", f"{partition} at {offset}: first {before}, then {record}"))
        self.watermark[partition] = max(self.watermark[partition], offset + 1)

    def tell_watermark(self, partition, offset):
        if offset < self.watermark[partition]:
            self.early.append(("regressed", f"{partition}: {offset} is told where "
                                            f"{self.watermark[partition]} was known"))
        self.watermark[partition] = max(self.watermark[partition], offset)

    # ---- judging -----------------------------------------------------------------------------

    def violations(self):
        """All of them, as (kind, text)."""
        found = list(self.early)
        for partition in sorted({*self.log, *self.acknowledged, *self.seen}):
            found += self.judge_acknowledged(partition)
            found += self.judge_seen(partition)
            found += self.judge_log(partition)
        return found

    def judge_acknowledged(self, partition):
        log = self.log[partition]
        there = set(log.values())
        for record, offset in self.acknowledged[partition].items():
            if record not in there:
                yield "lost", f"{partition}: {record}, acknowledged at {offset}"
            elif offset >= 0 and log.get(offset) != record:
                yield "misplaced", f"{partition}: {record} is not at {offset}: {log.get(offset)}"

    def judge_seen(self, partition):
        log = self.log[partition]
        for offset, record in self.seen[partition].items():
            if offset not in log:
                yield "unseen", f"{partition} at {offset}: {record} is gone"
            elif log[offset] != record:
                yield "changed", f"{partition} at {offset}: seen {record}, now {log[offset]}"

    def judge_log(self, partition):
        log = self.log[partition]
        end = max(log, default=-1) + 1
        if end < self.watermark[partition]:
            yield "regressed", f"{partition} ends at {end}, {self.watermark[partition]} was known"
        first, newest = {}, {}  # record -> its first offset, producer -> its highest sequence
        for offset in sorted(log):
            record = log[offset]
            if record is None or record.sequence >= self.sent[partition, record.producer]:
                yield "foreign", f"{partition} at {offset}: {record}"
            elif record.producer not in self.idempotent:
                continue
            elif record in first:
                yield "duplicate", f"{partition}: {record} at {first[record]} and {offset}"
            elif record.sequence < newest.get(record.producer, -1):
                yield "reordered", f"{partition} at {offset}: {record} after {newest}"
            else:
                newest[record.producer] = record.sequence
            first.setdefault(record, offset)

    def duplicates_of_plain(self):
        """How many records of plain producers are in the log more than once (which is allowed)."""
        count = 0
        for log in self.log.values():
            plain = [r for r in log.values() if r and r.producer not in self.idempotent]
            count += len(plain) - len(set(plain))
        return count
