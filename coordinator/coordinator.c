#include "coordinator/coordinator.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "coordinator/runtime.h"

/* --- calls --- */

static enum error_code refusal(const struct coordinator *coordinator) {
    return coordinator->status == COORDINATOR_LOADING ? ERROR_COORDINATOR_LOAD_IN_PROGRESS
                                                      : ERROR_COORDINATOR_NOT_AVAILABLE;
}

static void refuse(struct coordinator_call *call, enum error_code code) {
    list_remove(&call->link);
    call->finished = true;
    call->code = code;
    call->done(call);
}

bool coordinator_may_write(const struct coordinator *coordinator) {
    return coordinator->under_way_bytes < UNDER_WAY_BYTES_MAX &&
           partition_accepts(coordinator->log,
                             batch_build_size(&coordinator->build) + ACCEPT_BYTES);
}

void coordinator_enter(struct coordinator *coordinator) {
    check(!coordinator->running);
    coordinator->running = true;
}

static void drop_added(struct coordinator *coordinator) {
    batch_build_restart(&coordinator->build);
    list_remove(&coordinator->dirty);
}

void coordinator_leave(struct coordinator *coordinator) {
    coordinator->running = false;
    if (coordinator->status != COORDINATOR_ACTIVE)
        drop_added(coordinator);
    else if (batch_build_size(&coordinator->build) > BATCH_BYTES)
        log_flush(coordinator);
}

static void run(struct coordinator *coordinator, struct coordinator_call *call) {
    call->begun = true;
    list_append(&coordinator->waiting, &call->link);
    coordinator_enter(coordinator);
    call->run(call, coordinator->state);
    coordinator_leave(coordinator);
}

static void wait_for_space(struct coordinator *coordinator, struct coordinator_call *call) {
    struct coordinator_host *host = coordinator->host;
    uint64_t now_ns = ring_now_ns(host->ring);
    if (call->deadline_ns == 0) call->deadline_ns = now_ns + SPACE_WAIT_MS * NS_PER_MS;
    list_append(&coordinator->for_space, &call->link);
    coordinator_look_later(host);
}

void coordinator_submit(struct coordinator *coordinator, struct coordinator_call *call) {
    check(call->run && call->done);
    call->coordinator = coordinator;
    call->code = ERROR_NONE;
    call->begun = call->finished = false;
    list_init(&call->link);
    if (coordinator->status != COORDINATOR_ACTIVE)
        refuse(call, refusal(coordinator));
    else if (call->writes &&
             (!list_is_empty(&coordinator->for_space) || !coordinator_may_write(coordinator)))
        wait_for_space(coordinator, call);
    else
        run(coordinator, call);
}

void coordinator_finish(struct coordinator_call *call, int64_t release_at) {
    struct coordinator *coordinator = call->coordinator;
    check(!call->finished);
    list_remove(&call->link);
    call->finished = true;
    if (coordinator->status != COORDINATOR_ACTIVE) {
        call->code = ERROR_COORDINATOR_NOT_AVAILABLE;
        call->done(call);
        return;
    }
    check(release_at <= coordinator_end(coordinator));
    if (release_at <= coordinator->durable_end)
        call->done(call);
    else
        heap_put(&coordinator->finished, &call->release, (uint64_t)release_at);
}

void coordinator_hurry(struct coordinator_call *call) {
    struct coordinator *coordinator = call->coordinator;
    if (call->finished) return;
    if (!call->begun) {
        refuse(call, ERROR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    if (!call->hurry) return;
    coordinator_enter(coordinator);
    call->hurry(call, coordinator->state);
    coordinator_leave(coordinator);
}

static struct coordinator_call *first_finished(struct coordinator *coordinator, uint64_t upto) {
    struct heap_node *node = heap_top(&coordinator->finished);
    if (!node || node->key > upto) return NULL;
    heap_remove(&coordinator->finished, node);
    return container_of(node, struct coordinator_call, release);
}

void coordinator_release_finished(struct coordinator *coordinator) {
    struct coordinator_call *call;
    while ((call = first_finished(coordinator, (uint64_t)coordinator->durable_end)))
        call->done(call);
}

/* --- what waits for space --- */

static void look_for_space(struct coordinator *coordinator) {
    uint64_t now_ns = ring_now_ns(coordinator->host->ring);
    for (struct list *node; (node = list_first(&coordinator->for_space));) {
        struct coordinator_call *call = list_entry(node, struct coordinator_call, link);
        if (coordinator->status != COORDINATOR_ACTIVE || now_ns >= call->deadline_ns) {
            refuse(call, ERROR_COORDINATOR_NOT_AVAILABLE);
        } else if (coordinator_may_write(coordinator)) {
            list_remove(node);
            run(coordinator, call);
        } else {
            return;
        }
    }
}

static void on_space(struct timer *timer) {
    struct coordinator_host *host = container_of(timer, struct coordinator_host, space);
    bool waits = false;
    list_each(node, &host->coordinators) {
        struct coordinator *coordinator = list_entry(node, struct coordinator, link);
        look_for_space(coordinator);
        load_look(coordinator);
        waits = waits || !list_is_empty(&coordinator->for_space) || load_waits(coordinator);
    }
    if (waits) coordinator_look_later(host);
}

void coordinator_look_later(struct coordinator_host *host) {
    if (timer_is_armed(&host->space)) return;
    timer_arm(host->ring, &host->space, ring_now_ns(host->ring) + SPACE_CHECK_MS * NS_PER_MS);
}

/* --- the end --- */

/* Those that wait inside the machine answer; what has no answer of its own gets the status. */
static void end_waiting(struct coordinator *coordinator) {
    struct list calls;
    list_init(&calls);
    list_move_all(&calls, &coordinator->waiting);
    for (struct list *node; (node = list_first(&calls));) {
        struct coordinator_call *call = list_entry(node, struct coordinator_call, link);
        list_remove(node);
        list_append(&coordinator->waiting, node);
        coordinator_hurry(call);
    }
}

static void end_finished(struct coordinator *coordinator) {
    struct coordinator_call *call;
    while ((call = first_finished(coordinator, UINT64_MAX))) {
        call->code = ERROR_COORDINATOR_NOT_AVAILABLE;
        call->done(call);
    }
}

void coordinator_fail(struct coordinator *coordinator, enum coordinator_status status) {
    if (coordinator->status == COORDINATOR_STOPPED || coordinator->status == COORDINATOR_DAMAGED)
        return;
    check(!coordinator->running);
    coordinator->status = status;
    drop_added(coordinator);
    look_for_space(coordinator);
    end_finished(coordinator);
    end_waiting(coordinator);
}

void coordinator_stop(struct coordinator *coordinator) {
    if (coordinator->status == COORDINATOR_ACTIVE) log_flush(coordinator);
    coordinator_fail(coordinator, COORDINATOR_STOPPED);
}

bool coordinator_is_busy(const struct coordinator *coordinator) {
    return coordinator->under_way_bytes > 0 || coordinator->held > 0 || load_is_busy(coordinator) ||
           image_is_busy(coordinator);
}

/* --- life --- */

static void on_round(struct round_hook *hook) {
    struct coordinator_host *host = container_of(hook, struct coordinator_host, hook);
    for (struct list *node; (node = list_first(&host->dirty));)
        log_flush(list_entry(node, struct coordinator, dirty));
}

struct coordinator_host *coordinator_host_new(struct ring *ring, struct coordinator_drain *drain) {
    struct coordinator_host *host = new_zero(struct coordinator_host);
    host->ring = ring;
    host->drain = drain;
    host->hook.run = on_round;
    host->space.fire = on_space;
    list_init(&host->coordinators);
    list_init(&host->dirty);
    list_init(&host->under_way);
    time_init(host);
    ring_hook(ring, &host->hook);
    return host;
}

void coordinator_host_free(struct coordinator_host *host) {
    check(list_is_empty(&host->coordinators));
    timer_cancel(host->ring, &host->space);
    time_deinit(host);
    ring_unhook(&host->hook);
    free(host);
}

struct coordinator *coordinator_open(struct coordinator_host *host, struct partition *log,
                                     const struct coordinator_kind *kind, void *context) {
    struct coordinator *coordinator = new_zero(struct coordinator);
    coordinator->host = host;
    coordinator->log = log;
    coordinator->kind = kind;
    coordinator->context = context;
    coordinator->status = COORDINATOR_LOADING;
    batch_build_init(&coordinator->build);
    arena_init(&coordinator->arena, SIZE_MAX);
    list_init(&coordinator->dirty);
    list_init(&coordinator->waiting);
    list_init(&coordinator->for_space);
    heap_init(&coordinator->finished);
    list_append(&host->coordinators, &coordinator->link);
    coordinator->state = kind->state_new(coordinator, context);
    load_begin(coordinator);
    return coordinator;
}

static void forget_writes(struct coordinator *coordinator) {
    list_each(node, &coordinator->host->under_way) {
        struct log_write *write = list_entry(node, struct log_write, link);
        if (write->coordinator != coordinator) continue;
        list_remove(node);
        byte_buffer_deinit(&write->batch);
        free(write);
    }
}

void coordinator_free(struct coordinator *coordinator) {
    coordinator->kind->state_free(coordinator->state);
    forget_writes(coordinator);
    load_end(coordinator);
    list_remove(&coordinator->dirty);
    list_remove(&coordinator->link);
    batch_build_deinit(&coordinator->build);
    arena_deinit(&coordinator->arena);
    heap_deinit(&coordinator->finished);
    free(coordinator);
}

enum coordinator_status coordinator_status(const struct coordinator *coordinator) {
    return coordinator->status;
}
void *coordinator_state(const struct coordinator *coordinator) { return coordinator->state; }
struct ring *coordinator_ring(const struct coordinator *coordinator) {
    return coordinator->host->ring;
}
void coordinator_hold(struct coordinator *coordinator) { coordinator->held++; }
void coordinator_drop(struct coordinator *coordinator) {
    check(coordinator->held > 0);
    coordinator->held--;
}
