/* DescribeClientQuotas: there are none yet. */
#include "protocol/describe_client_quotas.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

/* Kafka's entities; what else is asked for cannot be. */
static bool is_entity(struct bytes type) {
    return bytes_equal_text(type, "user") || bytes_equal_text(type, "client-id") ||
           bytes_equal_text(type, "ip");
}

static void start(struct request *request) {
    const struct describe_client_quotas_request *body = request->body;
    struct describe_client_quotas_response *response = request_response(request);
    for (int32_t i = 0; i < body->components_count; i++) {
        if (is_entity(body->components[i].entity_type)) continue;
        response->error_code = ERROR_INVALID_REQUEST;
        response->error_message =
            bytes_of_text(arena_format(&request->arena, "Custom entity type '%.*s' not supported",
                                       BYTES_FORMAT(body->components[i].entity_type)));
    }
    if (response->error_code) response->entries_count = -1;
    request_answer(request, response);
}

const struct handler describe_client_quotas_handler = {.key = API_DESCRIBE_CLIENT_QUOTAS,
                                                       .start = start};
