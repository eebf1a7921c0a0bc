/* Groups of a coordinator without a log, for fuzzers: replay, images and what a group knows of its
 * members need no more. */
#pragma once

#include "consumer-groups/groups.h"
#include "coordinator/runtime.h"
#include "io/sim.h"

struct bench {
    struct sim *sim;
    struct options *options;
    struct catalog catalog;
    struct coordinator_host *host;
    struct coordinator coordinator;
    void *state;
};

static inline void bench_init(struct bench *bench) {
    *bench = (struct bench){.sim = sim_new(1), .options = options_new()};
    catalog_init(&bench->catalog, bench->options);
    bench->host = coordinator_host_new(sim_ring_new(bench->sim), NULL);
    bench->coordinator.host = bench->host;
    bench->coordinator.kind = &groups_kind;
    list_init(&bench->coordinator.dirty);
    batch_build_init(&bench->coordinator.build);
    arena_init(&bench->coordinator.arena, SIZE_MAX);
    bench->state = groups_kind.state_new(&bench->coordinator, &bench->catalog);
}

static inline void bench_deinit(struct bench *bench) {
    struct ring *ring = bench->host->ring;
    groups_kind.state_free(bench->state);
    list_remove(&bench->coordinator.dirty);
    batch_build_deinit(&bench->coordinator.build);
    arena_deinit(&bench->coordinator.arena);
    coordinator_host_free(bench->host);
    ring_free(ring);
    catalog_deinit(&bench->catalog);
    options_free(bench->options);
    sim_free(bench->sim);
}
