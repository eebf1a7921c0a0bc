/* DeleteRecords (KIP-107): moves the start of partitions forward, durably, before it is answered.
 * Internal topics are the broker's own and keep their records. */
#include "protocol/delete_records.h"

#include "broker/handlers/handlers.h"
#include "broker/handlers/part_list.h"
#include "storage/partition.h"

struct trim_item {
    struct part_item item;
    struct delete_records_response_delete_records_partition_result *result;
    struct trim trim;
};

static void trim_finish(struct trim_item *trimmed) {
    if (trimmed->trim.code == ERROR_NONE)
        trimmed->result->low_watermark = trimmed->trim.low_watermark;
    part_finish(&trimmed->item.part, trimmed->trim.code);
}

static void trim_done(struct trim *trim) {
    trim_finish(container_of(trim, struct trim_item, trim));
}

static void part_run(struct part *part, struct partition *partition) {
    struct trim_item *trimmed = container_of(part, struct trim_item, item.part);
    trimmed->trim.done = trim_done;
    list_init(&trimmed->trim.link);
    if (partition_trim(partition, &trimmed->trim)) trim_finish(trimmed);
}

static void prepare_part(struct part_list *list, const struct catalog_topic *known,
                         const struct delete_records_request_delete_records_partition *wanted,
                         struct delete_records_response_delete_records_partition_result *to) {
    struct trim_item *trimmed = part_list_add(list, &to->error_code);
    struct part *part = &trimmed->item.part;
    trimmed->result = to;
    trimmed->trim.offset = wanted->offset;
    to->partition_index = wanted->partition_index;
    to->low_watermark = -1;
    if (!part_find(part, known, wanted->partition_index, ERROR_UNKNOWN_TOPIC_OR_PARTITION)) return;
    if (catalog_topic_is_ours(&list->parts.request->core->catalog, known))
        part->code = ERROR_INVALID_TOPIC_EXCEPTION;
    if (wanted->offset < -1) part->code = ERROR_OFFSET_OUT_OF_RANGE;
}

static void prepare_topic(struct request *request, struct part_list *list,
                          const struct delete_records_request_delete_records_topic *topic,
                          struct delete_records_response_delete_records_topic_result *to) {
    const struct catalog_topic *known = catalog_find_topic(&request->core->catalog, topic->name);
    to->name = topic->name;
    to->partitions_count = topic->partitions_count;
    to->partitions =
        arena_array(&request->arena, struct delete_records_response_delete_records_partition_result,
                    (size_t)topic->partitions_count);
    for (int32_t i = 0; i < topic->partitions_count; i++)
        prepare_part(list, known, &topic->partitions[i], &to->partitions[i]);
}

static void start(struct request *request) {
    const struct delete_records_request *body = request->body;
    struct delete_records_response *response = request_response(request);
    struct part_list *list = arena_new(&request->arena, struct part_list);
    part_list_init(list, request, response, sizeof(struct trim_item),
                   PART_LIST_COUNT(body->topics, body->topics_count));
    response->topics_count = body->topics_count;
    response->topics =
        arena_array(&request->arena, struct delete_records_response_delete_records_topic_result,
                    (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++)
        prepare_topic(request, list, &body->topics[i], &response->topics[i]);
    part_list_run(list, part_run);
}

const struct handler delete_records_handler = {.key = API_DELETE_RECORDS, .start = start};
