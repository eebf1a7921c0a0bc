/* ListPartitionReassignments and AlterPartitionReassignments (KIP-455): with one broker there is
 * nowhere to move to. Moving a partition to where it is succeeds, as it does in Kafka. */
#include "protocol/alter_partition_reassignments.h"
#include "protocol/list_partition_reassignments.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

static void list_start(struct request *request) {
    request_answer(request, request_response(request));
}

const struct handler list_partition_reassignments_handler = {
    .key = API_LIST_PARTITION_REASSIGNMENTS, .start = list_start};

/* Whether the replicas, as one asked for them, are what there is: this broker alone. */
static struct change_result check_replicas(
    struct request *request,
    const struct alter_partition_reassignments_request_reassignable_partition *asked) {
    for (int32_t i = 0; i < asked->replicas_count; i++)
        if (asked->replicas[i] != admin_node_id(request))
            return (struct change_result){
                ERROR_INVALID_REPLICA_ASSIGNMENT,
                arena_format(&request->arena,
                             "The manual partition assignment includes broker %d, but no such "
                             "broker is registered.",
                             asked->replicas[i])};
    if (asked->replicas_count == 0)
        return (struct change_result){
            ERROR_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes an empty replica list."};
    if (asked->replicas_count > 1)
        return (struct change_result){
            ERROR_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes the broker more than once."};
    return (struct change_result){0};
}

static struct change_result alter(
    struct request *request, const struct catalog_topic *topic,
    const struct alter_partition_reassignments_request_reassignable_partition *asked) {
    if (!admin_partition(topic, asked->partition_index))
        return (struct change_result){ERROR_UNKNOWN_TOPIC_OR_PARTITION,
                                      "This server does not host this topic-partition."};
    if (asked->replicas_count < 0) /* null: cancel */
        return (struct change_result){ERROR_NO_REASSIGNMENT_IN_PROGRESS,
                                      error_code_message(ERROR_NO_REASSIGNMENT_IN_PROGRESS)};
    return check_replicas(request, asked);
}

static void alter_topic(
    struct request *request,
    const struct alter_partition_reassignments_request_reassignable_topic *asked,
    struct alter_partition_reassignments_response_reassignable_topic_response *to) {
    const struct catalog_topic *topic = catalog_find_topic(&request->core->catalog, asked->name);
    to->name = asked->name;
    to->partitions_count = asked->partitions_count;
    to->partitions =
        arena_array(&request->arena,
                    struct alter_partition_reassignments_response_reassignable_partition_response,
                    (size_t)asked->partitions_count);
    for (int32_t i = 0; i < asked->partitions_count; i++) {
        struct change_result result = alter(request, topic, asked->partitions + i);
        to->partitions[i].partition_index = asked->partitions[i].partition_index;
        ADMIN_SET_RESULT(to->partitions + i, result);
    }
}

static void alter_start(struct request *request) {
    const struct alter_partition_reassignments_request *body = request->body;
    struct alter_partition_reassignments_response *response = request_response(request);
    if (!admin_count_is_good(request, body->topics_count)) return;
    response->allow_replication_factor_change = body->allow_replication_factor_change;
    response->responses = arena_array(
        &request->arena, struct alter_partition_reassignments_response_reassignable_topic_response,
        (size_t)body->topics_count);
    response->responses_count = body->topics_count;
    for (int32_t i = 0; i < body->topics_count; i++)
        alter_topic(request, body->topics + i, response->responses + i);
    request_answer(request, response);
}

const struct handler alter_partition_reassignments_handler = {
    .key = API_ALTER_PARTITION_REASSIGNMENTS, .start = alter_start};
