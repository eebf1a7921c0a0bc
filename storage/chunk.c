#include "storage/chunk.h"

#include "base/check.h"
#include "base/memory.h"

static unsigned chunk_class(uint32_t capacity) {
    unsigned class = 0;
    while (((uint32_t)CHUNK_MIN << class) < capacity) class ++;
    check(class < CHUNK_CLASSES);
    return class;
}

/* --- free ones: a chunk's `partition` field links the list --- */

static void free_push(struct chunk **list, struct chunk *chunk) {
    chunk->partition = (struct partition *)*list;
    *list = chunk;
}

static struct chunk *free_pop(struct chunk **list) {
    struct chunk *chunk = *list;
    if (chunk) *list = (struct chunk *)chunk->partition;
    return chunk;
}

static void pool_strip(struct chunk_pool *pool, unsigned class) {
    struct chunk *chunk = free_pop(&pool->kept[class]);
    pool->kept_bytes -= chunk->capacity;
    slab_give_back(chunk->at, chunk->capacity);
    free_push(&pool->bare[class], chunk);
}

static bool pool_has_room(const struct chunk_pool *pool, uint64_t bytes) {
    return pool->kept_bytes + bytes <= pool->kept_bytes_max;
}

/* Of what is kept, smaller ones go first: they are left over from tails that have grown, and while
 * they stay, the ones that are wanted would be given back and taken again all the time. So would
 * usual ones behind a load of large batches, if one of those did not make room for many. */
static bool pool_make_room(struct chunk_pool *pool, unsigned class) {
    uint64_t bytes = (uint64_t)CHUNK_MIN << class;
    for (unsigned smaller = 0; smaller < class; smaller++)
        while (!pool_has_room(pool, bytes) && pool->kept[smaller]) pool_strip(pool, smaller);
    bool has_none = bytes >= pool->usual_bytes && !pool->kept[class];
    for (unsigned larger = CHUNK_CLASSES - 1; has_none && larger > class; larger--)
        if (!pool_has_room(pool, bytes) && pool->kept[larger]) pool_strip(pool, larger);
    return pool_has_room(pool, bytes);
}

static void pool_put(struct chunk_pool *pool, struct chunk *chunk) {
    unsigned class = chunk_class(chunk->capacity);
    pool->used_bytes -= chunk->capacity;
    bool kept = pool_make_room(pool, class);
    slab_rest(chunk->at, chunk->capacity);
    free_push(&pool->kept[class], chunk);
    pool->kept_bytes += chunk->capacity;
    if (!kept) pool_strip(pool, class);
}

static struct chunk *pool_take(struct chunk_pool *pool, unsigned class) {
    uint32_t capacity = (uint32_t)CHUNK_MIN << class;
    struct chunk *chunk = free_pop(&pool->kept[class]);
    if (chunk) pool->kept_bytes -= capacity;
    if (!chunk) chunk = free_pop(&pool->bare[class]);
    pool->used_bytes += capacity;
    if (chunk) {
        slab_use(chunk->at, capacity);
    } else {
        chunk = new_zero(struct chunk);
        chunk->at = slabs_carve(&pool->slabs, capacity);
    }
    return chunk;
}

/* --- the pool --- */

void chunk_pool_init(struct chunk_pool *pool, uint64_t kept_bytes_max) {
    *pool = (struct chunk_pool){.kept_bytes_max = kept_bytes_max, .usual_bytes = CHUNK_USUAL};
}

void chunk_pool_trim(struct chunk_pool *pool, uint64_t kept_bytes) {
    for (unsigned class = 0; class < CHUNK_CLASSES; class ++)
        while (pool->kept_bytes > kept_bytes && pool->kept[class]) pool_strip(pool, class);
}

void chunk_pool_deinit(struct chunk_pool *pool) {
    for (unsigned class = 0; class < CHUNK_CLASSES; class ++) {
        for (struct chunk *chunk; (chunk = free_pop(&pool->kept[class]));) free(chunk);
        for (struct chunk *chunk; (chunk = free_pop(&pool->bare[class]));) free(chunk);
    }
    slabs_deinit(&pool->slabs);
}

/* --- chunks --- */

static struct chunk *chunk_on_heap(uint32_t capacity) {
    struct chunk *chunk = new_zero(struct chunk);
    chunk->at = memory_aligned(CHUNK_MIN, capacity);
    return chunk;
}

struct chunk *chunk_new(struct chunk_pool *pool, struct place place, uint32_t capacity) {
    unsigned class = chunk_class(capacity);
    capacity = (uint32_t)CHUNK_MIN << class;
    struct chunk *chunk = pool ? pool_take(pool, class) : chunk_on_heap(capacity);
    *chunk = (struct chunk){.segment = place.segment,
                            .position = place.position,
                            .capacity = capacity,
                            .references = 1,
                            .first_position = UINT64_MAX,
                            .pool = pool,
                            .at = chunk->at};
    list_init(&chunk->cached);
    return chunk;
}

void chunk_pin(struct chunk *chunk) { chunk->references++; }

void chunk_release(struct chunk *chunk) {
    check(chunk->references > 0);
    if (--chunk->references > 0) return;
    check(!list_is_linked(&chunk->cached));
    if (chunk->pool) {
        pool_put(chunk->pool, chunk);
        return;
    }
    free(chunk->at);
    free(chunk);
}
