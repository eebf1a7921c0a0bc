#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/guard.h"
#include "http/service.h"
#include "io/sim.h"

/* --- parse, one byte at a time and at once --- */

static enum http_parse_result parse_text(struct http_parse *parse, struct bytes text, size_t step,
                                         size_t *used) {
    enum http_parse_result result = HTTP_PARSE_MORE;
    *used = 0;
    while (*used < text.len && result == HTTP_PARSE_MORE) {
        size_t left = text.len - *used, len = step < left ? step : left;
        struct bytes piece = bytes_make(text.at + *used, len);
        result = http_parse_feed(parse, &piece);
        *used += len - piece.len;
    }
    return result;
}

Test(http_parse, a_request_is_the_same_in_any_pieces) {
    struct bytes text = BYTES_OF(
        "POST /a%2Fb/c?x=1&y HTTP/1.1\r\nHost: localhost\r\nEmpty:\r\nX-Long: v\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: "
        "t\r\n\r\nGET");
    for (size_t step = 1; step <= text.len; step += 7) {
        struct http_parse *parse = http_parse_new(1024, NULL);
        size_t used;
        cr_assert_eq(parse_text(parse, text, step, &used), HTTP_PARSE_COMPLETE);
        cr_assert_eq(used, text.len - 3, "%zu", used);
        const struct http_request *request = http_parse_request(parse);
        cr_expect_eq(request->verb, VERB_POST);
        cr_expect(bytes_equal_text(request->path, "/a%2Fb/c"));
        cr_expect(bytes_equal_text(request->query, "x=1&y"));
        cr_expect(bytes_equal_text(request->body, "abcdefg"));
        cr_expect(bytes_equal_text(http_request_header(request, "x-long"), "v"));
        cr_expect(bytes_equal_text(http_request_header(request, "EMPTY"), ""));
        cr_expect(bytes_is_null(http_request_header(request, "Trailer")));
        cr_expect(request->keep_alive);
        http_parse_free(parse);
    }
}

Test(http_parse, what_is_refused) {
    struct text many = {0}, large = {0};
    text_printf(&many, "GET / HTTP/1.1\r\n");
    for (int i = 0; i <= HTTP_HEADERS_MAX; i++) text_printf(&many, "X%d: 1\r\n", i);
    text_printf(&many, "\r\n");
    text_printf(&large, "GET /%0*d HTTP/1.1\r\n\r\n", HTTP_HEAD_MAX, 1);
    const struct {
        struct bytes text;
        int status;
    } rows[] = {
        {BYTES_OF("hello\r\n\r\n"), 400},
        {BYTES_OF("GET / HTTP/1.1\r\nA: 1\r\n B: folded\x01\r\n\r\n"), 400},
        {BYTES_OF("GET / HTTP/9\r\n\r\n"), 505},
        {BYTES_OF("GET / HTTP/2.0\r\n\r\n"), 505},
        {BYTES_OF("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), 501},
        {BYTES_OF("POST / HTTP/1.1\r\nContent-Length: 1025\r\n\r\n"), 413},
        {BYTES_OF("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), 400},
        {BYTES_OF("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400},
        {BYTES_OF("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
         400},
        {BYTES_OF("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 400},
        {text_bytes(&many), 431},
        {text_bytes(&large), 431},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct http_parse *parse = http_parse_new(1024, NULL);
        size_t used;
        cr_expect_eq(parse_text(parse, rows[i].text, 5, &used), HTTP_PARSE_BROKEN, "row %zu", i);
        cr_expect_eq(http_parse_status(parse), rows[i].status, "row %zu: %d", i,
                     http_parse_status(parse));
        http_parse_free(parse);
    }
    text_deinit(&many);
    text_deinit(&large);
}

Test(http_parse, a_chunked_body_cannot_pass_the_cap) {
    struct http_parse *parse = http_parse_new(6, NULL);
    size_t used;
    struct bytes text = BYTES_OF(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n4\r\nefgh\r\n0\r\n\r\n");
    cr_expect_eq(parse_text(parse, text, text.len, &used), HTTP_PARSE_BROKEN);
    cr_expect_eq(http_parse_status(parse), 413);
    http_parse_free(parse);
}

/* Java's client offers HTTP/2 with every first request. */
Test(http_parse, offers_of_other_protocols_are_passed_over) {
    struct http_parse *parse = http_parse_new(1024, NULL);
    size_t used;
    struct bytes text = BYTES_OF(
        "POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nContent-Length: 2\r\n\r\nhi");
    cr_expect_eq(parse_text(parse, text, 3, &used), HTTP_PARSE_COMPLETE);
    cr_expect(bytes_equal_text(http_parse_request(parse)->body, "hi"));
    http_parse_free(parse);
}

/* --- names --- */

Test(http_uri, segments_are_split_before_they_are_decoded) {
    struct bytes segments[URI_SEGMENTS_MAX], value;
    struct arena arena;
    size_t count;
    arena_init(&arena, 1 << 16);
    cr_assert(uri_split(&arena, BYTES_OF("//subjects/a%2Fb%20c/"), segments, &count));
    cr_assert_eq(count, 2);
    cr_expect(bytes_equal_text(segments[1], "a/b c"));
    cr_assert(uri_split(&arena, BYTES_OF("/"), segments, &count));
    cr_expect_eq(count, 0);
    cr_expect_not(uri_split(&arena, BYTES_OF("/a%2"), segments, &count));
    cr_expect_not(uri_split(&arena, BYTES_OF("/a%zz"), segments, &count));
    cr_expect_not(uri_split(&arena, BYTES_OF("/a%00"), segments, &count));
    cr_expect_not(uri_split(&arena, BYTES_OF("/a/a/a/a/a/a/a/a/a/a/a/a/a"), segments, &count));
    struct bytes query = BYTES_OF("a=1&b=x%26y+z&a=2&flag");
    cr_assert(uri_parameter(&arena, query, "a", 1, &value));
    cr_expect(bytes_equal_text(value, "2"));
    cr_assert(uri_parameter(&arena, query, "b", 0, &value));
    cr_expect(bytes_equal_text(value, "x&y z"));
    cr_assert(uri_parameter(&arena, query, "flag", 0, &value));
    cr_expect_eq(value.len, 0);
    cr_expect_not(uri_parameter(&arena, query, "a", 2, &value));
    cr_expect_not(uri_parameter(&arena, BYTES_NULL, "a", 0, &value));
    arena_deinit(&arena);
}

Test(http_guard, host_and_origin) {
    static const struct {
        const char *host, *origin;
        bool loopback;
        int status;
    } rows[] = {
        {"localhost:8081", NULL, true, 0},
        {"LOCALHOST", NULL, true, 0},
        {"127.0.0.1:1", NULL, true, 0},
        {"127.8.8.8", NULL, true, 0},
        {"[::1]:80", NULL, true, 0},
        {"127.evil.example", NULL, true, 403},
        {"evil.example:8081", NULL, true, 403},
        {"localhost.evil.example", NULL, true, 403},
        {"", NULL, true, 403},
        {"evil.example", NULL, false, 0},
        {NULL, NULL, true, 400},
        {"localhost:1", "http://localhost:1", true, 0},
        {"localhost:1", "https://LocalHost:1", true, 0},
        {"localhost:1", "http://localhost:2", true, 403},
        {"localhost:1", "http://evil.example", true, 403},
        {"localhost:1", "null", true, 403},
        {"registry:1", "http://evil.example", false, 403},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct http_request request = {.version_1_1 = true};
        if (rows[i].host)
            request.headers[request.header_count++] =
                (struct http_header){BYTES_OF("Host"), bytes_of_text(rows[i].host)};
        if (rows[i].origin)
            request.headers[request.header_count++] =
                (struct http_header){BYTES_OF("Origin"), bytes_of_text(rows[i].origin)};
        cr_expect_eq(http_guard(&request, rows[i].loopback), rows[i].status, "row %zu", i);
    }
    struct http_request twice = {.version_1_1 = true, .header_count = 2};
    twice.headers[0] = twice.headers[1] =
        (struct http_header){BYTES_OF("Host"), BYTES_OF("localhost")};
    cr_expect_eq(http_guard(&twice, true), 400);
    struct http_request old = {0};
    cr_expect_eq(http_guard(&old, true), 0);
}

/* --- a service in the simulated world --- */

struct world {
    struct sim *sim;
    struct ring *ring;
    struct http_service service;
    struct http_exchange *parked;
    bool stopped;
};

static void echo_handle(struct http_exchange *exchange) {
    struct text text = {0};
    for (size_t i = 0; i < exchange->part_count; i++)
        text_printf(&text, "<%.*s>", BYTES_FORMAT(exchange->parts[i]));
    text_append(&text, exchange->request->body);
    http_answer(exchange, 200, "text/plain", text_bytes(&text));
    text_deinit(&text);
}

static void prefix_handle(struct http_exchange *exchange) {
    struct bytes prefix = exchange->prefix;
    http_answer(exchange, 200, "text/plain", prefix.at ? prefix : BYTES_OF("none"));
}

static void size_handle(struct http_exchange *exchange) {
    struct text text = {0};
    text_printf(&text, "%zu", exchange->request->body.len);
    http_answer(exchange, 200, "text/plain", text_bytes(&text));
    text_deinit(&text);
}

enum { LARGE = 200000 };

static void large_handle(struct http_exchange *exchange) {
    static uint8_t large[LARGE];
    http_answer(exchange, 200, "text/plain", bytes_make(memset(large, 'a', LARGE), LARGE));
}

static void park_handle(struct http_exchange *exchange) {
    ((struct world *)exchange->context)->parked = exchange;
}

static const struct http_route routes[] = {{VERB_GET, "/", echo_handle},
                                           {VERB_POST, "/echo", echo_handle},
                                           {VERB_GET, "/subjects/{}/versions/{}", echo_handle},
                                           {VERB_GET, "/all", prefix_handle},
                                           {VERB_GET, "/in", prefix_handle},
                                           {VERB_GET, "/park", park_handle},
                                           {VERB_POST, "/size", size_handle},
                                           {VERB_GET, "/large", large_handle}};

static void world_init(struct world *world, uint64_t seed) {
    struct error error;
    *world = (struct world){.sim = sim_new(seed)};
    world->ring = sim_ring_new(world->sim);
    world->service = (struct http_service){.ring = world->ring,
                                           .routes = routes,
                                           .route_count = array_count(routes),
                                           .context = world,
                                           .body_max = 4096,
                                           .budget.bytes_max = 4096,
                                           .prefix = "in",
                                           .content_type = "application/json"};
    cr_assert(http_service_open(&world->service, "127.0.0.1:0", &error), "%s", error.text);
}

static void world_run(struct world *world, uint64_t ms) {
    uint64_t until = sim_now_ns(world->sim) + ms * NS_PER_MS;
    while (sim_step(world->sim, until)) ring_round(world->ring, false);
    ring_round(world->ring, false);
}

static void stopped(struct http_service *service) {
    container_of(service, struct world, service)->stopped = true;
}

static void world_deinit(struct world *world) {
    http_service_stop(&world->service, stopped);
    world_run(world, 1000);
    cr_assert(world->stopped);
    ring_free(world->ring);
    sim_free(world->sim);
}

static int world_send(struct world *world, struct bytes bytes) {
    int socket = sim_connect(world->sim, world->service.bound);
    cr_assert_geq(socket, 0);
    sim_send(world->sim, socket, bytes);
    return socket;
}

/* Everything that has arrived; "|" at the end when the service has closed. */
static const char *world_receive(struct world *world, int socket, uint64_t ms) {
    static char text[16384];
    size_t len = 0;
    world_run(world, ms);
    int64_t got;
    while ((got = sim_receive(world->sim, socket, text + len, sizeof text - 2 - len)) > 0)
        len += (size_t)got;
    if (got < 0) text[len++] = '|';
    text[len] = 0;
    return text;
}

static void expect_answer(const char *answer, const char *status, const char *end) {
    size_t len = strlen(answer), tail = strlen(end);
    cr_expect_eq(strncmp(answer + 9, status, 3), 0, "%s", answer);
    cr_expect(len >= tail && strcmp(answer + len - tail, end) == 0, "%s", answer);
}

#define HOST "Host: localhost\r\n"

Test(http_service, answers_and_keeps_the_connection) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world world;
        world_init(&world, seed);
        int socket = world_send(
            &world, BYTES_OF("GET /subjects/a%2Fb/versions/latest?x HTTP/1.1\r\n" HOST "\r\n"));
        expect_answer(world_receive(&world, socket, 500), "200", "\r\n\r\n<a/b><latest>");
        sim_send(world.sim, socket,
                 BYTES_OF("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"));
        expect_answer(world_receive(&world, socket, 500), "200", "\r\n\r\nhello");
        sim_send(world.sim, socket, BYTES_OF("GET /none HTTP/1.1\r\n" HOST "\r\n"));
        expect_answer(world_receive(&world, socket, 500), "404",
                      "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
        sim_send(world.sim, socket, BYTES_OF("DELETE /echo HTTP/1.1\r\n" HOST "\r\n"));
        expect_answer(world_receive(&world, socket, 500), "405", "Not Allowed\"}");
        sim_send(world.sim, socket, BYTES_OF("HEAD / HTTP/1.1\r\n" HOST "\r\n"));
        expect_answer(world_receive(&world, socket, 500), "200", "\r\n\r\n");
        sim_send(world.sim, socket,
                 BYTES_OF("GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"));
        expect_answer(world_receive(&world, socket, 500), "200", "\r\n\r\n|");
        world_deinit(&world);
    }
}

Test(http_service, pipelined_requests_are_answered_in_order) {
    struct world world;
    world_init(&world, 3);
    int socket =
        world_send(&world, BYTES_OF("GET /subjects/1/versions/1 HTTP/1.1\r\n" HOST "\r\n"
                                    "GET /park HTTP/1.1\r\n" HOST "\r\n"
                                    "GET /subjects/2/versions/2 HTTP/1.1\r\n" HOST "\r\n"));
    expect_answer(world_receive(&world, socket, 500), "200", "<1><1>");
    cr_assert(world.parked);
    http_answer(world.parked, 200, "text/plain", BYTES_OF("parked"));
    const char *rest = world_receive(&world, socket, 500);
    cr_expect(strstr(rest, "parked") && strstr(rest, "<2><2>") > strstr(rest, "parked"), "%s",
              rest);
    world_deinit(&world);
}

Test(http_service, refusals_close_the_connection) {
    static const struct {
        struct bytes request;
        const char *status;
    } rows[] = {
        {BYTES_OF("nonsense\r\n\r\n"), "400"},
        {BYTES_OF("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5000\r\n\r\n"), "413"},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct world world;
        world_init(&world, 5);
        int socket = world_send(&world, rows[i].request);
        expect_answer(world_receive(&world, socket, 500), rows[i].status, "\"}");
        cr_expect_str_eq(world_receive(&world, socket, 3000), "|");
        world_deinit(&world);
    }
}

Test(http_service, other_sites_are_refused) {
    struct world world;
    world_init(&world, 6);
    int socket = world_send(&world, BYTES_OF("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"));
    expect_answer(world_receive(&world, socket, 500), "403", "another site\"}");
    world_deinit(&world);
}

Test(http_service, the_body_may_wait_for_continue) {
    struct world world;
    world_init(&world, 7);
    int socket = world_send(&world, BYTES_OF("POST /echo HTTP/1.1\r\n" HOST
                                             "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
    cr_expect_str_eq(world_receive(&world, socket, 500), "HTTP/1.1 100 Continue\r\n\r\n");
    sim_send(world.sim, socket, BYTES_OF("hi"));
    expect_answer(world_receive(&world, socket, 500), "200", "\r\n\r\nhi");
    world_deinit(&world);
}

Test(http_service, slow_and_idle_clients_are_cut) {
    struct world world;
    world_init(&world, 8);
    int idle = world_send(&world, BYTES_OF(""));
    int slow = world_send(&world, BYTES_OF("GET / HT"));
    cr_expect_str_eq(world_receive(&world, slow, (HTTP_REQUEST_S - 1) * 1000), "");
    cr_expect_str_eq(world_receive(&world, slow, 3000), "|");
    cr_expect_str_eq(world_receive(&world, idle, 1000), "");
    cr_expect_str_eq(world_receive(&world, idle, HTTP_IDLE_S * 1000), "|");
    cr_expect_eq(world.service.connection_count, 0);
    world_deinit(&world);
}

Test(http_service, a_parked_request_outlives_its_client_and_holds_the_end) {
    struct world world;
    world_init(&world, 9);
    int socket = world_send(&world, BYTES_OF("GET /park HTTP/1.1\r\n" HOST "\r\n"));
    world_run(&world, 500);
    cr_assert(world.parked);
    sim_disconnect(world.sim, socket);
    world_run(&world, 500);
    cr_expect_eq(world.service.connection_count, 1);
    http_service_stop(&world.service, stopped);
    world_run(&world, 500);
    cr_expect_not(world.stopped);
    http_answer(world.parked, 200, "text/plain", BYTES_OF("late"));
    world_run(&world, 500);
    cr_expect(world.stopped);
    ring_free(world.ring);
    sim_free(world.sim);
}

Test(http_service, a_prefix_may_stand_before_every_route) {
    static const struct {
        const char *path, *status, *end;
    } rows[] = {{"/all", "200", "none"},        {"/in/a%2Fb/all", "200", "a/b"},
                {"/in", "200", "none"},         {"/in/x", "200", "\r\n\r\n"},
                {"/in/a/in/b/all", "404", "}"}, {"/in/a/nothing", "404", "}"}};
    struct world world;
    world_init(&world, 9);
    for (size_t i = 0; i < array_count(rows); i++) {
        char request[256];
        int len =
            snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].path);
        int socket = world_send(&world, bytes_make(request, (size_t)len));
        expect_answer(world_receive(&world, socket, 10), rows[i].status, rows[i].end);
    }
    world_deinit(&world);
}

/* --- memory --- */

Test(http_budget, small_ones_are_free_and_one_may_have_all) {
    struct http_budget budget = {.bytes_max = 300000};
    size_t one = 0, two = 0;
    cr_expect(http_budget_hold(&budget, &one, HTTP_SMALL_BYTES));
    cr_expect_eq(budget.used, 0);
    cr_expect(http_budget_hold(&budget, &one, 100000));
    cr_expect_not(http_budget_hold(&budget, &two, 200001));
    cr_expect(two == 0 && budget.used == 100000 && budget.refused == 1);
    cr_expect(http_budget_hold(&budget, &two, 200000));
    cr_expect_not(http_budget_hold(&budget, &one, 100001));
    cr_expect_eq(one, 100000, "what it has it keeps");
    http_budget_drop(&budget, &two);
    cr_expect(http_budget_hold(&budget, &one, 1000000), "alone");
    cr_expect_not(http_budget_hold(&budget, &two, 70000));
    cr_expect(http_budget_hold(&budget, &two, 60000));
    http_budget_drop(&budget, &one);
    cr_expect_eq(budget.used, 0);
}

static void world_init_large(struct world *world, uint64_t seed) {
    world_init(world, seed);
    world->service.body_max = 1 << 20;
    world->service.budget.bytes_max = 450000;
}

/* A body that is announced, and as much of it as is sent. */
static int world_post(struct world *world, size_t announced, size_t sent) {
    struct text text = {0};
    text_printf(&text, "POST /size HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", announced);
    for (size_t i = 0; i < sent; i++) text_append(&text, BYTES_OF("a"));
    int socket = world_send(world, text_bytes(&text));
    text_deinit(&text);
    return socket;
}

Test(http_service, bodies_that_do_not_end_hold_bounded_memory) {
    struct world world;
    world_init_large(&world, 11);
    int first = world_post(&world, LARGE, 150000), second = world_post(&world, LARGE, 150000);
    world_run(&world, 5000);
    cr_expect_eq(world.service.budget.used, 300000, "what has come, not what was announced");
    int third = world_post(&world, LARGE, LARGE);
    const char *answer = world_receive(&world, third, 5000);
    cr_expect(strstr(answer, "\r\nRetry-After: 1\r\n"), "%s", answer);
    cr_expect(strstr(answer, "try again\"}"), "%s", answer);
    cr_expect_eq(strncmp(answer, "HTTP/1.1 503 Service Unavailable\r\n", 34), 0, "%s", answer);
    cr_expect_eq(world.service.budget.used, 300000);
    expect_answer(world_receive(&world, world_post(&world, 2, 2), 5000), "200", "\r\n\r\n2");
    sim_disconnect(world.sim, first);
    world_run(&world, 5000);
    cr_expect_eq(world.service.budget.used, 150000);
    expect_answer(world_receive(&world, world_post(&world, LARGE, LARGE), 5000), "200", "200000");
    cr_expect_eq(world.service.budget.used, 150000);
    sim_disconnect(world.sim, second);
    world_run(&world, 5000);
    cr_expect_eq(world.service.budget.used, 0);
    world_deinit(&world);
}

/* Takes so many bytes off, however long it takes. */
static void world_drain(struct world *world, int socket, size_t bytes) {
    static uint8_t piece[4096];
    while (bytes > 0) {
        size_t most = bytes < sizeof piece ? bytes : sizeof piece;
        int64_t got = sim_receive(world->sim, socket, piece, most);
        cr_assert_geq(got, 0);
        bytes -= (size_t)got;
        world_run(world, 10);
    }
}

Test(http_service, answers_that_nobody_takes_hold_bounded_memory) {
    struct world world;
    struct bytes request = BYTES_OF("GET /large HTTP/1.1\r\n" HOST "\r\n");
    world_init_large(&world, 12);
    int first = world_send(&world, request), second = world_send(&world, request);
    world_run(&world, 5000);
    cr_expect_eq(world.service.budget.used, 2 * LARGE);
    int third = world_send(&world, request);
    const char *answer = world_receive(&world, third, 5000);
    cr_expect(strstr(answer, "\r\nRetry-After: 1\r\n"), "%s", answer);
    expect_answer(answer, "503", "try again\"}");
    sim_send(world.sim, third, BYTES_OF("GET / HTTP/1.1\r\n" HOST "\r\n"));
    expect_answer(world_receive(&world, third, 500), "200", "\r\n\r\n");
    world_drain(&world, first, LARGE);
    world_run(&world, 5000);
    cr_expect_eq(world.service.budget.used, LARGE, "it has left");
    sim_send(world.sim, third, request);
    world_drain(&world, third, LARGE);
    world_drain(&world, second, LARGE);
    world_run(&world, 5000);
    cr_expect_eq(world.service.budget.used, 0);
    world_deinit(&world);
}
