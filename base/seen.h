/* Which keys were met before. For requests that name things: what is named again is not answered
 * again, or a short request could ask for one long answer many times over. */
#pragma once

#include "base/arena.h"
#include "base/map.h"

struct seen {
    struct map keys;
    struct arena *arena; /* has copies of the keys */
};

void seen_init(struct seen *seen, struct arena *arena);
void seen_deinit(struct seen *seen);
/* False for a key that was added before. */
bool seen_add(struct seen *seen, struct bytes key);
