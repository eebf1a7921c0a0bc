/* Configs as DescribeConfigs and CreateTopics answer them. */
#pragma once

#include "config/described.h"
#include "config/options.h"
#include "metadata/topic_config.h"

/* The broker's: all of them, or (`cluster`, where no broker was named) those set for all brokers.
 * On one node what is set at run time is both: its source is the one that was asked for. The count
 * is returned; rows are in the arena. */
int32_t admin_describe_broker(const struct options *options, bool cluster, struct arena *arena,
                              struct described_config **rows);
