/* Rows for the handler table: the admin APIs. */
#pragma once

#include "broker/request.h"

extern const struct handler create_topics_handler;
extern const struct handler delete_topics_handler;
extern const struct handler create_partitions_handler;
extern const struct handler describe_configs_handler;
extern const struct handler alter_configs_handler;
extern const struct handler incremental_alter_configs_handler;
extern const struct handler list_config_resources_handler;
extern const struct handler describe_cluster_handler;
extern const struct handler describe_topic_partitions_handler;
extern const struct handler describe_log_dirs_handler;
extern const struct handler describe_producers_handler;
extern const struct handler describe_client_quotas_handler;
extern const struct handler describe_quorum_handler;
extern const struct handler list_partition_reassignments_handler;
extern const struct handler alter_partition_reassignments_handler;
extern const struct handler elect_leaders_handler;
