/* Reading a log at the start. */
#include "coordinator/counter_world.h"

static struct counter_world world;
static void setup(void) { counter_init(&world, 12); }
static void teardown(void) { counter_deinit(&world); }
TestSuite(load, .init = setup, .fini = teardown, .timeout = 300);

Test(load, an_empty_log_is_a_state_too) {
    cr_assert(world.loaded == 1 && world.replayed == 0);
    cr_assert(coordinator_status(world.coordinator) == COORDINATOR_ACTIVE);
}

Test(load, calls_that_come_too_early_are_told_so) {
    struct counter_call early;
    cr_assert(counter_set(&world, 1, 10) == ERROR_NONE);
    counter_crash(&world, false);
    counter_open(&world);
    counter_send(&world, &early, COUNTER_GET, 1, 0, NULL);
    cr_assert(early.done && !early.begun);
    cr_assert(early.call.code == ERROR_COORDINATOR_LOAD_IN_PROGRESS);
    counter_pass_ms(&world, 1000);
    cr_assert(world.loaded == 1 && world.values[1] == 10);
}

/* More than one read, and batches of one record and of many. */
Test(load, a_long_log_is_read_piece_by_piece) {
    enum { RECORDS = 120 };
    struct counter_call calls[RECORDS];
    world.payload_bytes = COUNTER_RECORD_BYTES;
    for (int i = 0; i < RECORDS; i++) {
        counter_send(&world, &calls[i], COUNTER_SET, i % 10, i + 1, NULL);
        if (i % 9 == 0) counter_pass_ms(&world, 1);
    }
    counter_pass_ms(&world, 2000);
    cr_assert(world.coordinator->log_bytes > 3 * LOAD_BYTES);
    counter_crash(&world, true);
    counter_load(&world);
    cr_assert(world.loaded == 1 && world.replayed == RECORDS);
    for (int i = 0; i < 10; i++) cr_assert(world.values[i] == RECORDS - 10 + i + 1);
    cr_assert(coordinator_end(world.coordinator) == RECORDS, "it goes on where it ended");
    cr_assert(counter_set(&world, 0, 1000) == ERROR_NONE);
}

Test(load, a_log_that_cannot_be_read_serves_nobody) {
    struct counter_call call;
    cr_assert(counter_set(&world, 1, 10) == ERROR_NONE);
    counter_crash(&world, false);
    world.refuses = true;
    counter_load(&world);
    cr_assert(coordinator_status(world.coordinator) == COORDINATOR_DAMAGED);
    cr_assert(world.loaded == 0);
    counter_send(&world, &call, COUNTER_GET, 1, 0, NULL);
    cr_assert(call.done && call.call.code == ERROR_COORDINATOR_NOT_AVAILABLE);
    counter_stop(&world);
    world.refuses = false;
    counter_load(&world);
    cr_assert(world.loaded == 1 && world.values[1] == 10, "nothing was written over it");
}

Test(load, stopping_while_it_loads_ends_well) {
    world.payload_bytes = 200 << 10;
    for (int i = 0; i < 10; i++) cr_assert(counter_set(&world, i, i + 1) == ERROR_NONE);
    counter_stop(&world);
    counter_open(&world);
    ring_round(world.ring, false);
    cr_assert(coordinator_status(world.coordinator) == COORDINATOR_LOADING);
    counter_stop(&world);
    cr_assert(world.loaded == 0);
    counter_load(&world);
    cr_assert(world.values[9] == 10);
}
