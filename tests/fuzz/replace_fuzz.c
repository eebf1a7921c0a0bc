/* REPLACE entries one behind the other (length 2, payload), on a partition of ten segments: what is
 * read is written back to the same bytes, what fits leaves numbers and offsets rising, and once
 * more changes nothing. */
#include "base/check.h"
#include "base/memory.h"
#include "storage/replace.h"

enum { SEGMENTS = 10, OFFSETS = 100 };

static struct partition *partition_of(struct shard *shard) {
    struct partition_definition definition = {.id = 1};
    list_init(&shard->partitions);
    struct partition *partition = partition_new(&definition, shard, NULL);
    for (uint32_t at = 0; at < SEGMENTS; at++) {
        struct segment *segment = partition_add_segment(partition, at, at * OFFSETS, 0);
        segment->end += 1000;
        segment->next_offset += OFFSETS;
    }
    partition->next_offset = partition->high_watermark = SEGMENTS * OFFSETS;
    partition->settled = partition->durable = (struct place){SEGMENTS - 1, SEGMENT_START};
    partition->formed = partition->durable;
    partition->end = (struct place){SEGMENTS - 1, SEGMENT_START + 1000};
    partition->begun = SEGMENTS - 1;
    return partition;
}

static void check_table(const struct partition *partition) {
    check(partition->segment_count > 0);
    check(partition_active(partition)->number == SEGMENTS - 1);
    for (size_t at = 0; at < partition->segment_count; at++) {
        const struct segment *segment = &partition->segments[at];
        check(segment->base_offset <= segment->next_offset);
        if (at == 0) continue;
        check(segment[-1].number < segment->number);
        check(segment[-1].next_offset <= segment->base_offset ||
              segment[-1].next_offset <= segment->next_offset);
    }
}

static void apply(struct partition *partition, struct bytes payload) {
    struct replacement replacement;
    if (!replacement_decode(payload, &replacement)) return;
    uint8_t *again = memory_new(payload.len);
    check(replacement_size(&replacement) == payload.len);
    replacement_encode(&replacement, again);
    check(memcmp(again, payload.at, payload.len) == 0);
    free(again);
    if (replacement.begun <= partition->begun && replacement_fits(partition, &replacement)) {
        replacement_apply(partition, &replacement);
        check_table(partition);
        size_t count = partition->segment_count;
        if (replacement_fits(partition, &replacement)) {
            replacement_apply(partition, &replacement);
            check(!replacement.is_taken && partition->segment_count == count);
        }
    }
    free(replacement.old);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shard shard = {0};
    struct partition *partition = partition_of(&shard);
    for (size_t at = 0; at + 2 <= size;) {
        size_t len = ((size_t)data[at] << 8 | data[at + 1]);
        at += 2;
        if (len > size - at) len = size - at;
        apply(partition, bytes_make(data + at, len));
        at += len;
    }
    partition_unpin(partition);
    return 0;
}
