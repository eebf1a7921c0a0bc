/* CreateTopics: metadata/create_topics.c decides. */
#include "protocol/create_topics.h"

#include "base/say.h"
#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

struct creation {
    struct catalog_change change;
    struct request *request;
    struct topic_wish *wishes;
    struct topic_outcome *outcomes;
    int32_t outcome_count;
    /* Of the answer: the configs of a topic that has set nothing. */
    struct described_config *defaults;
    struct create_topics_response_creatable_topic_configs *plain;
};

static struct config_edit *take_configs(struct arena *arena,
                                        const struct create_topics_request_creatable_topic *topic) {
    struct config_edit *edits =
        arena_array(arena, struct config_edit, (size_t)topic->configs_count);
    for (int32_t i = 0; i < topic->configs_count; i++)
        edits[i] =
            (struct config_edit){.name = topic->configs[i].name, .value = topic->configs[i].value};
    return edits;
}

static struct partition_assignment *take_assignments(
    struct arena *arena, const struct create_topics_request_creatable_topic *topic) {
    struct partition_assignment *assignments =
        arena_array(arena, struct partition_assignment, (size_t)topic->assignments_count);
    for (int32_t i = 0; i < topic->assignments_count; i++)
        assignments[i] = (struct partition_assignment){
            .index = topic->assignments[i].partition_index,
            .broker_count = topic->assignments[i].broker_ids_count,
            .brokers = topic->assignments[i].broker_ids,
        };
    return assignments;
}

static void take_wish(struct arena *arena,
                      const struct create_topics_request_creatable_topic *topic,
                      struct topic_wish *wish) {
    *wish = (struct topic_wish){
        .name = topic->name,
        .partition_count = topic->num_partitions,
        .replication_factor = topic->replication_factor,
        .assignment_count = topic->assignments_count,
        .assignments = take_assignments(arena, topic),
        .config_count = topic->configs_count,
        .configs = take_configs(arena, topic),
    };
}

static void make(struct catalog_change *self, struct change *change) {
    struct creation *creation = container_of(self, struct creation, change);
    const struct create_topics_request *body = creation->request->body;
    change->validate_only = body->validate_only;
    creation->outcome_count =
        change_create_topics(change, creation->wishes, body->topics_count, creation->outcomes);
}

static struct create_topics_response_creatable_topic_configs *answer_rows(
    struct request *request, const struct described_config *rows) {
    struct create_topics_response_creatable_topic_configs *to =
        arena_array(&request->arena, struct create_topics_response_creatable_topic_configs,
                    topic_config_row_count);
    for (size_t i = 0; i < topic_config_row_count; i++)
        to[i] = (struct create_topics_response_creatable_topic_configs){
            .name = bytes_of_text(rows[i].name),
            .value = bytes_of_text(rows[i].value),
            .read_only = rows[i].read_only,
            .config_source = (int8_t)rows[i].source,
            .is_sensitive = rows[i].sensitive,
        };
    return to;
}

/* Topics that set nothing share their rows. */
static void answer_configs(struct creation *creation, const struct topic_outcome *outcome,
                           struct create_topics_response_creatable_topic_result *result) {
    struct request *request = creation->request;
    if (!creation->defaults) {
        creation->defaults =
            topic_config_describe_defaults(request->core->options, &request->arena);
        creation->plain = answer_rows(request, creation->defaults);
    }
    result->configs_count = (int32_t)topic_config_row_count;
    result->configs = creation->plain;
    if (outcome->configs.count > 0)
        result->configs = answer_rows(
            request, topic_config_describe(creation->defaults, &outcome->configs, &request->arena));
}

static void answer_topic(struct creation *creation, const struct topic_outcome *outcome,
                         struct create_topics_response_creatable_topic_result *result) {
    struct change_result said = admin_result(&creation->change, outcome->result);
    *result = (struct create_topics_response_creatable_topic_result){
        .name = outcome->name, .num_partitions = -1, .replication_factor = -1};
    ADMIN_SET_RESULT(result, said);
    if (said.code) return;
    result->topic_id = outcome->id;
    result->num_partitions = outcome->partition_count;
    result->replication_factor = (int16_t)outcome->replication_factor;
    if (creation->request->version >= 5) answer_configs(creation, outcome, result);
}

static void say_clamped(const struct creation *creation, const struct topic_outcome *outcome) {
    if (outcome->replication_factor_asked <= outcome->replication_factor) return;
    if (!core_may_say(creation->request->core)) return;
    say_info("topic %.*s was asked for with %d replicas and has %d: this is a single broker",
             BYTES_FORMAT(outcome->name), outcome->replication_factor_asked,
             outcome->replication_factor);
}

/* Once per topic, when it comes to be: what is not as it was asked for. */
static void say_difference(const struct creation *creation, const struct topic_outcome *outcome) {
    const struct create_topics_request *body = creation->request->body;
    if (creation->change.code || outcome->result.code || body->validate_only) return;
    say_clamped(creation, outcome);
    admin_say_compression(creation->request, outcome->name,
                          catalog_configs_find(&outcome->configs, BYTES_OF("compression.type")));
}

static void done(struct catalog_change *self) {
    struct creation *creation = container_of(self, struct creation, change);
    struct request *request = creation->request;
    struct create_topics_response *response = request_response(request);
    response->topics =
        arena_array(&request->arena, struct create_topics_response_creatable_topic_result,
                    (size_t)creation->outcome_count);
    response->topics_count = creation->outcome_count;
    for (int32_t i = 0; i < creation->outcome_count; i++) {
        answer_topic(creation, creation->outcomes + i, response->topics + i);
        say_difference(creation, creation->outcomes + i);
    }
    request_answer_large(request, response);
}

static void start(struct request *request) {
    const struct create_topics_request *body = request->body;
    if (!admin_count_is_good(request, body->topics_count)) return;
    size_t count = (size_t)body->topics_count;
    struct creation *creation = arena_new(&request->arena, struct creation);
    creation->request = request;
    creation->wishes = arena_array(&request->arena, struct topic_wish, count);
    creation->outcomes = arena_array(&request->arena, struct topic_outcome, count);
    for (size_t i = 0; i < count; i++)
        take_wish(&request->arena, body->topics + i, creation->wishes + i);
    creation->change.make = make;
    creation->change.done = done;
    creation->change.arena = &request->arena;
    creation->change.deadline_ns = admin_deadline_ns(request, body->timeout_ms);
    catalog_service_change(&creation->change, request->core);
}

const struct handler create_topics_handler = {.key = API_CREATE_TOPICS, .start = start};
