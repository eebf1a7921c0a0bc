/* AlterConfigs (KIP-133: the whole set is replaced) and IncrementalAlterConfigs (KIP-339). A
 * resource's edits are made on a copy of its set; the records are what differs afterwards. */
#include <stdio.h>

#include "base/check.h"
#include "base/text.h"
#include "config/option_row.h"
#include "metadata/change.h"
#include "metadata/group_config.h"
#include "metadata/tally.h"

#define NOTHING_WRONG ((struct change_result){0})

/* --- sets in the arena --- */

static int32_t set_find(const struct catalog_configs *set, const char *name) {
    for (int32_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, name) == 0) return i;
    return -1;
}

/* There is room: see set_copy(). The order is mended by set_sort(). */
static void set_put(struct catalog_configs *set, char *name, char *value) {
    int32_t at = set_find(set, name);
    if (at >= 0)
        set->items[at].value = value;
    else
        set->items[set->count++] = (struct catalog_config){name, value};
}

static void set_remove(struct catalog_configs *set, const char *name) {
    int32_t at = set_find(set, name);
    if (at >= 0) set->items[at] = set->items[--set->count];
}

/* A copy with room for more; the texts are shared. */
static struct catalog_configs set_copy(struct change *change, const struct catalog_configs *from,
                                       int32_t more) {
    struct catalog_configs copy = {.count = from->count};
    copy.items =
        arena_array(change->arena, struct catalog_config, (size_t)from->count + (size_t)more + 1);
    if (from->count) memcpy(copy.items, from->items, (size_t)from->count * sizeof *from->items);
    return copy;
}

static int compare_configs(const void *a, const void *b) {
    const struct catalog_config *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static void set_sort(struct catalog_configs *set) {
    if (set->count) qsort(set->items, (size_t)set->count, sizeof *set->items, compare_configs);
}

/* --- edits --- */

/* What an edit is made with: a name that is known, its type and the value in force. */
struct place {
    char *name;
    bool list;
    const char *current;
};

/* One way of finding places for each kind of resource. */
typedef struct change_result place_function(struct change *change,
                                            const struct catalog_configs *set, struct bytes name,
                                            struct place *place);

static bool list_has(const char *list, struct bytes item) {
    for (const char *at = list; at && *at;) {
        size_t len = strcspn(at, ",");
        if (bytes_equal(bytes_make(at, len), item)) return true;
        at += len + (at[len] == ',');
    }
    return false;
}

/* The list with the items of `more` that it does not have, or without those of `less`. */
static char *list_edit(struct change *change, const char *list, const char *items, bool append) {
    struct text text = {0};
    const char *parts[] = {list, append ? items : ""};
    for (size_t part = 0; part < 2; part++)
        for (const char *at = parts[part]; *at;) {
            size_t len = strcspn(at, ",");
            struct bytes item = bytes_make(at, len);
            bool unwanted = append ? list_has(text.at, item) : list_has(items, item);
            if (len && !unwanted) text_printf(&text, "%s%.*s", text.len ? "," : "", (int)len, at);
            at += len + (at[len] == ',');
        }
    char *result = arena_text(change->arena, text_bytes(&text));
    text_deinit(&text);
    return result;
}

static struct change_result edit_list(struct change *change, struct catalog_configs *set,
                                      const struct place *place, const struct config_edit *edit) {
    bool append = edit->operation == CONFIG_OPERATION_APPEND;
    if (!place->list)
        return change_refuse(change, ERROR_INVALID_CONFIG,
                             "Can't %s to key %s because its type is not LIST.",
                             append ? "APPEND" : "SUBTRACT", place->name);
    char *items = arena_text(change->arena, edit->value);
    set_put(set, place->name, list_edit(change, place->current, items, append));
    return NOTHING_WRONG;
}

static struct change_result apply_edit(struct change *change, struct catalog_configs *set,
                                       const struct config_edit *edit, place_function *find) {
    struct place place;
    if (edit->operation < 0 || edit->operation >= CONFIG_OPERATION_COUNT)
        return change_refuse(change, ERROR_INVALID_REQUEST, "Unknown operation type %d",
                             edit->operation);
    if (edit->operation != CONFIG_OPERATION_DELETE && bytes_is_null(edit->value))
        return change_refuse(change, ERROR_INVALID_REQUEST, "Null value not supported for : %.*s",
                             BYTES_FORMAT(edit->name));
    if (!bytes_is_null(edit->value) && memchr(edit->value.at, 0, edit->value.len))
        return change_refuse(change, ERROR_INVALID_CONFIG, "The value of %.*s has a zero byte",
                             BYTES_FORMAT(edit->name));
    struct change_result result = find(change, set, edit->name, &place);
    if (result.code) return result;
    if (edit->operation == CONFIG_OPERATION_DELETE)
        set_remove(set, place.name);
    else if (edit->operation == CONFIG_OPERATION_SET)
        set_put(set, place.name, arena_text(change->arena, edit->value));
    else
        return edit_list(change, set, &place, edit);
    return NOTHING_WRONG;
}

static bool names_differ(struct change *change, const struct config_edit *edits, int32_t count) {
    struct tally names;
    bool differ = true;
    tally_init(&names, change->arena);
    for (int32_t i = 0; i < count && differ; i++)
        differ = (*tally_of(&names, edits[i].name))++ == 0;
    tally_deinit(&names);
    return differ;
}

/* All edits of one resource on a set that has room for them. */
static struct change_result apply_edits(struct change *change, struct catalog_configs *set,
                                        const struct config_edit *edits, int32_t count,
                                        place_function *find) {
    if (!names_differ(change, edits, count))
        return change_refuse(change, ERROR_INVALID_REQUEST, "Error due to duplicate config keys");
    for (int32_t i = 0; i < count; i++) {
        struct change_result result = apply_edit(change, set, edits + i, find);
        if (result.code) return result;
    }
    set_sort(set);
    return NOTHING_WRONG;
}

/* --- topics --- */

static struct change_result topic_place(struct change *change, const struct catalog_configs *set,
                                        struct bytes name, struct place *place) {
    const struct topic_config_row *row = topic_config_find(name);
    if (!row)
        return change_refuse(change, ERROR_INVALID_CONFIG, "Unknown topic config name: %.*s",
                             BYTES_FORMAT(name));
    place->name = (char *)(uintptr_t)row->name;
    place->list = row->type == CONFIG_LIST;
    if (!place->list) return NOTHING_WRONG;
    place->current = catalog_configs_find(set, name);
    if (!place->current)
        place->current = topic_config_default(row, change->catalog->options, change->arena);
    return NOTHING_WRONG;
}

static bool binds_contract(const struct config_edit *edits, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const struct topic_config_row *row = topic_config_find(edits[i].name);
        if (row && contract_config_names(row->name)) return true;
    }
    return false;
}

/* A change of something else does not stumble over a contract that was fine when it was set. */
static struct change_result check_contract(struct change *change, struct bytes topic,
                                           const struct catalog_configs *set,
                                           const struct config_edit *edits, int32_t count) {
    const struct contract_judge *judge = change->contract_judge;
    struct topic_config config;
    struct error error;
    if (!binds_contract(edits, count)) return NOTHING_WRONG;
    topic_config_resolve(set, &change->catalog->defaults, &config);
    if (!topic_config_has_contract(&config)) return NOTHING_WRONG;
    const struct catalog_topic *known = catalog_find_topic(change->catalog, topic);
    if (catalog_name_is_internal(topic) || (known && known->internal))
        return change_refuse(change, ERROR_INVALID_CONFIG,
                             "The topic '%.*s' is the broker's own and takes no contract.",
                             BYTES_FORMAT(topic));
    if (!judge || judge->judge(judge->context, topic, &config, &error)) return NOTHING_WRONG;
    return change_refuse(change, ERROR_INVALID_CONFIG, "%s", error.text);
}

struct change_result change_edit_topic_configs(struct change *change, struct bytes topic,
                                               struct catalog_configs *configs,
                                               const struct config_edit *edits, int32_t count) {
    struct error error;
    struct catalog_configs set = set_copy(change, configs, count);
    struct change_result result = apply_edits(change, &set, edits, count, topic_place);
    if (result.code) return result;
    for (int32_t i = 0; i < set.count; i++)
        if (!topic_config_validate(set.items[i].name, set.items[i].value, &error))
            return change_refuse(change, ERROR_INVALID_CONFIG, "%s", error.text);
    if (!topic_config_validate_set(&set, &change->catalog->defaults, &error))
        return change_refuse(change, ERROR_INVALID_CONFIG, "%s", error.text);
    result = check_contract(change, topic, &set, edits, count);
    if (!result.code) *configs = set;
    return result;
}

/* Calls for every name whose value differs; a NULL value removes. Both sets are sorted. */
static void each_difference(const struct catalog_configs *old, const struct catalog_configs *new,
                            void (*call)(void *context, const char *name, const char *value),
                            void *context) {
    int32_t i = 0, j = 0;
    while (i < old->count || j < new->count) {
        int order = i == old->count   ? 1
                    : j == new->count ? -1
                                      : strcmp(old->items[i].name, new->items[j].name);
        if (order < 0)
            call(context, old->items[i].name, NULL);
        else if (order > 0 || strcmp(old->items[i].value, new->items[j].value) != 0)
            call(context, new->items[j].name, new->items[j].value);
        i += order <= 0;
        j += order >= 0;
    }
}

struct topic_difference {
    struct change *change;
    const struct catalog_topic *topic;
};

static void record_topic_config(void *context, const char *name, const char *value) {
    struct topic_difference *difference = context;
    change_records_topic_config(difference->change->records, &difference->topic->id, name, value);
}

static struct change_result alter_topic(struct change *change, const struct config_wish *wish) {
    static const struct catalog_configs none;
    const struct catalog_topic *topic = catalog_find_topic(change->catalog, wish->name);
    if (!topic)
        return change_refuse(change, ERROR_UNKNOWN_TOPIC_OR_PARTITION,
                             "The topic '%.*s' does not exist.", BYTES_FORMAT(wish->name));
    struct catalog_configs set = wish->replace ? none : topic->configs;
    struct change_result result =
        change_edit_topic_configs(change, wish->name, &set, wish->edits, wish->edit_count);
    if (result.code || change->validate_only) return result;
    struct topic_difference difference = {change, topic};
    each_difference(&topic->configs, &set, record_topic_config, &difference);
    return result;
}

/* --- the broker --- */

bool change_names_this_broker(const struct bytes name, int32_t node_id) {
    char id[12];
    if (name.len == 0) return true;
    return bytes_equal(name, bytes_make(id, (size_t)snprintf(id, sizeof id, "%d", node_id)));
}

static struct change_result broker_place(struct change *change, const struct catalog_configs *set,
                                         struct bytes name, struct place *place) {
    const struct option_row *row = option_row_find(arena_text(change->arena, name));
    (void)set; /* the catalog's options follow it */
    if (!row || !row->kafka_name)
        return change_refuse(change, ERROR_INVALID_CONFIG, "Unknown broker config name: %.*s",
                             BYTES_FORMAT(name));
    if (!row->reloadable)
        return change_refuse(change, ERROR_INVALID_REQUEST,
                             "Cannot update these configs dynamically: Set(%s)", row->kafka_name);
    place->name = (char *)(uintptr_t)row->kafka_name;
    place->list = row->kafka_type == CONFIG_LIST;
    struct text current = {0};
    option_print_kafka(row, change->catalog->options, &current);
    place->current = arena_text(change->arena, text_bytes(&current));
    text_deinit(&current);
    return NOTHING_WRONG;
}

/* Whether the options take all of the set. */
static bool options_accept(const struct catalog *catalog, const struct catalog_configs *set,
                           struct error *error) {
    struct options *scratch = options_copy(catalog->loaded);
    bool good = true;
    for (int32_t i = 0; i < set->count && good; i++)
        good = options_set_dynamic(scratch, catalog->loaded, set->items[i].name,
                                   set->items[i].value, error);
    options_free(scratch);
    return good;
}

static void record_broker_config(void *context, const char *name, const char *value) {
    struct change *change = context;
    change_records_broker_config(change->records, name, value);
}

static struct change_result alter_broker(struct change *change, const struct config_wish *wish) {
    static const struct catalog_configs none;
    const struct catalog *catalog = change->catalog;
    struct error error;
    if (!change_names_this_broker(wish->name, change->node_id))
        return change_refuse(change, ERROR_INVALID_REQUEST,
                             "Unexpected broker id, expected %d, but received %.*s",
                             change->node_id, BYTES_FORMAT(wish->name));
    struct catalog_configs set =
        set_copy(change, wish->replace ? &none : &catalog->broker_configs, wish->edit_count);
    struct change_result result =
        apply_edits(change, &set, wish->edits, wish->edit_count, broker_place);
    if (result.code) return result;
    if (!options_accept(catalog, &set, &error))
        return change_refuse(change, ERROR_INVALID_CONFIG, "%s", error.text);
    if (!change->validate_only)
        each_difference(&catalog->broker_configs, &set, record_broker_config, change);
    return result;
}

/* --- groups --- */

static struct change_result group_place(struct change *change, const struct catalog_configs *set,
                                        struct bytes name, struct place *place) {
    int32_t at = group_config_find(name);
    (void)set;
    if (at < 0)
        return change_refuse(change, ERROR_INVALID_CONFIG, "Unknown group config name: %.*s",
                             BYTES_FORMAT(name));
    place->name = (char *)(uintptr_t)group_config_name((enum group_config)at);
    place->list = false;
    return NOTHING_WRONG;
}

struct group_difference {
    struct change *change;
    const char *group;
};

static void record_group_config(void *context, const char *name, const char *value) {
    struct group_difference *difference = context;
    change_records_group_config(difference->change->records, difference->group, name, value);
}

static struct change_result check_group(struct change *change, const struct config_wish *wish) {
    const struct catalog *catalog = change->catalog;
    if (wish->name.len == 0 || memchr(wish->name.at, 0, wish->name.len))
        return change_refuse(change, ERROR_INVALID_REQUEST,
                             "Default group resources are not allowed.");
    if (!catalog_group_configs(catalog, wish->name) &&
        catalog->groups_by_name.count >= (uint64_t)catalog->options->groups_max)
        return change_refuse(change, ERROR_POLICY_VIOLATION,
                             "The broker has configs of %zu groups and may have %lld (option "
                             "groups-max).",
                             catalog->groups_by_name.count,
                             (long long)catalog->options->groups_max);
    return NOTHING_WRONG;
}

static struct change_result alter_group(struct change *change, const struct config_wish *wish) {
    static const struct catalog_configs none;
    const struct catalog_configs *old = catalog_group_configs(change->catalog, wish->name);
    struct error error;
    struct change_result result = check_group(change, wish);
    if (result.code) return result;
    if (!old) old = &none;
    struct catalog_configs set = set_copy(change, wish->replace ? &none : old, wish->edit_count);
    result = apply_edits(change, &set, wish->edits, wish->edit_count, group_place);
    if (result.code) return result;
    if (!group_config_validate(&set, change->catalog->options, &error))
        return change_refuse(change, ERROR_INVALID_CONFIG, "%s", error.text);
    struct group_difference difference = {change, arena_text(change->arena, wish->name)};
    if (!change->validate_only) each_difference(old, &set, record_group_config, &difference);
    return result;
}

/* --- resources --- */

static struct change_result alter(struct change *change, const struct config_wish *wish) {
    switch (wish->type) {
        case CONFIG_RESOURCE_TOPIC: return alter_topic(change, wish);
        case CONFIG_RESOURCE_BROKER: return alter_broker(change, wish);
        case CONFIG_RESOURCE_BROKER_LOGGER:
            return change_refuse(change, ERROR_INVALID_REQUEST,
                                 "There are no loggers of their own here: set the option "
                                 "log-level and send SIGHUP.");
        case CONFIG_RESOURCE_CLIENT_METRICS:
            return change_refuse(change, ERROR_INVALID_REQUEST,
                                 "This broker does not collect client metrics.");
        case CONFIG_RESOURCE_GROUP: return alter_group(change, wish);
        default:
            return change_refuse(change, ERROR_INVALID_REQUEST, "Unknown resource type %d.",
                                 wish->type);
    }
}

/* Type and name as one text. */
static struct bytes resource_key(struct change *change, const struct config_wish *wish) {
    return bytes_of_text(
        arena_format(change->arena, "%d %.*s", wish->type, BYTES_FORMAT(wish->name)));
}

void change_alter_configs(struct change *change, const struct config_wish *wishes, int32_t count,
                          struct change_result *results) {
    struct tally resources;
    tally_init(&resources, change->arena);
    for (int32_t i = 0; i < count; i++) (*tally_of(&resources, resource_key(change, wishes + i)))++;
    for (int32_t i = 0; i < count; i++)
        results[i] = *tally_of(&resources, resource_key(change, wishes + i)) > 1
                         ? change_refuse(change, ERROR_INVALID_REQUEST,
                                         "Each resource must appear at most once.")
                         : alter(change, wishes + i);
    tally_deinit(&resources);
}
