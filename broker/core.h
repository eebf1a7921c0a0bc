/* One core of the broker: a thread with its ring, its storage, its copy of the catalog, its
 * connections and its share of the memory budget. Nothing here is touched by another thread, except
 * the ring's mailbox.
 *
 * What a round of the ring does here, after the callbacks of I/O, mail and timers:
 *
 *   starting hook   parked requests look again, queued requests begin (broker/request.h)
 *   store's hook    what they appended is committed as one group
 *   sending hook    answers leave, one send per connection; dead connections are freed
 */
#pragma once

#include <pthread.h>

#include "broker/admission.h"
#include "broker/contract_counts.h"
#include "config/options.h"
#include "io/ring.h"
#include "metadata/catalog.h"
#include "registry/schema_view.h"
#include "storage/store.h"

struct server;
struct catalog_service;
struct group_service;
struct inflater;
struct rejects;

/* At most so many log lines about peers in so long; the rest is counted. */
enum { PEER_LINES_MAX = 10, PEER_LINES_S = 10 };

struct core {
    struct server *server; /* read-only after start */
    unsigned index;
    pthread_t thread;
    struct ring *ring;
    struct store *store;
    struct catalog catalog;                  /* this core's copy */
    struct catalog_service *catalog_service; /* one for all cores (broker/catalog_service.h) */
    struct group_service *groups;            /* its coordinators (broker/group_service.h) */
    struct schema_view *schemas;             /* what it knows of the registry; never NULL */
    const struct options *options;           /* the catalog's: as loaded, with broker configs */
    struct inflater *inflater;
    struct rejects *rejects; /* tells of broken contracts (broker/rejects.h) */
    struct contract_counts contract_counts;
    struct list connections;
    uint32_t connection_count;
    struct list spare_requests; /* memory of ordinary ones that have ended (request.c) */
    int spare_request_count;
    uint32_t releasing_count;   /* requests that wait for other cores to let go of them */
    struct admission admission; /* this core's memory budget */
    size_t answer_bytes;        /* of it, held by answers that have not left */
    struct timer pace;          /* armed while frames wait for memory */
    struct list chores;         /* that wait (broker/chore.h) */
    bool chore_runs;
    uint64_t fetch_sessions; /* that were ever opened */
    /* Producer ids of the block that this core holds: [next, end). */
    int64_t producer_id_next, producer_id_end;

    /* The loop's own. */
    struct round_hook starting, sending;
    struct list ready;   /* struct connection: has requests that may begin */
    struct list held;    /* struct connection: as ready, once answers have left (core_hold()) */
    struct list woken;   /* struct request: parked, and woken or out of time */
    struct list touched; /* struct connection: has answers to send, or is to be freed */
    struct mail nudge;   /* keeps the ring from sleeping on what a later hook has queued */
    bool nudged;
    /* The end (server.h). */
    bool draining, reported;
    struct timer drain_limit;
    struct mail drain, drained, stop;
    uint64_t said_ns; /* when the current stretch of log lines about peers began */
    unsigned said, unsaid;
};

/* Before the thread: the catalog is empty, nothing runs. `options` must outlive the core. */
void core_init(struct core *core, struct server *server, unsigned index,
               const struct options *options);
/* On the core's thread, with the ring that it made: opens the store on what was recovered, between
 * the two hooks. */
struct recovered;
bool core_open(struct core *core, struct ring *ring, struct recovered *recovered,
               struct error *error);
/* Frees everything but the struct; the ring too. Nothing is in flight any more. */
void core_deinit(struct core *core);

/* The hooks call these in the same round, or the next one when they have passed already. */
void core_touch(struct core *core, struct list *link);
void core_make_ready(struct core *core, struct list *link);
void core_wake(struct core *core, struct list *link);
/* Memory is overdrawn, and answers that wait to be sent hold some of it. */
bool core_is_overdrawn(const struct core *core);
/* As it is now: true, and the connection becomes ready again when answers have left. */
bool core_hold(struct core *core, struct list *link);
/* An answer has come, or has left. */
void core_count_answer(struct core *core, size_t bytes);
void core_forget_answer(struct core *core, size_t bytes);

/* A frame waits for memory: those that were granted some are watched until nobody waits. */
void core_watch_pace(struct core *core);

/* The core that runs a shard. */
struct core *core_of_shard(struct server *server, uint16_t shard);
/* Where catalog changes are made (shard 0). */
struct core *core_of_catalog(struct server *server);
/* Whether one more line about a peer may be logged now. */
bool core_may_say(struct core *core);
