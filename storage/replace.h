/* One segment for several, in one step: compaction, and the end of a segment that nobody appends
 * to. A REPLACE entry says all of it, so that recovery finds the old or the new and never a
 * mixture.
 *
 *   before the entry   the new file is complete and durable, with its name
 *   entry durable      the table changes, readers go on in the new file, the old files are removed
 *   a crash            before: the old stay, and the new file is removed at the next start
 *                      after: replay changes the table; old files that are still there are removed
 *
 * Payload:
 *   begun 4              the log goes on in this segment: earlier ones are closed
 *   compacted offset 8   what is below has been through a compaction
 *   old count 4 | new count 4 (0 or 1)
 *   old:  number 4, revision 4
 *   new:  number 4, revision 4 | base 8 | next 8 | end 8 | largest timestamp 8, its offset 8 |
 *         created 8
 *
 * Old ones that were trimmed meanwhile are not missed; when all were, the new one is not taken. */
#pragma once

#include "storage/state.h"

enum {
    REPLACE_OLD_MAX = 1024,
    REPLACE_FIXED_BYTES = 4 + 8 + 4 + 4,
    REPLACE_OLD_BYTES = 8,
    REPLACE_NEW_BYTES = 8 + 6 * 8,
};

struct replacement {
    struct segment_name *old; /* rising numbers, neighbours; of whoever made it or of a decoder */
    uint32_t old_count, begun;
    int64_t compacted_offset;
    bool has_new;
    struct segment new_segment; /* what the payload says of it */
    /* On its way into the journal */
    struct partition *partition;
    struct list link;
    size_t reserved;                           /* of the journal */
    void (*done)(struct replacement *applied); /* the entry is durable, or the partition is gone */
    bool is_taken;                             /* false: the new segment's file is nobody's */
};

size_t replacement_size(const struct replacement *replacement);
void replacement_encode(const struct replacement *replacement, uint8_t *at);
/* `old` is heap memory of the caller's; false when the payload is malformed. */
bool replacement_decode(struct bytes payload, struct replacement *replacement);

/* Whether it fits the table: offsets and numbers would go on rising. */
bool replacement_fits(const struct partition *partition, const struct replacement *replacement);
/* Changes the table, unless that was done before; sets `is_taken`. It fits. */
void replacement_apply(struct partition *partition, struct replacement *replacement);

/* Queues it for the next block; false when the journal has no room for it now. */
bool partition_replace(struct partition *partition, struct replacement *replacement);
/* Its entry is durable: applies it. */
void partition_replaced(struct partition *partition, struct replacement *replacement);
/* Closes the active segment, although nobody appends, so that it can be given up: a new one begins,
 * and an entry says so. False when there is nothing to close, or no room in the journal now. */
bool partition_close_active(struct partition *partition, int64_t now_ms);
