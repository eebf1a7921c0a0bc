#include "broker/group_service.h"

#include "base/check.h"
#include "base/clock.h"
#include "broker/core.h"
#include "broker/server.h"

enum {
    STOP_CHECK_MS = 1,
    DRAIN_ROUNDS = 2, /* what a round reads is handled in it, or in the next */
};

/* A drain's way to one core and back. */
struct drain_visit {
    struct mail mail;
    struct group_service *service;
    struct core *core;
    unsigned rounds;
};

struct group_service {
    struct core *core;
    struct coordinator_host *host;
    struct coordinator **coordinators; /* by index; NULL where another core has it */
    int32_t count;
    bool started; /* until then, partitions appear that group_service_start() will find */
    /* Before a session ends, all cores look at their sockets once more. */
    struct coordinator_drain drain;
    struct drain_visit *visits; /* per core */
    unsigned visiting;
    /* The end. */
    struct timer stop_timer;
    void (*stopped)(struct core *core);
};

/* --- drains --- */

static void on_visit_back(struct mail *mail) {
    struct group_service *service = container_of(mail, struct drain_visit, mail)->service;
    check(service->visiting > 0);
    if (--service->visiting == 0) coordinator_host_drained(service->host);
}

static void on_visit(struct mail *mail) {
    struct drain_visit *visit = container_of(mail, struct drain_visit, mail);
    if (visit->rounds-- > 0) {
        ring_post(visit->core->ring, mail);
        return;
    }
    mail->deliver = on_visit_back;
    ring_post(visit->service->core->ring, mail);
}

static void begin_drain(struct coordinator_drain *drain, struct coordinator_host *host) {
    struct group_service *service = container_of(drain, struct group_service, drain);
    struct server *server = service->core->server;
    check(host == service->host && service->visiting == 0);
    service->visiting = server->core_count;
    for (unsigned i = 0; i < server->core_count; i++) {
        struct drain_visit *visit = service->visits + i;
        visit->rounds = DRAIN_ROUNDS;
        visit->mail.deliver = on_visit;
        ring_post(visit->core->ring, &visit->mail);
    }
}

/* --- coordinators --- */

static void make_room(struct group_service *service, int32_t count) {
    if (count <= service->count) return;
    service->coordinators =
        memory_resize(service->coordinators, (size_t)count * sizeof *service->coordinators);
    for (int32_t i = service->count; i < count; i++) service->coordinators[i] = NULL;
    service->count = count;
}

void group_service_partition_created(struct group_service *service,
                                     const struct catalog_topic *topic,
                                     const struct catalog_partition *partition) {
    struct core *core = service->core;
    if (!service->started || strcmp(topic->name, GROUPS_TOPIC) != 0) return;
    make_room(service, partition->index + 1);
    struct partition *log = store_find_partition(core->store, partition->id);
    check(log && !service->coordinators[partition->index]);
    service->coordinators[partition->index] =
        coordinator_open(service->host, log, &groups_kind, &core->catalog);
}

struct coordinator_host *group_service_host(struct group_service *service) {
    return service->host;
}

struct coordinator *group_service_find(struct group_service *service, int32_t index) {
    return index >= 0 && index < service->count ? service->coordinators[index] : NULL;
}

void group_service_start(struct group_service *service) {
    struct core *core = service->core;
    const struct catalog_topic *topic =
        catalog_find_topic(&core->catalog, bytes_of_text(GROUPS_TOPIC));
    service->started = true;
    for (int32_t i = 0; topic && i < topic->partition_count; i++)
        if (core_of_shard(core->server, topic->partitions[i].shard) == core)
            group_service_partition_created(service, topic, topic->partitions + i);
}

void group_service_catalog_changed(struct group_service *service) {
    for (int32_t i = 0; i < service->count; i++)
        if (service->coordinators[i]) groups_catalog_changed(service->coordinators[i]);
}

/* --- life --- */

struct group_service *group_service_new(struct core *core) {
    struct group_service *service = new_zero(struct group_service);
    unsigned cores = core->server->core_count;
    service->core = core;
    service->drain.begin = begin_drain;
    service->visits = memory_zero(cores, sizeof *service->visits);
    for (unsigned i = 0; i < cores; i++)
        service->visits[i] =
            (struct drain_visit){.service = service, .core = &core->server->cores[i]};
    service->host = coordinator_host_new(core->ring, &service->drain);
    return service;
}

static bool is_busy(const struct group_service *service) {
    for (int32_t i = 0; i < service->count; i++)
        if (service->coordinators[i] && coordinator_is_busy(service->coordinators[i])) return true;
    return service->visiting > 0;
}

static void on_stop_timer(struct timer *timer) {
    struct group_service *service = container_of(timer, struct group_service, stop_timer);
    struct ring *ring = service->core->ring;
    if (is_busy(service))
        timer_arm(ring, timer, ring_now_ns(ring) + STOP_CHECK_MS * NS_PER_MS);
    else
        service->stopped(service->core);
}

void group_service_stop(struct group_service *service, void (*stopped)(struct core *core)) {
    for (int32_t i = 0; i < service->count; i++)
        if (service->coordinators[i]) coordinator_stop(service->coordinators[i]);
    service->stopped = stopped;
    service->stop_timer.fire = on_stop_timer;
    on_stop_timer(&service->stop_timer);
}

void group_service_free(struct group_service *service) {
    for (int32_t i = 0; i < service->count; i++)
        if (service->coordinators[i]) coordinator_free(service->coordinators[i]);
    timer_cancel(service->core->ring, &service->stop_timer);
    coordinator_host_free(service->host);
    free(service->coordinators);
    free(service->visits);
    free(service);
}
