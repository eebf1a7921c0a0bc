/* Reading one core's journal at start: which files hold the chain of blocks that is still needed,
 * where it ends, and whether it ends in a torn tail or in damage.
 *
 * The chain is sequence, sequence + 1, … over files, incarnations never falling, back to the first
 * block that its own last block still needs (released_through): files before that are not read
 * beyond their beginning. Behind the chain, in every file, the scan looks for later blocks: one
 * whose acknowledged_through covers a missing block proves that this had been durable, and is
 * damage; otherwise what lies behind was never acknowledged, and is zeroed and synced. The last
 * blocks of the chain itself, those that no block calls acknowledged, are written once more: they
 * may have been read from a cache that a failed sync has made lie.
 *
 * Where there is damage nothing is changed. Every block that can be read is searched in all files:
 *
 *   released_through | 101 102 103  ×  ×  106 107 108 | 109 110 × 112
 *                      └──────── acknowledged ──────┘   └ goes on ┘ └ never acknowledged
 *
 * and replay meets them in order, with `gap` set where blocks are missing. Such a journal must not
 * be written again: the caller begins a new one. */
#pragma once

#include "storage/data_directory.h"
#include "storage/journal.h"

struct scanned_block {
    uint64_t sequence;
    uint32_t at; /* in units of JOURNAL_ALIGNMENT */
};

struct scanned_file {
    struct file *file;
    uint32_t number;
    uint64_t size, end;   /* end: after the last block of its chain; 0 unless walked */
    uint64_t first, last; /* sequences; 0 when it begins with no block of ours */
    uint64_t first_incarnation, last_incarnation;
    uint64_t acknowledged_through, released_through; /* as its last block says */
    uint64_t clear_upto; /* [end, clear_upto) holds blocks that were never acknowledged */
    struct scanned_block *blocks;
    size_t block_count, block_capacity;
    bool walked, needed;
};

/* Which part of which file is in the buffer. */
struct scan_window {
    uint32_t number;
    uint64_t position;
    size_t len, size; /* size: of the last read */
};

/* A place in one of a journal's files. */
struct journal_position {
    uint32_t number; /* the file's */
    uint64_t at;
};

struct journal_scan {
    struct data_directory *directory;
    unsigned core;
    struct scanned_file files[JOURNAL_FILES_MAX]; /* by first sequence; needed ones contiguous */
    unsigned file_count, found_count; /* found: with those that were not finished, and removed */
    uint64_t acknowledged_through, released_through, last_sequence, last_incarnation;
    uint64_t torn_blocks;
    uint64_t replayed_bytes; /* of the blocks that replay has met */
    bool damaged;            /* acknowledged blocks cannot be read … */
    struct error damage;     /* … the first of them, in words */
    uint64_t lost_blocks;    /* how many were missed by replay so far */
    /* Replay cursor */
    unsigned at_file;
    size_t at_block;
    uint64_t met;                   /* the last sequence that replay has met */
    struct journal_position met_at; /* behind that block */
    uint8_t *buffer;                /* aligned */
    struct scan_window window;
    struct bytes bytes; /* the block last read, in the buffer */
    struct journal_block block;
    bool has_block;
    uint64_t gap; /* so many blocks are missing right before this one, or at the end … */
    struct journal_position gap_at; /* … where the first of them would begin */
};

/* Opens, syncs and scans the files of `core`; `numbers` are theirs. */
bool journal_scan_open(struct journal_scan *scan, struct data_directory *directory, unsigned core,
                       const uint32_t *numbers, unsigned count, struct error *error);
void journal_scan_close(struct journal_scan *scan);

/* Replay of the needed blocks: rewind, then next until has_block is false. The block is in
 * scan->block, its bytes in scan->bytes. */
void journal_scan_rewind(struct journal_scan *scan);
bool journal_scan_next(struct journal_scan *scan, struct error *error);
