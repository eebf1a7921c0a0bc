#include "broker/fetch_session.h"

#include "base/check.h"

enum { BUCKET_BYTES = 2 * sizeof(void *) }; /* what a node takes of a map */

struct session_topic {
    struct list link;
    struct map_node by_key;
    struct list partitions;
    int32_t partition_count;
    struct uuid id;
    struct bytes name; /* its own */
};

/* --- keys --- */

static uint64_t key_hash(const struct fetch_session *session, struct bytes name,
                         const struct uuid *id) {
    return session->by_id ? hash_bytes(bytes_make(id->raw, sizeof id->raw)) : hash_bytes(name);
}

static struct session_topic *topic_find(const struct fetch_session *session, struct bytes name,
                                        const struct uuid *id) {
    struct map_node *node = map_find(&session->topics_by_key, key_hash(session, name, id));
    for (; node; node = map_find_next(node)) {
        struct session_topic *topic = map_entry(node, struct session_topic, by_key);
        if (session->by_id ? uuid_equal(id, &topic->id) : bytes_equal(name, topic->name))
            return topic;
    }
    return NULL;
}

static uint64_t index_hash(const struct session_topic *topic, int32_t index) {
    return hash_u64(topic->by_key.hash + (uint64_t)(uint32_t)index);
}

static struct session_partition *partition_find(const struct fetch_session *session,
                                                const struct session_topic *topic, int32_t index) {
    struct map_node *node = map_find(&session->partitions_by_index, index_hash(topic, index));
    for (; node; node = map_find_next(node)) {
        struct session_partition *partition = map_entry(node, struct session_partition, by_index);
        if (partition->topic == topic && partition->wanted.partition == index) return partition;
    }
    return NULL;
}

struct session_partition *fetch_session_find(const struct fetch_session *session,
                                             const struct fetch_request_fetch_topic *topic,
                                             int32_t index) {
    const struct session_topic *known = topic_find(session, topic->topic, &topic->topic_id);
    return known ? partition_find(session, known, index) : NULL;
}

/* --- memory --- */

static bool session_take(struct fetch_session *session, size_t bytes) {
    struct admission_share more = session->share;
    more.bytes = bytes;
    if (!admission_take(session->admission, more)) return false;
    session->share.bytes += bytes;
    return true;
}

static void session_give(struct fetch_session *session, size_t bytes) {
    struct admission_share less = session->share;
    less.bytes = bytes;
    session->share.bytes -= bytes;
    admission_give(session->admission, less);
}

static size_t topic_bytes(struct bytes name) {
    return sizeof(struct session_topic) + name.len + BUCKET_BYTES;
}

static size_t partition_bytes(void) { return sizeof(struct session_partition) + BUCKET_BYTES; }

/* --- what it has --- */

static struct session_topic *topic_add(struct fetch_session *session, struct bytes name,
                                       const struct uuid *id) {
    if (!session_take(session, topic_bytes(name))) return NULL;
    struct session_topic *topic = new_zero(struct session_topic);
    uint8_t *copy = memory_new(name.len + 1);
    if (name.len > 0) memcpy(copy, name.at, name.len);
    topic->name = bytes_make(copy, name.len);
    topic->id = *id;
    list_init(&topic->link);
    list_init(&topic->partitions);
    list_append(&session->topics, &topic->link);
    map_insert(&session->topics_by_key, &topic->by_key, key_hash(session, name, id));
    session->topic_count++;
    return topic;
}

static void topic_remove(struct fetch_session *session, struct session_topic *topic) {
    session_give(session, topic_bytes(topic->name));
    list_remove(&topic->link);
    map_remove(&session->topics_by_key, &topic->by_key);
    session->topic_count--;
    free((void *)(uintptr_t)topic->name.at);
    free(topic);
}

static struct session_partition *partition_add(struct fetch_session *session,
                                               struct session_topic *topic, int32_t index) {
    if (!session_take(session, partition_bytes())) return NULL;
    struct session_partition *partition = new_zero(struct session_partition);
    partition->topic = topic;
    partition->high_watermark = partition->log_start_offset = -1;
    list_init(&partition->link);
    list_append(&topic->partitions, &partition->link);
    map_insert(&session->partitions_by_index, &partition->by_index, index_hash(topic, index));
    topic->partition_count++;
    session->partition_count++;
    return partition;
}

/* The topic goes with its last one. */
static void partition_remove(struct fetch_session *session, struct session_partition *partition) {
    struct session_topic *topic = partition->topic;
    session_give(session, partition_bytes());
    list_remove(&partition->link);
    map_remove(&session->partitions_by_index, &partition->by_index);
    session->partition_count--;
    free(partition);
    if (--topic->partition_count == 0) topic_remove(session, topic);
}

/* --- a request's changes --- */

static bool take_topic(struct fetch_session *session,
                       const struct fetch_request_fetch_topic *wanted) {
    struct session_topic *topic = topic_find(session, wanted->topic, &wanted->topic_id);
    if (!topic && wanted->partitions_count > 0)
        topic = topic_add(session, wanted->topic, &wanted->topic_id);
    for (int32_t i = 0; i < wanted->partitions_count; i++) {
        int32_t index = wanted->partitions[i].partition;
        struct session_partition *partition = topic ? partition_find(session, topic, index) : NULL;
        if (topic && !partition) partition = partition_add(session, topic, index);
        if (!partition) return false;
        partition->wanted = wanted->partitions[i];
    }
    return true;
}

static void forget_topic(struct fetch_session *session,
                         const struct fetch_request_forgotten_topic *forgotten) {
    for (int32_t i = 0; i < forgotten->partitions_count; i++) {
        struct session_topic *topic = topic_find(session, forgotten->topic, &forgotten->topic_id);
        struct session_partition *partition =
            topic ? partition_find(session, topic, forgotten->partitions[i]) : NULL;
        if (partition) partition_remove(session, partition);
    }
}

static bool take_changes(struct fetch_session *session, const struct fetch_request *body) {
    for (int32_t i = 0; i < body->topics_count; i++)
        if (!take_topic(session, body->topics + i)) return false;
    for (int32_t i = 0; i < body->forgotten_topics_data_count; i++)
        forget_topic(session, body->forgotten_topics_data + i);
    return true;
}

enum error_code fetch_session_check(const struct fetch_session *session,
                                    const struct fetch_request *body, bool by_id) {
    if (!session || session->id != body->session_id) return ERROR_FETCH_SESSION_ID_NOT_FOUND;
    if (session->epoch != body->session_epoch) return ERROR_INVALID_FETCH_SESSION_EPOCH;
    return session->by_id == by_id ? ERROR_NONE : ERROR_FETCH_SESSION_TOPIC_ID_ERROR;
}

bool fetch_session_go_on(struct fetch_session *session, const struct fetch_request *body) {
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
    return take_changes(session, body);
}

/* --- life --- */

struct fetch_session *fetch_session_new(struct admission *admission, uint8_t party, uint64_t number,
                                        const struct fetch_request *body, bool by_id) {
    struct admission_share share = {ADMIT_KEPT, party, sizeof(struct fetch_session)};
    if (!admission_take(admission, share)) return NULL;
    struct fetch_session *session = new_zero(struct fetch_session);
    session->admission = admission;
    session->share = share;
    session->by_id = by_id;
    session->id = (int32_t)(hash_u64(number) % INT32_MAX) + 1;
    session->epoch = 1;
    list_init(&session->topics);
    map_init(&session->topics_by_key);
    map_init(&session->partitions_by_index);
    if (take_changes(session, body)) return session;
    fetch_session_free(session);
    return NULL;
}

/* With its partitions; it has none where memory ran out before its first. */
static void topic_drop(struct fetch_session *session, struct session_topic *topic) {
    int32_t count = topic->partition_count;
    if (count == 0) topic_remove(session, topic);
    for (; count > 0; count--)
        partition_remove(
            session, list_entry(list_first(&topic->partitions), struct session_partition, link));
}

void fetch_session_free(struct fetch_session *session) {
    if (!session) return;
    for (struct list *node; (node = list_first(&session->topics));)
        topic_drop(session, list_entry(node, struct session_topic, link));
    map_deinit(&session->topics_by_key);
    map_deinit(&session->partitions_by_index);
    check(session->share.bytes == sizeof *session);
    admission_give(session->admission, session->share);
    free(session);
}

/* --- a request and its answer --- */

static void topic_list(const struct session_topic *topic, struct arena *arena,
                       struct fetch_request_fetch_topic *out,
                       struct session_partition **partitions) {
    out->topic = topic->name;
    out->topic_id = topic->id;
    out->partitions =
        arena_array(arena, struct fetch_request_fetch_partition, (size_t)topic->partition_count);
    list_each(node, &topic->partitions) {
        struct session_partition *partition = list_entry(node, struct session_partition, link);
        partitions[out->partitions_count] = partition;
        out->partitions[out->partitions_count++] = partition->wanted;
    }
}

struct fetch_request_fetch_topic *fetch_session_topics(const struct fetch_session *session,
                                                       struct arena *arena,
                                                       struct session_partition ***partitions) {
    size_t count = (size_t)session->topic_count, at = 0;
    struct fetch_request_fetch_topic *topics =
        arena_array(arena, struct fetch_request_fetch_topic, count);
    *partitions = arena_array(arena, struct session_partition *, (size_t)session->partition_count);
    struct session_partition **next = *partitions;
    list_each(node, &session->topics) {
        struct fetch_request_fetch_topic *topic = &topics[at++];
        topic_list(list_entry(node, struct session_topic, link), arena, topic, next);
        next += topic->partitions_count;
    }
    return topics;
}

bool session_partition_changed(struct session_partition *partition,
                               const struct fetch_response_partition_data *data) {
    bool changed = data->error_code != ERROR_NONE || data->records.total > 0 ||
                   data->high_watermark != partition->high_watermark ||
                   data->log_start_offset != partition->log_start_offset;
    /* After an error the next good answer is to be seen, whatever it says. */
    partition->high_watermark = data->error_code == ERROR_NONE ? data->high_watermark : -1;
    partition->log_start_offset = data->log_start_offset;
    return changed;
}

static void move_to_end(struct list *list, struct list *node) {
    list_remove(node);
    list_append(list, node);
}

void session_partition_served(struct fetch_session *session, struct session_partition *partition) {
    move_to_end(&partition->topic->partitions, &partition->link);
    move_to_end(&session->topics, &partition->topic->link);
}
