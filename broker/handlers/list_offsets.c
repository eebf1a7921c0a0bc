/* ListOffsets: the offset at a time, or at one of the marks. What a single node without tiered
 * storage answers to the marks of that: the earliest local offset is the earliest one; there is
 * neither a latest tiered one nor one that waits for upload (KIP-405, KIP-1005, KIP-1023). */
#include "protocol/list_offsets.h"

#include "base/map.h"
#include "broker/handlers/handlers.h"
#include "broker/handlers/part.h"
#include "storage/partition.h"

enum {
    MARK_LATEST = -1,
    MARK_EARLIEST = -2,
    MARK_MAX_TIMESTAMP = -3,
    MARK_EARLIEST_LOCAL = -4,
    MARK_LATEST_TIERED = -5,
    MARK_EARLIEST_PENDING_UPLOAD = -6,
};

enum { LOOKUPS_AT_ONCE = 4 }; /* each reads 256 KiB or more into memory of its own */

struct offset_part {
    struct part part;
    struct map_node by_partition;
    const struct list_offsets_request_list_offsets_partition *wanted;
    struct list_offsets_response_list_offsets_partition_response *found;
    struct lookup lookup;
};

struct list_offsets {
    struct parts parts;
    struct list_offsets_response *response;
    struct offset_part *items;
    int32_t count;
    int32_t next, lookups; /* the first lookup that was not sent, perhaps; those that are away */
    bool sending;
};

/* The first version that knows the mark; -1: it is none. */
static int mark_version(int64_t timestamp) {
    switch (timestamp) {
        case MARK_LATEST:
        case MARK_EARLIEST: return 1;
        case MARK_MAX_TIMESTAMP: return 7;
        case MARK_EARLIEST_LOCAL: return 8;
        case MARK_LATEST_TIERED: return 9;
        case MARK_EARLIEST_PENDING_UPLOAD: return 11;
        default: return timestamp >= 0 ? 1 : INT16_MAX;
    }
}

static void part_found(struct offset_part *item, int64_t timestamp, int64_t offset,
                       int32_t leader_epoch) {
    item->found->timestamp = timestamp;
    item->found->offset = offset;
    item->found->leader_epoch = offset >= 0 ? leader_epoch : -1;
}

static void lookup_finish(struct offset_part *item) {
    const struct lookup *lookup = &item->lookup;
    if (lookup->code == ERROR_NONE)
        part_found(item, lookup->offset < 0 ? -1 : lookup->found_timestamp_ms, lookup->offset,
                   lookup->leader_epoch);
    part_finish(&item->part, lookup->code);
}

static void lookup_done(struct lookup *lookup) {
    lookup_finish(container_of(lookup, struct offset_part, lookup));
}

static bool is_lookup(const struct offset_part *item) {
    return item->wanted->timestamp >= 0 || item->wanted->timestamp == MARK_MAX_TIMESTAMP;
}

static void part_look_up(struct offset_part *item, struct partition *partition) {
    int64_t timestamp = item->wanted->timestamp;
    item->lookup.timestamp_ms = timestamp == MARK_MAX_TIMESTAMP ? LOOKUP_MAX_TIMESTAMP : timestamp;
    item->lookup.done = lookup_done;
    if (partition_lookup(partition, &item->lookup)) lookup_finish(item);
}

static void part_run(struct part *part, struct partition *partition) {
    struct offset_part *item = container_of(part, struct offset_part, part);
    struct partition_view view;
    partition_look(partition, -1, item->wanted->current_leader_epoch, &view);
    int64_t timestamp = item->wanted->timestamp;
    if (view.code != ERROR_NONE) {
        part_finish(part, view.code);
        return;
    }
    if (is_lookup(item)) {
        part_look_up(item, partition);
        return;
    }
    /* The last stable offset is the high watermark: no transaction is open. */
    if (timestamp == MARK_LATEST)
        part_found(item, -1, view.last_stable_offset, view.leader_epoch);
    else if (timestamp == MARK_EARLIEST || timestamp == MARK_EARLIEST_LOCAL)
        part_found(item, -1, view.log_start_offset, view.leader_epoch);
    part_finish(part, ERROR_NONE);
}

static void done(struct request *request) {
    struct list_offsets *state = request->state;
    for (int32_t i = 0; i < state->count; i++)
        state->items[i].found->error_code = (int16_t)state->items[i].part.code;
    request_answer_large(request, state->response);
}

static int32_t count_partitions(const struct list_offsets_request *body) {
    int32_t count = 0;
    for (int32_t i = 0; i < body->topics_count; i++) count += body->topics[i].partitions_count;
    return count;
}

/* The topic's part of the answer, and its items. */
static void prepare_topic(struct request *request, struct list_offsets *state,
                          const struct list_offsets_request_list_offsets_topic *topic,
                          struct list_offsets_response_list_offsets_topic_response *to) {
    const struct catalog_topic *known = catalog_find_topic(&request->core->catalog, topic->name);
    to->name = topic->name;
    to->partitions_count = topic->partitions_count;
    to->partitions =
        arena_array(&request->arena, struct list_offsets_response_list_offsets_partition_response,
                    (size_t)topic->partitions_count);
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        struct offset_part *item = &state->items[state->count++];
        item->wanted = &topic->partitions[i];
        item->found = &to->partitions[i];
        item->found->partition_index = item->wanted->partition_index;
        part_found(item, -1, -1, -1);
        if (mark_version(item->wanted->timestamp) > request->version)
            item->part.code = ERROR_UNSUPPORTED_VERSION;
        else
            part_find(&item->part, known, item->wanted->partition_index,
                      ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    }
}

static struct offset_part *find_same(const struct map *map, const struct offset_part *item) {
    struct map_node *node = map_find(map, hash_u64(item->part.partition_id));
    for (; node; node = map_find_next(node)) {
        struct offset_part *other = map_entry(node, struct offset_part, by_partition);
        if (other->part.partition_id == item->part.partition_id) return other;
    }
    return NULL;
}

/* As in Kafka, and so that a short request cannot ask for the same work many times over. */
static void refuse_duplicates(struct list_offsets *state) {
    struct map map;
    map_init(&map);
    for (int32_t i = 0; i < state->count; i++) {
        struct offset_part *item = &state->items[i];
        if (item->part.code != ERROR_NONE) continue;
        struct offset_part *same = find_same(&map, item);
        if (same)
            same->part.code = item->part.code = ERROR_INVALID_REQUEST;
        else
            map_insert(&map, &item->by_partition, hash_u64(item->part.partition_id));
    }
    map_deinit(&map);
}

static void send_lookups(struct list_offsets *state) {
    if (state->sending) return; /* a part that was sent is back at once */
    state->sending = true;
    while (state->next < state->count && state->lookups < LOOKUPS_AT_ONCE) {
        struct offset_part *item = &state->items[state->next++];
        if (item->part.code != ERROR_NONE || !is_lookup(item)) continue;
        state->lookups++;
        part_send(&state->parts, &item->part, part_run);
    }
    state->sending = false;
}

static void part_is_back(struct part *part) {
    struct list_offsets *state = container_of(part->parts, struct list_offsets, parts);
    if (!is_lookup(container_of(part, struct offset_part, part))) return;
    state->lookups--;
    send_lookups(state);
}

static void start(struct request *request) {
    const struct list_offsets_request *body = request->body;
    struct list_offsets *state = arena_new(&request->arena, struct list_offsets);
    request->state = state;
    state->response = request_response(request);
    state->items = arena_array(&request->arena, struct offset_part, (size_t)count_partitions(body));
    state->response->topics_count = body->topics_count;
    state->response->topics =
        arena_array(&request->arena, struct list_offsets_response_list_offsets_topic_response,
                    (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++)
        prepare_topic(request, state, &body->topics[i], &state->response->topics[i]);
    refuse_duplicates(state);
    parts_begin(&state->parts, request, done);
    state->parts.back = part_is_back;
    for (int32_t i = 0; i < state->count; i++)
        if (state->items[i].part.code == ERROR_NONE && !is_lookup(&state->items[i]))
            part_send(&state->parts, &state->items[i].part, part_run);
    send_lookups(state);
    parts_end(&state->parts);
}

const struct handler list_offsets_handler = {.key = API_LIST_OFFSETS, .start = start};
