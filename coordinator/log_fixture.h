/* For tests of coordinators: a store in the simulated world with one log in it, compacted as
 * internal topics are. What a crash leaves behind in memory is not freed, because its parts point
 * at each other in any state; and it is no leak (LOG_FIXTURE_NO_LEAKS). */
#pragma once

#include <criterion/criterion.h>

#include "base/clock.h"
#include "coordinator/coordinator.h"
#include "io/sim.h"
#include "storage/recover.h"
#include "storage/store.h"

enum { LOG_ID = 1 };

/* In one file of a test program: tells the leak checker whether `crashed` is set. */
#define LOG_FIXTURE_NO_LEAKS(crashed) \
    int __lsan_is_turned_off(void);   \
    int __lsan_is_turned_off(void) { return crashed; }

static inline struct partition_definition log_definition(void) {
    return (struct partition_definition){.id = LOG_ID,
                                         .shard = 1,
                                         .rules = {.retention_ms = -1,
                                                   .retention_bytes = -1,
                                                   .segment_bytes = 1 << 30,
                                                   .segment_ms = INT64_MAX,
                                                   .index_interval_bytes = 4096,
                                                   .compacted = true}};
}

static inline enum partition_life log_find_life(void *context, uint32_t id,
                                                struct partition_definition *definition) {
    (void)context;
    if (id != LOG_ID) return PARTITION_NOT_GIVEN;
    *definition = log_definition();
    return PARTITION_LIVE;
}

static inline bool log_take_catalog(void *context, struct bytes batch, struct error *error) {
    (void)context, (void)batch, (void)error;
    return true;
}

/* Opens what the world's disk has, as a start does, and makes the log if it is not there. */
static inline struct store *log_store_open(struct sim *sim, struct ring *ring,
                                           struct data_directory *directory) {
    struct store_options options = {.journal_bytes_max = 64 << 20,
                                    .cache_bytes_max = 16 << 20,
                                    .unsettled_bytes_max = 16 << 20,
                                    .producer_expiration_ms = 86400000,
                                    .durable = true};
    struct partition_definition definition = log_definition();
    struct recovered *recovered = NULL;
    struct error error = {0};
    cr_assert(data_directory_open(sim_disk_open(sim), 1, directory, &error), "%s", error.text);
    cr_assert(recover_open(directory, 4 << 20, &recovered, &error), "%s", error.text);
    cr_assert(recover_catalog(recovered, log_take_catalog, NULL, &error), "%s", error.text);
    cr_assert(recover_partitions(recovered, log_find_life, NULL, &error), "%s", error.text);
    cr_assert(recover_finish(recovered, 1, &error), "%s", error.text);
    struct store *store = store_new(ring, directory, &options, 0, 1, recovered, &error);
    cr_assert(store, "%s", error.text);
    recover_free(recovered);
    cr_assert(data_directory_expect_journals(directory, 1, &error));
    if (!store_find_partition(store, LOG_ID)) store_create_partition(store, &definition);
    return store;
}

static inline void log_step(struct sim *sim) { sim_step(sim, sim_now_ns(sim) + NS_PER_MS); }

static inline void log_load(struct sim *sim, const struct coordinator *coordinator) {
    for (int i = 0; coordinator_status(coordinator) == COORDINATOR_LOADING; i++) {
        cr_assert(i < 100000, "loading does not end");
        log_step(sim);
    }
}

/* The ring goes with it; what else was in memory stays behind. */
static inline void log_crash(struct sim *sim, struct ring *ring, bool power_cut) {
    if (power_cut)
        sim_power_cut(sim);
    else
        sim_kill(sim);
    ring_free(ring);
}

static inline void log_set_flag(void *flag) { *(bool *)flag = true; }

/* Stops as a clean shutdown does; the ring goes with it. */
static inline void log_store_close(struct sim *sim, struct ring *ring, struct store *store,
                                   struct data_directory *directory) {
    bool stopped = false;
    store_stop(store, log_set_flag, &stopped);
    ring_round(ring, false); /* what came from outside is seen at once */
    while (!stopped) log_step(sim);
    store_free(store);
    ring_free(ring);
    data_directory_close(directory);
}
