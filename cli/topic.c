/* millrace topic create | list | delete | alter. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/topic_config_flags.h"
#include "protocol/create_partitions.h"
#include "protocol/create_topics.h"
#include "protocol/delete_topics.h"

/* The first refusal is the command's; what went well is said as it is found. */
static void session_refuse(struct session *session, bool *good, int16_t code, struct bytes said,
                           const char *doing, struct bytes name) {
    if (*good)
        cluster_refused(session->error, code, said, "cannot %s topic %.*s", doing,
                        BYTES_FORMAT(name));
    else
        fprintf(stderr, "cannot %s topic %.*s: %s\n", doing, BYTES_FORMAT(name),
                error_code_name(code));
    *good = false;
}

static void say_done(const struct settings *settings, const char *done, struct bytes name) {
    struct text out = {0};
    if (settings->json) {
        text_append(&out, BYTES_OF("{\"topic\": "));
        text_append_json(&out, name);
        text_printf(&out, ", \"%s\": true}\n", done);
    } else {
        text_printf(&out, "%s topic %.*s\n", done, BYTES_FORMAT(name));
    }
    fputs(out.at, stdout);
    text_deinit(&out);
}

/* ---- create ---- */

static bool take_creation(struct session *session, struct create_topics_request *request) {
    const struct settings *settings = session->settings;
    struct config_pairs pairs;
    if (!config_pairs_parse(&settings->configs, &pairs, &session->arena, session->error))
        return false;
    request->topics_count = (int32_t)settings->positional_count;
    request->topics = arena_array(&session->arena, struct create_topics_request_creatable_topic,
                                  settings->positional_count);
    for (int32_t at = 0; at < request->topics_count; at++) {
        struct create_topics_request_creatable_topic *topic = &request->topics[at];
        topic->name = bytes_of_text(settings->positional[at]);
        topic->num_partitions = (int32_t)settings->partitions;
        topic->replication_factor = (int16_t)settings->replication_factor;
        topic->configs_count = (int32_t)pairs.count;
        topic->configs = arena_array(
            &session->arena, struct create_topics_request_creatable_topic_config, pairs.count);
        for (size_t i = 0; i < pairs.count; i++)
            topic->configs[i] = (struct create_topics_request_creatable_topic_config){
                pairs.items[i].name, pairs.items[i].value};
    }
    return true;
}

static bool create(struct session *session) {
    struct create_topics_request request;
    struct create_topics_response response;
    bool good = true;
    message_defaults(&create_topics_request_message, &request);
    if (!take_creation(session, &request)) return false;
    request.timeout_ms = (int32_t)session->settings->timeout_ms;
    if (!session_call(session, API_CREATE_TOPICS, 7, &request, &response)) return false;
    for (int32_t at = 0; at < response.topics_count; at++) {
        const struct create_topics_response_creatable_topic_result *one = &response.topics[at];
        bool there = one->error_code == ERROR_TOPIC_ALREADY_EXISTS;
        if (there && session->settings->if_not_exists) continue;
        if (one->error_code)
            session_refuse(session, &good, one->error_code, one->error_message, "create",
                           one->name);
        else
            say_done(session->settings, "created", one->name);
    }
    return good;
}

static const struct flag create_flags[] = {
    {"partitions", 'p', FLAG_NUMBER, SETTING(partitions), "N",
     "Partitions. Default: the broker's num-partitions.", 1},
    {"replication-factor", 0, FLAG_NUMBER, SETTING(replication_factor), "N",
     "Copies. Default: the broker's default-replication-factor.", 1},
    {"config", 'c', FLAG_LIST, SETTING(configs), "NAME=VALUE",
     "A config of the topic, as retention.ms=1h or cleanup.policy=compact; several times for "
     "several. Times and sizes may have units.",
     0},
    {"if-not-exists", 0, FLAG_SWITCH, SETTING(if_not_exists), NULL,
     "A topic that is there already is fine.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each topic.", 0},
};

const struct command command_topic_create = {
    .name = "topic create",
    .usage = "NAME... [FLAGS]",
    .summary = "Make topics.",
    .text =
        "  millrace topic create orders --partitions 8\n"
        "  millrace topic create prices -c cleanup.policy=compact -c max.message.bytes=64KiB\n\n"
        "A topic is usable as soon as the command ends.\n",
    .flags = FLAGS(create_flags),
    .names_min = 1,
    .names_max = SETTINGS_LIST_MAX,
    .names = "a topic's name",
    .work = create,
};

/* ---- delete ---- */

/* Version 5 and older know names only, which is all that is needed. */
static bool delete (struct session *session) {
    const struct settings *settings = session->settings;
    struct delete_topics_request request;
    struct delete_topics_response response;
    bool good = true;
    message_defaults(&delete_topics_request_message, &request);
    request.timeout_ms = (int32_t)settings->timeout_ms;
    request.topic_names_count = (int32_t)settings->positional_count;
    request.topic_names = arena_array(&session->arena, struct bytes, settings->positional_count);
    for (size_t at = 0; at < settings->positional_count; at++)
        request.topic_names[at] = bytes_of_text(settings->positional[at]);
    if (!session_call(session, API_DELETE_TOPICS, 5, &request, &response)) return false;
    for (int32_t at = 0; at < response.responses_count; at++) {
        const struct delete_topics_response_deletable_topic_result *one = &response.responses[at];
        if (one->error_code == ERROR_UNKNOWN_TOPIC_OR_PARTITION && settings->if_exists) continue;
        if (one->error_code)
            session_refuse(session, &good, one->error_code, one->error_message, "delete",
                           one->name);
        else
            say_done(settings, "deleted", one->name);
    }
    return good;
}

static const struct flag delete_flags[] = {
    {"if-exists", 0, FLAG_SWITCH, SETTING(if_exists), NULL, "A topic that is not there is fine.",
     0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each topic.", 0},
};

const struct command command_topic_delete = {
    .name = "topic delete",
    .usage = "NAME... [FLAGS]",
    .summary = "Delete topics and all their records.",
    .text = "  millrace topic delete orders\n\nThere is no way back, and no question is asked.\n",
    .flags = FLAGS(delete_flags),
    .names_min = 1,
    .names_max = SETTINGS_LIST_MAX,
    .names = "a topic's name",
    .work = delete,
};

/* ---- list ---- */

static int order_topics(const void *a, const void *b) {
    const struct metadata_response_metadata_response_topic *left = a, *right = b;
    return bytes_compare(left->name, right->name);
}

static void print_topic(const struct settings *settings,
                        const struct metadata_response_metadata_response_topic *topic,
                        struct text *out) {
    if (!settings->json) {
        text_printf(out, "%.*s\n", BYTES_FORMAT(topic->name));
        return;
    }
    text_append(out, BYTES_OF("{\"topic\": "));
    text_append_json(out, topic->name);
    text_printf(out, ", \"partitions\": %d, \"internal\": %s}\n", topic->partitions_count,
                topic->is_internal ? "true" : "false");
}

static bool list(struct session *session) {
    struct metadata_response response;
    struct text out = {0};
    if (!cluster_metadata(session->cluster, NULL, 0, false, &session->arena, &response,
                          session->error))
        return false;
    if (response.topics_count > 1)
        qsort(response.topics, (size_t)response.topics_count, sizeof *response.topics,
              order_topics);
    for (int32_t at = 0; at < response.topics_count; at++)
        if (!response.topics[at].is_internal || session->settings->internal)
            print_topic(session->settings, &response.topics[at], &out);
    return command_print(&out, session->error);
}

static const struct flag list_flags[] = {
    {"internal", 0, FLAG_SWITCH, SETTING(internal), NULL, "Also topics of the broker's own.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each topic.", 0},
};

const struct command command_topic_list = {
    .name = "topic list",
    .usage = "[FLAGS]",
    .summary = "List topics.",
    .text = "Names, one in a line, in order.\n",
    .flags = FLAGS(list_flags),
    .names_max = 0,
    .work = list,
};

/* ---- alter ---- */

static bool alter_partitions(struct session *session) {
    const struct settings *settings = session->settings;
    struct create_partitions_request request;
    struct create_partitions_response response;
    struct create_partitions_request_create_partitions_topic topic = {
        .name = bytes_of_text(settings->positional[0]),
        .count = (int32_t)settings->partitions,
        .assignments_count = -1};
    message_defaults(&create_partitions_request_message, &request);
    request.topics_count = 1;
    request.topics = &topic;
    request.timeout_ms = (int32_t)settings->timeout_ms;
    if (!session_call(session, API_CREATE_PARTITIONS, 3, &request, &response)) return false;
    for (int32_t at = 0; at < response.results_count; at++)
        if (response.results[at].error_code)
            return cluster_refused(session->error, response.results[at].error_code,
                                   response.results[at].error_message,
                                   "cannot give topic %s %d partitions", settings->positional[0],
                                   (int)settings->partitions);
    return true;
}

/* Configs first: they can be refused without having changed anything. */
static bool alter(struct session *session) {
    const struct settings *settings = session->settings;
    bool configs = config_edits_wanted(settings);
    if (!configs && settings->partitions < 0)
        return error_set(session->error, EINVAL,
                         "nothing to change: give --partitions, --set, --unset, --append or "
                         "--subtract");
    if (configs && !config_edits_send(settings, session->cluster, &session->arena, session->error))
        return false;
    if (settings->partitions > 0 && !alter_partitions(session)) return false;
    say_done(settings, "altered", bytes_of_text(settings->positional[0]));
    return true;
}

static const struct flag alter_flags[] = {
    {"partitions", 'p', FLAG_NUMBER, SETTING(partitions), "N",
     "Raise the number of partitions to N; it cannot be lowered.", 1},
    {"set", 'c', FLAG_LIST, SETTING(configs), "NAME=VALUE",
     "Set a config; several times for several.", 0},
    {"unset", 0, FLAG_LIST, SETTING(unset), "NAME", "Go back to the broker's default.", 0},
    {"append", 0, FLAG_LIST, SETTING(append), "NAME=ITEM", "Add to a list: cleanup.policy=compact.",
     0},
    {"subtract", 0, FLAG_LIST, SETTING(subtract), "NAME=ITEM", "Take from a list.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object.", 0},
};

const struct command command_topic_alter = {
    .name = "topic alter",
    .usage = "NAME [FLAGS]",
    .summary = "Change a topic's configs, or give it more partitions.",
    .text =
        "  millrace topic alter orders --set retention.ms=30d --unset max.message.bytes\n"
        "  millrace topic alter orders --partitions 16\n\n"
        "With more partitions, keys go to other partitions than before.\n",
    .flags = FLAGS(alter_flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a topic's name",
    .work = alter,
};
