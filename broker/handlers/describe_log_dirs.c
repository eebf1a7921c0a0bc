/* DescribeLogDirs (KIP-113, KIP-827): the data directory is the one log directory. Sizes come from
 * the partitions where they live, by errands. Kafka answers for a failed directory without its
 * partitions: so what recovery has taken offline is left out, and the folder in which it has put
 * what it could not read is shown as failed. */
#include "protocol/describe_log_dirs.h"

#include <limits.h>
#include <sys/statvfs.h>

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"
#include "broker/handlers/partition_visit.h"
#include "storage/layout.h"

struct inquiry {
    struct visit visit;
    struct describe_log_dirs_response *response;
    struct describe_log_dirs_response_describe_log_dirs_result *result;
    bool has_offline; /* among those that were asked for */
};

static void look(struct visit *visit, struct visit_item *item, struct partition *partition) {
    struct describe_log_dirs_response_describe_log_dirs_partition *out = item->out;
    (void)visit;
    out->partition_size = partition ? (int64_t)partition_size_bytes(partition) : 0;
}

static void done(struct visit *visit) {
    struct inquiry *inquiry = container_of(visit, struct inquiry, visit);
    request_answer_large(visit->request, inquiry->response);
}

/* --- which partitions --- */

static void add_partition(struct inquiry *inquiry, const struct catalog_partition *partition,
                          struct describe_log_dirs_response_describe_log_dirs_topic *topic) {
    if (partition->offline) {
        inquiry->has_offline = true;
        return;
    }
    struct describe_log_dirs_response_describe_log_dirs_partition *to =
        topic->partitions + topic->partitions_count++;
    to->partition_index = partition->index;
    inquiry->visit.items[inquiry->visit.item_count++] =
        (struct visit_item){.partition_id = partition->id, .shard = partition->shard, .out = to};
}

static struct describe_log_dirs_response_describe_log_dirs_topic *add_topic(
    struct inquiry *inquiry, const struct catalog_topic *topic, int32_t partitions) {
    struct arena *arena = &inquiry->visit.request->arena;
    struct describe_log_dirs_response_describe_log_dirs_topic *to =
        inquiry->result->topics + inquiry->result->topics_count++;
    to->name = arena_copy(arena, bytes_of_text(topic->name));
    to->partitions = arena_array(
        arena, struct describe_log_dirs_response_describe_log_dirs_partition, (size_t)partitions);
    return to;
}

static void take_all(struct inquiry *inquiry) {
    size_t count;
    struct request *request = inquiry->visit.request;
    struct catalog_topic **topics = catalog_topics_sorted(&request->core->catalog, &count);
    inquiry->result->topics = arena_array(
        &request->arena, struct describe_log_dirs_response_describe_log_dirs_topic, count);
    inquiry->visit.items =
        arena_array(&request->arena, struct visit_item, request->core->catalog.partition_count);
    for (size_t i = 0; i < count; i++) {
        struct describe_log_dirs_response_describe_log_dirs_topic *to =
            add_topic(inquiry, topics[i], topics[i]->partition_count);
        for (int32_t j = 0; j < topics[i]->partition_count; j++)
            add_partition(inquiry, topics[i]->partitions + j, to);
    }
    free(topics);
}

/* What was asked for and exists; Kafka leaves the rest out without a word. */
static void take_some(struct inquiry *inquiry, const struct describe_log_dirs_request *body) {
    struct request *request = inquiry->visit.request;
    size_t partitions = 0;
    for (int32_t i = 0; i < body->topics_count; i++)
        partitions += (size_t)body->topics[i].partitions_count;
    inquiry->visit.items = arena_array(&request->arena, struct visit_item, partitions);
    inquiry->result->topics =
        arena_array(&request->arena, struct describe_log_dirs_response_describe_log_dirs_topic,
                    (size_t)body->topics_count);
    for (int32_t i = 0; i < body->topics_count; i++) {
        const struct describe_log_dirs_request_describable_log_dir_topic *asked = body->topics + i;
        const struct catalog_topic *topic =
            catalog_find_topic(&request->core->catalog, asked->topic);
        if (!topic) continue;
        struct describe_log_dirs_response_describe_log_dirs_topic *to =
            add_topic(inquiry, topic, asked->partitions_count);
        for (int32_t j = 0; j < asked->partitions_count; j++) {
            const struct catalog_partition *partition =
                admin_partition(topic, asked->partitions[j]);
            if (partition) add_partition(inquiry, partition, to);
        }
    }
}

/* --- the directory --- */

static void describe_directory(struct request *request,
                               struct describe_log_dirs_response_describe_log_dirs_result *result) {
    const char *data = request->core->options->data;
    char *path = realpath(data, NULL);
    struct statvfs space;
    result->log_dir = arena_copy(&request->arena, bytes_of_text(path ? path : data));
    result->total_bytes = result->usable_bytes = -1;
    if (path && statvfs(path, &space) == 0) {
        result->total_bytes = (int64_t)(space.f_blocks * space.f_frsize);
        result->usable_bytes = (int64_t)(space.f_bavail * space.f_frsize);
    }
    free(path);
}

static void describe_damaged(struct inquiry *inquiry) {
    struct describe_log_dirs_response_describe_log_dirs_result *result =
        &inquiry->result[inquiry->response->results_count++];
    struct bytes data = inquiry->result->log_dir, folder = BYTES_OF("/" LAYOUT_DAMAGED);
    uint8_t *path = arena_zero(&inquiry->visit.request->arena, 1, data.len + folder.len);
    memcpy(path, data.at, data.len);
    memcpy(path + data.len, folder.at, folder.len);
    result->log_dir = bytes_make(path, data.len + folder.len);
    result->error_code = ERROR_KAFKA_STORAGE_ERROR;
    result->total_bytes = result->usable_bytes = -1;
}

static void start(struct request *request) {
    const struct describe_log_dirs_request *body = request->body;
    struct inquiry *inquiry = arena_new(&request->arena, struct inquiry);
    if (!admin_count_is_good(request, body->topics_count)) return;
    inquiry->response = request_response(request);
    inquiry->result =
        arena_array(&request->arena, struct describe_log_dirs_response_describe_log_dirs_result, 2);
    inquiry->response->results = inquiry->result;
    inquiry->response->results_count = 1;
    describe_directory(request, inquiry->result);
    inquiry->visit.request = request;
    inquiry->visit.look = look;
    inquiry->visit.done = done;
    if (body->topics_count < 0)
        take_all(inquiry);
    else
        take_some(inquiry, body);
    if (inquiry->has_offline) describe_damaged(inquiry);
    visit_start(&inquiry->visit);
}

const struct handler describe_log_dirs_handler = {.key = API_DESCRIBE_LOG_DIRS, .start = start};
