/* What of a partition's log compaction takes on: pure functions over the segment table, with
 * Kafka's rules (LogCleanerManager, Cleaner.groupSegmentsBySize).
 *
 *     0         first dirty            end
 *     │  clean      │      dirty        │  as it is
 *   ──┼─────────────┼───────────────────┼──────────────────
 *     │ went through│ closed segments   │ younger than min.compaction.lag.ms,
 *     │ a compaction│                   │ not in their file yet, or active
 *
 * Dirty records are mapped, and all closed segments below are rewritten against the map. */
#pragma once

#include "storage/state.h"

struct compact_range {
    size_t segment_count; /* of the table's first ones: those below `end` */
    int64_t first_dirty, end;
    uint64_t clean_bytes, dirty_bytes;
    bool overdue; /* a record has waited for max.compaction.lag.ms */
};

/* A segment to compact, as of the beginning. */
struct compact_part {
    struct segment_name name;
    int64_t base_offset, next_offset, created_ms;
    uint64_t end;
};

void compact_range(const struct partition *partition, int64_t now_ms, struct compact_range *range);
/* Of dirty bytes to all that would be read. */
double compact_ratio(const struct compact_range *range);
/* Whether it is worth while by the partition's rules. */
bool compact_is_due(const struct partition *partition, const struct compact_range *range);

/* How many of these parts become one segment: neighbours that together are not larger than a
 * segment may be, so that small remains do not pile up. At least 1 when there is one. */
size_t compact_group(const struct compact_part *parts, size_t count, int64_t segment_bytes);
