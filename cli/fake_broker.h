/* For tests: a broker of one connection after another on a port of its own, in a thread. Each frame
 * that comes is given to a function, which writes raw bytes back. */
#pragma once

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/api.h"
#include "protocol/api_versions.h"
#include "protocol/header.h"

struct fake_broker;

/* Answers on fd; false closes the connection. The request's body is in `body`. */
typedef bool fake_answer(struct fake_broker *broker, int fd, const struct request_header *header,
                         struct bytes body);

struct fake_broker {
    int listener, port;
    int connections; /* to serve before it ends */
    fake_answer *answer;
    pthread_t thread;
};

static inline bool fake_read(int fd, void *at, size_t len) {
    return recv(fd, at, len, MSG_WAITALL) == (ssize_t)len;
}

/* Whether there was a frame, and the answer wants to go on. */
static inline bool fake_serve_one(struct fake_broker *broker, int fd) {
    uint8_t prefix[4];
    struct arena arena;
    struct error error;
    struct request_header header;
    if (!fake_read(fd, prefix, 4)) return false;
    arena_init(&arena, 1 << 20);
    uint8_t *frame = arena_zero(&arena, load_u32(prefix), 1);
    struct bytes body = bytes_make(frame, load_u32(prefix));
    bool good = fake_read(fd, frame, body.len);
    if (good) {
        const struct api *api = api_find(load_i16(frame));
        int version = api_request_header_version(api, load_i16(frame + 2));
        good = wire_decode_part(&request_header_message, version, &body, &arena, &header, &error) &&
               broker->answer(broker, fd, &header, body);
    }
    arena_deinit(&arena);
    return good;
}

static inline void *fake_run(void *context) {
    struct fake_broker *broker = context;
    for (int at = 0; at < broker->connections; at++) {
        int fd = accept(broker->listener, NULL, NULL);
        while (fd >= 0 && fake_serve_one(broker, fd)) continue;
        if (fd >= 0) close(fd);
    }
    return NULL;
}

static inline void fake_start(struct fake_broker *broker, int connections, fake_answer *answer) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    *broker = (struct fake_broker){.connections = connections, .answer = answer};
    broker->listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(broker->listener, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(broker->listener, 8), 0);
    cr_assert_eq(getsockname(broker->listener, (struct sockaddr *)&address, &len), 0);
    broker->port = ntohs(address.sin_port);
    cr_assert_eq(pthread_create(&broker->thread, NULL, fake_run, broker), 0);
}

/* Waits until all connections were served. */
static inline void fake_stop(struct fake_broker *broker) {
    pthread_join(broker->thread, NULL);
    close(broker->listener);
}

static inline bool fake_send(int fd, const struct request_header *header, int version,
                             const void *response) {
    struct arena arena;
    struct wire_output out;
    arena_init(&arena, 1 << 20);
    bool good = api_encode_response(api_find(header->request_api_key), version,
                                    header->correlation_id, response, &arena, &out);
    struct bytes frame = wire_join(&out, &arena);
    good = good && send(fd, frame.at, frame.len, MSG_NOSIGNAL) == (ssize_t)frame.len;
    arena_deinit(&arena);
    return good;
}

/* Every API that we know in the versions that we know. */
static inline bool fake_send_versions(int fd, const struct request_header *header) {
    struct api_versions_response_api_version keys[128];
    struct api_versions_response response;
    message_defaults(&api_versions_response_message, &response);
    for (int32_t at = 0; at < api_count; at++)
        keys[at] = (struct api_versions_response_api_version){
            (int16_t)api_table[at].key, api_table[at].min_version, api_table[at].max_version};
    response.api_keys_count = api_count;
    response.api_keys = keys;
    return fake_send(fd, header, header->request_api_version, &response);
}
