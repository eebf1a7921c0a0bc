#include "cli/registry_client.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static bool init(const char *url, struct registry_client *client) {
    struct settings settings = {.registry = url, .timeout_ms = 30000};
    struct error error;
    return registry_client_init(client, &settings, &error);
}

Test(registry_client, takes_addresses_apart) {
    static const struct {
        const char *url, *host, *port, *base;
    } good[] = {{"http://a", "a", "8081", ""},
                {"http://a/", "a", "8081", ""},
                {"a:1", "a", "1", ""},
                {"http://a.b:80/registry//", "a.b", "80", "/registry"},
                {"http://[::1]", "[::1]", "8081", ""},
                {"http://[::1]:9/x", "[::1]", "9", "/x"}};
    struct registry_client client;
    for (size_t at = 0; at < sizeof good / sizeof *good; at++) {
        cr_assert(init(good[at].url, &client), "%s", good[at].url);
        cr_expect_str_eq(client.host, good[at].host);
        cr_expect_str_eq(client.port, good[at].port);
        cr_expect_str_eq(client.base, good[at].base);
    }
}

Test(registry_client, refuses_what_is_no_address) {
    static const char *const bad[] = {"",     "http://",  "https://a",  "http://:1",
                                      "[::1", "http://[", "a:",         "a:port",
                                      "a:1x", "[::1]x",   "a:123456789"};
    struct registry_client client;
    for (size_t at = 0; at < sizeof bad / sizeof *bad; at++) {
        char *copy = strdup(bad[at]); /* so that a byte too far is seen */
        cr_expect_not(init(copy, &client), "%s", bad[at]);
        free(copy);
    }
}

/* --- answers --- */

struct server {
    int listener, port;
    const char *answer;
    pthread_t thread;
};

/* One request without a body is read to its end, answered, and the connection closed. */
static void *serve(void *context) {
    struct server *server = context;
    char request[2048] = "";
    size_t len = 0;
    int fd = accept(server->listener, NULL, NULL);
    while (!strstr(request, "\r\n\r\n")) {
        ssize_t got = recv(fd, request + len, sizeof request - 1 - len, 0);
        if (got <= 0) break;
        len += (size_t)got;
    }
    (void)!send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void server_start(struct server *server, const char *answer) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    server->answer = answer;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(server->listener, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(server->listener, 1), 0);
    cr_assert_eq(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* What a call makes of the answer; the arena is the caller's. */
static bool call(const char *raw, struct arena *arena, struct registry_answer *answer) {
    struct registry_client client;
    struct server server;
    struct error error;
    char url[64];
    arena_init(arena, 1 << 20);
    server_start(&server, raw);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server.port);
    cr_assert(init(url, &client));
    bool good =
        registry_client_call(&client, "GET", "/subjects", BYTES_NULL, arena, answer, &error);
    pthread_join(server.thread, NULL);
    close(server.listener);
    return good;
}

Test(registry_client, reads_answers, .timeout = 300) {
    struct registry_answer answer;
    struct arena arena;
    cr_assert(call("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", &arena, &answer));
    cr_expect_eq(answer.status, 200);
    cr_expect(bytes_equal_text(answer.body, "[]"));
    arena_deinit(&arena);
    cr_assert(call("HTTP/1.0 200 OK\r\n\r\n[1]", &arena, &answer));
    cr_expect(bytes_equal_text(answer.body, "[1]"));
    arena_deinit(&arena);
    cr_assert(call("HTTP/1.1 404 Not Found\r\ncontent-length: 20\r\n\r\n{\"error_code\": 40401}",
                   &arena, &answer));
    cr_expect_eq(answer.status, 404);
    cr_expect_eq(answer.error_code, 40401);
    arena_deinit(&arena);
}

Test(registry_client, refuses_what_is_cut_off_or_no_http, .timeout = 300) {
    static const char *const bad[] = {"",
                                      "HTTP/1.1 200 OK\r\n",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[]",
                                      "HTTP/1.\r\n\r\n200",
                                      "SSH-2.0-OpenSSH_9.2\r\n\r\n",
                                      "HTTP/1.1 OK\r\n\r\n"};
    struct registry_answer answer;
    struct arena arena;
    for (size_t at = 0; at < sizeof bad / sizeof *bad; at++) {
        cr_expect_not(call(bad[at], &arena, &answer), "%s", bad[at]);
        arena_deinit(&arena);
    }
}
