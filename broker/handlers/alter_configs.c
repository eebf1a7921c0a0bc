/* AlterConfigs, which replaces a resource's configs, and IncrementalAlterConfigs, which edits them:
 * metadata/alter_configs.c decides for both. */
#include "protocol/alter_configs.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"
#include "protocol/incremental_alter_configs.h"

struct alteration {
    struct catalog_change change;
    struct request *request;
    bool validate_only;
    int32_t count;
    struct config_wish *wishes;
    struct change_result *results;
};

static void make(struct catalog_change *self, struct change *change) {
    struct alteration *alteration = container_of(self, struct alteration, change);
    change->validate_only = alteration->validate_only;
    change_alter_configs(change, alteration->wishes, alteration->count, alteration->results);
}

static struct alteration *alteration_new(struct request *request, int32_t count, bool validate_only,
                                         void (*done)(struct catalog_change *)) {
    struct alteration *alteration = arena_new(&request->arena, struct alteration);
    alteration->request = request;
    alteration->validate_only = validate_only;
    alteration->count = count;
    alteration->wishes = arena_array(&request->arena, struct config_wish, (size_t)count);
    alteration->results = arena_array(&request->arena, struct change_result, (size_t)count);
    alteration->change.make = make;
    alteration->change.done = done;
    alteration->change.arena = &request->arena;
    return alteration;
}

static void say_compression(const struct alteration *alteration, int32_t i) {
    const struct config_wish *wish = alteration->wishes + i;
    struct arena *arena = &alteration->request->arena;
    if (alteration->validate_only || wish->type != CONFIG_RESOURCE_TOPIC) return;
    for (int32_t k = 0; k < wish->edit_count; k++) {
        const struct config_edit *edit = wish->edits + k;
        if (edit->operation != CONFIG_OPERATION_SET || bytes_is_null(edit->value)) continue;
        if (bytes_equal_text(edit->name, "compression.type"))
            admin_say_compression(alteration->request, wish->name, arena_text(arena, edit->value));
    }
}

/* The two APIs have the same messages under different names. */
#define ALTERATION_ANSWER(self, response_type, row_type)                               \
    do {                                                                               \
        struct alteration *alteration = container_of(self, struct alteration, change); \
        struct request *request = alteration->request;                                 \
        struct response_type *response = request_response(request);                    \
        response->responses =                                                          \
            arena_array(&request->arena, struct row_type, (size_t)alteration->count);  \
        response->responses_count = alteration->count;                                 \
        for (int32_t i = 0; i < alteration->count; i++) {                              \
            struct change_result result = admin_result(self, alteration->results[i]);  \
            ADMIN_SET_RESULT(response->responses + i, result);                         \
            if (!result.code) say_compression(alteration, i);                          \
            response->responses[i].resource_type = alteration->wishes[i].type;         \
            response->responses[i].resource_name = alteration->wishes[i].name;         \
        }                                                                              \
        request_answer(request, response);                                             \
    } while (0)

/* --- AlterConfigs --- */

static void replace_done(struct catalog_change *self) {
    ALTERATION_ANSWER(self, alter_configs_response,
                      alter_configs_response_alter_configs_resource_response);
}

static void replace_take(struct arena *arena,
                         const struct alter_configs_request_alter_configs_resource *resource,
                         struct config_wish *wish) {
    struct config_edit *edits =
        arena_array(arena, struct config_edit, (size_t)resource->configs_count);
    for (int32_t i = 0; i < resource->configs_count; i++)
        edits[i] = (struct config_edit){resource->configs[i].name, resource->configs[i].value,
                                        CONFIG_OPERATION_SET};
    *wish = (struct config_wish){resource->resource_type, resource->resource_name, true,
                                 resource->configs_count, edits};
}

static void replace_start(struct request *request) {
    const struct alter_configs_request *body = request->body;
    if (!admin_count_is_good(request, body->resources_count)) return;
    struct alteration *alteration =
        alteration_new(request, body->resources_count, body->validate_only, replace_done);
    for (int32_t i = 0; i < alteration->count; i++)
        replace_take(&request->arena, body->resources + i, alteration->wishes + i);
    catalog_service_change(&alteration->change, request->core);
}

const struct handler alter_configs_handler = {.key = API_ALTER_CONFIGS, .start = replace_start};

/* --- IncrementalAlterConfigs --- */

static void edit_done(struct catalog_change *self) {
    ALTERATION_ANSWER(self, incremental_alter_configs_response,
                      incremental_alter_configs_response_alter_configs_resource_response);
}

static void edit_take(
    struct arena *arena,
    const struct incremental_alter_configs_request_alter_configs_resource *resource,
    struct config_wish *wish) {
    struct config_edit *edits =
        arena_array(arena, struct config_edit, (size_t)resource->configs_count);
    for (int32_t i = 0; i < resource->configs_count; i++)
        edits[i] = (struct config_edit){resource->configs[i].name, resource->configs[i].value,
                                        resource->configs[i].config_operation};
    *wish = (struct config_wish){resource->resource_type, resource->resource_name, false,
                                 resource->configs_count, edits};
}

static void edit_start(struct request *request) {
    const struct incremental_alter_configs_request *body = request->body;
    if (!admin_count_is_good(request, body->resources_count)) return;
    struct alteration *alteration =
        alteration_new(request, body->resources_count, body->validate_only, edit_done);
    for (int32_t i = 0; i < alteration->count; i++)
        edit_take(&request->arena, body->resources + i, alteration->wishes + i);
    catalog_service_change(&alteration->change, request->core);
}

const struct handler incremental_alter_configs_handler = {.key = API_INCREMENTAL_ALTER_CONFIGS,
                                                          .start = edit_start};
