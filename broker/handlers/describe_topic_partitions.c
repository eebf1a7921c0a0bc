/* DescribeTopicPartitions (KIP-966): topics in order of name, in pages of at most `limit`
 * partitions; the cursor names the first partition of the next page. */
#include "protocol/describe_topic_partitions.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

enum { PARTITIONS_MAX = 2000 };

struct page {
    struct request *request;
    struct describe_topic_partitions_response *response;
    int32_t room;        /* partitions that still fit */
    struct bytes *names; /* sorted, each once */
    size_t name_count;
    bool all; /* no names were asked for: no errors for what is gone */
};

static int compare_names(const void *a, const void *b) {
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void sort_names(struct page *page) {
    size_t kept = 0;
    if (page->name_count) qsort(page->names, page->name_count, sizeof *page->names, compare_names);
    for (size_t i = 0; i < page->name_count; i++)
        if (i == 0 || !bytes_equal(page->names[i], page->names[kept - 1]))
            page->names[kept++] = page->names[i];
    page->name_count = kept;
}

static void take_names(struct page *page) {
    struct request *request = page->request;
    const struct describe_topic_partitions_request *body = request->body;
    page->all = body->topics_count == 0;
    size_t count =
        page->all ? request->core->catalog.topics_by_name.count : (size_t)body->topics_count;
    page->names = arena_array(&request->arena, struct bytes, count);
    page->name_count = count;
    if (!page->all) {
        for (size_t i = 0; i < count; i++) page->names[i] = body->topics[i].name;
        sort_names(page);
        return;
    }
    struct catalog_topic **topics = catalog_topics_sorted(&request->core->catalog, &count);
    for (size_t i = 0; i < count; i++) page->names[i] = bytes_of_text(topics[i]->name);
    free(topics);
}

/* --- a topic --- */

static void fill_partition(
    struct page *page, const struct catalog_partition *partition,
    struct describe_topic_partitions_response_describe_topic_partitions_response_partition *to) {
    int32_t *broker = admin_this_broker(page->request);
    to->partition_index = partition->index;
    to->leader_id = partition->offline ? -1 : *broker;
    to->leader_epoch = partition->leader_epoch;
    to->replica_nodes_count = to->isr_nodes_count = 1;
    to->replica_nodes = to->isr_nodes = to->offline_replicas = broker;
    to->offline_replicas_count = partition->offline;
    to->eligible_leader_replicas_count = to->last_known_elr_count = 0;
}

/* From the partition `first` on, as many as there is room for; what is left becomes the cursor. */
static void fill_partitions(
    struct page *page, const struct catalog_topic *topic, int32_t first,
    struct describe_topic_partitions_response_describe_topic_partitions_response_topic *to) {
    int32_t left = first < topic->partition_count ? topic->partition_count - first : 0;
    int32_t count = left < page->room ? left : page->room;
    to->partitions = arena_array(
        &page->request->arena,
        struct describe_topic_partitions_response_describe_topic_partitions_response_partition,
        (size_t)count);
    to->partitions_count = count;
    for (int32_t i = 0; i < count; i++)
        fill_partition(page, topic->partitions + first + i, to->partitions + i);
    page->room -= count;
}

static void set_cursor(struct page *page, struct bytes name, int32_t index) {
    page->response->next_cursor =
        arena_new(&page->request->arena, struct describe_topic_partitions_response_cursor);
    page->response->next_cursor->topic_name = name;
    page->response->next_cursor->partition_index = index;
}

/* Words of the error without an entry of its own: the name alone tells. */
static enum error_code missing(struct bytes name) {
    struct error error;
    return catalog_name_is_valid(name, &error) ? ERROR_UNKNOWN_TOPIC_OR_PARTITION
                                               : ERROR_INVALID_TOPIC_EXCEPTION;
}

static void add_topic(struct page *page, struct bytes name, int32_t first) {
    struct describe_topic_partitions_response_describe_topic_partitions_response_topic *to =
        page->response->topics + page->response->topics_count;
    const struct catalog_topic *topic = catalog_find_topic(&page->request->core->catalog, name);
    if (!topic && page->all) return;
    page->response->topics_count++;
    to->name = name;
    to->topic_authorized_operations = topic ? OPERATIONS_OF_TOPIC : OPERATIONS_NOT_ASKED;
    if (!topic) {
        to->error_code = (int16_t)missing(name);
        return;
    }
    to->topic_id = topic->id;
    to->is_internal = topic->internal;
    fill_partitions(page, topic, first, to);
    if (first + to->partitions_count < topic->partition_count)
        set_cursor(page, name, first + to->partitions_count);
}

/* --- the page --- */

static void fill(struct page *page, const struct describe_topic_partitions_request_cursor *cursor) {
    struct bytes from = cursor ? cursor->topic_name : BYTES_NULL;
    for (size_t i = 0; i < page->name_count && !page->response->next_cursor; i++) {
        struct bytes name = page->names[i];
        if (bytes_compare(name, from) < 0) continue;
        if (page->room == 0)
            set_cursor(page, name, 0);
        else
            add_topic(page, name, cursor && bytes_equal(name, from) ? cursor->partition_index : 0);
    }
}

static void start(struct request *request) {
    const struct describe_topic_partitions_request *body = request->body;
    int32_t limit = body->response_partition_limit;
    if (!admin_count_is_good(request, body->topics_count)) return;
    if (body->cursor && body->cursor->partition_index < 0) {
        request_fail(request, ERROR_INVALID_REQUEST, "the cursor's partition is negative");
        return;
    }
    struct page page = {.request = request, .response = request_response(request)};
    page.room = limit > 0 && limit < PARTITIONS_MAX ? limit : PARTITIONS_MAX;
    take_names(&page);
    page.response->topics = arena_array(
        &request->arena,
        struct describe_topic_partitions_response_describe_topic_partitions_response_topic,
        page.name_count);
    fill(&page, body->cursor);
    request_answer(request, page.response);
}

const struct handler describe_topic_partitions_handler = {.key = API_DESCRIBE_TOPIC_PARTITIONS,
                                                          .start = start};
