/* CreatePartitions: metadata/create_partitions.c decides. */
#include "protocol/create_partitions.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

struct growth {
    struct catalog_change change;
    struct request *request;
    struct partitions_wish *wishes;
    struct change_result *results;
};

static void make(struct catalog_change *self, struct change *change) {
    struct growth *growth = container_of(self, struct growth, change);
    const struct create_partitions_request *body = growth->request->body;
    change->validate_only = body->validate_only;
    change_create_partitions(change, growth->wishes, body->topics_count, growth->results);
}

static void done(struct catalog_change *self) {
    struct growth *growth = container_of(self, struct growth, change);
    struct request *request = growth->request;
    const struct create_partitions_request *body = request->body;
    struct create_partitions_response *response = request_response(request);
    response->results = arena_array(
        &request->arena, struct create_partitions_response_create_partitions_topic_result,
        (size_t)body->topics_count);
    response->results_count = body->topics_count;
    for (int32_t i = 0; i < body->topics_count; i++) {
        struct change_result result = admin_result(self, growth->results[i]);
        response->results[i].name = body->topics[i].name;
        ADMIN_SET_RESULT(response->results + i, result);
    }
    request_answer(request, response);
}

static void take_wish(struct arena *arena,
                      const struct create_partitions_request_create_partitions_topic *topic,
                      struct partitions_wish *wish) {
    int32_t count = topic->assignments_count;
    struct partition_assignment *assignments =
        arena_array(arena, struct partition_assignment, count > 0 ? (size_t)count : 0);
    for (int32_t i = 0; i < count; i++)
        assignments[i] =
            (struct partition_assignment){.broker_count = topic->assignments[i].broker_ids_count,
                                          .brokers = topic->assignments[i].broker_ids};
    *wish = (struct partitions_wish){topic->name, topic->count, count, assignments};
}

static void start(struct request *request) {
    const struct create_partitions_request *body = request->body;
    if (!admin_count_is_good(request, body->topics_count)) return;
    size_t count = (size_t)body->topics_count;
    struct growth *growth = arena_new(&request->arena, struct growth);
    growth->request = request;
    growth->wishes = arena_array(&request->arena, struct partitions_wish, count);
    growth->results = arena_array(&request->arena, struct change_result, count);
    for (size_t i = 0; i < count; i++)
        take_wish(&request->arena, body->topics + i, growth->wishes + i);
    growth->change.make = make;
    growth->change.done = done;
    growth->change.arena = &request->arena;
    growth->change.deadline_ns = admin_deadline_ns(request, body->timeout_ms);
    catalog_service_change(&growth->change, request->core);
}

const struct handler create_partitions_handler = {.key = API_CREATE_PARTITIONS, .start = start};
