#include "broker/fetch_session.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/arena.h"

enum { TOTAL = 16 << 20, ME = 1, MANY = 100 };

static struct fetch_request_fetch_partition partitions[MANY];

/* Partitions [first, first + count) of a topic, wanted from an offset on. */
static struct fetch_request_fetch_topic want(const char *name, int32_t first, int32_t count,
                                             int64_t offset) {
    for (int32_t i = first; i < first + count; i++)
        partitions[i] = (struct fetch_request_fetch_partition){
            .partition = i, .fetch_offset = offset, .partition_max_bytes = 1000};
    struct fetch_request_fetch_topic topic = {
        .topic = bytes_of_text(name), .partitions_count = count, .partitions = partitions + first};
    memcpy(topic.topic_id.raw, name, strlen(name) < 16 ? strlen(name) : 16);
    return topic;
}

static struct fetch_request ask(struct fetch_request_fetch_topic *topics, int32_t count) {
    return (struct fetch_request){.topics_count = count, .topics = topics};
}

/* "a0@5 a1@5 b0@0": what the session wants now. */
static const char *list_of(const struct fetch_session *session) {
    static char text[1000];
    struct arena arena;
    struct session_partition **kept;
    size_t len = 0;
    arena_init(&arena, 1 << 20);
    const struct fetch_request_fetch_topic *topics = fetch_session_topics(session, &arena, &kept);
    text[0] = '\0';
    for (int32_t i = 0; i < session->topic_count; i++)
        for (int32_t k = 0; k < topics[i].partitions_count; k++) {
            const struct fetch_request_fetch_partition *one = &topics[i].partitions[k];
            cr_assert_eq((*kept++)->wanted.partition, one->partition);
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "%s%c%d@%d", len ? " " : "",
                                 session->by_id ? topics[i].topic_id.raw[0] : topics[i].topic.at[0],
                                 one->partition, (int)one->fetch_offset);
        }
    arena_deinit(&arena);
    return text;
}

static struct fetch_session *open_session(struct admission *admission, bool by_id) {
    struct fetch_request_fetch_topic topics[] = {want("a", 0, 3, 5), want("b", 0, 1, 5)};
    struct fetch_request request = ask(topics, 2);
    admission_init(admission, TOTAL);
    struct fetch_session *session = fetch_session_new(admission, ME, 7, &request, by_id);
    cr_assert_not_null(session);
    return session;
}

Test(fetch_session, keeps_what_is_wanted) {
    for (int by_id = 0; by_id < 2; by_id++) {
        struct admission admission;
        struct fetch_session *session = open_session(&admission, by_id);
        cr_assert_gt(session->id, 0);
        cr_assert_eq(session->epoch, 1);
        cr_assert_str_eq(list_of(session), "a0@5 a1@5 a2@5 b0@5");
        struct fetch_request_fetch_topic topics[] = {want("a", 1, 1, 9), want("c", 4, 1, 0)};
        int32_t forgotten[] = {0, 2, 77};
        struct fetch_request_forgotten_topic forget[] = {
            {topics[0].topic, topics[0].topic_id, 3, forgotten},
            {BYTES_OF("z"), {{'z'}}, 3, forgotten}};
        struct fetch_request request = ask(topics, 2);
        request.forgotten_topics_data = forget;
        request.forgotten_topics_data_count = 2;
        cr_assert(fetch_session_go_on(session, &request));
        cr_assert_eq(session->epoch, 2);
        cr_assert_str_eq(list_of(session), "a1@9 b0@5 c4@0");
        request = ask(NULL, 0);
        request.forgotten_topics_data = forget + 1;
        request.forgotten_topics_data_count = 1;
        cr_assert(fetch_session_go_on(session, &request));
        cr_assert_str_eq(list_of(session), "a1@9 b0@5 c4@0", "no news is no change");
        fetch_session_free(session);
        cr_assert_eq(admission.used[ADMIT_KEPT], 0);
    }
}

Test(fetch_session, ends_with_its_last_partition) {
    struct admission admission;
    struct fetch_session *session = open_session(&admission, false);
    int32_t all[] = {0, 1, 2};
    struct fetch_request_forgotten_topic forget[] = {{.topic = BYTES_OF("a"), {{0}}, 3, all},
                                                     {.topic = BYTES_OF("b"), {{0}}, 1, all}};
    struct fetch_request request = {.forgotten_topics_data = forget,
                                    .forgotten_topics_data_count = 2};
    cr_assert(fetch_session_go_on(session, &request));
    cr_assert_eq(session->partition_count, 0);
    cr_assert_eq(session->topic_count, 0);
    cr_assert_str_eq(list_of(session), "");
    fetch_session_free(session);
    cr_assert_eq(admission.used[ADMIT_KEPT], 0);
}

Test(fetch_session, who_may_go_on) {
    struct admission admission;
    struct fetch_session *session = open_session(&admission, false);
    struct fetch_request request = {.session_id = session->id, .session_epoch = 1};
    cr_assert_eq(fetch_session_check(session, &request, false), ERROR_NONE);
    cr_assert_eq(fetch_session_check(NULL, &request, false), ERROR_FETCH_SESSION_ID_NOT_FOUND);
    cr_assert_eq(fetch_session_check(session, &request, true), ERROR_FETCH_SESSION_TOPIC_ID_ERROR);
    request.session_epoch = 2;
    cr_assert_eq(fetch_session_check(session, &request, false), ERROR_INVALID_FETCH_SESSION_EPOCH);
    request.session_id++;
    cr_assert_eq(fetch_session_check(session, &request, false), ERROR_FETCH_SESSION_ID_NOT_FOUND);
    request = ask(NULL, 0);
    session->epoch = INT32_MAX;
    cr_assert(fetch_session_go_on(session, &request));
    cr_assert_eq(session->epoch, 1, "0 and -1 have other meanings");
    fetch_session_free(session);
}

Test(fetch_session, what_changed) {
    struct admission admission;
    struct fetch_session *session = open_session(&admission, false);
    struct fetch_request_fetch_topic topic = want("a", 0, 1, 5);
    struct session_partition *partition = fetch_session_find(session, &topic, 0);
    struct fetch_response_partition_data data = {.high_watermark = 5};
    cr_assert_null(fetch_session_find(session, &topic, 9));
    cr_assert(session_partition_changed(partition, &data), "the first time");
    cr_assert_not(session_partition_changed(partition, &data));
    data.last_stable_offset = 3;
    cr_assert_not(session_partition_changed(partition, &data));
    data.high_watermark = 6;
    cr_assert(session_partition_changed(partition, &data));
    data.log_start_offset = 1;
    cr_assert(session_partition_changed(partition, &data));
    data.records.total = 100;
    cr_assert(session_partition_changed(partition, &data));
    cr_assert(session_partition_changed(partition, &data), "records, each time");
    data.records.total = 0;
    data.error_code = ERROR_OFFSET_OUT_OF_RANGE;
    cr_assert(session_partition_changed(partition, &data));
    cr_assert(session_partition_changed(partition, &data), "errors, each time");
    data.error_code = ERROR_NONE;
    cr_assert(session_partition_changed(partition, &data), "the first after an error");
    cr_assert_not(session_partition_changed(partition, &data));
    fetch_session_free(session);
}

Test(fetch_session, who_got_records_comes_last) {
    struct admission admission;
    struct fetch_session *session = open_session(&admission, false);
    struct fetch_request_fetch_topic a = want("a", 0, 3, 5), b = want("b", 0, 1, 5);
    session_partition_served(session, fetch_session_find(session, &a, 0));
    cr_assert_str_eq(list_of(session), "b0@5 a1@5 a2@5 a0@5");
    session_partition_served(session, fetch_session_find(session, &b, 0));
    session_partition_served(session, fetch_session_find(session, &a, 1));
    cr_assert_str_eq(list_of(session), "b0@5 a2@5 a0@5 a1@5");
    fetch_session_free(session);
}

Test(fetch_session, memory_is_admitted) {
    struct admission admission;
    struct fetch_request_fetch_topic topics[] = {want("a", 0, MANY, 0)};
    struct fetch_request request = ask(topics, 1);
    admission_init(&admission, 1 << 20);
    struct fetch_session *sessions[MANY];
    int count = 0;
    while (count < MANY &&
           (sessions[count] = fetch_session_new(&admission, ME, (uint64_t)count, &request, false)))
        count++;
    cr_assert_gt(count, 1);
    cr_assert_lt(count, MANY);
    cr_assert_leq(admission.used[ADMIT_KEPT], admission.kept);
    cr_assert_neq(sessions[0]->id, sessions[1]->id);
    struct fetch_request_fetch_topic more[] = {want("b", 0, MANY, 0)};
    request = ask(more, 1);
    cr_assert_not(fetch_session_go_on(sessions[0], &request), "nothing is left to grow with");
    for (int i = 0; i < count; i++) fetch_session_free(sessions[i]);
    cr_assert_eq(admission.used[ADMIT_KEPT], 0);
}
