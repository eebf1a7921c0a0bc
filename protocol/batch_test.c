#include "protocol/batch.h"

#include <criterion/criterion.h>

#include "protocol/batch_build.h"

/* A batch with all fields set, and its bytes from the drawing in the header. */
static const struct batch_header FULL = {
    .base_offset = 0x0102030405060708,
    .length = 49,
    .partition_leader_epoch = 9,
    .magic = 2,
    .crc = 0xa1a2a3a4,
    .attributes = 0x0014,
    .last_offset_delta = 6,
    .base_timestamp = 1000,
    .max_timestamp = 2000,
    .producer_id = 77,
    .producer_epoch = 5,
    .base_sequence = 42,
    .record_count = 7,
};

Test(batch, header_is_where_kafka_has_it) {
    static const char BYTES[] =
        "\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\x31\0\0\0\x09\x02\xa1\xa2\xa3\xa4\0\x14\0\0\0\x06"
        "\0\0\0\0\0\0\x03\xe8\0\0\0\0\0\0\x07\xd0\0\0\0\0\0\0\0\x4d\0\x05\0\0\0\x2a\0\0\0\x07";
    uint8_t at[BATCH_HEADER_SIZE];
    batch_header_write(at, &FULL);
    cr_assert_eq(sizeof BYTES - 1, BATCH_HEADER_SIZE);
    cr_assert(memcmp(at, BYTES, sizeof at) == 0);
    struct batch_header read;
    cr_assert(batch_header_read(bytes_make(at, sizeof at), &read));
    cr_assert_eq(read.producer_id, 77);
    cr_assert_eq(read.record_count, 7);
    cr_assert_eq(batch_size(&read), BATCH_HEADER_SIZE);
    cr_assert_eq(batch_last_offset(&read), 0x0102030405060708 + 6);
    cr_assert_eq(batch_codec(&read), CODEC_ZSTD);
    cr_assert(batch_transactional(&read) && !batch_control(&read) && !batch_append_time(&read));
}

Test(batch, header_is_refused_when_short_or_of_another_format) {
    struct batch_header header = FULL;
    uint8_t at[BATCH_HEADER_SIZE];
    batch_header_write(at, &header);
    cr_assert_not(batch_header_read(bytes_make(at, sizeof at - 1), &header));
    at[16] = 1;
    cr_assert_not(batch_header_read(bytes_make(at, sizeof at), &header), "magic");
    at[16] = 2, at[11] = 48;
    cr_assert_not(batch_header_read(bytes_make(at, sizeof at), &header), "length");
    at[8] = 0xff, at[11] = 49;
    cr_assert_not(batch_header_read(bytes_make(at, sizeof at), &header), "negative length");
}

Test(batch, sequences_wrap_to_zero) {
    cr_assert_eq(batch_sequence_add(5, 3), 8);
    cr_assert_eq(batch_sequence_add(INT32_MAX, 1), 0);
    cr_assert_eq(batch_sequence_add(INT32_MAX - 1, 4), 2);
    cr_assert_eq(batch_sequence_add(INT32_MAX, INT32_MAX), INT32_MAX - 1);
}

static struct byte_buffer build_two(void) {
    struct byte_buffer out = {0};
    struct error error;
    struct batch_build build;
    batch_build_init(&build);
    batch_build_add(&build, 1000, BYTES_OF("k1"), BYTES_OF("v1"), NULL, 0);
    batch_build_add(&build, 900, BYTES_NULL, BYTES_OF("v2"), NULL, 0);
    cr_assert_eq(batch_build_size(&build), BATCH_HEADER_SIZE + 11 + 10);
    cr_assert(batch_build_finish(&build, CODEC_NONE, &out, &error));
    batch_build_deinit(&build);
    return out;
}

Test(batch, built_batch_reads_back) {
    struct byte_buffer out = build_two();
    struct bytes batch = byte_buffer_bytes(&out);
    struct batch_header header;
    cr_assert(batch_header_read(batch, &header));
    cr_assert_eq(batch_size(&header), batch.len);
    cr_assert(batch_crc_valid(batch));
    cr_assert_eq(header.base_timestamp, 1000);
    cr_assert_eq(header.max_timestamp, 1000);
    cr_assert_eq(header.record_count, 2);
    cr_assert_eq(header.last_offset_delta, 1);
    cr_assert_not(batch_idempotent(&header));
    struct bytes rest = batch_records(batch);
    struct record record;
    cr_assert_eq(record_next(&rest, &record), RECORD_READ);
    cr_assert(bytes_equal_text(record.key, "k1"));
    cr_assert_eq(record_next(&rest, &record), RECORD_READ);
    cr_assert(bytes_is_null(record.key) && bytes_equal_text(record.value, "v2"));
    cr_assert_eq(record.timestamp_delta, -100);
    cr_assert_eq(record_next(&rest, &record), RECORD_END);
    byte_buffer_deinit(&out);
}

Test(batch, crc_covers_all_but_what_the_leader_sets) {
    struct byte_buffer out = build_two();
    struct bytes batch = byte_buffer_bytes(&out);
    batch_patch(out.at, 1234567, 3);
    cr_assert(batch_crc_valid(batch));
    for (size_t i = 17; i < batch.len; i++) {
        out.at[i] ^= 0x20;
        cr_assert_not(batch_crc_valid(batch), "byte %zu", i);
        out.at[i] ^= 0x20;
    }
    cr_assert_not(batch_crc_valid(bytes_make(batch.at, batch.len - 1)), "not all there");
    byte_buffer_deinit(&out);
}

Test(batch, append_time_is_patched_with_a_new_crc) {
    struct byte_buffer out = build_two();
    struct bytes batch = byte_buffer_bytes(&out);
    struct batch_header header;
    batch_patch_append_time(out.at, 5555);
    cr_assert(batch_header_read(batch, &header) && batch_crc_valid(batch));
    cr_assert(batch_append_time(&header));
    cr_assert_eq(header.max_timestamp, 5555);
    cr_assert_eq(header.base_timestamp, 1000, "clients derive nothing from it then");
    byte_buffer_deinit(&out);
}

Test(batch, builder_refuses_nothing_and_starts_again) {
    struct byte_buffer out = {0};
    struct error error;
    struct batch_build build;
    batch_build_init(&build);
    cr_assert_not(batch_build_finish(&build, CODEC_NONE, &out, &error));
    cr_assert_eq(out.len, 0);
    build.header.producer_id = 9;
    batch_build_add(&build, 7, BYTES_NULL, BYTES_NULL, NULL, 0);
    cr_assert_not(batch_build_finish(&build, CODEC_COUNT, &out, &error), "no such codec");
    cr_assert_eq(out.len, 0);
    batch_build_restart(&build);
    cr_assert_not(batch_build_finish(&build, CODEC_NONE, &out, &error));
    batch_build_add(&build, 3, BYTES_NULL, BYTES_NULL, NULL, 0);
    cr_assert(batch_build_finish(&build, CODEC_ZSTD, &out, &error));
    struct batch_header header;
    cr_assert(batch_header_read(byte_buffer_bytes(&out), &header));
    cr_assert_eq(header.producer_id, 9);
    cr_assert_eq(header.max_timestamp, 3);
    cr_assert_eq(batch_codec(&header), CODEC_ZSTD);
    batch_build_deinit(&build);
    byte_buffer_deinit(&out);
}
