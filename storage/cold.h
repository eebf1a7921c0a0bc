/* Reading what has left the tail: whole batches from a segment file through windows
 * (storage/window.h), each batch's CRC checked before it leaves.
 *
 *   QUEUED ──► PREPARE ──► WALK ──► over
 *               open the    │  ▲ a window, or room for one
 *               file, load  └──┘
 *               the index   └──► ALONE ──► over
 *
 * ALONE reads one batch, and nothing but that batch, into memory of its own: one that is larger
 * than the windows that a read may hold; one whose window cannot be read, so that an unreadable
 * sector costs no more than the batches in it; one whose CRC does not hold, because only the disk
 * can say so; and the front of one that ends in the tail.
 *
 * Bounded: COLD_WINDOWS_MAX windows for each of so many reads that all of them have room, one read
 * alone at a time, the others wait in order of arrival. A reader who is slow to send holds its
 * answer only, for a small answer is copied out of its window. */
#pragma once

#include "storage/window.h"

enum {
    COLD_WINDOWS_MAX = 9,    /* of one read */
    COLD_READ_MAX = 2 << 20, /* of one answer, unless a single batch is larger */
    COLD_BYTES_MIN = COLD_WINDOWS_MAX * WINDOW_BYTES,
    COLD_BYTES_DEFAULT = 16 << 20,
};

struct partition;
struct read;
struct store;

struct cold_reads {
    struct windows windows;
    struct list queue; /* struct cold_read */
    struct list alone; /* those that are to be alone; the first one is */
    unsigned running, running_max;
};

void cold_init(struct store *store, uint64_t bytes_max);
void cold_deinit(struct store *store);
/* Each round. */
void cold_round(struct store *store);
/* True when the answer is there at once: `done` will not run. */
bool cold_read(struct partition *partition, struct read *read);
