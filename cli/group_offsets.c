#include "cli/group_offsets.h"

#include <stdlib.h>

#include "cli/offsets.h"
#include "protocol/offset_fetch.h"

enum { OFFSET_FETCH_VERSION = 7 /* one group, topics by name */, WIDTH_MAX = 60 };

struct group_offset *group_offsets_add(struct session *session, struct group_offsets *offsets,
                                       struct bytes topic, int32_t partition) {
    if (offsets->count == offsets->capacity) {
        size_t capacity = offsets->capacity * 2 + 16;
        struct group_offset *items = arena_array(&session->arena, struct group_offset, capacity);
        if (offsets->count) memcpy(items, offsets->items, offsets->count * sizeof *items);
        offsets->items = items;
        offsets->capacity = capacity;
    }
    struct group_offset *fresh = &offsets->items[offsets->count++];
    *fresh = (struct group_offset){.topic = topic,
                                   .partition = partition,
                                   .leader = -1,
                                   .committed = -1,
                                   .first = -1,
                                   .end = -1};
    return fresh;
}

static bool take_committed(struct session *session, const struct group *group,
                           const struct offset_fetch_response *response,
                           struct group_offsets *offsets) {
    for (int32_t t = 0; t < response->topics_count; t++) {
        const struct offset_fetch_response_offset_fetch_response_topic *topic =
            &response->topics[t];
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            if (topic->partitions[p].error_code)
                return cluster_refused(session->error, topic->partitions[p].error_code, BYTES_NULL,
                                       "cannot read the offsets of group %s for topic %.*s",
                                       group->name, BYTES_FORMAT(topic->name));
            group_offsets_add(session, offsets, topic->name, topic->partitions[p].partition_index)
                ->committed = topic->partitions[p].committed_offset;
        }
    }
    return true;
}

bool group_offsets_read(struct session *session, const struct group *group,
                        struct group_offsets *offsets) {
    struct offset_fetch_request request;
    struct offset_fetch_response response;
    message_defaults(&offset_fetch_request_message, &request);
    request.group_id = bytes_of_text(group->name);
    request.topics_count = -1; /* all */
    *offsets = (struct group_offsets){0};
    if (!group_call(session, group, API_OFFSET_FETCH, OFFSET_FETCH_VERSION, &request, &response))
        return false;
    if (response.error_code)
        return cluster_refused(session->error, response.error_code, BYTES_NULL,
                               "cannot read the offsets of group %s", group->name);
    return take_committed(session, group, &response, offsets);
}

/* ---- where the logs begin and end ---- */

static int compare_offsets(const void *a, const void *b) {
    const struct group_offset *left = a, *right = b;
    int order = bytes_compare(left->topic, right->topic);
    return order ? order
                 : (left->partition > right->partition) - (left->partition < right->partition);
}

void group_offsets_join(struct group_offsets *offsets) {
    size_t kept = 0;
    if (!offsets->count) return;
    qsort(offsets->items, offsets->count, sizeof *offsets->items, compare_offsets);
    for (size_t at = 0; at < offsets->count; at++) {
        const struct group_offset *next = &offsets->items[at];
        struct group_offset *last = kept ? &offsets->items[kept - 1] : NULL;
        if (!last || compare_offsets(last, next) != 0) {
            offsets->items[kept++] = *next;
            continue;
        }
        if (last->committed < 0) last->committed = next->committed;
        if (!last->member) last->member = next->member;
        last->chosen = last->chosen || next->chosen;
    }
    offsets->count = kept;
}

/* How many items from `at` on are of its topic. */
static size_t topic_run(const struct group_offsets *offsets, size_t at) {
    size_t end = at;
    while (end < offsets->count && bytes_equal(offsets->items[end].topic, offsets->items[at].topic))
        end++;
    return end - at;
}

static struct group_offset *offset_find(const struct group_offsets *offsets, struct bytes topic,
                                        int32_t partition) {
    struct group_offset key = {.topic = topic, .partition = partition};
    return bsearch(&key, offsets->items, offsets->count, sizeof key, compare_offsets);
}

static void take_leaders(struct group_offsets *offsets, const struct metadata_response *response) {
    for (int32_t t = 0; t < response->topics_count; t++)
        for (int32_t p = 0; p < response->topics[t].partitions_count; p++) {
            struct group_offset *item =
                offset_find(offsets, response->topics[t].name,
                            response->topics[t].partitions[p].partition_index);
            if (item) item->leader = response->topics[t].partitions[p].leader_id;
        }
}

static bool ask_leaders(struct session *session, struct group_offsets *offsets) {
    struct metadata_response response;
    struct bytes *names = arena_array(&session->arena, struct bytes, offsets->count + 1);
    int32_t count = 0;
    for (size_t at = 0; at < offsets->count; at += topic_run(offsets, at))
        names[count++] = offsets->items[at].topic;
    if (!cluster_metadata(session->cluster, names, count, false, &session->arena, &response,
                          session->error))
        return false;
    take_leaders(offsets, &response);
    return true;
}

/* Of the items [at, at + count), which are of one topic. */
static bool ask_topic(struct session *session, const struct group_offsets *offsets, size_t at,
                      size_t count, int64_t timestamp, int64_t *answers) {
    struct offset_wish *wishes = arena_array(&session->arena, struct offset_wish, count);
    const char *topic = arena_text(&session->arena, offsets->items[at].topic);
    size_t wished = 0;
    for (size_t i = at; i < at + count; i++)
        if (offsets->items[i].leader >= 0)
            wishes[wished++] = (struct offset_wish){offsets->items[i].partition,
                                                    offsets->items[i].leader, timestamp, -1};
    if (!offsets_list(session->cluster, topic, wishes, wished, &session->arena, session->error))
        return false;
    for (size_t i = at, next = 0; i < at + count; i++)
        answers[i] = offsets->items[i].leader >= 0 ? wishes[next++].offset : -1;
    return true;
}

const int64_t *group_offsets_at(struct session *session, const struct group_offsets *offsets,
                                int64_t timestamp) {
    int64_t *answers = arena_array(&session->arena, int64_t, offsets->count + 1);
    for (size_t at = 0, count; at < offsets->count; at += count) {
        count = topic_run(offsets, at);
        if (!ask_topic(session, offsets, at, count, timestamp, answers)) return NULL;
    }
    return answers;
}

bool group_offsets_locate(struct session *session, struct group_offsets *offsets) {
    if (!offsets->count) return true;
    if (!ask_leaders(session, offsets)) return false;
    const int64_t *firsts = group_offsets_at(session, offsets, OFFSETS_EARLIEST);
    const int64_t *ends = firsts ? group_offsets_at(session, offsets, OFFSETS_LATEST) : NULL;
    for (size_t at = 0; ends && at < offsets->count; at++) {
        offsets->items[at].first = firsts[at];
        offsets->items[at].end = ends[at];
    }
    return ends != NULL;
}

/* ---- what they mean ---- */

int64_t group_offset_lag(const struct group_offset *offset) {
    if (offset->committed < 0 || offset->end < 0) return -1;
    return offset->committed < offset->end ? offset->end - offset->committed : 0;
}

int group_offsets_width(const struct group_offsets *offsets, int least) {
    int width = least;
    for (size_t at = 0; at < offsets->count; at++) {
        int len = (int)offsets->items[at].topic.len;
        if (len > width) width = len < WIDTH_MAX ? len : WIDTH_MAX;
    }
    return width;
}
