/* What members of a classic group have in common: the protocols that all of them have, the one that
 * is chosen, and, for consumers, the topics that they subscribe to. */
#include "base/check.h"
#include "consumer-groups/classic_group.h"
#include "consumer-groups/consumer_protocol.h"

/* --- protocols --- */

/* How many members have a protocol. */
struct supported_protocol {
    struct map_node by_name;
    int32_t count;
    struct bytes name; /* behind this struct */
};

static struct supported_protocol *find_supported(const struct classic_group *group,
                                                 struct bytes name) {
    struct map_node *node = map_find(&group->supported, hash_bytes(name));
    for (; node; node = map_find_next(node)) {
        struct supported_protocol *found = map_entry(node, struct supported_protocol, by_name);
        if (bytes_equal(found->name, name)) return found;
    }
    return NULL;
}

static void count_protocol(struct classic_group *group, struct bytes name, int32_t by) {
    struct supported_protocol *found = find_supported(group, name);
    if (!found) {
        found = memory_zero(1, sizeof *found + name.len);
        if (name.len > 0) memcpy(found + 1, name.at, name.len);
        found->name = bytes_make(found + 1, name.len);
        map_insert(&group->supported, &found->by_name, hash_bytes(name));
    }
    found->count += by;
    if (found->count > 0) return;
    map_remove(&group->supported, &found->by_name);
    free(found);
}

/* A name that comes twice counts once. */
static bool is_repeated(const struct member_protocol *protocols, int32_t at) {
    for (int32_t i = 0; i < at; i++)
        if (bytes_equal(protocols[i].name, protocols[at].name)) return true;
    return false;
}

void classic_count_protocols(struct classic_member *member, int32_t by) {
    struct classic_group *group = member->group->state;
    for (int32_t i = 0; i < member->protocol_count; i++)
        if (!is_repeated(member->protocols, i))
            count_protocol(group, member->protocols[i].name, by);
}

static bool all_have(const struct classic_group *group, struct bytes protocol) {
    const struct supported_protocol *found = find_supported(group, protocol);
    return found && found->count == group->member_count;
}

bool classic_supports(const struct classic_group *group, struct bytes protocol_type,
                      const struct member_protocol *protocols, int32_t count) {
    if (group->state == CLASSIC_EMPTY) return protocol_type.len > 0 && count > 0;
    if (!bytes_equal(group->protocol_type, protocol_type)) return false;
    for (int32_t i = 0; i < count; i++)
        if (all_have(group, protocols[i].name)) return true;
    return group->member_count == 0 && count > 0;
}

/* The member's vote among the first member's protocols, of which all that count are. */
static int32_t vote_of(const struct classic_group *group, const struct classic_member *member,
                       const struct classic_member *first) {
    for (int32_t i = 0; i < member->protocol_count; i++) {
        if (!all_have(group, member->protocols[i].name)) continue;
        for (int32_t j = 0; j < first->protocol_count; j++)
            if (bytes_equal(first->protocols[j].name, member->protocols[i].name)) return j;
    }
    unreachable(); /* a member without a protocol in common was not let in */
}

struct bytes classic_select_protocol(const struct classic_group *group) {
    const struct classic_member *first =
        list_entry(list_first(&group->order), struct classic_member, link);
    int32_t votes[MEMBER_PROTOCOLS_MAX] = {0}, best = 0;
    check(first->protocol_count <= MEMBER_PROTOCOLS_MAX);
    list_each(node, (struct list *)&group->order) {
        votes[vote_of(group, list_entry(node, struct classic_member, link), first)]++;
    }
    for (int32_t i = 1; i < first->protocol_count; i++)
        if (votes[i] > votes[best]) best = i;
    return first->protocols[best].name;
}

/* --- subscriptions --- */

int classic_compare_topics(const void *a, const void *b) {
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

void classic_forget_topics(struct classic_group *group) {
    for (int32_t i = 0; i < group->topic_count; i++) free((void *)group->topics[i].at);
    free(group->topics);
    group->topics = NULL;
    group->topic_count = 0;
    group->topics_known = false;
}

static void add_topics(struct classic_group *group, const struct bytes *topics, int32_t count) {
    size_t total = (size_t)group->topic_count + (size_t)count;
    group->topics = memory_resize(group->topics, (total ? total : 1) * sizeof *group->topics);
    for (int32_t i = 0; i < count; i++) {
        struct bytes *copy = group->topics + group->topic_count++;
        *copy = BYTES_NULL;
        group_set_text(copy, topics[i]);
    }
}

/* Members mostly say the same: kept sorted and each once. */
static void sort_topics(struct classic_group *group) {
    if (group->topic_count == 0) return;
    qsort(group->topics, (size_t)group->topic_count, sizeof *group->topics, classic_compare_topics);
    int32_t kept = 1;
    for (int32_t i = 1; i < group->topic_count; i++) {
        if (bytes_equal(group->topics[i], group->topics[kept - 1]))
            free((void *)group->topics[i].at);
        else
            group->topics[kept++] = group->topics[i];
    }
    group->topic_count = kept;
}

static bool read_member_topics(struct classic_group *group, const struct classic_member *member) {
    struct arena arena;
    struct bytes *topics;
    int32_t count;
    arena_init(&arena, 2 * MEMBER_METADATA_BYTES_MAX * sizeof *topics);
    bool read = consumer_protocol_topics(classic_member_metadata(member, group->protocol), &arena,
                                         &topics, &count);
    if (read) add_topics(group, topics, count);
    arena_deinit(&arena);
    sort_topics(group);
    return read;
}

void classic_read_topics(struct classic_group *group) {
    classic_forget_topics(group);
    if (!bytes_equal(group->protocol_type, CLASSIC_CONSUMER_TYPE)) return;
    group->topics_known = true;
    if (group->member_count == 0) return;
    list_each(node, &group->order) {
        if (read_member_topics(group, list_entry(node, struct classic_member, link))) continue;
        classic_forget_topics(group);
        return;
    }
}
