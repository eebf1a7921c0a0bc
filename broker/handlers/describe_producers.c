/* DescribeProducers (KIP-664): what partitions know of their idempotent producers. The states are
 * copied to the heap where the partition lives, and to the request's arena when they are back. A
 * partition that is named again is refused, as ListOffsets does. */
#include "protocol/describe_producers.h"

#include "base/seen.h"
#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"
#include "broker/handlers/partition_visit.h"

struct inquiry {
    struct visit visit;
    struct describe_producers_response *response;
    struct seen seen; /* partitions; while they are taken */
};

static void fill_state(const struct producer *producer,
                       struct describe_producers_response_producer_state *to) {
    *to = (struct describe_producers_response_producer_state){
        .producer_id = producer->id,
        .producer_epoch = producer->epoch,
        .last_sequence = -1,
        .last_timestamp = producer->last_append_ms,
        .coordinator_epoch = -1,
        .current_txn_start_offset = -1,
    };
    if (producer->batch_count == 0) return;
    const struct producer_batch *newest = producer->batches + producer->batch_count - 1;
    to->last_sequence = batch_sequence_add(newest->base_sequence, newest->last_offset_delta);
    if (newest->max_timestamp >= 0) to->last_timestamp = newest->max_timestamp;
}

static void look(struct visit *visit, struct visit_item *item, struct partition *partition) {
    struct describe_producers_response_partition_response *to = item->out;
    (void)visit;
    if (!partition) {
        to->error_code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    const struct producers *producers = partition_producers(partition);
    to->active_producers = memory_zero(producers_count(producers), sizeof *to->active_producers);
    list_each(node, &producers->by_age)
        fill_state(list_entry(node, struct producer, by_age),
                   to->active_producers + to->active_producers_count++);
}

static void done(struct visit *visit) {
    struct inquiry *inquiry = container_of(visit, struct inquiry, visit);
    for (int32_t i = 0; i < visit->item_count; i++) {
        struct describe_producers_response_partition_response *to = visit->items[i].out;
        void *on_heap = to->active_producers;
        size_t size = (size_t)to->active_producers_count * sizeof *to->active_producers;
        to->active_producers = arena_zero(&visit->request->arena, 1, size);
        if (size) memcpy(to->active_producers, on_heap, size);
        free(on_heap);
    }
    request_answer_large(visit->request, inquiry->response);
}

static void take_partition(struct inquiry *inquiry, const struct catalog_topic *topic,
                           int32_t index,
                           struct describe_producers_response_partition_response *to) {
    const struct catalog_partition *partition = admin_partition(topic, index);
    to->partition_index = index;
    if (!partition) {
        to->error_code = ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        to->error_message = bytes_of_text("This server does not host this topic-partition.");
        return;
    }
    if (!seen_add(&inquiry->seen, bytes_make(&partition->id, sizeof partition->id))) {
        to->error_code = ERROR_INVALID_REQUEST;
        to->error_message = bytes_of_text("The partition is named twice.");
        return;
    }
    inquiry->visit.items[inquiry->visit.item_count++] =
        (struct visit_item){.partition_id = partition->id, .shard = partition->shard, .out = to};
}

static void take_topic(struct inquiry *inquiry,
                       const struct describe_producers_request_topic_request *asked,
                       struct describe_producers_response_topic_response *to) {
    struct request *request = inquiry->visit.request;
    const struct catalog_topic *topic = catalog_find_topic(&request->core->catalog, asked->name);
    to->name = asked->name;
    to->partitions_count = asked->partition_indexes_count;
    to->partitions =
        arena_array(&request->arena, struct describe_producers_response_partition_response,
                    (size_t)asked->partition_indexes_count);
    for (int32_t i = 0; i < to->partitions_count; i++)
        take_partition(inquiry, topic, asked->partition_indexes[i], to->partitions + i);
}

static void start(struct request *request) {
    const struct describe_producers_request *body = request->body;
    struct inquiry *inquiry = arena_new(&request->arena, struct inquiry);
    size_t partitions = 0;
    if (!admin_count_is_good(request, body->topics_count)) return;
    for (int32_t i = 0; i < body->topics_count; i++)
        partitions += (size_t)body->topics[i].partition_indexes_count;
    inquiry->visit = (struct visit){.request = request, .look = look, .done = done};
    inquiry->visit.items = arena_array(&request->arena, struct visit_item, partitions);
    inquiry->response = request_response(request);
    inquiry->response->topics =
        arena_array(&request->arena, struct describe_producers_response_topic_response,
                    (size_t)body->topics_count);
    inquiry->response->topics_count = body->topics_count;
    seen_init(&inquiry->seen, &request->arena);
    for (int32_t i = 0; i < body->topics_count; i++)
        take_topic(inquiry, body->topics + i, inquiry->response->topics + i);
    seen_deinit(&inquiry->seen);
    visit_start(&inquiry->visit);
}

const struct handler describe_producers_handler = {.key = API_DESCRIBE_PRODUCERS, .start = start};
