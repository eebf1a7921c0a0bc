/* The journal's unit: one block is one commit of one core, padded once to 4 KiB, never rewritten
 * while it matters.
 *
 *   header 80   magic 4 | crc32c 4 (over bytes 8..length) | length 4 | version 2 | core 2
 *               salt 8 | incarnation 8 | sequence 8 | acknowledged_through 8 | released_through 8
 *               time_ms 8 | run count 4 | catalog_mark 8 | zero 4
 *   run 24      shard 4 | entry count 4 | shard epoch 4 | bytes of its entries 4 | shard sequence 8
 *   entry 12    kind 1 | start mark 3 | partition 4 | payload length 4 | payload
 *   zeros       up to the next multiple of 4096
 *
 * acknowledged_through  every block up to this sequence was durable and answered when this one was
 *                       formed: what tells damage from a torn tail.
 * released_through      blocks up to this sequence are no longer needed by any shard; the reader
 *                       begins after it.
 * catalog_mark          one more than the sequence of the catalog's shard before this block, zero
 *                       in the journals of other cores: whether a block that cannot be read held
 *                       something of the catalog.
 * start mark            what log start the partition had before this entry, as far as 24 bits tell;
 *                       0: not said. Batches that go on at the end of the log prove that none is
 *                       missing before them; this, that no LOG_START is.
 *
 * Payloads (place = segment 4, position 8):
 *   BATCH      place | whole batches, contiguous
 *   EXTENT     from place 12 | upto position 8 | first batch position 8 | end position 8 |
 *              header count 4 | 61-byte headers of the batches from there | remainder [upto, end)
 *              [from, upto) is durable in the segment; it begins at or below the settled end
 *   LOG_START  offset 8
 *   REPLACE    old segments for a new one, as storage/replace.h has it
 * Decoding is bounded by the block's own length and never allocates. */
#pragma once

#include "base/bytes.h"

enum {
    JOURNAL_ALIGNMENT = 4096,
    JOURNAL_HEADER_BYTES = 80,
    JOURNAL_RUN_BYTES = 24,
    JOURNAL_ENTRY_BYTES = 12,
    JOURNAL_PLACE_BYTES = 12,
    JOURNAL_EXTENT_BYTES = JOURNAL_PLACE_BYTES + 8 + 8 + 8 + 4,
    JOURNAL_BLOCK_MAX = 1 << 20, /* the largest block, with its padding */
    JOURNAL_IN_FLIGHT_MAX = 4,
};

enum entry_kind {
    ENTRY_BATCH = 1,
    ENTRY_EXTENT = 2,
    ENTRY_LOG_START = 4,
    ENTRY_REPLACE = 5,
};

struct journal_block {
    uint64_t salt, incarnation, sequence, acknowledged_through, released_through;
    uint64_t catalog_mark;
    int64_t time_ms;
    uint32_t length; /* without padding */
    uint32_t run_count;
    uint16_t core;
};

/* --- writing --- */

struct block_writer {
    uint8_t *at;     /* aligned */
    size_t capacity; /* multiple of 4096, at most JOURNAL_BLOCK_MAX */
    size_t used;
    size_t run_at;   /* of the open run, 0 when none */
    size_t entry_at; /* of the newest entry */
    uint32_t run_count, entry_count;
};

void block_begin(struct block_writer *writer, uint8_t *buffer, size_t capacity);
/* Bytes that one more entry's payload may have, given that a new run may be needed. */
size_t block_room(const struct block_writer *writer);
void block_run(struct block_writer *writer, uint32_t shard, uint32_t epoch, uint64_t sequence);
/* The payload's place; payload_len must fit block_room(). */
uint8_t *block_entry(struct block_writer *writer, enum entry_kind kind, uint32_t partition,
                     size_t payload_len);
/* Gives the newest entry its start mark. */
void block_mark_start(struct block_writer *writer, int64_t log_start);
/* Seals: zeros the padding, sets length, run count and CRC. Answers the padded size. */
size_t block_finish(struct block_writer *writer, struct journal_block *header);

/* --- reading --- */

/* Checks magic, bounds and CRC. `bytes` may be longer than the block. */
bool block_read(struct bytes bytes, struct journal_block *header);
/* The length that a header claims, when at least the header itself is plausible; else 0. */
size_t block_claimed_length(struct bytes bytes);

/* The runs alone: what tells that no entry of a shard is missing. One without entries is a census
 * (storage/commit.h): it only names the shard's sequence. */
struct block_run_view {
    uint32_t shard, entries;
    uint64_t sequence;
};
struct run_cursor {
    struct bytes block;
    size_t at;
    uint32_t runs_left;
    struct block_run_view run;
};
void run_cursor_init(struct run_cursor *cursor, struct bytes bytes,
                     const struct journal_block *header);
/* The next run into cursor->run; false at the end, and where the block is malformed. */
bool run_next(struct run_cursor *cursor);

struct block_entry_view {
    uint32_t shard, epoch;
    uint64_t shard_sequence;
    uint8_t kind;
    uint32_t start_mark;
    uint32_t partition;
    struct bytes payload;
};
/* Whether the entry was made on this log start: false means certainly not. */
bool block_starts_at(const struct block_entry_view *entry, int64_t log_start);
struct block_cursor {
    struct bytes block;
    size_t at;
    uint32_t runs_left, entries_left;
    struct block_entry_view entry;
};
void block_cursor_init(struct block_cursor *cursor, struct bytes bytes,
                       const struct journal_block *header);
/* The next entry into cursor->entry; 1 = one, 0 = the end, -1 = malformed. */
int block_next(struct block_cursor *cursor);
