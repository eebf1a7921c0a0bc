/* What a core has had to do with contracts since the start. */
#pragma once

#include <stdint.h>

struct contract_counts {
    uint64_t batches;           /* checked: the next two among them */
    uint64_t batches_by_worker; /* instead of the core itself */
    uint64_t batches_again;     /* by the shard's core, because contracts or schemas were newer */
    uint64_t records;           /* in all of these */
    uint64_t waited, waiting; /* produce requests that met a registry that was being loaded; now */
};
