/* A broker that keeps nothing: it acknowledges what it is sent and serves one canned batch for
 * ever, so that a client measured on it shows the client's own ceiling. One epoll loop, one core,
 * the few requests that a producer and an assigned consumer make.
 *
 *     null_broker [--port N] [--partitions N] [--record BYTES] [--batch BYTES]
 *
 * Prints {"port": N} when it serves. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "perf/frames.h"
#include "perf/process.h"

enum { INPUT_BYTES = 4 * 1024 * 1024, ANSWER_HEAD = 64 * 1024 };

struct null_broker {
    int listener, port, partitions, epoll;
    struct bytes batch; /* the canned one; its first 8 bytes are patched before each use */
};

struct null_connection {
    int fd;
    uint8_t *input;
    size_t input_len;
    struct text output;
    size_t output_sent;
    int64_t offset;
};

struct request {
    int16_t api, version;
    struct in in;
    struct out out;
};

static const struct {
    int16_t api, oldest, newest;
} served[] = {
    {API_PRODUCE, 3, 7},          {API_FETCH, 4, 11},       {API_LIST_OFFSETS, 2, 2},
    {API_METADATA, 4, 4},         {API_API_VERSIONS, 0, 0}, {API_INIT_PRODUCER_ID, 0, 1},
    {API_FIND_COORDINATOR, 1, 2},
};

/* Clients begin with the newest version; the answer is version 0 with the list (KIP-511). */
static void answer_api_versions(struct request *request) {
    enum { UNSUPPORTED_VERSION = 35 };
    out_i16(&request->out, request->version > 0 ? UNSUPPORTED_VERSION : 0);
    out_i32(&request->out, array_count(served));
    for (size_t at = 0; at < array_count(served); at++) {
        out_i16(&request->out, served[at].api);
        out_i16(&request->out, served[at].oldest);
        out_i16(&request->out, served[at].newest);
    }
}

static void answer_metadata_topic(const struct null_broker *broker, struct request *request) {
    struct out *out = &request->out;
    out_i16(out, 0);
    out_text(out, in_text(&request->in));
    out_i8(out, 0);
    out_i32(out, broker->partitions);
    for (int32_t partition = 0; partition < broker->partitions; partition++) {
        out_i16(out, 0);
        out_i32(out, partition);
        for (int list = 0; list < 3; list++) { /* the leader, then one replica, one in sync */
            if (list) out_i32(out, 1);
            out_i32(out, 1);
        }
    }
}

static void answer_metadata(const struct null_broker *broker, struct request *request) {
    struct out *out = &request->out;
    int32_t topics = in_i32(&request->in);
    if (topics < 0) topics = 0;
    out_i32(out, 0);
    out_i32(out, 1);
    out_i32(out, 1);
    out_text(out, BYTES_OF("127.0.0.1"));
    out_i32(out, broker->port);
    out_i16(out, -1);
    out_text(out, BYTES_OF("null"));
    out_i32(out, 1);
    out_i32(out, topics);
    while (topics-- > 0 && !request->in.bad) answer_metadata_topic(broker, request);
}

static void answer_list_offsets(struct request *request) {
    struct out *out = &request->out;
    in_take(&request->in, 5);
    int32_t topics = in_i32(&request->in);
    out_i32(out, 0);
    out_i32(out, topics);
    for (; topics > 0 && !request->in.bad; topics--) {
        out_text(out, in_text(&request->in));
        int32_t partitions = in_i32(&request->in);
        out_i32(out, partitions);
        for (; partitions > 0 && !request->in.bad; partitions--) {
            out_i32(out, in_i32(&request->in));
            in_i64(&request->in);
            out_i16(out, 0);
            out_i64(out, -1);
            out_i64(out, 0);
        }
    }
}

static void answer_init_producer_id(struct request *request) {
    out_i32(&request->out, 0);
    out_i16(&request->out, 0);
    out_i64(&request->out, 4711);
    out_i16(&request->out, 0);
}

static void answer_find_coordinator(struct request *request) {
    enum { COORDINATOR_NOT_AVAILABLE = 15 };
    out_i32(&request->out, 0);
    out_i16(&request->out, COORDINATOR_NOT_AVAILABLE);
    out_i16(&request->out, -1);
    out_i32(&request->out, -1);
    out_text(&request->out, BYTES_OF(""));
    out_i32(&request->out, -1);
}

/* False when the client wants no answer. */
static bool answer_produce(struct null_connection *connection, struct request *request) {
    struct out *out = &request->out;
    in_text(&request->in);
    int16_t acks = in_i16(&request->in);
    in_i32(&request->in);
    int32_t topics = in_i32(&request->in);
    out_i32(out, topics);
    for (; topics > 0 && !request->in.bad; topics--) {
        out_text(out, in_text(&request->in));
        int32_t partitions = in_i32(&request->in);
        out_i32(out, partitions);
        for (; partitions > 0 && !request->in.bad; partitions--) {
            out_i32(out, in_i32(&request->in));
            struct bytes batch = in_blob(&request->in);
            out_i16(out, 0);
            out_i64(out, connection->offset);
            out_i64(out, -1);
            if (request->version >= 5) out_i64(out, 0);
            if (batch.len >= BATCH_HEADER) connection->offset += batch_record_count(batch);
        }
    }
    out_i32(out, 0);
    return acks != 0;
}

/* The head of a partition's answer goes through `out`, then whole batches up to its limit. */
static void answer_fetch_partition(struct null_broker *broker, struct null_connection *connection,
                                   struct request *request, uint8_t *head) {
    struct out *out = &request->out;
    int32_t partition = in_i32(&request->in);
    if (request->version >= 9) in_i32(&request->in);
    int64_t offset = in_i64(&request->in);
    if (request->version >= 5) in_i64(&request->in);
    int32_t limit = in_i32(&request->in);
    size_t count = (size_t)limit / broker->batch.len;
    if (count == 0) count = 1;
    out_i32(out, partition);
    out_i16(out, 0);
    out_i64(out, INT64_MAX / 2);
    out_i64(out, INT64_MAX / 2);
    if (request->version >= 5) out_i64(out, 0);
    out_i32(out, 0);
    if (request->version >= 11) out_i32(out, -1);
    out_i32(out, (int32_t)(count * broker->batch.len));
    text_append(&connection->output, bytes_make(head, (size_t)(out->at - head)));
    for (; count > 0; count--) {
        store_i64((uint8_t *)broker->batch.at, offset);
        text_append(&connection->output, broker->batch);
        offset += batch_record_count(broker->batch);
    }
    out->at = head;
}

/* Writes into the output itself, and patches the length at the end. */
static void answer_fetch(struct null_broker *broker, struct null_connection *connection,
                         struct request *request, uint8_t *head) {
    size_t began = connection->output.len;
    in_take(&request->in, 4 + 4 + 4 + 4 + 1 + (request->version >= 7 ? 8 : 0));
    int32_t topics = in_i32(&request->in);
    out_i32(&request->out, 0);
    if (request->version >= 7) out_i16(&request->out, 0);
    if (request->version >= 7) out_i32(&request->out, 0);
    out_i32(&request->out, topics);
    for (; topics > 0 && !request->in.bad; topics--) {
        out_text(&request->out, in_text(&request->in));
        int32_t partitions = in_i32(&request->in);
        out_i32(&request->out, partitions);
        for (; partitions > 0 && !request->in.bad; partitions--)
            answer_fetch_partition(broker, connection, request, head);
    }
    text_append(&connection->output, bytes_make(head, (size_t)(request->out.at - head)));
    store_u32((uint8_t *)connection->output.at + began,
              (uint32_t)(connection->output.len - began - 4));
}

/* False for a request that is not served: the connection is closed. */
static bool connection_answer(struct null_broker *broker, struct null_connection *connection,
                              struct bytes frame) {
    uint8_t head[ANSWER_HEAD];
    struct request request = {.in = {frame.at + 4, frame.at + frame.len, false}};
    request.out.at = head + 4;
    request.api = in_i16(&request.in);
    request.version = in_i16(&request.in);
    out_i32(&request.out, in_i32(&request.in));
    in_text(&request.in);
    bool answers = true;
    switch (request.api) {
        case API_PRODUCE: answers = answer_produce(connection, &request); break;
        case API_FETCH: answer_fetch(broker, connection, &request, head); return !request.in.bad;
        case API_LIST_OFFSETS: answer_list_offsets(&request); break;
        case API_METADATA: answer_metadata(broker, &request); break;
        case API_API_VERSIONS: answer_api_versions(&request); break;
        case API_INIT_PRODUCER_ID: answer_init_producer_id(&request); break;
        case API_FIND_COORDINATOR: answer_find_coordinator(&request); break;
        default: return false;
    }
    size_t len = (size_t)(request.out.at - head);
    store_u32(head, (uint32_t)len - 4);
    if (answers) text_append(&connection->output, bytes_make(head, len));
    return !request.in.bad;
}

static bool connection_write(struct null_broker *broker, struct null_connection *connection) {
    size_t left = connection->output.len - connection->output_sent;
    ssize_t gone = left ? send(connection->fd, connection->output.at + connection->output_sent,
                               left, MSG_NOSIGNAL)
                        : 0;
    if (gone < 0 && errno != EAGAIN) return false;
    if (gone > 0) connection->output_sent += (size_t)gone;
    bool rest = connection->output_sent < connection->output.len;
    if (!rest) connection->output.len = connection->output_sent = 0;
    struct epoll_event event = {.events = rest ? EPOLLOUT : EPOLLIN, .data.ptr = connection};
    return epoll_ctl(broker->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0;
}

static bool connection_read(struct null_broker *broker, struct null_connection *connection) {
    ssize_t got = recv(connection->fd, connection->input + connection->input_len,
                       INPUT_BYTES - connection->input_len, 0);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    connection->input_len += (size_t)got;
    size_t used = 0, whole;
    while ((whole = frame_length(connection->input + used, connection->input_len - used)) != 0) {
        if (!connection_answer(broker, connection, bytes_make(connection->input + used, whole)))
            return false;
        used += whole;
    }
    connection->input_len -= used;
    memmove(connection->input, connection->input + used, connection->input_len);
    return connection_write(broker, connection);
}

static void broker_accept(struct null_broker *broker) {
    int fd = accept4(broker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct null_connection *connection = new_zero(struct null_connection);
    connection->fd = fd;
    connection->input = memory_new(INPUT_BYTES);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    check(epoll_ctl(broker->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void connection_close(struct null_connection *connection) {
    close(connection->fd);
    free(connection->input);
    text_deinit(&connection->output);
    free(connection);
}

static void broker_serve(struct null_broker *broker) {
    struct epoll_event events[64];
    int count = epoll_wait(broker->epoll, events, 64, -1);
    for (int at = 0; at < count; at++) {
        struct null_connection *connection = events[at].data.ptr;
        if (!connection) {
            broker_accept(broker);
            continue;
        }
        bool good = events[at].events & EPOLLOUT ? connection_write(broker, connection)
                                                 : connection_read(broker, connection);
        if (!good) connection_close(connection);
    }
}

static long argument_number(int count, char **arguments, const char *name, long otherwise) {
    for (int at = 1; at + 1 < count; at += 2)
        if (strcmp(arguments[at], name) == 0) return atol(arguments[at + 1]);
    return otherwise;
}

int main(int count, char **arguments) {
    struct null_broker broker = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    broker.partitions = (int)argument_number(count, arguments, "--partitions", 1);
    broker.batch = batch_make((size_t)argument_number(count, arguments, "--record", 1024),
                              (size_t)argument_number(count, arguments, "--batch", 1000000), 1);
    broker.listener = listen_on((int)argument_number(count, arguments, "--port", 0));
    check(getsockname(broker.listener, (struct sockaddr *)&address, &len) == 0);
    broker.port = ntohs(address.sin_port);
    struct epoll_event event = {.events = EPOLLIN};
    check(epoll_ctl(broker.epoll, EPOLL_CTL_ADD, broker.listener, &event) == 0);
    for (;;) broker_serve(&broker);
}
