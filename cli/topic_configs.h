/* A topic's configs as the broker shows them (DescribeConfigs). */
#pragma once

#include "cli/cluster.h"
#include "protocol/describe_configs.h"

/* All of them, or with `only` that one; NULL after an error. The result is in the arena. */
const struct describe_configs_response_describe_configs_result *topic_configs_read(
    struct cluster *cluster, const char *topic, const char *only, struct arena *arena,
    struct error *error);
