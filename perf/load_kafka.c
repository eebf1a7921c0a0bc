/* Kafka's own protocol for the load generator: Produce, Fetch, and topics. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "perf/frames.h"
#include "perf/load.h"
#include "perf/process.h"

enum { SETTLE_US = 20000, SETTLES_MAX = 1500, LEADERS_AT_ONCE = 1000 };

static struct bytes kafka_payload_make(const struct load_options *options, uint64_t seed) {
    return batch_make(options->record_bytes, options->batch_bytes, seed);
}

/* Before ApiVersions, a broker takes only small frames. */
static void kafka_greet(struct load_connection *connection) {
    uint8_t request[FRAME_HEAD_MAX], answer[4096];
    call_and_wait(connection->fd, request, api_versions_request(request), answer, sizeof answer);
}

static void due_times_append(struct due_times *due, uint64_t when) {
    if (due->count == due->capacity) {
        due->capacity = due->capacity ? due->capacity * 2 : 1024;
        due->at = memory_resize(due->at, due->capacity * sizeof *due->at);
    }
    due->at[due->count++] = when;
}

static void fill_produce(struct load_connection *connection, struct load_slot *slot) {
    const struct load_thread *thread = connection->thread;
    const struct load_options *options = thread->options;
    for (int at = 0; at < options->batches; at++)
        slot->payload_bytes += connection_payload(connection, at).len;
    size_t body = slot->payload_bytes + (size_t)options->batches * PARTITION_HEAD;
    uint8_t *head = slot->heads;
    size_t len = produce_head(head, bytes_of_text(options->topic), (int16_t)options->acks,
                              options->batches, body);
    for (int at = 0; at < options->batches; at++) {
        struct bytes batch = connection_payload(connection, at);
        int32_t partition = connection_next_partition(connection);
        if (thread->due) due_times_append(&thread->due[partition], slot->due);
        store_i32(head + len, partition);
        store_i32(head + len + 4, (int32_t)batch.len);
        slot_part(slot, head, len + PARTITION_HEAD);
        slot_part(slot, batch.at, batch.len);
        slot->records += batch_record_count(batch);
        head += len + PARTITION_HEAD;
        len = 0;
    }
}

static void kafka_fill(struct load_connection *connection, struct load_slot *slot) {
    const struct load_options *options = connection->thread->options;
    if (connection->fetches)
        slot_part(slot, slot->heads,
                  fetch_request(slot->heads, bytes_of_text(options->topic), connection->partition,
                                connection->offset, (int32_t)options->fetch_bytes, 500));
    else
        fill_produce(connection, slot);
    store_u32(slot->heads + REQUEST_CORRELATION, (uint32_t)connection->armed);
}

static void answer_of_produce(struct load_connection *connection, struct in in) {
    struct load_result *result = &connection->thread->result;
    for (int32_t topics = in_i32(&in); topics > 0 && !in.bad; topics--) {
        in_text(&in);
        for (int32_t partitions = in_i32(&in); partitions > 0 && !in.bad; partitions--) {
            in_i32(&in);
            int16_t code = in_i16(&in);
            in_take(&in, 24);
            if (code) result_error(result, code);
        }
    }
    if (in.bad) die("an answer to Produce that cannot be read");
}

/* Steps over the whole batches of a fetch; counts, and moves the offset behind them. */
static int64_t batches_walk(struct load_connection *connection, struct bytes records,
                            uint64_t now) {
    struct load_thread *thread = connection->thread;
    int64_t found = 0;
    int32_t each = batch_record_count(thread->payloads[0]);
    for (size_t at = 0; at + BATCH_HEADER <= records.len;) {
        const uint8_t *batch = records.at + at;
        size_t size = (size_t)load_u32(batch + 8) + 12;
        if (size > records.len - at) break;
        int64_t base = load_i64(batch);
        connection->offset = base + load_i32(batch + 23) + 1;
        found += load_i32(batch + 57);
        size_t number = (size_t)(base / each);
        struct due_times *due = thread->due ? &thread->due[connection->partition] : NULL;
        if (due && number < due->count && due->at[number] >= thread->measure_from)
            histogram_record(&thread->result.delivered, now - due->at[number]);
        at += size;
    }
    return found;
}

/* Returns the records; the bytes go out through `bytes`. */
static int64_t answer_of_fetch(struct load_connection *connection, struct in in, uint64_t now,
                               size_t *bytes) {
    enum { OFFSET_OUT_OF_RANGE = 1 };
    in_i32(&in);
    int16_t code = in_i16(&in);
    in_i32(&in);
    check(in_i32(&in) == 1);
    in_text(&in);
    check(in_i32(&in) == 1);
    in_i32(&in);
    int16_t partition_code = in_i16(&in);
    int64_t high = in_i64(&in);
    in_i64(&in);
    int64_t start = in_i64(&in);
    for (int32_t aborted = in_i32(&in); aborted > 0; aborted--) in_take(&in, 16);
    in_i32(&in);
    struct bytes records = in_blob(&in);
    if (in.bad) die("an answer to Fetch that cannot be read");
    if (code) result_error(&connection->thread->result, code);
    if (partition_code && partition_code != OFFSET_OUT_OF_RANGE)
        result_error(&connection->thread->result, partition_code);
    *bytes = records.len;
    int64_t found = batches_walk(connection, records, now);
    bool again = connection->thread->options->mode == LOAD_FETCH && connection->offset >= high;
    if (again || partition_code == OFFSET_OUT_OF_RANGE) connection->offset = start < 0 ? 0 : start;
    return found;
}

static size_t kafka_answer(struct load_connection *connection, struct bytes input) {
    size_t whole = frame_length(input.at, input.len);
    if (!whole) return 0;
    struct load_slot *slot = connection_slot(connection, connection->answered);
    struct in in = {input.at + 4, input.at + whole, false};
    if (connection->answered == connection->armed ||
        (uint32_t)in_i32(&in) != (uint32_t)connection->answered)
        die("an answer out of turn");
    uint64_t now = clock_monotonic_ns();
    if (connection->fetches)
        slot->records = answer_of_fetch(connection, in, now, &slot->payload_bytes);
    else
        answer_of_produce(connection, in);
    connection_count_answer(connection, connection->answered, now);
    return whole;
}

static size_t kafka_answer_length(struct bytes input) {
    return input.len < 4 ? 0 : (size_t)load_u32(input.at) + 4;
}

/* One request and its answer on a connection of its own; returns the topic's error code. */
static int16_t topic_call(const struct load_options *options, const uint8_t *request, size_t len) {
    uint8_t answer[1024];
    int fd = connect_to(options->broker, NULL);
    size_t whole = call_and_wait(fd, request, len, answer, sizeof answer);
    close(fd);
    struct in in = {answer + 8, answer + whole, false};
    in_i32(&in); /* throttle time */
    in_i32(&in);
    in_text(&in);
    int16_t code = in_i16(&in);
    if (in.bad) die("an answer about a topic that cannot be read");
    return code;
}

/* The first error of some partitions, or 0 when their broker leads them all. */
static int16_t leaders_error(int fd, const struct load_options *options, int32_t first,
                             int32_t count) {
    uint8_t request[LIST_OFFSETS_MAX(LEADERS_AT_ONCE)], answer[LIST_OFFSETS_MAX(LEADERS_AT_ONCE)];
    size_t len = list_offsets_request(request, bytes_of_text(options->topic), first, count);
    size_t whole = call_and_wait(fd, request, len, answer, sizeof answer);
    struct in in = {answer + 12, answer + whole, false};
    int16_t error = 0;
    in_i32(&in);
    in_text(&in);
    for (int32_t left = in_i32(&in); left > 0 && !in.bad; left--) {
        in_i32(&in);
        int16_t code = in_i16(&in);
        if (!error) error = code;
        in_take(&in, 16);
    }
    if (in.bad) die("an answer to ListOffsets that cannot be read");
    return error;
}

/* Apache Kafka answers CreateTopics before its partitions have leaders. */
static void wait_for_leaders(const struct load_options *options) {
    int fd = connect_to(options->broker, NULL);
    for (int32_t first = 0; first < options->partitions; first += LEADERS_AT_ONCE) {
        int32_t left = options->partitions - first;
        if (left > LEADERS_AT_ONCE) left = LEADERS_AT_ONCE;
        int settles = 0;
        while (leaders_error(fd, options, first, left)) {
            if (settles++ == SETTLES_MAX) die("topic %s gets no leaders", options->topic);
            usleep(SETTLE_US);
        }
    }
    close(fd);
}

static void kafka_topic_create(const struct load_options *options) {
    enum { TOPIC_ALREADY_EXISTS = 36 };
    uint8_t request[CREATE_REQUEST_MAX];
    size_t len = create_topic_request(request, bytes_of_text(options->topic), options->partitions,
                                      options->configs, options->config_count);
    int16_t code = topic_call(options, request, len);
    if (code && code != TOPIC_ALREADY_EXISTS)
        die("creating topic %s: error code %d", options->topic, code);
    wait_for_leaders(options);
}

static void kafka_topic_delete(const struct load_options *options) {
    uint8_t request[FRAME_HEAD_MAX];
    size_t len = delete_topic_request(request, bytes_of_text(options->topic));
    int16_t code = topic_call(options, request, len);
    if (code) fprintf(stderr, "deleting topic %s: error code %d\n", options->topic, code);
}

const struct load_protocol load_kafka = {
    .name = "kafka",
    .answers_in_order = true,
    .head_bytes = FRAME_HEAD_MAX,
    .part_head_bytes = PARTITION_HEAD,
    .payload_make = kafka_payload_make,
    .greet = kafka_greet,
    .fill = kafka_fill,
    .answer = kafka_answer,
    .answer_length = kafka_answer_length,
    .topic_create = kafka_topic_create,
    .topic_delete = kafka_topic_delete,
};
