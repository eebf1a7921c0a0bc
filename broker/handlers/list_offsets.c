/* ListOffsets: the offset at a time, or at one of the marks. What a single node without tiered
 * storage answers to the marks of that: the earliest local offset is the earliest one; there is
 * neither a latest tiered one nor one that waits for upload (KIP-405, KIP-1005, KIP-1023). */
#include "protocol/list_offsets.h"

#include "base/map.h"
#include "broker/handlers/handlers.h"
#include "broker/handlers/part_list.h"
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

struct offset_item {
    struct part_item item;
    struct map_node by_partition;
    const struct list_offsets_request_list_offsets_partition *wanted;
    struct list_offsets_response_list_offsets_partition_response *found;
    struct lookup lookup;
};

struct list_offsets {
    struct part_list list;
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

static void part_found(struct offset_item *item, int64_t timestamp, int64_t offset,
                       int32_t leader_epoch) {
    item->found->timestamp = timestamp;
    item->found->offset = offset;
    item->found->leader_epoch = offset >= 0 ? leader_epoch : -1;
}

static void lookup_finish(struct offset_item *item) {
    const struct lookup *lookup = &item->lookup;
    if (lookup->code == ERROR_NONE)
        part_found(item, lookup->offset < 0 ? -1 : lookup->found_timestamp_ms, lookup->offset,
                   lookup->leader_epoch);
    part_finish(&item->item.part, lookup->code);
}

static void lookup_done(struct lookup *lookup) {
    lookup_finish(container_of(lookup, struct offset_item, lookup));
}

static bool is_lookup(const struct offset_item *item) {
    return item->wanted->timestamp >= 0 || item->wanted->timestamp == MARK_MAX_TIMESTAMP;
}

static void part_look_up(struct offset_item *item, struct partition *partition) {
    int64_t timestamp = item->wanted->timestamp;
    item->lookup.timestamp_ms = timestamp == MARK_MAX_TIMESTAMP ? LOOKUP_MAX_TIMESTAMP : timestamp;
    item->lookup.done = lookup_done;
    if (partition_lookup(partition, &item->lookup)) lookup_finish(item);
}

static void part_run(struct part *part, struct partition *partition) {
    struct offset_item *item = container_of(part, struct offset_item, item.part);
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
        struct offset_item *item = part_list_add(&state->list, &to->partitions[i].error_code);
        item->wanted = &topic->partitions[i];
        item->found = &to->partitions[i];
        item->found->partition_index = item->wanted->partition_index;
        part_found(item, -1, -1, -1);
        if (mark_version(item->wanted->timestamp) > request->version)
            item->item.part.code = ERROR_UNSUPPORTED_VERSION;
        else
            part_find(&item->item.part, known, item->wanted->partition_index,
                      ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    }
}

static struct offset_item *item_at(const struct list_offsets *state, int32_t i) {
    return container_of(part_list_at(&state->list, i), struct offset_item, item);
}

static struct offset_item *find_same(const struct map *map, uint32_t partition_id) {
    struct map_node *node = map_find(map, hash_u64(partition_id));
    for (; node; node = map_find_next(node)) {
        struct offset_item *other = map_entry(node, struct offset_item, by_partition);
        if (other->item.part.partition_id == partition_id) return other;
    }
    return NULL;
}

/* As in Kafka, and so that a short request cannot ask for the same work many times over. */
static void refuse_duplicates(struct list_offsets *state) {
    struct map map;
    map_init(&map);
    for (int32_t i = 0; i < state->list.count; i++) {
        struct offset_item *item = item_at(state, i);
        struct part *part = &item->item.part;
        if (part->code != ERROR_NONE) continue;
        struct offset_item *same = find_same(&map, part->partition_id);
        if (same)
            same->item.part.code = part->code = ERROR_INVALID_REQUEST;
        else
            map_insert(&map, &item->by_partition, hash_u64(part->partition_id));
    }
    map_deinit(&map);
}

static void send_lookups(struct list_offsets *state) {
    if (state->sending) return; /* a part that was sent is back at once */
    state->sending = true;
    while (state->next < state->list.count && state->lookups < LOOKUPS_AT_ONCE) {
        struct offset_item *item = item_at(state, state->next++);
        if (item->item.part.code != ERROR_NONE || !is_lookup(item)) continue;
        state->lookups++;
        part_send(&state->list.parts, &item->item.part, part_run);
    }
    state->sending = false;
}

static void part_is_back(struct part *part) {
    struct list_offsets *state = container_of(part->parts, struct list_offsets, list.parts);
    if (!is_lookup(container_of(part, struct offset_item, item.part))) return;
    state->lookups--;
    send_lookups(state);
}

static void send_all(struct list_offsets *state) {
    part_list_begin(&state->list);
    state->list.parts.back = part_is_back;
    for (int32_t i = 0; i < state->list.count; i++) {
        struct offset_item *item = item_at(state, i);
        if (item->item.part.code == ERROR_NONE && !is_lookup(item))
            part_send(&state->list.parts, &item->item.part, part_run);
    }
    send_lookups(state);
    part_list_end(&state->list);
}

static void start(struct request *request) {
    const struct list_offsets_request *body = request->body;
    struct list_offsets_response *response = request_response(request);
    struct list_offsets *state = arena_new(&request->arena, struct list_offsets);
    part_list_init(&state->list, request, response, sizeof(struct offset_item),
                   PART_LIST_COUNT(body->topics, body->topics_count));
    response->topics_count = body->topics_count;
    response->topics =
        arena_array(&request->arena, struct list_offsets_response_list_offsets_topic_response,
                    (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++)
        prepare_topic(request, state, &body->topics[i], &response->topics[i]);
    refuse_duplicates(state);
    send_all(state);
}

const struct handler list_offsets_handler = {.key = API_LIST_OFFSETS, .start = start};
