/* Configs that topics have by their name: those that are there get them in one change, those that
 * are created later get them from change_create_topics() and change_auto_create(). */
#include "metadata/change.h"

const struct topic_binding *change_find_binding(const struct change *change, struct bytes topic) {
    const struct topic_bindings *bindings = change->bindings;
    for (size_t i = 0; bindings && i < bindings->count; i++)
        if (bytes_equal(bindings->items[i].topic, topic)) return &bindings->items[i];
    return NULL;
}

static struct change_result bind_all(struct change *change) {
    const struct topic_bindings *bindings = change->bindings;
    struct change_result result = {0};
    for (size_t i = 0; bindings && i < bindings->count && !result.code; i++) {
        const struct topic_binding *binding = &bindings->items[i];
        const struct config_wish wish = {.type = CONFIG_RESOURCE_TOPIC,
                                         .name = binding->topic,
                                         .edit_count = binding->edit_count,
                                         .edits = binding->edits};
        if (!catalog_find_topic(change->catalog, binding->topic)) continue;
        change_alter_configs(change, &wish, 1, &result);
        if (!result.code) continue;
        const char *why = result.message;
        result =
            change_refuse(change, result.code, "topic %.*s: %s", BYTES_FORMAT(binding->topic), why);
    }
    return result;
}

void change_bind_topics(struct change *change, struct change_result *result) {
    bool validate_only = change->validate_only;
    change->validate_only = true;
    *result = bind_all(change);
    change->validate_only = validate_only;
    if (!result->code && !validate_only) *result = bind_all(change);
}
