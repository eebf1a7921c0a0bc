"""What members of a group saw, and what must hold of it.

Promises, per group and partition:
  missed    every record that a producer was told is stored was read by some member in the end
  went-back an offset that somebody asked for is never lower than one that was seen before, nor than
            one whose commit was acknowledged before the question
  forgotten a member that is given a partition begins at or behind every commit that was
            acknowledged before that: it neither starts over nor skips what was not read

Times are of the machine's monotonic clock, which all processes share.
"""
import collections


class GroupHistory:
    def __init__(self):
        self.read = collections.defaultdict(set)  # partition -> offsets
        self.reads = 0
        self.commits = collections.defaultdict(list)  # partition -> [(acknowledged at, offset)]
        self.begins = []  # (partition, given at, first offset)
        self.seen = collections.defaultdict(list)  # partition -> [(asked at, answered at, offset)]

    def add_member(self, events):
        """One member's life, in order: ("given", time, partitions), ("read", partition, offset),
        ("committed", time, {partition: offset})."""
        fresh = {}
        for event in events:
            if event[0] == "given":
                fresh.update({partition: event[1] for partition in event[2]})
            elif event[0] == "read":
                _, partition, offset = event
                self.read[partition].add(offset)
                self.reads += 1
                if partition in fresh:
                    self.begins.append((partition, fresh.pop(partition), offset))
            else:
                for partition, offset in event[2].items():
                    self.commits[int(partition)].append((event[1], offset))

    def repeats(self):
        return self.reads - sum(len(offsets) for offsets in self.read.values())

    def judge(self, stored):
        """The broken promises, in words. `stored`: partition -> offsets that producers know of."""
        return [*self.missed(stored), *self.went_back(), *self.forgotten()]

    def missed(self, stored):
        for partition, offsets in stored.items():
            left = set(offsets) - self.read[partition]
            if left:
                yield (f"missed: partition {partition}: {len(left)} records were not read, "
                       f"the first at {min(left)}")

    def committed_before(self, partition, time):
        return max((offset for at, offset in self.commits[partition] if at < time), default=-1)

    def went_back(self):
        for partition, answers in self.seen.items():
            highest, highest_at = -1, 0
            for asked, answered, offset in sorted(answers, key=lambda answer: answer[1]):
                if asked > highest_at and offset < highest:
                    yield f"went-back: partition {partition}: {offset} was seen after {highest}"
                committed = self.committed_before(partition, asked)
                if offset < committed:
                    yield (f"went-back: partition {partition}: {offset} was seen after a commit "
                           f"of {committed}")
                if offset >= highest:
                    highest, highest_at = offset, answered

    def forgotten(self):
        for partition, given, offset in self.begins:
            committed = self.committed_before(partition, given)
            if offset < committed:
                yield (f"forgotten: partition {partition}: a member began at {offset} although "
                       f"{committed} was committed")
