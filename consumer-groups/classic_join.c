/* JoinGroup: a member wants in, in again, or has changed its mind. The rules are those of Kafka's
 * GroupMetadataManager.classicGroupJoin (KIP-62, KIP-345, KIP-394, KIP-814). */
#include "base/check.h"
#include "consumer-groups/classic_group.h"
#include "protocol/join_group.h"

enum { VERSION_ID_REQUIRED = 4, VERSION_SKIP_ASSIGNMENT = 9 };

/* One JoinGroup with what follows from it. */
struct join {
    struct groups *groups;
    struct classic_group *group;
    struct group_call *call;
    const struct join_group_request *request;
    struct member_protocol *protocols;
    int32_t protocol_count;
};

static void refuse(struct join *join, struct bytes member_id, enum error_code code) {
    classic_refuse_join_call(join->call, join->group ? join->group->group : NULL, member_id, code);
}

/* --- what can be said without the group --- */

static size_t metadata_bytes(const struct join_group_request *request) {
    size_t bytes = 0;
    for (int32_t i = 0; i < request->protocols_count; i++)
        bytes += request->protocols[i].name.len + request->protocols[i].metadata.len;
    return bytes;
}

static enum error_code check_request(const struct groups *groups,
                                     const struct join_group_request *request) {
    const struct options *options = groups->catalog->options;
    if (request->group_id.len == 0) return ERROR_INVALID_GROUP_ID;
    if (request->session_timeout_ms < options->group_session_ms_min ||
        request->session_timeout_ms > options->group_session_ms_max)
        return ERROR_INVALID_SESSION_TIMEOUT;
    if (request->protocols_count > MEMBER_PROTOCOLS_MAX) return ERROR_INCONSISTENT_GROUP_PROTOCOL;
    if (metadata_bytes(request) > MEMBER_METADATA_BYTES_MAX) return ERROR_UNKNOWN_SERVER_ERROR;
    return ERROR_NONE;
}

static void take_protocols(struct join *join) {
    int32_t count = join->request->protocols_count;
    join->protocols = arena_array(join->call->arena, struct member_protocol, (size_t)count);
    join->protocol_count = count;
    for (int32_t i = 0; i < count; i++)
        join->protocols[i] = (struct member_protocol){join->request->protocols[i].name,
                                                      join->request->protocols[i].metadata};
}

/* --- the group --- */

/* Only who has no id yet can make one; an empty consumer group becomes a classic one. */
static enum error_code find_group(struct join *join) {
    const struct join_group_request *request = join->request;
    struct group *group = groups_find(join->groups, request->group_id);
    if (!group) {
        if (request->member_id.len > 0) return ERROR_UNKNOWN_MEMBER_ID;
        if (!groups_have_room(join->groups)) return ERROR_GROUP_MAX_SIZE_REACHED;
        group = groups_add(join->groups, request->group_id, &classic_kind);
    } else if (!classic_of(group)) {
        if (group->kind->has_members(group)) return ERROR_INCONSISTENT_GROUP_PROTOCOL;
        group_convert(group, &classic_kind);
    }
    join->group = group->state;
    return ERROR_NONE;
}

/* A member that is there already is let in again, but in a rebalance only so many as there is room
 * for: a group that is too large gets smaller then. Ids that were given out take up room. */
static bool has_room(const struct join *join) {
    const struct classic_group *group = join->group;
    int64_t most = join->groups->catalog->options->group_members_max;
    const struct classic_member *member = classic_find_member(group, join->request->member_id);
    bool is_pending = classic_find_pending(group, join->request->member_id) != NULL;
    int32_t others = group->pending_count - is_pending;
    if (group->state == CLASSIC_PREPARING)
        return (member && member->joins) || group->joining_count + (member ? 0 : others) < most;
    return member || group->member_count + others < most;
}

/* --- members --- */

static void update_member(struct join *join, struct classic_member *member) {
    const struct join_group_request *request = join->request;
    classic_set_protocols(member, join->protocols, join->protocol_count);
    member->session_ms = request->session_timeout_ms;
    member->rebalance_ms = request->rebalance_timeout_ms;
    if (join->call->version == 0) member->rebalance_ms = request->session_timeout_ms;
}

static void join_and_rebalance(struct join *join, struct classic_member *member, const char *why) {
    update_member(join, member);
    classic_wait_join(member, join->call);
    classic_rebalance(join->group, why);
}

static void add_member(struct join *join, struct bytes id) {
    const struct join_group_request *request = join->request;
    struct classic_group *group = join->group;
    struct classic_member *member =
        classic_add_member(group, id, request->group_instance_id, request->protocol_type);
    member->is_new = true;
    group_set_text(&member->client_id, join->call->client_id);
    group_set_text(&member->client_host, join->call->client_host);
    group->member_added = true;
    coordinator_arm(join->groups->coordinator, &member->session, NEW_MEMBER_JOIN_MS);
    join_and_rebalance(join, member, "a member joins");
}

/* --- static members (KIP-345) --- */

/* Nothing changes for the others: the new one takes the place, assignment included (KIP-814: a
 * leader is told not to assign again). */
static void replace_quietly(struct join *join, struct classic_member *member,
                            struct bytes old_leader) {
    bool can_skip = join->call->version >= VERSION_SKIP_ASSIGNMENT;
    struct group_call *call = join->call;
    classic_write(join->group);
    if (can_skip) {
        classic_answer_join_call(call, member, true);
        return;
    }
    /* An older client that were told that it leads would assign, and nobody would listen. */
    struct join_group_response *response = call->response;
    response->generation_id = join->group->generation;
    response->protocol_type = arena_copy(call->arena, join->group->protocol_type);
    response->protocol_name = arena_copy(call->arena, join->group->protocol);
    response->leader = old_leader;
    response->member_id = arena_copy(call->arena, member->id);
    group_call_finish(call, join->group->group);
}

static void replace_member(struct join *join, struct classic_member *member, struct bytes id) {
    struct classic_group *group = join->group;
    struct bytes old_leader = arena_copy(join->call->arena, group->leader_id);
    classic_refuse_join(member, member->id, ERROR_FENCED_INSTANCE_ID);
    classic_answer_sync(member, ERROR_FENCED_INSTANCE_ID);
    classic_rename_member(member, id);
    update_member(join, member);
    classic_hear_member(member);
    if (group->state == CLASSIC_STABLE &&
        bytes_equal(group->protocol, classic_select_protocol(group))) {
        replace_quietly(join, member, old_leader);
        return;
    }
    classic_wait_join(member, join->call);
    if (group->state == CLASSIC_PREPARING)
        classic_complete_if_joined(group);
    else
        classic_prepare(group, "a static member was replaced");
}

/* --- who asks --- */

static void join_without_id(struct join *join) {
    const struct join_group_request *request = join->request;
    struct group_call *call = join->call;
    bool is_static = !bytes_is_null(request->group_instance_id);
    struct bytes prefix = is_static ? request->group_instance_id : call->client_id;
    struct bytes id = groups_new_member_id(join->groups, call->arena, prefix);
    struct classic_member *known =
        is_static ? classic_find_instance(join->group, request->group_instance_id) : NULL;
    if (known) {
        replace_member(join, known, id);
    } else if (is_static || call->version < VERSION_ID_REQUIRED) {
        add_member(join, id);
    } else {
        struct pending_member *pending = classic_add_pending(join->group, id);
        coordinator_arm(join->groups->coordinator, &pending->session, request->session_timeout_ms);
        refuse(join, id, ERROR_MEMBER_ID_REQUIRED);
    }
}

/* A member that comes back in a generation that it knows: it has not got our answer, or it has
 * changed, or (the leader) wants to assign anew. */
static void join_again(struct join *join, struct classic_member *member) {
    struct classic_group *group = join->group;
    bool is_same = classic_has_protocols(member, join->protocols, join->protocol_count);
    bool leads = classic_is_leader(group, member);
    switch (group->state) {
        case CLASSIC_EMPTY: refuse(join, member->id, ERROR_UNKNOWN_MEMBER_ID); return;
        case CLASSIC_PREPARING: break;
        case CLASSIC_COMPLETING:
            if (!is_same) break;
            classic_answer_join_call(join->call, member, false);
            return;
        case CLASSIC_STABLE:
            if (leads || !is_same) break;
            classic_answer_join_call(join->call, member, false);
            return;
    }
    join_and_rebalance(join, member, "a member joins again");
}

static void join_with_id(struct join *join) {
    const struct join_group_request *request = join->request;
    struct pending_member *pending = classic_find_pending(join->group, request->member_id);
    if (pending && bytes_is_null(request->group_instance_id)) {
        classic_remove_pending(join->group, pending);
        add_member(join, request->member_id);
        return;
    }
    enum error_code code =
        classic_check_member(join->group, request->member_id, request->group_instance_id);
    if (code)
        refuse(join, request->member_id, code);
    else
        join_again(join, classic_find_member(join->group, request->member_id));
}

static void start(struct groups *groups, struct group_call *call) {
    const struct join_group_request *request = call->request;
    struct join join = {.groups = groups, .call = call, .request = request};
    enum error_code code = check_request(groups, request);
    if (!code) code = find_group(&join);
    if (code) {
        refuse(&join, request->member_id, code);
        return;
    }
    struct group *group = join.group->group;
    take_protocols(&join);
    if (!has_room(&join))
        refuse(&join, BYTES_OF(""), ERROR_GROUP_MAX_SIZE_REACHED);
    else if (!classic_supports(join.group, request->protocol_type, join.protocols,
                               join.protocol_count))
        refuse(&join, request->member_id, ERROR_INCONSISTENT_GROUP_PROTOCOL);
    else if (request->member_id.len == 0)
        join_without_id(&join);
    else
        join_with_id(&join);
    group_drop_if_gone(group);
}

static void refuse_call(struct group_call *call, enum error_code code) {
    const struct join_group_request *request = call->request;
    struct join_group_response *response = call->response;
    response->error_code = (int16_t)code;
    response->member_id = request->member_id;
}

const struct group_api group_join_api = {.start = start, .refuse = refuse_call, .writes = true};
