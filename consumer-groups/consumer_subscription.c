/* What members subscribe to. Members of a group mostly want the same, so equal subscriptions are
 * kept once: what is computed from them is computed once, too. */
#include "base/check.h"
#include "consumer-groups/consumer_group.h"

/* --- topics by name --- */

static struct consumer_topic *find_topic(const struct consumer_group *group, struct bytes name) {
    struct map_node *node = map_find(&group->topics, hash_bytes(name));
    for (; node; node = map_find_next(node)) {
        struct consumer_topic *topic = map_entry(node, struct consumer_topic, by_name);
        if (bytes_equal(topic->name, name)) return topic;
    }
    return NULL;
}

static struct consumer_topic *take_topic(struct consumer_group *group, struct bytes name) {
    struct consumer_topic *topic = find_topic(group, name);
    if (!topic) {
        topic = memory_zero(1, sizeof *topic + name.len);
        memcpy(topic + 1, name.at, name.len);
        topic->name = bytes_make(topic + 1, name.len);
        map_insert(&group->topics, &topic->by_name, hash_bytes(name));
    }
    topic->references++;
    return topic;
}

static void drop_topic(struct consumer_group *group, struct consumer_topic *topic) {
    check(topic->references > 0);
    if (--topic->references > 0) return;
    map_remove(&group->topics, &topic->by_name);
    free(topic);
}

static void drop_topics(struct consumer_group *group, struct consumer_topics *topics) {
    for (int32_t i = 0; i < topics->count; i++) drop_topic(group, topics->items[i]);
    free(topics->items);
    *topics = (struct consumer_topics){0};
}

static int compare_names(const void *left, const void *right) {
    return bytes_compare(*(const struct bytes *)left, *(const struct bytes *)right);
}

/* A heap array of the names, sorted, each once. */
static struct bytes *sort_names(const struct bytes *names, int32_t *count) {
    if (*count == 0) return NULL;
    struct bytes *sorted = memory_new((size_t)*count * sizeof *sorted);
    memcpy(sorted, names, (size_t)*count * sizeof *sorted);
    qsort(sorted, (size_t)*count, sizeof *sorted, compare_names);
    int32_t kept = 1;
    for (int32_t i = 1; i < *count; i++)
        if (!bytes_equal(sorted[i], sorted[kept - 1])) sorted[kept++] = sorted[i];
    *count = kept;
    return sorted;
}

static void topics_take(struct consumer_group *group, struct consumer_topics *topics,
                        const struct bytes *sorted, int32_t count) {
    topics->count = count;
    topics->items = count ? memory_zero((size_t)count, sizeof *topics->items) : NULL;
    for (int32_t i = 0; i < count; i++) topics->items[i] = take_topic(group, sorted[i]);
}

void consumer_topics_set(struct consumer_group *group, struct consumer_topics *topics,
                         const struct bytes *names, int32_t count) {
    struct consumer_topics old = *topics;
    struct bytes *sorted = sort_names(names, &count);
    topics_take(group, topics, sorted, count);
    drop_topics(group, &old);
    free(sorted);
}

bool consumer_topics_have(const struct consumer_topics *topics, struct bytes name) {
    int32_t low = 0, high = topics->count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = bytes_compare(topics->items[middle]->name, name);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* --- subscriptions by content --- */

static uint64_t content_hash(const struct bytes *sorted, int32_t count, struct bytes pattern) {
    uint64_t hash = hash_bytes(pattern);
    for (int32_t i = 0; i < count; i++) hash = hash_u64(hash ^ hash_bytes(sorted[i]));
    return hash;
}

static bool has_content(const struct consumer_subscription *subscription,
                        const struct bytes *sorted, int32_t count, struct bytes pattern) {
    struct bytes own = subscription->pattern ? subscription->pattern->text : BYTES_NULL;
    if (subscription->topics.count != count || !bytes_equal(own, pattern)) return false;
    for (int32_t i = 0; i < count; i++)
        if (!bytes_equal(subscription->topics.items[i]->name, sorted[i])) return false;
    return true;
}

static struct consumer_subscription *find_content(const struct consumer_group *group,
                                                  const struct bytes *sorted, int32_t count,
                                                  struct bytes pattern, uint64_t hash) {
    struct map_node *node = map_find(&group->subscriptions, hash);
    for (; node; node = map_find_next(node)) {
        struct consumer_subscription *found =
            map_entry(node, struct consumer_subscription, by_content);
        if (has_content(found, sorted, count, pattern)) return found;
    }
    return NULL;
}

static struct consumer_subscription *make_subscription(struct consumer_group *group,
                                                       const struct bytes *sorted, int32_t count,
                                                       struct bytes pattern, uint64_t hash) {
    struct consumer_subscription *made = new_zero(struct consumer_subscription);
    struct error error;
    topics_take(group, &made->topics, sorted, count);
    if (pattern.len > 0) {
        made->pattern = consumer_take_pattern(group, pattern, &error);
        check(made->pattern);
    }
    map_insert(&group->subscriptions, &made->by_content, hash);
    return made;
}

static void drop_subscription(struct consumer_group *group,
                              struct consumer_subscription *subscription) {
    if (--subscription->members > 0) return;
    map_remove(&group->subscriptions, &subscription->by_content);
    drop_topics(group, &subscription->topics);
    if (subscription->pattern) consumer_drop_pattern(subscription->pattern);
    free(subscription);
}

bool consumer_subscribe(struct consumer_member *member, const struct bytes *names, int32_t count,
                        struct bytes pattern) {
    struct consumer_group *group = member->group;
    struct consumer_subscription *old = member->subscription;
    struct bytes *sorted = sort_names(names, &count);
    bool same = old && has_content(old, sorted, count, pattern);
    if (!same) {
        uint64_t hash = content_hash(sorted, count, pattern);
        struct consumer_subscription *found = find_content(group, sorted, count, pattern, hash);
        if (!found) found = make_subscription(group, sorted, count, pattern, hash);
        found->members++;
        member->subscription = found;
        if (old) drop_subscription(group, old);
    }
    free(sorted);
    return !same;
}

void consumer_unsubscribe(struct consumer_member *member) {
    if (member->subscription) drop_subscription(member->group, member->subscription);
    member->subscription = NULL;
}

bool consumer_member_subscribes(const struct consumer_member *member, struct bytes topic) {
    const struct consumer_subscription *subscription = member->subscription;
    if (!subscription) return false;
    return consumer_topics_have(&subscription->topics, topic) ||
           (subscription->pattern && consumer_topics_have(&subscription->pattern->topics, topic));
}
