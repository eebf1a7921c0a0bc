#include "metadata/topic_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/option_row.h"
#include "config/quantity.h"
#include "metadata/catalog.h"

enum { VALUE_BYTES_MAX = 32768 };

static int compare_name(const void *name, const void *row) {
    const struct topic_config_row *to = row;
    return bytes_compare(*(const struct bytes *)name, bytes_of_text(to->name));
}

const struct topic_config_row *topic_config_find(struct bytes name) {
    return bsearch(&name, topic_config_rows, topic_config_row_count, sizeof *topic_config_rows,
                   compare_name);
}

/* ---- one value ---- */

/* Kafka ignores blanks around a value and around a list's items. */
static struct bytes trim(const char *text, size_t len) {
    while (len && isspace((unsigned char)*text)) text++, len--;
    while (len && isspace((unsigned char)text[len - 1])) len--;
    return bytes_make(text, len);
}

static bool value_refuse(const struct topic_config_row *row, const char *value, const char *why,
                         struct error *error) {
    return error_set(error, EINVAL, "Invalid value %.60s for configuration %s: %s", value,
                     row->name, why);
}

/* The value without blanks; false where it is far longer than any number. */
static bool number_text(const char *value, char *out, size_t room) {
    struct bytes trimmed = trim(value, strlen(value));
    if (trimmed.len > 1 && trimmed.at[0] == '+')
        trimmed = bytes_make(trimmed.at + 1, trimmed.len - 1);
    if (trimmed.len >= room) return false;
    memcpy(out, trimmed.at, trimmed.len);
    out[trimmed.len] = 0;
    return true;
}

static bool number_of(enum config_type type, const char *value, int64_t *number) {
    char text[32];
    if (!number_text(value, text, sizeof text) || !number_parse_plain(text, number)) return false;
    return type == CONFIG_LONG || (*number >= INT32_MIN && *number <= INT32_MAX);
}

static bool double_of(const char *value, double *number) {
    char text[64];
    return number_text(value, text, sizeof text) && double_parse(text, number);
}

static bool bool_of(const char *value, bool *flag) {
    struct bytes text = trim(value, strlen(value));
    *flag = text.len == 4 && strncasecmp((const char *)text.at, "true", 4) == 0;
    return *flag || (text.len == 5 && strncasecmp((const char *)text.at, "false", 5) == 0);
}

static bool validate_number(const struct topic_config_row *row, const char *value,
                            struct error *error) {
    int64_t number;
    char why[80];
    if (!number_of(row->type, value, &number))
        return value_refuse(
            row, value,
            row->type == CONFIG_LONG ? "Not a number of type LONG" : "Not a number of type INT",
            error);
    if (number >= row->minimum && number <= row->maximum) return true;
    bool small = number < row->minimum;
    snprintf(why, sizeof why, "Value must be %s %lld", small ? "at least" : "no more than",
             (long long)(small ? row->minimum : row->maximum));
    return value_refuse(row, value, why, error);
}

static bool validate_double(const struct topic_config_row *row, const char *value,
                            struct error *error) {
    double number;
    char why[80];
    if (!double_of(value, &number))
        return value_refuse(row, value, "Not a number of type DOUBLE", error);
    bool small = number < (double)row->minimum;
    if (!small && number <= (double)row->maximum) return true;
    snprintf(why, sizeof why, "Value must be %s %lld", small ? "at least" : "no more than",
             (long long)(small ? row->minimum : row->maximum));
    return value_refuse(row, value, why, error);
}

static bool is_choice(const struct topic_config_row *row, struct bytes item) {
    for (size_t at = 0; row->choices[at]; at++)
        if (bytes_equal_text(item, row->choices[at])) return true;
    return false;
}

static bool choice_refuse(const struct topic_config_row *row, const char *value,
                          struct error *error) {
    char why[320] = "String must be one of: ";
    size_t len = strlen(why);
    for (size_t at = 0; row->choices[at]; at++) {
        len +=
            (size_t)snprintf(why + len, sizeof why - len, "%s%s", at ? ", " : "", row->choices[at]);
        check(len < sizeof why); /* the rows are ours */
    }
    return value_refuse(row, value, why, error);
}

static bool validate_string(const struct topic_config_row *row, const char *value,
                            struct error *error) {
    if (!row->choices || is_choice(row, bytes_of_text(value))) return true;
    return choice_refuse(row, value, error);
}

/* Items from the choices, none twice; an empty list is one (KIP-1161). */
static bool validate_list(const struct topic_config_row *row, const char *value,
                          struct error *error) {
    size_t seen[8] = {0};
    if (trim(value, strlen(value)).len == 0) return true;
    for (const char *at = value; row->choices && at;) {
        size_t len = strcspn(at, ",");
        struct bytes item = trim(at, len);
        if (!is_choice(row, item)) return choice_refuse(row, value, error);
        for (size_t choice = 0; row->choices[choice]; choice++)
            if (bytes_equal_text(item, row->choices[choice]) && seen[choice]++)
                return value_refuse(row, value, "Duplicate values are not allowed", error);
        at = at[len] ? at + len + 1 : NULL;
    }
    return true;
}

static bool validate_type(const struct topic_config_row *row, const char *value,
                          struct error *error) {
    bool flag;
    switch (row->type) {
        case CONFIG_BOOLEAN:
            return bool_of(value, &flag) ||
                   value_refuse(row, value, "Expected value to be either true or false", error);
        case CONFIG_INT:
        case CONFIG_LONG: return validate_number(row, value, error);
        case CONFIG_DOUBLE: return validate_double(row, value, error);
        case CONFIG_LIST: return validate_list(row, value, error);
        default: return validate_string(row, value, error);
    }
}

bool topic_config_validate(const char *name, const char *value, struct error *error) {
    const struct topic_config_row *row = topic_config_find(bytes_of_text(name));
    const char *why;
    if (!row) return error_set(error, EINVAL, "Unknown topic config name: %.200s", name);
    if (strlen(value) > VALUE_BYTES_MAX)
        return value_refuse(row, value, "The value is too long", error);
    if (!validate_type(row, value, error)) return false;
    if (row->is_valid && !row->is_valid(value, &why)) return value_refuse(row, value, why, error);
    return true;
}

/* ---- all of a topic ---- */

static void default_print(const struct topic_config_row *row, const struct options *options,
                          struct text *out) {
    const struct option_row *server = row->server_name ? option_row_find(row->server_name) : NULL;
    check(server || !row->server_name);
    if (server)
        option_print_kafka(server, options, out);
    else
        text_printf(out, "%s", row->value);
}

char *topic_config_default(const struct topic_config_row *row, const struct options *options,
                           struct arena *arena) {
    struct text text = {0};
    default_print(row, options, &text);
    char *copy = arena_text(arena, text_bytes(&text));
    text_deinit(&text);
    return copy;
}

static void take_number(const struct topic_config_row *row, const char *value, char *field) {
    int64_t number = 0;
    check(number_of(row->type, value, &number));
    int32_t small = (int32_t)number;
    if (row->type == CONFIG_INT)
        memcpy(field, &small, sizeof small);
    else
        memcpy(field, &number, sizeof number);
}

static void take_text(const struct topic_config_row *row, const char *value, char *field) {
    if (!row->choices) {
        memcpy(field, &value, sizeof value);
        return;
    }
    uint8_t place = 0;
    while (row->choices[place] && strcmp(row->choices[place], value) != 0) place++;
    check(row->choices[place]);
    memcpy(field, &place, sizeof place);
}

static void take_field(const struct topic_config_row *row, const char *value,
                       struct topic_config *out) {
    char *field = (char *)out + row->offset;
    bool flag = false;
    double real = 0;
    switch (row->type) {
        case CONFIG_BOOLEAN:
            check(bool_of(value, &flag));
            memcpy(field, &flag, sizeof flag);
            return;
        case CONFIG_DOUBLE:
            check(double_of(value, &real));
            memcpy(field, &real, sizeof real);
            return;
        case CONFIG_INT:
        case CONFIG_LONG: take_number(row, value, field); return;
        default: take_text(row, value, field); return;
    }
}

static void take_value(const struct topic_config_row *row, const char *value,
                       struct topic_config *out) {
    if (row->take)
        row->take(value, out);
    else if (row->has_field)
        take_field(row, value, out);
}

void topic_config_defaults(const struct options *options, struct topic_config *out) {
    *out = (struct topic_config){0};
    for (size_t at = 0; at < topic_config_row_count; at++) {
        const struct topic_config_row *row = &topic_config_rows[at];
        if (!row->take && !row->has_field) continue;
        if (!row->server_name) {
            take_value(row, row->value, out);
            continue;
        }
        struct text text = {0};
        default_print(row, options, &text);
        take_value(row, (const char *)text_bytes(&text).at, out);
        text_deinit(&text);
    }
}

/* The row of a config that somebody set; NULL for one that this version does not know. */
static const struct topic_config_row *row_of(const struct catalog_config *config) {
    return topic_config_find(bytes_of_text(config->name));
}

void topic_config_resolve(const struct catalog_configs *configs,
                          const struct topic_config *defaults, struct topic_config *out) {
    *out = *defaults;
    for (int32_t i = 0; i < configs->count; i++) {
        const struct topic_config_row *row = row_of(configs->items + i);
        if (row) take_value(row, configs->items[i].value, out);
    }
}

bool topic_config_validate_set(const struct catalog_configs *configs,
                               const struct topic_config *defaults, struct error *error) {
    struct topic_config config;
    topic_config_resolve(configs, defaults, &config);
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++)
        if (!contract_config_validate(part, &config.contracts[part], error)) return false;
    if (config.compaction_lag_ms_min <= config.compaction_lag_ms_max) return true;
    return error_set(error, EINVAL,
                     "conflict topic config setting min.compaction.lag.ms (%lld) > "
                     "max.compaction.lag.ms (%lld)",
                     (long long)config.compaction_lag_ms_min,
                     (long long)config.compaction_lag_ms_max);
}

/* ---- DescribeConfigs ---- */

static void add_synonym(struct described_config *row, const char *name, const char *value,
                        enum config_source source) {
    row->synonyms[row->synonym_count++] = (struct config_synonym){name, value, source};
}

static enum config_source server_source(const struct topic_config_row *row,
                                        const struct options *options) {
    const struct option_row *server = row->server_name ? option_row_find(row->server_name) : NULL;
    if (!server) return CONFIG_FROM_DEFAULT;
    switch (options->origins[server - option_rows].source) {
        case OPTION_FROM_DEFAULT: return CONFIG_FROM_DEFAULT;
        case OPTION_FROM_CLUSTER: return CONFIG_FROM_CLUSTER_DYNAMIC;
        default: return CONFIG_FROM_BROKER_STATIC;
    }
}

enum { SYNONYMS_MAX = 3 };

static void describe_default(const struct topic_config_row *row, const struct options *options,
                             struct arena *arena, struct described_config *out) {
    const char *value = topic_config_default(row, options, arena);
    enum config_source source = server_source(row, options);
    *out = (struct described_config){.name = row->name,
                                     .value = value,
                                     .doc = row->doc,
                                     .type = row->type,
                                     .source = source,
                                     .is_default = source == CONFIG_FROM_DEFAULT};
    out->synonyms = arena_array(arena, struct config_synonym, SYNONYMS_MAX);
    if (row->server_name) add_synonym(out, row->server_name, value, source);
    if (row->server_name && source != CONFIG_FROM_DEFAULT)
        add_synonym(out, row->server_name, row->value, CONFIG_FROM_DEFAULT);
}

struct described_config *topic_config_describe_defaults(const struct options *options,
                                                        struct arena *arena) {
    struct described_config *rows =
        arena_array(arena, struct described_config, topic_config_row_count);
    for (size_t at = 0; at < topic_config_row_count; at++)
        describe_default(&topic_config_rows[at], options, arena, &rows[at]);
    return rows;
}

/* The value that the topic has set comes before those that it has not. */
static void describe_set(const char *value, struct arena *arena, struct described_config *row) {
    const struct config_synonym *others = row->synonyms;
    size_t count = row->synonym_count;
    row->value = value;
    row->source = CONFIG_FROM_TOPIC;
    row->is_default = false;
    row->synonyms = arena_array(arena, struct config_synonym, SYNONYMS_MAX);
    row->synonym_count = 0;
    add_synonym(row, row->name, value, CONFIG_FROM_TOPIC);
    for (size_t i = 0; i < count; i++) row->synonyms[row->synonym_count++] = others[i];
}

struct described_config *topic_config_describe(struct described_config *defaults,
                                               const struct catalog_configs *configs,
                                               struct arena *arena) {
    if (configs->count == 0) return defaults;
    struct described_config *rows =
        arena_array(arena, struct described_config, topic_config_row_count);
    memcpy(rows, defaults, topic_config_row_count * sizeof *rows);
    for (int32_t i = 0; i < configs->count; i++) {
        const struct topic_config_row *row = row_of(configs->items + i);
        if (row) describe_set(configs->items[i].value, arena, &rows[row - topic_config_rows]);
    }
    return rows;
}
