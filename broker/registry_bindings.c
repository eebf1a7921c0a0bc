#include "broker/registry_bindings.h"

/* The subject of a contract that does not depend on the record; null for others. */
static struct bytes subject_of(enum contract_part part, const struct contract_config *config,
                               struct bytes topic, struct arena *arena) {
    if (contract_config_level(config) == CONTRACT_OFF) return BYTES_NULL;
    if (config->subject[0]) return bytes_of_text(config->subject);
    if (contract_config_strategy(config) != CONTRACT_BY_TOPIC) return BYTES_NULL;
    return bytes_of_text(
        arena_format(arena, "%.*s-%s", BYTES_FORMAT(topic), contract_part_name(part)));
}

size_t registry_bindings_of(const struct catalog *catalog, struct bytes topic, struct arena *arena,
                            struct registry_association found[CONTRACTS_OF_TOPIC_MAX]) {
    const struct catalog_topic *known = catalog_find_topic(catalog, topic);
    size_t count = 0;
    for (int i = 0; known && i < CONTRACT_PARTS; i++) {
        enum contract_part part = (enum contract_part)i;
        struct bytes subject = subject_of(part, &known->effective.contracts[i], topic, arena);
        if (bytes_is_null(subject)) continue;
        found[count++] =
            (struct registry_association){arena_copy(arena, subject), part == CONTRACT_OF_KEY};
    }
    return count;
}

/* A record's message names the subject: one that the contract lists, or any. */
static bool names_message(const struct contract_config *config, struct bytes message) {
    const char *rest = config->messages;
    struct bytes name;
    if (!rest[0]) return true;
    while (contract_names_next(&rest, &name))
        if (bytes_equal(name, message)) return true;
    return false;
}

static bool may_name(enum contract_part part, const struct contract_config *config,
                     struct bytes topic, struct bytes subject, struct arena *arena) {
    struct bytes own = subject_of(part, config, topic, arena);
    if (contract_config_level(config) == CONTRACT_OFF) return false;
    if (!bytes_is_null(own)) return bytes_equal(own, subject);
    if (contract_config_strategy(config) == CONTRACT_BY_RECORD)
        return names_message(config, subject);
    if (subject.len <= topic.len + 1 || !bytes_starts_with(subject, topic) ||
        subject.at[topic.len] != '-')
        return false;
    return names_message(config,
                         bytes_make(subject.at + topic.len + 1, subject.len - topic.len - 1));
}

/* What is deleted for good was hidden before, so it is not the latest. */
static bool admits(const struct contract_config *config, int32_t version) {
    struct contract_versions versions;
    contract_config_versions(config, &versions);
    return !versions.latest && version >= versions.minimum;
}

static bool topic_admits(const struct catalog_topic *topic, struct bytes subject, int32_t version) {
    struct bytes name = bytes_of_text(topic->name);
    struct arena arena;
    bool found = false;
    arena_init(&arena, SIZE_MAX);
    for (int i = 0; i < CONTRACT_PARTS; i++) {
        const struct contract_config *config = &topic->effective.contracts[i];
        found = found || (may_name((enum contract_part)i, config, name, subject, &arena) &&
                          admits(config, version));
    }
    arena_deinit(&arena);
    return found;
}

void registry_bindings_print(const struct catalog *catalog, struct bytes subject, int32_t version,
                             struct text *names) {
    size_t count;
    struct catalog_topic **topics = catalog_topics_sorted(catalog, &count);
    for (size_t i = 0; i < count; i++) {
        if (!topic_admits(topics[i], subject, version)) continue;
        text_printf(names, "%s'%s'", names->len ? ", " : "", topics[i]->name);
    }
    free(topics);
}
