/* Heartbeat: a member is alive, and learns whether it has to join again. Never waits for the disk,
 * but for records of its own group. */
#include "consumer-groups/classic_group.h"
#include "protocol/heartbeat.h"

static enum error_code hear(struct classic_group *group, const struct heartbeat_request *request) {
    enum error_code code =
        classic_check_member(group, request->member_id, request->group_instance_id);
    if (code) return code;
    if (request->generation_id != group->generation) return ERROR_ILLEGAL_GENERATION;
    classic_hear_member(classic_find_member(group, request->member_id));
    return group->state == CLASSIC_PREPARING ? ERROR_REBALANCE_IN_PROGRESS : ERROR_NONE;
}

static void start(struct groups *groups, struct group_call *call) {
    const struct heartbeat_request *request = call->request;
    struct heartbeat_response *response = call->response;
    struct group *found = groups_find(groups, request->group_id);
    struct classic_group *group = found ? classic_of(found) : NULL;
    response->error_code = (int16_t)(request->group_id.len == 0 ? ERROR_INVALID_GROUP_ID
                                     : group                    ? hear(group, request)
                                                                : ERROR_UNKNOWN_MEMBER_ID);
    group_call_finish(call, found);
}

/* While we load, the member is as good as alive: Kafka says so too, because an error would only
 * make it look for another coordinator. */
static void refuse(struct group_call *call, enum error_code code) {
    struct heartbeat_response *response = call->response;
    response->error_code =
        (int16_t)(code == ERROR_COORDINATOR_LOAD_IN_PROGRESS ? ERROR_NONE : code);
}

const struct group_api group_heartbeat_api = {.start = start, .refuse = refuse};
