#include "broker/core.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/chore.h"
#include "broker/connection.h"
#include "broker/group_service.h"
#include "broker/registry_service.h"
#include "broker/rejects.h"
#include "broker/request.h"
#include "broker/server.h"
#include "protocol/compress.h"

/* --- what hooks do --- */

void core_touch(struct core *core, struct list *link) {
    if (!list_is_linked(link)) list_append(&core->touched, link);
}

void core_make_ready(struct core *core, struct list *link) {
    if (!list_is_linked(link)) list_append(&core->ready, link);
}

void core_wake(struct core *core, struct list *link) {
    if (!list_is_linked(link)) list_append(&core->woken, link);
}

bool core_is_overdrawn(const struct core *core) {
    return core->answer_bytes > 0 && admission_is_overdrawn(&core->admission);
}

bool core_hold(struct core *core, struct list *link) {
    if (!core_is_overdrawn(core)) return false;
    if (!list_is_linked(link)) list_append(&core->held, link);
    return true;
}

void core_count_answer(struct core *core, size_t bytes) { core->answer_bytes += bytes; }

void core_forget_answer(struct core *core, size_t bytes) {
    check(bytes <= core->answer_bytes);
    core->answer_bytes -= bytes;
    if (core_is_overdrawn(core)) return;
    list_move_all(&core->ready, &core->held);
    chore_go_on(core);
}

/* Only what is there now: a handler that wakes itself must not keep the round from ending. */
static void core_starting(struct round_hook *hook) {
    struct core *core = container_of(hook, struct core, starting);
    struct list due;
    list_init(&due);
    list_move_all(&due, &core->woken);
    for (struct list *node; (node = list_first(&due));) {
        list_remove(node);
        request_look(list_entry(node, struct request, woken));
    }
    list_move_all(&due, &core->ready);
    for (struct list *node; (node = list_first(&due));) {
        list_remove(node);
        connection_start(list_entry(node, struct connection, ready));
    }
}

static void core_nudged(struct mail *mail) {
    container_of(mail, struct core, nudge)->nudged = false;
}

static void core_sending(struct round_hook *hook) {
    struct core *core = container_of(hook, struct core, sending);
    for (struct list *node; (node = list_first(&core->touched));) {
        list_remove(node);
        connection_flush(list_entry(node, struct connection, touched));
    }
    bool is_late = !list_is_empty(&core->ready) || !list_is_empty(&core->woken);
    if (!is_late || core->nudged) return;
    core->nudged = true;
    core->nudge.deliver = core_nudged;
    ring_post(core->ring, &core->nudge);
}

/* --- while memory is short --- */

enum { PACES = 8 }; /* in the time that a whole frame may take */

static void core_pace(struct timer *timer) {
    struct core *core = container_of(timer, struct core, pace);
    if (!admission_is_short(&core->admission)) return;
    list_each(node, &core->connections) connection_pace(list_entry(node, struct connection, link));
    core_watch_pace(core);
}

void core_watch_pace(struct core *core) {
    if (timer_is_armed(&core->pace)) return;
    uint64_t pace_ns = (uint64_t)core->options->request_progress_ms * NS_PER_MS / PACES;
    core->pace.fire = core_pace;
    timer_arm(core->ring, &core->pace, ring_now_ns(core->ring) + pace_ns);
}

/* --- life --- */

void core_init(struct core *core, struct server *server, unsigned index,
               const struct options *options) {
    *core = (struct core){.server = server, .index = index};
    catalog_init(&core->catalog, options);
    core->options = core->catalog.options;
    core->schemas = schema_view_new(NULL);
    list_init(&core->connections);
    list_init(&core->spare_requests);
    list_init(&core->ready);
    list_init(&core->held);
    list_init(&core->woken);
    list_init(&core->touched);
    list_init(&core->chores);
}

bool core_open(struct core *core, struct ring *ring, struct recovered *recovered,
               struct error *error) {
    struct server *server = core->server;
    core->ring = ring;
    core->inflater = inflater_new();
    core->rejects = rejects_new(core);
    admission_init(&core->admission, server->request_bytes / server->core_count);
    core->starting.run = core_starting;
    core->sending.run = core_sending;
    ring_hook(ring, &core->starting);
    core->groups = group_service_new(core);
    core->store = store_new(ring, &server->directory, &server->store_options, core->index,
                            server->core_count, recovered, error);
    ring_hook(ring, &core->sending);
    return core->store != NULL;
}

void core_deinit(struct core *core) {
    registry_service_close_core(core->server->registry, core);
    if (core->groups) group_service_free(core->groups);
    if (core->store) store_free(core->store);
    if (core->ring) ring_free(core->ring);
    if (core->inflater) inflater_free(core->inflater);
    request_forget_spares(core);
    schema_view_drop(core->schemas);
    catalog_deinit(&core->catalog);
}

struct core *core_of_shard(struct server *server, uint16_t shard) {
    return &server->cores[shard % server->core_count];
}

struct core *core_of_catalog(struct server *server) {
    return core_of_shard(server, CATALOG_SHARD);
}

/* --- log lines about peers --- */

bool core_may_say(struct core *core) {
    uint64_t now_ns = ring_now_ns(core->ring);
    if (core->said_ns == 0 || now_ns - core->said_ns > PEER_LINES_S * NS_PER_S) {
        if (core->unsaid > 0)
            say_info("%u more lines about connections were left out", core->unsaid);
        core->said_ns = now_ns;
        core->said = core->unsaid = 0;
    }
    if (core->said++ < PEER_LINES_MAX) return true;
    core->unsaid++;
    return false;
}
