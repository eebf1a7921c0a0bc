#include "storage/chunk.h"

#include "base/check.h"
#include "base/memory.h"

static unsigned chunk_class(uint32_t capacity) {
    unsigned class = 0;
    while (((uint32_t)CHUNK_MIN << class) < capacity) class ++;
    check(class < CHUNK_CLASSES);
    return class;
}

void chunk_pool_init(struct chunk_pool *pool, uint64_t free_bytes_max) {
    *pool = (struct chunk_pool){.free_bytes_max = free_bytes_max};
}

/* While free, a chunk's `partition` field links the pool's list. */
static struct chunk *chunk_next_free(struct chunk *chunk) {
    return (struct chunk *)chunk->partition;
}

static void chunk_destroy(struct chunk *chunk) {
    free(chunk->at);
    free(chunk);
}

void chunk_pool_deinit(struct chunk_pool *pool) {
    for (unsigned class = 0; class < CHUNK_CLASSES; class ++) {
        while (pool->free[class]) {
            struct chunk *chunk = pool->free[class];
            pool->free[class] = chunk_next_free(chunk);
            chunk_destroy(chunk);
        }
    }
}

static struct chunk *chunk_take(struct chunk_pool *pool, unsigned class) {
    struct chunk *chunk = pool ? pool->free[class] : NULL;
    if (!chunk) return NULL;
    pool->free[class] = chunk_next_free(chunk);
    pool->free_bytes -= chunk->capacity;
    return chunk;
}

struct chunk *chunk_new(struct chunk_pool *pool, struct place place, uint32_t capacity) {
    unsigned class = chunk_class(capacity);
    struct chunk *chunk = chunk_take(pool, class);
    uint8_t *at = chunk ? chunk->at : NULL;
    if (!chunk) {
        chunk = new_zero(struct chunk);
        at = memory_aligned(CHUNK_MIN, (size_t)CHUNK_MIN << class);
    }
    *chunk = (struct chunk){.segment = place.segment,
                            .position = place.position,
                            .capacity = (uint32_t)CHUNK_MIN << class,
                            .references = 1,
                            .first_position = UINT64_MAX,
                            .pool = pool,
                            .at = at};
    list_init(&chunk->cached);
    if (pool) pool->used_bytes += chunk->capacity;
    return chunk;
}

void chunk_pin(struct chunk *chunk) { chunk->references++; }

void chunk_release(struct chunk *chunk) {
    check(chunk->references > 0);
    if (--chunk->references > 0) return;
    check(!list_is_linked(&chunk->cached));
    struct chunk_pool *pool = chunk->pool;
    if (pool) pool->used_bytes -= chunk->capacity;
    if (!pool || pool->free_bytes + chunk->capacity > pool->free_bytes_max) {
        chunk_destroy(chunk);
        return;
    }
    unsigned class = chunk_class(chunk->capacity);
    chunk->partition = (struct partition *)pool->free[class];
    pool->free[class] = chunk;
    pool->free_bytes += chunk->capacity;
}
