#include "storage/journal_block.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/mutant.h"

enum {
    MAGIC = 0x4d524a42 /* "MRJB" */,
    VERSION = 1,
    CRC_AT = 4,
    COVERED_FROM = 8,
    START_MARKS = (1 << 24) - 1, /* 0 is none */
};

void block_begin(struct block_writer *writer, uint8_t *buffer, size_t capacity) {
    check(capacity % JOURNAL_ALIGNMENT == 0 && capacity <= JOURNAL_BLOCK_MAX);
    *writer =
        (struct block_writer){.at = buffer, .capacity = capacity, .used = JOURNAL_HEADER_BYTES};
}

size_t block_room(const struct block_writer *writer) {
    size_t overhead = writer->used + JOURNAL_RUN_BYTES + JOURNAL_ENTRY_BYTES;
    return overhead < writer->capacity ? writer->capacity - overhead : 0;
}

void block_run(struct block_writer *writer, uint32_t shard, uint32_t epoch, uint64_t sequence) {
    uint8_t *run = writer->at + writer->used;
    store_u32(run, shard);
    store_u32(run + 4, 0);
    store_u32(run + 8, epoch);
    store_u32(run + 12, 0);
    store_u64(run + 16, sequence);
    writer->run_at = writer->used;
    writer->used += JOURNAL_RUN_BYTES;
    writer->run_count++;
}

uint8_t *block_entry(struct block_writer *writer, enum entry_kind kind, uint32_t partition,
                     size_t payload_len) {
    size_t total = JOURNAL_ENTRY_BYTES + payload_len;
    check(writer->run_at && writer->used + total <= writer->capacity);
    uint8_t *entry = writer->at + writer->used;
    store_u32(entry, (uint32_t)kind << 24);
    store_u32(entry + 4, partition);
    store_u32(entry + 8, (uint32_t)payload_len);
    uint8_t *run = writer->at + writer->run_at;
    store_u32(run + 4, load_u32(run + 4) + 1);
    store_u32(run + 12, load_u32(run + 12) + (uint32_t)total);
    writer->entry_at = writer->used;
    writer->used += total;
    writer->entry_count++;
    return entry + JOURNAL_ENTRY_BYTES;
}

static uint32_t start_mark(int64_t log_start) { return (uint32_t)(log_start % START_MARKS) + 1; }

void block_mark_start(struct block_writer *writer, int64_t log_start) {
    check(writer->entry_at && log_start >= 0);
    uint8_t *entry = writer->at + writer->entry_at;
    store_u32(entry, (uint32_t)entry[0] << 24 | start_mark(log_start));
}

bool block_starts_at(const struct block_entry_view *entry, int64_t log_start) {
    return entry->start_mark == 0 || entry->start_mark == start_mark(log_start);
}

size_t block_finish(struct block_writer *writer, struct journal_block *header) {
    size_t padded = round_up(writer->used, JOURNAL_ALIGNMENT);
    memset(writer->at + writer->used, 0, padded - writer->used);
    header->length = (uint32_t)writer->used;
    header->run_count = writer->run_count;
    uint8_t *at = writer->at;
    store_u32(at, MAGIC);
    store_u32(at + 8, header->length);
    store_u16(at + 12, VERSION);
    store_u16(at + 14, header->core);
    store_u64(at + 16, header->salt);
    store_u64(at + 24, header->incarnation);
    store_u64(at + 32, header->sequence);
    store_u64(at + 40, header->acknowledged_through);
    store_u64(at + 48, header->released_through);
    store_i64(at + 56, header->time_ms);
    store_u32(at + 64, header->run_count);
    store_u64(at + 68, header->catalog_mark);
    store_u32(at + 76, 0);
    store_u32(at + CRC_AT, crc32c(at + COVERED_FROM, writer->used - COVERED_FROM));
    return padded;
}

size_t block_claimed_length(struct bytes bytes) {
    if (bytes.len < JOURNAL_HEADER_BYTES || load_u32(bytes.at) != MAGIC) return 0;
    uint32_t length = load_u32(bytes.at + 8);
    if (length < JOURNAL_HEADER_BYTES || length > JOURNAL_BLOCK_MAX) return 0;
    return load_u16(bytes.at + 12) == VERSION ? length : 0;
}

bool block_read(struct bytes bytes, struct journal_block *header) {
    size_t length = block_claimed_length(bytes);
    if (length == 0 || length > bytes.len) return false;
    const uint8_t *at = bytes.at;
    uint32_t crc = crc32c(at + COVERED_FROM, length - COVERED_FROM);
    if (crc != load_u32(at + CRC_AT) && !MUTANT(crc_unchecked)) return false;
    *header = (struct journal_block){
        .length = (uint32_t)length,
        .core = load_u16(at + 14),
        .salt = load_u64(at + 16),
        .incarnation = load_u64(at + 24),
        .sequence = load_u64(at + 32),
        .acknowledged_through = load_u64(at + 40),
        .released_through = load_u64(at + 48),
        .time_ms = load_i64(at + 56),
        .run_count = load_u32(at + 64),
        .catalog_mark = load_u64(at + 68),
    };
    return true;
}

void run_cursor_init(struct run_cursor *cursor, struct bytes bytes,
                     const struct journal_block *header) {
    check(header->length <= bytes.len);
    *cursor = (struct run_cursor){.block = bytes_make(bytes.at, header->length),
                                  .at = JOURNAL_HEADER_BYTES,
                                  .runs_left = header->run_count};
}

bool run_next(struct run_cursor *cursor) {
    size_t left = cursor->block.len - cursor->at;
    if (cursor->runs_left == 0 || left < JOURNAL_RUN_BYTES) return false;
    const uint8_t *run = cursor->block.at + cursor->at;
    uint32_t size = load_u32(run + 12);
    if (size > left - JOURNAL_RUN_BYTES) return false;
    cursor->run = (struct block_run_view){
        .shard = load_u32(run), .entries = load_u32(run + 4), .sequence = load_u64(run + 16)};
    cursor->at += JOURNAL_RUN_BYTES + size;
    cursor->runs_left--;
    return true;
}

void block_cursor_init(struct block_cursor *cursor, struct bytes bytes,
                       const struct journal_block *header) {
    check(header->length <= bytes.len);
    *cursor = (struct block_cursor){.block = bytes_make(bytes.at, header->length),
                                    .at = JOURNAL_HEADER_BYTES,
                                    .runs_left = header->run_count};
}

static bool cursor_open_run(struct block_cursor *cursor) {
    if (cursor->block.len - cursor->at < JOURNAL_RUN_BYTES) return false;
    const uint8_t *run = cursor->block.at + cursor->at;
    cursor->entry.shard = load_u32(run);
    cursor->entries_left = load_u32(run + 4);
    cursor->entry.epoch = load_u32(run + 8);
    cursor->entry.shard_sequence = load_u64(run + 16);
    cursor->at += JOURNAL_RUN_BYTES;
    cursor->runs_left--;
    return true;
}

int block_next(struct block_cursor *cursor) {
    while (cursor->entries_left == 0) {
        if (cursor->runs_left == 0) return 0;
        if (!cursor_open_run(cursor)) return -1;
    }
    if (cursor->block.len - cursor->at < JOURNAL_ENTRY_BYTES) return -1;
    const uint8_t *entry = cursor->block.at + cursor->at;
    uint32_t payload_len = load_u32(entry + 8);
    cursor->at += JOURNAL_ENTRY_BYTES;
    if (cursor->block.len - cursor->at < payload_len) return -1;
    cursor->entry.kind = entry[0];
    cursor->entry.start_mark = load_u32(entry) & 0xffffff;
    cursor->entry.partition = load_u32(entry + 4);
    cursor->entry.payload = bytes_make(cursor->block.at + cursor->at, payload_len);
    cursor->at += payload_len;
    cursor->entries_left--;
    return 1;
}
