/* A config as DescribeConfigs answers it: shared by broker and topic configs. Codes are Kafka's
 * (KIP-226 for sources, KIP-569 for types and documentation). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum config_type {
    CONFIG_UNKNOWN,
    CONFIG_BOOLEAN,
    CONFIG_STRING,
    CONFIG_INT,
    CONFIG_SHORT,
    CONFIG_LONG,
    CONFIG_DOUBLE,
    CONFIG_LIST,
    CONFIG_CLASS,
    CONFIG_PASSWORD,
};

enum config_source {
    CONFIG_FROM_TOPIC = 1,
    CONFIG_FROM_BROKER_DYNAMIC = 2,
    CONFIG_FROM_CLUSTER_DYNAMIC = 3,
    CONFIG_FROM_BROKER_STATIC = 4,
    CONFIG_FROM_DEFAULT = 5,
    CONFIG_FROM_GROUP = 8,
};

struct config_synonym {
    const char *name, *value;
    enum config_source source;
};

struct described_config {
    const char *name, *value; /* value NULL: null */
    const char *doc;
    enum config_type type;
    enum config_source source;
    bool is_default, read_only, sensitive;
    /* Where the value would come from, strongest first; starts with the value itself. */
    struct config_synonym *synonyms;
    size_t synonym_count;
};
