#include "broker/handlers/group_part.h"

#include "base/check.h"
#include "broker/connection.h"
#include "broker/core.h"
#include "broker/group_service.h"
#include "broker/groups_topic.h"

/* --- there and back --- */

static struct group_part *part_of(struct errand *errand) {
    return container_of(errand, struct group_part, errand);
}

static void one_back(struct group_parts *parts) {
    if (--parts->away > 0) return;
    if (parts->request->parked)
        request_wake(parts->request);
    else if (!parts->sending)
        parts->done(parts->request);
}

static void on_back(struct errand *errand) { one_back(part_of(errand)->parts); }

static void on_answered(struct group_call *call) {
    errand_return(&container_of(call, struct group_part, call)->errand);
}

static void on_arrive(struct errand *errand, struct core *there) {
    struct group_part *part = part_of(errand);
    struct coordinator *coordinator = group_service_find(there->groups, part->partition);
    if (coordinator) {
        part->submitted = true;
        group_call_submit(coordinator, &part->call);
    } else {
        part->call.api->refuse(&part->call, ERROR_COORDINATOR_NOT_AVAILABLE);
        errand_return(errand);
    }
}

static struct core *core_of_part(const struct group_part *part) {
    struct core *core = part->parts->request->core;
    const struct catalog_topic *topic =
        catalog_find_topic(&core->catalog, bytes_of_text(GROUPS_TOPIC));
    if (!topic || part->partition < 0 || part->partition >= topic->partition_count) return core;
    return core_of_shard(core->server, topic->partitions[part->partition].shard);
}

/* --- hurry --- */

static void on_hurry_back(struct errand *errand) {
    one_back(container_of(errand, struct group_part, hurry)->parts);
}

static void on_hurry(struct errand *errand, struct core *there) {
    struct group_part *part = container_of(errand, struct group_part, hurry);
    (void)there;
    if (part->submitted) coordinator_hurry(&part->call.call);
    errand_return(errand);
}

/* Parts that are back already do not mind. */
static void hurry_all(struct group_parts *parts) {
    parts->hurried = true;
    parts->away++;
    for (int32_t i = 0; i < parts->count; i++) {
        struct group_part *part = parts->items + i;
        part->hurry.run = on_hurry;
        part->hurry.back = on_hurry_back;
        parts->away++;
        errand_send(&part->hurry, part->errand.home, part->errand.there);
    }
    one_back(parts);
}

void group_parts_retry(struct request *request) {
    struct group_parts *parts = request->state;
    check(parts->away == 0);
    parts->done(request);
}

void group_parts_expire(struct request *request) {
    struct group_parts *parts = request->state;
    if (parts->away == 0)
        parts->done(request);
    else
        hurry_all(parts);
}

/* --- the request --- */

static bool free_arenas(struct request *request) {
    struct group_parts *parts = request->state;
    for (int32_t i = 0; i < parts->count; i++) arena_deinit(&parts->items[i].arena);
    return true;
}

/* "/127.0.0.1", as Java prints an address and Kafka stores it. */
static struct bytes host_of(struct request *request) {
    const char *peer = request->connection->ticket->peer;
    const char *colon = strrchr(peer, ':');
    size_t len = colon ? (size_t)(colon - peer) : strlen(peer);
    bool has_brackets = len >= 2 && peer[0] == '[' && peer[len - 1] == ']';
    if (has_brackets) peer++, len -= 2;
    return bytes_of_text(arena_format(&request->arena, "/%.*s", (int)len, peer));
}

struct group_parts *group_parts_begin(struct request *request, int32_t capacity,
                                      void (*done)(struct request *request)) {
    struct group_parts *parts = arena_new(&request->arena, struct group_parts);
    parts->request = request;
    parts->done = done;
    parts->capacity = capacity;
    parts->items = arena_array(&request->arena, struct group_part, (size_t)capacity);
    parts->client_host = host_of(request);
    parts->room = (int64_t)(request->core->admission.total / 2);
    request->state = parts;
    request->release = free_arenas;
    return parts;
}

struct group_part *group_parts_add(struct group_parts *parts, const struct group_api *api,
                                   int32_t partition, const void *body, void *response) {
    check(parts->count < parts->capacity);
    struct request *request = parts->request;
    struct group_part *part = parts->items + parts->count++;
    part->parts = parts;
    part->partition = partition;
    arena_init(&part->arena, SIZE_MAX);
    part->call = (struct group_call){
        .api = api,
        .request = body,
        .response = response,
        .arena = &part->arena,
        .version = request->version,
        .client_id = bytes_is_null(request->client_id) ? BYTES_OF("") : request->client_id,
        .client_host = parts->client_host,
        .room = &parts->room,
        .done = on_answered,
    };
    part->errand.run = on_arrive;
    part->errand.back = on_back;
    return part;
}

void group_parts_send(struct group_parts *parts) {
    struct request *request = parts->request;
    request_count_memory(request);
    parts->sending = true;
    parts->away = parts->count;
    for (int32_t i = 0; i < parts->count; i++)
        errand_send(&parts->items[i].errand, request->core, core_of_part(parts->items + i));
    parts->sending = false;
    if (parts->away == 0)
        parts->done(request);
    else
        request_park(request, 0);
}
