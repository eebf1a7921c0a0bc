/* One record batch through compaction, with its length and checksum made right: the first byte says
 * how, the rest is the batch. What replaces it is a batch of the same offsets with a checksum that
 * holds, never more records, and what stays stays when it is compacted again. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "storage/compact_batch.h"

enum { OFFSETS_MAX = 1 << 30, CRC_AT = 17, COVERED_FROM = 21 };

struct bench {
    struct compact_map map;
    struct compact_reader reader;
    struct compact_filter filter;
    struct compact_producer producer;
};

static void bench_init(struct bench *bench, uint8_t how, const struct batch_header *header) {
    *bench = (struct bench){.reader = {.inflater = inflater_new(), .limits = {4 << 20, 1000}}};
    compact_map_init(&bench->map, COMPACT_MAP_BYTES_MIN);
    bench->producer = (struct compact_producer){header->producer_id, batch_last_offset(header)};
    bench->filter = (struct compact_filter){.map = &bench->map,
                                            .mapped_end = INT64_MAX,
                                            .last_offset = how & 1 ? batch_last_offset(header) : -1,
                                            .now_ms = how & 2 ? INT64_MAX / 4 : 1000,
                                            .delete_retention_ms = 1000,
                                            .producers = &bench->producer,
                                            .producer_count = how & 4 ? 1 : 0};
}

static void bench_deinit(struct bench *bench) {
    compact_filter_deinit(&bench->filter);
    compact_map_deinit(&bench->map);
    inflater_free(bench->reader.inflater);
}

static void check_same_place(struct bytes out, const struct batch_header *old,
                             struct batch_header *header) {
    check(batch_header_read(out, header) && batch_size(header) == out.len);
    check(batch_crc_valid(out));
    check(header->base_offset == old->base_offset);
    check(header->last_offset_delta == old->last_offset_delta);
    check(header->base_sequence == old->base_sequence);
    check(header->producer_id == old->producer_id);
    check(header->record_count <= old->record_count || old->record_count < 0);
}

static void compact(uint8_t how, struct bytes batch, const struct batch_header *old) {
    struct bench bench;
    struct byte_buffer out = {0}, again = {0};
    struct batch_header header;
    int64_t mapped_end = 0;
    bench_init(&bench, how, old);
    /* Some of its keys have newer records. */
    if (how & 8) compact_map_put(&bench.map, BYTES_OF("k"), INT64_MAX / 2);
    compact_map_batch(&bench.map, &bench.reader, batch, old->base_offset, &mapped_end);
    enum compact_verdict verdict = compact_batch(&bench.filter, &bench.reader, batch, &out);
    check((verdict == COMPACT_REPLACE) == (out.len > 0));
    if (verdict == COMPACT_REPLACE) {
        check_same_place(byte_buffer_bytes(&out), old, &header);
        verdict = compact_batch(&bench.filter, &bench.reader, byte_buffer_bytes(&out), &again);
        check(verdict != COMPACT_DROP);
        if (verdict == COMPACT_REPLACE)
            check_same_place(byte_buffer_bytes(&again), &header, &header);
    }
    byte_buffer_deinit(&out);
    byte_buffer_deinit(&again);
    bench_deinit(&bench);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct batch_header header;
    if (size < 1 + BATCH_HEADER_SIZE || size > 1 << 20) return 0;
    size_t len = size - 1;
    uint8_t *batch = memory_new(len);
    memcpy(batch, data + 1, len);
    store_i64(batch, (int64_t)((uint64_t)load_i64(batch) % OFFSETS_MAX));
    store_u32(batch + 8, (uint32_t)(len - BATCH_OVERHEAD));
    batch[16] = BATCH_MAGIC;
    store_u32(batch + CRC_AT, crc32c(batch + COVERED_FROM, len - COVERED_FROM));
    check(batch_header_read(bytes_make(batch, len), &header));
    if (header.last_offset_delta >= 0) compact(data[0], bytes_make(batch, len), &header);
    free(batch);
    return 0;
}
