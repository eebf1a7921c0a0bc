#include "registry/described_contract.h"

#include <criterion/criterion.h>

Test(described_contract, nothing_said_is_no_contract) {
    struct topic_config config;
    described_contract_init(&config);
    cr_assert_not(topic_config_has_contract(&config));
    described_contract_take(&config, "cleanup.policy", "compact");
    described_contract_take(&config, "millrace.value.contract", "nonsense");
    described_contract_take(&config, "not.known", "x");
    cr_assert_not(topic_config_has_contract(&config));
    cr_assert_str_eq(config.contracts[CONTRACT_OF_VALUE].subject, "");
}

Test(described_contract, configs_are_taken_as_the_broker_takes_them) {
    struct topic_config config;
    described_contract_init(&config);
    described_contract_take(&config, "millrace.value.contract", "payload");
    described_contract_take(&config, "millrace.value.framing", "raw");
    described_contract_take(&config, "millrace.value.message", "shop.Order");
    described_contract_take(&config, "confluent.key.schema.validation", "true");
    const struct contract_config *value = &config.contracts[CONTRACT_OF_VALUE];
    cr_assert_eq(contract_config_level(value), CONTRACT_PAYLOAD);
    cr_assert_eq(value->framing, CONTRACT_RAW);
    cr_assert_str_eq(value->messages, "shop.Order");
    cr_assert_eq(contract_config_level(&config.contracts[CONTRACT_OF_KEY]), CONTRACT_SCHEMA_ID);
}
