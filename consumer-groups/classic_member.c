#include "base/check.h"
#include "consumer-groups/classic_group.h"

/* --- protocols of a member, on the heap --- */

static void free_protocols(struct classic_member *member) {
    classic_count_protocols(member, -1);
    for (int32_t i = 0; i < member->protocol_count; i++) {
        free((void *)member->protocols[i].name.at);
        free((void *)member->protocols[i].metadata.at);
    }
    free(member->protocols);
    member->protocols = NULL;
    member->protocol_count = 0;
}

void classic_set_protocols(struct classic_member *member, const struct member_protocol *protocols,
                           int32_t count) {
    struct member_protocol *copy = memory_zero((size_t)count, sizeof *copy);
    for (int32_t i = 0; i < count; i++) {
        group_set_text(&copy[i].name, protocols[i].name);
        group_set_text(&copy[i].metadata, protocols[i].metadata);
    }
    free_protocols(member);
    member->protocols = copy;
    member->protocol_count = count;
    classic_count_protocols(member, 1);
}

bool classic_has_protocols(const struct classic_member *member,
                           const struct member_protocol *protocols, int32_t count) {
    if (count != member->protocol_count) return false;
    for (int32_t i = 0; i < count; i++)
        if (!bytes_equal(protocols[i].name, member->protocols[i].name) ||
            !bytes_equal(protocols[i].metadata, member->protocols[i].metadata))
            return false;
    return true;
}

struct bytes classic_member_metadata(const struct classic_member *member, struct bytes protocol) {
    for (int32_t i = 0; i < member->protocol_count; i++)
        if (bytes_equal(member->protocols[i].name, protocol)) return member->protocols[i].metadata;
    return BYTES_OF("");
}

/* --- finding --- */

struct classic_member *classic_find_member(const struct classic_group *group, struct bytes id) {
    struct map_node *node = map_find(&group->members, hash_bytes(id));
    for (; node; node = map_find_next(node)) {
        struct classic_member *member = map_entry(node, struct classic_member, by_id);
        if (bytes_equal(member->id, id)) return member;
    }
    return NULL;
}

struct classic_member *classic_find_instance(const struct classic_group *group, struct bytes id) {
    struct map_node *node = map_find(&group->instances, hash_bytes(id));
    for (; node; node = map_find_next(node)) {
        struct classic_member *member = map_entry(node, struct classic_member, by_instance);
        if (bytes_equal(member->instance_id, id)) return member;
    }
    return NULL;
}

struct pending_member *classic_find_pending(const struct classic_group *group, struct bytes id) {
    struct map_node *node = map_find(&group->pending, hash_bytes(id));
    for (; node; node = map_find_next(node)) {
        struct pending_member *pending = map_entry(node, struct pending_member, by_id);
        if (bytes_equal(pending->id, id)) return pending;
    }
    return NULL;
}

enum error_code classic_check_member(const struct classic_group *group, struct bytes member_id,
                                     struct bytes instance_id) {
    if (!bytes_is_null(instance_id)) {
        const struct classic_member *owner = classic_find_instance(group, instance_id);
        if (!owner) return ERROR_UNKNOWN_MEMBER_ID;
        if (!bytes_equal(owner->id, member_id)) return ERROR_FENCED_INSTANCE_ID;
    }
    return classic_find_member(group, member_id) ? ERROR_NONE : ERROR_UNKNOWN_MEMBER_ID;
}

/* --- sessions --- */

static struct coordinator *coordinator_of(const struct group *group) {
    return group->groups->coordinator;
}

/* What waits for us cannot send heartbeats; but a new member is not waited for without end. */
static void on_session_end(struct coordinator_timer *timer) {
    struct classic_member *member = container_of(timer, struct classic_member, session);
    if (!member->is_new && (member->joins || member->syncs)) return;
    classic_drop_member(member->group->state, member);
}

void classic_hear_member(struct classic_member *member) {
    coordinator_arm(coordinator_of(member->group), &member->session, member->session_ms);
}

/* --- members --- */

struct classic_member *classic_add_member(struct classic_group *group, struct bytes id,
                                          struct bytes instance_id, struct bytes protocol_type) {
    struct classic_member *member = new_zero(struct classic_member);
    check(!classic_find_member(group, id));
    member->group = group->group;
    member->session.fire = on_session_end;
    group_set_text(&member->id, id);
    group_set_text(&member->instance_id, instance_id);
    if (!bytes_is_null(instance_id)) {
        check(!classic_find_instance(group, instance_id));
        map_insert(&group->instances, &member->by_instance, hash_bytes(instance_id));
    }
    if (group->member_count == 0) group_set_text(&group->protocol_type, protocol_type);
    if (bytes_is_null(group->leader_id)) group_set_text(&group->leader_id, id);
    map_insert(&group->members, &member->by_id, hash_bytes(id));
    list_append(&group->order, &member->link);
    group->member_count++;
    return member;
}

static void free_member(struct classic_member *member) {
    free_protocols(member);
    free((void *)member->id.at);
    free((void *)member->instance_id.at);
    free((void *)member->client_id.at);
    free((void *)member->client_host.at);
    free((void *)member->assignment.at);
    free(member);
}

void classic_remove_member(struct classic_group *group, struct classic_member *member) {
    check(!member->join_call && !member->sync_call);
    bool led = classic_is_leader(group, member);
    group->joining_count -= member->joins;
    group->owing_count -= member->owes_sync;
    group->member_count--;
    map_remove(&group->members, &member->by_id);
    list_remove(&member->link);
    if (!bytes_is_null(member->instance_id)) map_remove(&group->instances, &member->by_instance);
    coordinator_disarm(coordinator_of(group->group), &member->session);
    free_member(member);
    struct list *first = list_first(&group->order);
    struct bytes heir = first ? list_entry(first, struct classic_member, link)->id : BYTES_NULL;
    if (led) group_set_text(&group->leader_id, heir);
}

void classic_rename_member(struct classic_member *member, struct bytes id) {
    struct classic_group *group = member->group->state;
    if (classic_is_leader(group, member)) group_set_text(&group->leader_id, id);
    map_remove(&group->members, &member->by_id);
    group_set_text(&member->id, id);
    map_insert(&group->members, &member->by_id, hash_bytes(id));
}

/* --- ids without members --- */

static void on_pending_end(struct coordinator_timer *timer) {
    struct pending_member *pending = container_of(timer, struct pending_member, session);
    struct group *group = pending->group;
    classic_drop_pending(group->state, pending);
    group_drop_if_gone(group);
}

struct pending_member *classic_add_pending(struct classic_group *group, struct bytes id) {
    struct pending_member *pending = memory_zero(1, sizeof *pending + id.len);
    memcpy(pending + 1, id.at, id.len);
    pending->id = bytes_make(pending + 1, id.len);
    pending->group = group->group;
    pending->session.fire = on_pending_end;
    map_insert(&group->pending, &pending->by_id, hash_bytes(id));
    group->pending_count++;
    return pending;
}

void classic_remove_pending(struct classic_group *group, struct pending_member *pending) {
    coordinator_disarm(coordinator_of(group->group), &pending->session);
    map_remove(&group->pending, &pending->by_id);
    group->pending_count--;
    free(pending);
}
