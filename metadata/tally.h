/* Counts names: what a request mentions more than once. Nodes live in the arena, the names with the
 * caller. */
#pragma once

#include "base/arena.h"
#include "base/map.h"

struct tally {
    struct map map;
    struct arena *arena;
};

static inline void tally_init(struct tally *tally, struct arena *arena) {
    map_init(&tally->map);
    tally->arena = arena;
}
static inline void tally_deinit(struct tally *tally) { map_deinit(&tally->map); }

/* Where the name's count is kept; 0 at first. */
int32_t *tally_of(struct tally *tally, struct bytes name);
