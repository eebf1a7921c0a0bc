/* ApiVersions: what is served, and the features that clients decide by (KIP-35, KIP-511, KIP-584).
 *
 * A finalized feature is a promise: share.version and transaction.version are not in the list
 * before share groups and the new transaction protocol are, because clients switch to the new
 * protocols on them. group.version 1 is KIP-848. metadata.version is that of Kafka 4.0. */
#include "protocol/api_versions.h"

#include "broker/connection.h"
#include "broker/handlers/handlers.h"

enum {
    FEATURES = 2,
    FEATURES_EPOCH = 1,
    METADATA_VERSION_MIN = 7,
    METADATA_VERSION = 25,
    GROUP_VERSION = 1,
};

static bool is_name_char(uint8_t c, bool inside) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return plain || (inside && (c == '-' || c == '.'));
}

/* Kafka's rule for the client's name and version: [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool is_software_name(struct bytes name) {
    if (name.len == 0) return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_char(name.at[i], i > 0 && i + 1 < name.len)) return false;
    return true;
}

static void add_apis(struct request *request, struct api_versions_response *response) {
    response->api_keys =
        arena_array(&request->arena, struct api_versions_response_api_version, (size_t)api_count);
    for (int32_t i = 0; i < api_count; i++) {
        if (!handler_find((int16_t)api_table[i].key)) continue;
        response->api_keys[response->api_keys_count++] = (struct api_versions_response_api_version){
            .api_key = (int16_t)api_table[i].key,
            .min_version = api_table[i].min_version,
            .max_version = api_table[i].max_version,
        };
    }
}

static void add_feature(struct api_versions_response *response, struct bytes name, int16_t lowest,
                        int16_t highest) {
    response->supported_features[response->supported_features_count++] =
        (struct api_versions_response_supported_feature_key){
            .name = name, .min_version = lowest, .max_version = highest};
    response->finalized_features[response->finalized_features_count++] =
        (struct api_versions_response_finalized_feature_key){
            .name = name, .max_version_level = highest, .min_version_level = highest};
}

static void add_features(struct request *request, struct api_versions_response *response) {
    response->supported_features =
        arena_array(&request->arena, struct api_versions_response_supported_feature_key, FEATURES);
    response->finalized_features =
        arena_array(&request->arena, struct api_versions_response_finalized_feature_key, FEATURES);
    add_feature(response, BYTES_OF("group.version"), GROUP_VERSION, GROUP_VERSION);
    add_feature(response, BYTES_OF("metadata.version"), METADATA_VERSION_MIN, METADATA_VERSION);
    response->finalized_features_epoch = FEATURES_EPOCH;
}

static void start(struct request *request) {
    const struct api_versions_request *body = request->body;
    struct api_versions_response *response = request_response(request);
    if (request->version >= 3 && !(is_software_name(body->client_software_name) &&
                                   is_software_name(body->client_software_version))) {
        response->error_code = ERROR_INVALID_REQUEST;
        request_answer(request, response);
        return;
    }
    add_apis(request, response);
    add_features(request, response);
    request_answer(request, response);
}

const struct handler api_versions_handler = {.key = API_API_VERSIONS, .start = start};
