/* OffsetDelete (KIP-496): forgets offsets of topics that nobody in the group reads. */
#include "protocol/offset_delete.h"
#include "consumer-groups/offsets.h"

typedef struct offset_delete_request_offset_delete_request_topic topic_type;
typedef struct offset_delete_response_offset_delete_response_topic topic_result_type;
typedef struct offset_delete_response_offset_delete_response_partition partition_result_type;

static void delete_topic(struct group *group, struct group_call *call, const topic_type *from,
                         topic_result_type *to) {
    bool is_read = group->kind->subscribes(group, from->name);
    to->name = from->name;
    to->partitions_count = from->partitions_count;
    to->partitions =
        arena_array(call->arena, partition_result_type, (size_t)from->partitions_count);
    for (int32_t i = 0; i < from->partitions_count; i++) {
        int32_t partition = from->partitions[i].partition_index;
        to->partitions[i].partition_index = partition;
        if (is_read)
            to->partitions[i].error_code = ERROR_GROUP_SUBSCRIBED_TO_TOPIC;
        else
            offsets_erase(group, from->name, partition);
    }
}

static void start(struct groups *groups, struct group_call *call) {
    const struct offset_delete_request *request = call->request;
    struct offset_delete_response *response = call->response;
    struct group *group = groups_find(groups, request->group_id);
    enum error_code code = request->group_id.len == 0 ? ERROR_INVALID_GROUP_ID
                           : group                    ? group->kind->check_offset_delete(group)
                                                      : ERROR_GROUP_ID_NOT_FOUND;
    if (code) {
        group_call_refuse(call, group, code);
        return;
    }
    response->topics_count = request->topics_count;
    response->topics = arena_array(call->arena, topic_result_type, (size_t)request->topics_count);
    for (int32_t i = 0; i < request->topics_count; i++)
        delete_topic(group, call, request->topics + i, response->topics + i);
    group_call_finish(call, group);
    group_drop_if_gone(group);
}

static void refuse(struct group_call *call, enum error_code code) {
    ((struct offset_delete_response *)call->response)->error_code = (int16_t)code;
}

const struct group_api offset_delete_api = {.start = start, .refuse = refuse, .writes = true};
