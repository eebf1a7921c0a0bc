/* The APIs that name one group: each is one call to its coordinator, whose response is the answer.
 * The rules are in consumer-groups/. */
#include "broker/groups_topic.h"
#include "broker/handlers/group_part.h"
#include "broker/handlers/handlers.h"
#include "protocol/consumer_group_heartbeat.h"
#include "protocol/heartbeat.h"
#include "protocol/join_group.h"
#include "protocol/leave_group.h"
#include "protocol/offset_commit.h"
#include "protocol/offset_delete.h"
#include "protocol/sync_group.h"

static void answer(struct request *request) {
    struct group_parts *parts = request->state;
    request_answer(request, parts->items[0].call.response);
}

static void start_call(struct request *request, const struct group_api *api,
                       struct bytes group_id) {
    struct group_parts *parts = group_parts_begin(request, 1, answer);
    group_parts_add(parts, api, groups_topic_partition_of(request->core, group_id), request->body,
                    request_response(request));
    group_parts_send(parts);
}

#define SINGLE(name, api_name, api_row)                                                          \
    static void start_##name(struct request *request) {                                          \
        start_call(request, &api_row, ((const struct name##_request *)request->body)->group_id); \
    }                                                                                            \
    const struct handler name##_handler = {.key = api_name,                                      \
                                           .start = start_##name,                                \
                                           .retry = group_parts_retry,                           \
                                           .expire = group_parts_expire}

SINGLE(join_group, API_JOIN_GROUP, group_join_api);
SINGLE(sync_group, API_SYNC_GROUP, group_sync_api);
SINGLE(heartbeat, API_HEARTBEAT, group_heartbeat_api);
SINGLE(leave_group, API_LEAVE_GROUP, group_leave_api);
SINGLE(offset_commit, API_OFFSET_COMMIT, offset_commit_api);
SINGLE(offset_delete, API_OFFSET_DELETE, offset_delete_api);
SINGLE(consumer_group_heartbeat, API_CONSUMER_GROUP_HEARTBEAT, consumer_heartbeat_api);
