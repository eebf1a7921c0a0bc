#include "storage/window.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "base/memory.h"
#include "io/sim.h"

struct bench {
    struct sim *sim;
    struct disk *disk;
    struct ring *ring;
    struct chunk_pool pool;
    struct windows windows;
    struct segment_file *file;
    uint32_t flows;
};
static struct bench bench;

static void begin(void) {
    bench = (struct bench){.sim = sim_new(7)};
    bench.disk = sim_disk_open(bench.sim);
    bench.ring = sim_ring_new(bench.sim);
    chunk_pool_init(&bench.pool, 0);
    windows_init(&bench.windows, bench.ring, &bench.pool, &bench.flows, 4 * WINDOW_BYTES);
    bench.file = new_zero(struct segment_file);
    *bench.file = (struct segment_file){.number = 1, .references = 1};
    list_init(&bench.file->used);
    cr_assert_eq(
        file_open(bench.disk, "f", FILE_READ | FILE_WRITE | FILE_CREATE, &bench.file->read), 0);
}

static void end(void) {
    windows_deinit(&bench.windows);
    chunk_pool_deinit(&bench.pool);
    segment_file_release(bench.file);
    ring_free(bench.ring);
    disk_close(bench.disk);
    sim_free(bench.sim);
}

static bool want(struct window *window) {
    unsigned inline_left = 0;
    return window_want(window, bench.file, 100, &inline_left);
}

/* A worker is over with it before the loop hears of that: until then it is under way for all. */
Test(window, what_a_worker_found_is_taken_on_the_loop) {
    begin();
    struct window *window = window_take(&bench.windows, bench.file, 0);
    cr_assert_not(want(window));
    window->work.run(&window->work);
    cr_assert_eq(window->result, 0);
    cr_assert_not(window->from_disk);
    cr_assert_not(want(window));
    while (bench.flows > 0) sim_step(bench.sim, UINT64_MAX);
    cr_assert(want(window));
    cr_assert_eq(window->result, -EIO, "the file is shorter");
    cr_assert(window->from_disk);
    window_give(window);
    end();
}
