/* FindCoordinator. This broker coordinates every group; the first one that is looked for brings the
 * topic that groups live in. A transactional id is refused in the one way that clients take for
 * final and tell their user, because transactions are not served. */
#include "protocol/find_coordinator.h"

#include "broker/core.h"
#include "broker/groups_topic.h"
#include "broker/handlers/handlers.h"
#include "broker/server.h"

enum key_type { KEY_GROUP, KEY_TRANSACTION, KEY_SHARE, KEY_TYPES };

enum { KEYS_MAX = 10000 };

struct finding {
    struct groups_topic_wish wish;
    struct request *request;
    enum error_code code;
    const char *message;
    int32_t node_id, port;
    struct bytes host;
};

static void answer_one(struct request *request, const struct finding *finding) {
    struct find_coordinator_response *response = request_response(request);
    response->error_code = (int16_t)finding->code;
    response->error_message = bytes_of_text(finding->message);
    response->node_id = finding->node_id;
    response->host = finding->host;
    response->port = finding->port;
    request_answer(request, response);
}

static void answer_each(struct request *request, const struct finding *finding) {
    const struct find_coordinator_request *body = request->body;
    struct find_coordinator_response *response = request_response(request);
    int32_t count = body->coordinator_keys_count < KEYS_MAX ? body->coordinator_keys_count : 0;
    response->coordinators =
        arena_array(&request->arena, struct find_coordinator_response_coordinator, (size_t)count);
    response->coordinators_count = count;
    for (int32_t i = 0; i < count; i++)
        response->coordinators[i] = (struct find_coordinator_response_coordinator){
            .key = body->coordinator_keys[i],
            .node_id = finding->node_id,
            .host = finding->host,
            .port = finding->port,
            .error_code = (int16_t)finding->code,
            .error_message = bytes_of_text(finding->message),
        };
    request_answer(request, response);
}

static void answer(struct finding *finding) {
    struct request *request = finding->request;
    if (finding->code == ERROR_NONE) {
        finding->node_id = request->core->server->directory.node_id;
        request_endpoint(request, &finding->host, &finding->port);
    }
    if (request->version < 4)
        answer_one(request, finding);
    else
        answer_each(request, finding);
}

static void on_topic(struct groups_topic_wish *wish) {
    struct finding *finding = container_of(wish, struct finding, wish);
    if (wish->code) {
        finding->code = ERROR_COORDINATOR_NOT_AVAILABLE;
        finding->message = "the topic that groups live in could not be created";
    }
    answer(finding);
}

static void start(struct request *request) {
    const struct find_coordinator_request *body = request->body;
    struct finding *finding = arena_new(&request->arena, struct finding);
    *finding =
        (struct finding){.request = request, .node_id = -1, .port = -1, .host = BYTES_OF("")};
    if (body->key_type == KEY_GROUP) {
        finding->wish.done = on_topic;
        finding->wish.change.arena = &request->arena;
        groups_topic_ask(&finding->wish, request->core);
        return;
    }
    if (body->key_type == KEY_TRANSACTION) {
        finding->code = ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        finding->message = "this broker does not serve transactions";
    } else if (body->key_type != KEY_SHARE) {
        finding->code = ERROR_INVALID_REQUEST;
        finding->message = "the type of the key is not known";
    }
    answer(finding);
}

const struct handler find_coordinator_handler = {.key = API_FIND_COORDINATOR, .start = start};
