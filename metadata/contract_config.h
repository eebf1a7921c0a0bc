/* How a contract is bound to a topic: the configs millrace.key.* and millrace.value.*, as they hold
 * for one of the two, and the names under which Confluent's and Redpanda's brokers have some of
 * them. What they mean for a record is in registry/topic_contract.h.
 *
 * Texts are those of the topic's configs: good until the catalog is changed again. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum contract_part { CONTRACT_OF_KEY, CONTRACT_OF_VALUE, CONTRACT_PARTS };

/* In the order of the configs' choices. */
enum contract_level { CONTRACT_OFF, CONTRACT_SCHEMA_ID, CONTRACT_PAYLOAD };
enum contract_framing { CONTRACT_CONFLUENT, CONTRACT_HEADER, CONTRACT_RAW };
enum contract_strategy { CONTRACT_BY_TOPIC, CONTRACT_BY_RECORD, CONTRACT_BY_TOPIC_RECORD };
enum contract_unknown { CONTRACT_UNKNOWN_AUTO, CONTRACT_UNKNOWN_ALLOW, CONTRACT_UNKNOWN_REJECT };
enum contract_null { CONTRACT_NULL_ALLOW, CONTRACT_NULL_REJECT };
enum contract_violation { CONTRACT_REJECT, CONTRACT_OBSERVE };

enum { CONTRACT_REJECTS_BYTES_MAX = 1024 };

struct contract_config {
    uint8_t own_level, framing, own_strategy, unknown_fields, null, on_violation;
    /* Other brokers' names. */
    bool confluent_validation, redpanda_validation;
    uint8_t confluent_strategy, redpanda_strategy;
    const char *subject;  /* "": by strategy */
    const char *messages; /* full names between commas; "": any of the schema's file */
    const char *versions; /* "any", "latest", ">=N" */
};

struct contract_versions {
    bool latest;
    int32_t minimum; /* 1: any */
};

/* The strictest that one of its names asks for. */
enum contract_level contract_config_level(const struct contract_config *config);
/* Our own config's, unless that is the default: then another broker's. */
enum contract_strategy contract_config_strategy(const struct contract_config *config);
bool contract_config_rejects_unknown(const struct contract_config *config);
void contract_config_versions(const struct contract_config *config,
                              struct contract_versions *versions);
/* "key" or "value". */
const char *contract_part_name(enum contract_part part);

/* The next name of a list between commas, without blanks; false at its end. */
bool contract_names_next(const char **rest, struct bytes *name);
/* Whether the list of messages has this one, or none at all. */
bool contract_allows_message(const struct contract_config *config, struct bytes message);

/* Judges what must fit together, without a look at the registry. */
bool contract_config_validate(enum contract_part part, const struct contract_config *config,
                              struct error *error);
/* Whether a topic config binds a contract. */
bool contract_config_names(const char *name);

/* For single values of the rows. */
bool contract_versions_are_valid(const char *value, const char **why);
bool contract_messages_are_valid(const char *value, const char **why);
bool contract_subject_is_valid(const char *value, const char **why);
