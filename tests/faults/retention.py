"""Where retention by size may have put the beginning of a log.

A broker gives up its oldest segments only while what stays is at least `retention.bytes` (Kafka's
UnifiedLog.deleteRetentionSizeBreachedSegments). So a log that begins later than at 0, and holds less
than the smallest limit that anybody has asked for, has lost records at its front.

What it holds is reckoned from what clients know of it, and never too low: each record counts with
more than a batch of its own would take, and one of which nobody knows the size like the largest.
"""
import collections

OVERHEAD_BYTES = 100  # of a record, and of a batch for it alone
LARGEST_BYTES = 160_000
IN_FLIGHT_BYTES = 400_000  # of appended records that retention counts and a crash takes away

Told = collections.namedtuple("Told", "start end limit")


class Retention:
    """Of the partitions that have a limit; a partition is (topic, number)."""

    def __init__(self, limit):
        self.limit = limit  # the smallest that was asked for
        self.sizes = collections.defaultdict(dict)  # partition -> offset -> bytes
        self.told = collections.defaultdict(list)

    def ask_limit(self, limit):
        """Before it is sent: it may hold although nothing was answered."""
        self.limit = min(self.limit, limit)

    def know(self, partition, offset, size):
        self.sizes[partition][offset] = size

    def tell(self, partition, start, end):
        """What a broker says; it was asked for the start first."""
        self.told[partition].append(Told(start, end, self.limit))

    def most(self, partition, start, end):
        sizes = self.sizes[partition]
        return sum(sizes.get(offset, LARGEST_BYTES) + OVERHEAD_BYTES
                   for offset in range(start, end))

    def violations(self):
        for partition, all_told in sorted(self.told.items()):
            for told in sorted(set(all_told)):
                most = self.most(partition, told.start, told.end)
                if told.start > 0 and most + IN_FLIGHT_BYTES < told.limit:
                    yield "start", (f"{partition} begins at {told.start} and ends at {told.end}: "
                                    f"{most} bytes at most, and {told.limit} should have stayed")
