/* The broker as a whole: what the cores share, how it starts and how it ends. Read-only once it
 * serves; what belongs to one core is in struct core. Nothing here knows of processes, signals or
 * terminals (serve.h does), so that the simulator can run it as well.
 *
 * Start, where "each core" means on that core's own thread, with a ring that it made:
 *   server_open()        directory, recovery, catalog; the cores exist but do not run
 *   server_open_core()   each core: hooks and store
 *   server_join()        when all have done so: the catalog service, and the journals are expected
 *   server_begin_core()  each core: partitions, contracts of a folder; the first one listens
 * From then on ring_run() of each core serves, until the drain is over.
 *
 * The end: server_drain(), from any thread.
 *   listeners close ─► every core drains its connections ─► every core stops its store and ring
 * A core that has no connections left still runs errands of others until all have drained.
 * Afterwards server_close_core() on each core, and server_close(). */
#pragma once

#include <stdatomic.h>

#include "base/uuid.h"
#include "broker/admin.h"
#include "broker/core.h"
#include "broker/listener.h"
#include "storage/recover.h"

enum {
    DRAIN_S = 5,        /* connections that are not done by then are cut */
    DRAIN_FORCED_S = 2, /* then what still is not answered is left behind */
    CORES_MAX = 64,
};

struct server {
    const struct options *options; /* as loaded; outlives the server */
    struct data_directory directory;
    struct recovered *recovered;
    struct recover_report recovery;
    struct store_options store_options; /* of each core */
    size_t memory_bytes;                /* the whole budget */
    size_t request_bytes;               /* of it, what admission has */
    size_t registry_bytes;              /* of it, bodies and answers of the registry's listener */
    char cluster_id[UUID_TEXT_SIZE];
    struct core *cores;
    struct core *core_list[CORES_MAX];
    unsigned core_count;
    struct catalog_service *catalog_service;
    struct registry_service *registry; /* NULL: none */
    struct contracts *contracts;       /* of a folder; NULL: none */
    bool has_directory;

    /* ---- of the first core ---- */
    struct listeners listeners;
    struct admin *admin; /* NULL: none */
    struct mail drain;
    unsigned undrained;
    atomic_bool forced; /* something was left in flight: nothing may be freed */
};

/* Takes the disk. `memory_bytes` is the budget of the whole broker. */
bool server_open(struct server *server, const struct options *options, struct disk *disk,
                 unsigned core_count, size_t memory_bytes, struct error *error);
bool server_open_core(struct server *server, unsigned index, struct ring *ring,
                      struct error *error);
bool server_join(struct server *server, struct error *error);
bool server_begin_core(struct server *server, unsigned index, struct error *error);
void server_drain(struct server *server);
/* A core that was opened and will not serve, because another one failed: stops its store. */
void server_cancel_core(struct server *server, unsigned index);
/* Each core, on its own thread, when all have stopped: frees store and ring. */
void server_close_core(struct server *server, unsigned index);
void server_close(struct server *server);

/* A connection or a request of the core has ended: tells the first core when it was the last. */
void core_check_drained(struct core *core);
