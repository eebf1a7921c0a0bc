#include "tests/sim/model_compacted.h"

#include <stdio.h>

#include "base/map.h"
#include "base/memory.h"
#include "protocol/batch.h"
#include "protocol/compress.h"
#include "protocol/record.h"
#include "tests/sim/seeds.h"

enum { KEYS = 24, INFLATE_MAX = 64 << 20, RATIO_MAX = 1000 };

static uint32_t key_number(uint32_t id, int32_t index) {
    return (uint32_t)(((uint64_t)id * 2654435761u + (uint64_t)index * 40503u) >> 7) % KEYS;
}

struct bytes model_key(uint32_t id, int32_t index, char text[16]) {
    snprintf(text, 16, "k%u", key_number(id, index));
    return bytes_of_text(text);
}

bool model_is_tombstone(uint32_t id, int32_t index) {
    return (id * 7 + (uint32_t)index * 3) % 11 == 0;
}

/* The records of a batch, in memory of the inflater's. */
static struct bytes open_batch(struct inflater *inflater, struct bytes batch,
                               struct batch_header *header) {
    seed_expect(batch_header_read(batch, header) && batch_crc_valid(batch), "a broken batch");
    struct bytes records = batch_records(bytes_make(batch.at, batch_size(header)));
    if (batch_codec(header) == CODEC_NONE) return records;
    struct compress_limits limits = {INFLATE_MAX, RATIO_MAX};
    seed_expect(
        inflater_run(inflater, batch_codec(header), records, limits, &records) == INFLATE_DONE,
        "offset %ld does not inflate", (long)header->base_offset);
    return records;
}

static int64_t record_time(const struct batch_header *header, const struct record *record) {
    return header->base_timestamp + record->timestamp_delta;
}

uint32_t model_compacted_id(uint32_t log, struct bytes found) {
    struct inflater *inflater = inflater_new();
    struct batch_header header;
    struct record record;
    struct bytes records = open_batch(inflater, found, &header);
    bool first = record_next(&records, &record) == RECORD_READ;
    seed_expect(first == (header.record_count > 0), "log %u, offset %ld: %d records", log,
                (long)header.base_offset, header.record_count);
    int64_t timestamp = first ? record_time(&header, &record) : header.max_timestamp;
    inflater_free(inflater);
    return model_id_at(log, timestamp);
}

/* The record with this index, in the batch as it was made. */
static bool made_record(struct bytes made, int32_t index, struct record *record) {
    while (record_next(&made, record) == RECORD_READ)
        if (record->offset_delta == index) return true;
    return false;
}

static bool bytes_same(struct bytes a, struct bytes b) {
    return bytes_is_null(a) == bytes_is_null(b) && bytes_equal(a, b);
}

static void note_present(struct model_log *log, int64_t offset) {
    size_t at = (size_t)offset;
    if (at >= log->present_capacity) {
        size_t capacity = (at + 1) * 2;
        log->present = memory_resize(log->present, capacity);
        memset(log->present + log->present_capacity, 0, capacity - log->present_capacity);
        log->present_capacity = capacity;
    }
    log->present[at] = 1;
}

static void check_header(const struct model_batch *batch, const struct batch_header *header) {
    int32_t sequence = batch->producer_id < 0 ? -1 : batch->sequence;
    seed_expect(header->last_offset_delta == batch->count - 1 &&
                    header->producer_id == batch->producer_id && header->base_sequence == sequence,
                "offset %ld: %d offsets, producer %ld, sequence %d", (long)header->base_offset,
                header->last_offset_delta + 1, (long)header->producer_id, header->base_sequence);
}

void model_compacted_batch(struct model *model, struct model_log *log, uint32_t id,
                           struct bytes found) {
    const struct model_batch *batch = model_batch(model, id);
    struct inflater *inflater = inflater_new(), *other = inflater_new();
    struct batch_header header, made_header;
    struct bytes made = open_batch(other, bytes_make(batch->bytes, batch->len), &made_header);
    struct bytes records = open_batch(inflater, found, &header);
    struct record record, wanted;
    check_header(batch, &header);
    int32_t last = -1, count = 0;
    for (; record_next(&records, &record) == RECORD_READ; count++) {
        int64_t offset = header.base_offset + record.offset_delta;
        seed_expect(record.offset_delta > last, "offset %ld goes back", (long)offset);
        last = record.offset_delta;
        bool same = made_record(made, last, &wanted) && bytes_same(record.key, wanted.key) &&
                    bytes_same(record.value, wanted.value) &&
                    record_time(&header, &record) == record_time(&made_header, &wanted);
        seed_expect(same, "offset %ld is another record than batch %u had there", (long)offset, id);
        note_present(log, offset);
    }
    seed_expect(records.len == 0 && count == header.record_count, "offset %ld: %d records of %d",
                (long)header.base_offset, count, header.record_count);
    inflater_free(inflater);
    inflater_free(other);
}

/* --- the end of a pass --- */

/* Of each key, as seen from the end of the log. */
struct newest {
    bool is_known;        /* a newer record was met */
    bool is_present;      /* … one that is there */
    bool has_tombstone;   /* … or a tombstone, there or not */
    bool lacks_tombstone; /* the newest is a tombstone and is gone */
};

static void check_known(const struct model_log *log, struct newest *newest, int64_t offset,
                        bool is_tombstone) {
    bool present = (size_t)offset < log->present_capacity && log->present[offset];
    if (!newest->is_known) newest->lacks_tombstone = is_tombstone && !present;
    if (is_tombstone) newest->has_tombstone = true;
    bool may_go = newest->is_present || (!log->keeps_tombstones && newest->has_tombstone);
    seed_expect(present || may_go, "the newest record of its key, at %ld, is lost", (long)offset);
    /* Unless compaction went on while this was read. */
    seed_expect(!present || !newest->lacks_tombstone || !log->is_quiet,
                "offset %ld came back: its tombstone is gone", (long)offset);
    newest->is_known = true;
    if (present) newest->is_present = true;
}

void model_compacted_end(struct model *model, struct model_log *log) {
    struct newest newest[KEYS] = {0};
    int64_t from = log->full_from > log->log_start ? log->full_from : log->log_start;
    for (size_t at = log->known_count; at-- > 0;) {
        uint32_t id = log->known[at];
        const struct model_batch *batch = model_batch(model, id);
        for (int32_t index = batch->count; index-- > 0;) {
            if (batch->base + index < from) continue;
            check_known(log, &newest[key_number(id, index)], batch->base + index,
                        model_is_tombstone(id, index));
        }
    }
}
