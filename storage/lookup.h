/* How many offsets by time are looked for at once: each needs memory to read into and a worker. */
#pragma once

#include "base/list.h"

enum { LOOKUPS_MAX = 8 };

struct lookups {
    struct list waiting; /* struct lookup, in order of arrival */
    unsigned running;
};
