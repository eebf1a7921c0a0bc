#include "base/memory.h"
#include "broker/handlers/handlers.h"

static const struct handler *const handlers[] = {
    &produce_handler,
    &fetch_handler,
    &list_offsets_handler,
    &metadata_handler,
    &find_coordinator_handler,
    &api_versions_handler,
    &create_topics_handler,
    &delete_topics_handler,
    &delete_records_handler,
    &init_producer_id_handler,
    &offset_for_leader_epoch_handler,
    &describe_configs_handler,
    &alter_configs_handler,
    &describe_log_dirs_handler,
    &create_partitions_handler,
    &elect_leaders_handler,
    &incremental_alter_configs_handler,
    &alter_partition_reassignments_handler,
    &list_partition_reassignments_handler,
    &describe_client_quotas_handler,
    &describe_quorum_handler,
    &describe_cluster_handler,
    &describe_producers_handler,
    &list_config_resources_handler,
    &describe_topic_partitions_handler,
    &join_group_handler,
    &sync_group_handler,
    &heartbeat_handler,
    &leave_group_handler,
    &offset_commit_handler,
    &offset_fetch_handler,
    &offset_delete_handler,
    &describe_groups_handler,
    &list_groups_handler,
    &delete_groups_handler,
    &consumer_group_heartbeat_handler,
    &consumer_group_describe_handler,
};

const struct handler *handler_find(int16_t key) {
    for (size_t i = 0; i < array_count(handlers); i++)
        if ((int)handlers[i]->key == key) return handlers[i];
    return NULL;
}
