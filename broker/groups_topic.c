#include "broker/groups_topic.h"

#include "broker/core.h"
#include "broker/group_service.h"

/* As Kafka makes it (KIP-4's internal topics): segments small enough to go soon. */
static const struct config_edit configs[] = {
    {.name = BYTES_OF("cleanup.policy"), .value = BYTES_OF("compact")},
    {.name = BYTES_OF("compression.type"), .value = BYTES_OF("producer")},
    {.name = BYTES_OF("segment.bytes"), .value = BYTES_OF("104857600")},
};

static const struct catalog_topic *find(const struct core *core) {
    return catalog_find_topic(&core->catalog, bytes_of_text(GROUPS_TOPIC));
}

static void make(struct catalog_change *self, struct change *change) {
    struct groups_topic_wish *wish = container_of(self, struct groups_topic_wish, change);
    change_create_internal(change, bytes_of_text(GROUPS_TOPIC),
                           (int32_t)change->catalog->options->offsets_topic_partitions, configs,
                           array_count(configs), &wish->result);
}

static void done(struct catalog_change *self) {
    struct groups_topic_wish *wish = container_of(self, struct groups_topic_wish, change);
    wish->code = self->code ? self->code : wish->result.code;
    wish->done(wish);
}

void groups_topic_ask(struct groups_topic_wish *wish, struct core *asking) {
    wish->code = ERROR_NONE;
    if (find(asking)) {
        wish->done(wish);
        return;
    }
    wish->change.make = make;
    wish->change.done = done;
    catalog_service_change(&wish->change, asking);
}

int32_t groups_topic_partition_count(const struct core *core) {
    const struct catalog_topic *topic = find(core);
    return topic ? topic->partition_count : 0;
}

int32_t groups_topic_partition_of(const struct core *core, struct bytes group_id) {
    int32_t count = groups_topic_partition_count(core);
    return count > 0 ? groups_partition_of(group_id, count) : -1;
}
