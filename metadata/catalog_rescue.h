/* A catalog made of what can be read of its log, for a repair (storage/salvage.h finds the
 * batches).
 *
 * Every change that can be read counts, also behind one that cannot: ids and numbers are never used
 * twice, so a topic that was created later is the same with or without what came before it. What
 * does not fit for want of what is missing is left out and counted. An image of the whole catalog
 * makes up for all that was missing before it.
 *
 *   missing                      what becomes of it
 *   the creation of a topic      its partitions have no topic: each gets one (…_adopt())
 *   more partitions for one      the same
 *   the removal of a topic       it is back, with what is left of its records, unless a later one
 *                                has its name
 *   a config                     is as it was before
 *   numbers that were given      are not given again (…_end())
 */
#pragma once

#include "metadata/catalog.h"
#include "metadata/catalog_record.h"

/* Changes [from, upto), by their offsets in the log. */
struct catalog_gap {
    int64_t from, upto;
};

struct catalog_rescue {
    struct catalog *catalog; /* the caller's, empty at first */
    int64_t next_offset;     /* behind the newest change that could be read */
    struct catalog_gap *gaps;
    size_t gap_count;
    uint64_t left_out;          /* records that did not fit */
    uint32_t given_below;       /* of ids below, those without a topic were given up for certain */
    int64_t producer_id_max;    /* that somebody has met and a broker can have given */
    struct change_records made; /* by …_adopt() and …_end() */
};

void catalog_rescue_init(struct catalog_rescue *rescue, struct catalog *catalog, int64_t now_ms);
/* Also of one that is all zeros. The catalog stays. */
void catalog_rescue_deinit(struct catalog_rescue *rescue);
/* In order of offsets. False and `error` for what a newer version wrote: start that one. */
bool catalog_rescue_batch(struct catalog_rescue *rescue, struct bytes batch, struct error *error);
/* A topic "lost-ID" for a partition that has none: nothing of it is deleted by time or size. */
void catalog_rescue_adopt(struct catalog_rescue *rescue, uint32_t partition_id, uint16_t shard);
/* Somebody has written with this producer id. */
void catalog_rescue_meet_producer(struct catalog_rescue *rescue, int64_t id);
/* Numbers that may have been given in what is missing are not given again: `partition_id_max` is
 * the highest that somebody has met. */
void catalog_rescue_end(struct catalog_rescue *rescue, uint32_t partition_id_max);
