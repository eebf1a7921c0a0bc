#include "cli/record_contract.h"

#include "cli/topic_configs.h"
#include "registry/described_contract.h"
#include "registry/subjects.h"

enum { MEMORY_MAX = 64 << 20 };

static void configs_take(struct record_contracts *contracts,
                         const struct describe_configs_response_describe_configs_result *told) {
    for (int32_t i = 0; i < told->configs_count; i++) {
        if (bytes_is_null(told->configs[i].value)) continue;
        described_contract_take(&contracts->config,
                                arena_text(&contracts->arena, told->configs[i].name),
                                arena_text(&contracts->arena, told->configs[i].value));
    }
}

bool record_contracts_init(struct record_contracts *contracts, struct cluster *cluster,
                           const char *topic, const struct settings *settings,
                           struct error *error) {
    struct arena message;
    *contracts = (struct record_contracts){0};
    arena_init(&contracts->arena, MEMORY_MAX);
    described_contract_init(&contracts->config);
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++)
        contracts->parts[part] = (struct record_contract){part, &contracts->config.contracts[part],
                                                          topic, &contracts->schemas};
    arena_init(&message, CLUSTER_ARENA_BYTES);
    const struct describe_configs_response_describe_configs_result *told =
        topic_configs_read(cluster, topic, NULL, &message, error);
    if (told) configs_take(contracts, told);
    arena_deinit(&message);
    if (!told || !topic_config_has_contract(&contracts->config)) return told;
    return registry_schemas_init(&contracts->schemas, settings, error);
}

void record_contracts_deinit(struct record_contracts *contracts) {
    registry_schemas_deinit(&contracts->schemas);
    arena_deinit(&contracts->arena);
}

struct record_contract *record_contracts_of(struct record_contracts *contracts,
                                            enum contract_part part) {
    bool off = contract_config_level(&contracts->config.contracts[part]) == CONTRACT_OFF;
    return off ? NULL : &contracts->parts[part];
}

struct bytes record_contract_subject(const struct record_contract *contract, struct bytes message,
                                     struct arena *arena) {
    if (*contract->config->subject) return bytes_of_text(contract->config->subject);
    switch (contract_config_strategy(contract->config)) {
        case CONTRACT_BY_RECORD: return message;
        case CONTRACT_BY_TOPIC_RECORD:
            return bytes_of_text(
                arena_format(arena, "%s-%.*s", contract->topic, BYTES_FORMAT(message)));
        default:
            return bytes_of_text(
                arena_format(arena, "%s-%s", contract->topic, contract_part_name(contract->part)));
    }
}

const struct registry_schema *record_contract_version(const struct record_contract *contract,
                                                      struct bytes subject, int32_t version,
                                                      struct arena *arena, struct error *error) {
    const char *segment = registry_path_segment(arena, subject);
    const char *path = version < 0 ? arena_format(arena, "/subjects/%s/versions/latest", segment)
                                   : arena_format(arena, "/subjects/%s/versions/%d?deleted=true",
                                                  segment, version);
    return registry_schemas_find(contract->schemas, path, subject_context(subject), error);
}

struct bytes record_contract_message(const struct record_contract *contract) {
    const char *rest = contract->config->messages;
    struct bytes name = BYTES_NULL, other;
    if (!contract_names_next(&rest, &name)) return BYTES_NULL;
    return contract_names_next(&rest, &other) ? BYTES_NULL : name;
}

struct bytes schema_only_message(const struct registry_schema *schema) {
    const struct file_descriptor *file = descriptor_root(&schema->set);
    return file->message_count == 1 ? file->messages[0].full_name : BYTES_NULL;
}
