#include "perf/group_peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "perf/process.h"
#include "protocol/create_topics.h"
#include "protocol/error_code.h"
#include "protocol/find_coordinator.h"

enum { CREATE_TOPICS_VERSION = 5, FIND_COORDINATOR_VERSION = 3, RETRY_US = 10000 };

/* --- connections --- */

void peer_open(struct group_peer *peer, const char *broker) {
    *peer = (struct group_peer){.fd = connect_to(broker, "cubic")};
}

void peer_close(struct group_peer *peer) {
    close(peer->fd);
    free(peer->in);
}

void peer_watch(struct group_peer *peer, int epoll, void *owner) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &event) < 0) die("epoll: %m");
}

void peers_allow_many(void) {
    struct rlimit files = {65536, 65536};
    if (setrlimit(RLIMIT_NOFILE, &files) == 0) return;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* --- requests --- */

static void send_all(int fd, const struct wire_output *output) {
    for (uint32_t i = 0; i < output->count; i++)
        for (size_t sent = 0; sent < output->pieces[i].len;) {
            ssize_t result =
                send(fd, output->pieces[i].at + sent, output->pieces[i].len - sent, MSG_NOSIGNAL);
            if (result < 0 && errno == EAGAIN) continue;
            if (result < 0) die("send: %m");
            sent += (size_t)result;
        }
}

void peer_send(struct group_peer *peer, enum api_key key, int version, const void *request,
               uint64_t now_ns) {
    struct arena arena;
    struct wire_output output;
    arena_init(&arena, 1 << 20);
    if (!api_encode_request(api_find((int16_t)key), version, 1, BYTES_OF("perf"), request, &arena,
                            &output))
        die("a request is too large");
    send_all(peer->fd, &output);
    arena_deinit(&arena);
    peer->key = key;
    peer->version = version;
    peer->waits = true;
    peer->sent_ns = now_ns;
}

/* --- answers --- */

static void take_bytes(struct group_peer *peer) {
    for (;;) {
        if (peer->in_capacity - peer->in_len < 512) {
            peer->in_capacity = peer->in_capacity * 2 + 1024;
            peer->in = memory_resize(peer->in, peer->in_capacity);
        }
        ssize_t got =
            recv(peer->fd, peer->in + peer->in_len, peer->in_capacity - peer->in_len, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) die("the broker closed a connection");
        peer->in_len += (size_t)got;
    }
}

bool peer_receive(struct group_peer *peer, struct arena *arena, void *response) {
    struct error error;
    take_bytes(peer);
    if (peer->in_len < 4 || peer->in_len < 4 + (size_t)load_u32(peer->in)) return false;
    const struct api *api = api_find((int16_t)peer->key);
    bool tags = api_response_header_version(api, peer->version) > 0;
    size_t head = 4 + 4 + tags; /* length, correlation id */
    if (peer->in_len < head) die("an answer to %s is too short", api->name);
    struct bytes body = arena_copy(arena, bytes_make(peer->in + head, peer->in_len - head));
    if (!wire_decode(api->response, peer->version, body, arena, response, &error))
        die("an answer to %s is not readable: %s", api->name, error.text);
    peer->in_len = 0;
    peer->waits = false;
    return true;
}

void peer_call(struct group_peer *peer, enum api_key key, int version, const void *request,
               struct arena *arena, void *response) {
    struct pollfd one = {.fd = peer->fd, .events = POLLIN};
    peer_send(peer, key, version, request, clock_monotonic_ns());
    do poll(&one, 1, -1);
    while (!peer_receive(peer, arena, response));
}

/* --- what is needed before --- */

void peer_create_topic(struct group_peer *peer, const char *name, int partitions) {
    struct arena arena;
    struct create_topics_request_creatable_topic topic = {
        .name = bytes_of_text(name), .num_partitions = partitions, .replication_factor = -1};
    struct create_topics_request request = {
        .topics_count = 1, .topics = &topic, .timeout_ms = 30000};
    struct create_topics_response response;
    arena_init(&arena, 1 << 20);
    peer_call(peer, API_CREATE_TOPICS, CREATE_TOPICS_VERSION, &request, &arena, &response);
    int code = response.topics[0].error_code;
    if (code && code != ERROR_TOPIC_ALREADY_EXISTS) die("cannot create topic %s: %d", name, code);
    arena_deinit(&arena);
}

void peer_find_coordinator(struct group_peer *peer, const char *group) {
    struct arena arena;
    struct find_coordinator_request request = {.key = bytes_of_text(group)};
    struct find_coordinator_response response;
    arena_init(&arena, 1 << 20);
    for (;;) {
        peer_call(peer, API_FIND_COORDINATOR, FIND_COORDINATOR_VERSION, &request, &arena,
                  &response);
        if (!response.error_code) break;
        usleep(RETRY_US);
    }
    arena_deinit(&arena);
}
