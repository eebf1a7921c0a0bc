/* DeleteTopics: gone everywhere when answered. metadata/delete_topics.c decides. */
#include "protocol/delete_topics.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

struct deletion {
    struct catalog_change change;
    struct request *request;
    int32_t count;
    struct delete_wish *wishes;
    struct delete_outcome *outcomes;
};

static void make(struct catalog_change *self, struct change *change) {
    struct deletion *deletion = container_of(self, struct deletion, change);
    change_delete_topics(change, deletion->wishes, deletion->count, deletion->outcomes);
}

static void done(struct catalog_change *self) {
    struct deletion *deletion = container_of(self, struct deletion, change);
    struct request *request = deletion->request;
    struct delete_topics_response *response = request_response(request);
    response->responses =
        arena_array(&request->arena, struct delete_topics_response_deletable_topic_result,
                    (size_t)deletion->count);
    response->responses_count = deletion->count;
    for (int32_t i = 0; i < deletion->count; i++) {
        const struct delete_outcome *outcome = deletion->outcomes + i;
        struct change_result result = admin_result(self, outcome->result);
        response->responses[i].name = outcome->name;
        response->responses[i].topic_id = outcome->id;
        ADMIN_SET_RESULT(response->responses + i, result);
    }
    request_answer(request, response);
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

const struct handler delete_topics_handler = {.key = API_DELETE_TOPICS, .start = start};
