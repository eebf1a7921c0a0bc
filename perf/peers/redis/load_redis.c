/* Redis Streams for the load generator: a partition is a stream named TOPIC-PARTITION, a message
 * one `XADD key * f VALUE`. Redis has no batches; a request with several messages pipelines them
 * and is answered when the last of them is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "perf/frames.h"
#include "perf/load.h"
#include "perf/process.h"

enum { MESSAGE_HEAD_MAX = 384, REPLY_MAX = 512 };

static void redis_greet(struct load_connection *connection) { (void)connection; }

static size_t message_head(uint8_t *at, const struct load_options *options, int32_t partition,
                           size_t value) {
    char key[300];
    int key_len = snprintf(key, sizeof key, "%s-%d", options->topic, partition);
    int len = snprintf((char *)at, MESSAGE_HEAD_MAX,
                       "*5\r\n$4\r\nXADD\r\n$%d\r\n%s\r\n$1\r\n*\r\n$1\r\nf\r\n$%zu\r\n", key_len,
                       key, value);
    check(len > 0 && len < MESSAGE_HEAD_MAX);
    return (size_t)len;
}

static void redis_fill(struct load_connection *connection, struct load_slot *slot) {
    static const char end[] = "\r\n";
    const struct load_options *options = connection->thread->options;
    uint8_t *head = slot->heads;
    for (int at = 0; at < options->batches; at++) {
        struct bytes value = connection_payload(connection, at);
        size_t len = 0;
        if (at) memcpy(head, end, len = 2); /* of the message before */
        len += message_head(head + len, options, connection_next_partition(connection), value.len);
        slot_part(slot, head, len);
        slot_part(slot, value.at, value.len);
        head += len;
        slot->payload_bytes += value.len;
    }
    slot_part(slot, end, 2);
    slot->records = slot->answers_left = options->batches;
}

/* An answer is a bulk string with the entry's id, or an error in one line. */
static size_t redis_answer(struct load_connection *connection, struct bytes input) {
    const uint8_t *line = memchr(input.at, '\n', input.len);
    if (!line) return 0;
    size_t whole = (size_t)(line - input.at) + 1;
    if (input.at[0] == '$') {
        whole += (size_t)atoi((const char *)input.at + 1) + 2;
        if (whole > input.len) return 0;
    } else {
        if (!connection->thread->result.errors)
            fprintf(stderr, "redis: %.*s", (int)whole, (const char *)input.at);
        result_error(&connection->thread->result, -1);
    }
    connection_count_answer(connection, connection->answered, clock_monotonic_ns());
    return whole;
}

static size_t redis_answer_length(struct bytes input) {
    (void)input;
    return 0;
}

static void redis_topic_create(const struct load_options *options) { (void)options; }

/* Frees the memory at once, so that the next run finds what this one found. */
static void redis_topic_delete(const struct load_options *options) {
    int fd = connect_to(options->broker, NULL);
    for (int partition = 0; partition < options->partitions; partition++) {
        char key[300], request[400], reply[REPLY_MAX];
        int key_len = snprintf(key, sizeof key, "%s-%d", options->topic, partition);
        int len =
            snprintf(request, sizeof request, "*2\r\n$3\r\nDEL\r\n$%d\r\n%s\r\n", key_len, key);
        if (write(fd, request, (size_t)len) != len) die("write to redis: %m");
        ssize_t got = read(fd, reply, sizeof reply);
        if (got <= 0 || reply[0] != ':') die("redis does not delete a stream");
    }
    close(fd);
}

const struct load_protocol load_redis = {
    .name = "redis",
    .answers_in_order = true,
    .splits = true,
    .head_bytes = MESSAGE_HEAD_MAX,
    .part_head_bytes = MESSAGE_HEAD_MAX,
    .payload_make = payload_make_plain,
    .greet = redis_greet,
    .fill = redis_fill,
    .answer = redis_answer,
    .answer_length = redis_answer_length,
    .topic_create = redis_topic_create,
    .topic_delete = redis_topic_delete,
};
