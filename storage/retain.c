#include "storage/retain.h"

#include "base/memory.h"
#include "storage/replace.h"

static void retain_done(struct trim *trim) { free(trim); }

/* By its newest record; one without any time is as old as the beginning of the next one. */
static bool segment_is_old(const struct partition *partition, size_t at, int64_t now_ms) {
    int64_t retention_ms = partition->definition.rules.retention_ms;
    int64_t newest_ms = partition->segments[at].timestamp_max;
    if (newest_ms < 0 && at + 1 < partition->segment_count)
        newest_ms = partition->segments[at + 1].created_ms;
    return retention_ms >= 0 && newest_ms >= 0 && now_ms - newest_ms > retention_ms;
}

/* The active segment goes only as a whole, and another one begins. */
static bool active_may_go(const struct partition *partition) {
    const struct segment *active = partition_active(partition);
    return active->end > SEGMENT_START && active->next_offset == partition->high_watermark;
}

/* The offset below which nothing need be kept; the log start when all of it must. */
static int64_t retain_from(struct partition *partition, int64_t now_ms) {
    const struct partition_rules *rules = &partition->definition.rules;
    uint64_t size = partition_size_bytes(partition);
    int64_t from = partition->log_start;
    for (size_t at = 0; at < partition->segment_count; at++) {
        bool active = at + 1 == partition->segment_count;
        uint64_t bytes = partition->segments[at].end - SEGMENT_START;
        bool too_much = rules->retention_bytes >= 0 && !active &&
                        size - bytes >= (uint64_t)rules->retention_bytes;
        if (!too_much && !segment_is_old(partition, at, now_ms)) break;
        int64_t next_offset = partition->segments[at].next_offset;
        if (active && !(active_may_go(partition) && partition_close_active(partition, now_ms)))
            break;
        from = next_offset;
        size -= bytes;
    }
    return from;
}

void retain_round(struct store *store) {
    int64_t now_ms = ring_wall_ms(store->ring);
    for (struct map_node *node = map_first(&store->partitions); node;
         node = map_next(&store->partitions, node)) {
        struct partition *partition = map_entry(node, struct partition, by_id);
        if (store->options.producer_expiration_ms)
            producers_expire(&partition->producers, now_ms,
                             (int64_t)store->options.producer_expiration_ms);
        if (!partition->definition.rules.delete_old || partition->offline) continue;
        int64_t from = retain_from(partition, now_ms);
        if (from <= partition->log_start) continue;
        struct trim *trim = new_zero(struct trim);
        trim->offset = from;
        trim->done = retain_done;
        if (partition_trim(partition, trim)) free(trim);
    }
}
