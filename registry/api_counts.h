/* What the REST interface has done since the start. Belongs to the thread of its ring. */
#pragma once

#include <stdint.h>

enum { API_STATUS_COUNT = 6 };
/* The statuses of refusals. */
extern const int api_statuses[API_STATUS_COUNT];

struct api_counts {
    uint64_t registrations; /* answered with an id */
    uint64_t lookups;       /* of a schema in its subject, found */
    uint64_t refused[API_STATUS_COUNT];
    uint64_t compiles, compile_ns; /* of schemas that clients sent */
};

/* Of any answer; those that refuse count. */
void api_counts_answer(struct api_counts *counts, int status);
