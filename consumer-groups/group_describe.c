/* DescribeGroups, one group's part: a classic group with its members. */
#include "consumer-groups/classic_group.h"
#include "protocol/describe_groups.h"

enum { VERSION_NOT_FOUND = 6 };

typedef struct describe_groups_response_described_group result_type;
typedef struct describe_groups_response_described_group_member member_type;

static struct bytes copy(struct group_call *call, struct bytes text) {
    return bytes_is_null(text) ? BYTES_OF("") : arena_copy(call->arena, text);
}

/* What members said and were given is told of a settled group only. */
static member_type describe_member(struct group_call *call, const struct classic_member *member) {
    const struct classic_group *group = member->group->state;
    bool is_stable = group->state == CLASSIC_STABLE;
    struct bytes metadata = classic_member_metadata(member, group->protocol);
    return (member_type){
        .member_id = copy(call, member->id),
        .group_instance_id = bytes_is_null(member->instance_id)
                                 ? BYTES_NULL
                                 : arena_copy(call->arena, member->instance_id),
        .client_id = copy(call, member->client_id),
        .client_host = copy(call, member->client_host),
        .member_metadata = is_stable ? copy(call, metadata) : BYTES_OF(""),
        .member_assignment = is_stable ? copy(call, member->assignment) : BYTES_OF(""),
    };
}

static void describe(struct group_call *call, const struct classic_group *group) {
    result_type *result = call->response;
    bool is_stable = group->state == CLASSIC_STABLE;
    result->group_state = bytes_of_text(classic_kind.state_name(group->group));
    result->protocol_type = copy(call, group->protocol_type);
    if (is_stable) result->protocol_data = copy(call, group->protocol);
    result->members = arena_array(call->arena, member_type, (size_t)group->member_count);
    list_each(node, (struct list *)&group->order) {
        result->members[result->members_count++] =
            describe_member(call, list_entry(node, struct classic_member, link));
    }
}

/* Up to version 5 such a group is "Dead", and that is no error. */
static void describe_nothing(struct group_call *call, const struct group *other) {
    result_type *result = call->response;
    result->group_state = BYTES_OF("Dead");
    if (call->version < VERSION_NOT_FOUND) return;
    result->error_code = ERROR_GROUP_ID_NOT_FOUND;
    result->error_message = bytes_of_text(arena_format(
        call->arena, other ? "Group %.*s is not a classic group." : "Group %.*s not found.",
        BYTES_FORMAT(result->group_id)));
}

static void start(struct groups *groups, struct group_call *call) {
    const struct bytes *name = call->request;
    const struct group *found = groups_find(groups, *name);
    const struct classic_group *group = found ? classic_of(found) : NULL;
    ((result_type *)call->response)->group_id = *name;
    if (group)
        describe(call, group);
    else
        describe_nothing(call, found);
    group_call_finish(call, found);
}

static void refuse(struct group_call *call, enum error_code code) {
    result_type *result = call->response;
    result->group_id = *(const struct bytes *)call->request;
    result->error_code = (int16_t)code;
}

const struct group_api group_describe_api = {.start = start, .refuse = refuse};
