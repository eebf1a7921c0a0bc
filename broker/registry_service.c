#include "broker/registry_service.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/catalog_service.h"
#include "broker/core.h"
#include "broker/group_service.h"
#include "broker/registry_listener.h"
#include "broker/server.h"
#include "registry/prepare.h"

enum { STOP_CHECK_MS = 1 };

/* A change on its way to the registry's core and back. */
struct trip {
    struct errand errand;
    struct list link;
    struct registry_service *service;
    struct schema_change *change;
};

/* A view's way to one core and back. */
struct delivery {
    struct mail apply, confirm;
    struct registry_service *service;
    struct core *core;
    struct schema_view *view; /* on its way: one user */
};

struct registry_service {
    struct server *server;

    /* ---- the first core's ---- */
    struct registry_listener listener;
    struct list for_topic; /* struct trip: the topic is being made */
    struct catalog_change topic_change;
    struct arena topic_arena;
    struct change_result topic_result;

    /* ---- of the core that has the log ---- */
    struct schema_machine_owner owner;
    struct coordinator *coordinator; /* NULL until there is a topic */
    struct core *home;
    struct subjects *subjects; /* NULL until they are loaded */
    bool ready;                /* a view of what was loaded is everywhere */
    struct list queue;         /* struct trip */
    struct trip *current;      /* the change under way */
    struct coordinator_call call;
    bool wrote, choosing, publishing;
    bool outdated;      /* loaded again while a view was on its way: another one has to follow */
    struct work making; /* of the next view */
    struct schema_view *made;
    struct work compiling;
    struct schema_view *compiled;
    struct delivery *deliveries; /* per core */
    unsigned undelivered;
    struct timer stop_timer;
    void (*stopped)(struct core *core);
};

static void next_change(struct registry_service *service);
static void publish(struct registry_service *service);

/* --- views --- */

static void current_end(struct registry_service *service, bool failed) {
    struct trip *trip = service->current;
    service->current = NULL;
    trip->change->failed = failed;
    errand_return(&trip->errand);
}

static void delivered(struct registry_service *service) {
    check(service->undelivered > 0);
    if (--service->undelivered > 0) return;
    service->publishing = false;
    if (service->current) current_end(service, false);
    if (service->outdated && coordinator_status(service->coordinator) == COORDINATOR_ACTIVE) {
        publish(service);
        return;
    }
    service->ready = !service->outdated && !service->compiled;
    next_change(service);
}

static void on_confirm(struct mail *mail) {
    delivered(container_of(mail, struct delivery, confirm)->service);
}

static void view_take(struct core *core, struct schema_view *view) {
    schema_view_drop(core->schemas);
    core->schemas = view;
}

/* A service's core may be told before it listens. */
static void view_publish(struct registry_service *service, struct core *core,
                         struct schema_view *view) {
    view_take(core, view);
    if (core->index == 0 && service->listener.api.view)
        registry_api_view_changed(&service->listener.api);
}

static void on_apply(struct mail *mail) {
    struct delivery *delivery = container_of(mail, struct delivery, apply);
    view_publish(delivery->service, delivery->core, delivery->view);
    delivery->view = NULL;
    ring_post(delivery->service->home->ring, &delivery->confirm);
}

/* Every core gets the view. */
static void deliver(struct registry_service *service, struct schema_view *view) {
    struct server *server = service->server;
    check(service->undelivered == 0);
    service->undelivered = server->core_count;
    for (unsigned i = 0; i < server->core_count; i++) {
        struct delivery *delivery = &service->deliveries[i];
        if (delivery->core == service->home) continue;
        delivery->view = schema_view_hold(view);
        ring_post(delivery->core->ring, &delivery->apply);
    }
    view_publish(service, service->home, view);
    delivered(service);
}

static void view_make(struct work *work) {
    struct registry_service *service = container_of(work, struct registry_service, making);
    service->made = schema_view_new(service->subjects);
}

static void view_made(struct work *work) {
    struct registry_service *service = container_of(work, struct registry_service, making);
    struct schema_view *view = service->made;
    service->made = NULL;
    coordinator_drop(service->coordinator);
    deliver(service, view);
}

/* What is durable now. A view takes as long to make as the registry is large, so a worker does it;
 * nothing changes the subjects before every core has confirmed it. */
static void publish(struct registry_service *service) {
    service->outdated = service->publishing;
    if (service->publishing) return;
    service->publishing = true;
    service->making = (struct work){.run = view_make, .done = view_made};
    coordinator_hold(service->coordinator);
    ring_work(service->home->ring, &service->making);
}

/* --- loading --- */

static void compile_run(struct work *work) {
    struct registry_service *service = container_of(work, struct registry_service, compiling);
    const struct schema_view *view = service->compiled;
    for (size_t i = 0; i < view->schema_count; i++) schema_prepare_stored(view, view->by_id[i]);
}

static void say_loaded(const struct schema_view *view) {
    size_t bad = 0;
    for (size_t i = 0; i < view->schema_count; i++) {
        const struct schema *schema = view->by_id[i];
        if (schema->state != SCHEMA_QUARANTINED) continue;
        if (bad++ < PEER_LINES_MAX)
            say_warning("registry: schema %d does not compile and is set apart: %s",
                        schema->entry.id, schema->problem);
    }
    if (view->schema_count > 0)
        say_info("registry: %zu schemas of %zu subjects are loaded, %zu of them do not compile",
                 view->schema_count, view->subject_count, bad);
}

static void compile_done(struct work *work) {
    struct registry_service *service = container_of(work, struct registry_service, compiling);
    say_loaded(service->compiled);
    schema_view_drop(service->compiled);
    service->compiled = NULL;
    coordinator_drop(service->coordinator);
    if (coordinator_status(service->coordinator) != COORDINATOR_ACTIVE) return;
    subjects_reindex(service->subjects);
    publish(service);
}

static size_t bytes_max(const struct registry_service *service) {
    return (size_t)service->server->options->registry_bytes_max;
}

static void on_loaded(struct schema_machine_owner *owner, struct subjects *subjects) {
    struct registry_service *service = container_of(owner, struct registry_service, owner);
    service->subjects = subjects;
    subjects->bytes_max = bytes_max(service);
    service->ready = false; /* where the log was read again, the cores' view is of before */
    service->compiled = schema_view_new(subjects);
    service->compiling = (struct work){.run = compile_run, .done = compile_done};
    coordinator_hold(service->coordinator);
    ring_work(service->home->ring, &service->compiling);
}

static bool is_log(const struct catalog_topic *topic, const struct catalog_partition *partition) {
    return partition->index == 0 && strcmp(topic->name, SCHEMAS_TOPIC) == 0;
}

void registry_service_partition_created(struct registry_service *service, struct core *core,
                                        const struct catalog_topic *topic,
                                        const struct catalog_partition *partition) {
    if (!service || !is_log(topic, partition) || service->coordinator) return;
    struct partition *log = store_find_partition(core->store, partition->id);
    check(log);
    service->home = core;
    service->owner.loaded = on_loaded;
    service->coordinator = coordinator_open(group_service_host(core->groups), log,
                                            &schema_machine_kind, &service->owner);
}

static const struct catalog_topic *topic_find(const struct core *core) {
    return catalog_find_topic(&core->catalog, BYTES_OF(SCHEMAS_TOPIC));
}

void registry_service_start(struct registry_service *service, struct core *core) {
    const struct catalog_topic *topic = service ? topic_find(core) : NULL;
    struct subjects none;
    if (!service) return;
    if (topic) {
        if (core_of_shard(core->server, topic->partitions[0].shard) == core)
            registry_service_partition_created(service, core, topic, &topic->partitions[0]);
        return;
    }
    subjects_init(&none);
    none.bytes_max = bytes_max(service);
    view_take(core, schema_view_new(&none));
    subjects_deinit(&none);
}

/* --- changes, on the registry's core --- */

static void call_run(struct coordinator_call *call, void *state) {
    struct registry_service *service = container_of(call, struct registry_service, call);
    struct schema_change *change = service->current->change;
    int64_t before = coordinator_end(service->coordinator);
    change->make(change, (struct schema_machine *)state);
    service->wrote = coordinator_end(service->coordinator) > before;
    coordinator_finish(call, coordinator_end(service->coordinator));
}

static void call_done(struct coordinator_call *call) {
    struct registry_service *service = container_of(call, struct registry_service, call);
    if (call->code == ERROR_NONE && service->wrote) {
        publish(service);
        return;
    }
    current_end(service, call->code != ERROR_NONE);
    next_change(service);
}

static bool may_go_on(const struct registry_service *service) {
    if (service->current || list_is_empty(&service->queue)) return false;
    enum coordinator_status status = coordinator_status(service->coordinator);
    bool has_ended = status == COORDINATOR_DAMAGED || status == COORDINATOR_STOPPED;
    return has_ended || (service->ready && !service->publishing);
}

static void next_change(struct registry_service *service) {
    if (service->choosing) return;
    service->choosing = true;
    while (may_go_on(service)) {
        struct list *node = list_first(&service->queue);
        list_remove(node);
        service->current = list_entry(node, struct trip, link);
        service->wrote = false;
        service->call =
            (struct coordinator_call){.run = call_run, .done = call_done, .writes = true};
        coordinator_submit(service->coordinator, &service->call);
    }
    service->choosing = false;
}

static void on_trip_arrived(struct errand *errand, struct core *there) {
    struct trip *trip = container_of(errand, struct trip, errand);
    check(trip->service->home == there);
    list_append(&trip->service->queue, &trip->link);
    next_change(trip->service);
}

const struct core *registry_service_home(const struct registry_service *service) {
    return service->home;
}

/* --- changes, on the first core --- */

static void on_trip_back(struct errand *errand) {
    struct trip *trip = container_of(errand, struct trip, errand);
    struct schema_change *change = trip->change;
    free(trip);
    change->done(change);
}

static void trip_send(struct trip *trip) {
    struct server *server = trip->service->server;
    struct core *first = &server->cores[0];
    const struct catalog_topic *topic = topic_find(first);
    errand_send(&trip->errand, first, core_of_shard(server, topic->partitions[0].shard));
}

/* One partition, in which nothing but the newest of each key is kept. */
static const struct config_edit topic_configs[] = {
    {.name = BYTES_OF("cleanup.policy"), .value = BYTES_OF("compact")},
};

static void topic_make(struct catalog_change *self, struct change *change) {
    struct registry_service *service = container_of(self, struct registry_service, topic_change);
    change_create_internal(change, BYTES_OF(SCHEMAS_TOPIC), 1, topic_configs,
                           array_count(topic_configs), &service->topic_result);
}

static void topic_done(struct catalog_change *self) {
    struct registry_service *service = container_of(self, struct registry_service, topic_change);
    bool failed = self->code || service->topic_result.code;
    struct list trips;
    if (failed)
        say_error(
            "registry: the topic " SCHEMAS_TOPIC " could not be created: %s",
            error_code_message((int16_t)(self->code ? self->code : service->topic_result.code)));
    arena_reset(&service->topic_arena);
    list_init(&trips);
    list_move_all(&trips, &service->for_topic);
    for (struct list *node; (node = list_first(&trips));) {
        struct trip *trip = list_entry(node, struct trip, link);
        list_remove(node);
        trip->change->failed = failed;
        if (failed)
            on_trip_back(&trip->errand);
        else
            trip_send(trip);
    }
}

void registry_service_change(struct registry_service *service, struct schema_change *change) {
    struct core *first = &service->server->cores[0];
    struct trip *trip = new_zero(struct trip);
    trip->service = service;
    trip->change = change;
    trip->errand.run = on_trip_arrived;
    trip->errand.back = on_trip_back;
    list_init(&trip->link);
    if (topic_find(first)) {
        trip_send(trip);
        return;
    }
    bool is_first = list_is_empty(&service->for_topic);
    list_append(&service->for_topic, &trip->link);
    if (!is_first) return;
    service->topic_change = (struct catalog_change){
        .make = topic_make, .done = topic_done, .arena = &service->topic_arena};
    catalog_service_change(&service->topic_change, first);
}

/* --- life --- */

struct registry_service *registry_service_new(struct server *server) {
    if (server->options->registry_listen.count == 0) return NULL;
    struct registry_service *service = new_zero(struct registry_service);
    service->server = server;
    list_init(&service->for_topic);
    list_init(&service->queue);
    arena_init(&service->topic_arena, SIZE_MAX);
    service->deliveries =
        (struct delivery *)memory_zero(server->core_count, sizeof *service->deliveries);
    for (unsigned i = 0; i < server->core_count; i++)
        service->deliveries[i] = (struct delivery){.apply.deliver = on_apply,
                                                   .confirm.deliver = on_confirm,
                                                   .service = service,
                                                   .core = &server->cores[i]};
    return service;
}

static void on_stop_timer(struct timer *timer) {
    struct registry_service *service = container_of(timer, struct registry_service, stop_timer);
    struct ring *ring = service->home->ring;
    if (coordinator_is_busy(service->coordinator))
        timer_arm(ring, timer, ring_now_ns(ring) + STOP_CHECK_MS * NS_PER_MS);
    else
        service->stopped(service->home);
}

void registry_service_stop(struct registry_service *service, struct core *core,
                           void (*stopped)(struct core *core)) {
    if (!service || service->home != core) {
        stopped(core);
        return;
    }
    coordinator_stop(service->coordinator);
    service->stopped = stopped;
    service->stop_timer.fire = on_stop_timer;
    on_stop_timer(&service->stop_timer);
}

void registry_service_close_core(struct registry_service *service, struct core *core) {
    if (!service || service->home != core) return;
    timer_cancel(core->ring, &service->stop_timer);
    coordinator_free(service->coordinator);
    service->coordinator = NULL;
    service->home = NULL;
}

void registry_service_free(struct registry_service *service) {
    if (!service) return;
    for (unsigned i = 0; i < service->server->core_count; i++)
        if (service->deliveries[i].view) schema_view_drop(service->deliveries[i].view);
    arena_deinit(&service->topic_arena);
    free(service->deliveries);
    free(service);
}

/* --- the listener --- */

bool registry_service_listen(struct registry_service *service, struct error *error) {
    return !service || registry_listener_open(&service->listener, service, service->server, error);
}

void registry_service_close(struct registry_service *service, struct server *server,
                            void (*stopped)(struct server *server)) {
    if (service)
        registry_listener_stop(&service->listener, stopped);
    else
        stopped(server);
}

const struct registry_listener *registry_service_listener(const struct registry_service *service) {
    return service ? &service->listener : NULL;
}

const char *registry_service_bound(const struct registry_service *service) {
    return service ? service->listener.http.bound : NULL;
}
