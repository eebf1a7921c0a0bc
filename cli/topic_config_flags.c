#include "cli/topic_config_flags.h"

#include <errno.h>

#include "config/quantity.h"
#include "protocol/incremental_alter_configs.h"

enum { RESOURCE_TOPIC = 2, EDIT_SET = 0, EDIT_DELETE = 1, EDIT_APPEND = 2, EDIT_SUBTRACT = 3 };

static bool ends_with(struct bytes name, struct bytes end) {
    return name.len >= end.len &&
           bytes_equal(bytes_make(name.at + name.len - end.len, end.len), end);
}

/* What is neither a time nor a size, or not one that we can read, is left to the broker. */
static struct bytes plain_value(struct bytes name, const char *value, struct arena *arena) {
    int64_t number;
    bool time = ends_with(name, BYTES_OF(".ms")), size = ends_with(name, BYTES_OF(".bytes"));
    if ((time && duration_parse(value, &number)) || (size && size_parse(value, &number)))
        return bytes_of_text(arena_format(arena, "%lld", (long long)number));
    return bytes_of_text(value);
}

static bool pair_parse(const char *text, struct config_pair *pair, struct arena *arena,
                       struct error *error) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return error_set(error, EINVAL, "\"%s\" is not NAME=VALUE, as retention.ms=7d", text);
    pair->name = bytes_make(text, (size_t)(equals - text));
    pair->value = plain_value(pair->name, equals + 1, arena);
    return true;
}

bool config_pairs_parse(const struct settings_list *list, struct config_pairs *pairs,
                        struct arena *arena, struct error *error) {
    pairs->count = list->count;
    pairs->items = arena_array(arena, struct config_pair, list->count);
    for (size_t at = 0; at < list->count; at++)
        if (!pair_parse(list->items[at], &pairs->items[at], arena, error)) return false;
    return true;
}

bool config_edits_wanted(const struct settings *settings) {
    return settings->configs.count + settings->unset.count + settings->append.count +
               settings->subtract.count >
           0;
}

struct edits {
    struct incremental_alter_configs_request_alterable_config *items;
    int32_t count;
};

static bool edits_add(struct edits *edits, const struct settings_list *list, int8_t operation,
                      struct arena *arena, struct error *error) {
    struct config_pairs pairs;
    if (!config_pairs_parse(list, &pairs, arena, error)) return false;
    for (size_t at = 0; at < pairs.count; at++)
        edits->items[edits->count++] = (struct incremental_alter_configs_request_alterable_config){
            pairs.items[at].name, operation, pairs.items[at].value};
    return true;
}

static void edits_unset(struct edits *edits, const struct settings_list *list) {
    for (size_t at = 0; at < list->count; at++)
        edits->items[edits->count++] = (struct incremental_alter_configs_request_alterable_config){
            bytes_of_text(list->items[at]), EDIT_DELETE, BYTES_NULL};
}

static bool edits_take(const struct settings *settings, struct edits *edits, struct arena *arena,
                       struct error *error) {
    edits->items = arena_array(arena, struct incremental_alter_configs_request_alterable_config,
                               4 * SETTINGS_LIST_MAX);
    edits_unset(edits, &settings->unset);
    return edits_add(edits, &settings->configs, EDIT_SET, arena, error) &&
           edits_add(edits, &settings->append, EDIT_APPEND, arena, error) &&
           edits_add(edits, &settings->subtract, EDIT_SUBTRACT, arena, error);
}

bool config_edits_send(const struct settings *settings, struct cluster *cluster,
                       struct arena *arena, struct error *error) {
    struct edits edits = {0};
    struct incremental_alter_configs_request request;
    struct incremental_alter_configs_response response;
    const char *name = settings->positional[0];
    if (!edits_take(settings, &edits, arena, error)) return false;
    struct incremental_alter_configs_request_alter_configs_resource resource = {
        RESOURCE_TOPIC, bytes_of_text(name), edits.count, edits.items};
    message_defaults(&incremental_alter_configs_request_message, &request);
    request.resources_count = 1;
    request.resources = &resource;
    if (!cluster_call(cluster, CLUSTER_ANY, API_INCREMENTAL_ALTER_CONFIGS, 1, &request, arena,
                      &response, error))
        return false;
    for (int32_t at = 0; at < response.responses_count; at++)
        if (response.responses[at].error_code)
            return cluster_refused(error, response.responses[at].error_code,
                                   response.responses[at].error_message,
                                   "cannot change the configs of topic %s", name);
    return true;
}
