/* Takes segments away, one by one, without waiting: only what a durable statement has already given
 * up (a LOG_START entry, or the catalog's deletion of the topic), so a crash in between leaves
 * files that nothing refers to, and the replay of that statement removes them again. */
#pragma once

#include "storage/state.h"

/* The files of these segments of a partition. */
void remove_segments(struct store *store, uint32_t partition, const struct segment *segments,
                     size_t count);
/* The one file with this identity. */
void remove_segment(struct store *store, const struct segment_identity *identity);
