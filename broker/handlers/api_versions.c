/* ApiVersions: what is served, and the features that clients decide by (KIP-35, KIP-511, KIP-584).
 *
 * A finalized feature is a promise: share.version and transaction.version are not in the list
 * before share groups and the new transaction protocol are, and group.version not before KIP-848,
 * because clients switch to the new protocols on them. metadata.version is that of Kafka 4.0. */
#include "protocol/api_versions.h"

#include "broker/connection.h"
#include "broker/handlers/handlers.h"

enum { METADATA_VERSION_MIN = 7, METADATA_VERSION = 25, FEATURES_EPOCH = 1 };

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

static void add_features(struct request *request, struct api_versions_response *response) {
    struct bytes name = BYTES_OF("metadata.version");
    response->supported_features =
        arena_new(&request->arena, struct api_versions_response_supported_feature_key);
    *response->supported_features = (struct api_versions_response_supported_feature_key){
        .name = name, .min_version = METADATA_VERSION_MIN, .max_version = METADATA_VERSION};
    response->supported_features_count = 1;
    response->finalized_features =
        arena_new(&request->arena, struct api_versions_response_finalized_feature_key);
    *response->finalized_features = (struct api_versions_response_finalized_feature_key){
        .name = name, .max_version_level = METADATA_VERSION, .min_version_level = METADATA_VERSION};
    response->finalized_features_count = 1;
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
