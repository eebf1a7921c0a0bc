/* What exists: topics, their partitions and configs, broker configs, blocks of producer ids. An
 * in-memory image that is only ever changed by catalog_apply() of durable records, so that every
 * core's copy, and the one rebuilt at start, are equal. No I/O, no clock, no chance in here.
 *
 * Each core keeps a copy of its own, fed by message from the catalog's core (shard 0); nothing is
 * shared. Pointers into a catalog are good until the next catalog_apply() on that core. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "metadata/topic_config.h"

struct catalog_partition {
    uint32_t id; /* never reused; names the log's files */
    uint16_t shard;
    int32_t index;
    int32_t leader_epoch;
};

/* A config that somebody set; defaults are not stored. */
struct catalog_config {
    char *name, *value;
};

struct catalog_topic {
    struct map_node by_name, by_id;
    struct uuid id;
    char *name;
    int32_t partition_count;
    struct catalog_partition *partitions; /* by index */
    int32_t config_count;
    struct catalog_config *configs;      /* sorted by name */
    struct topic_config effective;       /* resolved from configs and broker defaults */
    bool internal;
};

struct catalog {
    struct map topics_by_name, topics_by_id;
    uint32_t partition_id_next; /* ids below were given; 0 is the catalog's own log */
    int64_t producer_id_next;   /* ids below were handed out in blocks */
    int32_t broker_config_count;
    struct catalog_config *broker_configs;
    const struct options *options; /* defaults */
    uint64_t version;              /* rises with every applied batch */
};

void catalog_init(struct catalog *catalog, const struct options *options);
void catalog_deinit(struct catalog *catalog);

struct catalog_topic *catalog_find_topic(const struct catalog *catalog, struct bytes name);
struct catalog_topic *catalog_find_topic_id(const struct catalog *catalog, const struct uuid *id);
/* All topics in order of name, as a heap array that the caller frees. */
struct catalog_topic **catalog_topics_sorted(const struct catalog *catalog, size_t *count);
/* Kafka's rules: 1-249 of [a-zA-Z0-9._-], not "." or "..". */
bool catalog_name_is_valid(struct bytes name, struct error *error);

/* What one applied batch changed, for the core that owns shards: partitions to create, delete or
 * configure. Callbacks run while the batch is applied; NULL ones are skipped. */
struct catalog_observer {
    void *context;
    void (*partition_created)(void *context, const struct catalog_topic *topic,
                              const struct catalog_partition *partition);
    void (*partition_deleted)(void *context, const struct catalog_topic *topic,
                              const struct catalog_partition *partition);
    void (*topic_configured)(void *context, const struct catalog_topic *topic);
    void (*broker_configured)(void *context);
};

/* Applies one record batch of the catalog's log (metadata/catalog_record.h); false and `error` for
 * a record that this version does not know. */
bool catalog_apply(struct catalog *catalog, struct bytes batch,
                   const struct catalog_observer *observer, struct error *error);
