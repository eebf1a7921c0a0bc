#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "config/quantity.h"
#include "protocol/api_versions.h"
#include "protocol/error_code.h"
#include "protocol/header.h"

enum { KEYS_MAX = 128, RESPONSE_BYTES_MAX = 512 << 20, API_VERSIONS_VERSION = 3, PORT = 9092 };

struct version_range {
    int16_t least, most;
};

struct client {
    int fd;
    char host[256];
    int port;
    char address[300];
    int64_t timeout_ms;
    uint64_t deadline_ns; /* of the call under way */
    int32_t correlation_id;
    struct version_range versions[KEYS_MAX]; /* most -1: the broker does not have it */
};

const char *client_address(const struct client *client) { return client->address; }

bool client_is_at(const struct client *client, const char *host, int port) {
    return client->port == port && strcmp(client->host, host) == 0;
}

bool client_split_address(const char *text, size_t len, char *host, int *port) {
    char copy[300];
    int64_t number = PORT;
    if (len == 0 || len >= sizeof copy) return false;
    memcpy(copy, text, len);
    copy[len] = 0;
    char *name = copy, *end = copy + strcspn(copy, ":");
    if (copy[0] == '[') {
        name = copy + 1;
        end = strchr(copy, ']');
        if (!end) return false;
        *end++ = 0;
    }
    bool has_port = *end == ':';
    if (*end && !has_port) return false;
    *end = 0;
    if (has_port && !number_parse_plain(end + 1, &number)) return false;
    if (number < 1 || number > 65535 || !*name || strlen(name) > 255) return false;
    memcpy(host, name, strlen(name) + 1);
    *port = (int)number;
    return true;
}

/* ---- connecting ---- */

static bool connect_fail(const struct client *client, int code, struct error *error) {
    const char *hint = "";
    if (code == ECONNREFUSED)
        hint = "; is the broker running? start it with: millrace serve";
    else if (code == ETIMEDOUT || code == EHOSTUNREACH || code == ENETUNREACH)
        hint = "; is the address right, and is no firewall in between?";
    return error_set(error, code, "cannot connect to %s: %s%s", client->address, strerror(code),
                     hint);
}

/* Waits for the socket until the deadline; 0 or an errno value. */
static int wait_for(const struct client *client, short events) {
    struct pollfd poll_fd = {client->fd, events, 0};
    for (;;) {
        uint64_t now = clock_monotonic_ns();
        if (now >= client->deadline_ns) return ETIMEDOUT;
        uint64_t left_ms = (client->deadline_ns - now) / NS_PER_MS + 1;
        int got = poll(&poll_fd, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (got > 0) return 0;
        if (got < 0 && errno != EINTR) return errno;
    }
}

static int connect_one(struct client *client, const struct addrinfo *info) {
    int one = 1, failed = 0;
    socklen_t len = sizeof failed;
    client->fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0) return errno;
    if (connect(client->fd, info->ai_addr, info->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) return errno;
        failed = wait_for(client, POLLOUT);
        if (!failed) getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &failed, &len);
        if (failed) return failed;
    }
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return 0;
}

static bool connect_any(struct client *client, struct error *error) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
    char port[8];
    snprintf(port, sizeof port, "%d", client->port);
    int failed = getaddrinfo(client->host, port, &hints, &all);
    if (failed)
        return error_set(error, EHOSTUNREACH, "cannot find the host of %s: %s", client->address,
                         gai_strerror(failed));
    int code = ECONNREFUSED;
    for (const struct addrinfo *at = all; at; at = at->ai_next) {
        code = connect_one(client, at);
        if (code == 0) break;
        if (client->fd >= 0) close(client->fd);
        client->fd = -1;
    }
    freeaddrinfo(all);
    return code == 0 || connect_fail(client, code, error);
}

/* ---- bytes ---- */

static bool transfer_fail(const struct client *client, int code, const char *doing,
                          struct error *error) {
    if (code == ETIMEDOUT)
        return error_set(error, code,
                         "%s did not answer within %lldms (%s); --timeout waits longer",
                         client->address, (long long)client->timeout_ms, doing);
    if (code == 0)
        return error_set(error, ECONNRESET,
                         "%s closed the connection (%s); is it a Kafka listener without TLS? the "
                         "broker's log says why",
                         client->address, doing);
    return error_set(error, code, "%s: %s (%s)", client->address, strerror(code), doing);
}

static bool client_send(struct client *client, struct bytes data, const char *doing,
                        struct error *error) {
    while (data.len) {
        ssize_t sent = send(client->fd, data.at, data.len, MSG_NOSIGNAL);
        if (sent > 0) {
            data = bytes_make(data.at + sent, data.len - (size_t)sent);
            continue;
        }
        int code = errno == EAGAIN || errno == EINTR ? wait_for(client, POLLOUT) : errno;
        if (code) return transfer_fail(client, code, doing, error);
    }
    return true;
}

static bool client_receive(struct client *client, uint8_t *at, size_t len, const char *doing,
                           struct error *error) {
    while (len) {
        ssize_t got = recv(client->fd, at, len, 0);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
            continue;
        }
        if (got == 0) return transfer_fail(client, 0, doing, error);
        int code = errno == EAGAIN || errno == EINTR ? wait_for(client, POLLIN) : errno;
        if (code) return transfer_fail(client, code, doing, error);
    }
    return true;
}

static bool receive_frame(struct client *client, const struct api *api, struct arena *arena,
                          struct bytes *frame, struct error *error) {
    uint8_t prefix[4];
    if (!client_receive(client, prefix, sizeof prefix, api->name, error)) return false;
    uint32_t len = load_u32(prefix);
    uint8_t *at = len <= RESPONSE_BYTES_MAX ? arena_try(arena, len + 1) : NULL;
    if (!at)
        return error_set(error, EMSGSIZE,
                         "%s sent an answer of %u bytes to %s; is it a Kafka listener?",
                         client->address, len, api->name);
    *frame = bytes_make(at, len);
    return client_receive(client, at, len, api->name, error);
}

static bool send_request(struct client *client, const struct api *api, int version,
                         const void *request, struct arena *arena, struct error *error) {
    struct wire_output out;
    if (!api_encode_request(api, version, ++client->correlation_id, BYTES_OF("millrace-cli"),
                            request, arena, &out))
        return error_set(error, EMSGSIZE, "the %s request is too large", api->name);
    for (uint32_t at = 0; at < out.count; at++)
        if (!client_send(client, out.pieces[at], api->name, error)) return false;
    return true;
}

static bool call_in_version(struct client *client, const struct api *api, int version,
                            const void *request, struct arena *arena, void *response,
                            struct error *error) {
    struct bytes frame;
    struct response_header header;
    struct error inner;
    client->deadline_ns = clock_monotonic_ns() + (uint64_t)client->timeout_ms * NS_PER_MS;
    if (!send_request(client, api, version, request, arena, error)) return false;
    if (!receive_frame(client, api, arena, &frame, error)) return false;
    int header_version = api_response_header_version(api, version);
    if (!wire_decode_part(&response_header_message, header_version, &frame, arena, &header,
                          &inner) ||
        header.correlation_id != client->correlation_id)
        return error_set(error, EPROTO, "%s answered %s with something else; is it a Kafka broker?",
                         client->address, api->name);
    /* An ApiVersions answer to a version that the broker does not know is in version 0. */
    bool fallback = api->key == API_API_VERSIONS && frame.len >= 2 &&
                    load_i16(frame.at) == ERROR_UNSUPPORTED_VERSION;
    if (wire_decode(api->response, fallback ? 0 : version, frame, arena, response, &inner))
        return true;
    return error_set(error, EPROTO, "cannot read the %s answer of %s: %.120s", api->name,
                     client->address, inner.text);
}

bool client_call(struct client *client, enum api_key key, int version_max, const void *request,
                 struct arena *arena, void *response, struct error *error) {
    const struct api *api = api_find((int16_t)key);
    check(api);
    struct version_range broker = client->versions[key];
    int most = api->max_version < version_max ? api->max_version : version_max;
    if (broker.most < most) most = broker.most;
    int least = (int)api->request->first_version; /* an int8_t that is a number */
    if (broker.least > least) least = broker.least;
    if (broker.most < 0 || most < least)
        return error_set(error, EPROTONOSUPPORT,
                         "%s does not speak a version of %s that this command knows",
                         client->address, api->name);
    return call_in_version(client, api, most, request, arena, response, error);
}

/* ---- opening ---- */

static void take_versions(struct client *client, const struct api_versions_response *response) {
    for (int32_t at = 0; at < response->api_keys_count; at++) {
        const struct api_versions_response_api_version *one = &response->api_keys[at];
        if (one->api_key < 0 || one->api_key >= KEYS_MAX) continue;
        client->versions[one->api_key] = (struct version_range){one->min_version, one->max_version};
    }
}

static bool agree(struct client *client, struct error *error) {
    struct arena arena;
    struct api_versions_request request = {.client_software_name = BYTES_OF("millrace"),
                                           .client_software_version = BYTES_OF(MILLRACE_VERSION),
                                           .node_id = -1};
    struct api_versions_response response = {0};
    const struct api *api = api_find(API_API_VERSIONS);
    arena_init(&arena, 16 << 20);
    bool good =
        call_in_version(client, api, API_VERSIONS_VERSION, &request, &arena, &response, error);
    if (good && response.error_code == ERROR_UNSUPPORTED_VERSION)
        good = call_in_version(client, api, 0, &request, &arena, &response, error);
    if (good && response.error_code)
        good = error_set(error, EPROTO, "%s: %s (%s)", client->address,
                         error_code_message(response.error_code),
                         error_code_name(response.error_code));
    if (good) take_versions(client, &response);
    arena_deinit(&arena);
    return good;
}

bool client_open(const char *host, int port, int64_t timeout_ms, struct client **client,
                 struct error *error) {
    struct client *fresh = new_zero(struct client);
    fresh->fd = -1;
    fresh->port = port;
    fresh->timeout_ms = timeout_ms;
    fresh->deadline_ns = clock_monotonic_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    snprintf(fresh->host, sizeof fresh->host, "%s", host);
    snprintf(fresh->address, sizeof fresh->address, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
             port);
    for (size_t at = 0; at < KEYS_MAX; at++) fresh->versions[at].most = -1;
    if (!connect_any(fresh, error) || !agree(fresh, error)) {
        client_close(fresh);
        return false;
    }
    *client = fresh;
    return true;
}

void client_close(struct client *client) {
    if (!client) return;
    if (client->fd >= 0) close(client->fd);
    free(client);
}
