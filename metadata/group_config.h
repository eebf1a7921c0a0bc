/* Configs of groups (KIP-848): what Kafka 4.4 lets an operator set for one group and what has a
 * meaning here. A value comes from the group where it was set there, else from the broker's option.
 * A group's configs stay when the group goes, and may be set before it comes. */
#pragma once

#include "config/described.h"
#include "metadata/catalog.h"

enum group_config {
    GROUP_CONFIG_CONSUMER_ASSIGNMENT_INTERVAL_MS,
    GROUP_CONFIG_CONSUMER_HEARTBEAT_MS,
    GROUP_CONFIG_CONSUMER_SESSION_MS,
    GROUP_CONFIG_COUNT,
};

/* Its place in all tables here, or -1. */
int32_t group_config_find(struct bytes name);
const char *group_config_name(enum group_config config);
/* Judges a group's whole set, by itself and against the broker's options. */
bool group_config_validate(const struct catalog_configs *configs, const struct options *options,
                           struct error *error);
/* What holds for a group. */
int64_t group_config_value(const struct catalog *catalog, struct bytes group,
                           enum group_config config);

/* All rows as DescribeConfigs shows them, in the arena: of a group that has set nothing, and of one
 * that has. */
struct described_config *group_config_describe_defaults(const struct options *options,
                                                        struct arena *arena);
struct described_config *group_config_describe(const struct described_config *defaults,
                                               const struct catalog_configs *configs,
                                               struct arena *arena);
