/* The handlers: one file per API family, `X_handler` in each. A new one gets a line here and a row
 * in table.c; ApiVersions advertises exactly what the table has. */
#pragma once

#include "broker/request.h"

extern const struct handler produce_handler;
extern const struct handler fetch_handler;
extern const struct handler list_offsets_handler;
extern const struct handler metadata_handler;
extern const struct handler find_coordinator_handler;
extern const struct handler api_versions_handler;
extern const struct handler create_topics_handler;
extern const struct handler delete_topics_handler;
extern const struct handler delete_records_handler;
extern const struct handler init_producer_id_handler;
extern const struct handler offset_for_leader_epoch_handler;
extern const struct handler describe_configs_handler;
extern const struct handler alter_configs_handler;
extern const struct handler describe_log_dirs_handler;
extern const struct handler create_partitions_handler;
extern const struct handler elect_leaders_handler;
extern const struct handler incremental_alter_configs_handler;
extern const struct handler alter_partition_reassignments_handler;
extern const struct handler list_partition_reassignments_handler;
extern const struct handler describe_client_quotas_handler;
extern const struct handler describe_quorum_handler;
extern const struct handler describe_cluster_handler;
extern const struct handler describe_producers_handler;
extern const struct handler list_config_resources_handler;
extern const struct handler describe_topic_partitions_handler;
extern const struct handler join_group_handler;
extern const struct handler sync_group_handler;
extern const struct handler heartbeat_handler;
extern const struct handler leave_group_handler;
extern const struct handler offset_commit_handler;
extern const struct handler offset_fetch_handler;
extern const struct handler offset_delete_handler;
extern const struct handler describe_groups_handler;
extern const struct handler list_groups_handler;
extern const struct handler delete_groups_handler;
extern const struct handler consumer_group_heartbeat_handler;
extern const struct handler consumer_group_describe_handler;
