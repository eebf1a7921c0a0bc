#include "storage/compact_select.h"

#include "storage/replace.h"

static uint64_t segment_bytes_of(const struct segment *segment) {
    return segment->end - SEGMENT_START;
}

/* The time of its newest record; where records have none, of its first append. */
static bool is_young(const struct partition *partition, const struct segment *segment,
                     int64_t now_ms) {
    int64_t lag_ms = partition->definition.rules.compaction_lag_ms_min;
    int64_t newest_ms = segment->timestamp_max >= 0 ? segment->timestamp_max : segment->created_ms;
    return lag_ms > 0 && now_ms - newest_ms < lag_ms;
}

static bool is_overdue(const struct partition *partition, const struct segment *segment,
                       int64_t now_ms) {
    int64_t lag_ms = partition->definition.rules.compaction_lag_ms_max;
    return lag_ms > 0 && now_ms - segment->created_ms > lag_ms;
}

void compact_range(const struct partition *partition, int64_t now_ms, struct compact_range *range) {
    int64_t first = partition->log_start > partition->compacted_offset
                        ? partition->log_start
                        : partition->compacted_offset;
    *range = (struct compact_range){.first_dirty = first, .end = first};
    /* Below settled everything is durable, so below the last stable offset as well, until there are
     * transactions: then the first open one ends the range. */
    for (size_t at = 0; at + 1 < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        if (segment->number >= partition->settled.segment) break;
        bool dirty = segment->next_offset > first;
        if (dirty && is_young(partition, segment, now_ms)) break;
        range->segment_count = at + 1;
        if (!dirty) {
            range->clean_bytes += segment_bytes_of(segment);
            continue;
        }
        range->dirty_bytes += segment_bytes_of(segment);
        range->end = partition->segments[at + 1].base_offset;
        if (is_overdue(partition, segment, now_ms)) range->overdue = true;
    }
}

double compact_ratio(const struct compact_range *range) {
    uint64_t bytes = range->clean_bytes + range->dirty_bytes;
    return bytes ? (double)range->dirty_bytes / (double)bytes : 0;
}

bool compact_is_due(const struct partition *partition, const struct compact_range *range) {
    if (range->dirty_bytes == 0) return false;
    return range->overdue || compact_ratio(range) > partition->definition.rules.dirty_ratio_min;
}

size_t compact_group(const struct compact_part *parts, size_t count, int64_t segment_bytes) {
    uint64_t bytes = 0;
    size_t taken = 0;
    while (taken < count && taken < REPLACE_OLD_MAX) {
        bytes += parts[taken].end - SEGMENT_START;
        if (taken > 0 && bytes > (uint64_t)segment_bytes) break;
        taken++;
    }
    return taken;
}
