/* OffsetCommit: stores how far a group has come, and with what words. */
#include "protocol/offset_commit.h"
#include "consumer-groups/offsets.h"

enum { VERSION_GROUP_NOT_FOUND = 9, VERSION_TOPIC_IDS = 10 };

typedef struct offset_commit_request_offset_commit_request_topic topic_type;
typedef struct offset_commit_request_offset_commit_request_partition partition_type;
typedef struct offset_commit_response_offset_commit_response_topic topic_result_type;
typedef struct offset_commit_response_offset_commit_response_partition partition_result_type;

/* --- the answer's shape, all of it with one code --- */

static void fill_topic(struct group_call *call, const topic_type *from, topic_result_type *to,
                       enum error_code code) {
    to->name = from->name;
    to->topic_id = from->topic_id;
    to->partitions_count = from->partitions_count;
    to->partitions =
        arena_array(call->arena, partition_result_type, (size_t)from->partitions_count);
    for (int32_t i = 0; i < from->partitions_count; i++)
        to->partitions[i] =
            (partition_result_type){from->partitions[i].partition_index, (int16_t)code};
}

static void refuse(struct group_call *call, enum error_code code) {
    const struct offset_commit_request *request = call->request;
    struct offset_commit_response *response = call->response;
    response->topics_count = request->topics_count;
    response->topics = arena_array(call->arena, topic_result_type, (size_t)request->topics_count);
    for (int32_t i = 0; i < request->topics_count; i++)
        fill_topic(call, request->topics + i, response->topics + i, code);
}

/* --- who may --- */

static struct offset_caller caller_of(const struct group_call *call) {
    const struct offset_commit_request *request = call->request;
    return (struct offset_caller){.member_id = request->member_id,
                                  .instance_id = request->group_instance_id,
                                  .epoch = request->generation_id_or_member_epoch,
                                  .version = call->version};
}

/* A consumer that manages itself makes its group by its first commit. */
static enum error_code find_group(struct groups *groups, struct group_call *call,
                                  struct group **group) {
    const struct offset_commit_request *request = call->request;
    if (request->group_id.len == 0) return ERROR_INVALID_GROUP_ID;
    *group = groups_find(groups, request->group_id);
    if (!*group && request->generation_id_or_member_epoch >= 0)
        return call->version >= VERSION_GROUP_NOT_FOUND ? ERROR_GROUP_ID_NOT_FOUND
                                                        : ERROR_ILLEGAL_GENERATION;
    if (!*group && !groups_have_room(groups)) return ERROR_GROUP_MAX_SIZE_REACHED;
    if (!*group) *group = groups_add(groups, request->group_id, &classic_kind);
    const struct offset_caller caller = caller_of(call);
    return (*group)->kind->check_commit(*group, &caller);
}

static const struct catalog_topic *find_topic(const struct group *group,
                                              const struct group_call *call,
                                              const topic_type *from) {
    const struct catalog *catalog = group->groups->catalog;
    return call->version >= VERSION_TOPIC_IDS ? catalog_find_topic_id(catalog, &from->topic_id)
                                              : catalog_find_topic(catalog, from->name);
}

static enum error_code check_topic(const struct group *group, const struct group_call *call,
                                   const topic_type *from) {
    const struct offset_caller caller = caller_of(call);
    const struct catalog_topic *topic = find_topic(group, call, from);
    for (int32_t i = 0; topic && i < from->partitions_count; i++) {
        enum error_code code = group->kind->check_commit_partition(
            group, &caller, &topic->id, from->partitions[i].partition_index);
        if (code) return code;
    }
    return ERROR_NONE;
}

/* All or nothing: one partition that the caller may not commit is an error of the whole. */
static enum error_code check_partitions(const struct group *group, const struct group_call *call) {
    const struct offset_commit_request *request = call->request;
    enum error_code code = ERROR_NONE;
    if (!group->kind->check_commit_partition) return ERROR_NONE;
    for (int32_t i = 0; !code && i < request->topics_count; i++)
        code = check_topic(group, call, request->topics + i);
    return code;
}

/* --- what --- */

static enum error_code check_partition(const struct catalog_topic *topic,
                                       const partition_type *partition,
                                       const struct options *options) {
    if (partition->partition_index < 0 || partition->partition_index >= topic->partition_count)
        return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    if ((int64_t)partition->committed_metadata.len > options->offset_metadata_bytes_max)
        return ERROR_OFFSET_METADATA_TOO_LARGE;
    return ERROR_NONE;
}

static void commit_partition(struct group *group, struct group_call *call,
                             const struct catalog_topic *topic, const partition_type *partition) {
    const struct offset_commit_request *request = call->request;
    int64_t now_ms = coordinator_wall_ms(group->groups->coordinator);
    int64_t retention_ms = request->retention_time_ms;
    const struct committed_offset offset = {
        .partition = partition->partition_index,
        .leader_epoch = partition->committed_leader_epoch,
        .offset = partition->committed_offset,
        .commit_ms = now_ms,
        .expire_ms =
            retention_ms >= 0 && retention_ms < INT64_MAX - now_ms ? now_ms + retention_ms : -1,
        .topic_id = topic->id,
        .metadata = partition->committed_metadata,
    };
    offsets_write(group, bytes_of_text(topic->name), &offset);
}

static void commit_topic(struct group *group, struct group_call *call, const topic_type *from,
                         topic_result_type *to) {
    const struct options *options = group->groups->catalog->options;
    const struct catalog_topic *topic = find_topic(group, call, from);
    if (!topic) {
        bool by_id = call->version >= VERSION_TOPIC_IDS;
        fill_topic(call, from, to,
                   by_id ? ERROR_UNKNOWN_TOPIC_ID : ERROR_UNKNOWN_TOPIC_OR_PARTITION);
        return;
    }
    fill_topic(call, from, to, ERROR_NONE);
    for (int32_t i = 0; i < from->partitions_count; i++) {
        enum error_code code = check_partition(topic, from->partitions + i, options);
        to->partitions[i].error_code = (int16_t)code;
        if (code == ERROR_NONE) commit_partition(group, call, topic, from->partitions + i);
    }
}

static void start(struct groups *groups, struct group_call *call) {
    const struct offset_commit_request *request = call->request;
    struct offset_commit_response *response = call->response;
    struct group *group = NULL;
    enum error_code code = find_group(groups, call, &group);
    if (!code) code = check_partitions(group, call);
    if (code) {
        group_call_refuse(call, group, code);
    } else {
        response->topics_count = request->topics_count;
        response->topics =
            arena_array(call->arena, topic_result_type, (size_t)request->topics_count);
        for (int32_t i = 0; i < request->topics_count; i++)
            commit_topic(group, call, request->topics + i, response->topics + i);
        group_call_finish(call, group);
    }
    if (group) group_drop_if_gone(group);
}

const struct group_api offset_commit_api = {.start = start, .refuse = refuse, .writes = true};
