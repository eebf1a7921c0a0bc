/* DescribeConfigs: topics, this broker, and sensible answers for what has no configs here. */
#include "protocol/describe_configs.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/admin_configs.h"
#include "broker/handlers/handlers.h"

static bool is_wanted(const struct describe_configs_request_describe_configs_resource *resource,
                      const char *name) {
    if (resource->configuration_keys_count < 0) return true;
    for (int32_t i = 0; i < resource->configuration_keys_count; i++)
        if (bytes_equal_text(resource->configuration_keys[i], name)) return true;
    return false;
}

static void answer_synonyms(struct request *request, const struct described_config *row,
                            struct describe_configs_response_describe_configs_resource_result *to) {
    to->synonyms =
        arena_array(&request->arena, struct describe_configs_response_describe_configs_synonym,
                    row->synonym_count);
    to->synonyms_count = (int32_t)row->synonym_count;
    for (size_t i = 0; i < row->synonym_count; i++)
        to->synonyms[i] = (struct describe_configs_response_describe_configs_synonym){
            .name = bytes_of_text(row->synonyms[i].name),
            .value = row->sensitive ? BYTES_NULL : bytes_of_text(row->synonyms[i].value),
            .source = (int8_t)row->synonyms[i].source,
        };
}

static void answer_config(struct request *request, const struct described_config *row,
                          struct describe_configs_response_describe_configs_resource_result *to) {
    const struct describe_configs_request *body = request->body;
    *to = (struct describe_configs_response_describe_configs_resource_result){
        .name = bytes_of_text(row->name),
        .value = row->sensitive ? BYTES_NULL : bytes_of_text(row->value),
        .read_only = row->read_only,
        .config_source = (int8_t)row->source,
        .is_sensitive = row->sensitive,
        .config_type = (int8_t)row->type,
        .documentation = body->include_documentation ? bytes_of_text(row->doc) : BYTES_NULL,
    };
    if (body->include_synonyms) answer_synonyms(request, row, to);
}

static void answer_rows(struct request *request,
                        const struct describe_configs_request_describe_configs_resource *resource,
                        const struct described_config *rows, int32_t count,
                        struct describe_configs_response_describe_configs_result *result) {
    result->configs = arena_array(&request->arena,
                                  struct describe_configs_response_describe_configs_resource_result,
                                  (size_t)count);
    for (int32_t i = 0; i < count; i++)
        if (is_wanted(resource, rows[i].name))
            answer_config(request, rows + i, result->configs + result->configs_count++);
}

static void refuse(struct describe_configs_response_describe_configs_result *result,
                   enum error_code code, const char *message) {
    result->error_code = (int16_t)code;
    result->error_message = bytes_of_text(message);
}

static void describe_topic(
    struct request *request,
    const struct describe_configs_request_describe_configs_resource *resource,
    struct describe_configs_response_describe_configs_result *result) {
    struct error error;
    if (!catalog_name_is_valid(resource->resource_name, &error)) {
        refuse(result, ERROR_INVALID_TOPIC_EXCEPTION,
               arena_text(&request->arena, bytes_of_text(error.text)));
        return;
    }
    const struct catalog_topic *topic =
        catalog_find_topic(&request->core->catalog, resource->resource_name);
    if (!topic) {
        refuse(result, ERROR_UNKNOWN_TOPIC_OR_PARTITION,
               "This server does not host this topic-partition.");
        return;
    }
    struct described_config *rows;
    int32_t count = admin_describe_topic(request, &topic->configs, &rows);
    answer_rows(request, resource, rows, count, result);
}

static void describe_broker(
    struct request *request,
    const struct describe_configs_request_describe_configs_resource *resource,
    struct describe_configs_response_describe_configs_result *result) {
    struct bytes name = resource->resource_name;
    if (!change_names_this_broker(name, admin_node_id(request))) {
        refuse(result, ERROR_INVALID_REQUEST,
               arena_format(&request->arena,
                            "Unexpected broker id, expected %d or empty string, but received %.*s",
                            admin_node_id(request), BYTES_FORMAT(name)));
        return;
    }
    struct described_config *rows;
    int32_t count = admin_describe_broker(request, name.len == 0, &rows);
    answer_rows(request, resource, rows, count, result);
}

static void describe(struct request *request,
                     const struct describe_configs_request_describe_configs_resource *resource,
                     struct describe_configs_response_describe_configs_result *result) {
    *result = (struct describe_configs_response_describe_configs_result){
        .error_message = BYTES_NULL,
        .resource_type = resource->resource_type,
        .resource_name = resource->resource_name};
    switch (resource->resource_type) {
        case CONFIG_RESOURCE_TOPIC: describe_topic(request, resource, result); return;
        case CONFIG_RESOURCE_BROKER: describe_broker(request, resource, result); return;
        /* They exist and nothing is set on them. */
        case CONFIG_RESOURCE_BROKER_LOGGER:
        case CONFIG_RESOURCE_CLIENT_METRICS:
        case CONFIG_RESOURCE_GROUP: return;
        default: refuse(result, ERROR_INVALID_REQUEST, "Unsupported resource type");
    }
}

static void start(struct request *request) {
    const struct describe_configs_request *body = request->body;
    struct describe_configs_response *response = request_response(request);
    if (!admin_count_is_good(request, body->resources_count)) return;
    response->results =
        arena_array(&request->arena, struct describe_configs_response_describe_configs_result,
                    (size_t)body->resources_count);
    response->results_count = body->resources_count;
    for (int32_t i = 0; i < body->resources_count; i++)
        describe(request, body->resources + i, response->results + i);
    request_answer(request, response);
}

const struct handler describe_configs_handler = {.key = API_DESCRIBE_CONFIGS, .start = start};
