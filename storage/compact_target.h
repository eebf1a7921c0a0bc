/* Writes a new revision of a segment, on a worker: batches in pieces of whole blocks, then the
 * footer. Nothing refers to the file until its REPLACE entry is durable (storage/replace.h): a
 * crash before leaves one that the next start removes. */
#pragma once

#include "protocol/batch.h"
#include "storage/segment.h"

struct compact_target {
    struct disk *disk;
    struct segment_identity identity;
    struct segment segment;    /* as far as it is written; its index as well */
    struct segment_file *file; /* NULL while closed */
    uint8_t *piece;            /* aligned: [piece_at, …) of the file, `piece_len` of it used */
    uint64_t piece_at;
    size_t piece_len;
};

/* Blocking. Removes what an earlier try has left, and makes the file. 0, or a negative errno. */
int compact_target_open(struct compact_target *target, struct disk *disk,
                        const struct segment_identity *identity, uint32_t index_interval);
/* Blocking. Offsets rise. 0, or a negative errno. */
int compact_target_add(struct compact_target *target, struct bytes batch);
/* Blocking. Writes what is left and the footer, cuts and (when durable) syncs the file, closes it:
 * the segment is complete. 0, or a negative errno. */
int compact_target_finish(struct compact_target *target, bool durable);
/* Closes it, if it is open. */
void compact_target_close(struct compact_target *target);
/* Blocking. Closes it and removes the file. */
void compact_target_abandon(struct compact_target *target);
