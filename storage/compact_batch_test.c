#include "storage/compact_batch.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/random.h"
#include "protocol/batch_build.h"

enum { RETENTION_MS = 1000 };
#define NOW_MS 5000000ll

struct bench {
    struct compact_map map;
    struct compact_reader reader;
    struct compact_filter filter;
};

static void bench_init(struct bench *bench) {
    *bench = (struct bench){.reader = {.inflater = inflater_new(), .limits = {64 << 20, 1000}}};
    compact_map_init(&bench->map, 1 << 20);
    bench->filter = (struct compact_filter){.map = &bench->map,
                                            .mapped_end = INT64_MAX,
                                            .last_offset = -1,
                                            .now_ms = NOW_MS,
                                            .delete_retention_ms = RETENTION_MS};
}

static void bench_deinit(struct bench *bench) {
    compact_filter_deinit(&bench->filter);
    compact_map_deinit(&bench->map);
    inflater_free(bench->reader.inflater);
}

/* "k=v k=v …": one record each; "k" alone is a tombstone, "=v" has no key. Timestamps count up from
 * 1000. */
static struct byte_buffer batch_at(int64_t base_offset, const char *text, enum codec codec,
                                   int64_t producer_id, int16_t attributes) {
    struct batch_build build;
    struct byte_buffer out = {0};
    struct error error;
    batch_build_init(&build);
    build.header.producer_id = producer_id;
    build.header.producer_epoch = producer_id < 0 ? -1 : 0;
    build.header.base_sequence = producer_id < 0 ? -1 : (int32_t)base_offset;
    build.header.attributes = attributes;
    int64_t timestamp = 1000;
    struct record_header headers[] = {{BYTES_OF("h"), BYTES_OF("header")}};
    for (const char *at = text; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " "), key = strcspn(at, "= ");
        struct bytes value = key < len ? bytes_make(at + key + 1, len - key - 1) : BYTES_NULL;
        batch_build_add(&build, timestamp++, key ? bytes_make(at, key) : BYTES_NULL, value, headers,
                        1);
        at += len;
    }
    cr_assert(batch_build_finish(&build, codec, &out, &error));
    batch_patch(out.at, base_offset, 7);
    batch_build_deinit(&build);
    return out;
}

/* The records of a batch as "offset:k=v@timestamp …". */
static void batch_print(struct bytes batch, char *text, size_t size) {
    struct batch_header header;
    struct record record;
    cr_assert(batch_header_read(batch, &header) && batch_crc_valid(batch));
    cr_assert_eq(batch_size(&header), batch.len);
    struct inflater *inflater = inflater_new();
    struct bytes records = batch_records(batch);
    if (batch_codec(&header) != CODEC_NONE)
        cr_assert_eq(inflater_run(inflater, batch_codec(&header), records,
                                  (struct compress_limits){64 << 20, 1000}, &records),
                     INFLATE_DONE);
    size_t len = 0;
    int32_t count = 0;
    text[0] = 0;
    for (; record_next(&records, &record) == RECORD_READ; count++) {
        cr_assert_eq(record.header_count, 1);
        len += (size_t)snprintf(text + len, size - len, "%s%lld:%.*s%s%.*s@%lld", len ? " " : "",
                                (long long)(header.base_offset + record.offset_delta),
                                BYTES_FORMAT(record.key), bytes_is_null(record.value) ? "" : "=",
                                BYTES_FORMAT(record.value),
                                (long long)(header.base_timestamp + record.timestamp_delta));
    }
    cr_assert_eq(count, header.record_count);
    cr_assert_eq(records.len, 0);
    inflater_free(inflater);
}

static void map_all(struct bench *bench, struct byte_buffer batch) {
    int64_t mapped_end = 0;
    cr_assert(
        compact_map_batch(&bench->map, &bench->reader, byte_buffer_bytes(&batch), 0, &mapped_end));
}

/* Compacts, compares verdict and records, and frees the batch. What is left replaces it. */
static void expect(struct bench *bench, struct byte_buffer *batch, enum compact_verdict verdict,
                   const char *records) {
    struct byte_buffer out = {0};
    char text[512];
    struct batch_header before, after;
    cr_assert_eq(compact_batch(&bench->filter, &bench->reader, byte_buffer_bytes(batch), &out),
                 verdict);
    if (verdict == COMPACT_REPLACE) {
        cr_assert(batch_header_read(byte_buffer_bytes(batch), &before));
        cr_assert(batch_header_read(byte_buffer_bytes(&out), &after));
        cr_assert_eq(after.base_offset, before.base_offset);
        cr_assert_eq(after.last_offset_delta, before.last_offset_delta);
        cr_assert_eq(after.partition_leader_epoch, before.partition_leader_epoch);
        cr_assert_eq(after.producer_id, before.producer_id);
        cr_assert_eq(after.producer_epoch, before.producer_epoch);
        cr_assert_eq(after.base_sequence, before.base_sequence);
        batch_print(byte_buffer_bytes(&out), text, sizeof text);
        cr_assert_str_eq(text, records);
        byte_buffer_deinit(batch);
        *batch = out;
    } else {
        cr_assert_eq(out.len, 0);
        byte_buffer_deinit(&out);
    }
}

Test(compact_batch, the_newest_of_each_key_stays_in_every_codec) {
    for (int codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        struct bench bench;
        bench_init(&bench);
        struct byte_buffer first = batch_at(10, "a=1 b=1 a=2 c=1", (enum codec)codec, -1, 0);
        struct byte_buffer second = batch_at(20, "b=2 d=1", (enum codec)codec, -1, 0);
        map_all(&bench, first);
        map_all(&bench, second);
        expect(&bench, &first, COMPACT_REPLACE, "12:a=2@1002 13:c=1@1003");
        struct batch_header header;
        cr_assert(batch_header_read(byte_buffer_bytes(&first), &header));
        cr_assert_eq((int)batch_codec(&header), codec);
        cr_assert_eq(header.max_timestamp, 1003);
        cr_assert_eq(batch_last_offset(&header), 13);
        expect(&bench, &second, COMPACT_KEEP, NULL);
        expect(&bench, &first, COMPACT_KEEP, NULL);
        cr_assert_eq(bench.filter.records_dropped, 2);
        byte_buffer_deinit(&first);
        byte_buffer_deinit(&second);
        bench_deinit(&bench);
    }
}

Test(compact_batch, nothing_is_left_where_all_is_newer) {
    struct bench bench;
    bench_init(&bench);
    struct byte_buffer batch = batch_at(0, "a=1 b=1", CODEC_NONE, -1, 0);
    struct byte_buffer newer = batch_at(2, "b=2 a=2", CODEC_NONE, -1, 0);
    map_all(&bench, batch);
    map_all(&bench, newer);
    expect(&bench, &batch, COMPACT_DROP, NULL);
    byte_buffer_deinit(&batch);
    byte_buffer_deinit(&newer);
    bench_deinit(&bench);
}

Test(compact_batch, what_is_not_mapped_stays) {
    struct bench bench;
    bench_init(&bench);
    struct byte_buffer batch = batch_at(0, "a=1 a=2 a=3 =x", CODEC_NONE, -1, 0);
    map_all(&bench, batch);
    bench.filter.mapped_end = 1;
    expect(&bench, &batch, COMPACT_REPLACE, "1:a=2@1001 2:a=3@1002 3:=x@1003");
    bench.filter.mapped_end = 0;
    expect(&bench, &batch, COMPACT_KEEP, NULL);
    bench.filter.mapped_end = 4;
    expect(&bench, &batch, COMPACT_REPLACE, "2:a=3@1002");
    byte_buffer_deinit(&batch);
    bench_deinit(&bench);
}

Test(compact_batch, a_record_without_a_key_goes) {
    struct bench bench;
    bench_init(&bench);
    struct byte_buffer batch = batch_at(5, "=x a=1 =y", CODEC_NONE, -1, 0);
    map_all(&bench, batch);
    expect(&bench, &batch, COMPACT_REPLACE, "6:a=1@1001");
    byte_buffer_deinit(&batch);
    bench_deinit(&bench);
}

/* KIP-534: the first time sets the horizon, and only behind it the tombstone goes. */
Test(compact_batch, a_tombstone_stays_until_its_horizon) {
    for (int codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        struct bench bench;
        bench_init(&bench);
        struct byte_buffer batch = batch_at(3, "a b=1 c", (enum codec)codec, -1, 0);
        map_all(&bench, batch);
        expect(&bench, &batch, COMPACT_REPLACE, "3:a@1000 4:b=1@1001 5:c@1002");
        struct batch_header header;
        cr_assert(batch_header_read(byte_buffer_bytes(&batch), &header));
        cr_assert(batch_delete_horizon(&header));
        cr_assert_eq(header.base_timestamp, NOW_MS + RETENTION_MS);
        cr_assert_eq(header.max_timestamp, 1002);
        bench.filter.now_ms = NOW_MS + RETENTION_MS - 1;
        bench.filter.delete_retention_ms = 5 * RETENTION_MS;
        expect(&bench, &batch, COMPACT_KEEP, NULL);
        /* Another record goes: the horizon stays what it was. */
        struct byte_buffer newer = batch_at(6, "b=2", CODEC_NONE, -1, 0);
        map_all(&bench, newer);
        expect(&bench, &batch, COMPACT_REPLACE, "3:a@1000 5:c@1002");
        cr_assert(batch_header_read(byte_buffer_bytes(&batch), &header));
        cr_assert_eq(header.base_timestamp, NOW_MS + RETENTION_MS);
        bench.filter.now_ms = NOW_MS + RETENTION_MS;
        expect(&bench, &batch, COMPACT_DROP, NULL);
        byte_buffer_deinit(&batch);
        byte_buffer_deinit(&newer);
        bench_deinit(&bench);
    }
}

Test(compact_batch, a_horizon_beyond_all_time) {
    struct bench bench;
    bench_init(&bench);
    bench.filter.delete_retention_ms = INT64_MAX;
    struct byte_buffer batch = batch_at(3, "a b=1", CODEC_NONE, -1, 0);
    map_all(&bench, batch);
    expect(&bench, &batch, COMPACT_REPLACE, "3:a@1000 4:b=1@1001");
    struct batch_header header;
    cr_assert(batch_header_read(byte_buffer_bytes(&batch), &header));
    cr_assert_eq(header.base_timestamp, INT64_MAX);
    byte_buffer_deinit(&batch);
    bench_deinit(&bench);
}

Test(compact_batch, append_time_stays) {
    struct bench bench;
    bench_init(&bench);
    struct byte_buffer batch = batch_at(3, "a=1 b=1 a=2", CODEC_LZ4, -1, 0);
    batch_patch_append_time(batch.at, 777777);
    map_all(&bench, batch);
    expect(&bench, &batch, COMPACT_REPLACE, "4:b=1@1001 5:a=2@1002");
    struct batch_header header;
    cr_assert(batch_header_read(byte_buffer_bytes(&batch), &header));
    cr_assert(batch_append_time(&header));
    cr_assert_eq(header.max_timestamp, 777777);
    byte_buffer_deinit(&batch);
    bench_deinit(&bench);
}

static void expect_empty(struct bench *bench, struct byte_buffer *batch) {
    struct batch_header header;
    expect(bench, batch, COMPACT_REPLACE, "");
    cr_assert_eq(batch->len, BATCH_HEADER_SIZE);
    cr_assert(batch_header_read(byte_buffer_bytes(batch), &header));
    cr_assert_eq((int)batch_codec(&header), CODEC_NONE);
    cr_assert_eq(header.record_count, 0);
    cr_assert_eq(header.max_timestamp, 1001);
    cr_assert_eq(header.base_timestamp, 1001);
    expect(bench, batch, COMPACT_KEEP, NULL);
}

Test(compact_batch, the_last_of_a_producer_stays_empty) {
    static const struct compact_producer producers[] = {{3, 100}, {40, 1}, {41, 5}};
    struct bench bench;
    bench_init(&bench);
    bench.filter.producers = producers;
    bench.filter.producer_count = 3;
    struct byte_buffer last = batch_at(0, "a=1 b=1", CODEC_ZSTD, 40, BATCH_TRANSACTIONAL);
    struct byte_buffer earlier = batch_at(2, "a=2 b=2", CODEC_NONE, 41, 0);
    struct byte_buffer other = batch_at(4, "a=3 b=3", CODEC_NONE, 42, 0);
    struct byte_buffer newest = batch_at(6, "a=4 b=4", CODEC_NONE, -1, 0);
    map_all(&bench, last);
    map_all(&bench, newest);
    expect_empty(&bench, &last);
    struct batch_header header;
    cr_assert(batch_header_read(byte_buffer_bytes(&last), &header));
    cr_assert(batch_transactional(&header));
    expect(&bench, &earlier, COMPACT_DROP, NULL);
    expect(&bench, &other, COMPACT_DROP, NULL);
    /* Once it has a newer batch, what is left of it goes. */
    bench.filter.producer_count = 1;
    expect(&bench, &last, COMPACT_DROP, NULL);
    byte_buffer_deinit(&last);
    byte_buffer_deinit(&earlier);
    byte_buffer_deinit(&other);
    byte_buffer_deinit(&newest);
    bench_deinit(&bench);
}

Test(compact_batch, the_last_of_all_stays_empty) {
    struct bench bench;
    bench_init(&bench);
    bench.filter.last_offset = 4;
    struct byte_buffer batch = batch_at(3, "=x =y", CODEC_GZIP, -1, 0);
    expect_empty(&bench, &batch);
    byte_buffer_deinit(&batch);
    bench_deinit(&bench);
}

Test(compact_batch, control_batches_stay) {
    struct bench bench;
    bench_init(&bench);
    struct byte_buffer marker = batch_at(3, "a=1", CODEC_NONE, 9, BATCH_CONTROL);
    struct byte_buffer newer = batch_at(6, "a=2", CODEC_NONE, -1, 0);
    map_all(&bench, marker);
    cr_assert_eq(bench.map.count, 0);
    map_all(&bench, newer);
    expect(&bench, &marker, COMPACT_KEEP, NULL);
    byte_buffer_deinit(&marker);
    byte_buffer_deinit(&newer);
    bench_deinit(&bench);
}

/* What cannot be decoded is somebody's data all the same. */
Test(compact_batch, what_cannot_be_decoded_stays) {
    struct bench bench;
    bench_init(&bench);
    struct byte_buffer batch = batch_at(3, "a=1 a=2", CODEC_NONE, -1, 0);
    map_all(&bench, batch);
    store_i16(batch.at + 21, CODEC_ZSTD);
    expect(&bench, &batch, COMPACT_KEEP, NULL);
    store_i16(batch.at + 21, 6);
    expect(&bench, &batch, COMPACT_KEEP, NULL);
    store_i16(batch.at + 21, CODEC_NONE);
    store_i32(batch.at + 57, 3);
    expect(&bench, &batch, COMPACT_KEEP, NULL);
    batch.at[BATCH_HEADER_SIZE] ^= 0x80;
    expect(&bench, &batch, COMPACT_KEEP, NULL);
    cr_assert_eq(bench.reader.unreadable, 4);
    byte_buffer_deinit(&batch);
    bench_deinit(&bench);
}

Test(compact_batch, a_full_map_says_how_far_it_got) {
    struct bench bench;
    bench_init(&bench);
    compact_map_deinit(&bench.map);
    compact_map_init(&bench.map, 0);
    char key[24];
    int64_t filler = 0;
    do snprintf(key, sizeof key, "key-%lld", (long long)filler++);
    while (compact_map_put(&bench.map, bytes_of_text(key), 0));
    struct byte_buffer batch = batch_at(100, "key-1=x key-2=x new=x key-3=x", CODEC_LZ4, -1, 0);
    int64_t mapped_end = 0;
    cr_assert_not(
        compact_map_batch(&bench.map, &bench.reader, byte_buffer_bytes(&batch), 0, &mapped_end));
    cr_assert_eq(mapped_end, 102);
    cr_assert_eq(compact_map_find(&bench.map, BYTES_OF("key-2")), 101);
    cr_assert_eq(compact_map_find(&bench.map, BYTES_OF("key-3")), 0);
    byte_buffer_deinit(&batch);
    bench_deinit(&bench);
}

Test(compact_batch, only_what_is_dirty_is_mapped) {
    struct bench bench;
    bench_init(&bench);
    struct byte_buffer batch = batch_at(10, "a=1 b=1 c=1", CODEC_NONE, -1, 0);
    int64_t mapped_end = 0;
    cr_assert(
        compact_map_batch(&bench.map, &bench.reader, byte_buffer_bytes(&batch), 11, &mapped_end));
    cr_assert_eq(mapped_end, 13);
    cr_assert_eq(bench.map.count, 2);
    cr_assert_eq(compact_map_find(&bench.map, BYTES_OF("a")), -1);
    byte_buffer_deinit(&batch);
    bench_deinit(&bench);
}
