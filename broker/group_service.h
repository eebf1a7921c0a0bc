/* The coordinators of groups on one core: one for each partition of __consumer_offsets that lives
 * here. The topic comes with the first group (broker/groups_topic.h); until then there is nothing.
 *
 * Belongs to its core. */
#pragma once

#include "consumer-groups/groups.h"

struct core;
struct catalog_topic;
struct catalog_partition;
struct group_service;

#define GROUPS_TOPIC "__consumer_offsets"

/* Between the core's starting hook and its store, so that a round's records join its commit. */
struct group_service *group_service_new(struct core *core);
/* Opens coordinators for the partitions that are there already; they load in the background. */
void group_service_start(struct group_service *service);
/* From the catalog: one more partition of this core's, of any topic. */
void group_service_partition_created(struct group_service *service,
                                     const struct catalog_topic *topic,
                                     const struct catalog_partition *partition);
/* From the catalog: something has changed. */
void group_service_catalog_changed(struct group_service *service);
/* What waits is answered, nothing more is taken; then, when nothing is under way, `stopped` runs.
 */
void group_service_stop(struct group_service *service, void (*stopped)(struct core *core));
/* When the store has stopped. */
void group_service_free(struct group_service *service);

/* For other coordinators of the core. */
struct coordinator_host *group_service_host(struct group_service *service);

/* The coordinator of that partition of __consumer_offsets, or NULL when it is not here. */
struct coordinator *group_service_find(struct group_service *service, int32_t index);
