#include "protocol/api.h"

#include "protocol/alter_configs.h"
#include "protocol/alter_partition_reassignments.h"
#include "protocol/api_versions.h"
#include "protocol/consumer_group_describe.h"
#include "protocol/consumer_group_heartbeat.h"
#include "protocol/create_partitions.h"
#include "protocol/create_topics.h"
#include "protocol/delete_groups.h"
#include "protocol/delete_records.h"
#include "protocol/delete_topics.h"
#include "protocol/describe_client_quotas.h"
#include "protocol/describe_cluster.h"
#include "protocol/describe_configs.h"
#include "protocol/describe_groups.h"
#include "protocol/describe_log_dirs.h"
#include "protocol/describe_producers.h"
#include "protocol/describe_quorum.h"
#include "protocol/describe_topic_partitions.h"
#include "protocol/elect_leaders.h"
#include "protocol/fetch.h"
#include "protocol/find_coordinator.h"
#include "protocol/header.h"
#include "protocol/heartbeat.h"
#include "protocol/incremental_alter_configs.h"
#include "protocol/init_producer_id.h"
#include "protocol/join_group.h"
#include "protocol/leave_group.h"
#include "protocol/list_config_resources.h"
#include "protocol/list_groups.h"
#include "protocol/list_offsets.h"
#include "protocol/list_partition_reassignments.h"
#include "protocol/metadata.h"
#include "protocol/offset_commit.h"
#include "protocol/offset_delete.h"
#include "protocol/offset_fetch.h"
#include "protocol/offset_for_leader_epoch.h"
#include "protocol/produce.h"
#include "protocol/sync_group.h"

#include "base/memory.h"

#define MESSAGES(x) &x##_request_message, &x##_response_message

const struct api api_table[] = {
    {API_PRODUCE, "Produce", 0, 13, MESSAGES(produce)},
    {API_FETCH, "Fetch", 4, 17, MESSAGES(fetch)},
    {API_LIST_OFFSETS, "ListOffsets", 1, 11, MESSAGES(list_offsets)},
    {API_METADATA, "Metadata", 0, 13, MESSAGES(metadata)},
    {API_OFFSET_COMMIT, "OffsetCommit", 2, 10, MESSAGES(offset_commit)},
    {API_OFFSET_FETCH, "OffsetFetch", 1, 10, MESSAGES(offset_fetch)},
    {API_FIND_COORDINATOR, "FindCoordinator", 0, 6, MESSAGES(find_coordinator)},
    {API_JOIN_GROUP, "JoinGroup", 0, 9, MESSAGES(join_group)},
    {API_HEARTBEAT, "Heartbeat", 0, 4, MESSAGES(heartbeat)},
    {API_LEAVE_GROUP, "LeaveGroup", 0, 5, MESSAGES(leave_group)},
    {API_SYNC_GROUP, "SyncGroup", 0, 5, MESSAGES(sync_group)},
    {API_DESCRIBE_GROUPS, "DescribeGroups", 0, 6, MESSAGES(describe_groups)},
    {API_LIST_GROUPS, "ListGroups", 0, 5, MESSAGES(list_groups)},
    {API_API_VERSIONS, "ApiVersions", 0, 4, MESSAGES(api_versions)},
    {API_CREATE_TOPICS, "CreateTopics", 2, 7, MESSAGES(create_topics)},
    {API_DELETE_TOPICS, "DeleteTopics", 1, 6, MESSAGES(delete_topics)},
    {API_DELETE_RECORDS, "DeleteRecords", 0, 2, MESSAGES(delete_records)},
    {API_INIT_PRODUCER_ID, "InitProducerId", 0, 5, MESSAGES(init_producer_id)},
    {API_OFFSET_FOR_LEADER_EPOCH, "OffsetForLeaderEpoch", 2, 4, MESSAGES(offset_for_leader_epoch)},
    {API_DESCRIBE_CONFIGS, "DescribeConfigs", 1, 4, MESSAGES(describe_configs)},
    {API_ALTER_CONFIGS, "AlterConfigs", 0, 2, MESSAGES(alter_configs)},
    {API_DESCRIBE_LOG_DIRS, "DescribeLogDirs", 1, 5, MESSAGES(describe_log_dirs)},
    {API_CREATE_PARTITIONS, "CreatePartitions", 0, 3, MESSAGES(create_partitions)},
    {API_DELETE_GROUPS, "DeleteGroups", 0, 3, MESSAGES(delete_groups)},
    {API_ELECT_LEADERS, "ElectLeaders", 0, 2, MESSAGES(elect_leaders)},
    {API_INCREMENTAL_ALTER_CONFIGS, "IncrementalAlterConfigs", 0, 1,
     MESSAGES(incremental_alter_configs)},
    {API_ALTER_PARTITION_REASSIGNMENTS, "AlterPartitionReassignments", 0, 1,
     MESSAGES(alter_partition_reassignments)},
    {API_LIST_PARTITION_REASSIGNMENTS, "ListPartitionReassignments", 0, 0,
     MESSAGES(list_partition_reassignments)},
    {API_OFFSET_DELETE, "OffsetDelete", 0, 0, MESSAGES(offset_delete)},
    {API_DESCRIBE_CLIENT_QUOTAS, "DescribeClientQuotas", 0, 1, MESSAGES(describe_client_quotas)},
    {API_DESCRIBE_QUORUM, "DescribeQuorum", 0, 2, MESSAGES(describe_quorum)},
    {API_DESCRIBE_CLUSTER, "DescribeCluster", 0, 2, MESSAGES(describe_cluster)},
    {API_DESCRIBE_PRODUCERS, "DescribeProducers", 0, 0, MESSAGES(describe_producers)},
    {API_CONSUMER_GROUP_HEARTBEAT, "ConsumerGroupHeartbeat", 0, 1,
     MESSAGES(consumer_group_heartbeat)},
    {API_CONSUMER_GROUP_DESCRIBE, "ConsumerGroupDescribe", 0, 1, MESSAGES(consumer_group_describe)},
    {API_LIST_CONFIG_RESOURCES, "ListConfigResources", 0, 1, MESSAGES(list_config_resources)},
    {API_DESCRIBE_TOPIC_PARTITIONS, "DescribeTopicPartitions", 0, 0,
     MESSAGES(describe_topic_partitions)},
};
const int32_t api_count = array_count(api_table);

const struct api *api_find(int16_t key) {
    int32_t low = 0, high = api_count;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if ((int)api_table[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < api_count && (int)api_table[low].key == key ? &api_table[low] : NULL;
}

bool api_has_version(const struct api *api, int version) {
    return version >= api->min_version && version <= api->max_version &&
           version >= api->request->first_version && version <= api->request->last_version;
}

int api_request_header_version(const struct api *api, int version) {
    return message_is_flexible(api->request, version) ? 2 : 1;
}

int api_response_header_version(const struct api *api, int version) {
    return api->key != API_API_VERSIONS && message_is_flexible(api->response, version);
}

bool api_encode_response(const struct api *api, int version, int32_t correlation_id,
                         const void *response, struct arena *arena, struct wire_output *out) {
    struct response_header header = {.correlation_id = correlation_id};
    return wire_encode_frame(&response_header_message, api_response_header_version(api, version),
                             &header, api->response, version, response, arena, out);
}

bool api_encode_request(const struct api *api, int version, int32_t correlation_id,
                        struct bytes client_id, const void *request, struct arena *arena,
                        struct wire_output *out) {
    struct request_header header = {
        .request_api_key = (int16_t)api->key,
        .request_api_version = (int16_t)version,
        .correlation_id = correlation_id,
        .client_id = client_id,
    };
    return wire_encode_frame(&request_header_message, api_request_header_version(api, version),
                             &header, api->request, version, request, arena, out);
}

static void print_range(struct text *text, int first, int last) {
    text_printf(text, first == last ? " %d |" : " %d-%d |", first, last);
}

void api_print_markdown(struct text *text) {
    text_printf(text, "| key | API | versions | flexible from |\n|---|---|---|---|\n");
    for (int32_t i = 0; i < api_count; i++) {
        const struct api *api = &api_table[i];
        text_printf(text, "| %d | %s |", (int)api->key, api->name);
        print_range(text, api->min_version, api->max_version);
        if (api->request->flexible_version == INT8_MAX) {
            text_printf(text, " never |\n");
        } else {
            text_printf(text, " %d |\n", api->request->flexible_version);
        }
    }
}
