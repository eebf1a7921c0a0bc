/* A broker of one or more cores in a simulated world, in one thread: the same server, cores,
 * connections and handlers as in the process, on simulated rings and the simulated disk. */
#pragma once

#include "broker/server.h"
#include "io/sim.h"

#define WORLD_ADDRESS "127.0.0.1:9092"

struct world {
    struct sim *sim;
    struct options *options;
    struct server *server; /* of this life */
    struct ring *rings[CORES_MAX];
    unsigned core_count;
    uint64_t drained_ns; /* it must be done by then */
};

void world_init(struct world *world, uint64_t seed);
/* After world_close() or world_crash(). */
void world_deinit(struct world *world);
/* From an empty or used disk to a broker that accepts. On false, crash it. */
bool world_start(struct world *world, unsigned core_count, size_t memory_bytes,
                 struct error *error);
/* One event, or 1 ms without any. */
void world_step(struct world *world);
/* As SIGTERM does: drain, step while it drains, close. */
void world_drain(struct world *world);
bool world_is_draining(const struct world *world);
void world_close(struct world *world);
/* What the broker held in memory is left behind: its parts point at each other in any state. */
void world_crash(struct world *world, bool power_cut);

/* Makes an empty disk one that has small journal files already, so that they are recycled soon;
 * before the first start. */
bool world_small_journals(struct world *world, unsigned cores, unsigned files, uint64_t bytes,
                          struct error *error);
