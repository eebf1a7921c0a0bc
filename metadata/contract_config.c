#include "metadata/contract_config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "config/quantity.h"

enum { SUBJECT_BYTES_MAX = 512 };

enum contract_level contract_config_level(const struct contract_config *config) {
    bool other = config->confluent_validation || config->redpanda_validation;
    if (config->own_level == CONTRACT_OFF && other) return CONTRACT_SCHEMA_ID;
    return (enum contract_level)config->own_level;
}

enum contract_strategy contract_config_strategy(const struct contract_config *config) {
    uint8_t strategy = config->own_strategy;
    if (strategy == CONTRACT_BY_TOPIC) strategy = config->confluent_strategy;
    if (strategy == CONTRACT_BY_TOPIC) strategy = config->redpanda_strategy;
    return (enum contract_strategy)strategy;
}

bool contract_config_rejects_unknown(const struct contract_config *config) {
    if (config->unknown_fields != CONTRACT_UNKNOWN_AUTO)
        return config->unknown_fields == CONTRACT_UNKNOWN_REJECT;
    return config->framing == CONTRACT_RAW;
}

/* ">=N" with N of at least 1. */
static bool minimum_parse(const char *value, int32_t *minimum) {
    int64_t number;
    if (strncmp(value, ">=", 2) != 0 || !isdigit((unsigned char)value[2])) return false;
    if (!number_parse_plain(value + 2, &number) || number < 1 || number > INT32_MAX) return false;
    *minimum = (int32_t)number;
    return true;
}

void contract_config_versions(const struct contract_config *config,
                              struct contract_versions *versions) {
    *versions =
        (struct contract_versions){.latest = strcmp(config->versions, "latest") == 0, .minimum = 1};
    (void)minimum_parse(config->versions, &versions->minimum);
}

const char *contract_part_name(enum contract_part part) {
    return part == CONTRACT_OF_KEY ? "key" : "value";
}

bool contract_names_next(const char **rest, struct bytes *name) {
    while (**rest) {
        size_t len = strcspn(*rest, ",");
        const char *at = *rest;
        *rest += len + ((*rest)[len] == ',');
        while (len > 0 && isspace((unsigned char)*at)) at++, len--;
        while (len > 0 && isspace((unsigned char)at[len - 1])) len--;
        *name = bytes_make(at, len);
        if (len > 0) return true;
    }
    return false;
}

bool contract_allows_message(const struct contract_config *config, struct bytes message) {
    const char *rest = config->messages;
    struct bytes name;
    if (*rest == 0) return true;
    while (contract_names_next(&rest, &name))
        if (bytes_equal(name, message)) return true;
    return false;
}

/* --- judging --- */

static size_t names_count(const char *names) {
    struct bytes name;
    size_t count = 0;
    while (contract_names_next(&names, &name)) count++;
    return count;
}

static bool validate_raw(enum contract_part part, const struct contract_config *config,
                         struct error *error) {
    const char *name = contract_part_name(part);
    size_t names = names_count(config->messages);
    if (contract_config_level(config) == CONTRACT_SCHEMA_ID)
        return error_set(error, EINVAL,
                         "millrace.%s.framing=raw has no schema id to be checked: set "
                         "millrace.%s.contract=payload",
                         name, name);
    if (names > 1)
        return error_set(error, EINVAL,
                         "millrace.%s.framing=raw cannot tell messages apart: name one in "
                         "millrace.%s.message",
                         name, name);
    if (names == 0 && *config->subject == 0 &&
        contract_config_strategy(config) != CONTRACT_BY_TOPIC)
        return error_set(error, EINVAL,
                         "with millrace.%s.framing=raw, a subject by record needs "
                         "millrace.%s.message",
                         name, name);
    return true;
}

bool contract_config_validate(enum contract_part part, const struct contract_config *config,
                              struct error *error) {
    struct contract_versions versions;
    if (contract_config_level(config) == CONTRACT_OFF) return true;
    if (config->framing == CONTRACT_RAW) return validate_raw(part, config, error);
    contract_config_versions(config, &versions);
    if (!versions.latest) return true;
    return error_set(error, EINVAL,
                     "millrace.%s.versions=latest needs millrace.%s.framing=raw: framed records "
                     "name their version themselves",
                     contract_part_name(part), contract_part_name(part));
}

bool contract_config_names(const char *name) {
    static const char *const prefixes[] = {"millrace.key.",  "millrace.value.",
                                           "confluent.key.", "confluent.value.",
                                           "redpanda.key.",  "redpanda.value."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

bool contract_versions_are_valid(const char *value, const char **why) {
    int32_t minimum;
    *why = "Value must be any, latest (raw framing only) or >=N with N of at least 1";
    return strcmp(value, "any") == 0 || strcmp(value, "latest") == 0 ||
           minimum_parse(value, &minimum);
}

bool contract_messages_are_valid(const char *value, const char **why) {
    struct bytes name;
    *why = "Value must be full names of Protobuf messages, as shop.Order, between commas";
    while (contract_names_next(&value, &name))
        for (size_t i = 0; i < name.len; i++)
            if (!isalnum(name.at[i]) && name.at[i] != '_' && name.at[i] != '.') return false;
    return true;
}

bool contract_subject_is_valid(const char *value, const char **why) {
    *why = "A subject has at most 512 bytes and no control characters";
    for (const char *at = value; *at; at++)
        if (iscntrl((unsigned char)*at)) return false;
    return strlen(value) <= SUBJECT_BYTES_MAX;
}
