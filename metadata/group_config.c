#include "metadata/group_config.h"

#include <errno.h>

#include "base/check.h"
#include "config/option_row.h"
#include "config/quantity.h"

struct row {
    const char *name, *server_name;
    size_t value, minimum, maximum; /* in struct options */
    const char *doc;
};

#define OPTION(field) offsetof(struct options, field)

/* In order of name. */
static const struct row rows[] = {
    [GROUP_CONFIG_CONSUMER_ASSIGNMENT_INTERVAL_MS] =
        {"consumer.assignment.interval.ms", "group.consumer.assignment.interval.ms",
         OPTION(consumer_assignment_interval_ms), OPTION(consumer_assignment_interval_ms_min),
         OPTION(consumer_assignment_interval_ms_max),
         "Least time between two assignments of the group, if it is a consumer group."},
    [GROUP_CONFIG_CONSUMER_HEARTBEAT_MS] =
        {"consumer.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms",
         OPTION(consumer_heartbeat_ms), OPTION(consumer_heartbeat_ms_min),
         OPTION(consumer_heartbeat_ms_max),
         "How often members of the group send heartbeats, if it is a consumer group."},
    [GROUP_CONFIG_CONSUMER_SESSION_MS] =
        {"consumer.session.timeout.ms", "group.consumer.session.timeout.ms",
         OPTION(consumer_session_ms), OPTION(consumer_session_ms_min),
         OPTION(consumer_session_ms_max),
         "A member of the group that was silent for so long is removed, if it is a consumer "
         "group."},
};
_Static_assert(array_count(rows) == GROUP_CONFIG_COUNT, "a row for each");

static int64_t option_of(const struct options *options, size_t offset) {
    int64_t value;
    memcpy(&value, (const char *)options + offset, sizeof value);
    return value;
}

int32_t group_config_find(struct bytes name) {
    for (int32_t i = 0; i < GROUP_CONFIG_COUNT; i++)
        if (bytes_equal_text(name, rows[i].name)) return i;
    return -1;
}

const char *group_config_name(enum group_config config) { return rows[config].name; }

/* --- values --- */

static bool validate_one(const struct row *row, const char *text, const struct options *options,
                         struct error *error) {
    int64_t value, least = option_of(options, row->minimum),
                   most = option_of(options, row->maximum);
    if (!number_parse_plain(text, &value))
        return error_set(error, EINVAL, "Invalid value %.60s for configuration %s: Not a number",
                         text, row->name);
    if (value < least || value > most)
        return error_set(error, EINVAL, "%s must be between %lld and %lld", row->name,
                         (long long)least, (long long)most);
    return true;
}

static int64_t value_in(const struct catalog_configs *configs, const struct options *options,
                        enum group_config config) {
    const struct row *row = rows + config;
    const char *text = configs ? catalog_configs_find(configs, bytes_of_text(row->name)) : NULL;
    int64_t value;
    return text && number_parse_plain(text, &value) ? value : option_of(options, row->value);
}

bool group_config_validate(const struct catalog_configs *configs, const struct options *options,
                           struct error *error) {
    for (int32_t i = 0; i < configs->count; i++) {
        int32_t at = group_config_find(bytes_of_text(configs->items[i].name));
        if (at >= 0 && !validate_one(rows + at, configs->items[i].value, options, error))
            return false;
    }
    if (value_in(configs, options, GROUP_CONFIG_CONSUMER_HEARTBEAT_MS) >=
        value_in(configs, options, GROUP_CONFIG_CONSUMER_SESSION_MS))
        return error_set(error, EINVAL, "%s must be less than %s",
                         rows[GROUP_CONFIG_CONSUMER_HEARTBEAT_MS].name,
                         rows[GROUP_CONFIG_CONSUMER_SESSION_MS].name);
    return true;
}

int64_t group_config_value(const struct catalog *catalog, struct bytes group,
                           enum group_config config) {
    return value_in(catalog_group_configs(catalog, group), catalog->options, config);
}

/* --- descriptions --- */

static void add_synonym(struct described_config *to, struct config_synonym synonym) {
    to->synonyms[to->synonym_count++] = synonym;
}

struct described_config *group_config_describe_defaults(const struct options *options,
                                                        struct arena *arena) {
    struct described_config *described =
        arena_array(arena, struct described_config, GROUP_CONFIG_COUNT);
    for (int32_t i = 0; i < GROUP_CONFIG_COUNT; i++) {
        const struct row *row = rows + i;
        const char *value = arena_format(arena, "%lld", (long long)option_of(options, row->value));
        described[i] = (struct described_config){
            .name = row->name,
            .value = value,
            .doc = row->doc,
            .type = CONFIG_INT,
            .source = CONFIG_FROM_DEFAULT,
            .is_default = true,
            .synonyms = arena_new(arena, struct config_synonym),
        };
        add_synonym(described + i,
                    (struct config_synonym){row->server_name, value, CONFIG_FROM_DEFAULT});
    }
    return described;
}

struct described_config *group_config_describe(const struct described_config *defaults,
                                               const struct catalog_configs *configs,
                                               struct arena *arena) {
    struct described_config *described =
        arena_array(arena, struct described_config, GROUP_CONFIG_COUNT);
    memcpy(described, defaults, GROUP_CONFIG_COUNT * sizeof *described);
    for (int32_t i = 0; i < configs->count; i++) {
        int32_t at = group_config_find(bytes_of_text(configs->items[i].name));
        if (at < 0) continue;
        struct described_config *to = described + at;
        to->value = configs->items[i].value;
        to->source = CONFIG_FROM_GROUP;
        to->is_default = false;
        to->synonyms = arena_array(arena, struct config_synonym, 2);
        to->synonym_count = 0;
        add_synonym(to, (struct config_synonym){to->name, to->value, CONFIG_FROM_GROUP});
        add_synonym(to, defaults[at].synonyms[0]);
    }
    return described;
}
