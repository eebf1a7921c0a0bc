/* ListConfigResources (KIP-1142): every topic, every group that has configs, and this broker; there
 * are no client metrics subscriptions. */
#include "protocol/list_config_resources.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

/* Version 0 asks for client metrics; an empty list asks for everything. */
static bool is_wanted(const struct request *request, int8_t type) {
    const struct list_config_resources_request *body = request->body;
    if (request->version == 0) return type == CONFIG_RESOURCE_CLIENT_METRICS;
    for (int32_t i = 0; i < body->resource_types_count; i++)
        if (body->resource_types[i] == type) return true;
    return body->resource_types_count == 0;
}

static bool is_known(int8_t type) {
    return type == CONFIG_RESOURCE_TOPIC || type == CONFIG_RESOURCE_BROKER ||
           type == CONFIG_RESOURCE_BROKER_LOGGER || type == CONFIG_RESOURCE_CLIENT_METRICS ||
           type == CONFIG_RESOURCE_GROUP;
}

static void add(struct list_config_resources_response *response, struct bytes name, int8_t type) {
    struct list_config_resources_response_config_resource *resource =
        response->config_resources + response->config_resources_count++;
    resource->resource_name = name;
    resource->resource_type = type;
}

static void add_broker(struct request *request, struct list_config_resources_response *response,
                       int8_t type) {
    if (!is_wanted(request, type)) return;
    const char *id = arena_format(&request->arena, "%d", admin_node_id(request));
    add(response, bytes_of_text(id), type);
}

static void add_topics(struct request *request, struct list_config_resources_response *response) {
    size_t count;
    struct catalog_topic **topics = catalog_topics_sorted(&request->core->catalog, &count);
    for (size_t i = 0; i < count; i++)
        add(response, arena_copy(&request->arena, bytes_of_text(topics[i]->name)),
            CONFIG_RESOURCE_TOPIC);
    free(topics);
}

static void add_groups(struct request *request, struct list_config_resources_response *response) {
    size_t count;
    struct catalog_group **groups = catalog_groups_sorted(&request->core->catalog, &count);
    for (size_t i = 0; i < count; i++)
        add(response, arena_copy(&request->arena, bytes_of_text(groups[i]->name)),
            CONFIG_RESOURCE_GROUP);
    free(groups);
}

static void start(struct request *request) {
    const struct list_config_resources_request *body = request->body;
    struct list_config_resources_response *response = request_response(request);
    const struct catalog *catalog = &request->core->catalog;
    size_t most = catalog->topics_by_name.count + catalog->groups_by_name.count + 2;
    for (int32_t i = 0; i < body->resource_types_count; i++)
        if (request->version > 0 && !is_known(body->resource_types[i]))
            response->error_code = ERROR_UNSUPPORTED_VERSION;
    if (response->error_code == ERROR_NONE) {
        response->config_resources = arena_array(
            &request->arena, struct list_config_resources_response_config_resource, most);
        if (is_wanted(request, CONFIG_RESOURCE_TOPIC)) add_topics(request, response);
        if (is_wanted(request, CONFIG_RESOURCE_GROUP)) add_groups(request, response);
        add_broker(request, response, CONFIG_RESOURCE_BROKER);
        add_broker(request, response, CONFIG_RESOURCE_BROKER_LOGGER);
    }
    request_answer_large(request, response);
}

const struct handler list_config_resources_handler = {.key = API_LIST_CONFIG_RESOURCES,
                                                      .start = start};
