/* Calls: when they run, in which order their answers leave, and what becomes of those that wait. */
#include "coordinator/counter_world.h"

static struct counter_world world;
static void setup(void) { counter_init(&world, 11); }
static void teardown(void) { counter_deinit(&world); }
TestSuite(coordinator, .init = setup, .fini = teardown, .timeout = 300);

/* --- the order of answers --- */

Test(coordinator, an_answer_waits_for_its_own_records_alone) {
    struct counter_call set, other, same;
    unsigned count = 0;
    cr_assert(counter_set(&world, 2, 20) == ERROR_NONE);
    counter_send(&world, &set, COUNTER_SET, 1, 10, &count);
    counter_send(&world, &other, COUNTER_GET, 2, 0, &count);
    counter_send(&world, &same, COUNTER_GET, 1, 0, &count);
    cr_assert(other.done && other.value == 20, "what it rests on is durable");
    cr_assert(!set.done && !same.done && same.value == 10, "it rests on a record under way");
    counter_pass_ms(&world, 100);
    cr_assert(set.done && same.done && other.order == 0);
}

/* Records of one round are one batch: they are there together, and so are their answers. */
Test(coordinator, answers_leave_in_the_order_of_their_records) {
    enum { CALLS = 50 };
    struct counter_call calls[CALLS];
    unsigned count = 0;
    for (int i = 0; i < CALLS; i++) {
        counter_send(&world, &calls[i], COUNTER_SET, i, i + 1, &count);
        if (i % 7 == 0) counter_pass_ms(&world, 0);
    }
    counter_pass_ms(&world, 200);
    for (int i = 0; i < CALLS; i++)
        cr_assert(calls[i].done && calls[i].order == (unsigned)i && calls[i].call.code == 0);
}

Test(coordinator, what_was_answered_survives_a_power_cut) {
    struct counter_call late;
    for (int i = 0; i < 10; i++) cr_assert(counter_set(&world, i, i + 1) == ERROR_NONE);
    counter_send(&world, &late, COUNTER_SET, 3, 99, NULL);
    cr_assert(!late.done);
    counter_crash(&world, true);
    counter_load(&world);
    for (int i = 0; i < 10; i++) cr_assert(world.values[i] == i + 1);
}

/* --- calls that wait in the machine --- */

Test(coordinator, a_call_that_waits_is_woken_or_hurried) {
    struct counter_call woken, hurried;
    counter_send(&world, &woken, COUNTER_WAIT, 0, 0, NULL);
    counter_send(&world, &hurried, COUNTER_WAIT, 0, 0, NULL);
    counter_pass_ms(&world, 1000);
    cr_assert(!woken.done && !hurried.done);
    counter_wake(&woken);
    coordinator_hurry(&woken.call); /* its answer is there already */
    coordinator_hurry(&hurried.call);
    cr_assert(woken.done && !woken.hurried && hurried.done && hurried.hurried);
}

/* --- space --- */

/* Records of a quarter of a megabyte: so many until no more may be under way. */
static int fill(struct counter_call *calls, int room) {
    int sent = 0;
    world.payload_bytes = 250 << 10;
    do {
        cr_assert(sent < room);
        counter_send(&world, &calls[sent], COUNTER_SET, sent, sent + 1, NULL);
    } while (calls[sent++].begun);
    return sent;
}

Test(coordinator, who_writes_waits_for_space_and_who_reads_does_not) {
    struct counter_call calls[COUNTERS], behind, reader;
    int sent = fill(calls, COUNTERS);
    cr_assert(world.coordinator->under_way_bytes <= UNDER_WAY_BYTES_MAX + (1 << 20));
    counter_send(&world, &behind, COUNTER_SET, 0, 100, NULL);
    counter_send(&world, &reader, COUNTER_GET, 63, 0, NULL);
    cr_assert(!behind.begun && reader.done);
    counter_pass_ms(&world, 3000);
    for (int i = 0; i < sent; i++) cr_assert(calls[i].done && calls[i].call.code == ERROR_NONE);
    cr_assert(behind.done && world.values[0] == 100, "in the order in which they came");
}

Test(coordinator, who_waits_too_long_for_space_is_refused) {
    struct counter_call calls[COUNTERS];
    int last = fill(calls, COUNTERS) - 1;
    calls[last].call.deadline_ns = sim_now_ns(world.sim);
    world.coordinator->under_way_bytes += 1 << 30; /* as if the disk took nothing */
    counter_pass_ms(&world, 100);
    world.coordinator->under_way_bytes -= 1 << 30;
    cr_assert(calls[last].done && !calls[last].begun);
    cr_assert(calls[last].call.code == ERROR_COORDINATOR_NOT_AVAILABLE);
    counter_pass_ms(&world, 3000);
    for (int i = 0; i < last; i++) cr_assert(calls[i].done && calls[i].call.code == ERROR_NONE);
}

Test(coordinator, who_gives_up_waiting_for_space_is_answered_at_once) {
    struct counter_call calls[COUNTERS];
    int last = fill(calls, COUNTERS) - 1;
    coordinator_hurry(&calls[last].call);
    cr_assert(calls[last].done && !calls[last].begun);
    cr_assert(calls[last].call.code == ERROR_COORDINATOR_NOT_AVAILABLE);
    counter_pass_ms(&world, 3000);
    cr_assert(world.values[last] == 0);
}

/* --- the end --- */

Test(coordinator, stopping_ends_what_waits_and_finishes_what_is_under_way) {
    struct counter_call written, waiting, later;
    counter_send(&world, &written, COUNTER_SET, 1, 10, NULL);
    counter_send(&world, &waiting, COUNTER_WAIT, 0, 0, NULL);
    coordinator_stop(world.coordinator);
    cr_assert(waiting.done && waiting.call.code == ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert(written.done && written.call.code == ERROR_COORDINATOR_NOT_AVAILABLE,
              "nobody knows yet whether it is durable");
    counter_send(&world, &later, COUNTER_GET, 1, 0, NULL);
    cr_assert(later.done && later.call.code == ERROR_COORDINATOR_NOT_AVAILABLE);
    cr_assert(coordinator_is_busy(world.coordinator));
    counter_pass_ms(&world, 200);
    cr_assert(!coordinator_is_busy(world.coordinator));
    counter_stop(&world);
    cr_assert(world.freed == 1);
    counter_load(&world);
    cr_assert(world.values[1] == 10, "it was on its way");
}

Test(coordinator, work_on_another_thread_keeps_it) {
    coordinator_hold(world.coordinator);
    coordinator_stop(world.coordinator);
    counter_pass_ms(&world, 100);
    cr_assert(coordinator_is_busy(world.coordinator));
    coordinator_drop(world.coordinator);
    cr_assert(!coordinator_is_busy(world.coordinator));
}
