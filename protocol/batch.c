#include "protocol/batch.h"

#include "base/check.h"
#include "base/crc32c.h"

/* Where the fields are; the drawing is in the header. */
enum {
    AT_LENGTH = 8,
    AT_LEADER_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21, /* the CRC begins here */
    AT_LAST_OFFSET_DELTA = 23,
    AT_BASE_TIMESTAMP = 27,
    AT_MAX_TIMESTAMP = 35,
    AT_PRODUCER_ID = 43,
    AT_PRODUCER_EPOCH = 51,
    AT_BASE_SEQUENCE = 53,
    AT_RECORD_COUNT = 57
};

bool batch_header_read(struct bytes from, struct batch_header *header) {
    if (from.len < BATCH_HEADER_SIZE) return false;
    const uint8_t *at = from.at;
    *header = (struct batch_header){
        .base_offset = load_i64(at),
        .length = load_i32(at + AT_LENGTH),
        .partition_leader_epoch = load_i32(at + AT_LEADER_EPOCH),
        .magic = (int8_t)at[AT_MAGIC],
        .crc = load_u32(at + AT_CRC),
        .attributes = load_i16(at + AT_ATTRIBUTES),
        .last_offset_delta = load_i32(at + AT_LAST_OFFSET_DELTA),
        .base_timestamp = load_i64(at + AT_BASE_TIMESTAMP),
        .max_timestamp = load_i64(at + AT_MAX_TIMESTAMP),
        .producer_id = load_i64(at + AT_PRODUCER_ID),
        .producer_epoch = load_i16(at + AT_PRODUCER_EPOCH),
        .base_sequence = load_i32(at + AT_BASE_SEQUENCE),
        .record_count = load_i32(at + AT_RECORD_COUNT),
    };
    return header->length >= BATCH_HEADER_SIZE - BATCH_OVERHEAD && header->magic == BATCH_MAGIC;
}

void batch_header_write(uint8_t *at, const struct batch_header *header) {
    store_i64(at, header->base_offset);
    store_i32(at + AT_LENGTH, header->length);
    store_i32(at + AT_LEADER_EPOCH, header->partition_leader_epoch);
    at[AT_MAGIC] = (uint8_t)header->magic;
    store_u32(at + AT_CRC, header->crc);
    store_i16(at + AT_ATTRIBUTES, header->attributes);
    store_i32(at + AT_LAST_OFFSET_DELTA, header->last_offset_delta);
    store_i64(at + AT_BASE_TIMESTAMP, header->base_timestamp);
    store_i64(at + AT_MAX_TIMESTAMP, header->max_timestamp);
    store_i64(at + AT_PRODUCER_ID, header->producer_id);
    store_i16(at + AT_PRODUCER_EPOCH, header->producer_epoch);
    store_i32(at + AT_BASE_SEQUENCE, header->base_sequence);
    store_i32(at + AT_RECORD_COUNT, header->record_count);
}

int32_t batch_sequence_add(int32_t sequence, int32_t n) {
    check(sequence >= 0 && n >= 0);
    return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

static uint32_t batch_crc(const uint8_t *at) {
    size_t size = (size_t)load_u32(at + AT_LENGTH) + BATCH_OVERHEAD;
    return crc32c(at + AT_ATTRIBUTES, size - AT_ATTRIBUTES);
}

bool batch_crc_valid(struct bytes from) {
    struct batch_header header;
    if (!batch_header_read(from, &header) || batch_size(&header) > from.len) return false;
    return batch_crc(from.at) == header.crc;
}

struct bytes batch_records(struct bytes batch) {
    check(batch.len >= BATCH_HEADER_SIZE);
    return bytes_make(batch.at + BATCH_HEADER_SIZE, batch.len - BATCH_HEADER_SIZE);
}

void batch_patch(uint8_t *at, int64_t base_offset, int32_t leader_epoch) {
    store_i64(at, base_offset);
    store_i32(at + AT_LEADER_EPOCH, leader_epoch);
}

void batch_patch_append_time(uint8_t *at, int64_t ms) {
    store_u16(at + AT_ATTRIBUTES, load_u16(at + AT_ATTRIBUTES) | BATCH_APPEND_TIME);
    batch_patch_max_timestamp(at, ms);
}

void batch_patch_max_timestamp(uint8_t *at, int64_t ms) {
    store_i64(at + AT_MAX_TIMESTAMP, ms);
    store_u32(at + AT_CRC, batch_crc(at));
}
