/* Record batch, format 2 (KIP-98, KIP-32, KIP-534): what a producer sends, a segment holds and a
 * fetch returns, byte for byte. All integers are big-endian.
 *
 *    0  base_offset             i64   ┐ BATCH_OVERHEAD: set by the broker, outside the CRC,
 *    8  length                  i32   ┘ as is the leader epoch; length counts from 12 on
 *   12  partition_leader_epoch  i32
 *   16  magic                   i8    2
 *   17  crc                     u32   CRC-32C of everything from 21 on
 *   21  attributes              i16   see batch_codec() and its neighbours
 *   23  last_offset_delta       i32   last offset - base_offset
 *   27  base_timestamp          i64   milliseconds; the delete horizon when that flag is set
 *   35  max_timestamp           i64
 *   43  producer_id             i64   -1 when not idempotent
 *   51  producer_epoch          i16
 *   53  base_sequence           i32
 *   57  record_count            i32
 *   61  records (protocol/record.h), compressed as a whole (protocol/compress.h)
 *
 * attributes: bits 0-2 codec, 3 LogAppendTime, 4 transactional, 5 control, 6 delete horizon.
 *
 * Slices and pointers here point into memory of the caller. */
#pragma once

#include "base/bytes.h"
#include "protocol/codec.h"

enum {
    BATCH_HEADER_SIZE = 61,
    BATCH_OVERHEAD = 12, /* not counted by `length` */
    BATCH_MAGIC = 2
};

enum batch_attribute {
    BATCH_CODEC_MASK = 0x07,
    BATCH_APPEND_TIME = 0x08,
    BATCH_TRANSACTIONAL = 0x10,
    BATCH_CONTROL = 0x20,
    BATCH_DELETE_HORIZON = 0x40
};

struct batch_header {
    int64_t base_offset;
    int32_t length;
    int32_t partition_leader_epoch;
    int8_t magic;
    uint32_t crc;
    int16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp;
    int64_t max_timestamp;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t record_count;
};

/* Parses the header at the front. False when there are fewer than BATCH_HEADER_SIZE bytes, the
 * length cannot hold a header, or the magic is another one. The records need not be there. */
bool batch_header_read(struct bytes from, struct batch_header *header);
/* The opposite; needs BATCH_HEADER_SIZE bytes of room. */
void batch_header_write(uint8_t *at, const struct batch_header *header);

/* Header and records. */
static inline size_t batch_size(const struct batch_header *header) {
    return (size_t)header->length + BATCH_OVERHEAD;
}
static inline int64_t batch_last_offset(const struct batch_header *header) {
    return (int64_t)((uint64_t)header->base_offset + (uint64_t)(int64_t)header->last_offset_delta);
}
/* The number as sent: it may be CODEC_COUNT or above. */
static inline enum codec batch_codec(const struct batch_header *header) {
    return (enum codec)(header->attributes & BATCH_CODEC_MASK);
}
/* The timestamp type is LogAppendTime: all records have max_timestamp. */
static inline bool batch_append_time(const struct batch_header *header) {
    return header->attributes & BATCH_APPEND_TIME;
}
static inline bool batch_transactional(const struct batch_header *header) {
    return header->attributes & BATCH_TRANSACTIONAL;
}
/* Transaction markers and the like: clients skip its records. */
static inline bool batch_control(const struct batch_header *header) {
    return header->attributes & BATCH_CONTROL;
}
/* base_timestamp is the time from which compaction may drop tombstones (KIP-534). */
static inline bool batch_delete_horizon(const struct batch_header *header) {
    return header->attributes & BATCH_DELETE_HORIZON;
}
static inline bool batch_idempotent(const struct batch_header *header) {
    return header->producer_id >= 0;
}

/* base_sequence + n, which goes from 2147483647 on to 0. */
int32_t batch_sequence_add(int32_t sequence, int32_t n);
static inline int32_t batch_last_sequence(const struct batch_header *header) {
    return batch_sequence_add(header->base_sequence, header->last_offset_delta);
}

/* True when the whole batch is there (bytes behind it are ignored) and its CRC holds. */
bool batch_crc_valid(struct bytes from);
/* The section behind the header of a whole batch. */
struct bytes batch_records(struct bytes batch);

/* What the leader sets in any batch that it appends. The CRC stays true. */
void batch_patch(uint8_t *at, int64_t base_offset, int32_t leader_epoch);
/* LogAppendTime: sets the flag and max_timestamp, and recomputes the CRC of the whole batch. */
void batch_patch_append_time(uint8_t *at, int64_t ms);
/* CreateTime with a wrong maximum, which Kafka corrects as well: sets it, and the CRC. */
void batch_patch_max_timestamp(uint8_t *at, int64_t ms);
