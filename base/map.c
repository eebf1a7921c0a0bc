#include "base/map.h"

#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/check.h"

enum { BUCKETS_MIN = 16 };

/* The one process-wide value here: it must be the same for every map and never change once used. */
static uint64_t hash_seed_value;
static bool hash_seed_known;

void hash_seed_set(uint64_t seed) {
    hash_seed_value = seed;
    hash_seed_known = true;
}

static uint64_t hash_seed(void) {
    if (__builtin_expect(!hash_seed_known, 0)) {
        uint64_t seed = 0;
        check(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
        hash_seed_set(seed);
    }
    return hash_seed_value;
}

uint64_t hash_bytes(struct bytes key) { return XXH3_64bits_withSeed(key.at, key.len, hash_seed()); }
uint64_t hash_u64(uint64_t key) { return XXH3_64bits_withSeed(&key, sizeof key, hash_seed()); }

struct hash_wide hash_bytes_wide(struct bytes key) {
    XXH128_hash_t hash = XXH3_128bits_withSeed(key.at, key.len, hash_seed());
    return (struct hash_wide){hash.low64, hash.high64};
}

void map_init(struct map *map) { *map = (struct map){0}; }

void map_deinit(struct map *map) {
    free(map->buckets);
    map_init(map);
}

static struct map_node **map_bucket(const struct map *map, uint64_t hash) {
    return &map->buckets[hash & (map->bucket_count - 1)];
}

static void map_grow(struct map *map) {
    struct map grown = {.bucket_count = map->bucket_count ? map->bucket_count * 2 : BUCKETS_MIN};
    grown.buckets = memory_zero(grown.bucket_count, sizeof *grown.buckets);
    for (size_t at = 0; at < map->bucket_count; at++) {
        for (struct map_node *node = map->buckets[at]; node;) {
            struct map_node *next = node->next;
            map_insert(&grown, node, node->hash);
            node = next;
        }
    }
    free(map->buckets);
    *map = grown;
}

void map_insert(struct map *map, struct map_node *node, uint64_t hash) {
    if (map->count >= map->bucket_count) map_grow(map);
    struct map_node **bucket = map_bucket(map, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

void map_remove(struct map *map, struct map_node *node) {
    check(map->count > 0);
    struct map_node **at = map_bucket(map, node->hash);
    while (*at != node) {
        check(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    map->count--;
}

struct map_node *map_find(const struct map *map, uint64_t hash) {
    if (!map->bucket_count) return NULL;
    struct map_node *node = *map_bucket(map, hash);
    while (node && node->hash != hash) node = node->next;
    return node;
}

struct map_node *map_find_next(const struct map_node *node) {
    uint64_t hash = node->hash;
    for (node = node->next; node && node->hash != hash;) node = node->next;
    return (struct map_node *)node;
}

static struct map_node *map_scan(const struct map *map, size_t at) {
    for (; at < map->bucket_count; at++)
        if (map->buckets[at]) return map->buckets[at];
    return NULL;
}

struct map_node *map_first(const struct map *map) {
    return map_scan(map, 0);
}

struct map_node *map_next(const struct map *map, const struct map_node *node) {
    return node->next ? node->next : map_scan(map, (node->hash & (map->bucket_count - 1)) + 1);
}
