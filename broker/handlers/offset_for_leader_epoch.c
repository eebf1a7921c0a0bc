/* OffsetForLeaderEpoch (KIP-320): where an epoch ends, so that a consumer sees whether its offsets
 * are still those of the log. */
#include "protocol/offset_for_leader_epoch.h"

#include "broker/handlers/handlers.h"
#include "broker/handlers/part_list.h"
#include "storage/partition.h"

struct epoch_item {
    struct part_item item;
    const struct offset_for_leader_epoch_request_offset_for_leader_partition *wanted;
    struct offset_for_leader_epoch_response_epoch_end_offset *found;
};

static void part_run(struct part *part, struct partition *partition) {
    struct epoch_item *epoch = container_of(part, struct epoch_item, item.part);
    struct partition_view view;
    partition_look(partition, -1, epoch->wanted->current_leader_epoch, &view);
    if (view.code == ERROR_NONE)
        partition_epoch_end(partition, epoch->wanted->leader_epoch, &epoch->found->leader_epoch,
                            &epoch->found->end_offset);
    part_finish(part, view.code);
}

static void prepare_topic(
    struct request *request, struct part_list *list,
    const struct offset_for_leader_epoch_request_offset_for_leader_topic *topic,
    struct offset_for_leader_epoch_response_offset_for_leader_topic_result *to) {
    const struct catalog_topic *known = catalog_find_topic(&request->core->catalog, topic->topic);
    to->topic = topic->topic;
    to->partitions_count = topic->partitions_count;
    to->partitions =
        arena_array(&request->arena, struct offset_for_leader_epoch_response_epoch_end_offset,
                    (size_t)topic->partitions_count);
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        struct epoch_item *epoch = part_list_add(list, &to->partitions[i].error_code);
        epoch->wanted = &topic->partitions[i];
        epoch->found = &to->partitions[i];
        *epoch->found = (struct offset_for_leader_epoch_response_epoch_end_offset){
            .partition = epoch->wanted->partition, .leader_epoch = -1, .end_offset = -1};
        part_find(&epoch->item.part, known, epoch->wanted->partition,
                  ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    }
}

static void start(struct request *request) {
    const struct offset_for_leader_epoch_request *body = request->body;
    struct offset_for_leader_epoch_response *response = request_response(request);
    struct part_list *list = arena_new(&request->arena, struct part_list);
    part_list_init(list, request, response, sizeof(struct epoch_item),
                   PART_LIST_COUNT(body->topics, body->topics_count));
    response->topics_count = body->topics_count;
    response->topics = arena_array(
        &request->arena, struct offset_for_leader_epoch_response_offset_for_leader_topic_result,
        (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++)
        prepare_topic(request, list, &body->topics[i], &response->topics[i]);
    part_list_run(list, part_run);
}

const struct handler offset_for_leader_epoch_handler = {.key = API_OFFSET_FOR_LEADER_EPOCH,
                                                        .start = start};
