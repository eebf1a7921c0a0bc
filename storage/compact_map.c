#include "storage/compact_map.h"

#include "base/check.h"

enum { SLOTS_FIRST = 512, LOAD_PARTS = 4 /* three of four slots are used at most */ };

void compact_map_init(struct compact_map *map, uint64_t bytes_max) {
    if (bytes_max < COMPACT_MAP_BYTES_MIN) bytes_max = COMPACT_MAP_BYTES_MIN;
    *map = (struct compact_map){.bytes_max = bytes_max};
}

void compact_map_deinit(struct compact_map *map) {
    free(map->slots);
    compact_map_init(map, map->bytes_max);
}

/* The key's slot, or the free one where it belongs. The table is never full. */
static struct compact_slot *map_slot(const struct compact_map *map, struct hash_wide key) {
    /* The hash's upper part chooses: any number of slots will do. */
    size_t at = (size_t)((__uint128_t)key.high * map->slot_count >> 64);
    for (;; at = at + 1 == map->slot_count ? 0 : at + 1) {
        struct compact_slot *slot = &map->slots[at];
        if (slot->next == 0 || (slot->key.low == key.low && slot->key.high == key.high))
            return slot;
    }
}

/* Twice the size, or what the limit leaves; 0 when that would not be worth the copying. */
static size_t map_slots_next(const struct compact_map *map) {
    if (map->slot_count == 0) return SLOTS_FIRST;
    size_t room = map->bytes_max / sizeof(struct compact_slot) - map->slot_count;
    size_t wanted = map->slot_count * 2 < room ? map->slot_count * 2 : room;
    return wanted > map->slot_count + map->slot_count / 4 ? wanted : 0;
}

static bool map_grow(struct compact_map *map) {
    size_t slot_count = map_slots_next(map);
    if (slot_count == 0) return false;
    struct compact_map grown = *map;
    grown.slots = memory_zero(slot_count, sizeof *grown.slots);
    grown.slot_count = slot_count;
    check((grown.slot_count + map->slot_count) * sizeof *map->slots <= map->bytes_max);
    for (size_t at = 0; at < map->slot_count; at++)
        if (map->slots[at].next) *map_slot(&grown, map->slots[at].key) = map->slots[at];
    free(map->slots);
    *map = grown;
    return true;
}

bool compact_map_put(struct compact_map *map, struct bytes key, int64_t offset) {
    check(offset >= 0 && offset < INT64_MAX);
    struct hash_wide hash = hash_bytes_wide(key);
    if (!map->slots && !map_grow(map)) return false;
    struct compact_slot *slot = map_slot(map, hash);
    if (slot->next == 0) {
        bool full = map->count + 1 > map->slot_count - map->slot_count / LOAD_PARTS;
        if (full && !map_grow(map)) return false;
        slot = map_slot(map, hash);
        map->count++;
    }
    *slot = (struct compact_slot){hash, offset + 1};
    return true;
}

int64_t compact_map_find(const struct compact_map *map, struct bytes key) {
    if (!map->slots) return -1;
    return map_slot(map, hash_bytes_wide(key))->next - 1;
}
