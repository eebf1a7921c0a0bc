/* The table of APIs: every row is one API key that is defined here, with the versions that are
 * advertised and those that can be decoded. Which of them a broker serves is its own table of
 * handlers; what it answers to ApiVersions are the rows that it serves.
 *
 * Produce alone advertises more than it decodes: older librdkafka drops its compression types when
 * it does not see version 0 (KAFKA-18659). InitProducerId and Fetch advertise less. */
#pragma once

#include "base/text.h"
#include "protocol/message.h"
#include "protocol/wire.h"

enum api_key {
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_LIST_OFFSETS = 2,
    API_METADATA = 3,
    API_OFFSET_COMMIT = 8,
    API_OFFSET_FETCH = 9,
    API_FIND_COORDINATOR = 10,
    API_JOIN_GROUP = 11,
    API_HEARTBEAT = 12,
    API_LEAVE_GROUP = 13,
    API_SYNC_GROUP = 14,
    API_DESCRIBE_GROUPS = 15,
    API_LIST_GROUPS = 16,
    API_API_VERSIONS = 18,
    API_CREATE_TOPICS = 19,
    API_DELETE_TOPICS = 20,
    API_DELETE_RECORDS = 21,
    API_INIT_PRODUCER_ID = 22,
    API_OFFSET_FOR_LEADER_EPOCH = 23,
    API_DESCRIBE_CONFIGS = 32,
    API_ALTER_CONFIGS = 33,
    API_DESCRIBE_LOG_DIRS = 35,
    API_CREATE_PARTITIONS = 37,
    API_DELETE_GROUPS = 42,
    API_ELECT_LEADERS = 43,
    API_INCREMENTAL_ALTER_CONFIGS = 44,
    API_ALTER_PARTITION_REASSIGNMENTS = 45,
    API_LIST_PARTITION_REASSIGNMENTS = 46,
    API_OFFSET_DELETE = 47,
    API_DESCRIBE_CLIENT_QUOTAS = 48,
    API_DESCRIBE_QUORUM = 55,
    API_DESCRIBE_CLUSTER = 60,
    API_DESCRIBE_PRODUCERS = 61,
    API_CONSUMER_GROUP_HEARTBEAT = 68,
    API_CONSUMER_GROUP_DESCRIBE = 69,
    API_LIST_CONFIG_RESOURCES = 74,
    API_DESCRIBE_TOPIC_PARTITIONS = 75,
};

struct api {
    enum api_key key;
    const char *name;                 /* as Kafka writes it: "ListOffsets" */
    int16_t min_version, max_version; /* advertised */
    const struct message *request, *response;
};

/* Rows by ascending key. */
extern const struct api api_table[];
extern const int32_t api_count;

/* NULL when the key is not known. */
const struct api *api_find(int16_t key);
/* Whether a request in this version can be decoded and is advertised. */
bool api_has_version(const struct api *api, int version);
/* 2 where the request is flexible, otherwise 1. */
int api_request_header_version(const struct api *api, int version);
/* 1 where the response is flexible, otherwise 0; always 0 for ApiVersions (KIP-511). */
int api_response_header_version(const struct api *api, int version);

/* Whole frames, as wire_encode_frame. */
bool api_encode_response(const struct api *api, int version, int32_t correlation_id,
                         const void *response, struct arena *arena, struct wire_output *out);
bool api_encode_request(const struct api *api, int version, int32_t correlation_id,
                        struct bytes client_id, const void *request, struct arena *arena,
                        struct wire_output *out);

/* The table for the manual, in Markdown. */
void api_print_markdown(struct text *text);
