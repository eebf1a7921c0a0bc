/* DeleteTopics: gone everywhere when answered, and so are the offsets that groups have committed
 * for them: a topic made again starts clean. metadata/delete_topics.c decides. */
#include "protocol/delete_topics.h"

#include "broker/groups_topic.h"
#include "broker/handlers/admin.h"
#include "broker/handlers/group_part.h"
#include "broker/handlers/handlers.h"
#include "consumer-groups/offsets.h"

struct deletion {
    struct catalog_change change;
    struct request *request;
    int32_t count;
    struct delete_wish *wishes;
    struct delete_outcome *outcomes;
    struct deleted_topics deleted; /* of them */
};

static void make(struct catalog_change *self, struct change *change) {
    struct deletion *deletion = container_of(self, struct deletion, change);
    change_delete_topics(change, deletion->wishes, deletion->count, deletion->outcomes);
}

static void answer(struct deletion *deletion) {
    const struct catalog_change *change = &deletion->change;
    struct request *request = deletion->request;
    struct delete_topics_response *response = request_response(request);
    response->responses =
        arena_array(&request->arena, struct delete_topics_response_deletable_topic_result,
                    (size_t)deletion->count);
    response->responses_count = deletion->count;
    for (int32_t i = 0; i < deletion->count; i++) {
        const struct delete_outcome *outcome = deletion->outcomes + i;
        struct change_result result = admin_result(change, outcome->result);
        response->responses[i].name = outcome->name;
        response->responses[i].topic_id = outcome->id;
        ADMIN_SET_RESULT(response->responses + i, result);
    }
    request_answer(request, response);
}

static void forgotten(struct request *request) {
    struct group_parts *parts = request->state;
    const struct deleted_topics *deleted = parts->items[0].call.request;
    answer(container_of(deleted, struct deletion, deleted));
}

static void forget_offsets(struct deletion *deletion) {
    struct request *request = deletion->request;
    int32_t partitions = groups_topic_partition_count(request->core);
    struct group_parts *parts = group_parts_begin(request, partitions, forgotten);
    for (int32_t i = 0; i < partitions; i++)
        group_parts_add(parts, &offsets_forget_api, i, &deletion->deleted, NULL);
    group_parts_send(parts);
}

static void done(struct catalog_change *self) {
    struct deletion *deletion = container_of(self, struct deletion, change);
    struct deleted_topics *deleted = &deletion->deleted;
    deleted->items =
        arena_array(&deletion->request->arena, struct deleted_topic, (size_t)deletion->count);
    for (int32_t i = 0; i < deletion->count && !self->code; i++)
        if (!deletion->outcomes[i].result.code)
            deleted->items[deleted->count++] =
                (struct deleted_topic){deletion->outcomes[i].name, deletion->outcomes[i].id};
    if (deleted->count > 0 && groups_topic_partition_count(deletion->request->core) > 0)
        forget_offsets(deletion);
    else
        answer(deletion);
}

/* Names alone up to version 5. */
static void take_wishes(struct deletion *deletion, const struct delete_topics_request *body) {
    for (int32_t i = 0; i < deletion->count; i++)
        deletion->wishes[i] =
            deletion->request->version >= 6
                ? (struct delete_wish){body->topics[i].name, body->topics[i].topic_id}
                : (struct delete_wish){.name = body->topic_names[i]};
}

static void start(struct request *request) {
    const struct delete_topics_request *body = request->body;
    int32_t count = request->version >= 6 ? body->topics_count : body->topic_names_count;
    if (!admin_count_is_good(request, count)) return;
    struct deletion *deletion = arena_new(&request->arena, struct deletion);
    deletion->request = request;
    deletion->count = count;
    deletion->wishes = arena_array(&request->arena, struct delete_wish, (size_t)count);
    deletion->outcomes = arena_array(&request->arena, struct delete_outcome, (size_t)count);
    take_wishes(deletion, body);
    deletion->change.make = make;
    deletion->change.done = done;
    deletion->change.arena = &request->arena;
    deletion->change.deadline_ns = admin_deadline_ns(request, body->timeout_ms);
    catalog_service_change(&deletion->change, request->core);
}

const struct handler delete_topics_handler = {.key = API_DELETE_TOPICS,
                                              .start = start,
                                              .retry = group_parts_retry,
                                              .expire = group_parts_expire};
