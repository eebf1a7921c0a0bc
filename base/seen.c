#include "base/seen.h"

struct seen_key {
    struct map_node node;
    struct bytes bytes;
};

void seen_init(struct seen *seen, struct arena *arena) {
    seen->arena = arena;
    map_init(&seen->keys);
}

void seen_deinit(struct seen *seen) { map_deinit(&seen->keys); }

bool seen_add(struct seen *seen, struct bytes key) {
    uint64_t hash = hash_bytes(key);
    struct map_node *node = map_find(&seen->keys, hash);
    for (; node; node = map_find_next(node))
        if (bytes_equal(map_entry(node, struct seen_key, node)->bytes, key)) return false;
    struct seen_key *fresh = arena_new(seen->arena, struct seen_key);
    fresh->bytes = arena_copy(seen->arena, key);
    map_insert(&seen->keys, &fresh->node, hash);
    return true;
}
