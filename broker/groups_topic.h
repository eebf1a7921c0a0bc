/* The topic that groups live in: made when a client first looks for a group's coordinator. */
#pragma once

#include "broker/catalog_service.h"

/* Embedded in its owner, which lives until `done` ran. */
struct groups_topic_wish {
    struct catalog_change change; /* the caller sets change.arena */
    void (*done)(struct groups_topic_wish *wish);
    enum error_code code; /* NONE: the topic is there, on every core */
    struct change_result result;
};

/* `done` may run inside. */
void groups_topic_ask(struct groups_topic_wish *wish, struct core *asking);

/* Which of its partitions a group belongs to; -1 while there is no topic. */
int32_t groups_topic_partition_of(const struct core *core, struct bytes group_id);
/* How many it has; 0 while there is none. */
int32_t groups_topic_partition_count(const struct core *core);
