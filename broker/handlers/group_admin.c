/* What admins ask of groups: DescribeGroups, ConsumerGroupDescribe, ListGroups, DeleteGroups. One
 * call per group, however often it is named, or per partition of __consumer_offsets; without that
 * topic there are no groups. */
#include "base/seen.h"
#include "broker/groups_topic.h"
#include "broker/handlers/admin.h"
#include "broker/handlers/group_part.h"
#include "broker/handlers/handlers.h"
#include "consumer-groups/group_list.h"
#include "protocol/consumer_group_describe.h"
#include "protocol/delete_groups.h"
#include "protocol/describe_groups.h"

/* Read, delete, describe, and configs: bits 1 << ACL operation. */
enum { OPERATIONS_OF_GROUP = 0xd48 };

typedef struct describe_groups_response_described_group described_type;
typedef struct consumer_group_describe_response_described_group consumer_described_type;
typedef struct delete_groups_response_deletable_group_result deleted_type;

/* One call per name. Those of all members are long answers to a short question: each once. */
static void ask_each(struct request *request, const struct group_api *api,
                     const struct bytes *names, int32_t count, size_t result_size,
                     void (*done)(struct request *request)) {
    if (!admin_count_is_good(request, count)) return;
    struct group_parts *parts = group_parts_begin(request, count, done);
    struct seen seen;
    seen_init(&seen, &request->arena);
    for (int32_t i = 0; i < count; i++)
        if (seen_add(&seen, names[i]))
            group_parts_add(parts, api, groups_topic_partition_of(request->core, names[i]),
                            names + i, arena_zero(&request->arena, 1, result_size));
    seen_deinit(&seen);
    group_parts_send(parts);
}

/* The results side by side, as responses list them. */
static void *gather_results(struct request *request, size_t result_size) {
    const struct group_parts *parts = request->state;
    uint8_t *results = arena_zero(&request->arena, (size_t)parts->count, result_size);
    for (int32_t i = 0; i < parts->count; i++)
        memcpy(results + (size_t)i * result_size, parts->items[i].call.response, result_size);
    return results;
}

static int32_t authorized_operations(bool asked, int16_t code) {
    return asked && !code ? OPERATIONS_OF_GROUP : OPERATIONS_NOT_ASKED;
}

/* --- DescribeGroups --- */

static void answer_described(struct request *request) {
    const struct describe_groups_request *body = request->body;
    const struct group_parts *parts = request->state;
    struct describe_groups_response *response = request_response(request);
    response->groups_count = parts->count;
    response->groups = gather_results(request, sizeof(described_type));
    for (int32_t i = 0; i < parts->count; i++)
        response->groups[i].authorized_operations = authorized_operations(
            body->include_authorized_operations, response->groups[i].error_code);
    request_answer(request, response);
}

static void start_describe(struct request *request) {
    const struct describe_groups_request *body = request->body;
    ask_each(request, &group_describe_api, body->groups, body->groups_count, sizeof(described_type),
             answer_described);
}

const struct handler describe_groups_handler = {.key = API_DESCRIBE_GROUPS,
                                                .start = start_describe,
                                                .retry = group_parts_retry,
                                                .expire = group_parts_expire};

/* --- ConsumerGroupDescribe --- */

static void answer_consumer_described(struct request *request) {
    const struct consumer_group_describe_request *body = request->body;
    const struct group_parts *parts = request->state;
    struct consumer_group_describe_response *response = request_response(request);
    response->groups_count = parts->count;
    response->groups = gather_results(request, sizeof(consumer_described_type));
    for (int32_t i = 0; i < parts->count; i++) {
        consumer_described_type *group = response->groups + i;
        group->group_id = *(const struct bytes *)parts->items[i].call.request;
        group->authorized_operations =
            authorized_operations(body->include_authorized_operations, group->error_code);
    }
    request_answer(request, response);
}

static void start_consumer_describe(struct request *request) {
    const struct consumer_group_describe_request *body = request->body;
    ask_each(request, &consumer_describe_api, body->group_ids, body->group_ids_count,
             sizeof(consumer_described_type), answer_consumer_described);
}

const struct handler consumer_group_describe_handler = {.key = API_CONSUMER_GROUP_DESCRIBE,
                                                        .start = start_consumer_describe,
                                                        .retry = group_parts_retry,
                                                        .expire = group_parts_expire};

/* --- DeleteGroups --- */

static void answer_deleted(struct request *request) {
    const struct group_parts *parts = request->state;
    struct delete_groups_response *response = request_response(request);
    response->results_count = parts->count;
    response->results = gather_results(request, sizeof(deleted_type));
    request_answer(request, response);
}

static void start_delete(struct request *request) {
    const struct delete_groups_request *body = request->body;
    ask_each(request, &group_delete_api, body->groups_names, body->groups_names_count,
             sizeof(deleted_type), answer_deleted);
}

const struct handler delete_groups_handler = {.key = API_DELETE_GROUPS,
                                              .start = start_delete,
                                              .retry = group_parts_retry,
                                              .expire = group_parts_expire};

/* --- ListGroups --- */

/* A list that lacks a partition would be wrong: one that cannot answer fails the whole. */
static void answer_listed(struct request *request) {
    struct group_parts *parts = request->state;
    struct list_groups_response *response = request_response(request);
    size_t total = 0;
    for (int32_t i = 0; i < parts->count; i++) {
        const struct group_list *list = parts->items[i].call.response;
        if (list->code) response->error_code = (int16_t)list->code;
        total += (size_t)list->count;
    }
    if (response->error_code) total = 0;
    response->groups =
        arena_array(&request->arena, struct list_groups_response_listed_group, total);
    for (int32_t i = 0; total > 0 && i < parts->count; i++) {
        const struct group_list *list = parts->items[i].call.response;
        for (int32_t j = 0; j < list->count; j++)
            response->groups[response->groups_count++] = list->items[j];
    }
    request_answer(request, response);
}

static void start_list(struct request *request) {
    int32_t count = groups_topic_partition_count(request->core);
    struct group_parts *parts = group_parts_begin(request, count, answer_listed);
    for (int32_t i = 0; i < count; i++)
        group_parts_add(parts, &group_list_api, i, request->body,
                        arena_new(&request->arena, struct group_list));
    group_parts_send(parts);
}

const struct handler list_groups_handler = {.key = API_LIST_GROUPS,
                                            .start = start_list,
                                            .retry = group_parts_retry,
                                            .expire = group_parts_expire};
