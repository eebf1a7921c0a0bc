#include "protocol/batch_build.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "protocol/compress.h"

enum { CRC_FROM = 21 };

void batch_build_init(struct batch_build *build) {
    *build = (struct batch_build){.header = {.partition_leader_epoch = -1,
                                             .magic = BATCH_MAGIC,
                                             .max_timestamp = -1,
                                             .producer_id = -1,
                                             .producer_epoch = -1,
                                             .base_sequence = -1}};
}

void batch_build_deinit(struct batch_build *build) {
    byte_buffer_deinit(&build->records);
    batch_build_init(build);
}

void batch_build_restart(struct batch_build *build) {
    build->records.len = 0;
    build->header.record_count = 0;
    build->header.base_timestamp = 0;
    build->header.max_timestamp = -1;
}

void batch_build_add(struct batch_build *build, int64_t timestamp, struct bytes key,
                     struct bytes value, const struct record_header *headers,
                     int32_t header_count) {
    struct batch_header *header = &build->header;
    if (header->record_count == 0) header->base_timestamp = timestamp;
    struct record record = {
        .timestamp_delta = (int64_t)((uint64_t)timestamp - (uint64_t)header->base_timestamp),
        .offset_delta = header->record_count++,
        .key = key,
        .value = value,
        .header_count = header_count,
    };
    if (timestamp > header->max_timestamp) header->max_timestamp = timestamp;
    uint8_t *at = byte_buffer_reserve(&build->records, record_size(&record, headers));
    build->records.len += record_write(at, &record, headers);
}

size_t batch_build_size(const struct batch_build *build) {
    return BATCH_HEADER_SIZE + build->records.len;
}

static bool append_records(struct batch_build *build, enum codec codec, struct byte_buffer *out,
                           struct error *error) {
    struct bytes records = byte_buffer_bytes(&build->records);
    if (codec != CODEC_NONE) return compress_deflate(codec, records, out, error);
    byte_buffer_append(out, records);
    return true;
}

bool batch_build_finish(struct batch_build *build, enum codec codec, struct byte_buffer *out,
                        struct error *error) {
    if (build->header.record_count == 0) return error_set(error, 0, "a batch needs a record");
    size_t start = out->len;
    byte_buffer_reserve(out, BATCH_HEADER_SIZE);
    out->len += BATCH_HEADER_SIZE;
    bool done = append_records(build, codec, out, error);
    size_t size = out->len - start;
    if (!done || size > INT32_MAX) {
        out->len = start;
        return done ? error_set(error, 0, "a batch cannot be larger than 2 GiB") : false;
    }
    struct batch_header header = build->header;
    header.length = (int32_t)(size - BATCH_OVERHEAD);
    header.attributes = (int16_t)((header.attributes & ~BATCH_CODEC_MASK) | (int16_t)codec);
    header.last_offset_delta = header.record_count - 1;
    uint8_t *at = out->at + start;
    batch_header_write(at, &header);
    header.crc = crc32c(at + CRC_FROM, size - CRC_FROM);
    batch_header_write(at, &header);
    check(batch_crc_valid(bytes_make(at, size)) && "pair: what was written reads back");
    return true;
}
