#include "metadata/change.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

void change_init(struct change *change, struct arena *arena, const struct catalog *catalog,
                 int32_t node_id, uint32_t shard_count, struct change_records *records) {
    check(shard_count > 0 && shard_count <= SHARD_COUNT_MAX);
    *change = (struct change){.arena = arena,
                              .catalog = catalog,
                              .node_id = node_id,
                              .shard_count = shard_count,
                              .records = records,
                              .partition_id_next = catalog->partition_id_next,
                              .partition_count = catalog->partition_count,
                              .topic_count = (uint32_t)catalog->topics_by_name.count};
}

struct change_result change_refuse(struct change *change, enum error_code code, const char *format,
                                   ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return (struct change_result){code, arena_text(change->arena, bytes_of_text(text))};
}

/* --- partitions --- */

struct change_result change_may_add_partitions(struct change *change, int32_t count) {
    const struct options *options = change->catalog->options;
    if (count > CHANGE_PARTITIONS_MAX - change->partitions_added)
        return change_refuse(change, ERROR_POLICY_VIOLATION,
                             "Excessively large number of partitions per request: at most %d.",
                             CHANGE_PARTITIONS_MAX);
    if (change->partition_count + (int64_t)count > options->partitions_max)
        return change_refuse(change, ERROR_POLICY_VIOLATION,
                             "The broker has %u partitions and may have %lld (option "
                             "partitions-max).",
                             change->partition_count, (long long)options->partitions_max);
    return (struct change_result){0};
}

static struct change_result check_broker(struct change *change,
                                         const struct partition_assignment *assignment, int32_t i) {
    if (assignment->brokers[i] != change->node_id)
        return change_refuse(change, ERROR_INVALID_REPLICA_ASSIGNMENT,
                             "The manual partition assignment includes broker %d, but no such "
                             "broker is registered.",
                             assignment->brokers[i]);
    if (i > 0)
        return change_refuse(change, ERROR_INVALID_REPLICA_ASSIGNMENT,
                             "The manual partition assignment includes the broker %d more than "
                             "once.",
                             assignment->brokers[i]);
    return (struct change_result){0};
}

struct change_result change_check_assignment(struct change *change,
                                             const struct partition_assignment *assignment) {
    if (assignment->broker_count <= 0)
        return change_refuse(change, ERROR_INVALID_REPLICA_ASSIGNMENT,
                             "The manual partition assignment includes an empty replica list.");
    for (int32_t i = 0; i < assignment->broker_count; i++) {
        struct change_result result = check_broker(change, assignment, i);
        if (result.code) return result;
    }
    return (struct change_result){0};
}

/* The shard with the fewest partitions; the lowest of several. */
static uint16_t shard_choose(struct change *change) {
    if (!change->shard_partitions) {
        change->shard_partitions = arena_array(change->arena, uint32_t, SHARD_COUNT_MAX);
        memcpy(change->shard_partitions, change->catalog->shard_partitions,
               sizeof change->catalog->shard_partitions);
    }
    uint16_t best = 0;
    for (uint16_t shard = 1; shard < change->shard_count; shard++)
        if (change->shard_partitions[shard] < change->shard_partitions[best]) best = shard;
    change->shard_partitions[best]++;
    return best;
}

void change_add_partitions(struct change *change, const struct uuid *topic_id, int32_t from,
                           int32_t count) {
    for (int32_t i = 0; i < count; i++)
        change_records_partition(change->records, topic_id, from + i, change->partition_id_next++,
                                 shard_choose(change), 0);
    change->partition_count += (uint32_t)count;
    change->partitions_added += count;
}

/* --- producer ids --- */

void change_producer_ids(struct change *change, int64_t count, int64_t *first) {
    check(count > 0 && change->catalog->producer_id_next <= INT64_MAX - count);
    *first = change->catalog->producer_id_next;
    change_records_producer_ids(change->records, *first + count);
}
