#include "consumer-groups/consumer_group.h"

static const struct options *options_of(const struct consumer_group *group) {
    return group->group->groups->catalog->options;
}

int64_t consumer_session_ms(const struct consumer_group *group) {
    return options_of(group)->consumer_session_ms;
}

int64_t consumer_heartbeat_ms(const struct consumer_group *group) {
    return options_of(group)->consumer_heartbeat_ms;
}

int64_t consumer_assignment_interval_ms(const struct consumer_group *group) {
    return options_of(group)->consumer_assignment_interval_ms;
}
