/* A byte position in a partition's log: in segment file `segment`, at `position`. Positions of one
 * segment grow without gaps from SEGMENT_START; a roll goes on in the next segment. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct place {
    uint32_t segment;
    uint64_t position;
};

static inline int place_compare(struct place a, struct place b) {
    if (a.segment != b.segment) return a.segment < b.segment ? -1 : 1;
    return (a.position > b.position) - (a.position < b.position);
}
static inline bool place_equal(struct place a, struct place b) { return place_compare(a, b) == 0; }
