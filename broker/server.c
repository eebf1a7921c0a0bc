#include "broker/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/catalog_service.h"
#include "broker/connection.h"
#include "broker/contracts.h"
#include "broker/group_service.h"
#include "broker/offline.h"
#include "broker/registry_service.h"
#include "broker/rejects.h"
#include "metadata/catalog_lives.h"

enum { CACHE_BYTES_MAX = 64 << 20, COLD_BYTES_MAX = 64 << 20, REGISTRY_BYTES_MAX = 64 << 20 };
/* What a start after a crash reads of the journals, of all cores together: half a second on an
 * ordinary disk. Under load a core may pass its share until its next checkpoint. */
enum { REPLAY_BYTES_MAX = 128 << 20 };

/* --- start --- */

static size_t share(size_t bytes, unsigned percent) { return bytes / 100 * percent; }

/* What is kept for readers: no more than they need, because memory that was never touched is dear,
 * and a cache that soon stops growing is faster than a large one. */
static uint64_t cache_share(size_t memory_bytes, unsigned percent, uint64_t most) {
    uint64_t bytes = share(memory_bytes, percent);
    return bytes < most ? bytes : most;
}

/* Beside the budget, and only while a compaction runs. */
static uint64_t compact_share(uint64_t memory_bytes, int64_t wanted) {
    uint64_t most = memory_bytes / 16;
    return (uint64_t)wanted < most ? (uint64_t)wanted : most;
}

/* A part of the half for requests. */
static size_t registry_share(const struct options *options, size_t memory_bytes) {
    size_t bytes = memory_bytes / 16;
    if (options->registry_listen.count == 0) return 0;
    return bytes < REGISTRY_BYTES_MAX ? bytes : REGISTRY_BYTES_MAX;
}

/* The budget: half for requests and answers, a quarter each for records that are not written out
 * yet and for those that are kept for readers: 15 % at the end of the log, for those that tail it,
 * and 10 % from segment files, for those that lag. */
static void server_divide_memory(struct server *server, size_t memory_bytes) {
    const struct options *options = server->options;
    server->memory_bytes = memory_bytes;
    server->registry_bytes = registry_share(options, memory_bytes);
    server->request_bytes = share(memory_bytes, 50) - server->registry_bytes;
    server->store_options = (struct store_options){
        .journal_bytes_max = (uint64_t)options->journal_bytes_max,
        .replay_bytes_max = REPLAY_BYTES_MAX / server->core_count,
        .cache_bytes_max = cache_share(memory_bytes, 15, CACHE_BYTES_MAX) / server->core_count,
        .cold_bytes_max = cache_share(memory_bytes, 10, COLD_BYTES_MAX) / server->core_count,
        .unsettled_bytes_max = share(memory_bytes, 25) / server->core_count,
        .retention_check_ms = (uint64_t)options->retention_check_ms,
        .producer_expiration_ms = (uint64_t)options->producer_id_expiration_ms,
        .compact_check_ms = (uint64_t)options->compact_check_ms,
        .compact_bytes_max =
            compact_share(memory_bytes, options->compact_bytes_max) / server->core_count,
        .durable = !options->ephemeral,
    };
}

static void server_make_cores(struct server *server) {
    server->cores = memory_zero(server->core_count, sizeof *server->cores);
    for (unsigned i = 0; i < server->core_count; i++) {
        core_init(&server->cores[i], server, i, server->options);
        server->core_list[i] = &server->cores[i];
    }
}

static bool server_recover(struct server *server, struct error *error) {
    uint64_t unsettled = server->store_options.unsettled_bytes_max * server->core_count / 2;
    if (!recover_open(&server->directory, unsettled, &server->recovered, error)) return false;
    struct catalog_replay replay = {server->core_list, server->core_count};
    if (!recover_catalog(server->recovered, catalog_service_replay, &replay, error)) return false;
    struct catalog_lives lives;
    catalog_lives_init(&lives, &server->cores[0].catalog);
    bool recovered = recover_partitions(server->recovered, catalog_lives_tell, &lives, error);
    catalog_lives_deinit(&lives);
    if (recovered) recover_report(server->recovered, &server->recovery);
    if (recovered) offline_apply(server);
    return recovered && recover_finish(server->recovered, server->core_count, error);
}

bool server_open(struct server *server, const struct options *options, struct disk *disk,
                 unsigned core_count, size_t memory_bytes, struct error *error) {
    check(core_count > 0 && core_count <= CORES_MAX);
    *server = (struct server){.options = options, .core_count = core_count};
    server_divide_memory(server, memory_bytes);
    server_make_cores(server);
    if (!data_directory_open(disk, (int32_t)options->node_id, &server->directory, error))
        return false;
    server->has_directory = true;
    uuid_format(&server->directory.cluster_id, server->cluster_id);
    return server_recover(server, error);
}

bool server_open_core(struct server *server, unsigned index, struct ring *ring,
                      struct error *error) {
    int lock = file_descriptor(server->directory.lock);
    if (lock >= 0) ring_hold(ring, lock);
    return core_open(&server->cores[index], ring, server->recovered, error);
}

bool server_join(struct server *server, struct error *error) {
    recover_free(server->recovered);
    server->recovered = NULL;
    if (server->store_options.durable &&
        !data_directory_expect_journals(&server->directory, server->core_count, error))
        return false;
    server->catalog_service = catalog_service_new(server->core_list, server->core_count);
    server->registry = registry_service_new(server);
    server->contracts = contracts_new(server);
    return true;
}

bool server_begin_core(struct server *server, unsigned index, struct error *error) {
    struct core *core = &server->cores[index];
    catalog_service_start(server->catalog_service, core);
    group_service_start(core->groups);
    registry_service_start(server->registry, core);
    if (!contracts_begin_core(server->contracts, core, error)) return false;
    return index > 0 || (listeners_open(&server->listeners, server, core, error) &&
                         registry_service_listen(server->registry, error) &&
                         admin_open(server, &server->admin, error));
}

/* --- the end --- */

static void core_stopped(void *context) {
    struct core *core = context;
    ring_stop(core->ring);
}

static void core_stop_store(struct core *core) { store_stop(core->store, core_stopped, core); }

static void core_stop_groups(struct core *core) {
    group_service_stop(core->groups, core_stop_store);
}

static void core_stop(struct mail *mail) {
    struct core *core = container_of(mail, struct core, stop);
    registry_service_stop(core->server->registry, core, core_stop_groups);
}

/* On the first core: another one has no connections and requests any more. */
static void server_core_drained(struct mail *mail) {
    struct server *server = container_of(mail, struct core, drained)->server;
    check(server->undrained > 0);
    if (--server->undrained > 0) return;
    for (unsigned i = 0; i < server->core_count; i++) {
        server->cores[i].stop.deliver = core_stop;
        ring_post(server->cores[i].ring, &server->cores[i].stop);
    }
}

static void core_report_drained(struct core *core) {
    if (core->reported) return;
    core->reported = true;
    timer_cancel(core->ring, &core->drain_limit);
    core->drained.deliver = server_core_drained;
    ring_post(core->server->cores[0].ring, &core->drained);
}

void core_check_drained(struct core *core) {
    if (core->draining && core->connection_count == 0 && core->releasing_count == 0)
        core_report_drained(core);
}

static void core_drain_forced(struct timer *timer) {
    struct core *core = container_of(timer, struct core, drain_limit);
    say_warning("%u connections wait for storage and are left behind", core->connection_count);
    core->server->forced = true;
    core_report_drained(core);
}

static void core_drain_cut(struct timer *timer) {
    struct core *core = container_of(timer, struct core, drain_limit);
    say_warning("%u connections did not end by themselves and are cut", core->connection_count);
    list_each(node, &core->connections)
        connection_abort(list_entry(node, struct connection, link), NULL);
    core->drain_limit.fire = core_drain_forced;
    timer_arm(core->ring, timer, ring_now_ns(core->ring) + DRAIN_FORCED_S * NS_PER_S);
}

static void core_drain(struct mail *mail) {
    struct core *core = container_of(mail, struct core, drain);
    core->draining = true;
    list_each(node, &core->connections) connection_drain(list_entry(node, struct connection, link));
    core->drain_limit.fire = core_drain_cut;
    timer_arm(core->ring, &core->drain_limit, ring_now_ns(core->ring) + DRAIN_S * NS_PER_S);
    core_check_drained(core);
}

/* Behind the tickets that are on their way to the cores. */
static void server_registry_stopped(struct server *server) {
    server->undrained = server->core_count;
    for (unsigned i = 0; i < server->core_count; i++) {
        server->cores[i].drain.deliver = core_drain;
        ring_post(server->cores[i].ring, &server->cores[i].drain);
    }
}

static void server_admin_stopped(struct server *server) {
    registry_service_close(server->registry, server, server_registry_stopped);
}

static void server_listeners_stopped(struct server *server) {
    admin_stop(server->admin, server, server_admin_stopped);
}

static void server_drain_here(struct mail *mail) {
    struct server *server = container_of(mail, struct server, drain);
    listeners_stop(&server->listeners, server_listeners_stopped);
}

void server_drain(struct server *server) {
    server->drain.deliver = server_drain_here;
    ring_post(server->cores[0].ring, &server->drain);
}

void server_cancel_core(struct server *server, unsigned index) {
    struct core *core = &server->cores[index];
    if (!core->store) return;
    core->stop.deliver = core_stop;
    ring_post(core->ring, &core->stop); /* from inside ring_run(), which core_stopped() ends */
    ring_run(core->ring);
}

void server_close_core(struct server *server, unsigned index) {
    core_deinit(&server->cores[index]);
    server->cores[index].server = NULL;
}

void server_close(struct server *server) {
    if (server->catalog_service) catalog_service_free(server->catalog_service);
    listeners_deinit(&server->listeners);
    admin_free(server->admin);
    for (unsigned i = 0; i < server->core_count; i++)
        if (server->cores[i].server) server_close_core(server, i); /* never ran */
    if (server->recovered) recover_free(server->recovered);
    registry_service_free(server->registry);
    contracts_free(server->contracts);
    for (unsigned i = 0; i < server->core_count; i++) rejects_free(server->cores[i].rejects);
    free(server->cores);
    if (server->has_directory) data_directory_close(&server->directory);
}
