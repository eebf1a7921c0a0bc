/* ConsumerGroupDescribe, of one group. The group keeps a subscription once, the answer says it for
 * each member: so the answer may be far longer than the group is large, and has to find room. */
#include <stdatomic.h>

#include "base/check.h"
#include "consumer-groups/consumer_group.h"
#include "protocol/consumer_group_describe.h"

typedef struct consumer_group_describe_response_described_group described_group;
typedef struct consumer_group_describe_response_member described_member;
typedef struct consumer_group_describe_response_assignment described_assignment;
typedef struct consumer_group_describe_response_topic_partitions described_topic;

enum { MEMBER_TYPE_CONSUMER = 1, TOPIC_NAME_BYTES_MAX = 249 };

static void refuse(struct group_call *call, enum error_code code) {
    described_group *response = call->response;
    response->error_code = (int16_t)code;
    if (bytes_is_null(response->error_message))
        response->error_message = bytes_of_text(error_code_message((int16_t)code));
}

/* Topics that are not there any more have no name to show. */
static void describe_partitions(const struct groups *groups, struct arena *arena,
                                const struct consumer_partitions *set, described_assignment *out) {
    int32_t count;
    const struct consumer_run *runs = consumer_partitions_to_runs(set, arena, &count);
    out->topic_partitions = arena_array(arena, described_topic, (size_t)count);
    out->topic_partitions_count = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct catalog_topic *topic =
            catalog_find_topic_id(groups->catalog, &runs[i].topic_id);
        if (!topic) continue;
        out->topic_partitions[out->topic_partitions_count++] =
            (described_topic){.topic_id = runs[i].topic_id,
                              .topic_name = arena_copy(arena, bytes_of_text(topic->name)),
                              .partitions_count = runs[i].count,
                              .partitions = runs[i].indexes};
    }
}

static struct bytes copy_text(struct arena *arena, struct bytes text) {
    return bytes_is_null(text) ? BYTES_NULL : arena_copy(arena, text);
}

static void describe_subscription(struct arena *arena,
                                  const struct consumer_subscription *subscription,
                                  described_member *out) {
    int32_t count = subscription->topics.count;
    out->subscribed_topic_names_count = count;
    out->subscribed_topic_names = arena_array(arena, struct bytes, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        out->subscribed_topic_names[i] = arena_copy(arena, subscription->topics.items[i]->name);
    out->subscribed_topic_regex =
        subscription->pattern ? arena_copy(arena, subscription->pattern->text) : BYTES_NULL;
}

static void describe_member(const struct groups *groups, struct arena *arena,
                            const struct consumer_member *member, described_member *out) {
    out->member_id = arena_copy(arena, member->id);
    out->instance_id = copy_text(arena, member->instance_id);
    out->rack_id = copy_text(arena, member->rack_id);
    out->member_epoch = member->current.epoch;
    out->client_id = arena_copy(arena, member->client_id);
    out->client_host = arena_copy(arena, member->client_host);
    out->member_type = MEMBER_TYPE_CONSUMER;
    describe_subscription(arena, member->subscription, out);
    describe_partitions(groups, arena, &member->current.assigned, &out->assignment);
    describe_partitions(groups, arena, &member->target, &out->target_assignment);
}

/* --- how long it will be --- */

static size_t partitions_bytes(const struct consumer_partitions *set) {
    size_t topics = 0;
    for (int32_t i = 0; i < set->count; i += consumer_partitions_run(set, i)) topics++;
    return topics * (sizeof(struct consumer_run) + sizeof(described_topic) + TOPIC_NAME_BYTES_MAX) +
           (size_t)set->count * 2 * sizeof(int32_t);
}

static size_t subscription_bytes(const struct consumer_subscription *subscription) {
    size_t bytes = subscription->pattern ? subscription->pattern->text.len : 0;
    for (int32_t i = 0; i < subscription->topics.count; i++)
        bytes += sizeof(struct bytes) + subscription->topics.items[i]->name.len;
    return bytes;
}

static size_t member_bytes(const struct consumer_member *member) {
    return sizeof(described_member) + member->id.len + member->instance_id.len +
           member->rack_id.len + member->client_id.len + member->client_host.len +
           partitions_bytes(&member->current.assigned) + partitions_bytes(&member->target);
}

static size_t group_bytes(const struct consumer_group *group) {
    size_t bytes = 0;
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node))
        bytes += member_bytes(map_entry(node, struct consumer_member, by_id));
    for (struct map_node *node = map_first(&group->subscriptions); node;
         node = map_next(&group->subscriptions, node)) {
        const struct consumer_subscription *subscription =
            map_entry(node, struct consumer_subscription, by_content);
        bytes += subscription->members * subscription_bytes(subscription);
    }
    return bytes;
}

static bool take_room(_Atomic int64_t *room, const struct consumer_group *group) {
    int64_t bytes = (int64_t)group_bytes(group);
    if (!room || atomic_fetch_sub(room, bytes) >= bytes) return true;
    atomic_fetch_add(room, bytes);
    return false;
}

/* --- the group --- */

static int compare_members(const void *left, const void *right) {
    const described_member *a = left, *b = right;
    return bytes_compare(a->member_id, b->member_id);
}

static void describe(const struct consumer_group *group, struct arena *arena,
                     described_group *out) {
    out->group_state = bytes_of_text(consumer_kind.state_name(group->group));
    out->group_epoch = group->epoch;
    out->assignment_epoch = group->target_epoch;
    out->assignor_name = bytes_of_text(consumer_choose_assignor(group)->name);
    out->members = arena_array(arena, described_member, (size_t)group->member_count);
    for (struct map_node *node = map_first(&group->members); node;
         node = map_next(&group->members, node))
        describe_member(group->group->groups, arena, map_entry(node, struct consumer_member, by_id),
                        &out->members[out->members_count++]);
    qsort(out->members, (size_t)out->members_count, sizeof *out->members, compare_members);
}

static void start(struct groups *groups, struct group_call *call) {
    const struct bytes *id = call->request;
    described_group *response = call->response;
    struct group *group = groups_find(groups, *id);
    response->group_id = *id;
    if (!group || group->kind != &consumer_kind) {
        response->error_message = bytes_of_text(group ? "the group is not a consumer group"
                                                      : "there is no group of this name");
        group_call_refuse(call, group, ERROR_GROUP_ID_NOT_FOUND);
        return;
    }
    if (!take_room(call->room, consumer_of(group))) {
        response->error_message = BYTES_OF(
            "the answer would not fit into the memory budget (memory): each member's subscription "
            "is in it; ask for fewer groups at a time");
        group_call_refuse(call, group, ERROR_INVALID_REQUEST);
        return;
    }
    describe(consumer_of(group), call->arena, response);
    group_call_finish(call, group);
}

const struct group_api consumer_describe_api = {.start = start, .refuse = refuse, .writes = false};
