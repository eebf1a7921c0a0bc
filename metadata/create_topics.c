/* CreateTopics (KIP-4, KIP-464, KIP-525) and creation by mention. */
#include "metadata/change.h"
#include "metadata/tally.h"

#define NOTHING_WRONG ((struct change_result){0})

static struct change_result check_name(struct change *change, struct bytes name) {
    struct error error;
    if (!catalog_name_is_valid(name, &error))
        return change_refuse(change, ERROR_INVALID_TOPIC_EXCEPTION, "%s", error.text);
    if (catalog_find_topic(change->catalog, name))
        return change_refuse(change, ERROR_TOPIC_ALREADY_EXISTS, "Topic '%.*s' already exists.",
                             BYTES_FORMAT(name));
    if (catalog_name_is_ours(change->catalog, name))
        return change_refuse(change, ERROR_INVALID_TOPIC_EXCEPTION,
                             "The name '%.*s' is reserved for the broker itself.",
                             BYTES_FORMAT(name));
    const struct catalog_topic *other = catalog_find_collision(change->catalog, name);
    if (other)
        return change_refuse(change, ERROR_INVALID_TOPIC_EXCEPTION,
                             "Topic '%.*s' collides with existing topic: %s", BYTES_FORMAT(name),
                             other->name);
    return NOTHING_WRONG;
}

static struct change_result check_topic_count(struct change *change) {
    int64_t most = change->catalog->options->topics_max;
    if (change->topic_count < most) return NOTHING_WRONG;
    return change_refuse(change, ERROR_POLICY_VIOLATION,
                         "The broker has %u topics and may have %lld (option topics-max).",
                         change->topic_count, (long long)most);
}

/* --- counts --- */

static struct change_result take_partition_count(struct change *change,
                                                 const struct topic_wish *wish,
                                                 struct topic_outcome *outcome) {
    if (wish->partition_count < -1 || wish->partition_count == 0)
        return change_refuse(change, ERROR_INVALID_PARTITIONS,
                             "Number of partitions was set to an invalid non-positive value.");
    outcome->partition_count = wish->partition_count > 0
                                   ? wish->partition_count
                                   : (int32_t)change->catalog->options->num_partitions;
    return NOTHING_WRONG;
}

static struct change_result take_replication_factor(struct change *change,
                                                    const struct topic_wish *wish,
                                                    struct topic_outcome *outcome) {
    const struct options *options = change->catalog->options;
    int32_t asked = wish->replication_factor;
    if (asked < -1 || asked == 0)
        return change_refuse(change, ERROR_INVALID_REPLICATION_FACTOR,
                             "Replication factor was set to an invalid non-positive value.");
    if (asked == -1) asked = (int32_t)options->default_replication_factor;
    if (asked > 1 && options->replication_above_one == OPTION_REPLICATION_REFUSE)
        return change_refuse(change, ERROR_INVALID_REPLICATION_FACTOR,
                             "Unable to replicate the partition %d time(s): The target replication "
                             "factor of %d cannot be reached because only 1 broker(s) are "
                             "registered.",
                             asked, asked);
    outcome->replication_factor = 1;
    outcome->replication_factor_asked = asked;
    return NOTHING_WRONG;
}

static struct change_result check_index(struct change *change, const struct topic_wish *wish,
                                        uint8_t *seen, int32_t index) {
    if (index >= 0 && index < wish->assignment_count && seen[index]++)
        return change_refuse(change, ERROR_INVALID_REPLICA_ASSIGNMENT,
                             "Found multiple manual partition assignments for partition %d", index);
    if (index < 0 || index >= wish->assignment_count)
        return change_refuse(change, ERROR_INVALID_REPLICA_ASSIGNMENT,
                             "partitions should be a consecutive 0-based integer sequence");
    return NOTHING_WRONG;
}

static struct change_result take_assignments(struct change *change, const struct topic_wish *wish,
                                             struct topic_outcome *outcome) {
    if (wish->replication_factor != -1)
        return change_refuse(change, ERROR_INVALID_REQUEST,
                             "A manual partition assignment was specified, but replication factor "
                             "was not set to -1.");
    if (wish->partition_count != -1)
        return change_refuse(change, ERROR_INVALID_REQUEST,
                             "A manual partition assignment was specified, but numPartitions was "
                             "not set to -1.");
    uint8_t *seen = arena_array(change->arena, uint8_t, (size_t)wish->assignment_count);
    for (int32_t i = 0; i < wish->assignment_count; i++) {
        const struct partition_assignment *assignment = wish->assignments + i;
        struct change_result result = check_index(change, wish, seen, assignment->index);
        if (!result.code) result = change_check_assignment(change, assignment);
        if (result.code) return result;
    }
    outcome->partition_count = wish->assignment_count;
    outcome->replication_factor = outcome->replication_factor_asked = 1;
    return NOTHING_WRONG;
}

static struct change_result take_counts(struct change *change, const struct topic_wish *wish,
                                        struct topic_outcome *outcome) {
    if (wish->assignment_count > 0) return take_assignments(change, wish, outcome);
    struct change_result result = take_partition_count(change, wish, outcome);
    return result.code ? result : take_replication_factor(change, wish, outcome);
}

/* --- a topic --- */

static void add_records(struct change *change, struct topic_outcome *outcome) {
    struct change_records *records = change->records;
    uuid_make(&outcome->id);
    change_records_topic(records, &outcome->id, arena_text(change->arena, outcome->name), false);
    for (int32_t i = 0; i < outcome->configs.count; i++)
        change_records_topic_config(records, &outcome->id, outcome->configs.items[i].name,
                                    outcome->configs.items[i].value);
    change_add_partitions(change, &outcome->id, 0, outcome->partition_count);
}

static struct change_result take_binding(struct change *change, const struct topic_wish *wish,
                                         struct topic_outcome *outcome) {
    const struct topic_binding *binding = change_find_binding(change, wish->name);
    if (!binding) return NOTHING_WRONG;
    return change_edit_topic_configs(change, wish->name, &outcome->configs, binding->edits,
                                     binding->edit_count);
}

static struct change_result create(struct change *change, const struct topic_wish *wish,
                                   struct topic_outcome *outcome) {
    struct change_result result = check_name(change, wish->name);
    if (!result.code) result = take_counts(change, wish, outcome);
    if (!result.code) result = take_binding(change, wish, outcome);
    if (!result.code)
        result = change_edit_topic_configs(change, wish->name, &outcome->configs, wish->configs,
                                           wish->config_count);
    if (!result.code) result = check_topic_count(change);
    if (!result.code) result = change_may_add_partitions(change, outcome->partition_count);
    if (result.code) return result;
    if (!change->validate_only) add_records(change, outcome);
    change->topic_count++;
    return result;
}

/* Two new topics of one request may collide with each other as well: the later one is refused. */
static struct change_result check_new_names(struct change *change, struct tally *metrics,
                                            struct bytes name) {
    struct bytes metric = arena_copy(change->arena, name);
    for (size_t i = 0; i < metric.len; i++)
        if (metric.at[i] == '.') ((uint8_t *)(uintptr_t)metric.at)[i] = '_';
    if ((*tally_of(metrics, metric))++ == 0) return NOTHING_WRONG;
    return change_refuse(change, ERROR_INVALID_TOPIC_EXCEPTION,
                         "Topic '%.*s' collides with another topic of this request",
                         BYTES_FORMAT(name));
}

/* Created the first time, refused where the name comes again. */
static struct topic_outcome create_or_refuse(struct change *change, const struct topic_wish *wish,
                                             int32_t times, struct tally *metrics) {
    struct topic_outcome outcome = {
        .name = wish->name, .partition_count = -1, .replication_factor = -1};
    if (times > 1)
        outcome.result = change_refuse(change, ERROR_INVALID_REQUEST, "Duplicate topic name.");
    else
        outcome.result = check_new_names(change, metrics, wish->name);
    if (!outcome.result.code) outcome.result = create(change, wish, &outcome);
    return outcome;
}

int32_t change_create_topics(struct change *change, const struct topic_wish *wishes, int32_t count,
                             struct topic_outcome *outcomes) {
    struct tally names, metrics;
    tally_init(&names, change->arena);
    tally_init(&metrics, change->arena);
    int32_t made = 0;
    for (int32_t i = 0; i < count; i++) (*tally_of(&names, wishes[i].name))++;
    for (int32_t i = 0; i < count; i++) {
        int32_t *times = tally_of(&names, wishes[i].name);
        if (*times < 0) continue; /* answered before */
        outcomes[made++] = create_or_refuse(change, wishes + i, *times, &metrics);
        *times = -1;
    }
    tally_deinit(&names);
    tally_deinit(&metrics);
    return made;
}

/* --- by mention --- */

static struct change_result auto_create(struct change *change, struct bytes name) {
    struct topic_wish wish = {.name = name, .partition_count = -1, .replication_factor = -1};
    struct topic_outcome outcome = {.name = name};
    struct change_result result = create(change, &wish, &outcome);
    if (result.code == ERROR_TOPIC_ALREADY_EXISTS) return NOTHING_WRONG;
    if (catalog_name_is_ours(change->catalog, name)) result.code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    return result;
}

void change_auto_create(struct change *change, const struct bytes *names, int32_t count,
                        struct change_result *results) {
    struct tally firsts;
    tally_init(&firsts, change->arena);
    for (int32_t i = 0; i < count; i++) {
        int32_t *first = tally_of(&firsts, names[i]);
        if (*first == 0) {
            *first = i + 1;
            results[i] = auto_create(change, names[i]);
        } else {
            results[i] = results[*first - 1];
        }
    }
    tally_deinit(&firsts);
}
