/* Reads the batches of one closed segment, one after the other, on a worker: each whole, with a CRC
 * that holds, and where the log goes on, because compaction must not carry damage on. Memory is a
 * window, which grows to the largest batch. */
#pragma once

#include "storage/segment.h"

struct compact_source {
    struct file *file; /* NULL while closed */
    uint64_t end;      /* of the batches */
    uint64_t position; /* of the next batch, which begins at … */
    int64_t next_offset;
    bool has_gaps; /* … or behind it: it has been compacted before */
    /* The window holds [window_at, window_at + window_len). */
    uint8_t *window;
    uint64_t window_at;
    size_t window_len, window_capacity;
};

/* Blocking. 0, or a negative errno: -ENOENT when the segment has gone, -EBADMSG for another's file.
 */
int compact_source_open(struct compact_source *source, struct disk *disk,
                        const struct segment_identity *identity, uint64_t end);
/* Frees all; may be opened again. */
void compact_source_close(struct compact_source *source);
/* Blocking. 1 and the next batch, valid until the next call; 0 at the end; -EBADMSG for damage, or
 * another negative errno. */
int compact_source_next(struct compact_source *source, struct bytes *batch);
