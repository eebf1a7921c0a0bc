/* A log does not grow with history: the state is written again, and what lies before is trimmed. */
#include "coordinator/counter_world.h"

enum { PAYLOAD = 20 << 10, ROUNDS = 40, EACH = 16 };

static struct counter_world world;

static int64_t log_start(void) {
    struct partition_view view;
    partition_look(world.coordinator->log, -1, -1, &view);
    return view.log_start_offset;
}

/* Some counters change all the time, the others once. False when the disk has gone. */
static void write_much(int rounds) {
    world.payload_bytes = PAYLOAD;
    for (int i = EACH; i < COUNTERS; i++)
        if (!world.values[i]) cr_assert(counter_set(&world, i, i) == ERROR_NONE);
    for (int round = 1; round <= rounds; round++)
        for (int i = 0; i < EACH; i++)
            cr_assert(counter_set(&world, i, world.values[i] + 1) == ERROR_NONE);
}

static void assert_values(int64_t rounds) {
    for (int i = 0; i < EACH; i++) cr_assert(world.values[i] == rounds);
    for (int i = EACH; i < COUNTERS; i++) cr_assert(world.values[i] == i);
}

Test(image, a_long_history_is_trimmed, .timeout = 300) {
    counter_init(&world, 13);
    write_much(ROUNDS);
    counter_pass_ms(&world, 2000);
    cr_assert(log_start() > 0, "the log was never shortened");
    cr_assert(world.coordinator->log_bytes < 3 * COORDINATOR_LOG_BYTES);
    counter_crash(&world, true);
    counter_load(&world);
    assert_values(ROUNDS);
    cr_assert(world.replayed < ROUNDS * EACH, "%u records", world.replayed);
    counter_deinit(&world);
}

/* Whenever it dies: before the image is complete, before the trim, behind it. */
Test(image, a_crash_at_any_time_loses_nothing, .timeout = 300) {
    for (int after_ms = 0; after_ms < 60; after_ms += 3) {
        counter_init(&world, 100 + (uint64_t)after_ms);
        write_much(1);
        int64_t rounds = 1;
        while (world.coordinator->image.stage == IMAGE_NONE) write_much(1), rounds++;
        counter_pass_ms(&world, after_ms);
        counter_crash(&world, after_ms % 2);
        counter_load(&world);
        assert_values(rounds);
        counter_deinit(&world);
    }
}

/* Calls go on while it is written: what they change is behind its beginning. */
Test(image, changes_in_between_are_kept, .timeout = 300) {
    struct counter_call call;
    counter_init(&world, 14);
    int64_t rounds = 0;
    while (world.coordinator->image.stage != IMAGE_WRITING) {
        write_much(1), rounds++;
        cr_assert(rounds < 200, "no image begins");
    }
    counter_send(&world, &call, COUNTER_SET, COUNTERS - 1, 5000, NULL);
    counter_pass_ms(&world, 2000);
    cr_assert(call.done && world.coordinator->image.stage == IMAGE_NONE && log_start() > 0);
    counter_crash(&world, true);
    counter_load(&world);
    cr_assert(world.values[COUNTERS - 1] == 5000 && world.values[0] == rounds);
    counter_deinit(&world);
}
