/* DeleteRecords (KIP-107): moves the start of partitions forward, durably, before it is answered.
 * Internal topics are the broker's own and keep their records. */
#include "protocol/delete_records.h"

#include "broker/handlers/handlers.h"
#include "broker/handlers/part.h"
#include "storage/partition.h"

struct trim_part {
    struct part part;
    const struct delete_records_request_delete_records_partition *wanted;
    struct delete_records_response_delete_records_partition_result *result;
    struct trim trim;
};

struct delete_records {
    struct parts parts;
    struct delete_records_response *response;
    struct trim_part *items;
    int32_t count;
};

static void trim_finish(struct trim_part *item) {
    if (item->trim.code == ERROR_NONE) item->result->low_watermark = item->trim.low_watermark;
    part_finish(&item->part, item->trim.code);
}

static void trim_done(struct trim *trim) {
    trim_finish(container_of(trim, struct trim_part, trim));
}

static void part_run(struct part *part, struct partition *partition) {
    struct trim_part *item = container_of(part, struct trim_part, part);
    item->trim.offset = item->wanted->offset;
    item->trim.done = trim_done;
    list_init(&item->trim.link);
    if (partition_trim(partition, &item->trim)) trim_finish(item);
}

static void done(struct request *request) {
    struct delete_records *state = request->state;
    for (int32_t i = 0; i < state->count; i++)
        state->items[i].result->error_code = (int16_t)state->items[i].part.code;
    request_answer_large(request, state->response);
}

static int32_t count_partitions(const struct delete_records_request *body) {
    int32_t count = 0;
    for (int32_t i = 0; i < body->topics_count; i++) count += body->topics[i].partitions_count;
    return count;
}

static void prepare_part(struct trim_part *item, const struct catalog_topic *known) {
    item->result->partition_index = item->wanted->partition_index;
    item->result->low_watermark = -1;
    if (!part_find(&item->part, known, item->wanted->partition_index,
                   ERROR_UNKNOWN_TOPIC_OR_PARTITION))
        return;
    if (known->internal) item->part.code = ERROR_INVALID_TOPIC_EXCEPTION;
    if (item->wanted->offset < -1) item->part.code = ERROR_OFFSET_OUT_OF_RANGE;
}

static void prepare_topic(struct request *request, struct delete_records *state,
                          const struct delete_records_request_delete_records_topic *topic,
                          struct delete_records_response_delete_records_topic_result *to) {
    const struct catalog_topic *known = catalog_find_topic(&request->core->catalog, topic->name);
    to->name = topic->name;
    to->partitions_count = topic->partitions_count;
    to->partitions =
        arena_array(&request->arena, struct delete_records_response_delete_records_partition_result,
                    (size_t)topic->partitions_count);
    for (int32_t i = 0; i < topic->partitions_count; i++) {
        struct trim_part *item = &state->items[state->count++];
        item->wanted = &topic->partitions[i];
        item->result = &to->partitions[i];
        prepare_part(item, known);
    }
}

static void start(struct request *request) {
    const struct delete_records_request *body = request->body;
    struct delete_records *state = arena_new(&request->arena, struct delete_records);
    request->state = state;
    state->response = request_response(request);
    state->items = arena_array(&request->arena, struct trim_part, (size_t)count_partitions(body));
    state->response->topics_count = body->topics_count;
    state->response->topics =
        arena_array(&request->arena, struct delete_records_response_delete_records_topic_result,
                    (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++)
        prepare_topic(request, state, &body->topics[i], &state->response->topics[i]);
    parts_begin(&state->parts, request, done);
    for (int32_t i = 0; i < state->count; i++)
        if (state->items[i].part.code == ERROR_NONE)
            part_send(&state->parts, &state->items[i].part, part_run);
    parts_end(&state->parts);
}

const struct handler delete_records_handler = {.key = API_DELETE_RECORDS, .start = start};
