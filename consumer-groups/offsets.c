#include "consumer-groups/offsets.h"

#include "base/check.h"
#include "protocol/group_records.h"

enum { RECORD_BYTES = 70 }; /* of a record besides names and metadata, about */

/* --- the tables --- */

struct offset_topic *offsets_find_topic(const struct group *group, struct bytes topic) {
    if (!group->offsets) return NULL;
    struct map_node *node = map_find(&group->offsets->topics, hash_bytes(topic));
    for (; node; node = map_find_next(node)) {
        struct offset_topic *found = map_entry(node, struct offset_topic, by_name);
        if (bytes_equal(found->name, topic)) return found;
    }
    return NULL;
}

static struct committed_offset *find_in(const struct offset_topic *topic, int32_t partition) {
    struct map_node *node = map_find(&topic->partitions, hash_u64((uint64_t)partition));
    for (; node; node = map_find_next(node)) {
        struct committed_offset *found = map_entry(node, struct committed_offset, by_index);
        if (found->partition == partition) return found;
    }
    return NULL;
}

const struct committed_offset *offsets_find(const struct group *group, struct bytes topic,
                                            int32_t partition) {
    const struct offset_topic *found = offsets_find_topic(group, topic);
    return found ? find_in(found, partition) : NULL;
}

static struct offset_topic *add_topic(struct group *group, struct bytes name) {
    if (!group->offsets) {
        group->offsets = new_zero(struct group_offsets);
        map_init(&group->offsets->topics);
    }
    struct offset_topic *topic = memory_zero(1, sizeof *topic + name.len);
    memcpy(topic + 1, name.at, name.len);
    topic->name = bytes_make(topic + 1, name.len);
    map_init(&topic->partitions);
    map_insert(&group->offsets->topics, &topic->by_name, hash_bytes(name));
    return topic;
}

static size_t record_bytes(const struct group *group, const struct offset_topic *topic,
                           const struct committed_offset *offset) {
    return RECORD_BYTES + group->id.len + topic->name.len + offset->metadata.len;
}

static void forget(struct group *group, struct offset_topic *topic,
                   struct committed_offset *offset) {
    group->offsets->count--;
    group->offsets->bytes -= record_bytes(group, topic, offset);
    map_remove(&topic->partitions, &offset->by_index);
    free(offset);
}

static void put(struct group *group, struct bytes topic_name,
                const struct committed_offset *offset) {
    struct offset_topic *topic = offsets_find_topic(group, topic_name);
    if (!topic) topic = add_topic(group, topic_name);
    struct committed_offset *old = find_in(topic, offset->partition);
    if (old) forget(group, topic, old);
    struct bytes metadata = offset->metadata;
    struct committed_offset *copy = memory_new(sizeof *copy + metadata.len);
    *copy = *offset;
    if (metadata.len > 0) memcpy(copy + 1, metadata.at, metadata.len);
    copy->metadata = bytes_make(copy + 1, metadata.len);
    map_insert(&topic->partitions, &copy->by_index, hash_u64((uint64_t)copy->partition));
    group->offsets->count++;
    group->offsets->bytes += record_bytes(group, topic, copy);
}

static void free_topic(struct group_offsets *offsets, struct offset_topic *topic) {
    map_remove(&offsets->topics, &topic->by_name);
    map_deinit(&topic->partitions);
    free(topic);
}

static bool take_out(struct group *group, struct bytes topic_name, int32_t partition) {
    struct offset_topic *topic = offsets_find_topic(group, topic_name);
    struct committed_offset *offset = topic ? find_in(topic, partition) : NULL;
    if (!offset) return false;
    forget(group, topic, offset);
    if (topic->partitions.count == 0) free_topic(group->offsets, topic);
    if (group->offsets->count == 0) {
        offsets_free(group->offsets);
        group->offsets = NULL;
    }
    return true;
}

static void free_partitions(struct offset_topic *topic) {
    struct map_node *node = map_first(&topic->partitions), *next;
    for (; node; node = next) {
        next = map_next(&topic->partitions, node);
        free(map_entry(node, struct committed_offset, by_index));
    }
}

void offsets_free(struct group_offsets *offsets) {
    struct map_node *node = map_first(&offsets->topics), *next;
    for (; node; node = next) {
        next = map_next(&offsets->topics, node);
        struct offset_topic *topic = map_entry(node, struct offset_topic, by_name);
        free_partitions(topic);
        free_topic(offsets, topic);
    }
    map_deinit(&offsets->topics);
    free(offsets);
}

/* --- records --- */

/* Kafka keeps a time to expire in version 1 alone, and a topic's id in 4. */
static void write_record(struct group *group, struct bytes topic,
                         const struct committed_offset *offset) {
    const struct offset_commit_key key = {
        .group = group->id, .topic = topic, .partition = offset->partition};
    const struct offset_commit_value value = {.offset = offset->offset,
                                              .leader_epoch = offset->leader_epoch,
                                              .metadata = offset->metadata,
                                              .commit_timestamp = offset->commit_ms,
                                              .expire_timestamp = offset->expire_ms,
                                              .topic_id = offset->topic_id};
    coordinator_write(group->groups->coordinator, &offset_commit_key_message, &key,
                      &offset_commit_value_message, offset->expire_ms >= 0 ? 1 : 4, &value);
    group_wrote(group);
}

void offsets_write(struct group *group, struct bytes topic, const struct committed_offset *offset) {
    write_record(group, topic, offset);
    put(group, topic, offset);
}

static void erase_record(struct group *group, struct bytes topic, int32_t partition) {
    const struct offset_commit_key key = {
        .group = group->id, .topic = topic, .partition = partition};
    coordinator_erase(group->groups->coordinator, &offset_commit_key_message, &key);
    group_wrote(group);
}

bool offsets_erase(struct group *group, struct bytes topic, int32_t partition) {
    if (!offsets_find(group, topic, partition)) return false;
    erase_record(group, topic, partition);
    return take_out(group, topic, partition);
}

void offsets_each(struct group *group, offset_visit visit, void *context) {
    const struct map *topics = &group->offsets->topics;
    struct map_node *node = map_first(topics), *next;
    for (; node; node = next) {
        next = map_next(topics, node);
        struct offset_topic *topic = map_entry(node, struct offset_topic, by_name);
        const struct map *partitions = &topic->partitions;
        struct map_node *inner = map_first(partitions), *inner_next;
        for (; inner; inner = inner_next) {
            inner_next = map_next(partitions, inner);
            visit(group, topic, map_entry(inner, struct committed_offset, by_index), context);
        }
    }
}

static void visit_erase(struct group *group, struct offset_topic *topic,
                        struct committed_offset *offset, void *context) {
    (void)context;
    erase_record(group, topic->name, offset->partition);
}

void offsets_erase_all(struct group *group) {
    if (!group->offsets) return;
    offsets_each(group, visit_erase, NULL);
    offsets_free(group->offsets);
    group->offsets = NULL;
}

static void visit_image(struct group *group, struct offset_topic *topic,
                        struct committed_offset *offset, void *context) {
    (void)context;
    write_record(group, topic->name, offset);
}

void offsets_image(struct group *group) { offsets_each(group, visit_image, NULL); }

size_t offsets_image_bytes(const struct group_offsets *offsets) { return offsets->bytes; }

/* --- replay --- */

struct replayed {
    struct bytes group, topic;
    int32_t partition;
};

/* Numbers 0 and 1 differ in name alone. */
static bool read_key(const struct coordinator_record *record, struct arena *arena,
                     struct replayed *out, struct error *error) {
    struct offset_commit_key key;
    struct legacy_offset_commit_key legacy;
    if (record->type == offset_commit_key_message.key) {
        if (!coordinator_record_key(record, &offset_commit_key_message, arena, &key, error))
            return false;
        *out = (struct replayed){key.group, key.topic, key.partition};
        return true;
    }
    if (!coordinator_record_key(record, &legacy_offset_commit_key_message, arena, &legacy, error))
        return false;
    *out = (struct replayed){legacy.group, legacy.topic, legacy.partition};
    return true;
}

static bool read_value(const struct coordinator_record *record, struct arena *arena,
                       struct offset_commit_value *out, struct error *error) {
    struct legacy_offset_commit_value legacy;
    if (record->type == offset_commit_key_message.key)
        return coordinator_record_value(record, &offset_commit_value_message, arena, out, error);
    if (!coordinator_record_value(record, &legacy_offset_commit_value_message, arena, &legacy,
                                  error))
        return false;
    message_defaults(&offset_commit_value_message, out);
    out->offset = legacy.offset;
    out->metadata = legacy.metadata;
    out->commit_timestamp = legacy.commit_timestamp;
    return true;
}

/* Version 1 of a record does not tell the id. */
bool offsets_is_dead(const struct groups *groups, struct bytes topic, const struct uuid *id) {
    const struct catalog_topic *known = catalog_find_topic(groups->catalog, topic);
    return !known || (!uuid_is_zero(id) && !uuid_equal(id, &known->id));
}

bool offsets_replay_record(struct groups *groups, const struct coordinator_record *record,
                           struct arena *arena, struct error *error) {
    struct replayed key;
    if (!read_key(record, arena, &key, error)) return false;
    struct group *group = groups_find(groups, key.group);
    struct offset_commit_value value;
    bool erased = bytes_is_null(record->value);
    if (!erased && !read_value(record, arena, &value, error)) return false;
    if (erased || offsets_is_dead(groups, key.topic, &value.topic_id)) {
        if (group) take_out(group, key.topic, key.partition);
        return true;
    }
    if (!group) group = groups_add(groups, key.group, &classic_kind);
    const struct committed_offset offset = {.partition = key.partition,
                                            .leader_epoch = value.leader_epoch,
                                            .offset = value.offset,
                                            .commit_ms = value.commit_timestamp,
                                            .expire_ms = value.expire_timestamp,
                                            .topic_id = value.topic_id,
                                            .metadata = value.metadata};
    put(group, key.topic, &offset);
    return true;
}
