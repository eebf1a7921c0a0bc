/* The contract of a topic's keys or values, as a client that reads and writes JSON sees it: what
 * the broker says of the topic, and the schemas from the registry. */
#pragma once

#include "cli/cluster.h"
#include "cli/registry_schemas.h"
#include "registry/topic_contract.h"

struct record_contract {
    enum contract_part part;
    const struct contract_config *config;
    const char *topic;
    struct registry_schemas *schemas;
};

/* A topic's two contracts; a part that has none has the level CONTRACT_OFF. */
struct record_contracts {
    struct arena arena; /* the texts of the configs */
    struct topic_config config;
    struct registry_schemas schemas;
    struct record_contract parts[CONTRACT_PARTS];
};

/* False when the broker does not tell, or there is a contract and --registry is no address;
 * record_contracts_deinit() either way. */
bool record_contracts_init(struct record_contracts *contracts, struct cluster *cluster,
                           const char *topic, const struct settings *settings, struct error *error);
void record_contracts_deinit(struct record_contracts *contracts);

/* NULL when that part has none. */
struct record_contract *record_contracts_of(struct record_contracts *contracts,
                                            enum contract_part part);

/* The subject of a message, in the arena. The message matters where the strategy goes by it. */
struct bytes record_contract_subject(const struct record_contract *contract, struct bytes message,
                                     struct arena *arena);
/* A version of a subject: a number, or -1 for the latest; hidden ones too, if they are named. */
const struct registry_schema *record_contract_version(const struct record_contract *contract,
                                                      struct bytes subject, int32_t version,
                                                      struct arena *arena, struct error *error);
/* The only name that is allowed; null when there are none, or several. */
struct bytes record_contract_message(const struct record_contract *contract);
/* The only message at the top of the schema's own file; null when there are several. */
struct bytes schema_only_message(const struct registry_schema *schema);
