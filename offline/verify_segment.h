/* One segment's file held against what the table says of it. */
#pragma once

#include "offline/findings.h"
#include "storage/state.h"

struct segment_check {
    struct disk *disk;
    struct segment_identity identity;
    const struct segment *segment;
    const char *name;  /* of its partition, for people */
    bool gaps_allowed; /* offsets may be missing: it has been through a compaction or a repair */
    bool is_settled;   /* false: from `settled` on it is in the tail of … */
    uint64_t settled;
    const struct partition *partition; /* … this one */
    /* Result */
    unsigned batches_bad; /* or out of place, or ranges that are no batches */
    bool index_bad, is_missing;
};

/* Adds to `findings` (NULL: only the result counts). */
void segment_verify(struct segment_check *check, struct findings *findings);
