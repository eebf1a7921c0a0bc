#include "storage/validate.h"

#include <criterion/criterion.h>

#include "base/crc32c.h"
#include "protocol/batch_build.h"

enum { NOW = 1000000 };

/* A topic with wide rules, one request, and the batch that a test builds and then spoils. */
struct bench {
    struct validate_rules rules;
    struct validate_context context;
    struct arena arena;
    struct batch_build build;
    struct byte_buffer batch;
    struct validate_result result;
};

static struct bench bench;

static void bench_up(void) {
    bench.rules = (struct validate_rules){.message_bytes_max = 1 << 20,
                                          .timestamp_before_ms_max = INT64_MAX,
                                          .timestamp_after_ms_max = 3600000,
                                          .decompressed_bytes_max = 16 << 20,
                                          .ratio_max = 100,
                                          .produce_version = 9};
    arena_init(&bench.arena, 1 << 20);
    bench.context = (struct validate_context){
        .rules = &bench.rules, .now_ms = NOW, .inflater = inflater_new(), .arena = &bench.arena};
    batch_build_init(&bench.build);
}

static void bench_down(void) {
    inflater_free(bench.context.inflater);
    batch_build_deinit(&bench.build);
    byte_buffer_deinit(&bench.batch);
    arena_deinit(&bench.arena);
}

TestSuite(validate, .init = bench_up, .fini = bench_down);

static void add(const char *key, int64_t timestamp) {
    struct bytes name = key ? bytes_of_text(key) : BYTES_NULL;
    batch_build_add(&bench.build, timestamp, name, BYTES_OF("value"), NULL, 0);
}

static void finish(enum codec codec) {
    struct error error;
    bench.batch.len = 0;
    cr_assert(batch_build_finish(&bench.build, codec, &bench.batch, &error), "%s", error.text);
}

static enum error_code validated(void) {
    validate_batch(byte_buffer_bytes(&bench.batch), &bench.context, &bench.result);
    bool refused = bench.result.code != ERROR_NONE;
    cr_assert_eq(refused, !bytes_is_null(bench.result.error_message));
    cr_assert_eq(refused, bytes_is_null(bench.result.records));
    return bench.result.code;
}

static bool message_has(const char *text) {
    struct bytes message = bench.result.error_message;
    return memmem(message.at, message.len, text, strlen(text)) != NULL;
}

/* Writes the header as changed by the test, with the CRC that it needs. */
static void seal(const struct batch_header *header) {
    uint8_t *at = bench.batch.at;
    batch_header_write(at, header);
    store_u32(at + 17, crc32c(at + 21, bench.batch.len - 21));
}

static struct batch_header sound(void) {
    struct batch_header header;
    if (bench.build.header.record_count == 0) add("a", NOW), add("b", NOW + 1);
    finish(CODEC_NONE);
    cr_assert(batch_header_read(byte_buffer_bytes(&bench.batch), &header));
    return header;
}

Test(validate, sound_batches_of_every_codec_pass) {
    static const enum codec CODECS[] = {CODEC_NONE, CODEC_GZIP, CODEC_LZ4, CODEC_ZSTD};
    add("a", NOW), add(NULL, NOW + 5), add("c", NOW - 5);
    for (size_t i = 0; i < 4; i++) {
        finish(CODECS[i]);
        cr_assert_eq(validated(), ERROR_NONE, "%s", codec_name(CODECS[i]));
        cr_assert_eq(bench.result.max_timestamp, NOW + 5);
        cr_assert_eq(bench.result.header.record_count, 3);
        cr_assert(bytes_equal(bench.result.records, byte_buffer_bytes(&bench.build.records)));
        size_t inflates = validate_inflate_size(&bench.result.header);
        cr_assert_eq(inflates, i ? bench.batch.len - BATCH_HEADER_SIZE : 0);
    }
    cr_assert_lt(bench.arena.used, 1, "nothing is allocated when nothing is wrong");
}

Test(validate, exactly_one_batch) {
    cr_assert_eq(validated(), ERROR_INVALID_RECORD, "none");
    sound();
    struct byte_buffer twice = {0};
    byte_buffer_append(&twice, byte_buffer_bytes(&bench.batch));
    byte_buffer_append(&bench.batch, byte_buffer_bytes(&twice));
    byte_buffer_deinit(&twice);
    cr_assert_eq(validated(), ERROR_INVALID_RECORD, "two");
    cr_assert(message_has("exactly one batch"));
}

Test(validate, corrupt_is_length_and_crc_only) {
    struct batch_header header = sound();
    size_t whole = bench.batch.len;
    for (size_t len = 1; len < whole; len++) {
        bench.batch.len = len;
        cr_assert_eq(validated(), ERROR_CORRUPT_MESSAGE, "cut at %zu", len);
    }
    bench.batch.len = whole;
    bench.batch.at[70] ^= 1;
    cr_assert_eq(validated(), ERROR_CORRUPT_MESSAGE);
    bench.batch.at[70] ^= 1;
    header.length = -5;
    batch_header_write(bench.batch.at, &header);
    cr_assert_eq(validated(), ERROR_CORRUPT_MESSAGE);
    header = sound();
    header.magic = 1;
    seal(&header);
    cr_assert_eq(validated(), ERROR_INVALID_RECORD, "an old format");
}

/* One field of a sound header changed, and the code that this gets. */
#define FIELD(field, value, expected)                     \
    do {                                                  \
        struct batch_header header = sound();             \
        header.field = (value);                           \
        seal(&header);                                    \
        cr_assert_eq(validated(), expected, #field);      \
        cr_assert_eq(bench.result.record_error_count, 0); \
    } while (0)

Test(validate, header_fields) {
    FIELD(base_offset, 0, ERROR_NONE);
    FIELD(base_offset, 5, ERROR_INVALID_RECORD);
    FIELD(attributes, BATCH_CONTROL, ERROR_INVALID_RECORD);
    FIELD(attributes, BATCH_DELETE_HORIZON, ERROR_INVALID_RECORD);
    FIELD(attributes, BATCH_APPEND_TIME, ERROR_INVALID_TIMESTAMP);
    FIELD(attributes, 5, ERROR_INVALID_RECORD);
    FIELD(attributes, 7, ERROR_INVALID_RECORD);
    FIELD(attributes, 0x100, ERROR_NONE); /* no one has given it a meaning */
    FIELD(record_count, 0, ERROR_INVALID_RECORD);
    FIELD(record_count, -1, ERROR_INVALID_RECORD);
    FIELD(record_count, INT32_MIN, ERROR_INVALID_RECORD);
    FIELD(record_count, 3, ERROR_INVALID_RECORD);
    FIELD(last_offset_delta, 2, ERROR_INVALID_RECORD);
    FIELD(last_offset_delta, -1, ERROR_INVALID_RECORD);
}

Test(validate, producer_fields) {
    FIELD(attributes, BATCH_TRANSACTIONAL, ERROR_INVALID_RECORD);
    bench.build.header.producer_id = 5;
    FIELD(producer_epoch, 0, ERROR_INVALID_RECORD);
    bench.build.header.producer_epoch = 0;
    FIELD(base_sequence, 0, ERROR_NONE);
    FIELD(base_sequence, -1, ERROR_INVALID_RECORD);
    bench.build.header.base_sequence = 0;
    FIELD(attributes, BATCH_TRANSACTIONAL, ERROR_NONE);
}

Test(validate, zstd_needs_produce_7) {
    add("a", NOW);
    finish(CODEC_ZSTD);
    bench.rules.produce_version = 6;
    cr_assert_eq(validated(), ERROR_UNSUPPORTED_COMPRESSION_TYPE);
    bench.rules.produce_version = 7;
    cr_assert_eq(validated(), ERROR_NONE);
}

Test(validate, size_is_that_of_the_whole_batch) {
    sound();
    bench.rules.message_bytes_max = (int32_t)bench.batch.len;
    cr_assert_eq(validated(), ERROR_NONE);
    bench.rules.message_bytes_max--;
    cr_assert_eq(validated(), ERROR_MESSAGE_TOO_LARGE);
    cr_assert(message_has("max.message.bytes"));
}

Test(validate, counts_are_those_of_the_records) {
    struct batch_header header = sound();
    header.record_count = 3, header.last_offset_delta = 2;
    seal(&header);
    cr_assert_eq(validated(), ERROR_INVALID_RECORD, "one is missing");
    cr_assert(message_has("ends before record 2"));
    header.record_count = 1, header.last_offset_delta = 0;
    seal(&header);
    cr_assert_eq(validated(), ERROR_INVALID_RECORD, "one too many");
    cr_assert(message_has("follow"));
}

Test(validate, records_are_readable_and_in_order) {
    struct batch_header header = sound();
    uint8_t *record = bench.batch.at + BATCH_HEADER_SIZE;
    record[3] = 2; /* the first record's offset delta */
    seal(&header);
    cr_assert_eq(validated(), ERROR_INVALID_RECORD);
    cr_assert(message_has("record 0 has the offset delta 1"));
    record[3] = 0, record[4] = 3; /* a key of -2 bytes */
    seal(&header);
    cr_assert_eq(validated(), ERROR_INVALID_RECORD);
    cr_assert(message_has("record 0 cannot be read"));
}

Test(validate, compacted_topics_need_keys) {
    bench.rules.compacted = true;
    add("a", NOW), add(NULL, NOW), add("", NOW), add(NULL, NOW);
    finish(CODEC_LZ4);
    cr_assert_eq(validated(), ERROR_INVALID_RECORD);
    cr_assert_eq(bench.result.record_error_count, 2);
    cr_assert_eq(bench.result.record_errors[0].batch_index, 1);
    cr_assert_eq(bench.result.record_errors[1].batch_index, 3);
    cr_assert(bytes_equal_text(bench.result.record_errors[0].text,
                               "Compacted topic cannot accept message without key"));
    cr_assert(message_has("2 record errors"));
    cr_assert(message_has("record 3: Compacted"));
}

Test(validate, timestamps_within_bounds) {
    bench.rules.timestamp_before_ms_max = 1000;
    bench.rules.timestamp_after_ms_max = 10;
    add("a", NOW - 1000), add("b", NOW + 10), add("c", -1);
    finish(CODEC_NONE);
    cr_assert_eq(validated(), ERROR_NONE, "the bounds themselves, and none at all");
    add("d", NOW - 1001), add("e", NOW), add("f", NOW + 11);
    finish(CODEC_NONE);
    cr_assert_eq(validated(), ERROR_INVALID_TIMESTAMP);
    cr_assert_eq(bench.result.record_error_count, 2);
    cr_assert_eq(bench.result.record_errors[0].batch_index, 3);
    cr_assert_eq(bench.result.record_errors[1].batch_index, 5);
    cr_assert(message_has("invalid timestamp"));
    bench.rules.append_time = true;
    cr_assert_eq(validated(), ERROR_NONE, "they are replaced anyway");
}

Test(validate, any_timestamp_and_bound_can_be_computed_with) {
    add("a", INT64_MAX), add("b", INT64_MIN / 2);
    finish(CODEC_NONE);
    bench.rules.timestamp_after_ms_max = INT64_MAX;
    cr_assert_eq(validated(), ERROR_NONE);
    bench.rules.timestamp_before_ms_max = 0;
    cr_assert_eq(validated(), ERROR_INVALID_TIMESTAMP);
    cr_assert_eq(bench.result.record_error_count, 1);
}

Test(validate, a_timestamp_error_gives_its_code_to_mixed_ones) {
    bench.rules.compacted = true;
    add(NULL, NOW), add("a", NOW * 10);
    finish(CODEC_NONE);
    cr_assert_eq(validated(), ERROR_INVALID_TIMESTAMP);
    cr_assert_eq(bench.result.record_error_count, 2);
}

Test(validate, a_wrong_maximum_is_corrected) {
    struct batch_header header = sound();
    header.max_timestamp = 77;
    seal(&header);
    cr_assert_eq(validated(), ERROR_NONE);
    bench.rules.append_time = true;
    validate_correct(bench.batch.at, &bench.rules, &bench.result);
    cr_assert_eq(bench.result.header.max_timestamp, 77, "the stamp comes later");
    bench.rules.append_time = false;
    validate_correct(bench.batch.at, &bench.rules, &bench.result);
    cr_assert_eq(bench.result.header.max_timestamp, NOW + 1);
    cr_assert(batch_crc_valid(byte_buffer_bytes(&bench.batch)));
    uint32_t crc = bench.result.header.crc;
    cr_assert_eq(validated(), ERROR_NONE);
    validate_correct(bench.batch.at, &bench.rules, &bench.result);
    cr_assert_eq(bench.result.header.crc, crc);
}

Test(validate, what_inflates_is_bounded) {
    static char zeros[4 << 20];
    batch_build_add(&bench.build, NOW, BYTES_NULL, bytes_make(zeros, sizeof zeros), NULL, 0);
    finish(CODEC_ZSTD);
    cr_assert_eq(validated(), ERROR_MESSAGE_TOO_LARGE, "by ratio");
    bench.rules.ratio_max = 1000000;
    cr_assert_eq(validated(), ERROR_NONE);
    bench.rules.decompressed_bytes_max = sizeof zeros;
    cr_assert_eq(validated(), ERROR_MESSAGE_TOO_LARGE, "by size");
}

Test(validate, what_does_not_inflate_is_not_a_record) {
    sound();
    for (int codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        struct batch_header header = sound();
        header.attributes = (int16_t)codec;
        seal(&header);
        cr_assert_eq(validated(), ERROR_INVALID_RECORD);
        cr_assert(message_has(codec_name((enum codec)codec)));
    }
}

Test(validate, errors_are_listed_up_to_a_bound_and_within_the_arena) {
    bench.rules.compacted = true;
    for (int i = 0; i < 3000; i++) add(NULL, NOW);
    finish(CODEC_NONE);
    cr_assert_eq(validated(), ERROR_INVALID_RECORD);
    cr_assert_eq(bench.result.record_error_count, VALIDATE_RECORD_ERRORS_MAX);
    cr_assert(message_has("3000 record errors"));
    arena_reset(&bench.arena);
    bench.arena.limit = 100;
    cr_assert_eq(validated(), ERROR_INVALID_RECORD);
    cr_assert_eq(bench.result.record_error_count, 0);
}
