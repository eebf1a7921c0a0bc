/* The records of a consumer group: what the log has of it (protocol/messages/
 * consumer_group_records.msg), written and replayed.
 *
 *   3 ConsumerGroupMetadata          epoch, hash of the topics' metadata
 *   4 ConsumerGroupPartitionMetadata older brokers' way of the hash; read over
 *   5 ConsumerGroupMemberMetadata    what the member says about itself
 *   6 ConsumerGroupTargetAssignmentMetadata
 *   7 ConsumerGroupTargetAssignmentMember
 *   8 ConsumerGroupCurrentMemberAssignment
 *  16 ConsumerGroupRegularExpression
 *
 * Compaction keeps the newest record of each key, so they may come in any order: a member is made
 * by whichever comes first, and one of which nothing says what it subscribes to is dropped when the
 * log has ended. */

#include "consumer-groups/consumer_group.h"
#include "protocol/consumer_group_records.h"

typedef struct consumer_group_target_assignment_member_value_topic_partition target_run;
typedef struct consumer_group_current_member_assignment_value_topic_partitions current_run;

/* --- writing --- */

static void write_record(struct consumer_group *group, const struct message *key_message,
                         const void *key, const struct message *value_message, const void *value) {
    coordinator_write(consumer_coordinator(group), key_message, key, value_message, 0, value);
    group_wrote(group->group);
}

static void erase_record(struct consumer_group *group, const struct message *key_message,
                         const void *key) {
    coordinator_erase(consumer_coordinator(group), key_message, key);
    group_wrote(group->group);
}

void consumer_write_epoch(struct consumer_group *group) {
    struct consumer_group_metadata_key key = {group->group->id};
    struct consumer_group_metadata_value value = {group->epoch, group->metadata_hash};
    write_record(group, &consumer_group_metadata_key_message, &key,
                 &consumer_group_metadata_value_message, &value);
    group->recorded = true;
}

void consumer_write_target_epoch(struct consumer_group *group) {
    struct consumer_group_target_assignment_metadata_key key = {group->group->id};
    struct consumer_group_target_assignment_metadata_value value = {group->target_epoch,
                                                                    group->assigned_ms};
    write_record(group, &consumer_group_target_assignment_metadata_key_message, &key,
                 &consumer_group_target_assignment_metadata_value_message, &value);
}

void consumer_write_pattern(struct consumer_pattern *pattern) {
    struct consumer_group_regular_expression_key key = {pattern->group->group->id, pattern->text};
    struct consumer_group_regular_expression_value value = {
        .topics_count = pattern->topics.count,
        .topics = memory_zero((size_t)pattern->topics.count + 1, sizeof *value.topics),
        .version = pattern->version,
        .timestamp = pattern->resolved_ms};
    for (int32_t i = 0; i < value.topics_count; i++)
        value.topics[i] = pattern->topics.items[i]->name;
    write_record(pattern->group, &consumer_group_regular_expression_key_message, &key,
                 &consumer_group_regular_expression_value_message, &value);
    free(value.topics);
    pattern->resolved = true;
}

void consumer_write_member(struct consumer_member *member) {
    const struct consumer_subscription *subscription = member->subscription;
    struct consumer_group_member_metadata_key key = {member->group->group->id, member->id};
    struct consumer_group_member_metadata_value value = {
        .instance_id = member->instance_id,
        .rack_id = member->rack_id,
        .client_id = member->client_id,
        .client_host = member->client_host,
        .subscribed_topic_names_count = subscription->topics.count,
        .subscribed_topic_names =
            memory_zero((size_t)subscription->topics.count + 1, sizeof(struct bytes)),
        .subscribed_topic_regex = subscription->pattern ? subscription->pattern->text : BYTES_NULL,
        .rebalance_timeout_ms = member->rebalance_ms,
        .server_assignor = member->assignor,
    };
    for (int32_t i = 0; i < subscription->topics.count; i++)
        value.subscribed_topic_names[i] = subscription->topics.items[i]->name;
    write_record(member->group, &consumer_group_member_metadata_key_message, &key,
                 &consumer_group_member_metadata_value_message, &value);
    free(value.subscribed_topic_names);
}

void consumer_write_target(struct consumer_member *member) {
    struct arena arena;
    struct consumer_group_target_assignment_member_key key = {member->group->group->id, member->id};
    struct consumer_group_target_assignment_member_value value = {0};
    arena_init(&arena, SIZE_MAX);
    const struct consumer_run *runs =
        consumer_partitions_to_runs(&member->target, &arena, &value.topic_partitions_count);
    value.topic_partitions = arena_array(&arena, target_run, (size_t)value.topic_partitions_count);
    for (int32_t i = 0; i < value.topic_partitions_count; i++)
        value.topic_partitions[i] = (target_run){runs[i].topic_id, runs[i].count, runs[i].indexes};
    write_record(member->group, &consumer_group_target_assignment_member_key_message, &key,
                 &consumer_group_target_assignment_member_value_message, &value);
    arena_deinit(&arena);
}

static current_run *current_runs(struct arena *arena, const struct consumer_partitions *set,
                                 int32_t *count) {
    const struct consumer_run *runs = consumer_partitions_to_runs(set, arena, count);
    current_run *out = arena_array(arena, current_run, (size_t)*count);
    for (int32_t i = 0; i < *count; i++)
        out[i] = (current_run){.topic_id = runs[i].topic_id,
                               .partitions_count = runs[i].count,
                               .partitions = runs[i].indexes,
                               .assignment_epochs_count = runs[i].count,
                               .assignment_epochs = runs[i].epochs};
    return out;
}

void consumer_write_current(struct consumer_member *member) {
    const struct consumer_current *current = &member->current;
    struct arena arena;
    struct consumer_group_current_member_assignment_key key = {member->group->group->id,
                                                               member->id};
    struct consumer_group_current_member_assignment_value value = {
        .member_epoch = current->epoch,
        .previous_member_epoch = current->previous_epoch,
        .state = (int8_t)current->state};
    arena_init(&arena, SIZE_MAX);
    value.assigned_partitions =
        current_runs(&arena, &current->assigned, &value.assigned_partitions_count);
    value.partitions_pending_revocation =
        current_runs(&arena, &current->revoking, &value.partitions_pending_revocation_count);
    write_record(member->group, &consumer_group_current_member_assignment_key_message, &key,
                 &consumer_group_current_member_assignment_value_message, &value);
    arena_deinit(&arena);
}

void consumer_erase_group(struct consumer_group *group) {
    struct consumer_group_target_assignment_metadata_key target = {group->group->id};
    struct consumer_group_metadata_key key = {group->group->id};
    erase_record(group, &consumer_group_target_assignment_metadata_key_message, &target);
    erase_record(group, &consumer_group_metadata_key_message, &key);
    group->recorded = false;
}

void consumer_erase_pattern(struct consumer_group *group, struct bytes text) {
    struct consumer_group_regular_expression_key key = {group->group->id, text};
    erase_record(group, &consumer_group_regular_expression_key_message, &key);
}

void consumer_erase_member(struct consumer_group *group, struct bytes member_id) {
    struct consumer_group_current_member_assignment_key current = {group->group->id, member_id};
    struct consumer_group_target_assignment_member_key target = {group->group->id, member_id};
    struct consumer_group_member_metadata_key member = {group->group->id, member_id};
    erase_record(group, &consumer_group_current_member_assignment_key_message, &current);
    erase_record(group, &consumer_group_target_assignment_member_key_message, &target);
    erase_record(group, &consumer_group_member_metadata_key_message, &member);
}

/* --- replay --- */

static bool damaged(struct error *error, struct bytes group_id, const char *what) {
    return error_set(error, 0, "a record of group %.*s has %s", BYTES_FORMAT(group_id), what);
}

/* The group, made where it is not there; a group that has only offsets so far becomes one. For a
 * tombstone, NULL where there is none. */
static bool find_group(struct groups *groups, struct bytes id,
                       const struct coordinator_record *record, struct consumer_group **found,
                       struct error *error) {
    bool makes = !bytes_is_null(record->value);
    struct group *group = groups_find(groups, id);
    if (group && group->kind != &consumer_kind) {
        bool converts = makes && group->kind->is_gone(group);
        if (makes && !converts) return damaged(error, id, "another kind than the group");
        if (converts) group_convert(group, &consumer_kind);
    }
    if (!group && makes) group = groups_add(groups, id, &consumer_kind);
    *found = group ? consumer_of(group) : NULL;
    return true;
}

static struct consumer_member *make_member(struct consumer_group *group, struct bytes id) {
    struct consumer_member *member = consumer_find_member(group, id);
    return member ? member : consumer_add_member(group, id);
}

/* Nothing is left of it as a consumer group: offsets alone are a classic one's. */
static void drop_group(struct consumer_group *group) {
    struct group *owner = group->group;
    if (owner->offsets && owner->kind->is_gone(owner))
        group_convert(owner, &classic_kind);
    else
        group_drop_if_gone(owner);
}

static bool replay_epoch(struct groups *groups, const struct coordinator_record *record,
                         struct arena *arena, struct error *error) {
    struct consumer_group_metadata_key key;
    struct consumer_group_metadata_value value;
    struct consumer_group *group;
    if (!coordinator_record_key(record, &consumer_group_metadata_key_message, arena, &key, error) ||
        !find_group(groups, key.group_id, record, &group, error))
        return false;
    if (!group) return true;
    if (bytes_is_null(record->value)) {
        group->recorded = false;
        drop_group(group);
        return true;
    }
    if (!coordinator_record_value(record, &consumer_group_metadata_value_message, arena, &value,
                                  error))
        return false;
    group->epoch = value.epoch;
    group->metadata_hash = value.metadata_hash;
    group->recorded = true;
    return true;
}

static bool replay_partition_metadata(struct groups *groups,
                                      const struct coordinator_record *record, struct arena *arena,
                                      struct error *error) {
    struct consumer_group_partition_metadata_key key;
    (void)groups;
    return coordinator_record_key(record, &consumer_group_partition_metadata_key_message, arena,
                                  &key, error);
}

static void apply_member(struct consumer_member *member,
                         const struct consumer_group_member_metadata_value *value,
                         struct bytes pattern) {
    group_set_text(&member->client_id, value->client_id);
    group_set_text(&member->client_host, value->client_host);
    group_set_text(&member->rack_id, value->rack_id);
    group_set_text(&member->assignor, value->server_assignor);
    struct consumer_member *place = bytes_is_null(value->instance_id)
                                        ? NULL
                                        : consumer_find_instance(member->group, value->instance_id);
    if (place && place != member) consumer_set_instance(place, BYTES_NULL);
    consumer_set_instance(member, value->instance_id);
    member->rebalance_ms = value->rebalance_timeout_ms;
    consumer_subscribe(member, value->subscribed_topic_names, value->subscribed_topic_names_count,
                       pattern);
}

/* A pattern that this version refuses matches nothing: another broker may have written it. */
static struct bytes usable_pattern(const struct consumer_group *group, struct bytes text) {
    struct error refusal;
    if (text.len == 0 || consumer_find_pattern(group, text)) return text;
    struct topic_pattern *compiled = topic_pattern_new(text, &refusal);
    topic_pattern_free(compiled);
    return compiled ? text : BYTES_NULL;
}

static bool replay_member(struct groups *groups, const struct coordinator_record *record,
                          struct arena *arena, struct error *error) {
    struct consumer_group_member_metadata_key key;
    struct consumer_group_member_metadata_value value;
    struct consumer_group *group;
    if (!coordinator_record_key(record, &consumer_group_member_metadata_key_message, arena, &key,
                                error) ||
        !find_group(groups, key.group_id, record, &group, error))
        return false;
    if (!group) return true;
    if (bytes_is_null(record->value)) {
        struct consumer_member *gone = consumer_find_member(group, key.member_id);
        if (gone) consumer_remove_member(gone);
        drop_group(group);
        return true;
    }
    if (!coordinator_record_value(record, &consumer_group_member_metadata_value_message, arena,
                                  &value, error))
        return false;
    apply_member(make_member(group, key.member_id), &value,
                 usable_pattern(group, value.subscribed_topic_regex));
    return true;
}

static bool replay_target_epoch(struct groups *groups, const struct coordinator_record *record,
                                struct arena *arena, struct error *error) {
    struct consumer_group_target_assignment_metadata_key key;
    struct consumer_group_target_assignment_metadata_value value;
    struct consumer_group *group;
    if (!coordinator_record_key(record, &consumer_group_target_assignment_metadata_key_message,
                                arena, &key, error) ||
        !find_group(groups, key.group_id, record, &group, error))
        return false;
    if (!group || bytes_is_null(record->value)) return true;
    if (!coordinator_record_value(record, &consumer_group_target_assignment_metadata_value_message,
                                  arena, &value, error))
        return false;
    group->target_epoch = value.assignment_epoch;
    group->assigned_ms = value.assignment_timestamp;
    return true;
}

static bool read_target(const struct consumer_group_target_assignment_member_value *value,
                        struct arena *arena, struct consumer_partitions *set) {
    int32_t count = value->topic_partitions_count;
    struct consumer_run *runs = arena_array(arena, struct consumer_run, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        runs[i] = (struct consumer_run){value->topic_partitions[i].topic_id,
                                        value->topic_partitions[i].partitions_count,
                                        value->topic_partitions[i].partitions, NULL};
    return consumer_partitions_of_runs(runs, count, set);
}

/* Older records do not tell since when: not later than the member's epoch. */
static int32_t *known_epochs(const current_run *from, int32_t member_epoch, struct arena *arena) {
    if (from->assignment_epochs_count == from->partitions_count) return from->assignment_epochs;
    int32_t *epochs = arena_array(arena, int32_t, (size_t)from->partitions_count);
    for (int32_t i = 0; i < from->partitions_count; i++)
        epochs[i] = member_epoch > 0 ? member_epoch : 0;
    return epochs;
}

static bool read_current(const current_run *from, int32_t count, int32_t member_epoch,
                         struct arena *arena, struct consumer_partitions *set) {
    struct consumer_run *runs = arena_array(arena, struct consumer_run, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        runs[i] =
            (struct consumer_run){from[i].topic_id, from[i].partitions_count, from[i].partitions,
                                  known_epochs(from + i, member_epoch, arena)};
    return consumer_partitions_of_runs(runs, count, set);
}

static bool replay_target(struct groups *groups, const struct coordinator_record *record,
                          struct arena *arena, struct error *error) {
    struct consumer_group_target_assignment_member_key key;
    struct consumer_group_target_assignment_member_value value;
    struct consumer_group *group;
    struct consumer_partitions target = {0};
    if (!coordinator_record_key(record, &consumer_group_target_assignment_member_key_message, arena,
                                &key, error) ||
        !find_group(groups, key.group_id, record, &group, error))
        return false;
    if (!group) return true;
    if (bytes_is_null(record->value)) {
        struct consumer_member *member = consumer_find_member(group, key.member_id);
        if (member) consumer_set_target(member, &target);
        return true;
    }
    if (!coordinator_record_value(record, &consumer_group_target_assignment_member_value_message,
                                  arena, &value, error))
        return false;
    if (!read_target(&value, arena, &target))
        return damaged(error, key.group_id, "a partition that cannot be");
    consumer_set_target(make_member(group, key.member_id), &target);
    return true;
}

static enum consumer_member_state known_state(int8_t stored) {
    return stored >= MEMBER_STABLE && stored <= MEMBER_UNRELEASED
               ? (enum consumer_member_state)stored
               : MEMBER_UNKNOWN;
}

static bool replay_current(struct groups *groups, const struct coordinator_record *record,
                           struct arena *arena, struct error *error) {
    struct consumer_group_current_member_assignment_key key;
    struct consumer_group_current_member_assignment_value value;
    struct consumer_group *group;
    struct consumer_current current = {0};
    if (!coordinator_record_key(record, &consumer_group_current_member_assignment_key_message,
                                arena, &key, error) ||
        !find_group(groups, key.group_id, record, &group, error))
        return false;
    if (!group) return true;
    if (bytes_is_null(record->value)) {
        struct consumer_member *member = consumer_find_member(group, key.member_id);
        if (member) consumer_set_current(member, &current);
        return true;
    }
    if (!coordinator_record_value(record, &consumer_group_current_member_assignment_value_message,
                                  arena, &value, error))
        return false;
    if (!read_current(value.assigned_partitions, value.assigned_partitions_count,
                      value.member_epoch, arena, &current.assigned) ||
        !read_current(value.partitions_pending_revocation,
                      value.partitions_pending_revocation_count, value.member_epoch, arena,
                      &current.revoking)) {
        consumer_current_deinit(&current);
        return damaged(error, key.group_id, "a partition that cannot be");
    }
    current.state = known_state(value.state);
    current.epoch = value.member_epoch;
    current.previous_epoch = value.previous_member_epoch;
    consumer_set_current(make_member(group, key.member_id), &current);
    return true;
}

/* Perhaps of no member yet: it is swept when the log has ended and none came. */
static bool replay_pattern(struct groups *groups, const struct coordinator_record *record,
                           struct arena *arena, struct error *error) {
    struct consumer_group_regular_expression_key key;
    struct consumer_group_regular_expression_value value;
    struct consumer_group *group;
    if (!coordinator_record_key(record, &consumer_group_regular_expression_key_message, arena, &key,
                                error) ||
        !find_group(groups, key.group_id, record, &group, error))
        return false;
    if (!group) return true;
    struct consumer_pattern *pattern = consumer_find_pattern(group, key.regular_expression);
    if (bytes_is_null(record->value)) {
        if (pattern) pattern->resolved = false;
        return true;
    }
    if (!coordinator_record_value(record, &consumer_group_regular_expression_value_message, arena,
                                  &value, error))
        return false;
    struct error refusal;
    if (!pattern) {
        pattern = consumer_take_pattern(group, key.regular_expression, &refusal);
        if (!pattern) return true;
        consumer_drop_pattern(pattern);
    }
    consumer_topics_set(group, &pattern->topics, value.topics, value.topics_count);
    pattern->version = value.version;
    pattern->resolved_ms = value.timestamp;
    pattern->resolved = true;
    return true;
}

const struct group_record_row consumer_record_rows[] = {
    {3, replay_epoch},    {4, replay_partition_metadata},
    {5, replay_member},   {6, replay_target_epoch},
    {7, replay_target},   {8, replay_current},
    {16, replay_pattern},
};
const size_t consumer_record_row_count = array_count(consumer_record_rows);
