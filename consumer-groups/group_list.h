/* ListGroups, the part of one partition: what group_list_api takes and gives. */
#pragma once

#include "consumer-groups/groups.h"
#include "protocol/list_groups.h"

/* The request is Kafka's own; the response: */
struct group_list {
    enum error_code code;
    int32_t count;
    struct list_groups_response_listed_group *items;
};
