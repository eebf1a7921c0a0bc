/* DescribeQuorum (KIP-595): the catalog's log is our metadata log, and this broker the only voter.
 * Its offsets are told in versions of the catalog, which rise with every change. */
#include "protocol/describe_quorum.h"

#include "broker/connection.h"
#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"
#include "broker/server.h"

static void describe_log(struct request *request,
                         struct describe_quorum_response_partition_data *to) {
    const struct core *core = request->core;
    int64_t now_ms = ring_wall_ms(core->ring);
    to->leader_id = core->server->directory.node_id;
    to->high_watermark = (int64_t)core->catalog.version;
    to->current_voters = arena_new(&request->arena, struct describe_quorum_response_replica_state);
    to->current_voters_count = 1;
    *to->current_voters = (struct describe_quorum_response_replica_state){
        .replica_id = to->leader_id,
        .replica_directory_id = core->server->directory.directory_id,
        .log_end_offset = to->high_watermark,
        .last_fetch_timestamp = now_ms,
        .last_caught_up_timestamp = now_ms,
    };
}

static void describe_topic(struct request *request,
                           const struct describe_quorum_request_topic_data *asked,
                           struct describe_quorum_response_topic_data *to) {
    bool is_metadata = bytes_equal_text(asked->topic_name, "__cluster_metadata");
    to->topic_name = asked->topic_name;
    to->partitions_count = asked->partitions_count;
    to->partitions = arena_array(&request->arena, struct describe_quorum_response_partition_data,
                                 (size_t)asked->partitions_count);
    for (int32_t i = 0; i < asked->partitions_count; i++) {
        to->partitions[i].partition_index = asked->partitions[i].partition_index;
        if (is_metadata && to->partitions[i].partition_index == 0)
            describe_log(request, to->partitions + i);
        else
            to->partitions[i].error_code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    }
}

static void describe_node(struct request *request, struct describe_quorum_response *response) {
    struct describe_quorum_response_listener *listener =
        arena_new(&request->arena, struct describe_quorum_response_listener);
    int32_t port;
    listener->name = bytes_of_text(request->connection->ticket->listener->name);
    request_endpoint(request, &listener->host, &port);
    listener->port = (uint16_t)port;
    response->nodes = arena_new(&request->arena, struct describe_quorum_response_node);
    response->nodes_count = 1;
    *response->nodes = (struct describe_quorum_response_node){
        request->core->server->directory.node_id, 1, listener};
}

static void start(struct request *request) {
    const struct describe_quorum_request *body = request->body;
    struct describe_quorum_response *response = request_response(request);
    if (!admin_count_is_good(request, body->topics_count)) return;
    response->topics = arena_array(&request->arena, struct describe_quorum_response_topic_data,
                                   (size_t)body->topics_count);
    response->topics_count = body->topics_count;
    for (int32_t i = 0; i < body->topics_count; i++)
        describe_topic(request, body->topics + i, response->topics + i);
    describe_node(request, response);
    request_answer(request, response);
}

const struct handler describe_quorum_handler = {.key = API_DESCRIBE_QUORUM, .start = start};
