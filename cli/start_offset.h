/* Where to begin: earliest | latest | N | -N (the last N of each partition) | @TIME. A time is
 * milliseconds since 1970, 2024-01-31T12:00:00Z, or -1h for an hour ago. */
#pragma once

#include "base/error.h"

#include <stdint.h>

enum start_kind { START_EARLIEST, START_LATEST, START_AT, START_LAST, START_TIME };

struct start_offset {
    enum start_kind kind;
    int64_t value; /* offset, count or milliseconds */
};

/* `flag` is the one that said it, for errors: "--offset". */
bool start_offset_parse(const char *flag, const char *text, int64_t now_ms,
                        struct start_offset *start, struct error *error);
