#include "storage/index.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

enum { ENTRIES = 300 };

/* Offsets 0, 10, 20 …; positions with gaps of one interval; every third timestamp rises. */
static struct index index_of(int count) {
    struct index index = {0};
    for (int at = 0; at < count; at++)
        index_add(&index, at * 10, 4096u + (uint64_t)at * INDEX_INTERVAL_MIN, at / 3 * 100 - 1);
    return index;
}

Test(index, finds_as_a_walk_does) {
    struct index index = index_of(ENTRIES);
    for (int64_t offset = -5; offset < ENTRIES * 10 + 5; offset++) {
        const struct index_entry *entry = index_find_offset(&index, offset), *walked = NULL;
        for (size_t at = 0; at < index.count && index.entries[at].offset <= offset; at++)
            walked = &index.entries[at];
        cr_assert_eq(entry, walked);
    }
    for (int64_t timestamp = -2; timestamp < 11000; timestamp += 7) {
        const struct index_entry *entry = index_find_timestamp(&index, timestamp), *walked = NULL;
        for (size_t at = 0; at < index.count; at++)
            if (index.entries[at].timestamp_before < timestamp) walked = &index.entries[at];
        /* The first of all holds for any time: nothing is before it. */
        if (!walked && index.count) walked = entry;
        cr_assert_eq(entry, walked, "%lld", (long long)timestamp);
    }
    index_deinit(&index);
}

Test(index, an_empty_one_has_nothing) {
    struct index index = {0};
    cr_assert_null(index_find_offset(&index, 0));
    cr_assert_null(index_find_timestamp(&index, 0));
    index_deinit(&index);
}

Test(index, is_sparse) {
    struct index index = {0};
    for (uint64_t at = 0; at < 100; at++) index_add(&index, (int64_t)at, 4096 + at * 1000, -1);
    cr_assert(index.count <= 100 * 1000 / INDEX_INTERVAL_MIN + 1);
    for (size_t at = 1; at < index.count; at++)
        cr_assert(index.entries[at].position - index.entries[at - 1].position >=
                  INDEX_INTERVAL_MIN);
    index_deinit(&index);
}

Test(index, the_interval_is_the_topics_within_bounds) {
    cr_assert_eq(index_interval(0), INDEX_INTERVAL_MIN);
    cr_assert_eq(index_interval(5000), 5000);
    cr_assert_eq(index_interval(INT32_MAX), INDEX_INTERVAL_MAX);
    struct index index = {.interval = 100000};
    for (uint64_t at = 0; at < 1000; at++) index_add(&index, (int64_t)at, 4096 + at * 1000, -1);
    cr_assert_eq(index.count, 10);
    index_deinit(&index);
}

Test(index, a_thin_one_finds_what_is_before) {
    struct index index = {0}, thin = {0};
    for (uint64_t at = 0; at < 1000; at++) {
        index_add(&index, (int64_t)at * 3, 4096 + at * 5000, (int64_t)at / 2);
        index_add(&thin, (int64_t)at * 3, 4096 + at * 5000, (int64_t)at / 2);
    }
    index_thin_to(&thin, 100000);
    cr_assert_eq(thin.count, 50);
    for (int64_t offset = 0; offset < 3000; offset++) {
        const struct index_entry *full = index_find_offset(&index, offset);
        const struct index_entry *found = index_find_offset(&thin, offset);
        cr_assert(found->offset <= offset && full->position - found->position < 100000);
        cr_assert_eq(index_find_offset(&index, found->offset)->position, found->position);
    }
    index_deinit(&index), index_deinit(&thin);
    index_thin_to(&thin, 1); /* also when there is nothing */
    cr_assert_eq(thin.count, 0);
}

Test(index, round_trip) {
    for (int count = 0; count < 50; count += 7) {
        struct index index = index_of(count), again;
        size_t size = index_encoded_size(&index);
        uint8_t *bytes = memory_new(size);
        index_encode(&index, bytes);
        cr_assert(index_decode(bytes_make(bytes, size), &again));
        cr_assert_eq(again.count, index.count);
        for (size_t at = 0; at < index.count; at++) {
            cr_assert_eq(again.entries[at].offset, index.entries[at].offset);
            cr_assert_eq(again.entries[at].position, index.entries[at].position);
            cr_assert_eq(again.entries[at].timestamp_before, index.entries[at].timestamp_before);
        }
        index_deinit(&again);
        free(bytes);
        index_deinit(&index);
    }
}

Test(index, every_truncation_and_flipped_bit_is_refused) {
    struct index index = index_of(5), again;
    size_t size = index_encoded_size(&index);
    uint8_t *bytes = memory_new(size);
    index_encode(&index, bytes);
    for (size_t len = 0; len < size; len++)
        cr_assert_not(index_decode(bytes_make(bytes, len), &again), "%zu bytes", len);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_not(index_decode(bytes_make(bytes, size), &again), "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(bytes);
    index_deinit(&index);
}

Test(index, thinned_as_if_added_with_the_interval) {
    struct index dense = {0}, sparse = {.interval = 50000};
    for (int64_t at = 0; at < 100; at++) {
        uint64_t position = 4096u + (uint64_t)at * 7000;
        index_add(&dense, at, position, at - 1);
        index_add(&sparse, at, position, at - 1);
    }
    cr_assert_eq(dense.count, 100);
    dense.interval = 50000;
    index_thin(&dense);
    cr_assert_eq(dense.count, sparse.count);
    cr_assert_eq(memcmp(dense.entries, sparse.entries, sparse.count * sizeof *sparse.entries), 0);
    index_deinit(&dense);
    index_deinit(&sparse);
}
