/* InitProducerId (KIP-98): a number that no other idempotent producer has. Ids are taken in blocks
 * from the catalog, so that none is given twice, whatever crashes. A producer that asks with the id
 * that it has gets a new one, with epoch 0: there is no transaction that would need the old one. */
#include "protocol/init_producer_id.h"

#include "broker/catalog_service.h"
#include "broker/core.h"
#include "broker/handlers/handlers.h"

struct wish {
    struct producer_id_wish wish;
    struct request *request;
};

static void answer(struct producer_id_wish *given) {
    struct request *request = container_of(given, struct wish, wish)->request;
    struct init_producer_id_response *response = request_response(request);
    response->error_code = (int16_t)given->code;
    response->producer_id = given->code ? -1 : given->producer_id;
    response->producer_epoch = given->code ? -1 : 0;
    request_answer(request, response);
}

static void start(struct request *request) {
    const struct init_producer_id_request *body = request->body;
    struct wish *wish = arena_new(&request->arena, struct wish);
    wish->request = request;
    wish->wish.done = answer;
    list_init(&wish->wish.link);
    if (!bytes_is_null(body->transactional_id)) {
        /* Final for clients, which say so (find_coordinator.c). */
        wish->wish.code = body->transactional_id.len > 0
                              ? ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                              : ERROR_INVALID_REQUEST;
        answer(&wish->wish);
    } else if (catalog_service_producer_id(request->core, &wish->wish)) {
        answer(&wish->wish);
    }
}

const struct handler init_producer_id_handler = {.key = API_INIT_PRODUCER_ID, .start = start};
