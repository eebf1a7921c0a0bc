#include "metadata/tally.h"

struct tally_node {
    struct map_node node;
    struct bytes name;
    int32_t count;
};

int32_t *tally_of(struct tally *tally, struct bytes name) {
    uint64_t hash = hash_bytes(name);
    struct map_node *node = map_find(&tally->map, hash);
    for (; node; node = map_find_next(node)) {
        struct tally_node *known = map_entry(node, struct tally_node, node);
        if (bytes_equal(known->name, name)) return &known->count;
    }
    struct tally_node *fresh = arena_new(tally->arena, struct tally_node);
    fresh->name = name;
    map_insert(&tally->map, &fresh->node, hash);
    return &fresh->count;
}
