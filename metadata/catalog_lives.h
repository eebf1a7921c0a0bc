/* What the catalog knows of partitions by their ids, for recovery and for those who look at a data
 * directory: which of them live, what their logs need to know, and what they are called. */
#pragma once

#include "metadata/catalog.h"
#include "storage/recover.h"

void partition_rules_of(const struct topic_config *config, struct partition_rules *rules);
void partition_define(const struct catalog_topic *topic, const struct catalog_partition *partition,
                      struct partition_definition *definition);
/* Of the catalog's own log. */
void catalog_log_define(struct partition_definition *definition);

struct catalog_life {
    uint32_t id;
    int32_t index;
    const struct catalog_topic *topic;
};

/* Good until the catalog changes. */
struct catalog_lives {
    const struct catalog *catalog;
    size_t count;
    struct catalog_life *items; /* by id */
};

void catalog_lives_init(struct catalog_lives *lives, const struct catalog *catalog);
void catalog_lives_deinit(struct catalog_lives *lives);
/* NULL when no topic has it, as the catalog's own. */
const struct catalog_life *catalog_lives_find(const struct catalog_lives *lives, uint32_t id);
/* As recover_partitions() asks: `context` is a struct catalog_lives. */
enum partition_life catalog_lives_tell(void *context, uint32_t id,
                                       struct partition_definition *definition);
