/* Paths and queries as they come in a request, split first and decoded afterwards: a %2F inside a
 * segment is a part of a name, not a separator. */
#pragma once

#include "base/arena.h"

enum { URI_SEGMENTS_MAX = 12 };

/* The segments of a raw path, decoded. Empty ones (doubled or trailing slashes) are left out,
 * except those that consist of an escape. False when there are too many, or one is malformed. */
bool uri_split(struct arena *arena, struct bytes path, struct bytes segments[URI_SEGMENTS_MAX],
               size_t *count);
/* The value of the index-th parameter of that name, decoded ('+' is a space); false when there is
 * none. A name without '=' has an empty value. */
bool uri_parameter(struct arena *arena, struct bytes query, const char *name, size_t index,
                   struct bytes *value);
