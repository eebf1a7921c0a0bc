/* Memory of a partition's tail: pieces of 4 KiB to 2 MiB, laid out exactly as the segment file will
 * be (a chunk's first byte is at a multiple of 4096 there), so that write-out needs no copy and
 * readers get slices. A chunk is freed when its tail has let go of it and no reader pins it. */
#pragma once

#include "base/list.h"
#include "base/slab.h"
#include "storage/place.h"

enum {
    CHUNK_MIN = 4096,
    CHUNK_SMALL = 16 << 10,
    CHUNK_USUAL = 64 << 10,
    CHUNK_MAX = 2 << 20,
    CHUNK_CLASSES = 10,
};

struct chunk {
    uint32_t segment;
    uint32_t capacity, used;
    uint32_t references; /* the tail's and the readers' */
    uint64_t position;   /* of at[0] in the segment */
    /* Batches that begin in this chunk; first_position is UINT64_MAX when none does. */
    uint64_t first_position, batches_end; /* batches_end: where the last of them ends */
    int64_t first_offset;
    struct chunk_pool *pool;
    struct partition *partition; /* while it is in a tail */
    struct list cached;          /* in the store's list of settled chunks, oldest first */
    uint8_t *at;
};

/* One per core, and every chunk of it is freed before it ends; chunks made without a pool
 * (recovery) use the heap. Freed memory is kept for reuse up to a bound, because memory that was
 * never touched is dear; what is beyond goes back to the system. */
struct chunk_pool {
    struct slabs slabs;
    struct chunk *kept[CHUNK_CLASSES]; /* free, with their memory … */
    struct chunk *bare[CHUNK_CLASSES]; /* … and without: only a place that can be used again */
    uint64_t kept_bytes, kept_bytes_max;
    uint64_t used_bytes;  /* of all live chunks */
    uint32_t usual_bytes; /* as large grow the chunks of a tail (storage/tail.h) */
};

void chunk_pool_init(struct chunk_pool *pool, uint64_t kept_bytes_max);
void chunk_pool_deinit(struct chunk_pool *pool);
/* Gives back what is kept, but for so many bytes. */
void chunk_pool_trim(struct chunk_pool *pool, uint64_t kept_bytes);
/* Zeroed only as far as it is used; capacity is rounded up to a power of two. */
struct chunk *chunk_new(struct chunk_pool *pool, struct place place, uint32_t capacity);
void chunk_pin(struct chunk *chunk);
void chunk_release(struct chunk *chunk);
