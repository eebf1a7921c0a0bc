/* Configs as DescribeConfigs and CreateTopics answer them. */
#pragma once

#include "broker/request.h"
#include "config/described.h"
#include "metadata/catalog.h"

/* The configs of a topic that has set these; rows are in the request's arena. */
int32_t admin_describe_topic(struct request *request, const struct catalog_configs *configs,
                             struct described_config **rows);
/* The broker's: all of them, or (`cluster`, where no broker was named) those set for all brokers.
 * On one node what is set at run time is both: its source is the one that was asked for. */
int32_t admin_describe_broker(struct request *request, bool cluster,
                              struct described_config **rows);
