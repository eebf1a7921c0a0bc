/* OffsetFetch: one call per group, however often it is named. Up to version 7 there is one group,
 * in a shape of its own. */
#include "protocol/offset_fetch.h"

#include "base/seen.h"
#include "broker/groups_topic.h"
#include "broker/handlers/admin.h"
#include "broker/handlers/group_part.h"
#include "broker/handlers/handlers.h"

enum { VERSION_GROUPS = 8, VERSION_ERROR_CODE = 2 };

typedef struct offset_fetch_request_offset_fetch_request_group group_type;
typedef struct offset_fetch_request_offset_fetch_request_topics topic_type;
typedef struct offset_fetch_response_offset_fetch_response_group group_result_type;
typedef struct offset_fetch_response_offset_fetch_response_topic old_topic_type;
typedef struct offset_fetch_response_offset_fetch_response_topics new_topic_type;
typedef struct offset_fetch_response_offset_fetch_response_partition old_partition_type;

/* --- one group, as it was up to 7 --- */

static group_type *group_of_old(struct request *request) {
    const struct offset_fetch_request *body = request->body;
    group_type *group = arena_new(&request->arena, group_type);
    *group = (group_type){
        .group_id = body->group_id, .member_epoch = -1, .topics_count = body->topics_count};
    if (body->topics_count <= 0) return group;
    group->topics = arena_array(&request->arena, topic_type, (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++)
        group->topics[i] =
            (topic_type){.name = body->topics[i].name,
                         .partition_indexes_count = body->topics[i].partition_indexes_count,
                         .partition_indexes = body->topics[i].partition_indexes};
    return group;
}

static void fill_old_topic(struct request *request, const new_topic_type *from,
                           old_topic_type *to) {
    to->name = from->name;
    to->partitions_count = from->partitions_count;
    to->partitions =
        arena_array(&request->arena, old_partition_type, (size_t)from->partitions_count);
    for (int32_t i = 0; i < from->partitions_count; i++)
        to->partitions[i] = (old_partition_type){
            .partition_index = from->partitions[i].partition_index,
            .committed_offset = from->partitions[i].committed_offset,
            .committed_leader_epoch = from->partitions[i].committed_leader_epoch,
            .metadata = from->partitions[i].metadata,
            .error_code = from->partitions[i].error_code};
}

/* Version 1 has no place for a group's error but each partition's. */
static void fill_error(struct request *request, struct offset_fetch_response *response,
                       int16_t code) {
    const struct offset_fetch_request *body = request->body;
    response->error_code = code;
    if (request->version >= VERSION_ERROR_CODE) return;
    response->topics_count = body->topics_count;
    response->topics = arena_array(&request->arena, old_topic_type, (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++) {
        old_topic_type *to = response->topics + i;
        to->name = body->topics[i].name;
        to->partitions_count = body->topics[i].partition_indexes_count;
        to->partitions =
            arena_array(&request->arena, old_partition_type, (size_t)to->partitions_count);
        for (int32_t j = 0; j < to->partitions_count; j++)
            to->partitions[j] =
                (old_partition_type){.partition_index = body->topics[i].partition_indexes[j],
                                     .committed_offset = -1,
                                     .committed_leader_epoch = -1,
                                     .error_code = code};
    }
}

static void answer_old(struct request *request) {
    struct group_parts *parts = request->state;
    const group_result_type *result = parts->items[0].call.response;
    struct offset_fetch_response *response = request_response(request);
    if (result->error_code) {
        fill_error(request, response, result->error_code);
    } else {
        response->topics_count = result->topics_count;
        response->topics =
            arena_array(&request->arena, old_topic_type, (size_t)result->topics_count);
        for (int32_t i = 0; i < result->topics_count; i++)
            fill_old_topic(request, result->topics + i, response->topics + i);
    }
    request_answer(request, response);
}

/* --- several groups --- */

static void answer_groups(struct request *request) {
    struct group_parts *parts = request->state;
    struct offset_fetch_response *response = request_response(request);
    response->groups_count = parts->count;
    response->groups = arena_array(&request->arena, group_result_type, (size_t)parts->count);
    for (int32_t i = 0; i < parts->count; i++)
        response->groups[i] = *(const group_result_type *)parts->items[i].call.response;
    request_answer(request, response);
}

static void add(struct group_parts *parts, const group_type *group) {
    struct request *request = parts->request;
    group_result_type *result = arena_new(&request->arena, group_result_type);
    result->group_id = group->group_id;
    group_parts_add(parts, &offset_fetch_api,
                    groups_topic_partition_of(request->core, group->group_id), group, result);
}

static void add_each(struct group_parts *parts) {
    const struct offset_fetch_request *body = parts->request->body;
    struct seen seen;
    seen_init(&seen, &parts->request->arena);
    for (int32_t i = 0; i < body->groups_count; i++)
        if (seen_add(&seen, body->groups[i].group_id)) add(parts, body->groups + i);
    seen_deinit(&seen);
}

static void start(struct request *request) {
    const struct offset_fetch_request *body = request->body;
    if (request->version < VERSION_GROUPS) {
        add(group_parts_begin(request, 1, answer_old), group_of_old(request));
    } else {
        if (!admin_count_is_good(request, body->groups_count)) return;
        add_each(group_parts_begin(request, body->groups_count, answer_groups));
    }
    group_parts_send(request->state);
}

const struct handler offset_fetch_handler = {.key = API_OFFSET_FETCH,
                                             .start = start,
                                             .retry = group_parts_retry,
                                             .expire = group_parts_expire};
