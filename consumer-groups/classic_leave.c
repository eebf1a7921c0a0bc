/* LeaveGroup: members go, by themselves or because an admin says so (KIP-345). */
#include "consumer-groups/classic_group.h"
#include "protocol/leave_group.h"

typedef struct leave_group_request_member_identity identity_type;
typedef struct leave_group_response_member_response result_type;

static void remove_one(struct classic_group *group, struct classic_member *member) {
    classic_refuse_join(member, BYTES_OF(""), ERROR_UNKNOWN_MEMBER_ID);
    classic_answer_sync(member, ERROR_UNKNOWN_MEMBER_ID);
    classic_remove_member(group, member);
}

/* An admin names the instance alone. */
static enum error_code leave_one(struct classic_group *group, struct bytes member_id,
                                 struct bytes instance_id) {
    struct pending_member *pending = classic_find_pending(group, member_id);
    if (pending) {
        classic_remove_pending(group, pending);
        return ERROR_NONE;
    }
    if (member_id.len == 0) {
        struct classic_member *member =
            bytes_is_null(instance_id) ? NULL : classic_find_instance(group, instance_id);
        if (!member) return ERROR_UNKNOWN_MEMBER_ID;
        remove_one(group, member);
        return ERROR_NONE;
    }
    enum error_code code = classic_check_member(group, member_id, instance_id);
    if (code == ERROR_NONE) remove_one(group, classic_find_member(group, member_id));
    return code;
}

static enum error_code leave(struct classic_group *group, struct bytes member_id,
                             struct bytes instance_id, bool *changed) {
    if (!group) return ERROR_UNKNOWN_MEMBER_ID;
    enum error_code code = leave_one(group, member_id, instance_id);
    *changed = *changed || code == ERROR_NONE;
    return code;
}

static void leave_all(struct classic_group *group, struct group_call *call, bool *changed) {
    const struct leave_group_request *request = call->request;
    struct leave_group_response *response = call->response;
    response->members_count = request->members_count;
    response->members = arena_array(call->arena, result_type, (size_t)request->members_count);
    for (int32_t i = 0; i < request->members_count; i++) {
        const identity_type *who = request->members + i;
        enum error_code code = leave(group, who->member_id, who->group_instance_id, changed);
        response->members[i] = (result_type){who->member_id, who->group_instance_id, (int16_t)code};
    }
}

static void start(struct groups *groups, struct group_call *call) {
    const struct leave_group_request *request = call->request;
    struct leave_group_response *response = call->response;
    struct group *found = groups_find(groups, request->group_id);
    struct classic_group *group = found ? classic_of(found) : NULL;
    bool changed = false;
    if (request->group_id.len == 0)
        response->error_code = ERROR_INVALID_GROUP_ID;
    else if (call->version >= 3)
        leave_all(group, call, &changed);
    else
        response->error_code = (int16_t)leave(group, request->member_id, BYTES_NULL, &changed);
    if (changed && group->state != CLASSIC_EMPTY) classic_rebalance(group, "a member leaves");
    group_call_finish(call, found);
    if (found) group_drop_if_gone(found);
}

static void refuse(struct group_call *call, enum error_code code) {
    ((struct leave_group_response *)call->response)->error_code = (int16_t)code;
}

const struct group_api group_leave_api = {.start = start, .refuse = refuse, .writes = true};
