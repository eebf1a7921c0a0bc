/* The record of a classic group (GroupMetadataValue): the group as of its last assignment. */
#include "base/check.h"
#include "consumer-groups/classic_group.h"
#include "protocol/group_records.h"

enum { VALUE_VERSION = 3 }; /* 4 differs in form alone, and Kafka still writes 3 */

/* --- writing --- */

static void fill_members(const struct classic_group *group, struct group_metadata_value *value) {
    value->members = memory_zero((size_t)group->member_count,
                                 sizeof(struct group_metadata_value_member_metadata));
    list_each(node, (struct list *)&group->order) {
        const struct classic_member *member = list_entry(node, struct classic_member, link);
        value->members[value->members_count++] = (struct group_metadata_value_member_metadata){
            .member_id = member->id,
            .group_instance_id = member->instance_id,
            .client_id = member->client_id,
            .client_host = member->client_host,
            .rebalance_timeout = member->rebalance_ms,
            .session_timeout = member->session_ms,
            .subscription = classic_member_metadata(member, group->protocol),
            .assignment = bytes_is_null(member->assignment) ? BYTES_OF("") : member->assignment,
        };
    }
}

void classic_write(struct classic_group *group) {
    bool is_stable = group->state == CLASSIC_STABLE;
    const struct group_metadata_key key = {.group = group->group->id};
    struct bytes type = group->protocol_type;
    struct group_metadata_value value = {
        .protocol_type = bytes_is_null(type) ? BYTES_OF("") : type,
        .generation = group->generation,
        .protocol = is_stable ? group->protocol : BYTES_NULL,
        .leader = is_stable ? group->leader_id : BYTES_NULL,
        .current_state_timestamp = group->state_since_ms,
    };
    if (is_stable) fill_members(group, &value);
    coordinator_write(group->group->groups->coordinator, &group_metadata_key_message, &key,
                      &group_metadata_value_message, VALUE_VERSION, &value);
    free(value.members);
    group->recorded = true;
    group_wrote(group->group);
}

/* --- replay --- */

/* A group that was something else until then, or in another generation, begins anew. */
static struct classic_group *replay_group(struct groups *groups, struct bytes id) {
    struct group *group = groups_find(groups, id);
    if (!group) return groups_add(groups, id, &classic_kind)->state;
    group->kind->free(group);
    group->kind = &classic_kind;
    return classic_group_new(group);
}

static void replay_member(struct classic_group *group, struct bytes protocol_type,
                          const struct group_metadata_value_member_metadata *from) {
    if (classic_find_member(group, from->member_id)) return; /* never written so */
    struct bytes instance_id = from->group_instance_id;
    if (!bytes_is_null(instance_id) && classic_find_instance(group, instance_id))
        instance_id = BYTES_NULL;
    struct classic_member *member =
        classic_add_member(group, from->member_id, instance_id, protocol_type);
    const struct member_protocol protocol = {group->protocol, from->subscription};
    classic_set_protocols(member, &protocol, 1);
    group_set_text(&member->client_id, from->client_id);
    group_set_text(&member->client_host, from->client_host);
    group_set_text(&member->assignment, from->assignment);
    member->session_ms = from->session_timeout;
    member->rebalance_ms =
        from->rebalance_timeout == -1 ? from->session_timeout : from->rebalance_timeout;
}

static void replay_value(struct classic_group *group, const struct group_metadata_value *value) {
    group->generation = value->generation;
    group->recorded = true;
    if (value->protocol_type.len > 0) group_set_text(&group->protocol_type, value->protocol_type);
    group_set_text(&group->protocol, value->protocol);
    for (int32_t i = 0; i < value->members_count; i++)
        replay_member(group, value->protocol_type, value->members + i);
    if (group->member_count > 0) {
        group->state = CLASSIC_STABLE;
        if (classic_find_member(group, value->leader))
            group_set_text(&group->leader_id, value->leader);
    }
    group->state_since_ms = value->current_state_timestamp;
    classic_read_topics(group);
}

bool classic_replay_record(struct groups *groups, const struct coordinator_record *record,
                           struct arena *arena, struct error *error) {
    struct group_metadata_key key;
    struct group_metadata_value value;
    if (!coordinator_record_key(record, &group_metadata_key_message, arena, &key, error))
        return false;
    if (!bytes_is_null(record->value)) {
        if (!coordinator_record_value(record, &group_metadata_value_message, arena, &value, error))
            return false;
        replay_value(replay_group(groups, key.group), &value);
        return true;
    }
    struct group *group = groups_find(groups, key.group);
    if (!group || !classic_of(group)) return true;
    replay_group(groups, key.group);
    group_drop_if_gone(group);
    return true;
}
