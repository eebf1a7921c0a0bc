/* For a repair: what is left of the catalog's log, wherever it is: in the partition as far as
 * replay came, in its segment files, and in every block of the journals that can be read, older
 * ones than a start needs included. A start wants the log whole and asks recover_catalog().
 *
 * The same offset may be found several times. What replay arrived at goes before what the newest
 * life's journal says, and the bare files come last: behind the end of their table may be what a
 * crash has left. Changes nothing. */
#pragma once

#include "storage/recover.h"

struct salvaged_batch {
    int64_t base_offset, next_offset;
    uint64_t rank;      /* of several, the highest counts */
    struct bytes bytes; /* whole, its CRC holds; heap */
};

struct salvage {
    /* By offset, none twice; where one begins behind the end of the one before it, or the first
     * one above zero, there were others. */
    struct salvaged_batch *batches;
    size_t count, capacity;
    uint32_t partition_id_max; /* the highest of which a journal has an entry */
};

/* What the disk cannot read is left out. */
void salvage_catalog(struct recovered *recovered, struct salvage *salvage);
void salvage_deinit(struct salvage *salvage);
