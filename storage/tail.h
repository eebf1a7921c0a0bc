/* A partition's bytes in memory: chunks from the oldest that is still cached to the end of the log,
 * without gaps within a segment. The settled part is a cache and goes from its old end; the rest
 * stays until a segment file has it. */
#pragma once

#include "base/bytes.h"
#include "storage/chunk.h"

struct tail {
    struct chunk **chunks; /* a ring of `capacity` slots (a power of two) from `head` */
    size_t head, count, capacity;
    struct chunk_pool *pool;
    struct partition *partition;
};

void tail_init(struct tail *tail, struct chunk_pool *pool, struct partition *partition);
/* Lets go of every chunk. */
void tail_deinit(struct tail *tail);
static inline struct chunk *tail_chunk(const struct tail *tail, size_t at) {
    return tail->chunks[(tail->head + at) & (tail->capacity - 1)];
}

/* Appends a batch at `place`, which is the end of the log: the next byte of its segment, or the
 * start of the next segment. */
void tail_append(struct tail *tail, struct place place, int64_t offset, struct bytes batch);
/* Recovery: bytes at `place` that continue a batch or begin one (offset -1: none begins here). */
void tail_restore(struct tail *tail, struct place place, struct bytes bytes);

/* Whether [place, place + len) is in memory (len may be 0). */
bool tail_has(const struct tail *tail, struct place place);
/* Copies; the range must be in memory. */
void tail_copy(const struct tail *tail, struct place place, void *into, size_t len);
/* The range as slices, one per chunk, at most `max`; answers how many, and the chunks in `pins`
 * (not yet pinned) when not NULL. `covered` tells how many bytes they hold. */
size_t tail_slices(const struct tail *tail, struct place place, size_t len, struct bytes *slices,
                   void **pins, size_t max, size_t *covered);
/* The newest chunk in which a batch with first offset <= `offset` begins; NULL when the offset is
 * below what is in memory. */
struct chunk *tail_find(const struct tail *tail, int64_t offset);
/* The place and offset of the oldest batch that is wholly in memory; false when none is. */
bool tail_first(const struct tail *tail, struct place *place, int64_t *offset);
/* Lets go of the oldest chunk. */
void tail_drop_oldest(struct tail *tail);
/* Zeros the last chunk of a segment from its used end to the next multiple of 4096. */
void tail_pad(struct tail *tail, uint32_t segment);
