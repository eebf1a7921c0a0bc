/* Carries changes of the catalog: from the core that asks, through the catalog's log, to the copy
 * that every core keeps, and back. One change is under way at a time; the others queue on the
 * catalog's core, so that each sees the one before it applied.
 *
 *   asking core          catalog's core                     every core
 *   catalog_change() ──► queue ─► make(catalog) ─► records
 *                                  append to the log
 *                                  durable ───────────────► catalog_apply(): partitions of its
 *                                                           own shards appear, change, go
 *   done() ◄──────────── all have confirmed ◄────────────── confirm
 *
 * So a topic is usable everywhere when `done` runs. The log is kept short: once it has grown past
 * CATALOG_LOG_BYTES and four times the catalog's image, the image is appended and what lies before
 * it is trimmed (metadata/catalog_record.h tells how a crash in between reads).
 *
 * The service is made before the cores' threads start and freed after they ended. Its state belongs
 * to the catalog's core, but for the producer id blocks, of which each core touches only its own.
 */
#pragma once

#include "base/arena.h"
#include "broker/errand.h"
#include "metadata/change.h"
#include "storage/partition.h"
#include "storage/recover.h"

struct core;
struct request;
struct catalog_service;

enum { CATALOG_LOG_BYTES = 4 << 20, PRODUCER_ID_BLOCK = 1000 };

/* --- start-up --- */

/* For `count` cores whose rings, stores and catalogs exist; sets core->catalog_service of each. The
 * catalogs were filled by catalog_service_replay(), or are empty. */
struct catalog_service *catalog_service_new(struct core *const *cores, unsigned count);
void catalog_service_free(struct catalog_service *service);
/* On each core's own thread, before it takes connections: opens the catalog's log where that is
 * this core's, and creates partitions of its shards that recovery has not brought (the catalog knew
 * of them, their logs were empty); gives the others their rules. */
void catalog_service_start(struct catalog_service *service, struct core *core);

/* Replay, for recover_catalog(): `context` is a struct catalog_replay; applies the batch to the
 * catalog of each core. */
struct catalog_replay {
    struct core *const *cores;
    unsigned count;
};
bool catalog_service_replay(void *context, struct bytes batch, struct error *error);

/* --- changes --- */

/* A change on its way, embedded in its owner, which lives until `done` ran. */
struct catalog_change {
    /* On the catalog's core, once: reads change->catalog, adds records, keeps results with the
     * owner. The owner's arena may be used: nobody else touches it meanwhile. A change without
     * records is done at once (validate_only, or every part refused). */
    void (*make)(struct catalog_change *self, struct change *change);
    /* On the asking core. `code` is ERROR_NONE, or says why the records could not be stored: then
     * nothing of the change has happened. But REQUEST_TIMED_OUT: it had its place in the log when
     * the disk turned out to be full, and is made when there is space. Until then other changes are
     * refused with KAFKA_STORAGE_ERROR. */
    void (*done)(struct catalog_change *self);
    struct arena *arena;  /* becomes change->arena */
    uint64_t deadline_ns; /* how long it may wait for space in the log; 0 = 30 s from now */
    enum error_code code;
    /* The service's own. */
    struct errand errand;
    struct list link;
    struct core *asking;
};

/* `done` may run inside this call, where nothing had to be stored on the same core. */
void catalog_service_change(struct catalog_change *change, struct core *asking);

/* Topics that a client named and that do not exist, created with the broker's defaults (Metadata
 * with allow_auto_topic_creation, where the option auto.create.topics.enable allows: the caller has
 * looked). One result per name: ERROR_NONE when it exists now, INVALID_TOPIC_EXCEPTION for a name
 * that cannot be, INVALID_REPLICATION_FACTOR …; the topic is in the asking core's catalog then. */
struct auto_create {
    struct catalog_change change; /* the caller sets change.done and change.arena only */
    int32_t count;
    const struct bytes *names;
    struct change_result *results; /* count of them, in the arena; when change.code is NONE */
};
void catalog_service_auto_create(struct auto_create *create, struct core *asking);

/* --- producer ids --- */

/* Lives until `done` ran. */
struct producer_id_wish {
    struct list link;
    void (*done)(struct producer_id_wish *wish);
    enum error_code code;
    int64_t producer_id;
};
/* True: given at once from this core's block. Else a new block is fetched and `done` runs. */
bool catalog_service_producer_id(struct core *core, struct producer_id_wish *wish);
