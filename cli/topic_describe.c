/* millrace topic describe: partitions, offsets and configs of topics. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/offsets.h"
#include "cli/topic_configs.h"

enum { SOURCE_TOPIC = 1 };

struct description {
    struct session *session;
    const char *name;
    const struct metadata_response_metadata_response_topic *topic;
    struct offset_wish *starts, *ends; /* by position in topic->partitions */
    const struct describe_configs_response_describe_configs_result *configs;
};

static struct offset_wish *describe_offsets(const struct description *topic, int64_t timestamp) {
    struct session *session = topic->session;
    size_t count = (size_t)topic->topic->partitions_count;
    struct offset_wish *wishes = arena_array(&session->arena, struct offset_wish, count);
    for (size_t at = 0; at < count; at++)
        wishes[at] = (struct offset_wish){topic->topic->partitions[at].partition_index,
                                          topic->topic->partitions[at].leader_id, timestamp, -1};
    bool good =
        offsets_list(session->cluster, topic->name, wishes, count, &session->arena, session->error);
    return good ? wishes : NULL;
}

static bool is_shown(const struct description *topic, int32_t at) {
    return topic->session->settings->all ||
           topic->configs->configs[at].config_source == SOURCE_TOPIC;
}

static void print_text(const struct description *topic, struct text *out) {
    char id[UUID_TEXT_SIZE];
    uuid_format(&topic->topic->topic_id, id);
    text_printf(out, "%s  id %s  %d partition%s\n", topic->name, id, topic->topic->partitions_count,
                topic->topic->partitions_count == 1 ? "" : "s");
    text_printf(out, "  %9s  %6s  %14s  %14s\n", "partition", "leader", "first offset",
                "next offset");
    for (int32_t at = 0; at < topic->topic->partitions_count; at++)
        text_printf(out, "  %9d  %6d  %14lld  %14lld\n",
                    topic->topic->partitions[at].partition_index,
                    topic->topic->partitions[at].leader_id, (long long)topic->starts[at].offset,
                    (long long)topic->ends[at].offset);
    for (int32_t at = 0; at < topic->configs->configs_count; at++)
        if (is_shown(topic, at))
            text_printf(out, "  %.*s=%.*s\n", BYTES_FORMAT(topic->configs->configs[at].name),
                        BYTES_FORMAT(topic->configs->configs[at].value));
}

static void print_json_partition(const struct description *topic, int32_t at, struct text *out) {
    text_printf(out, "%s{\"partition\": %d, \"leader\": %d, \"first_offset\": %lld, ",
                at ? ", " : "", topic->topic->partitions[at].partition_index,
                topic->topic->partitions[at].leader_id, (long long)topic->starts[at].offset);
    text_printf(out, "\"next_offset\": %lld}", (long long)topic->ends[at].offset);
}

static void print_json(const struct description *topic, struct text *out) {
    char id[UUID_TEXT_SIZE];
    bool first = true;
    uuid_format(&topic->topic->topic_id, id);
    text_append(out, BYTES_OF("{\"topic\": "));
    text_append_json(out, bytes_of_text(topic->name));
    text_printf(out, ", \"id\": \"%s\", \"partitions\": [", id);
    for (int32_t at = 0; at < topic->topic->partitions_count; at++)
        print_json_partition(topic, at, out);
    text_append(out, BYTES_OF("], \"configs\": {"));
    for (int32_t at = 0; at < topic->configs->configs_count; at++) {
        if (!is_shown(topic, at)) continue;
        text_append(out, bytes_of_text(first ? "" : ", "));
        text_append_json(out, topic->configs->configs[at].name);
        text_append(out, BYTES_OF(": "));
        text_append_json(out, topic->configs->configs[at].value);
        first = false;
    }
    text_append(out, BYTES_OF("}}\n"));
}

static bool describe(struct session *session, const char *name) {
    struct description topic = {.session = session, .name = name};
    struct cluster *cluster = session->cluster;
    struct arena *arena = &session->arena;
    struct text out = {0};
    if (!cluster_topic(cluster, name, false, arena, &topic.topic, session->error)) return false;
    topic.starts = describe_offsets(&topic, OFFSETS_EARLIEST);
    if (!topic.starts) return false;
    topic.ends = describe_offsets(&topic, OFFSETS_LATEST);
    if (!topic.ends) return false;
    topic.configs = topic_configs_read(cluster, name, NULL, arena, session->error);
    if (!topic.configs) return false;
    if (session->settings->json)
        print_json(&topic, &out);
    else
        print_text(&topic, &out);
    return command_print(&out, session->error);
}

static bool work(struct session *session) { return session_each_name(session, describe); }

static const struct flag flags[] = {
    {"all", 'a', FLAG_SWITCH, SETTING(all), NULL,
     "All configs, not only those that were set on the topic.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each topic.", 0},
};

const struct command command_topic_describe = {
    .name = "topic describe",
    .usage = "NAME... [FLAGS]",
    .summary = "Show a topic's partitions, offsets and configs.",
    .text = "  millrace topic describe orders --all\n",
    .flags = FLAGS(flags),
    .names_min = 1,
    .names_max = SETTINGS_LIST_MAX,
    .names = "a topic's name",
    .work = work,
};
