#include "consumer-groups/classic_group.h"

#include "base/check.h"
#include "protocol/group_records.h"

enum { GROUP_RECORD_BYTES = 120, MEMBER_RECORD_BYTES = 40 };

/* --- state --- */

static const char *const state_names[] = {"Empty", "PreparingRebalance", "CompletingRebalance",
                                          "Stable"};

/* Which states may come before: bits by enum classic_state. */
static const unsigned may_precede[] = {
    [CLASSIC_EMPTY] = 1u << CLASSIC_PREPARING,
    [CLASSIC_PREPARING] = 1u << CLASSIC_EMPTY | 1u << CLASSIC_COMPLETING | 1u << CLASSIC_STABLE,
    [CLASSIC_COMPLETING] = 1u << CLASSIC_PREPARING,
    [CLASSIC_STABLE] = 1u << CLASSIC_COMPLETING,
};

void classic_set_state(struct classic_group *group, enum classic_state state) {
    check(may_precede[state] & 1u << group->state);
    group->was_empty = group->state == CLASSIC_EMPTY;
    group->state = state;
    group->state_since_ms = coordinator_wall_ms(group->group->groups->coordinator);
}

bool classic_is_leader(const struct classic_group *group, const struct classic_member *member) {
    return !bytes_is_null(group->leader_id) && bytes_equal(group->leader_id, member->id);
}

int32_t classic_rebalance_ms(const struct classic_group *group) {
    int32_t most_ms = 0;
    list_each(node, (struct list *)&group->order) {
        int32_t wait_ms = list_entry(node, struct classic_member, link)->rebalance_ms;
        if (wait_ms > most_ms) most_ms = wait_ms;
    }
    return most_ms;
}

/* --- what every kind can say --- */

struct classic_group *classic_group_new(struct group *of) {
    struct classic_group *group = new_zero(struct classic_group);
    group->group = of;
    group->state_since_ms = -1;
    map_init(&group->members);
    map_init(&group->instances);
    map_init(&group->pending);
    map_init(&group->supported);
    list_init(&group->order);
    of->state = group;
    return group;
}

static void make(struct group *group) { classic_group_new(group); }

static void free_state(struct group *of) {
    struct classic_group *group = of->state;
    struct coordinator *coordinator = of->groups->coordinator;
    for (struct map_node *node; (node = map_first(&group->pending));)
        classic_remove_pending(group, map_entry(node, struct pending_member, by_id));
    for (struct list *node; (node = list_first(&group->order));) {
        struct classic_member *member = list_entry(node, struct classic_member, link);
        member->join_call = member->sync_call = NULL; /* dropped with the coordinator */
        classic_remove_member(group, member);
    }
    coordinator_disarm(coordinator, &group->join_timer);
    coordinator_disarm(coordinator, &group->sync_timer);
    classic_forget_topics(group);
    free((void *)group->protocol_type.at);
    free((void *)group->protocol.at);
    free((void *)group->leader_id.at);
    map_deinit(&group->members);
    map_deinit(&group->instances);
    map_deinit(&group->pending);
    map_deinit(&group->supported);
    free(group);
    of->state = NULL;
}

static const char *state_name(const struct group *group) {
    return state_names[classic_of(group)->state];
}

static struct bytes protocol_type(const struct group *group) {
    struct bytes type = classic_of(group)->protocol_type;
    return bytes_is_null(type) ? BYTES_OF("") : type;
}

static bool has_members(const struct group *group) { return classic_of(group)->member_count > 0; }

static bool is_gone(const struct group *of) {
    const struct classic_group *group = classic_of(of);
    return group->member_count == 0 && group->pending_count == 0 && !group->recorded;
}

static bool subscribes(const struct group *of, struct bytes topic) {
    const struct classic_group *group = classic_of(of);
    if (!group->topics_known) return bytes_equal(group->protocol_type, CLASSIC_CONSUMER_TYPE);
    return group->topic_count > 0 && bsearch(&topic, group->topics, (size_t)group->topic_count,
                                             sizeof topic, classic_compare_topics) != NULL;
}

static int64_t empty_since_ms(const struct group *of) {
    const struct classic_group *group = classic_of(of);
    bool is_empty = group->state == CLASSIC_EMPTY && !bytes_is_null(group->protocol_type);
    return is_empty ? group->state_since_ms : -1;
}

/* --- rules for offsets --- */

/* With a generation or a member, both must be right. Without, it is a consumer that manages itself
 * or an admin, and the group must have no members. */
static enum error_code check_caller(const struct classic_group *group,
                                    const struct offset_caller *caller) {
    if (caller->epoch < 0 && group->state == CLASSIC_EMPTY) return ERROR_NONE;
    if (caller->epoch < 0 && caller->member_id.len == 0 && bytes_is_null(caller->instance_id))
        return caller->transactional ? ERROR_NONE : ERROR_UNKNOWN_MEMBER_ID;
    enum error_code code = classic_check_member(group, caller->member_id, caller->instance_id);
    if (code) return code;
    return caller->epoch == group->generation ? ERROR_NONE : ERROR_ILLEGAL_GENERATION;
}

static enum error_code check_commit(struct group *of, const struct offset_caller *caller) {
    struct classic_group *group = of->state;
    enum error_code code = check_caller(group, caller);
    if (code || caller->transactional) return code;
    if (group->state == CLASSIC_COMPLETING) return ERROR_REBALANCE_IN_PROGRESS;
    struct classic_member *member = classic_find_member(group, caller->member_id);
    if (member) classic_hear_member(member);
    return ERROR_NONE;
}

static enum error_code check_fetch(struct group *of, const struct offset_caller *caller) {
    (void)of;
    (void)caller;
    return ERROR_NONE;
}

static enum error_code check_offset_delete(const struct group *of) {
    const struct classic_group *group = classic_of(of);
    bool is_opaque = !bytes_equal(group->protocol_type, CLASSIC_CONSUMER_TYPE);
    return group->state != CLASSIC_EMPTY && is_opaque ? ERROR_NON_EMPTY_GROUP : ERROR_NONE;
}

static enum error_code check_delete(const struct group *of) {
    return classic_of(of)->state == CLASSIC_EMPTY ? ERROR_NONE : ERROR_NON_EMPTY_GROUP;
}

/* --- records --- */

static void erase(struct group *of) {
    struct classic_group *group = of->state;
    const struct group_metadata_key key = {.group = of->id};
    if (!group->recorded) return;
    coordinator_erase(of->groups->coordinator, &group_metadata_key_message, &key);
    group_wrote(of);
    group->recorded = false;
}

/* In a rebalance, what members have is of the last generation, or not decided: written is a group
 * without members then, which makes them join again after a restart. The next assignment writes the
 * group as it is. */
static void image(struct group *of) {
    struct classic_group *group = of->state;
    if (group->recorded) classic_write(group);
}

static size_t image_bytes(const struct group *of) {
    const struct classic_group *group = classic_of(of);
    size_t bytes = group->recorded ? GROUP_RECORD_BYTES + of->id.len : 0;
    list_each(node, (struct list *)&group->order) {
        const struct classic_member *member = list_entry(node, struct classic_member, link);
        bytes += MEMBER_RECORD_BYTES + 2 * member->id.len + member->assignment.len +
                 classic_member_metadata(member, group->protocol).len;
    }
    return bytes;
}

static void loaded(struct group *of) {
    struct classic_group *group = of->state;
    list_each(node, &group->order) {
        classic_hear_member(list_entry(node, struct classic_member, link));
    }
    if (group->member_count > of->groups->catalog->options->group_members_max)
        classic_prepare(group, "it has more members than group-max-size allows");
}

const struct group_kind classic_kind = {
    .type = GROUP_CLASSIC,
    .make = make,
    .free = free_state,
    .state_name = state_name,
    .protocol_type = protocol_type,
    .has_members = has_members,
    .is_gone = is_gone,
    .subscribes = subscribes,
    .empty_since_ms = empty_since_ms,
    .check_commit = check_commit,
    .check_fetch = check_fetch,
    .check_offset_delete = check_offset_delete,
    .check_delete = check_delete,
    .erase = erase,
    .image = image,
    .image_bytes = image_bytes,
    .loaded = loaded,
};
