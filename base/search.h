/* Binary search, whatever is searched. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The first of [0, count) that `holds`; count when none does. From that one on all must. */
static inline size_t search_first(size_t count, bool (*holds)(const void *context, size_t at),
                                  const void *context) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (holds(context, middle))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
