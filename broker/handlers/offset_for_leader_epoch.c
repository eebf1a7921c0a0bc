/* OffsetForLeaderEpoch (KIP-320): where an epoch ends, so that a consumer sees whether its offsets
 * are still those of the log. */
#include "protocol/offset_for_leader_epoch.h"

#include "broker/handlers/handlers.h"
#include "broker/handlers/part.h"
#include "storage/partition.h"

struct epoch_part {
    struct part part;
    const struct offset_for_leader_epoch_request_offset_for_leader_partition *wanted;
    struct offset_for_leader_epoch_response_epoch_end_offset *found;
};

struct epochs {
    struct parts parts;
    struct offset_for_leader_epoch_response *response;
    struct epoch_part *items;
    int32_t count;
};

static void part_run(struct part *part, struct partition *partition) {
    struct epoch_part *item = container_of(part, struct epoch_part, part);
    struct partition_view view;
    partition_look(partition, -1, item->wanted->current_leader_epoch, &view);
    if (view.code == ERROR_NONE)
        partition_epoch_end(partition, item->wanted->leader_epoch, &item->found->leader_epoch,
                            &item->found->end_offset);
    part_finish(part, view.code);
}

static void done(struct request *request) {
    struct epochs *state = request->state;
    for (int32_t i = 0; i < state->count; i++)
        state->items[i].found->error_code = (int16_t)state->items[i].part.code;
    request_answer_large(request, state->response);
}

static int32_t count_partitions(const struct offset_for_leader_epoch_request *body) {
    int32_t count = 0;
    for (int32_t i = 0; i < body->topics_count; i++) count += body->topics[i].partitions_count;
    return count;
}

static void prepare_topic(
    struct request *request, struct epochs *state,
    const struct offset_for_leader_epoch_request_offset_for_leader_topic *topic,
    struct offset_for_leader_epoch_response_offset_for_leader_topic_result *to) {
    const struct catalog_topic *known = catalog_find_topic(&request->core->catalog, topic->topic);
    to->topic = topic->topic;
    to->partitions_count = topic->partitions_count;
    to->partitions =
        arena_array(&request->arena, struct offset_for_leader_epoch_response_epoch_end_offset,
                    (size_t)topic->partitions_count);
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        struct epoch_part *item = &state->items[state->count++];
        item->wanted = &topic->partitions[i];
        item->found = &to->partitions[i];
        *item->found = (struct offset_for_leader_epoch_response_epoch_end_offset){
            .partition = item->wanted->partition, .leader_epoch = -1, .end_offset = -1};
        part_find(&item->part, known, item->wanted->partition, ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    }
}

static void start(struct request *request) {
    const struct offset_for_leader_epoch_request *body = request->body;
    struct epochs *state = arena_new(&request->arena, struct epochs);
    request->state = state;
    state->response = request_response(request);
    state->items = arena_array(&request->arena, struct epoch_part, (size_t)count_partitions(body));
    state->response->topics_count = body->topics_count;
    state->response->topics = arena_array(
        &request->arena, struct offset_for_leader_epoch_response_offset_for_leader_topic_result,
        (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++)
        prepare_topic(request, state, &body->topics[i], &state->response->topics[i]);
    parts_begin(&state->parts, request, done);
    for (int32_t i = 0; i < state->count; i++)
        if (state->items[i].part.code == ERROR_NONE)
            part_send(&state->parts, &state->items[i].part, part_run);
    parts_end(&state->parts);
}

const struct handler offset_for_leader_epoch_handler = {.key = API_OFFSET_FOR_LEADER_EPOCH,
                                                        .start = start};
