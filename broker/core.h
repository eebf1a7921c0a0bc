/* One core of the broker: a thread with its ring, its storage, its copy of the catalog, its
 * connections and its share of the memory budget. Nothing here is touched by another thread, except
 * the ring's mailbox. */
#pragma once

#include <pthread.h>

#include "config/options.h"
#include "io/ring.h"
#include "metadata/catalog.h"
#include "storage/store.h"

struct server;
struct catalog_service;

struct core {
    struct server *server; /* read-only after start */
    unsigned index;
    pthread_t thread;
    struct ring *ring;
    struct store *store;
    struct catalog catalog;                  /* this core's copy */
    struct catalog_service *catalog_service; /* one for all cores (broker/catalog_service.h) */
    const struct options *options;
    struct list connections;
    uint32_t connection_count;
    struct admission *admission; /* broker/admission.h: this core's memory budget */
    /* Producer ids of the block that this core holds: [next, end). */
    int64_t producer_id_next, producer_id_end;
};

/* The core that runs a shard. */
struct core *core_of_shard(struct server *server, uint16_t shard);
/* Where catalog changes are made (shard 0). */
struct core *core_of_catalog(struct server *server);
