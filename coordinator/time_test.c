/* The clock of a core's coordinators: it stands still while this broker is late, and nothing fires
 * before what has arrived is handled. */
#include "coordinator/counter_world.h"

static struct counter_world world;
static struct {
    unsigned begun, fired;
    bool disarms;
} seen;
static struct coordinator_timer timer, other;

static void on_fire(struct coordinator_timer *fired) {
    cr_assert(fired == &timer || fired == &other);
    seen.fired++;
}

static void setup(void) {
    counter_init(&world, 15);
    seen.begun = seen.fired = 0;
    timer = other = (struct coordinator_timer){.fire = on_fire};
}
static void teardown(void) {
    coordinator_disarm(world.coordinator, &timer);
    coordinator_disarm(world.coordinator, &other);
    counter_deinit(&world);
}
TestSuite(time, .init = setup, .fini = teardown, .timeout = 300);

static void arm(struct coordinator_timer *which, int64_t after_ms) {
    ring_round(world.ring, false); /* a ring's clock moves with its rounds */
    coordinator_arm(world.coordinator, which, after_ms);
    ring_round(world.ring, false);
}

Test(time, a_timer_fires_once_and_not_early) {
    arm(&timer, 1000);
    counter_pass_ms(&world, 990);
    cr_assert(seen.fired == 0);
    counter_pass_ms(&world, 500);
    cr_assert(seen.fired == 1 && !coordinator_timer_is_armed(&timer));
    counter_pass_ms(&world, 5000);
    cr_assert(seen.fired == 1);
}

Test(time, arming_again_moves_it) {
    arm(&timer, 1000);
    counter_pass_ms(&world, 800);
    arm(&timer, 1000);
    counter_pass_ms(&world, 800);
    cr_assert(seen.fired == 0);
    coordinator_disarm(world.coordinator, &timer);
    counter_pass_ms(&world, 5000);
    cr_assert(seen.fired == 0);
}

/* --- lateness --- */

/* The tick that is due next was due so long ago. */
static void loop_was_late(uint64_t ms) { world.host->tick_due_ns -= ms * NS_PER_MS; }

Test(time, a_late_loop_stops_the_clock) {
    counter_pass_ms(&world, 20000);
    arm(&timer, 10000);
    counter_pass_ms(&world, 1000);
    uint64_t before_ms = coordinator_now_ms(world.coordinator);
    loop_was_late(7000);
    counter_pass_ms(&world, 300);
    uint64_t passed_ms = coordinator_now_ms(world.coordinator) - before_ms;
    cr_assert((int64_t)passed_ms < 0, "it stood still for seven seconds");
    counter_pass_ms(&world, 9000);
    cr_assert(seen.fired == 0, "all deadlines move alike");
    counter_pass_ms(&world, 7500);
    cr_assert(seen.fired == 1);
}

Test(time, a_little_lateness_does_not_count) {
    uint64_t stalled_ns = world.host->stalled_ns;
    arm(&timer, 10000);
    loop_was_late(LATE_MS - 10);
    counter_pass_ms(&world, 1000);
    cr_assert(world.host->stalled_ns == stalled_ns);
}

/* A batch that is under way for long is our lateness too, but only once. */
Test(time, a_late_disk_stops_the_clock) {
    struct counter_call call;
    counter_pass_ms(&world, 20000);
    arm(&timer, 10000);
    counter_pass_ms(&world, 1000);
    uint64_t stalled_ns = world.host->stalled_ns;
    counter_send(&world, &call, COUNTER_SET, 1, 1, NULL);
    log_flush(world.coordinator);
    struct log_write *write =
        list_entry(list_first(&world.host->under_way), struct log_write, link);
    write->started_ns -= 900 * NS_PER_MS;
    loop_was_late(500);
    counter_pass_ms(&world, 500);
    uint64_t late_ms = (world.host->stalled_ns - stalled_ns) / NS_PER_MS;
    cr_assert(call.done && late_ms >= 900 && late_ms < 1300, "%lu ms", late_ms);
}

/* --- draining --- */

static void begin_drain(struct coordinator_drain *drain, struct coordinator_host *host) {
    (void)drain, (void)host;
    seen.begun++;
    if (seen.disarms) coordinator_disarm(world.coordinator, &timer);
}

/* From here on sockets are drained by the test. */
static void drain_by_hand(bool disarms) {
    world.drain.begin = begin_drain;
    seen.disarms = disarms;
    counter_stop(&world);
    counter_load(&world);
}

Test(time, what_had_arrived_is_handled_first) {
    drain_by_hand(false);
    arm(&timer, 1000);
    counter_pass_ms(&world, 5000);
    cr_assert(seen.begun == 1 && seen.fired == 0, "the drain is not over");
    arm(&other, 0); /* comes due meanwhile */
    counter_pass_ms(&world, 1000);
    coordinator_host_drained(world.host);
    cr_assert(seen.fired == 1, "the other one waits for its own drain");
    counter_pass_ms(&world, 1000);
    cr_assert(seen.begun == 2);
    coordinator_host_drained(world.host);
    cr_assert(seen.fired == 2);
}

Test(time, a_heartbeat_that_lay_in_the_socket_counts) {
    drain_by_hand(true);
    arm(&timer, 1000);
    counter_pass_ms(&world, 2000);
    cr_assert(seen.begun == 1);
    coordinator_host_drained(world.host);
    cr_assert(seen.fired == 0);
}

/* --- timers that may write --- */

Test(time, a_timer_waits_while_the_log_takes_nothing) {
    arm(&timer, 1000);
    world.coordinator->under_way_bytes += 1 << 30;
    counter_pass_ms(&world, 3000);
    cr_assert(seen.fired == 0);
    world.coordinator->under_way_bytes -= 1 << 30;
    counter_pass_ms(&world, 1000);
    cr_assert(seen.fired == 1);
}

Test(time, nothing_fires_when_it_has_stopped) {
    arm(&timer, 1000);
    coordinator_stop(world.coordinator);
    counter_pass_ms(&world, 3000);
    cr_assert(seen.fired == 0);
}
