/* NATS JetStream for the load generator: a partition is the subject TOPIC.PARTITION, and each
 * message asks for its acknowledgement at a reply subject that ends in the request's number.
 *
 * Three protocols. `nats`: one stream holds all subjects; a request's messages are published one
 * after the other and acknowledged one by one. `nats-streams`: the same, with a stream for each
 * partition. `nats-atomic`: one stream, and a request's messages are one atomic batch (server 2.12
 * and later), acknowledged as one; the server then syncs once for the whole batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "perf/frames.h"
#include "perf/load.h"
#include "perf/process.h"

enum { MESSAGE_HEAD_MAX = 640, REPLY_MAX = 16 * 1024 };

/* --- blocking calls, before the load and after it --- */

static void send_text(int fd, const char *text) {
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) die("write to nats: %m");
}

/* Reads until `wanted` is there; ends the program on -ERR. */
static void read_until(int fd, char *reply, const char *wanted) {
    size_t have = 0;
    do {
        ssize_t got = read(fd, reply + have, REPLY_MAX - 1 - have);
        if (got <= 0) die("nats closed the connection, or said too much");
        have += (size_t)got;
        reply[have] = 0;
        const char *refusal = strstr(reply, "-ERR");
        if (refusal) die("nats: %s", refusal);
    } while (!strstr(reply, wanted));
}

static void log_in(int fd, const char *inbox) {
    char request[512], reply[REPLY_MAX];
    snprintf(request, sizeof request,
             "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,"
             "\"no_responders\":true,\"lang\":\"c\",\"version\":\"1\",\"protocol\":1}\r\n"
             "SUB %s 1\r\nPING\r\n",
             inbox);
    send_text(fd, request);
    read_until(fd, reply, "PONG\r\n");
}

/* One request to the JetStream API about one stream. */
static void api_call(const struct load_options *options, const char *call, const char *stream,
                     const char *body) {
    char request[1024], reply[REPLY_MAX];
    int fd = connect_to(options->broker, NULL);
    log_in(fd, "_INBOX.api");
    snprintf(request, sizeof request, "PUB $JS.API.STREAM.%s.%s _INBOX.api %zu\r\n%s\r\n", call,
             stream, strlen(body), body);
    send_text(fd, request);
    read_until(fd, reply, "}\r\n");
    if (strstr(reply, "\"error\"")) die("nats: %s", reply);
    close(fd);
}

static void stream_create(const struct load_options *options, const char *stream,
                          const char *subject) {
    char body[768];
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"subjects\":[\"%s.%s\"],\"storage\":\"file\",\"num_replicas\":1,"
             "\"retention\":\"limits\",\"discard\":\"old\",\"max_age\":0,\"max_bytes\":-1,"
             "\"max_msgs\":-1,\"duplicate_window\":0,\"allow_atomic\":true}",
             stream, options->topic, subject);
    api_call(options, "CREATE", stream, body);
}

static void one_stream_create(const struct load_options *options) {
    stream_create(options, options->topic, "*");
}

static void one_stream_delete(const struct load_options *options) {
    api_call(options, "DELETE", options->topic, "");
}

static void many_streams_create(const struct load_options *options) {
    for (int partition = 0; partition < options->partitions; partition++) {
        char stream[300], subject[16];
        snprintf(stream, sizeof stream, "%s-%d", options->topic, partition);
        snprintf(subject, sizeof subject, "%d", partition);
        stream_create(options, stream, subject);
    }
}

static void many_streams_delete(const struct load_options *options) {
    for (int partition = 0; partition < options->partitions; partition++) {
        char stream[300];
        snprintf(stream, sizeof stream, "%s-%d", options->topic, partition);
        api_call(options, "DELETE", stream, "");
    }
}

/* --- under load --- */

static int inbox_of(const struct load_connection *connection, char *at, size_t room) {
    return snprintf(at, room, "_INBOX.%d-%d", (int)getpid(), connection->number);
}

static void nats_greet(struct load_connection *connection) {
    char inbox[64];
    int len = inbox_of(connection, inbox, sizeof inbox - 2);
    memcpy(inbox + len, ".*", 3);
    log_in(connection->fd, inbox);
}

/* The head of one message; `batch_at` is 0 outside an atomic batch, else its number from 1. */
static size_t message_head(struct load_connection *connection, uint8_t *at, size_t payload,
                           int batch_at) {
    const struct load_options *options = connection->thread->options;
    char inbox[64], reply[128] = "", headers[192];
    bool last = batch_at == 0 || batch_at == options->batches;
    inbox_of(connection, inbox, sizeof inbox);
    if (last) snprintf(reply, sizeof reply, " %s.%lu", inbox, (unsigned long)connection->armed);
    int32_t partition = connection_next_partition(connection);
    int len;
    if (batch_at == 0) {
        len = snprintf((char *)at, MESSAGE_HEAD_MAX, "PUB %s.%d%s %zu\r\n", options->topic,
                       partition, reply, payload);
    } else {
        int header_len = snprintf(
            headers, sizeof headers,
            "NATS/1.0\r\nNats-Batch-Id: %s-%lu\r\nNats-Batch-Sequence: %d\r\n%s\r\n", inbox + 7,
            (unsigned long)connection->armed, batch_at, last ? "Nats-Batch-Commit: 1\r\n" : "");
        len = snprintf((char *)at, MESSAGE_HEAD_MAX, "HPUB %s.%d%s %d %zu\r\n%s", options->topic,
                       partition, reply, header_len, (size_t)header_len + payload, headers);
    }
    check(len > 0 && len < MESSAGE_HEAD_MAX);
    return (size_t)len;
}

static void fill(struct load_connection *connection, struct load_slot *slot, bool atomic) {
    static const char end[] = "\r\n";
    int batches = connection->thread->options->batches;
    uint8_t *head = slot->heads;
    for (int at = 0; at < batches; at++) {
        struct bytes payload = connection_payload(connection, at);
        size_t len = 0;
        if (at) memcpy(head, end, len = 2); /* of the message before */
        len += message_head(connection, head + len, payload.len, atomic ? at + 1 : 0);
        slot_part(slot, head, len);
        slot_part(slot, payload.at, payload.len);
        head += len;
        slot->payload_bytes += payload.len;
    }
    slot_part(slot, end, 2);
    slot->records = batches;
    slot->answers_left = atomic ? 1 : batches;
}

static void fill_plain(struct load_connection *connection, struct load_slot *slot) {
    fill(connection, slot, false);
}

static void fill_atomic(struct load_connection *connection, struct load_slot *slot) {
    fill(connection, slot, true);
}

/* `line` is "MSG inbox.NUMBER sid bytes"; HMSG carries headers, which an acknowledgement has not:
 * it says that nobody listens. */
static size_t take_message(struct load_connection *connection, struct bytes input, size_t line) {
    char head[256];
    unsigned long number, bytes;
    size_t copied = line < sizeof head ? line : sizeof head - 1;
    memcpy(head, input.at, copied);
    head[copied] = 0;
    const char *dot = strchr(head, '.');
    dot = dot ? strchr(dot + 1, '.') : NULL;
    if (!dot || sscanf(dot, ".%lu %*s %lu", &number, &bytes) != 2) die("nats: %s", head);
    size_t whole = line + bytes + 2;
    if (whole > input.len) return 0;
    if (memmem(input.at + line, bytes, "\"error\"", 7)) {
        if (!connection->thread->result.errors)
            fprintf(stderr, "nats: %.*s\n", (int)bytes, (const char *)input.at + line);
        result_error(&connection->thread->result, -1);
    }
    connection_count_answer(connection, number, clock_monotonic_ns());
    return whole;
}

static size_t nats_answer(struct load_connection *connection, struct bytes input) {
    const uint8_t *newline = memchr(input.at, '\n', input.len);
    if (!newline) return 0;
    size_t line = (size_t)(newline - input.at) + 1;
    struct bytes said = {input.at, line};
    if (bytes_starts_with(said, BYTES_OF("MSG "))) return take_message(connection, input, line);
    /* Only between requests; the server forgives two in four minutes. */
    if (bytes_starts_with(said, BYTES_OF("PING")) && connection->sent_bytes == 0)
        send_text(connection->fd, "PONG\r\n");
    if (said.at[0] == '-' || said.at[0] == 'H') die("nats: %.*s", (int)line, (const char *)said.at);
    return line;
}

static size_t nats_answer_length(struct bytes input) {
    (void)input;
    return 0;
}

/* What the three have in common. */
#define NATS_PROTOCOL                                                                    \
    .splits = true, .head_bytes = MESSAGE_HEAD_MAX, .part_head_bytes = MESSAGE_HEAD_MAX, \
    .payload_make = payload_make_plain, .greet = nats_greet, .answer = nats_answer,      \
    .answer_length = nats_answer_length

const struct load_protocol load_nats = {
    NATS_PROTOCOL,
    .name = "nats",
    .fill = fill_plain,
    .topic_create = one_stream_create,
    .topic_delete = one_stream_delete,
};

const struct load_protocol load_nats_streams = {
    NATS_PROTOCOL,
    .name = "nats-streams",
    .fill = fill_plain,
    .topic_create = many_streams_create,
    .topic_delete = many_streams_delete,
};

const struct load_protocol load_nats_atomic = {
    NATS_PROTOCOL,
    .name = "nats-atomic",
    .fill = fill_atomic,
    .topic_create = one_stream_create,
    .topic_delete = one_stream_delete,
};
