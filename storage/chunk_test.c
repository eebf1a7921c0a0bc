#include "storage/chunk.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = 4 * CHUNK_USUAL, MANY = 20 };

static struct chunk *chunk_of(struct chunk_pool *pool, uint32_t capacity) {
    return chunk_new(pool, (struct place){0, 4096}, capacity);
}

static unsigned count_of(const struct chunk *list) {
    unsigned count = 0;
    for (; list; list = (const struct chunk *)list->partition) count++;
    return count;
}

Test(chunk, what_was_freed_last_is_taken_first) {
    struct chunk_pool pool;
    chunk_pool_init(&pool, KEPT_MAX);
    struct chunk *chunk = chunk_of(&pool, CHUNK_USUAL - 5);
    const uint8_t *at = chunk->at;
    cr_assert_eq(chunk->capacity, CHUNK_USUAL);
    cr_assert_eq(pool.used_bytes, CHUNK_USUAL);
    chunk_pin(chunk);
    chunk_release(chunk);
    cr_assert_eq(pool.kept_bytes, 0, "a reader has it");
    chunk_release(chunk);
    cr_assert_eq(pool.kept_bytes, CHUNK_USUAL);
    struct chunk *small = chunk_of(&pool, CHUNK_MIN), *again = chunk_of(&pool, CHUNK_USUAL);
    cr_assert_eq(again->at, at);
    cr_assert_neq(small->at, at);
    cr_assert_eq(pool.kept_bytes, 0);
    chunk_release(small);
    chunk_release(again);
    cr_assert_eq(pool.used_bytes, 0);
    chunk_pool_deinit(&pool);
}

/* Beyond the bound the memory goes back, the place stays: nothing more is mapped for it. */
Test(chunk, what_is_kept_is_bounded) {
    struct chunk_pool pool;
    struct chunk *chunks[MANY];
    chunk_pool_init(&pool, KEPT_MAX);
    for (size_t at = 0; at < MANY; at++) {
        chunks[at] = chunk_of(&pool, CHUNK_USUAL);
        memset(chunks[at]->at, 7, CHUNK_USUAL);
    }
    for (size_t at = 0; at < MANY; at++) chunk_release(chunks[at]);
    cr_assert_eq(pool.kept_bytes, KEPT_MAX);
    cr_assert_eq(pool.slabs.carved_bytes, MANY * CHUNK_USUAL);
    for (size_t at = 0; at < MANY; at++) chunks[at] = chunk_of(&pool, CHUNK_USUAL);
    cr_assert_eq(pool.slabs.carved_bytes, MANY * CHUNK_USUAL);
    size_t old = 0;
    for (size_t at = 0; at < MANY; at++) old += chunks[at]->at[5] == 7;
    cr_assert_eq(old, KEPT_MAX / CHUNK_USUAL);
    for (size_t at = 0; at < MANY; at++) chunk_release(chunks[at]);
    chunk_pool_trim(&pool, CHUNK_USUAL);
    cr_assert_eq(pool.kept_bytes, CHUNK_USUAL);
    chunk_pool_trim(&pool, 0);
    cr_assert_eq(pool.kept_bytes, 0);
    chunk_pool_deinit(&pool);
}

/* Tails that have grown leave small ones behind, which nobody wants any more. */
Test(chunk, smaller_ones_make_room_for_larger_ones) {
    enum { SMALL = KEPT_MAX / CHUNK_MIN };
    struct chunk_pool pool;
    struct chunk *small[SMALL];
    chunk_pool_init(&pool, KEPT_MAX);
    for (size_t at = 0; at < SMALL; at++) small[at] = chunk_of(&pool, CHUNK_MIN);
    struct chunk *usual = chunk_of(&pool, CHUNK_USUAL), *other = chunk_of(&pool, CHUNK_MIN);
    for (size_t at = 0; at < SMALL; at++) chunk_release(small[at]);
    chunk_release(usual);
    cr_assert_eq(pool.kept_bytes, KEPT_MAX);
    cr_assert_eq(count_of(pool.kept[4]), 1);
    cr_assert_eq(count_of(pool.kept[0]), SMALL - CHUNK_USUAL / CHUNK_MIN);
    chunk_release(other); /* a small one makes no room for itself */
    cr_assert_eq(count_of(pool.kept[0]), SMALL - CHUNK_USUAL / CHUNK_MIN);
    cr_assert_eq(count_of(pool.bare[0]), CHUNK_USUAL / CHUNK_MIN + 1);
    chunk_pool_deinit(&pool);
}

Test(chunk, a_large_one_makes_room_for_usual_ones) {
    struct chunk_pool pool;
    chunk_pool_init(&pool, KEPT_MAX);
    struct chunk *large = chunk_of(&pool, KEPT_MAX), *usual[2];
    for (size_t at = 0; at < 2; at++) usual[at] = chunk_of(&pool, CHUNK_USUAL);
    chunk_release(large);
    cr_assert_eq(pool.kept_bytes, KEPT_MAX);
    for (size_t at = 0; at < 2; at++) chunk_release(usual[at]);
    cr_assert_eq(pool.kept_bytes, 2 * CHUNK_USUAL);
    cr_assert_eq(count_of(pool.kept[4]), 2);
    chunk_pool_deinit(&pool);
}

Test(chunk, without_a_pool_it_is_the_heaps) {
    struct chunk *chunk = chunk_of(NULL, CHUNK_MAX);
    cr_assert_eq((uintptr_t)chunk->at % CHUNK_MIN, 0);
    memset(chunk->at, 1, CHUNK_MAX);
    chunk_release(chunk);
}
