/* A topic's contracts as a broker describes them (DescribeConfigs), for those who have no catalog.
 * Of a broker that knows no contracts, a topic has none. */
#pragma once

#include "metadata/topic_config.h"

/* No contract at all. */
void described_contract_init(struct topic_config *config);
/* Takes one described config, if it belongs to a contract; its text has to outlive `config`. */
void described_contract_take(struct topic_config *config, const char *name, const char *value);
