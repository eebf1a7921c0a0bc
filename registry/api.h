/* The registry's REST interface: Confluent's paths, bodies and error codes (docs/registry.md), on
 * top of http/. Everything that is read comes from the core's view; schemas are compiled on worker
 * threads; what is changed goes through `change` to the registry's core and comes back when it is
 * durable and every core knows it. Belongs to the thread of the service's ring. */
#pragma once

#include "http/service.h"
#include "registry/api_counts.h"
#include "registry/schema_machine.h"
#include "registry/schema_view.h"

/* One change on its way, embedded in its owner, which lives until `done` ran. */
struct schema_change {
    /* On the registry's core: decides by the subjects as they are and writes records
     * (schema_machine_write()), or none. */
    void (*make)(struct schema_change *change, struct schema_machine *machine);
    /* On the asking thread. `failed`: the records could not be stored, nothing has happened. */
    void (*done)(struct schema_change *change);
    bool failed;
};

/* A wait, embedded in its owner, which lives until `done` ran. */
struct contracts_wait {
    void (*done)(struct contracts_wait *wait);
};

enum { CONTRACTS_OF_TOPIC_MAX = 2 };

/* That a topic's keys or values are bound to a subject. */
struct registry_association {
    struct bytes subject;
    bool is_key;
};

struct registry_api {
    struct ring *ring;
    struct schema_view **view; /* the core's */
    const char *cluster_id;
    void (*change)(struct registry_api *api, struct schema_change *change);
    /* What the topic is bound to; the subjects go to the arena. */
    size_t (*associations)(struct registry_api *api, struct bytes topic, struct arena *arena,
                           struct registry_association found[CONTRACTS_OF_TOPIC_MAX]);
    /* Waits until every core knows all contracts that are on their way to being set. */
    void (*settle)(struct registry_api *api, struct contracts_wait *wait);
    /* From inside a change, on the registry's core: appends the names of topics whose contract
     * admits that version, ", " between them. */
    void (*topics_bound)(struct registry_api *api, struct bytes subject, int32_t version,
                         struct text *names);
    /* Answers with batches that were refused: of the topic in the path, or of all. */
    void (*rejects)(struct registry_api *api, struct http_exchange *exchange);

    /* ---- its own ---- */
    struct list for_worker; /* struct api_call */
    unsigned working;       /* calls that workers have */
    struct list early;      /* requests that came before the registry was loaded */
    struct timer early_timer;
    struct api_counts counts;
};

enum {
    LOADING_WAIT_MS = 5000,
    REGISTRY_WORKERS_MAX = 2, /* the other workers are for reading records */
};

/* When the fields of the first part are set. */
void registry_api_init(struct registry_api *api);
/* The core has another view. */
void registry_api_view_changed(struct registry_api *api);

#define REGISTRY_CONTENT_TYPE "application/vnd.schemaregistry.v1+json"

extern const struct http_route registry_routes[];
extern const size_t registry_route_count;
/* "/contexts/{}": may stand before every route. */
#define REGISTRY_PREFIX "contexts"
