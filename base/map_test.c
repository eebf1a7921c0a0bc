#include "base/map.h"

#include <criterion/criterion.h>
#include <signal.h>

enum { ENTRIES = 2000 };

struct entry {
    uint64_t key;
    bool seen;
    struct map_node node;
};

static struct entry *map_lookup(struct map *map, uint64_t key, uint64_t hash) {
    for (struct map_node *node = map_find(map, hash); node; node = map_find_next(node)) {
        struct entry *entry = map_entry(node, struct entry, node);
        if (entry->key == key) return entry;
    }
    return NULL;
}

static struct entry *entries_fill(struct map *map) {
    struct entry *entries = memory_zero(ENTRIES, sizeof *entries);
    map_init(map);
    for (uint64_t key = 0; key < ENTRIES; key++) {
        entries[key].key = key;
        map_insert(map, &entries[key].node, hash_u64(key));
    }
    return entries;
}

Test(map, empty_finds_nothing) {
    struct map map;
    map_init(&map);
    cr_assert_null(map_find(&map, 1));
    cr_assert_null(map_first(&map));
    map_deinit(&map);
}

Test(map, finds_what_was_inserted_and_not_what_was_removed) {
    struct map map;
    struct entry *entries = entries_fill(&map);
    cr_assert_eq(map.count, ENTRIES);
    for (uint64_t key = 0; key < ENTRIES; key += 3) map_remove(&map, &entries[key].node);
    for (uint64_t key = 0; key < ENTRIES; key++) {
        struct entry *found = map_lookup(&map, key, hash_u64(key));
        cr_assert_eq(found, key % 3 ? &entries[key] : NULL);
    }
    map_deinit(&map);
    free(entries);
}

Test(map, equal_hashes_are_told_apart_by_key) {
    struct map map;
    struct entry entries[40] = {0};
    map_init(&map);
    for (uint64_t key = 0; key < 40; key++) {
        entries[key].key = key;
        map_insert(&map, &entries[key].node, key % 2);
    }
    for (uint64_t key = 0; key < 40; key++)
        cr_assert_eq(map_lookup(&map, key, key % 2), &entries[key]);
    map_deinit(&map);
}

Test(map, iteration_meets_each_node_once_and_may_remove_it) {
    struct map map;
    struct entry *entries = entries_fill(&map);
    size_t met = 0;
    for (struct map_node *node = map_first(&map), *next; node; node = next) {
        struct entry *entry = map_entry(node, struct entry, node);
        next = map_next(&map, node);
        cr_assert_not(entry->seen);
        entry->seen = true;
        met++;
        map_remove(&map, node);
    }
    cr_assert_eq(met, ENTRIES);
    cr_assert_eq(map.count, 0);
    map_deinit(&map);
    free(entries);
}

Test(map, removing_a_stranger_stops, .signal = SIGABRT) {
    struct map map;
    struct entry *entries = entries_fill(&map);
    struct entry stranger = {.node = {.hash = hash_u64(1)}};
    map_remove(&map, &stranger.node);
    free(entries);
}

Test(map, seed_makes_hashes_repeatable) {
    hash_seed_set(42);
    uint64_t number = hash_u64(7), name = hash_bytes(BYTES_OF("orders"));
    hash_seed_set(43);
    cr_assert_neq(hash_u64(7), number);
    cr_assert_neq(hash_bytes(BYTES_OF("orders")), name);
    hash_seed_set(42);
    cr_assert_eq(hash_u64(7), number);
    cr_assert_eq(hash_bytes(BYTES_OF("orders")), name);
}
