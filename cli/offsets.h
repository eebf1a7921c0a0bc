/* ListOffsets for the commands: where a partition begins, ends, and what was written since. */
#pragma once

#include "cli/cluster.h"

enum { OFFSETS_LATEST = -1, OFFSETS_EARLIEST = -2 };

/* One partition's question and answer. */
struct offset_wish {
    int32_t partition, leader;
    int64_t timestamp; /* milliseconds, or OFFSETS_* */
    int64_t offset;    /* answer; -1: nothing is as new as the timestamp */
};

bool offsets_list(struct cluster *cluster, const char *topic, struct offset_wish *wishes,
                  size_t count, struct arena *arena, struct error *error);
