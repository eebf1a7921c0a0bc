/* What hot and cold reading have in common. Only storage/ includes this. */
#pragma once

#include "storage/state.h"

/* The segment that has the offset, or what follows its gap, and the chunk in which that begins; no
 * chunk: it is in the file. */
struct chunk *read_find(const struct partition *partition, int64_t offset,
                        struct segment **segment);
/* Answers from the tail, from this chunk on: whole batches, pinned. Nothing when none is readable
 * or the first is too large. */
void read_hot(struct partition *partition, struct read *read, const struct chunk *chunk);
/* Where readable bytes of this segment end. */
uint64_t readable_end(const struct partition *partition, uint32_t number);
