/* From batch to batch through a segment file, by headers. What cannot be read, or is no batch,
 * costs itself: the walk goes on at the next batch behind it whose CRC holds. Blocking. */
#pragma once

#include "protocol/batch.h"
#include "storage/segment.h"

struct segment_walker {
    /* The batch at hand; CRCs are looked at only where something is wrong. */
    struct batch_header header;
    uint64_t position;
    /* Bytes [damaged_from, …) before this batch, or at the end, are none; UINT64_MAX: all are. */
    uint64_t damaged_from;
    /* Inside */
    struct file *file;
    const struct segment *segment;
    uint64_t upto; /* batches that begin below it count */
    uint64_t at;   /* the window holds [at, at + len) */
    size_t len;
    uint8_t *window;
    bool has_batch;
    int64_t next_offset; /* behind the batch at hand */
};

/* The batches that begin in [SEGMENT_START, upto); what lies behind need not be in the file. */
void segment_walker_init(struct segment_walker *walk, struct file *file,
                         const struct segment *segment, uint64_t upto);
/* False at the end. */
bool segment_walker_next(struct segment_walker *walk);
void segment_walker_deinit(struct segment_walker *walk);

/* The index by such a walk. A batch behind damage has an entry, so that readers find it without
 * passing the damage. False when there is any. */
bool segment_walk(struct file *file, const struct segment *segment, uint64_t upto,
                  struct index *index);
