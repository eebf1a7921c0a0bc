/* One cold read's way through the windows of a segment: from a batch at or before the wanted offset
 * to the last whole batch that fits, every CRC checked. Does not wait: it says so, and goes on
 * where it was. */
#pragma once

#include "protocol/batch.h"
#include "storage/cold.h"

struct cold_walk {
    struct windows *windows;
    struct segment_file *file; /* open for reading; the owner pins it */
    uint64_t upto, end;        /* all below `upto` is settled; batches go on until `end` */
    int64_t offset;
    size_t bytes_max;
    bool minimum_one;
    uint64_t at;             /* of the next batch to look at, which … */
    int64_t next_offset;     /* … begins at this offset */
    bool has_gaps;           /* compaction has left some: or at a higher one */
    uint64_t found, reached; /* [found, reached) is to be answered; reached 0: nothing yet */
    struct window *held[COLD_WINDOWS_MAX];
    unsigned held_count;
    uint64_t held_from; /* position of the first */
    unsigned inline_left;
    bool from_disk; /* some window was not in the page cache */
};

enum walk_state {
    WALK_WAITS,
    WALK_DONE,  /* [found, reached), or nothing up to the end of the segment */
    WALK_FULL,  /* the first batch is larger than what was asked for */
    WALK_CUT,   /* the first batch begins at `at`, and ends behind `upto` */
    WALK_ALONE, /* the batch at `at` cannot be had through windows, or what is there is none */
};

/* Whether the batch at `at` is the log's next one. A CRC says that it is whole, not that it belongs
 * there: where a write was lost, what was there before is whole as well. */
bool cold_walk_fits(const struct cold_walk *walk, const struct batch_header *header);
/* Goes on behind it. */
void cold_walk_pass(struct cold_walk *walk, const struct batch_header *header);
/* Asks for the windows that the answer probably lies in, all at once. */
void cold_walk_begin(struct cold_walk *walk);
/* Goes on. WALK_WAITS: the waiter will be told. */
enum walk_state cold_walk_on(struct cold_walk *walk, struct window_waiter *waiter);
/* Lets go of its windows; those that follow are loaded ahead when these came from the disk. */
void cold_walk_end(struct cold_walk *walk);
