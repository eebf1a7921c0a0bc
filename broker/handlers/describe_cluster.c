/* DescribeCluster (KIP-700): this broker, which is its own controller. */
#include "protocol/describe_cluster.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"
#include "broker/server.h"

enum endpoint_type { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

/* Kafka's controllers answer for themselves, on listeners of their own; here there are none. */
static bool endpoint_is_good(struct request *request, struct describe_cluster_response *response) {
    const struct describe_cluster_request *body = request->body;
    if (body->endpoint_type == ENDPOINT_BROKERS) return true;
    bool known = body->endpoint_type == ENDPOINT_CONTROLLERS;
    response->error_code = known ? ERROR_MISMATCHED_ENDPOINT_TYPE : ERROR_UNSUPPORTED_ENDPOINT_TYPE;
    response->error_message = bytes_of_text(arena_format(
        &request->arena,
        "The request was sent to an endpoint of type BROKER, but we wanted an endpoint "
        "of type %s",
        known ? "CONTROLLER" : "UNKNOWN"));
    return false;
}

static void start(struct request *request) {
    const struct describe_cluster_request *body = request->body;
    struct describe_cluster_response *response = request_response(request);
    struct server *server = request->core->server;
    response->endpoint_type = body->endpoint_type;
    if (endpoint_is_good(request, response)) {
        struct describe_cluster_response_describe_cluster_broker *broker =
            arena_new(&request->arena, struct describe_cluster_response_describe_cluster_broker);
        response->cluster_id = bytes_of_text(server->cluster_id);
        response->controller_id = server->directory.node_id;
        response->brokers = broker;
        response->brokers_count = 1;
        broker->broker_id = server->directory.node_id;
        request_endpoint(request, &broker->host, &broker->port);
        if (body->include_cluster_authorized_operations)
            response->cluster_authorized_operations = OPERATIONS_OF_CLUSTER;
    }
    request_answer(request, response);
}

const struct handler describe_cluster_handler = {.key = API_DESCRIBE_CLUSTER, .start = start};
