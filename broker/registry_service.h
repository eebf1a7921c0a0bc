/* The schema registry in the broker: its listener (`registry-listen`), its coordinator on the core
 * of _schemas, and the way of a change between them.
 *
 *   first core                     the core of _schemas             every core
 *   request ─► worker ─► trip ───► queue ─► make ─► log
 *                                            durable ─► new view ──► core->schemas
 *   answer  ◄───────────────────── all have confirmed ◄──────────── confirm
 *
 * One change at a time is under way: each sees the one before applied, durable and known to all.
 * The topic comes with the first change; until then every core has an empty view that is loaded.
 * At a start with a topic, a worker compiles what is there before the first view goes out.
 *
 * Made before the cores begin, freed after they ended. */
#pragma once

#include "registry/api.h"

struct server;
struct core;
struct catalog;
struct catalog_topic;
struct catalog_partition;
struct registry_listener;
struct registry_service;

/* NULL where no registry is wanted. */
struct registry_service *registry_service_new(struct server *server);
void registry_service_free(struct registry_service *service);

/* On each core's own thread, with the catalog complete. */
void registry_service_start(struct registry_service *service, struct core *core);
/* From the catalog: one more partition of this core's, of any topic. */
void registry_service_partition_created(struct registry_service *service, struct core *core,
                                        const struct catalog_topic *topic,
                                        const struct catalog_partition *partition);
/* Nothing is asked any more: `stopped` runs when nothing is under way on that core. */
void registry_service_stop(struct registry_service *service, struct core *core,
                           void (*stopped)(struct core *core));
/* On the core's thread, before its groups are freed. */
void registry_service_close_core(struct registry_service *service, struct core *core);

/* From inside a change: the core that it is made on. */
const struct core *registry_service_home(const struct registry_service *service);

/* From the first core: the change goes its way; change->done() follows. */
void registry_service_change(struct registry_service *service, struct schema_change *change);

/* The listener, on the first core. `stopped` runs when its last answer has left. */
bool registry_service_listen(struct registry_service *service, struct error *error);
void registry_service_close(struct registry_service *service, struct server *server,
                            void (*stopped)(struct server *server));
/* NULL: none. On the first core. */
const struct registry_listener *registry_service_listener(const struct registry_service *service);
/* HOST:PORT; NULL: none. */
const char *registry_service_bound(const struct registry_service *service);
