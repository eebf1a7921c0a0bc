#include "storage/replace.h"

#include "base/check.h"
#include "base/memory.h"
#include "storage/remove.h"
#include "storage/settle.h"
#include "storage/space.h"

/* --- the payload --- */

size_t replacement_size(const struct replacement *replacement) {
    return REPLACE_FIXED_BYTES + (size_t)replacement->old_count * REPLACE_OLD_BYTES +
           (replacement->has_new ? REPLACE_NEW_BYTES : 0);
}

void replacement_encode(const struct replacement *replacement, uint8_t *at) {
    store_u32(at, replacement->begun);
    store_i64(at + 4, replacement->compacted_offset);
    store_u32(at + 12, replacement->old_count);
    store_u32(at + 16, replacement->has_new);
    at += REPLACE_FIXED_BYTES;
    for (uint32_t each = 0; each < replacement->old_count; each++, at += REPLACE_OLD_BYTES) {
        store_u32(at, replacement->old[each].number);
        store_u32(at + 4, replacement->old[each].revision);
    }
    if (!replacement->has_new) return;
    const struct segment *segment = &replacement->new_segment;
    store_u32(at, segment->number);
    store_u32(at + 4, segment->revision);
    store_i64(at + 8, segment->base_offset);
    store_i64(at + 16, segment->next_offset);
    store_u64(at + 24, segment->end);
    store_i64(at + 32, segment->timestamp_max);
    store_i64(at + 40, segment->timestamp_max_offset);
    store_i64(at + 48, segment->created_ms);
}

static bool decode_old(const uint8_t *at, struct replacement *replacement) {
    for (uint32_t each = 0; each < replacement->old_count; each++, at += REPLACE_OLD_BYTES) {
        replacement->old[each] = (struct segment_name){load_u32(at), load_u32(at + 4)};
        uint32_t number = replacement->old[each].number;
        if (number >= replacement->begun) return false;
        if (each > 0 && number <= replacement->old[each - 1].number) return false;
    }
    return true;
}

/* It has the first old one's number, with a revision that this never had. */
static bool decode_new(const uint8_t *at, struct replacement *replacement) {
    struct segment *segment = &replacement->new_segment;
    *segment = (struct segment){.number = load_u32(at),
                                .revision = load_u32(at + 4),
                                .base_offset = load_i64(at + 8),
                                .next_offset = load_i64(at + 16),
                                .end = load_u64(at + 24),
                                .timestamp_max = load_i64(at + 32),
                                .timestamp_max_offset = load_i64(at + 40),
                                .created_ms = load_i64(at + 48)};
    return replacement->old_count > 0 && segment->number == replacement->old[0].number &&
           segment->revision > replacement->old[0].revision && segment->base_offset >= 0 &&
           segment->next_offset > segment->base_offset && segment->end > SEGMENT_START;
}

bool replacement_decode(struct bytes payload, struct replacement *replacement) {
    *replacement = (struct replacement){0};
    if (payload.len < REPLACE_FIXED_BYTES) return false;
    replacement->begun = load_u32(payload.at);
    replacement->compacted_offset = load_i64(payload.at + 4);
    replacement->old_count = load_u32(payload.at + 12);
    uint32_t new_count = load_u32(payload.at + 16);
    replacement->has_new = new_count == 1;
    if (replacement->old_count > REPLACE_OLD_MAX || new_count > 1) return false;
    if (replacement_size(replacement) != payload.len || replacement->compacted_offset < 0)
        return false;
    const uint8_t *at = payload.at + REPLACE_FIXED_BYTES;
    replacement->old = memory_new(replacement->old_count * sizeof *replacement->old);
    if (decode_old(at, replacement)) {
        at += replacement->old_count * REPLACE_OLD_BYTES;
        if (!replacement->has_new || decode_new(at, replacement)) return true;
    }
    free(replacement->old);
    replacement->old = NULL;
    return false;
}

/* --- the table --- */

/* Where the old ones that are still there stand: [*first, *first + count). */
static size_t replacement_find(const struct partition *partition,
                               const struct replacement *replacement, size_t *first) {
    size_t count = 0;
    for (uint32_t each = 0; each < replacement->old_count; each++) {
        const struct segment_name *name = &replacement->old[each];
        const struct segment *segment = partition_segment(partition, name->number);
        if (!segment || segment->revision != name->revision) continue;
        if (count++ == 0) *first = (size_t)(segment - partition->segments);
    }
    return count;
}

bool replacement_fits(const struct partition *partition, const struct replacement *replacement) {
    if (replacement->compacted_offset > partition->next_offset) return false;
    size_t first = 0, count = replacement_find(partition, replacement, &first);
    if (count == 0) return true;
    const struct segment *segments = partition->segments;
    const struct segment *last = &segments[first + count - 1];
    if (last->number != replacement->old[replacement->old_count - 1].number) return false;
    if (last->number >= partition->settled.segment) return false;
    if (!replacement->has_new) return true;
    const struct segment *segment = &replacement->new_segment;
    const struct segment *before = first > 0 ? &segments[first - 1] : NULL;
    return segment->next_offset <= last->next_offset &&
           (!before ||
            (before->number < segment->number && before->next_offset <= segment->base_offset));
}

/* A sealed one, which is opened when somebody reads it. */
static void table_put(struct partition *partition, size_t at, const struct segment *described) {
    struct segment *segment = &partition->segments[at];
    *segment = *described;
    segment->durable_timestamp_max = segment->timestamp_max;
    segment->durable_timestamp_max_offset = segment->timestamp_max_offset;
    segment->sealed = true;
    segment->file = NULL;
    segment->index = NULL;
    segment->index_whole = false;
    segment_set_interval(partition, segment);
}

static void table_replace(struct partition *partition, size_t first, size_t count,
                          const struct replacement *replacement) {
    struct segment *old = &partition->segments[first];
    if (partition->store) remove_segments(partition->store, partition->definition.id, old, count);
    for (size_t at = 0; at < count; at++) segment_forget(&old[at]);
    if (replacement->has_new) table_put(partition, first++, &replacement->new_segment);
    if (replacement->has_new) count--;
    partition->segment_count -= count;
    memmove(&partition->segments[first], &partition->segments[first + count],
            (partition->segment_count - first) * sizeof *partition->segments);
}

void replacement_apply(struct partition *partition, struct replacement *replacement) {
    check(replacement_fits(partition, replacement) && partition->begun >= replacement->begun);
    if (replacement->compacted_offset > partition->compacted_offset)
        partition->compacted_offset = replacement->compacted_offset;
    partition->shard->unsnapshotted = true;
    size_t first = 0, count = replacement_find(partition, replacement, &first);
    replacement->is_taken = count > 0;
    if (count == 0) return;
    uint32_t last = partition->segments[first + count - 1].number;
    /* What is cached of the old ones has other places. */
    while (partition->tail.count && tail_chunk(&partition->tail, 0)->segment <= last)
        settle_drop_oldest(partition);
    table_replace(partition, first, count, replacement);
    partition_drop_segments(partition); /* it may be below the log start by now */
}

/* --- on its way --- */

bool partition_replace(struct partition *partition, struct replacement *replacement) {
    check(replacement->old_count <= REPLACE_OLD_MAX && !partition->dead);
    if (!space_has(partition, 0)) return false;
    replacement->partition = partition;
    replacement->is_taken = false;
    replacement->reserved = JOURNAL_RUN_BYTES + JOURNAL_ENTRY_BYTES + replacement_size(replacement);
    partition->store->reserved_bytes += replacement->reserved;
    list_init(&replacement->link);
    list_append(&partition->replacements, &replacement->link);
    partition_dirty(partition);
    return true;
}

void partition_replaced(struct partition *partition, struct replacement *replacement) {
    if (!partition->dead) {
        partition_began(partition, replacement->begun);
        replacement_apply(partition, replacement);
    }
    replacement->done(replacement);
}

static void closed(struct replacement *replacement) { free(replacement); }

bool partition_close_active(struct partition *partition, int64_t now_ms) {
    if (!space_has(partition, 0) || !partition_roll_now(partition, now_ms)) return false;
    struct replacement *replacement = new_zero(struct replacement);
    replacement->done = closed;
    check(partition_replace(partition, replacement));
    return true;
}
