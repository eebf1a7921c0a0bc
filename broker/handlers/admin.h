/* What the handlers of admin APIs share. */
#pragma once

#include "broker/catalog_service.h"
#include "broker/core.h"
#include "broker/request.h"
#include "broker/server.h"

/* Bit 1 << ACL operation, as KIP-430 answers them: everybody may do everything for now. Topics:
 * read, write, create, delete, alter, describe, and configs; the cluster: create, alter, describe,
 * cluster action, configs, idempotent write. */
enum {
    OPERATIONS_NOT_ASKED = INT32_MIN,
    OPERATIONS_OF_TOPIC = 0xdf8,
    OPERATIONS_OF_CLUSTER = 0x1fa0,
};

/* Topics or resources that one request may name: so that none holds the loop for longer than a few
 * tens of milliseconds. Long answers to them are made on a worker (broker/chore.h). */
enum { ADMIN_ITEMS_MAX = 10000 };

/* Answers INVALID_REQUEST, or closes, and returns false when there are too many. */
bool admin_count_is_good(struct request *request, int32_t count);
/* When a request that may take timeout_ms has to be answered. */
uint64_t admin_deadline_ns(const struct request *request, int32_t timeout_ms);
/* The result of a part: its own, or that of the whole change where that could not be stored. */
struct change_result admin_result(const struct catalog_change *change, struct change_result result);
/* The broker's id, alone in an array: replicas, in-sync replicas. */
int32_t *admin_this_broker(struct request *request);

/* A topic was made or altered with a compression.type: says, where it is not "producer", that it
 * has no effect, because records pass through byte for byte. NULL: none was given. */
void admin_say_compression(struct request *request, struct bytes topic, const char *value);

static inline int32_t admin_node_id(const struct request *request) {
    return request->core->server->directory.node_id;
}

/* The partition with that index, or NULL. */
static inline const struct catalog_partition *admin_partition(const struct catalog_topic *topic,
                                                              int32_t index) {
    return topic && index >= 0 && index < topic->partition_count ? topic->partitions + index : NULL;
}

/* A code and its words for fields error_code and error_message. */
#define ADMIN_SET_RESULT(to, result)                           \
    do {                                                       \
        (to)->error_code = (int16_t)(result).code;             \
        (to)->error_message = bytes_of_text((result).message); \
    } while (0)
