#include "cli/offsets.h"

#include <errno.h>

#include "protocol/list_offsets.h"

enum { LIST_OFFSETS_VERSION = 7 };

static bool take_answers(const char *topic, const struct list_offsets_response *response,
                         struct offset_wish *wishes, size_t count, struct error *error) {
    for (int32_t t = 0; t < response->topics_count; t++)
        for (int32_t p = 0; p < response->topics[t].partitions_count; p++) {
            const struct list_offsets_response_list_offsets_partition_response *one =
                &response->topics[t].partitions[p];
            if (one->error_code)
                return cluster_refused(error, one->error_code, BYTES_NULL,
                                       "cannot list offsets of topic %s, partition %d", topic,
                                       one->partition_index);
            for (size_t at = 0; at < count; at++)
                if (wishes[at].partition == one->partition_index) wishes[at].offset = one->offset;
        }
    return true;
}

/* The wishes of one leader in one request. */
static bool list_of_leader(struct cluster *cluster, const char *topic, struct offset_wish *wishes,
                           size_t count, int32_t leader, struct arena *arena, struct error *error) {
    struct list_offsets_request request;
    struct list_offsets_response response;
    struct list_offsets_request_list_offsets_topic one = {.name = bytes_of_text(topic)};
    one.partitions = arena_array(arena, struct list_offsets_request_list_offsets_partition, count);
    for (size_t at = 0; at < count; at++)
        if (wishes[at].leader == leader)
            one.partitions[one.partitions_count++] =
                (struct list_offsets_request_list_offsets_partition){wishes[at].partition, -1,
                                                                     wishes[at].timestamp};
    message_defaults(&list_offsets_request_message, &request);
    request.replica_id = -1;
    request.topics_count = 1;
    request.topics = &one;
    return cluster_call(cluster, leader, API_LIST_OFFSETS, LIST_OFFSETS_VERSION, &request, arena,
                        &response, error) &&
           take_answers(topic, &response, wishes, count, error);
}

bool offsets_list(struct cluster *cluster, const char *topic, struct offset_wish *wishes,
                  size_t count, struct arena *arena, struct error *error) {
    for (size_t at = 0; at < count; at++) {
        size_t before = 0;
        while (wishes[before].leader != wishes[at].leader) before++;
        if (before < at) continue; /* that leader was asked */
        if (!list_of_leader(cluster, topic, wishes, count, wishes[at].leader, arena, error))
            return false;
    }
    return true;
}
