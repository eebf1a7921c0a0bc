/* Offsets that are forgotten without anybody asking: by retention (KIP-211), and with their topic.
 *
 * Retention counts from the moment when the group lost its last member; for a consumer that manages
 * itself, and for a topic that a stable group does not subscribe to any more, from the commit. Not
 * in a rebalance: who subscribes to what is not known then. */
#include "base/say.h"
#include "consumer-groups/classic_group.h"
#include "consumer-groups/offsets.h"

#define MINUTE_MS 60000ll

struct expiry {
    int64_t now_ms, retention_ms;
    int64_t since_ms; /* -1: from each commit */
    bool may_expire;
    size_t count;
};

/* A group that has members tells what it subscribes to only when it is settled. */
static bool is_settled(const struct group *group) {
    const struct classic_group *classic = classic_of(group);
    return !classic || (classic->state == CLASSIC_STABLE && classic->topics_known);
}

static void expire_one(struct group *group, struct offset_topic *topic,
                       struct committed_offset *offset, void *context) {
    struct expiry *expiry = context;
    int64_t since_ms = expiry->since_ms >= 0 ? expiry->since_ms : offset->commit_ms;
    bool is_old = offset->expire_ms >= 0 ? expiry->now_ms >= offset->expire_ms
                                         : expiry->now_ms - since_ms >= expiry->retention_ms;
    if (!is_old || group->kind->subscribes(group, topic->name)) return;
    offsets_erase(group, topic->name, offset->partition);
    expiry->count++;
}

static void expire_group(struct group *group, struct expiry *expiry) {
    bool has_members = group->kind->has_members(group);
    if (has_members && !is_settled(group)) return;
    expiry->since_ms = has_members ? -1 : group->kind->empty_since_ms(group);
    if (group->offsets) offsets_each(group, expire_one, expiry);
    if (group->offsets || has_members) return;
    group->kind->erase(group);
    group_drop_if_gone(group);
}

void offsets_expire(struct groups *groups) {
    struct expiry expiry = {
        .now_ms = coordinator_wall_ms(groups->coordinator),
        .retention_ms = groups->catalog->options->offsets_retention_minutes * MINUTE_MS};
    list_each(node, &groups->all) expire_group(list_entry(node, struct group, link), &expiry);
    list_each(node, &groups->image_left)
        expire_group(list_entry(node, struct group, link), &expiry);
    if (expiry.count > 0) say_info("groups: %zu offsets have expired", expiry.count);
}

/* --- topics that are deleted --- */

static void forget_in_group(struct group *group, struct bytes name, const struct uuid *id) {
    const struct offset_topic *topic = offsets_find_topic(group, name);
    if (!topic) return;
    const struct map *partitions = &topic->partitions;
    struct map_node *node = map_first(partitions), *next;
    for (; node; node = next) {
        next = map_next(partitions, node);
        const struct committed_offset *offset = map_entry(node, struct committed_offset, by_index);
        if (uuid_is_zero(&offset->topic_id) || uuid_equal(&offset->topic_id, id))
            offsets_erase(group, name, offset->partition);
    }
    group_drop_if_gone(group);
}

static void forget_topic(struct groups *groups, const struct deleted_topic *topic) {
    list_each(node, &groups->all) {
        forget_in_group(list_entry(node, struct group, link), topic->name, &topic->id);
    }
    list_each(node, &groups->image_left) {
        forget_in_group(list_entry(node, struct group, link), topic->name, &topic->id);
    }
}

static void start_forget(struct groups *groups, struct group_call *call) {
    const struct deleted_topics *topics = call->request;
    int64_t before = coordinator_end(groups->coordinator);
    for (int32_t i = 0; i < topics->count; i++) forget_topic(groups, topics->items + i);
    int64_t after = coordinator_end(groups->coordinator);
    coordinator_finish(&call->call, after > before ? after : 0);
}

/* A coordinator that is not there now drops those offsets when it loads. */
static void refuse_forget(struct group_call *call, enum error_code code) {
    (void)call;
    (void)code;
}

const struct group_api offsets_forget_api = {
    .start = start_forget, .refuse = refuse_forget, .writes = true};

/* --- topics that were deleted while the log was read --- */

static void drop_if_dead(struct group *group, struct offset_topic *topic,
                         struct committed_offset *offset, void *context) {
    (void)context;
    if (offsets_is_dead(group->groups, topic->name, &offset->topic_id))
        offsets_erase(group, topic->name, offset->partition);
}

void offsets_drop_dead(struct group *group) {
    if (group->offsets) offsets_each(group, drop_if_dead, NULL);
}
