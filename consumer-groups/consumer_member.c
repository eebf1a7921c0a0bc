#include "base/check.h"
#include "consumer-groups/consumer_group.h"

/* --- finding --- */

struct consumer_member *consumer_find_member(const struct consumer_group *group, struct bytes id) {
    struct map_node *node = map_find(&group->members, hash_bytes(id));
    for (; node; node = map_find_next(node)) {
        struct consumer_member *member = map_entry(node, struct consumer_member, by_id);
        if (bytes_equal(member->id, id)) return member;
    }
    return NULL;
}

struct consumer_member *consumer_find_instance(const struct consumer_group *group,
                                               struct bytes instance_id) {
    struct map_node *node = map_find(&group->instances, hash_bytes(instance_id));
    for (; node; node = map_find_next(node)) {
        struct consumer_member *member = map_entry(node, struct consumer_member, by_instance);
        if (bytes_equal(member->instance_id, instance_id)) return member;
    }
    return NULL;
}

/* --- holdings --- */

static struct consumer_holding *find_holding(const struct consumer_group *group,
                                             const struct uuid *topic_id) {
    struct map_node *node =
        map_find(&group->holdings, hash_bytes(bytes_make(topic_id, sizeof *topic_id)));
    for (; node; node = map_find_next(node)) {
        struct consumer_holding *holding = map_entry(node, struct consumer_holding, by_id);
        if (uuid_equal(&holding->topic_id, topic_id)) return holding;
    }
    return NULL;
}

static struct consumer_holding *make_holding(struct consumer_group *group,
                                             const struct uuid *topic_id) {
    struct consumer_holding *holding = find_holding(group, topic_id);
    if (holding) return holding;
    holding = new_zero(struct consumer_holding);
    holding->topic_id = *topic_id;
    map_insert(&group->holdings, &holding->by_id,
               hash_bytes(bytes_make(topic_id, sizeof *topic_id)));
    return holding;
}

static void holding_grow(struct consumer_holding *holding, int32_t index) {
    check(index >= 0 && index <= PARTITION_INDEX_MAX);
    if (index < holding->count) return;
    int32_t count = index + 1 > 2 * holding->count ? index + 1 : 2 * holding->count;
    holding->members = memory_resize(holding->members, (size_t)count * sizeof *holding->members);
    for (int32_t i = holding->count; i < count; i++) holding->members[i] = NULL;
    holding->count = count;
}

/* A record may be replayed before the one by which the former holder gave up, when compaction has
 * taken what was in between: the newest one counts. */
static void hold(struct consumer_member *member, const struct consumer_partitions *set) {
    for (int32_t i = 0; i < set->count;) {
        struct consumer_holding *holding = make_holding(member->group, &set->items[i].topic_id);
        int32_t end = i + consumer_partitions_run(set, i);
        holding_grow(holding, set->items[end - 1].index);
        for (; i < end; i++) {
            struct consumer_member **holder = &holding->members[set->items[i].index];
            holding->held += !*holder;
            *holder = member;
        }
    }
}

static void release(struct consumer_member *member, const struct consumer_partitions *set) {
    for (int32_t i = 0; i < set->count;) {
        struct consumer_holding *holding = find_holding(member->group, &set->items[i].topic_id);
        int32_t end = i + consumer_partitions_run(set, i);
        for (; holding && i < end; i++) {
            int32_t index = set->items[i].index;
            if (index >= holding->count || holding->members[index] != member) continue;
            holding->members[index] = NULL;
            holding->held--;
        }
        if (holding && holding->held == 0) {
            map_remove(&member->group->holdings, &holding->by_id);
            free(holding->members);
            free(holding);
        }
        i = end;
    }
}

struct consumer_member *consumer_holder(const struct consumer_group *group,
                                        const struct consumer_partition *partition) {
    const struct consumer_holding *holding = find_holding(group, &partition->topic_id);
    return holding && partition->index < holding->count ? holding->members[partition->index] : NULL;
}

void consumer_set_current(struct consumer_member *member, struct consumer_current *next) {
    release(member, &member->current.assigned);
    release(member, &member->current.revoking);
    consumer_current_deinit(&member->current);
    member->current = *next;
    *next = (struct consumer_current){0};
    hold(member, &member->current.assigned);
    hold(member, &member->current.revoking);
}

void consumer_set_target(struct consumer_member *member, struct consumer_partitions *target) {
    consumer_partitions_deinit(&member->target);
    member->target = *target;
    *target = (struct consumer_partitions){0};
}

/* --- timers --- */

static void fence_late(struct consumer_member *member) {
    struct consumer_group *group = member->group;
    consumer_fence_member(member);
    consumer_settle(group);
}

static void on_session_end(struct coordinator_timer *timer) {
    fence_late(container_of(timer, struct consumer_member, session));
}

static void on_rebalance_end(struct coordinator_timer *timer) {
    fence_late(container_of(timer, struct consumer_member, rebalance));
}

void consumer_hear_member(struct consumer_member *member) {
    coordinator_arm(consumer_coordinator(member->group), &member->session,
                    consumer_session_ms(member->group));
}

void consumer_watch_rebalance(struct consumer_member *member) {
    struct coordinator *coordinator = consumer_coordinator(member->group);
    if (member->current.state == MEMBER_UNREVOKED && member->current.revoking.count)
        coordinator_arm(coordinator, &member->rebalance, member->rebalance_ms);
    else
        coordinator_disarm(coordinator, &member->rebalance);
}

/* --- members --- */

struct consumer_member *consumer_add_member(struct consumer_group *group, struct bytes id) {
    check(!consumer_find_member(group, id));
    struct consumer_member *member = new_zero(struct consumer_member);
    member->group = group;
    member->number = -1;
    member->session.fire = on_session_end;
    member->rebalance.fire = on_rebalance_end;
    group_set_text(&member->id, id);
    map_insert(&group->members, &member->by_id, hash_bytes(id));
    group->member_count++;
    return member;
}

void consumer_set_instance(struct consumer_member *member, struct bytes instance_id) {
    struct map *instances = &member->group->instances;
    if (!bytes_is_null(member->instance_id)) map_remove(instances, &member->by_instance);
    group_set_text(&member->instance_id, instance_id);
    if (bytes_is_null(instance_id)) return;
    map_insert(instances, &member->by_instance, hash_bytes(instance_id));
}

void consumer_rename_member(struct consumer_member *member, struct bytes id) {
    check(!consumer_find_member(member->group, id));
    map_remove(&member->group->members, &member->by_id);
    group_set_text(&member->id, id);
    map_insert(&member->group->members, &member->by_id, hash_bytes(id));
}

static void member_free(struct consumer_member *member) {
    consumer_current_deinit(&member->current);
    consumer_partitions_deinit(&member->target);
    free((void *)member->id.at);
    free((void *)member->client_id.at);
    free((void *)member->client_host.at);
    free((void *)member->instance_id.at);
    free((void *)member->rack_id.at);
    free((void *)member->assignor.at);
    free(member);
}

void consumer_remove_member(struct consumer_member *member) {
    struct consumer_group *group = member->group;
    coordinator_disarm(consumer_coordinator(group), &member->session);
    coordinator_disarm(consumer_coordinator(group), &member->rebalance);
    consumer_forget_in_assignment(member);
    release(member, &member->current.assigned);
    release(member, &member->current.revoking);
    consumer_unsubscribe(member);
    consumer_set_instance(member, BYTES_NULL);
    map_remove(&group->members, &member->by_id);
    group->member_count--;
    member_free(member);
}

void consumer_fence_member(struct consumer_member *member) {
    struct consumer_group *group = member->group;
    consumer_erase_member(group, member->id);
    consumer_remove_member(member);
    consumer_bump(group);
}
