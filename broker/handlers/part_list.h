/* A request that asks the same of many partitions and answers a code for each, besides what it
 * found: ListOffsets, DeleteRecords, OffsetForLeaderEpoch.
 *
 *   part_list_init() ─► part_list_add() per partition, part_find() ─► part_list_run() ─► answered
 *
 * Items are structs of the handler that begin with a struct part_item. The list is the request's
 * state, in its arena. */
#pragma once

#include "broker/handlers/part.h"

struct part_item {
    struct part part;
    int16_t *answer; /* the field of the response that its code goes into */
};

struct part_list {
    struct parts parts;
    const void *response;
    void *items;
    size_t item_size;
    int32_t count, most;
};

/* How many partitions a body names in all its topics. */
#define PART_LIST_COUNT(topics, topics_count)                       \
    ({                                                              \
        int32_t partitions_ = 0;                                    \
        for (int32_t topic_ = 0; topic_ < (topics_count); topic_++) \
            partitions_ += (topics)[topic_].partitions_count;       \
        partitions_;                                                \
    })

/* Room for `most` items; `response` is what will be answered. */
void part_list_init(struct part_list *list, struct request *request, const void *response,
                    size_t item_size, int32_t most);
/* The next item, zeroed; its code is to be set, by part_find() or otherwise. */
void *part_list_add(struct part_list *list, int16_t *answer);
struct part_item *part_list_at(const struct part_list *list, int32_t i);
/* Sends every item without an error, and answers when all are back. */
void part_list_run(struct part_list *list,
                   void (*run)(struct part *part, struct partition *partition));
/* The same in steps, for handlers that send some of them later: see parts_begin(). */
void part_list_begin(struct part_list *list);
void part_list_end(struct part_list *list);
