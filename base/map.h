/* Intrusive chained hash map. Nodes are embedded in their owners; the map owns only its bucket
 * array, which doubles as it fills. Callers hash with hash_bytes()/hash_u64() and compare keys
 * themselves while walking map_find's matches. Iteration order is unspecified. */
#pragma once

#include "base/bytes.h"
#include "base/memory.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets;
    size_t bucket_count; /* a power of two, or 0 before the first insert */
    size_t count;
};

/* Seeded once per process so that peers cannot choose collisions; hash_seed_set() makes tests and
 * the simulator repeatable. */
uint64_t hash_bytes(struct bytes key);
uint64_t hash_u64(uint64_t key);
/* Wide enough to stand for the key where a table cannot hold the keys themselves. */
struct hash_wide {
    uint64_t low, high;
};
struct hash_wide hash_bytes_wide(struct bytes key);
void hash_seed_set(uint64_t seed);

void map_init(struct map *map);
/* Frees the bucket array; the nodes' owners free themselves. */
void map_deinit(struct map *map);
void map_insert(struct map *map, struct map_node *node, uint64_t hash);
/* The node must be in the map. */
void map_remove(struct map *map, struct map_node *node);
/* First node with this hash, or NULL; continue with map_find_next(). */
struct map_node *map_find(const struct map *map, uint64_t hash);
struct map_node *map_find_next(const struct map_node *node);
/* Any order: map_first, then map_next until NULL. Nodes may not be inserted meanwhile; the current
 * node may be removed only after map_next was taken. */
struct map_node *map_first(const struct map *map);
struct map_node *map_next(const struct map *map, const struct map_node *node);

#define map_entry(node, type, member) container_of(node, type, member)
