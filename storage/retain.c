#include "storage/retain.h"

#include "base/memory.h"

static void retain_done(struct trim *trim) { free(trim); }

static bool segment_is_old(const struct partition *partition, const struct segment *segment,
                           int64_t now_ms) {
    int64_t retention_ms = partition->definition.rules.retention_ms;
    if (retention_ms < 0 || segment->timestamp_max < 0) return false;
    return now_ms - segment->timestamp_max > retention_ms;
}

/* The offset below which nothing need be kept; the log start when all of it must. */
static int64_t retain_from(struct partition *partition, int64_t now_ms) {
    const struct partition_rules *rules = &partition->definition.rules;
    uint64_t size = partition_size_bytes(partition);
    int64_t from = partition->log_start;
    for (size_t at = 0; at < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        bool active = at + 1 == partition->segment_count;
        uint64_t bytes = segment->end - SEGMENT_START;
        bool too_much = rules->retention_bytes >= 0 && !active &&
                        size - bytes >= (uint64_t)rules->retention_bytes;
        bool old = segment_is_old(partition, segment, now_ms);
        if (!too_much && !old) break;
        if (active && (segment->next_offset != partition->high_watermark || bytes == 0)) break;
        if (active) partition->roll = true; /* its file goes once the next segment has begun */
        from = segment->next_offset;
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
