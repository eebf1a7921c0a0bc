#include "cli/registry_client.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/byte_buffer.h"

enum { ANSWER_BYTES_MAX = 64 << 20 };

static bool url_refuse(const char *url, struct error *error) {
    return error_set(error, EINVAL, "\"%.150s\" is not the address of a registry, http://HOST:PORT",
                     url);
}

bool registry_client_init(struct registry_client *client, const struct settings *settings,
                          struct error *error) {
    const char *from_environment = getenv("SCHEMA_REGISTRY_URL");
    const char *url = settings->registry                      ? settings->registry
                      : from_environment && *from_environment ? from_environment
                                                              : "http://127.0.0.1:8081";
    const char *at = strncmp(url, "http://", 7) == 0 ? url + 7 : url;
    size_t host_len = strcspn(at, at[0] == '[' ? "]" : ":/");
    *client = (struct registry_client){.port = "8081", .timeout_ms = settings->timeout_ms};
    if (at[0] == '[' && at[host_len++] != ']') return url_refuse(url, error);
    if (strstr(at, "://") || host_len == 0 || host_len >= sizeof client->host)
        return url_refuse(url, error);
    memcpy(client->host, at, host_len);
    at += host_len;
    if (*at == ':') {
        size_t len = strspn(at + 1, "0123456789");
        if (len == 0 || len >= sizeof client->port) return url_refuse(url, error);
        snprintf(client->port, sizeof client->port, "%.*s", (int)len, at + 1);
        at += 1 + len;
    }
    if ((*at && *at != '/') || strlen(at) >= sizeof client->base) return url_refuse(url, error);
    snprintf(client->base, sizeof client->base, "%s", at);
    for (size_t len = strlen(client->base); len > 0 && client->base[len - 1] == '/';)
        client->base[--len] = '\0';
    return true;
}

const char *registry_path_segment(struct arena *arena, struct bytes name) {
    static const char digits[] = "0123456789ABCDEF";
    char *out = (char *)arena_zero(arena, 1, 3 * name.len + 1), *at = out;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
        if (plain) {
            *at++ = (char)byte;
            continue;
        }
        *at++ = '%';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    return out;
}

/* --- the connection --- */

static bool unreachable_set(const struct registry_client *client, const char *why,
                            struct error *error) {
    return error_set(error, ECONNREFUSED,
                     "no registry answers at http://%s:%s (%s); --registry names another one",
                     client->host, client->port, why);
}

static int connect_to(const struct registry_client *client, struct error *error) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[sizeof client->host];
    const char *name = client->host;
    if (name[0] == '[') name = memcpy(host, name + 1, sizeof host - 1), host[strlen(host) - 1] = 0;
    int problem = getaddrinfo(name, client->port, &hints, &found), fd = -1;
    if (problem) {
        unreachable_set(client, gai_strerror(problem), error);
        return -1;
    }
    const struct timeval limit = {.tv_sec = client->timeout_ms / 1000,
                                  .tv_usec = client->timeout_ms % 1000 * 1000};
    for (struct addrinfo *one = found; one && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) break;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(fd, one->ai_addr, one->ai_addrlen) == 0) break;
        int code = errno;
        close(fd);
        fd = -1;
        errno = code;
    }
    freeaddrinfo(found);
    if (fd < 0) unreachable_set(client, strerror(errno), error);
    return fd;
}

static bool send_all(int fd, struct bytes bytes) {
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        bytes = bytes_make(bytes.at + sent, bytes.len - (size_t)sent);
    }
    return true;
}

static bool receive_all(int fd, struct byte_buffer *answer) {
    while (answer->len < ANSWER_BYTES_MAX) {
        ssize_t got = recv(fd, byte_buffer_reserve(answer, 16 << 10), 16 << 10, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0;
        answer->len += (size_t)got;
    }
    errno = EMSGSIZE;
    return false;
}

/* --- the answer --- */

/* {"error_code": N, "message": "..."} of a refusal. */
static void refusal_read(struct registry_answer *answer, struct error *error) {
    json_t *object = json_loadb((const char *)answer->body.at, answer->body.len, 0, NULL);
    const char *message = json_string_value(json_object_get(object, "message"));
    answer->error_code = (int)json_integer_value(json_object_get(object, "error_code"));
    error_set(error, 0, "%.240s", message ? message : "the registry refuses without a reason");
    json_decref(object);
}

/* Whether the body has all that Content-Length promises, if there is one; `head` ends before the
 * "\r\n\r\n". */
static bool is_whole(struct bytes head, size_t body_len) {
    static const char name[] = "\r\ncontent-length:";
    size_t len = strlen(name);
    for (size_t at = 0; at + len < head.len; at++)
        if (strncasecmp((const char *)head.at + at, name, len) == 0)
            return strtoull((const char *)head.at + at + len, NULL, 10) <= body_len;
    return true;
}

/* "HTTP/1.1 200 OK" and so on. */
static bool answer_read(struct bytes raw, struct arena *arena, struct registry_answer *answer) {
    const uint8_t *end = raw.len ? (const uint8_t *)memmem(raw.at, raw.len, "\r\n\r\n", 4) : NULL;
    struct bytes head = bytes_make(raw.at, end ? (size_t)(end - raw.at) : 0);
    if (head.len < 12 || memcmp(head.at, "HTTP/1.", 7) != 0) return false;
    struct bytes body = bytes_make(end + 4, raw.len - head.len - 4);
    *answer = (struct registry_answer){.status = atoi((const char *)head.at + 9)};
    if (answer->status <= 0 || !is_whole(head, body.len)) return false;
    answer->body = arena_copy(arena, body);
    return true;
}

bool registry_client_call(const struct registry_client *client, const char *verb, const char *path,
                          struct bytes body, struct arena *arena, struct registry_answer *answer,
                          struct error *error) {
    struct text request = {0};
    struct byte_buffer raw = {0};
    int fd = connect_to(client, error);
    if (fd < 0) return false;
    text_printf(&request,
                "%s %s%s HTTP/1.0\r\nHost: %s:%s\r\nUser-Agent: millrace/" MILLRACE_VERSION
                "\r\nAccept: application/vnd.schemaregistry.v1+json\r\nContent-Type: "
                "application/vnd.schemaregistry.v1+json\r\nContent-Length: %zu\r\n\r\n",
                verb, client->base, path, client->host, client->port, body.len);
    text_append(&request, body);
    bool good = send_all(fd, text_bytes(&request)) && receive_all(fd, &raw);
    if (!good) unreachable_set(client, strerror(errno), error);
    if (good && !answer_read(byte_buffer_bytes(&raw), arena, answer))
        good = error_set(error, EPROTO, "the answer of %s:%s is no HTTP, or cut off", client->host,
                         client->port);
    close(fd);
    text_deinit(&request);
    byte_buffer_deinit(&raw);
    if (good && answer->status != 200) refusal_read(answer, error);
    return good;
}

bool registry_client_ask(const struct registry_client *client, const char *verb, const char *path,
                         struct bytes body, struct arena *arena, struct registry_answer *answer,
                         struct error *error) {
    return registry_client_call(client, verb, path, body, arena, answer, error) &&
           answer->status == 200;
}
