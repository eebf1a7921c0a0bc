/* SyncGroup: the leader hands in what everybody is to do, the others ask for their part. */
#include "consumer-groups/classic_group.h"
#include "protocol/sync_group.h"

typedef struct sync_group_request_sync_group_request_assignment assignment_type;

static bool differs(struct bytes asked, struct bytes known) {
    return !bytes_is_null(asked) && !bytes_is_null(known) && !bytes_equal(asked, known);
}

static size_t assignment_bytes(const struct sync_group_request *request) {
    size_t bytes = 0;
    for (int32_t i = 0; i < request->assignments_count; i++)
        bytes += request->assignments[i].assignment.len;
    return bytes;
}

static enum error_code check_request(const struct classic_group *group,
                                     const struct sync_group_request *request) {
    enum error_code code =
        classic_check_member(group, request->member_id, request->group_instance_id);
    if (code) return code;
    if (request->generation_id != group->generation) return ERROR_ILLEGAL_GENERATION;
    if (differs(request->protocol_type, group->protocol_type) ||
        differs(request->protocol_name, group->protocol))
        return ERROR_INCONSISTENT_GROUP_PROTOCOL;
    if (assignment_bytes(request) > ASSIGNMENT_BYTES_MAX) return ERROR_UNKNOWN_SERVER_ERROR;
    return group->state == CLASSIC_PREPARING ? ERROR_REBALANCE_IN_PROGRESS : ERROR_NONE;
}

static void settle_debt(struct classic_group *group, struct classic_member *member) {
    group->owing_count -= member->owes_sync;
    member->owes_sync = false;
    if (group->owing_count == 0)
        coordinator_disarm(group->group->groups->coordinator, &group->sync_timer);
}

/* Who is not named gets nothing. The answers wait until this is durable. */
static void take_assignment(struct classic_group *group, const struct sync_group_request *request) {
    list_each(node, &group->order) {
        group_set_text(&list_entry(node, struct classic_member, link)->assignment, BYTES_OF(""));
    }
    for (int32_t i = 0; i < request->assignments_count; i++) {
        const assignment_type *part = request->assignments + i;
        struct classic_member *member = classic_find_member(group, part->member_id);
        if (member) group_set_text(&member->assignment, part->assignment);
    }
    classic_set_state(group, CLASSIC_STABLE);
    classic_write(group);
    list_each(node, &group->order) {
        struct classic_member *member = list_entry(node, struct classic_member, link);
        if (!member->syncs) continue;
        classic_answer_sync(member, ERROR_NONE);
        classic_hear_member(member);
    }
}

static void start(struct groups *groups, struct group_call *call) {
    const struct sync_group_request *request = call->request;
    struct group *found = groups_find(groups, request->group_id);
    struct classic_group *group = found ? classic_of(found) : NULL;
    enum error_code code = request->group_id.len == 0 ? ERROR_INVALID_GROUP_ID
                           : group                    ? check_request(group, request)
                                                      : ERROR_UNKNOWN_MEMBER_ID;
    if (code) {
        group_call_refuse(call, found, code);
        return;
    }
    struct classic_member *member = classic_find_member(group, request->member_id);
    settle_debt(group, member);
    if (group->state == CLASSIC_STABLE) {
        classic_answer_sync_call(call, member);
        return;
    }
    classic_wait_sync(member, call);
    if (classic_is_leader(group, member)) take_assignment(group, request);
}

static void refuse(struct group_call *call, enum error_code code) {
    ((struct sync_group_response *)call->response)->error_code = (int16_t)code;
}

const struct group_api group_sync_api = {.start = start, .refuse = refuse, .writes = true};
