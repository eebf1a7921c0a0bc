/* A log that does not take a batch: those who wait are told, and the state is read again. */
#include <stdlib.h>

#include "base/fault.h"
#include "coordinator/counter_world.h"

#ifdef MILLRACE_FAULTS

/* Each test has a process of its own, and one fault. */
static struct counter_world world;
static void teardown(void) { counter_deinit(&world); }
TestSuite(refusal, .fini = teardown, .timeout = 300);

static void begin(const char *fault) {
    setenv("MILLRACE_FAULT", fault, 1);
    counter_init(&world, 17);
}

static uint64_t now_ms(void) { return sim_now_ns(world.sim) / NS_PER_MS; }

static bool disk_is_full(void) {
    struct store_usage usage;
    store_usage(world.store, &usage);
    return usage.disk_full;
}

/* Waits until it is as it says, and answers whether that took at most so long. */
static bool is_within_ms(bool (*condition)(void), uint64_t ms) {
    uint64_t end_ms = now_ms() + ms;
    while (!condition() && now_ms() < end_ms) counter_pass_ms(&world, 1);
    return condition();
}

static bool is_active(void) { return coordinator_status(world.coordinator) == COORDINATOR_ACTIVE; }
static bool is_idle(void) { return !coordinator_is_busy(world.coordinator); }

static enum error_code get(int index, int64_t *value) {
    struct counter_call call;
    counter_send(&world, &call, COUNTER_GET, index, 0, NULL);
    counter_wait(&world, &call);
    *value = call.value;
    return call.call.code;
}

static void expect(int index, int64_t value) {
    int64_t found;
    cr_assert_eq(get(index, &found), ERROR_NONE);
    cr_assert_eq(found, value, "%d is %lld", index, (long long)found);
}

Test(refusal, the_state_is_read_again) {
    begin("coordinator_append:3:28:1");
    int64_t value;
    cr_assert_eq(counter_set(&world, 1, 10), ERROR_NONE);
    cr_assert_eq(counter_set(&world, 2, 20), ERROR_NONE);
    cr_assert_eq(counter_set(&world, 1, 11), ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert_eq(get(1, &value), ERROR_COORDINATOR_LOAD_IN_PROGRESS);
    cr_assert(is_within_ms(is_active, 1000));
    cr_assert_eq(world.freed, 1);
    cr_assert_eq(world.loaded, 1);
    expect(1, 10);
    expect(2, 20);
    cr_assert_eq(counter_set(&world, 1, 12), ERROR_NONE);
    counter_crash(&world, true);
    counter_load(&world);
    expect(1, 12);
    expect(2, 20);
}

Test(refusal, everybody_who_waits_is_told) {
    struct counter_call set, rests, waits;
    begin("coordinator_append:1:28:1");
    counter_send(&world, &waits, COUNTER_WAIT, 0, 0, NULL);
    counter_send(&world, &set, COUNTER_SET, 1, 10, NULL);
    counter_send(&world, &rests, COUNTER_GET, 1, 0, NULL);
    counter_pass_ms(&world, 1);
    cr_assert(set.done && rests.done && waits.done && waits.hurried);
    cr_assert_eq(set.call.code, ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert_eq(rests.call.code, ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert_eq(waits.call.code, ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert(is_within_ms(is_active, 1000));
    expect(1, 0);
}

Test(refusal, a_worker_comes_back_first) {
    begin("coordinator_append:1:28:1");
    coordinator_hold(world.coordinator);
    cr_assert_eq(counter_set(&world, 1, 10), ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert_not(is_within_ms(is_active, 5000));
    cr_assert_eq(world.freed, 0);
    coordinator_drop(world.coordinator);
    cr_assert(is_within_ms(is_active, 1000));
}

/* --- a full disk --- */

enum { LARGE = 250 << 10, MIDDLING = 120 << 10, SMALL = 20 << 10 };

/* Nobody knows that it is full when the batch gets its offset. It can be durable later, and so it
 * is. */
Test(refusal, what_has_its_offset_is_waited_for) {
    begin("segment_allocate:1:28:60");
    int64_t value;
    world.payload_bytes = LARGE;
    uint64_t begun_ms = now_ms();
    cr_assert_eq(counter_set(&world, 1, 10), ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert_leq(now_ms() - begun_ms, SPACE_WAIT_MS + 1000);
    cr_assert(disk_is_full());
    cr_assert_eq(get(1, &value), ERROR_COORDINATOR_LOAD_IN_PROGRESS);
    cr_assert(is_within_ms(is_active, 60000));
    cr_assert_geq(world.replayed, 1);
    expect(1, 10);
    cr_assert_eq(counter_set(&world, 2, 20), ERROR_NONE);
    counter_crash(&world, true);
    counter_load(&world);
    expect(1, 10);
    expect(2, 20);
}

Test(refusal, it_stops_on_a_full_disk) {
    struct counter_call call;
    begin("segment_allocate:1:28");
    world.payload_bytes = LARGE;
    counter_send(&world, &call, COUNTER_SET, 1, 10, NULL);
    counter_pass_ms(&world, 1000);
    cr_assert(disk_is_full() && !call.done);
    coordinator_stop(world.coordinator);
    cr_assert(call.done);
    cr_assert(is_within_ms(is_idle, SPACE_WAIT_MS + 1000));
}

/* What the journal takes goes on when the write-out has met the full disk. */
static void fill_disk(void) {
    world.payload_bytes = SMALL;
    for (int i = 0; !disk_is_full(); i++) {
        cr_assert_lt(i, 100, "the disk is never full");
        cr_assert_eq(counter_set(&world, 0, i + 1), ERROR_NONE);
    }
}

/* … and in the end what waits for it has used up the memory: then there is room for a call, and not
 * for all that this one adds. */
static void fill_memory(void) {
    world.payload_bytes = SMALL;
    for (int i = 0; partition_accepts(world.coordinator->log, MIDDLING); i++) {
        cr_assert_lt(i, 1000, "the memory is never used up");
        cr_assert_eq(counter_set(&world, 0, i + 1), ERROR_NONE);
    }
}

/* One batch waits for space, and a small one behind it, for which there is room when the first one
 * is refused. But it rests on that, so that it must not be there, either. */
Test(refusal, nothing_follows_a_refused_batch) {
    struct counter_call first, behind;
    begin("segment_allocate:1:28");
    fill_disk();
    fill_memory();
    int64_t durable = world.values[0];
    world.payload_bytes = MIDDLING;
    counter_send(&world, &first, COUNTER_SET, 1, 10, NULL);
    cr_assert(first.begun);
    counter_pass_ms(&world, SPACE_WAIT_MS - 500);
    cr_assert_not(first.done, "it is answered %d", first.call.code);
    world.payload_bytes = 0;
    counter_send(&world, &behind, COUNTER_PUSH, 2, 20, NULL);
    counter_pass_ms(&world, 1000);
    cr_assert_eq(first.call.code, ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert_eq(behind.call.code, ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert(is_within_ms(is_active, 1000));
    expect(0, durable);
    expect(1, 0);
    expect(2, 0);
    cr_assert_eq(counter_set(&world, 2, 21), ERROR_NONE);
    counter_crash(&world, true);
    counter_load(&world);
    expect(0, durable);
    expect(1, 0);
    expect(2, 21);
}

/* An image is due, and would be refused; what clients ask for is not. */
Test(refusal, an_image_waits_for_space) {
    begin("segment_allocate:1:28");
    fill_disk();
    int64_t count = world.values[0];
    world.payload_bytes = 2 * COUNTER_RECORD_BYTES; /* a piece of the image is larger */
    for (int i = 0; i < COUNTERS - 1; i++)
        cr_assert_eq(counter_set(&world, 1 + i, i), ERROR_NONE, "%d", i);
    world.coordinator->log_bytes = 64 << 20; /* as if the history were long */
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(counter_set(&world, 1, i), ERROR_NONE, "%d", i);
        counter_pass_ms(&world, 100);
    }
    cr_assert_eq(world.freed, 0);
    cr_assert(disk_is_full());
    expect(0, count);
}

#endif
