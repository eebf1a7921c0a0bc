/* The newest offset of each key in a range of the log: what compaction asks before it keeps a
 * record (Kafka's SkimpyOffsetMap). A key is stood for by its hash of 128 bits, so that an entry
 * has one size whatever the keys are: memory is bounded for any number of them, and what does not
 * fit is left to another pass.
 *
 * The table is open addressing with linear probing. It begins small and grows by copying, never to
 * more than `bytes_max` for the old and the new one together. Owned by one compaction; touched by
 * its worker. */
#pragma once

#include "base/map.h"

enum { COMPACT_MAP_BYTES_MIN = 64 << 10 };

struct compact_slot {
    struct hash_wide key;
    int64_t next; /* the offset after the key's newest one; 0: the slot is free */
};

struct compact_map {
    struct compact_slot *slots; /* NULL before the first key */
    size_t slot_count, count;
    uint64_t bytes_max;
};

/* Less than COMPACT_MAP_BYTES_MIN counts as that. */
void compact_map_init(struct compact_map *map, uint64_t bytes_max);
void compact_map_deinit(struct compact_map *map);
/* Remembers that the key has this offset; offsets rise from call to call. False, and nothing is
 * changed, when the key is not there and there is no room for it. */
bool compact_map_put(struct compact_map *map, struct bytes key, int64_t offset);
/* The key's newest offset, or -1. */
int64_t compact_map_find(const struct compact_map *map, struct bytes key);
