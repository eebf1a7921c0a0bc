#include "tests/sim/world.h"

#include "base/clock.h"
#include "io/backend.h"
#include "storage/layout.h"
#include "tests/sim/seams.h"
#include "tests/sim/seeds.h"

#define DRAIN_NS_MAX ((DRAIN_S + DRAIN_FORCED_S + 30) * NS_PER_S)

void world_init(struct world *world, uint64_t seed) {
    *world = (struct world){.sim = sim_new(seed), .options = options_new()};
    seams_use(world->sim, seed);
}

void world_deinit(struct world *world) {
    sim_free(world->sim);
    options_free(world->options);
    seams_use(NULL, 0);
}

bool world_start(struct world *world, unsigned core_count, size_t memory_bytes,
                 struct error *error) {
    struct server *server = world->server = new_zero(struct server);
    world->core_count = 0;
    if (!server_open(server, world->options, sim_disk_open(world->sim), core_count, memory_bytes,
                     error))
        return false;
    for (unsigned core = 0; core < core_count; core++) {
        struct ring *ring = world->rings[world->core_count++] = sim_ring_new(world->sim);
        if (!server_open_core(server, core, ring, error)) return false;
    }
    if (!server_join(server, error)) return false;
    for (unsigned core = 0; core < core_count; core++)
        if (!server_begin_core(server, core, error)) return false;
    return true;
}

void world_step(struct world *world) { sim_step(world->sim, sim_now_ns(world->sim) + NS_PER_MS); }

void world_drain(struct world *world) {
    world->drained_ns = sim_now_ns(world->sim) + DRAIN_NS_MAX;
    server_drain(world->server);
}

bool world_is_draining(const struct world *world) {
    seed_expect(sim_now_ns(world->sim) < world->drained_ns, "the broker does not stop");
    for (unsigned core = 0; core < world->core_count; core++)
        if (!world->rings[core]->stop) return true;
    return false;
}

void world_close(struct world *world) {
    seed_expect(!atomic_load(&world->server->forced), "the drain left something behind");
    for (unsigned core = 0; core < world->core_count; core++)
        server_close_core(world->server, core);
    server_close(world->server);
    free(world->server);
    world->server = NULL;
}

void world_crash(struct world *world, bool power_cut) {
    if (power_cut)
        sim_power_cut(world->sim);
    else
        sim_kill(world->sim);
    for (unsigned core = 0; core < world->core_count; core++) ring_free(world->rings[core]);
    world->server = NULL;
}

static int make_zeros(struct disk *disk, unsigned core, unsigned number, uint64_t bytes) {
    char path[LAYOUT_PATH_SIZE];
    layout_journal(path, core, number);
    struct file *file;
    int result = file_open(disk, path, FILE_WRITE | FILE_CREATE, &file);
    if (result < 0) return result;
    result = file_allocate(file, bytes);
    if (result == 0) result = file_sync(file);
    file_close(file);
    return result;
}

bool world_small_journals(struct world *world, unsigned cores, unsigned files, uint64_t bytes,
                          struct error *error) {
    struct data_directory directory;
    if (!data_directory_open(sim_disk_open(world->sim), (int32_t)world->options->node_id,
                             &directory, error))
        return false;
    int result = 0;
    for (unsigned core = 0; core < cores; core++)
        for (unsigned number = 0; number < files && result == 0; number++)
            result = make_zeros(directory.disk, core, number, bytes);
    if (result == 0) result = disk_sync_directory(directory.disk, LAYOUT_JOURNALS);
    data_directory_close(&directory);
    return result == 0 || error_set(error, -result, "journal files: %s", strerror(-result));
}
