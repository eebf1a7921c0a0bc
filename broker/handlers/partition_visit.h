/* Looks at many partitions where they live: one errand to every core that owns some of them, and
 * `done` when all are back. Nothing is waited for there. The visit and its items live with the
 * asking request. */
#pragma once

#include "broker/errand.h"
#include "broker/request.h"
#include "storage/partition.h"

struct visit_item {
    uint32_t partition_id;
    uint16_t shard;
    void *out; /* the visitor's, written by `look` */
    /* The visit's own. */
    struct core *core;
};

struct visit_part;

struct visit {
    struct request *request;
    int32_t item_count;
    struct visit_item *items;
    /* On the core that owns the partition; NULL where it is not there. Allocates on the heap if at
     * all: the request's arena is shared by the cores that look at the same time. */
    void (*look)(struct visit *visit, struct visit_item *item, struct partition *partition);
    /* On the request's core. */
    void (*done)(struct visit *visit);
    /* The visit's own. */
    struct visit_part *parts;
    int32_t part_count, pending;
};

/* `done` may run inside. */
void visit_start(struct visit *visit);
