/* The journal of one core: recycled files, prefilled with zeros once, written O_DIRECT and
 * RWF_DSYNC in blocks (storage/journal_block.h). Several commits are in flight; they are
 * acknowledged in order of sequence.
 *
 *   file:  FREE ──journal_begin()──► CURRENT ──no room──► FULL ──journal_release()──► FREE
 *
 * A full file is free again when a block that says so (released_through) has itself become durable:
 * only then may its blocks be overwritten, for until then recovery would look for them.
 *
 * A crash leaves a chain of blocks sequence, sequence + 1, … whose last few may be torn; none of
 * those was acknowledged. A write error stops the process. */
#pragma once

#include "io/ring.h"
#include "storage/data_directory.h"
#include "storage/journal_block.h"
#include "storage/place.h"

struct partition;

enum journal_file_state { JOURNAL_FILE_FREE, JOURNAL_FILE_CURRENT, JOURNAL_FILE_FULL };

struct journal_file {
    struct file *file;
    uint32_t number;
    enum journal_file_state state;
    uint64_t size;
    uint64_t used; /* write position in the current file */
    uint64_t last_sequence;
};

/* What becomes true for one partition once the block is durable. */
enum note_kind { NOTE_BATCHES, NOTE_EXTENT, NOTE_TRIM, NOTE_REPLACE };
struct commit_note {
    struct partition *partition;
    enum note_kind kind;
    int64_t offset;     /* BATCHES, EXTENT: the high watermark; TRIM: the log start */
    struct place place; /* BATCHES, EXTENT: where that watermark is */
    void *object;       /* EXTENT: struct bypass; TRIM: struct trim; REPLACE: struct replacement */
};

struct journal_slot {
    struct io_op op;
    struct journal *journal;
    struct iovec piece;
    uint8_t *buffer; /* JOURNAL_BLOCK_MAX bytes, touched only as far as used */
    uint64_t sequence, released_through;
    bool busy, written;
    struct commit_note *notes;
    size_t note_count, note_capacity;
};

enum {
    JOURNAL_FILES_MAX = 64,
    JOURNAL_FILE_MIN = 1 << 20,               /* every file is a multiple of this */
    JOURNAL_BYTES_MIN = 2 * JOURNAL_FILE_MIN, /* one is written while another is released */
    JOURNAL_ROOM_MIN = 136 << 10,             /* below this a file with a free successor is left */
};

struct journal {
    struct ring *ring;
    struct data_directory *directory;
    unsigned core;
    struct journal_file files[JOURNAL_FILES_MAX];
    unsigned file_count;
    struct journal_file *current;
    uint64_t bytes, bytes_max;
    uint64_t sequence_next;
    uint64_t acknowledged_through, released_through;
    uint64_t said_released;    /* by the newest block */
    uint64_t replay_bytes;     /* of blocks that are not released: what a start would read */
    uint64_t replay_bytes_max; /* above it a checkpoint is wanted; 0: no limit */
    uint64_t catalog_mark;     /* of the next block */
    struct journal_slot slots[JOURNAL_IN_FLIGHT_MAX]; /* by sequence modulo */
    struct journal_slot *forming;
    struct journal_file_work *filling; /* a file being prefilled on a worker */
    uint64_t last_cycle_ns;            /* when blocks were last released */
    uint64_t pace_since_ns, pace_from; /* since then a second is counted; commit_bytes then */
    uint64_t pace_bytes;               /* committed in the second before */
    uint64_t fill_retry_ns;            /* there was no space for another file: not before this */
    uint64_t growth_max;               /* what the disk has to spare for the next file */
    bool newest_is_empty;              /* the newest block carries no entries */
    /* Called for each block in order of sequence when it is durable. */
    void (*durable)(struct journal *journal, struct journal_slot *slot);
    void *context;
    uint64_t commits, commit_bytes;
};

/* `files` as recovery found them (may be none: the first file, 1 MiB, is made at once). */
bool journal_open(struct journal *journal, struct ring *ring, struct data_directory *directory,
                  unsigned core, uint64_t bytes_max, struct error *error);
/* Nothing may be in flight. */
void journal_close(struct journal *journal);

/* Whether a block can be formed now: a slot and room in a file. */
bool journal_can_begin(struct journal *journal);
/* Begins a block; entries go through `writer`. */
void journal_begin(struct journal *journal, struct block_writer *writer);
void journal_note(struct journal *journal, struct commit_note note);
/* Writes the block that was begun. */
void journal_submit(struct journal *journal, struct block_writer *writer);
/* Forgets the block that was begun, when nothing went into it. */
void journal_abandon(struct journal *journal);
/* No block is being formed or written. */
bool journal_is_quiet(const struct journal *journal);

/* Blocks up to `through` are no longer needed; takes effect with the next durable block. `bytes`:
 * replay_bytes when that was all. */
void journal_release(struct journal *journal, uint64_t through, uint64_t bytes);
/* Whether a block without entries would help: to release files, or to record the last
 * acknowledgement. */
bool journal_wants_empty_block(const struct journal *journal);
/* Full files wait for a durable block that says they are released, and none is on its way. */
bool journal_must_say_release(const struct journal *journal);

/* Each round: looks after the supply of free files. Prefills another one when there is less room
 * than the traffic of the last second needs, so that a journal without traffic never grows; answers
 * true when a checkpoint should release some, or should keep the next start short. */
bool journal_tend(struct journal *journal);
/* Bytes that may still be committed before a file must be released, after what is lost to padding
 * and at the end of each file. */
uint64_t journal_room(const struct journal *journal);

/* A file of zeros, durable, on the calling thread: start-up and workers. */
int journal_file_fill(struct disk *disk, unsigned core, uint32_t number, uint64_t size,
                      struct file **file);
