/* What exists: topics, their partitions and configs, broker configs, blocks of producer ids. An
 * in-memory image that is only ever changed by catalog_apply() of durable records, so that every
 * core's copy, and the one rebuilt at start, are equal. No I/O, no clock, no chance in here.
 *
 * Each core keeps a copy of its own, fed by message from the catalog's core (shard 0); nothing is
 * shared. Pointers into a catalog are good until the next catalog_apply() on that core. */
#pragma once

#include "base/byte_buffer.h"
#include "base/error.h"
#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "config/options.h"
#include "metadata/topic_config.h"
#include "storage/data_directory.h"

struct catalog_partition {
    uint32_t id; /* never reused; names the log's files */
    uint16_t shard;
    int32_t index;
    int32_t leader_epoch;
    bool offline; /* damaged, as recovery has found; not of the catalog's log */
};

/* A config that somebody set; defaults are not stored. */
struct catalog_config {
    char *name, *value;
};

/* Sorted by name. */
struct catalog_configs {
    int32_t count;
    struct catalog_config *items;
};

struct catalog_topic {
    struct map_node by_name, by_id;
    struct uuid id;
    char *name;
    int32_t partition_count;
    struct catalog_partition *partitions; /* by index */
    struct catalog_configs configs;
    bool internal;
    /* ---- derived ---- */
    struct topic_config effective; /* resolved from configs and the broker's options */
};

/* A group that has configs. */
struct catalog_group {
    struct map_node by_name;
    char *name;
    struct catalog_configs configs;
};

struct catalog {
    struct map topics_by_name, topics_by_id;
    struct map groups_by_name;  /* struct catalog_group */
    uint32_t partition_id_next; /* ids below were given; 0 is the catalog's own log */
    int64_t producer_id_next;   /* ids below were handed out in blocks */
    struct catalog_configs broker_configs;
    uint64_t version;        /* rises with every applied batch */
    uint64_t contracts;      /* rises with every change of a topic's contract; alike on all cores */
    struct catalog *staging; /* an image of which parts are still to come, or NULL */
    uint32_t staging_parts;
    /* ---- derived ---- */
    struct options *options;      /* the options as loaded, with broker_configs on top */
    const struct options *loaded; /* as loaded; the caller's */
    struct topic_config defaults; /* of a topic that has set nothing, by the options */
    uint32_t partition_count;     /* of all topics */
    uint32_t shard_partitions[SHARD_COUNT_MAX]; /* how many each shard has */
};

/* `loaded` must outlive the catalog and not change; the catalog's own options follow it and the
 * broker configs. Their address stays, so that a core may read them where it wants. */
void catalog_init(struct catalog *catalog, const struct options *loaded);
void catalog_deinit(struct catalog *catalog);
/* The options have changed: what holds for topics follows. */
void catalog_follow_options(struct catalog *catalog);

struct catalog_topic *catalog_find_topic(const struct catalog *catalog, struct bytes name);
struct catalog_topic *catalog_find_topic_id(const struct catalog *catalog, const struct uuid *id);
/* One that is in no map any more; catalog_apply()'s. */
void catalog_topic_free(struct catalog_topic *topic);
/* All topics in order of name, as a heap array that the caller frees. */
struct catalog_topic **catalog_topics_sorted(const struct catalog *catalog, size_t *count);
/* Kafka's rules: 1-249 of [a-zA-Z0-9._-], not "." or "..". */
bool catalog_name_is_valid(struct bytes name, struct error *error);
/* The topic whose metrics would have the same name, because '.' and '_' are one there, or NULL. */
struct catalog_topic *catalog_find_collision(const struct catalog *catalog, struct bytes name);
/* Names that belong to the broker's own coordinators, there or not yet (KIP-4 calls them internal).
 */
bool catalog_name_is_internal(struct bytes name);
/* Those, and _schemas while this broker has a registry (otherwise it is a plain topic, for an
 * external one): clients read them, and nobody but the broker writes, deletes or makes them. */
bool catalog_name_is_ours(const struct catalog *catalog, struct bytes name);
bool catalog_topic_is_ours(const struct catalog *catalog, const struct catalog_topic *topic);

/* What was set for the group, or NULL when nothing was. */
const struct catalog_configs *catalog_group_configs(const struct catalog *catalog,
                                                    struct bytes group);
/* A NULL value removes. */
void catalog_set_group_config(struct catalog *catalog, const char *group, const char *name,
                              const char *value);
/* All groups that have configs, in order of name, as a heap array that the caller frees. */
struct catalog_group **catalog_groups_sorted(const struct catalog *catalog, size_t *count);

/* The value, or NULL when nobody set it. */
const char *catalog_configs_find(const struct catalog_configs *configs, struct bytes name);
/* Copies the texts; a NULL value removes. */
void catalog_configs_set(struct catalog_configs *configs, const char *name, const char *value);
void catalog_configs_copy(struct catalog_configs *to, const struct catalog_configs *from);
void catalog_configs_deinit(struct catalog_configs *configs);

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
 * a record that this version does not know (EPROTONOSUPPORT), or that does not fit what is there
 * (EBADMSG). The catalog is not to be used then. An image is not observed: only replay sees one. */
bool catalog_apply(struct catalog *catalog, struct bytes batch,
                   const struct catalog_observer *observer, struct error *error);
/* The same where batches before it may be missing (metadata/catalog_rescue.h): records that do not
 * fit are left out and counted, and a new topic takes the place of one that has its name.
 * `is_image`: the batch ended an image, which has taken the catalog's place. False only for what
 * this version does not know, and for bytes that are no batch. */
bool catalog_apply_readable(struct catalog *catalog, struct bytes batch, uint64_t *left_out,
                            bool *is_image, struct error *error);

/* Appends batches to `out` that make this catalog from nothing, one behind the other; each is at
 * most CATALOG_IMAGE_PART_BYTES and one record long. */
enum { CATALOG_IMAGE_PART_BYTES = 64 << 10 };
void catalog_image(const struct catalog *catalog, int64_t now_ms, struct byte_buffer *out);
