/* ElectLeaders (KIP-460): every partition has its only leader already. */
#include "protocol/elect_leaders.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

static void elect_topic(struct request *request,
                        const struct elect_leaders_request_topic_partitions *asked,
                        struct elect_leaders_response_replica_election_result *to) {
    const struct catalog_topic *topic = catalog_find_topic(&request->core->catalog, asked->topic);
    to->topic = asked->topic;
    to->partition_result_count = asked->partitions_count;
    to->partition_result =
        arena_array(&request->arena, struct elect_leaders_response_partition_result,
                    (size_t)asked->partitions_count);
    for (int32_t i = 0; i < asked->partitions_count; i++) {
        enum error_code code = admin_partition(topic, asked->partitions[i])
                                   ? ERROR_ELECTION_NOT_NEEDED
                                   : ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        to->partition_result[i] = (struct elect_leaders_response_partition_result){
            asked->partitions[i], (int16_t)code, bytes_of_text(error_code_message((int16_t)code))};
    }
}

/* Null asks for all partitions; Kafka then names only those whose leader changed: none. */
static void start(struct request *request) {
    const struct elect_leaders_request *body = request->body;
    struct elect_leaders_response *response = request_response(request);
    if (!admin_count_is_good(request, body->topic_partitions_count)) return;
    int32_t count = body->topic_partitions_count > 0 ? body->topic_partitions_count : 0;
    response->replica_election_results = arena_array(
        &request->arena, struct elect_leaders_response_replica_election_result, (size_t)count);
    response->replica_election_results_count = count;
    for (int32_t i = 0; i < count; i++)
        elect_topic(request, body->topic_partitions + i, response->replica_election_results + i);
    request_answer(request, response);
}

const struct handler elect_leaders_handler = {.key = API_ELECT_LEADERS, .start = start};
