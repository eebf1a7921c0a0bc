/* The world's clock and events, and the ring's backend in it. */
#include "io/sim.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "io/sim_world.h"

enum {
    WALL_START_S = 1700000000,
    ROUND_DELAY_NS = 20 * 1000,
    WORK_DELAY_NS = 3 * 1000 * 1000,
};

static const struct ring_calls sim_calls;

/* --- events --- */

void sim_soon(struct sim *sim, struct sim_event *event, uint64_t most_ns) {
    heap_put(&sim->events, &event->node, sim->now_ns + 1 + random_below(&sim->random, most_ns));
}

void sim_forget(struct sim *sim, struct sim_event *event) {
    heap_remove(&sim->events, &event->node);
}

bool sim_chance(struct sim *sim, unsigned parts) { return random_below(&sim->random, 8) < parts; }

uint64_t sim_now_ns(const struct sim *sim) { return sim->now_ns; }

/* --- the ring's rounds --- */

static bool sim_ring_is_busy(struct sim_ring *ring) {
    return ring->rounds == 0 || !list_is_empty(&ring->ring.completed) ||
           !list_is_empty(&ring->arrived) || !mailbox_is_empty(&ring->ring.mailbox) ||
           sim_network_has_arrivals(ring);
}

/* A ring with something to do runs soon; any other runs when its first timer is due. */
static void sim_ring_plan(struct sim_ring *ring) {
    if (ring->is_due || !sim_ring_lives(ring)) return;
    struct sim *sim = ring->sim;
    struct heap_node *first = heap_top(&ring->ring.timers);
    if (sim_ring_is_busy(ring)) {
        ring->is_due = true;
        sim_soon(sim, &ring->round, ROUND_DELAY_NS);
    } else if (first) {
        uint64_t at_ns = first->key > sim->now_ns ? first->key : sim->now_ns;
        heap_put(&sim->events, &ring->round.node, at_ns);
    } else {
        sim_forget(sim, &ring->round);
    }
}

static void sim_ring_round(struct sim *sim, struct sim_event *event) {
    (void)sim;
    struct sim_ring *ring = container_of(event, struct sim_ring, round);
    ring->is_due = false;
    ring_round(&ring->ring, false);
}

bool sim_step(struct sim *sim, uint64_t until_ns) {
    sim_network_bury(sim);
    list_each(node, &sim->rings) sim_ring_plan(list_entry(node, struct sim_ring, link));
    struct heap_node *first = heap_top(&sim->events);
    if (!first || first->key > until_ns) {
        if (until_ns != UINT64_MAX && until_ns > sim->now_ns) sim->now_ns = until_ns;
        return false;
    }
    if (first->key > sim->now_ns) sim->now_ns = first->key;
    heap_remove(&sim->events, first);
    struct sim_event *event = container_of(first, struct sim_event, node);
    event->happen(sim, event);
    return true;
}

static void sim_clock(struct ring *ring) {
    ring->now_ns = sim_ring_of(ring)->sim->now_ns;
    ring->wall_ms = WALL_START_S * 1000ll + (int64_t)(ring->now_ns / NS_PER_MS);
}

/* A ring that waits lets the world go on until it has something to do, or has done it. */
static void sim_turn(struct ring *ring, bool wait, uint64_t deadline_ns) {
    struct sim_ring *self = sim_ring_of(ring);
    if (!sim_ring_lives(self)) return;
    uint64_t before = ++self->rounds;
    while (wait && !sim_ring_is_busy(self) && self->rounds == before &&
           self->sim->now_ns < deadline_ns) {
        bool happened = sim_step(self->sim, deadline_ns);
        check((happened || deadline_ns != UINT64_MAX) && "the world is idle: nothing wakes this");
    }
}

static void sim_run(struct ring *ring) {
    struct sim_ring *self = sim_ring_of(ring);
    struct list due;
    list_init(&due);
    list_move_all(&due, &self->arrived);
    for (struct list *node; (node = list_first(&due));) {
        list_remove(node);
        struct io_op *op = list_entry(node, struct io_op, link);
        void *bytes = op->private;
        op_finish(op);
        free(bytes); /* a reader that keeps them is caught by the sanitizer */
    }
    sim_network_run_accepts(self);
}

static void sim_wake(struct ring *ring) { (void)ring; /* sim_step() looks into the mailboxes */ }

static void sim_submit(struct ring *ring, struct io_op *op) {
    if (!sim_ring_lives(sim_ring_of(ring))) return;
    if (op->kind == IO_READ || op->kind == IO_WRITE)
        sim_disk_submit(ring, op);
    else
        sim_network_submit(ring, op);
}

static void sim_cancel(struct ring *ring, struct io_op *op) {
    if (!sim_ring_lives(sim_ring_of(ring)) || op->kind == IO_READ || op->kind == IO_WRITE) return;
    sim_network_cancel(ring, op);
}

static void sim_hold(struct ring *ring, int fd) {
    (void)ring;
    (void)fd;
}

/* --- work: on a worker thread that takes its time, then runs at once --- */

struct sim_work {
    struct sim_event event;
    struct list link;
    struct work *work;
};

static void sim_work_free(struct sim *sim, struct sim_work *job) {
    sim_forget(sim, &job->event);
    list_remove(&job->link);
    free(job);
}

static void sim_work_happen(struct sim *sim, struct sim_event *event) {
    struct sim_work *job = container_of(event, struct sim_work, event);
    struct work *work = job->work;
    sim_work_free(sim, job);
    work->run(work);
    ring_post_work(work);
}

static void sim_start_work(struct ring *ring, struct work *work) {
    struct sim_ring *self = sim_ring_of(ring);
    if (!sim_ring_lives(self)) return;
    struct sim_work *job = new_zero(struct sim_work);
    job->event.happen = sim_work_happen;
    job->work = work;
    list_append(&self->sim->works, &job->link);
    sim_soon(self->sim, &job->event, WORK_DELAY_NS);
}

static void sim_drop_works(struct sim *sim, struct ring *home) {
    list_each(node, &sim->works) {
        struct sim_work *job = list_entry(node, struct sim_work, link);
        if (!home || job->work->home == home) sim_work_free(sim, job);
    }
}

/* --- lives --- */

struct ring *sim_ring_new(struct sim *sim) {
    struct sim_ring *ring = new_zero(struct sim_ring);
    ring->sim = sim;
    ring->life = sim->life;
    ring->round.happen = sim_ring_round;
    list_init(&ring->arrived);
    list_append(&sim->rings, &ring->link);
    ring_init(&ring->ring, &sim_calls, NULL);
    return &ring->ring;
}

static void sim_ring_drop_arrived(struct sim_ring *ring) {
    for (struct list *node; (node = list_first(&ring->arrived));) {
        list_remove(node);
        free(list_entry(node, struct io_op, link)->private);
    }
}

static void sim_ring_free(struct ring *ring) {
    struct sim_ring *self = sim_ring_of(ring);
    if (sim_ring_lives(self)) {
        sim_disk_drop(self);
        sim_network_drop(self->sim, self);
        sim_drop_works(self->sim, ring);
        sim_ring_drop_arrived(self);
    }
    sim_forget(self->sim, &self->round);
    list_remove(&self->link);
    ring->works = 0;
    ring_deinit(ring);
    free(self);
}

struct sim *sim_new(uint64_t seed) {
    struct sim *sim = new_zero(struct sim);
    random_init(&sim->random, seed);
    hash_seed_set(seed);
    sim->now_ns = NS_PER_S;
    heap_init(&sim->events);
    list_init(&sim->rings);
    list_init(&sim->works);
    sim_disk_init(sim);
    sim_network_init(sim);
    return sim;
}

void sim_free(struct sim *sim) {
    if (!sim) return;
    check(list_is_empty(&sim->rings));
    sim_drop_works(sim, NULL);
    sim_network_deinit(sim);
    sim_disk_deinit(sim);
    heap_deinit(&sim->events);
    free(sim);
}

/* Operations' owners are still there: transfers in flight may take from their buffers. */
static void sim_crash(struct sim *sim, int keep) {
    sim_disk_crash(sim, keep);
    sim_drop_works(sim, NULL);
    sim_network_drop(sim, NULL);
    list_each(node, &sim->rings) {
        struct sim_ring *ring = list_entry(node, struct sim_ring, link);
        sim_forget(sim, &ring->round);
        sim_ring_drop_arrived(ring);
        for (struct list *done; (done = list_first(&ring->ring.completed));) list_remove(done);
    }
    sim->life++;
}

void sim_power_cut(struct sim *sim) {
    static const int keeps[] = {0, 4, 7}; /* none, half, most */
    sim_crash(sim, keeps[random_below(&sim->random, array_count(keeps))]);
}

void sim_power_cut_keeping(struct sim *sim, unsigned parts) { sim_crash(sim, (int)parts); }
void sim_kill(struct sim *sim) { sim_crash(sim, -1); }

static const struct ring_calls sim_calls = {
    .backend = IO_SIMULATED,
    .free = sim_ring_free,
    .clock = sim_clock,
    .run = sim_run,
    .turn = sim_turn,
    .wake = sim_wake,
    .submit = sim_submit,
    .cancel = sim_cancel,
    .work = sim_start_work,
    .hold = sim_hold,
    .listen = sim_network_listen,
    .shutdown = sim_network_shutdown,
    .close = sim_network_close,
    .address = sim_network_address,
};
