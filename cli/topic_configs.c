#include "cli/topic_configs.h"

enum { RESOURCE_TOPIC = 2, DESCRIBE_CONFIGS_VERSION = 4 };

const struct describe_configs_response_describe_configs_result *topic_configs_read(
    struct cluster *cluster, const char *topic, const char *only, struct arena *arena,
    struct error *error) {
    struct bytes key = bytes_of_text(only);
    struct describe_configs_request request;
    struct describe_configs_response response;
    struct describe_configs_request_describe_configs_resource resource = {
        RESOURCE_TOPIC, bytes_of_text(topic), only ? 1 : -1, &key};
    message_defaults(&describe_configs_request_message, &request);
    request.resources_count = 1;
    request.resources = &resource;
    if (!cluster_call(cluster, CLUSTER_ANY, API_DESCRIBE_CONFIGS, DESCRIBE_CONFIGS_VERSION,
                      &request, arena, &response, error))
        return NULL;
    if (response.results_count != 1) {
        error_set(error, 0, "the broker's answer leaves out topic %s", topic);
        return NULL;
    }
    if (!response.results[0].error_code) return &response.results[0];
    cluster_refused(error, response.results[0].error_code, response.results[0].error_message,
                    "cannot read the configs of topic %s", topic);
    return NULL;
}
