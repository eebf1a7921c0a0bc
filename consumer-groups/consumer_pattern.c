/* The patterns that members of a group subscribe with, and the topics that each has. */
#include "base/check.h"
#include "base/say.h"
#include "consumer-groups/consumer_group.h"

/* So many steps of matching are done at once; more go to a worker. */
enum { STEPS_AT_ONCE = 200 * 1000, NAME_BYTES = 32 };

struct consumer_pattern *consumer_find_pattern(const struct consumer_group *group,
                                               struct bytes text) {
    struct map_node *node = map_find(&group->patterns, hash_bytes(text));
    for (; node; node = map_find_next(node)) {
        struct consumer_pattern *pattern = map_entry(node, struct consumer_pattern, by_text);
        if (bytes_equal(pattern->text, text)) return pattern;
    }
    return NULL;
}

struct consumer_pattern *consumer_take_pattern(struct consumer_group *group, struct bytes text,
                                               struct error *error) {
    struct consumer_pattern *pattern = consumer_find_pattern(group, text);
    if (!pattern) {
        struct topic_pattern *compiled = topic_pattern_new(text, error);
        if (!compiled) return NULL;
        pattern = memory_zero(1, sizeof *pattern + text.len);
        memcpy(pattern + 1, text.at, text.len);
        pattern->text = bytes_make(pattern + 1, text.len);
        pattern->group = group;
        pattern->compiled = compiled;
        map_insert(&group->patterns, &pattern->by_text, hash_bytes(text));
        group->unused_patterns++;
    }
    group->unused_patterns -= pattern->references++ == 0;
    return pattern;
}

/* --- resolving --- */

/* On its way to a worker and back; the pattern may go meanwhile. */
struct consumer_resolving {
    struct work work;
    struct coordinator_call call;
    struct coordinator *coordinator;
    struct consumer_pattern *pattern; /* NULL: gone */
    struct topic_pattern *compiled;   /* its own */
    int64_t version;
    int32_t count, matched;
    struct bytes *names; /* in `texts`; the first `matched` are the result */
    bool *internal;
    uint8_t *texts;
};

static int32_t keep_matching(const struct topic_pattern *compiled, struct bytes *names,
                             const bool *internal, int32_t count) {
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++)
        if (topic_pattern_matches(compiled, names[i], internal[i])) names[kept++] = names[i];
    return kept;
}

/* What cannot be stored is not subscribed to: the names are sorted, so the same ones each time. */
static int32_t count_storable(const struct bytes *names, int32_t count) {
    size_t bytes = 0;
    for (int32_t i = 0; i < count; i++) {
        bytes += names[i].len + 2;
        if (bytes > PATTERN_TOPICS_BYTES_MAX) return i;
    }
    return count;
}

static void take_result(struct consumer_pattern *pattern, const struct bytes *names, int32_t count,
                        int64_t version) {
    const struct groups *groups = pattern->group->group->groups;
    int32_t storable = count_storable(names, count);
    if (storable < count)
        say_warning("a pattern of group %.*s has %d topics, of which %d are subscribed to",
                    BYTES_FORMAT(pattern->group->group->id), count, storable);
    consumer_topics_set(pattern->group, &pattern->topics, names, storable);
    pattern->version = version;
    pattern->resolved_ms = coordinator_wall_ms(groups->coordinator);
    consumer_write_pattern(pattern);
}

/* Copies of all names, sorted. */
static struct consumer_resolving *resolving_new(const struct groups *groups) {
    struct consumer_resolving *resolving = new_zero(struct consumer_resolving);
    size_t count, bytes = 0;
    struct catalog_topic **topics = catalog_topics_sorted(groups->catalog, &count);
    for (size_t i = 0; i < count; i++) bytes += strlen(topics[i]->name);
    resolving->count = (int32_t)count;
    resolving->names = memory_zero(count + 1, sizeof *resolving->names);
    resolving->internal = memory_zero(count + 1, sizeof *resolving->internal);
    resolving->texts = memory_new(bytes);
    uint8_t *at = resolving->texts;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(topics[i]->name);
        memcpy(at, topics[i]->name, len);
        resolving->names[i] = bytes_make(at, len);
        resolving->internal[i] = topics[i]->internal;
        at += len;
    }
    free(topics);
    resolving->coordinator = groups->coordinator;
    resolving->version = (int64_t)groups->catalog->version;
    return resolving;
}

static void resolving_free(struct consumer_resolving *resolving) {
    if (resolving->pattern) resolving->pattern->resolving = NULL;
    topic_pattern_free(resolving->compiled);
    free(resolving->names);
    free(resolving->internal);
    free(resolving->texts);
    free(resolving);
}

static void on_worker(struct work *work) {
    struct consumer_resolving *resolving = container_of(work, struct consumer_resolving, work);
    resolving->matched =
        keep_matching(resolving->compiled, resolving->names, resolving->internal, resolving->count);
}

/* Topics that appeared since the names were taken were tested alone: those stay. */
static void take_union(struct consumer_pattern *pattern,
                       const struct consumer_resolving *resolving) {
    int32_t count = resolving->matched;
    struct bytes *names = memory_zero((size_t)(count + pattern->topics.count) + 1, sizeof *names);
    memcpy(names, resolving->names, (size_t)count * sizeof *names);
    for (int32_t i = 0; i < pattern->topics.count; i++)
        names[count++] = pattern->topics.items[i]->name;
    take_result(pattern, names, count, resolving->version);
    free(names);
}

static void on_result(struct coordinator_call *call, void *state) {
    struct consumer_resolving *resolving = container_of(call, struct consumer_resolving, call);
    struct consumer_pattern *pattern = resolving->pattern;
    (void)state;
    if (pattern) {
        take_union(pattern, resolving);
        consumer_settle(pattern->group);
    }
    coordinator_finish(call, 0);
}

static void on_result_done(struct coordinator_call *call) {
    struct consumer_resolving *resolving = container_of(call, struct consumer_resolving, call);
    struct coordinator *coordinator = resolving->coordinator;
    resolving_free(resolving);
    coordinator_drop(coordinator);
}

static void on_worker_done(struct work *work) {
    struct consumer_resolving *resolving = container_of(work, struct consumer_resolving, work);
    resolving->call =
        (struct coordinator_call){.run = on_result, .done = on_result_done, .writes = true};
    coordinator_submit(resolving->coordinator, &resolving->call);
}

static void send_to_worker(struct consumer_pattern *pattern, struct consumer_resolving *resolving) {
    struct error error;
    resolving->pattern = pattern;
    resolving->compiled = topic_pattern_new(pattern->text, &error);
    check(resolving->compiled);
    pattern->resolving = resolving;
    resolving->work = (struct work){.run = on_worker, .done = on_worker_done};
    coordinator_hold(resolving->coordinator);
    ring_work(coordinator_ring(resolving->coordinator), &resolving->work);
}

void consumer_resolve_pattern(struct consumer_pattern *pattern) {
    const struct groups *groups = pattern->group->group->groups;
    if (pattern->resolving) return;
    struct consumer_resolving *resolving = resolving_new(groups);
    int64_t steps =
        (int64_t)resolving->count * NAME_BYTES * topic_pattern_states(pattern->compiled);
    if (steps > STEPS_AT_ONCE) {
        send_to_worker(pattern, resolving);
        return;
    }
    int32_t matched =
        keep_matching(pattern->compiled, resolving->names, resolving->internal, resolving->count);
    take_result(pattern, resolving->names, matched, resolving->version);
    resolving_free(resolving);
}

/* --- new topics --- */

/* Those of the catalog that are newer than the partition id, in the arena: partition ids only rise,
 * so what has higher ones than were given out then is new. */
static const struct catalog_topic **find_new_topics(const struct catalog *catalog, uint32_t seen,
                                                    struct arena *arena, int32_t *count) {
    const struct catalog_topic **topics =
        arena_array(arena, const struct catalog_topic *, catalog->topics_by_name.count);
    *count = 0;
    for (struct map_node *node = map_first(&catalog->topics_by_name); node;
         node = map_next(&catalog->topics_by_name, node)) {
        const struct catalog_topic *topic = map_entry(node, struct catalog_topic, by_name);
        if (topic->partition_count > 0 && topic->partitions[0].id >= seen)
            topics[(*count)++] = topic;
    }
    return topics;
}

/* Those alone are tested; what they add is written once. */
static void match_topics(struct consumer_pattern *pattern, const struct catalog_topic **topics,
                         int32_t count, struct arena *arena) {
    int32_t had = pattern->topics.count, total = had;
    struct bytes *names = arena_array(arena, struct bytes, (size_t)(had + count));
    for (int32_t i = 0; i < had; i++) names[i] = pattern->topics.items[i]->name;
    for (int32_t i = 0; i < count; i++) {
        struct bytes name = bytes_of_text(topics[i]->name);
        if (consumer_topics_have(&pattern->topics, name)) continue;
        if (topic_pattern_matches(pattern->compiled, name, topics[i]->internal))
            names[total++] = name;
    }
    if (total == had) return;
    take_result(pattern, names, total, (int64_t)pattern->group->group->groups->catalog->version);
}

void consumer_match_new_topics(struct consumer_group *group) {
    const struct catalog *catalog = group->group->groups->catalog;
    uint32_t seen = group->partition_id_seen;
    struct arena arena;
    int32_t count;
    group->partition_id_seen = catalog->partition_id_next;
    if (group->patterns.count == 0 || seen == catalog->partition_id_next) return;
    arena_init(&arena, SIZE_MAX);
    const struct catalog_topic **topics = find_new_topics(catalog, seen, &arena, &count);
    for (struct map_node *node = map_first(&group->patterns); node && count > 0;
         node = map_next(&group->patterns, node))
        match_topics(map_entry(node, struct consumer_pattern, by_text), topics, count, &arena);
    arena_deinit(&arena);
}

/* --- going --- */

void consumer_remove_pattern(struct consumer_pattern *pattern) {
    struct consumer_group *group = pattern->group;
    if (pattern->resolving) pattern->resolving->pattern = NULL;
    group->unused_patterns -= pattern->references == 0;
    consumer_topics_set(group, &pattern->topics, NULL, 0);
    map_remove(&group->patterns, &pattern->by_text);
    topic_pattern_free(pattern->compiled);
    free(pattern);
}

void consumer_drop_pattern(struct consumer_pattern *pattern) {
    check(pattern->references > 0);
    pattern->group->unused_patterns += --pattern->references == 0;
}

void consumer_sweep_patterns(struct consumer_group *group) {
    struct map_node *next;
    if (group->unused_patterns == 0) return;
    for (struct map_node *node = map_first(&group->patterns); node; node = next) {
        struct consumer_pattern *pattern = map_entry(node, struct consumer_pattern, by_text);
        next = map_next(&group->patterns, node);
        if (pattern->references > 0) continue;
        if (pattern->resolved) consumer_erase_pattern(group, pattern->text);
        consumer_remove_pattern(pattern);
    }
    check(group->unused_patterns == 0);
}
