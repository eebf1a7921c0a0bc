/* JoinGroup's and SyncGroup's answers. Whatever they say is copied: the group may have changed when
 * they leave. */
#include "consumer-groups/classic_group.h"
#include "protocol/join_group.h"
#include "protocol/sync_group.h"

static struct bytes copy(struct group_call *call, struct bytes text) {
    return bytes_is_null(text) ? text : arena_copy(call->arena, text);
}

/* --- JoinGroup --- */

/* What the leader decides by: everybody's word in the chosen protocol. */
static void list_members(struct group_call *call, const struct classic_group *group) {
    struct join_group_response *response = call->response;
    response->members =
        arena_array(call->arena, struct join_group_response_join_group_response_member,
                    (size_t)group->member_count);
    list_each(node, (struct list *)&group->order) {
        const struct classic_member *member = list_entry(node, struct classic_member, link);
        response->members[response->members_count++] =
            (struct join_group_response_join_group_response_member){
                .member_id = copy(call, member->id),
                .group_instance_id = copy(call, member->instance_id),
                .metadata = copy(call, classic_member_metadata(member, group->protocol)),
            };
    }
}

void classic_answer_join_call(struct group_call *call, const struct classic_member *member,
                              bool skip_assignment) {
    const struct classic_group *group = member->group->state;
    struct join_group_response *response = call->response;
    bool leads = classic_is_leader(group, member);
    response->generation_id = group->generation;
    response->protocol_type = copy(call, group->protocol_type);
    response->protocol_name = copy(call, group->protocol);
    response->leader = copy(call, group->leader_id);
    response->member_id = copy(call, member->id);
    response->skip_assignment = skip_assignment && leads;
    if (leads) list_members(call, group);
    group_call_finish(call, member->group);
}

void classic_refuse_join_call(struct group_call *call, const struct group *group,
                              struct bytes member_id, enum error_code code) {
    struct join_group_response *response = call->response;
    response->error_code = (int16_t)code;
    response->member_id = copy(call, member_id);
    group_call_finish(call, group);
}

/* The member does not wait any more, whether anybody listens or not. */
static struct group_call *take_join(struct classic_member *member) {
    struct classic_group *group = member->group->state;
    group->joining_count -= member->joins;
    member->joins = false;
    return group_call_take(&member->join_call);
}

void classic_answer_join(struct classic_member *member, bool skip_assignment) {
    struct group_call *call = take_join(member);
    if (call) classic_answer_join_call(call, member, skip_assignment);
}

void classic_refuse_join(struct classic_member *member, struct bytes member_id,
                         enum error_code code) {
    struct group_call *call = take_join(member);
    if (call) classic_refuse_join_call(call, member->group, member_id, code);
}

void classic_wait_join(struct classic_member *member, struct group_call *call) {
    struct classic_group *group = member->group->state;
    struct group_call *earlier = group_call_take(&member->join_call);
    if (earlier)
        classic_refuse_join_call(earlier, member->group, member->id, ERROR_REBALANCE_IN_PROGRESS);
    group->joining_count += !member->joins;
    member->joins = true;
    group_call_hold(call, &member->join_call);
}

/* --- SyncGroup --- */

void classic_answer_sync_call(struct group_call *call, const struct classic_member *member) {
    const struct classic_group *group = member->group->state;
    struct sync_group_response *response = call->response;
    response->protocol_type = copy(call, group->protocol_type);
    response->protocol_name = copy(call, group->protocol);
    response->assignment = copy(call, member->assignment);
    group_call_finish(call, member->group);
}

void classic_answer_sync(struct classic_member *member, enum error_code code) {
    struct group_call *call = group_call_take(&member->sync_call);
    member->syncs = false;
    if (call && code)
        group_call_refuse(call, member->group, code);
    else if (call)
        classic_answer_sync_call(call, member);
}

void classic_wait_sync(struct classic_member *member, struct group_call *call) {
    struct group_call *earlier = group_call_take(&member->sync_call);
    if (earlier) group_call_refuse(earlier, member->group, ERROR_REBALANCE_IN_PROGRESS);
    member->syncs = true;
    group_call_hold(call, &member->sync_call);
}
