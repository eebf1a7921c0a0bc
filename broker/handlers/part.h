/* A request's work on one partition, where that work may take time: the part goes to the core that
 * owns the partition, does what it does there, and comes back. When all parts of a request are
 * back, its `done` runs. Parts and their results live in the request's arena, which is not to be
 * allocated from while parts are away. (For a mere look at many partitions see partition_visit.h.)
 *
 *   parts_begin() ─► part_send() per partition ─► parts_end() ─► done(request)
 *                         │                            ▲
 *                         └─► run(part, partition) ─► part_finish()     on the partition's core
 */
#pragma once

#include "broker/core.h"
#include "broker/errand.h"
#include "broker/request.h"

struct part;

struct parts {
    struct request *request;
    void (*done)(struct request *request);
    /* One is back, before it is counted: may send others. NULL after parts_begin(). */
    void (*back)(struct part *part);
    int32_t away;
};

struct part {
    struct errand errand;
    struct parts *parts;
    uint32_t partition_id;
    uint16_t shard;
    int32_t leader_epoch;    /* as the catalog had it */
    enum error_code missing; /* where it is not there any more */
    enum error_code code;    /* what part_find() or `run` came to */
    /* On the partition's core; leads to one part_finish(). */
    void (*run)(struct part *part, struct partition *partition);
};

/* Names the partition; false and `code` when the catalog does not have it. `missing` is the code
 * for a topic that is not there: another one where it was asked for by its id. */
bool part_find(struct part *part, const struct catalog_topic *topic, int32_t index,
               enum error_code missing);

void parts_begin(struct parts *parts, struct request *request,
                 void (*done)(struct request *request));
/* A partition that has gone meanwhile, with its topic, comes back with the code for that. */
void part_send(struct parts *parts, struct part *part,
               void (*run)(struct part *part, struct partition *partition));
void part_finish(struct part *part, enum error_code code);
/* After the last part_send(); `done` may run inside, or has to wait for parts. */
void parts_end(struct parts *parts);
