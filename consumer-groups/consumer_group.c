#include "consumer-groups/consumer_group.h"

#include "base/check.h"
#include "base/crc32c.h"

/* --- life --- */

static void on_assign(struct coordinator_timer *timer) {
    consumer_settle(container_of(timer, struct consumer_group, assign));
}

static void make(struct group *owner) {
    struct consumer_group *group = new_zero(struct consumer_group);
    group->group = owner;
    group->epoch = group->target_epoch = FIRST_EPOCH;
    group->assign.fire = on_assign;
    group->partition_id_seen = owner->groups->catalog->partition_id_next;
    map_init(&group->members);
    map_init(&group->instances);
    map_init(&group->patterns);
    map_init(&group->topics);
    map_init(&group->subscriptions);
    map_init(&group->holdings);
    owner->state = group;
}

static void free_group(struct group *owner) {
    struct consumer_group *group = owner->state;
    struct map_node *node;
    consumer_forget_assignment(group);
    coordinator_disarm(consumer_coordinator(group), &group->assign);
    while ((node = map_first(&group->members)))
        consumer_remove_member(map_entry(node, struct consumer_member, by_id));
    while ((node = map_first(&group->patterns)))
        consumer_remove_pattern(map_entry(node, struct consumer_pattern, by_text));
    check(group->topics.count == 0 && group->subscriptions.count == 0);
    check(group->holdings.count == 0 && group->instances.count == 0);
    map_deinit(&group->members);
    map_deinit(&group->instances);
    map_deinit(&group->patterns);
    map_deinit(&group->topics);
    map_deinit(&group->subscriptions);
    map_deinit(&group->holdings);
    free(group);
    owner->state = NULL;
}

/* --- state --- */

static bool is_reconciled(const struct consumer_member *member, int32_t target_epoch) {
    return member->current.state == MEMBER_STABLE && member->current.epoch == target_epoch;
}

enum consumer_group_state consumer_state(const struct consumer_group *group) {
    if (group->member_count == 0) return CONSUMER_EMPTY;
    if (group->epoch > group->target_epoch) return CONSUMER_ASSIGNING;
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node))
        if (!is_reconciled(map_entry(node, struct consumer_member, by_id), group->target_epoch))
            return CONSUMER_RECONCILING;
    return CONSUMER_STABLE;
}

static const char *state_name(const struct group *owner) {
    static const char *const names[] = {[CONSUMER_EMPTY] = "Empty",
                                        [CONSUMER_ASSIGNING] = "Assigning",
                                        [CONSUMER_RECONCILING] = "Reconciling",
                                        [CONSUMER_STABLE] = "Stable"};
    return names[consumer_state(owner->state)];
}

static struct bytes protocol_type(const struct group *owner) {
    (void)owner;
    return BYTES_OF("consumer");
}

static bool has_members(const struct group *owner) {
    const struct consumer_group *group = owner->state;
    return group->member_count > 0;
}

static bool is_gone(const struct group *owner) {
    const struct consumer_group *group = owner->state;
    return group->member_count == 0 && !group->recorded && group->patterns.count == 0;
}

static bool subscribes(const struct group *owner, struct bytes topic) {
    const struct consumer_group *group = owner->state;
    for (struct map_node *node = map_first(&group->subscriptions); node;
         node = map_next(&group->subscriptions, node)) {
        const struct consumer_subscription *subscription =
            map_entry(node, struct consumer_subscription, by_content);
        if (consumer_topics_have(&subscription->topics, topic)) return true;
        if (subscription->pattern && consumer_topics_have(&subscription->pattern->topics, topic))
            return true;
    }
    return false;
}

/* A group that has lost its last member is assigned once more, to nobody: that is the time. */
static int64_t empty_since_ms(const struct group *owner) {
    const struct consumer_group *group = owner->state;
    return group->member_count == 0 && group->assigned_ms ? group->assigned_ms : -1;
}

/* --- epochs --- */

/* Of all topics subscribed to, as the catalog has them now. */
static int64_t metadata_hash(const struct consumer_group *group) {
    const struct catalog *catalog = group->group->groups->catalog;
    uint64_t hash = 0;
    for (struct map_node *node = map_first(&group->topics); node;
         node = map_next(&group->topics, node)) {
        struct bytes name = map_entry(node, struct consumer_topic, by_name)->name;
        const struct catalog_topic *topic = catalog_find_topic(catalog, name);
        if (!topic) continue;
        uint32_t low = crc32c(&topic->id, sizeof topic->id);
        low = crc32c_extend(low, &topic->partition_count, sizeof topic->partition_count);
        uint32_t high = crc32c_extend(~low, &topic->id, sizeof topic->id);
        hash += (uint64_t)high << 32 | low; /* in whatever order */
    }
    return (int64_t)hash;
}

void consumer_bump(struct consumer_group *group) {
    if (group->epoch_dirty) return;
    check(group->epoch < INT32_MAX);
    group->epoch++;
    group->epoch_dirty = true;
    group->changed_at_ms = coordinator_now_ms(consumer_coordinator(group));
}

void consumer_settle(struct consumer_group *group) {
    consumer_sweep_patterns(group);
    int64_t hash = metadata_hash(group);
    if (hash != group->metadata_hash) {
        if (group->member_count > 0) consumer_bump(group);
        group->metadata_hash = hash;
    }
    if (group->epoch_dirty) consumer_write_epoch(group);
    group->epoch_dirty = false;
    consumer_assign(group);
}

/* --- offsets --- */

/* "" and no epoch: it is no member, or cannot say so. */
static bool is_anonymous(const struct offset_caller *caller) {
    return caller->epoch < 0 && caller->member_id.len == 0 && bytes_is_null(caller->instance_id);
}

static enum error_code check_epoch(const struct consumer_group *group,
                                   const struct offset_caller *caller) {
    const struct consumer_member *member = consumer_find_member(group, caller->member_id);
    if (!member) return ERROR_UNKNOWN_MEMBER_ID;
    if (member->current.epoch != caller->epoch) return ERROR_STALE_MEMBER_EPOCH;
    return ERROR_NONE;
}

/* As Kafka's ConsumerGroup.validateOffsetCommit: only OffsetCommit 9 can carry a member epoch. One
 * that has passed is for check_commit_partition(). */
static enum error_code check_commit(struct group *owner, const struct offset_caller *caller) {
    enum { VERSION_WITH_EPOCH = 9 };
    const struct consumer_group *group = owner->state;
    if (caller->epoch < 0 && group->member_count == 0) return ERROR_NONE;
    if (caller->transactional && is_anonymous(caller)) return ERROR_NONE;
    const struct consumer_member *member = consumer_find_member(group, caller->member_id);
    if (!member) return ERROR_UNKNOWN_MEMBER_ID;
    if (!caller->transactional && caller->version < VERSION_WITH_EPOCH)
        return ERROR_UNSUPPORTED_VERSION;
    return caller->epoch > member->current.epoch ? ERROR_STALE_MEMBER_EPOCH : ERROR_NONE;
}

/* A member that has not heard of its newest epoch yet commits what it has had since then or longer
 * (KIP-1251): nobody else had it in between. */
static enum error_code check_commit_partition(const struct group *owner,
                                              const struct offset_caller *caller,
                                              const struct uuid *topic_id, int32_t index) {
    const struct consumer_member *member = consumer_find_member(owner->state, caller->member_id);
    if (!member || caller->epoch == member->current.epoch) return ERROR_NONE;
    const struct consumer_partition wanted = {*topic_id, index, 0};
    const struct consumer_partition *held =
        consumer_partitions_find(&member->current.assigned, &wanted);
    if (!held) held = consumer_partitions_find(&member->current.revoking, &wanted);
    return held && caller->epoch >= held->epoch ? ERROR_NONE : ERROR_STALE_MEMBER_EPOCH;
}

static enum error_code check_fetch(struct group *owner, const struct offset_caller *caller) {
    if (caller->member_id.len == 0 && caller->epoch < 0) return ERROR_NONE;
    return check_epoch(owner->state, caller);
}

/* Offsets of topics that nobody subscribes to may go while there are members. */
static enum error_code check_offset_delete(const struct group *owner) {
    (void)owner;
    return ERROR_NONE;
}

static enum error_code check_delete(const struct group *owner) {
    return has_members(owner) ? ERROR_NON_EMPTY_GROUP : ERROR_NONE;
}

/* --- records --- */

static void erase(struct group *owner) {
    struct consumer_group *group = owner->state;
    check(group->member_count == 0);
    if (group->unused_patterns) consumer_sweep_patterns(group);
    if (group->recorded) consumer_erase_group(group);
}

static void image(struct group *owner) {
    struct consumer_group *group = owner->state;
    if (!group->recorded) return;
    consumer_write_epoch(group);
    for (struct map_node *node = map_first(&group->patterns); node;
         node = map_next(&group->patterns, node)) {
        struct consumer_pattern *pattern = map_entry(node, struct consumer_pattern, by_text);
        if (pattern->resolved) consumer_write_pattern(pattern);
    }
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node)) {
        struct consumer_member *member = map_entry(node, struct consumer_member, by_id);
        consumer_write_member(member);
        consumer_write_target(member);
        consumer_write_current(member);
    }
    consumer_write_target_epoch(group);
}

static size_t topics_bytes(const struct consumer_topics *topics) {
    size_t bytes = 0;
    for (int32_t i = 0; i < topics->count; i++) bytes += topics->items[i]->name.len + 1;
    return bytes;
}

static size_t image_bytes(const struct group *owner) {
    enum { RECORD_BYTES = 48, PARTITION_BYTES = 5 };
    const struct consumer_group *group = owner->state;
    size_t bytes = 2 * (RECORD_BYTES + owner->id.len);
    for (struct map_node *node = map_first(&group->patterns); node;
         node = map_next(&group->patterns, node))
        bytes += topics_bytes(&map_entry(node, struct consumer_pattern, by_text)->topics);
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node)) {
        const struct consumer_member *member = map_entry(node, struct consumer_member, by_id);
        size_t partitions = (size_t)(member->target.count + member->current.assigned.count +
                                     member->current.revoking.count);
        bytes += 3 * (RECORD_BYTES + owner->id.len + member->id.len) +
                 partitions * PARTITION_BYTES + topics_bytes(&member->subscription->topics);
    }
    return bytes;
}

/* --- after replay, and when topics change --- */

/* Of which the log has not all: a crash between two batches, or records of another broker. */
static void drop_half_members(struct consumer_group *group) {
    struct map_node *next;
    for (struct map_node *node = map_first(&group->members); node; node = next) {
        struct consumer_member *member = map_entry(node, struct consumer_member, by_id);
        next = map_next(&group->members, node);
        if (!member->subscription) consumer_fence_member(member);
    }
}

/* The group's own record is the last of those that are written together: it may be missing. */
static void catch_up_epoch(struct consumer_group *group) {
    int32_t newest = group->target_epoch;
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node)) {
        int32_t epoch = map_entry(node, struct consumer_member, by_id)->current.epoch;
        if (epoch > newest) newest = epoch;
    }
    bool behind = group->epoch < newest || (group->member_count > 0 && !group->recorded);
    if (group->epoch < newest) group->epoch = newest;
    if (behind) consumer_bump(group);
}

static void loaded(struct group *owner) {
    struct consumer_group *group = owner->state;
    if (is_gone(owner)) return;
    drop_half_members(group);
    catch_up_epoch(group);
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node)) {
        struct consumer_member *member = map_entry(node, struct consumer_member, by_id);
        consumer_hear_member(member);
        consumer_watch_rebalance(member);
    }
    for (struct map_node *node = map_first(&group->patterns); node;
         node = map_next(&group->patterns, node)) {
        struct consumer_pattern *pattern = map_entry(node, struct consumer_pattern, by_text);
        if (pattern->references) consumer_resolve_pattern(pattern);
    }
    consumer_settle(group);
}

static void catalog_changed(struct group *owner) {
    consumer_match_new_topics(owner->state);
    consumer_settle(owner->state);
}

const struct group_kind consumer_kind = {
    .type = GROUP_CONSUMER,
    .make = make,
    .free = free_group,
    .state_name = state_name,
    .protocol_type = protocol_type,
    .has_members = has_members,
    .is_gone = is_gone,
    .subscribes = subscribes,
    .empty_since_ms = empty_since_ms,
    .check_commit = check_commit,
    .check_commit_partition = check_commit_partition,
    .check_fetch = check_fetch,
    .check_offset_delete = check_offset_delete,
    .check_delete = check_delete,
    .erase = erase,
    .image = image,
    .image_bytes = image_bytes,
    .loaded = loaded,
    .catalog_changed = catalog_changed,
};
