#include "registry/described_contract.h"

#include "metadata/catalog.h"

void described_contract_init(struct topic_config *config) {
    *config = (struct topic_config){0};
    for (int part = 0; part < CONTRACT_PARTS; part++) {
        config->contracts[part].subject = config->contracts[part].messages = "";
        config->contracts[part].versions = "any";
    }
}

void described_contract_take(struct topic_config *config, const char *name, const char *value) {
    struct catalog_config item = {(char *)name, (char *)value};
    const struct catalog_configs one = {1, &item};
    const struct topic_config before = *config;
    struct error ignored;
    if (contract_config_names(name) && topic_config_validate(name, value, &ignored))
        topic_config_resolve(&one, &before, config);
}
