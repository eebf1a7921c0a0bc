/* CreatePartitions (KIP-195). */
#include "metadata/change.h"
#include "metadata/tally.h"

static struct change_result check_count(struct change *change, const struct catalog_topic *topic,
                                        int32_t count) {
    if (count == topic->partition_count)
        return change_refuse(change, ERROR_INVALID_PARTITIONS, "Topic already has %d partition(s).",
                             count);
    if (count < topic->partition_count)
        return change_refuse(change, ERROR_INVALID_PARTITIONS,
                             "The topic %s currently has %d partition(s); %d would not be an "
                             "increase.",
                             topic->name, topic->partition_count, count);
    return (struct change_result){0};
}

static struct change_result check_assignments(struct change *change,
                                              const struct partitions_wish *wish, int32_t more) {
    if (wish->assignment_count < 0) return (struct change_result){0};
    if (wish->assignment_count != more)
        return change_refuse(change, ERROR_INVALID_REPLICA_ASSIGNMENT,
                             "Attempted to add %d additional partition(s), but only %d "
                             "assignment(s) were specified.",
                             more, wish->assignment_count);
    for (int32_t i = 0; i < more; i++) {
        struct change_result result = change_check_assignment(change, wish->assignments + i);
        if (result.code) return result;
    }
    return (struct change_result){0};
}

static struct change_result grow(struct change *change, const struct partitions_wish *wish) {
    const struct catalog_topic *topic = catalog_find_topic(change->catalog, wish->name);
    if (!topic)
        return change_refuse(change, ERROR_UNKNOWN_TOPIC_OR_PARTITION,
                             "This server does not host this topic-partition.");
    if (catalog_topic_is_ours(change->catalog, topic))
        return change_refuse(change, ERROR_INVALID_TOPIC_EXCEPTION,
                             "The topic '%s' belongs to the broker itself.", topic->name);
    struct change_result result = check_count(change, topic, wish->count);
    if (result.code) return result;
    int32_t more = wish->count - topic->partition_count;
    result = check_assignments(change, wish, more);
    if (!result.code) result = change_may_add_partitions(change, more);
    if (!result.code && !change->validate_only)
        change_add_partitions(change, &topic->id, topic->partition_count, more);
    return result;
}

void change_create_partitions(struct change *change, const struct partitions_wish *wishes,
                              int32_t count, struct change_result *results) {
    struct tally names;
    tally_init(&names, change->arena);
    for (int32_t i = 0; i < count; i++) (*tally_of(&names, wishes[i].name))++;
    for (int32_t i = 0; i < count; i++)
        results[i] =
            *tally_of(&names, wishes[i].name) > 1
                ? change_refuse(change, ERROR_INVALID_REQUEST, "Duplicate topic in request.")
                : grow(change, wishes + i);
    tally_deinit(&names);
}
