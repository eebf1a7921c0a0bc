/* OffsetFetch: one group's part of it, in the shape that the API has from version 8 on. A partition
 * without an offset, in a group that is not there as well, is answered -1: said only when the whole
 * log is loaded. One that is named again, and has metadata, is refused: a few bytes would ask for
 * kilobytes each time. */
#include "protocol/offset_fetch.h"

#include "base/seen.h"
#include "consumer-groups/offsets.h"

enum { VERSION_TOPIC_IDS = 10 };

typedef struct offset_fetch_request_offset_fetch_request_group group_type;
typedef struct offset_fetch_request_offset_fetch_request_topics topic_type;
typedef struct offset_fetch_response_offset_fetch_response_group group_result_type;
typedef struct offset_fetch_response_offset_fetch_response_topics topic_result_type;
typedef struct offset_fetch_response_offset_fetch_response_partitions partition_result_type;

static partition_result_type nothing(int32_t partition, enum error_code code) {
    return (partition_result_type){.partition_index = partition,
                                   .committed_offset = -1,
                                   .committed_leader_epoch = -1,
                                   .metadata = BYTES_OF(""),
                                   .error_code = (int16_t)code};
}

static partition_result_type describe(struct group_call *call,
                                      const struct committed_offset *offset) {
    return (partition_result_type){.partition_index = offset->partition,
                                   .committed_offset = offset->offset,
                                   .committed_leader_epoch = offset->leader_epoch,
                                   .metadata = arena_copy(call->arena, offset->metadata)};
}

/* --- those that are asked for --- */

static partition_result_type fetch_partition(struct group_call *call, struct seen *seen,
                                             const struct committed_offset *offset) {
    struct bytes key = bytes_make(&offset, sizeof offset);
    if (offset->metadata.len > 0 && !seen_add(seen, key))
        return nothing(offset->partition, ERROR_INVALID_REQUEST);
    return describe(call, offset);
}

static void fetch_topic(const struct group *group, struct group_call *call, struct seen *seen,
                        const topic_type *from, topic_result_type *to) {
    struct bytes name = from->name;
    enum error_code code = ERROR_NONE;
    if (call->version >= VERSION_TOPIC_IDS) {
        const struct catalog_topic *topic =
            catalog_find_topic_id(call->groups->catalog, &from->topic_id);
        if (topic)
            name = bytes_of_text(topic->name);
        else
            code = ERROR_UNKNOWN_TOPIC_ID;
    }
    *to = (topic_result_type){.name = from->name,
                              .topic_id = from->topic_id,
                              .partitions_count = from->partition_indexes_count};
    to->partitions =
        arena_array(call->arena, partition_result_type, (size_t)from->partition_indexes_count);
    for (int32_t i = 0; i < from->partition_indexes_count; i++) {
        int32_t partition = from->partition_indexes[i];
        const struct committed_offset *offset =
            group && !code ? offsets_find(group, name, partition) : NULL;
        to->partitions[i] = offset ? fetch_partition(call, seen, offset) : nothing(partition, code);
    }
}

static void fetch_topics(const struct group *group, struct group_call *call) {
    const group_type *request = call->request;
    group_result_type *response = call->response;
    struct seen seen;
    seen_init(&seen, call->arena);
    response->topics_count = request->topics_count;
    response->topics = arena_array(call->arena, topic_result_type, (size_t)request->topics_count);
    for (int32_t i = 0; i < request->topics_count; i++)
        fetch_topic(group, call, &seen, request->topics + i, response->topics + i);
    seen_deinit(&seen);
}

/* --- all --- */

static void describe_topic(struct group_call *call, const struct offset_topic *topic,
                           topic_result_type *to) {
    const struct catalog_topic *known = catalog_find_topic(call->groups->catalog, topic->name);
    const struct map *partitions = &topic->partitions;
    to->name = arena_copy(call->arena, topic->name);
    if (known) to->topic_id = known->id;
    to->partitions = arena_array(call->arena, partition_result_type, partitions->count);
    for (struct map_node *node = map_first(partitions); node; node = map_next(partitions, node))
        to->partitions[to->partitions_count++] =
            describe(call, map_entry(node, struct committed_offset, by_index));
}

static void fetch_all(const struct group *group, struct group_call *call) {
    group_result_type *response = call->response;
    if (!group || !group->offsets) return;
    const struct map *topics = &group->offsets->topics;
    response->topics = arena_array(call->arena, topic_result_type, topics->count);
    for (struct map_node *node = map_first(topics); node; node = map_next(topics, node))
        describe_topic(call, map_entry(node, struct offset_topic, by_name),
                       response->topics + response->topics_count++);
}

static enum error_code check(struct group *group, struct group_call *call) {
    const group_type *request = call->request;
    if (request->group_id.len == 0) return ERROR_INVALID_GROUP_ID;
    if (!group) return ERROR_NONE;
    const struct offset_caller caller = {
        .member_id = bytes_is_null(request->member_id) ? BYTES_OF("") : request->member_id,
        .epoch = request->member_epoch,
        .version = call->version};
    return group->kind->check_fetch(group, &caller);
}

static void start(struct groups *groups, struct group_call *call) {
    const group_type *request = call->request;
    group_result_type *response = call->response;
    struct group *group = groups_find(groups, request->group_id);
    response->error_code = (int16_t)check(group, call);
    if (response->error_code == ERROR_NONE && request->topics_count >= 0)
        fetch_topics(group, call);
    else if (response->error_code == ERROR_NONE)
        fetch_all(group, call);
    group_call_finish(call, group);
}

static void refuse(struct group_call *call, enum error_code code) {
    ((group_result_type *)call->response)->error_code = (int16_t)code;
}

const struct group_api offset_fetch_api = {.start = start, .refuse = refuse};
