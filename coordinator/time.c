/* The clock of one core's coordinators, and their timers.
 *
 * The clock is the ring's minus all the time for which this broker was late: the loop (a tick that
 * fires late tells it) or the disk (a batch that is under way for long). Lateness is counted once,
 * up to stalled_until_ns, however it showed.
 *
 * Before timers fire, what had arrived on sockets is handled ("drain"): members whose heartbeats
 * lay there have moved their deadlines by then. Timers that came due meanwhile wait for the next
 * tick. */
#include "base/check.h"
#include "base/clock.h"
#include "coordinator/runtime.h"

enum { DRAIN_ROUNDS = 2, RETRY_MS = 100 };

static uint64_t clock_ns(const struct coordinator_host *host) {
    return ring_now_ns(host->ring) - host->stalled_ns;
}

/* --- lateness --- */

static void count_stall(struct coordinator_host *host, uint64_t from_ns) {
    uint64_t now_ns = ring_now_ns(host->ring);
    if (from_ns < host->stalled_until_ns) from_ns = host->stalled_until_ns;
    if (from_ns >= now_ns) return;
    host->stalled_ns += now_ns - from_ns;
    host->stalled_until_ns = now_ns;
}

void time_count_commit(struct coordinator_host *host, uint64_t started_ns) {
    if (ring_now_ns(host->ring) - started_ns > COMMIT_LATE_MS * NS_PER_MS)
        count_stall(host, started_ns);
}

static void look_for_stalls(struct coordinator_host *host) {
    uint64_t now_ns = ring_now_ns(host->ring);
    if (now_ns > host->tick_due_ns + LATE_MS * NS_PER_MS) count_stall(host, host->tick_due_ns);
    struct list *oldest = list_first(&host->under_way);
    if (oldest) time_count_commit(host, list_entry(oldest, struct log_write, link)->started_ns);
}

/* --- timers --- */

/* The next tick: in TICK_MS, or when the first timer is due; none without timers. */
static void tick_arm(struct coordinator_host *host) {
    struct heap_node *first = heap_top(&host->timers);
    if (!first) {
        timer_cancel(host->ring, &host->tick);
        return;
    }
    uint64_t due_ns = ring_now_ns(host->ring) + TICK_MS * NS_PER_MS;
    uint64_t first_ns = first->key + host->stalled_ns;
    if (first_ns < due_ns) due_ns = first_ns;
    if (timer_is_armed(&host->tick) && host->tick_due_ns <= due_ns) return;
    host->tick_due_ns = due_ns;
    timer_arm(host->ring, &host->tick, due_ns);
}

static void fire(struct coordinator_host *host, struct coordinator_timer *timer) {
    struct coordinator *coordinator = timer->coordinator;
    if (coordinator->status != COORDINATOR_ACTIVE) return;
    if (!coordinator_may_write(coordinator)) {
        heap_put(&host->timers, &timer->node, clock_ns(host) + RETRY_MS * NS_PER_MS);
        return;
    }
    coordinator_enter(coordinator);
    timer->fire(timer);
    coordinator_leave(coordinator);
}

void coordinator_host_drained(struct coordinator_host *host) {
    check(host->draining);
    host->draining = false;
    for (struct heap_node *first;
         (first = heap_top(&host->timers)) && first->key <= host->due_ns;) {
        heap_remove(&host->timers, first);
        fire(host, container_of(first, struct coordinator_timer, node));
    }
    tick_arm(host);
}

static void on_round_drained(struct mail *mail) {
    struct coordinator_host *host = container_of(mail, struct coordinator_host, drained);
    if (--host->drain_rounds > 0)
        ring_post(host->ring, mail);
    else
        coordinator_host_drained(host);
}

static void drain_begin(struct coordinator_host *host) {
    host->draining = true;
    if (host->drain) {
        host->drain->begin(host->drain, host);
        return;
    }
    host->drain_rounds = DRAIN_ROUNDS;
    ring_post(host->ring, &host->drained);
}

static void on_tick(struct timer *timer) {
    struct coordinator_host *host = container_of(timer, struct coordinator_host, tick);
    look_for_stalls(host);
    struct heap_node *first = heap_top(&host->timers);
    uint64_t now_ns = clock_ns(host);
    if (first && first->key <= now_ns && !host->draining) {
        host->due_ns = now_ns;
        drain_begin(host);
    }
    if (!host->draining) tick_arm(host);
}

void coordinator_arm(struct coordinator *coordinator, struct coordinator_timer *timer,
                     int64_t after_ms) {
    struct coordinator_host *host = coordinator->host;
    check(timer->fire);
    timer->coordinator = coordinator;
    uint64_t after_ns = after_ms > 0 ? (uint64_t)after_ms * NS_PER_MS : 0;
    heap_put(&host->timers, &timer->node, clock_ns(host) + after_ns);
    if (!host->draining) tick_arm(host);
}

void coordinator_disarm(struct coordinator *coordinator, struct coordinator_timer *timer) {
    heap_remove(&coordinator->host->timers, &timer->node);
}

uint64_t coordinator_now_ms(const struct coordinator *coordinator) {
    return clock_ns(coordinator->host) / NS_PER_MS;
}

int64_t coordinator_wall_ms(const struct coordinator *coordinator) {
    return ring_wall_ms(coordinator->host->ring);
}

/* --- life --- */

void time_init(struct coordinator_host *host) {
    heap_init(&host->timers);
    host->tick.fire = on_tick;
    host->drained.deliver = on_round_drained;
}

void time_deinit(struct coordinator_host *host) {
    timer_cancel(host->ring, &host->tick);
    heap_deinit(&host->timers);
}
