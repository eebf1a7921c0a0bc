#include "consumer-groups/consumer_group.h"
#include "metadata/group_config.h"

int64_t consumer_session_ms(const struct consumer_group *group) {
    return group_config_value(group->group->groups->catalog, group->group->id,
                              GROUP_CONFIG_CONSUMER_SESSION_MS);
}

int64_t consumer_heartbeat_ms(const struct consumer_group *group) {
    return group_config_value(group->group->groups->catalog, group->group->id,
                              GROUP_CONFIG_CONSUMER_HEARTBEAT_MS);
}

int64_t consumer_assignment_interval_ms(const struct consumer_group *group) {
    return group_config_value(group->group->groups->catalog, group->group->id,
                              GROUP_CONFIG_CONSUMER_ASSIGNMENT_INTERVAL_MS);
}
