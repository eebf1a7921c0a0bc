#include "storage/compact_map.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/random.h"

static struct bytes key_of(char text[24], uint64_t number) {
    snprintf(text, 24, "key-%llu", (unsigned long long)number);
    return bytes_of_text(text);
}

Test(compact_map, the_newest_offset_counts) {
    struct compact_map map;
    compact_map_init(&map, 1 << 20);
    cr_assert_eq(compact_map_find(&map, BYTES_OF("a")), -1);
    cr_assert(compact_map_put(&map, BYTES_OF("a"), 0));
    cr_assert(compact_map_put(&map, BYTES_OF(""), 3));
    cr_assert_eq(compact_map_find(&map, BYTES_OF("a")), 0);
    cr_assert(compact_map_put(&map, BYTES_OF("a"), 7));
    cr_assert_eq(compact_map_find(&map, BYTES_OF("a")), 7);
    cr_assert_eq(compact_map_find(&map, BYTES_OF("")), 3);
    cr_assert_eq(compact_map_find(&map, BYTES_OF("b")), -1);
    cr_assert_eq(map.count, 2);
    compact_map_deinit(&map);
    cr_assert_eq(compact_map_find(&map, BYTES_OF("a")), -1);
    compact_map_deinit(&map);
}

/* Against an array of the keys' offsets, through every size of the table. */
Test(compact_map, as_an_array_of_all_keys) {
    enum { KEYS = 50000 };
    struct compact_map map;
    struct random random;
    random_init(&random, 3);
    int64_t *newest = memory_new(KEYS * sizeof *newest);
    for (size_t at = 0; at < KEYS; at++) newest[at] = -1;
    compact_map_init(&map, 8 << 20);
    char text[24];
    for (int64_t offset = 0; offset < 100000; offset++) {
        uint64_t number = random_below(&random, KEYS);
        cr_assert(compact_map_put(&map, key_of(text, number), offset));
        newest[number] = offset;
    }
    for (size_t at = 0; at < KEYS; at++)
        cr_assert_eq(compact_map_find(&map, key_of(text, at)), newest[at], "%zu", at);
    free(newest);
    compact_map_deinit(&map);
}

/* What is full refuses new keys, and goes on for those that it has. */
Test(compact_map, memory_is_bounded) {
    static const uint64_t limits[] = {0, COMPACT_MAP_BYTES_MIN, 100000, 1 << 20, (1 << 20) + 13};
    for (size_t at = 0; at < array_count(limits); at++) {
        struct compact_map map;
        compact_map_init(&map, limits[at]);
        char text[24];
        int64_t kept = 0;
        while (compact_map_put(&map, key_of(text, (uint64_t)kept), kept)) kept++;
        uint64_t limit = limits[at] < COMPACT_MAP_BYTES_MIN ? COMPACT_MAP_BYTES_MIN : limits[at];
        cr_assert(map.slot_count * sizeof *map.slots <= limit);
        cr_assert((uint64_t)kept * sizeof *map.slots > limit / 4, "%lld of %llu bytes",
                  (long long)kept, (unsigned long long)limit);
        for (int64_t each = 0; each < kept; each++)
            cr_assert_eq(compact_map_find(&map, key_of(text, (uint64_t)each)), each);
        cr_assert_eq(compact_map_find(&map, key_of(text, (uint64_t)kept)), -1);
        cr_assert(compact_map_put(&map, key_of(text, 5), kept));
        cr_assert_eq(compact_map_find(&map, key_of(text, 5)), kept);
        compact_map_deinit(&map);
    }
}
