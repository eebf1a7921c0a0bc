/* Durable changes of the catalog. A change is a function (catalog, request) -> records + results;
 * it runs on the catalog's core against the newest state, its records are appended to the catalog's
 * log, and when they are durable every core applies them and confirms; only then is it done, so a
 * topic is usable everywhere when the answer leaves.
 *
 * Changes are made one after the other: each sees the one before it applied. The functions here are
 * pure, but for the ids that they draw; broker/catalog_service.h carries their records. What is
 * refused makes no records; with `validate_only` nothing does.
 *
 * Codes and texts follow Kafka's controller (ReplicationControlManager,
 * ConfigurationControlManager) where a client or a script may look at them. */
#pragma once

#include "base/arena.h"
#include "metadata/catalog.h"
#include "metadata/catalog_record.h"
#include "protocol/error_code.h"

/* Of one request, all topics together: Kafka's bound, which also keeps batches small. */
enum { CHANGE_PARTITIONS_MAX = 10000 };

/* Looks at a topic's contract with what the registry has, which this folder knows nothing of. */
struct contract_judge {
    void *context;
    bool (*judge)(void *context, struct bytes topic, const struct topic_config *config,
                  struct error *error);
};

struct topic_bindings;

/* Records in the making: one record batch of the catalog's log. */
struct change {
    struct arena *arena;           /* results live here */
    const struct catalog *catalog; /* as it is before the change */
    int32_t node_id;
    uint32_t shard_count;
    bool validate_only;
    struct change_records *records;
    const struct contract_judge *contract_judge; /* NULL: contracts are not looked at further */
    const struct topic_bindings *bindings;       /* NULL: no topic has configs by its name */
    /* As the change leaves them, so that several topics in one request do not collide. */
    uint32_t partition_id_next, partition_count, topic_count;
    uint32_t *shard_partitions; /* per shard; NULL until a partition was placed */
    int32_t partitions_added;
};

/* `records` is empty and outlives the change. */
void change_init(struct change *change, struct arena *arena, const struct catalog *catalog,
                 int32_t node_id, uint32_t shard_count, struct change_records *records);

/* A result per topic or resource: a code and words for it. */
struct change_result {
    enum error_code code;
    const char *message; /* in the change's arena, or NULL */
};

/* A refusal with words. */
struct change_result change_refuse(struct change *change, enum error_code code, const char *format,
                                   ...) __attribute__((format(printf, 3, 4)));

/* --- topics (create_topics.c, delete_topics.c, create_partitions.c) --- */

/* The brokers of one new partition, as somebody chose them by hand. */
struct partition_assignment {
    int32_t index;
    int32_t broker_count;
    const int32_t *brokers;
};

enum config_operation {
    CONFIG_OPERATION_SET,
    CONFIG_OPERATION_DELETE,
    CONFIG_OPERATION_APPEND, /* to a list */
    CONFIG_OPERATION_SUBTRACT,
    CONFIG_OPERATION_COUNT
};

struct config_edit {
    struct bytes name, value; /* value null: none */
    int8_t operation;         /* enum config_operation, as sent */
};

struct topic_wish {
    struct bytes name;
    int32_t partition_count;    /* -1: the broker's default */
    int32_t replication_factor; /* -1: the broker's default */
    int32_t assignment_count;   /* by hand; both numbers above are -1 then */
    const struct partition_assignment *assignments;
    int32_t config_count;
    const struct config_edit *configs; /* all of them CONFIG_OPERATION_SET */
};

struct topic_outcome {
    struct bytes name; /* the wish's */
    struct change_result result;
    struct uuid id;
    int32_t partition_count;
    int32_t replication_factor;       /* what the broker reports */
    int32_t replication_factor_asked; /* more than that: worth a line in the log, once */
    struct catalog_configs configs;   /* what was set, in the arena */
};

/* One outcome per name: a name that comes twice is refused once. Returns their count;
 * `outcomes` has room for `count`. */
int32_t change_create_topics(struct change *change, const struct topic_wish *wishes, int32_t count,
                             struct topic_outcome *outcomes);
/* As a client's mention of a name creates it: a topic that exists is a success. */
void change_auto_create(struct change *change, const struct bytes *names, int32_t count,
                        struct change_result *results);

/* One of the broker's own; a success when it exists (create_internal.c). */
void change_create_internal(struct change *change, struct bytes name, int32_t partition_count,
                            const struct config_edit *configs, int32_t config_count,
                            struct change_result *result);

/* By name, or by id where the name is null. */
struct delete_wish {
    struct bytes name;
    struct uuid id;
};

struct delete_outcome {
    struct bytes name; /* null where an id is unknown */
    struct uuid id;
    struct change_result result;
};

void change_delete_topics(struct change *change, const struct delete_wish *wishes, int32_t count,
                          struct delete_outcome *outcomes);

struct partitions_wish {
    struct bytes name;
    int32_t count;            /* after the change */
    int32_t assignment_count; /* -1: none by hand */
    const struct partition_assignment *assignments;
};

void change_create_partitions(struct change *change, const struct partitions_wish *wishes,
                              int32_t count, struct change_result *results);

/* --- configs (alter_configs.c) --- */

/* KIP-133, KIP-1142: what has configs. */
enum config_resource {
    CONFIG_RESOURCE_TOPIC = 2,
    CONFIG_RESOURCE_BROKER = 4,
    CONFIG_RESOURCE_BROKER_LOGGER = 8,
    CONFIG_RESOURCE_CLIENT_METRICS = 16,
    CONFIG_RESOURCE_GROUP = 32,
};

struct config_wish {
    int8_t type; /* enum config_resource, as sent */
    struct bytes name;
    bool replace; /* the edits are the whole new set (the older API) */
    int32_t edit_count;
    const struct config_edit *edits;
};

void change_alter_configs(struct change *change, const struct config_wish *wishes, int32_t count,
                          struct change_result *results);
/* "" (all brokers) or this broker's id: on one node they are the same. */
bool change_names_this_broker(const struct bytes name, int32_t node_id);

/* --- what a topic has by its name (bind_topics.c) --- */

/* Configs that a topic of that name is created with, as if whoever creates it had set them first.
 * The edits may be CONFIG_OPERATION_DELETE too. */
struct topic_binding {
    struct bytes topic;
    const struct config_edit *edits;
    int32_t edit_count;
};
struct topic_bindings {
    const struct topic_binding *items;
    size_t count;
};

/* The topics of change->bindings that are there get these configs: all of them or, when one is
 * refused, none. */
void change_bind_topics(struct change *change, struct change_result *result);
/* That of the topic, or NULL. */
const struct topic_binding *change_find_binding(const struct change *change, struct bytes topic);

/* --- producer ids --- */

/* Hands out [first, first + count). */
void change_producer_ids(struct change *change, int64_t count, int64_t *first);

/* --- for the functions above --- */

/* Refuses what the bounds forbid; else NONE. */
struct change_result change_may_add_partitions(struct change *change, int32_t count);
/* Refuses brokers that are not this one, none at all, and one named twice. */
struct change_result change_check_assignment(struct change *change,
                                             const struct partition_assignment *assignment);
/* Adds the records of partitions [from, from + count), each on the shard that has the fewest. */
void change_add_partitions(struct change *change, const struct uuid *topic_id, int32_t from,
                           int32_t count);
/* `configs` (in the arena) after the edits of a topic; refuses what is not valid. */
struct change_result change_edit_topic_configs(struct change *change, struct bytes topic,
                                               struct catalog_configs *configs,
                                               const struct config_edit *edits, int32_t count);
