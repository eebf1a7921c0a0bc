#include "http/connection.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "http/guard.h"

/*                    a request is whole            http_answer()
 *   RECEIVING ──────────────────────► HANDLING ──────────────────► SENDING
 *       ▲  └─ broken: refusal ───────────────────────────────────────┘ │ │
 *       └───────────────── keep-alive: what was pipelined, then more ──┘ │
 *                                             LINGERING ◄── after a refusal
 *   CLOSING: the socket is shut down; freed when nothing is in flight. */
enum connection_state { RECEIVING, HANDLING, SENDING, LINGERING, CLOSING };

struct http_connection {
    struct http_service *service;
    struct list link;
    int fd;
    enum connection_state state;
    bool receiving, sending; /* operations in flight */
    bool close_after, linger_after, draining;
    struct io_op receive, send;
    struct iovec piece;
    struct timer limit;
    struct http_parse *parse;
    struct byte_buffer waiting; /* received behind the request that is being answered */
    struct byte_buffer answer;
    size_t answer_held; /* of the service's budget */
    struct http_exchange exchange;
};

static void connection_receive(struct http_connection *connection);

static void limit_set(struct http_connection *connection, unsigned seconds) {
    struct ring *ring = connection->service->ring;
    timer_arm(ring, &connection->limit, ring_now_ns(ring) + seconds * NS_PER_S);
}

/* The memory of a large answer is given back. */
static void answer_release(struct http_connection *connection) {
    connection->answer.len = 0;
    if (connection->answer.capacity > HTTP_SMALL_BYTES) byte_buffer_deinit(&connection->answer);
    http_budget_drop(&connection->service->budget, &connection->answer_held);
}

static void connection_free(struct http_connection *connection) {
    struct http_service *service = connection->service;
    answer_release(connection);
    timer_cancel(service->ring, &connection->limit);
    ring_close(service->ring, connection->fd);
    list_remove(&connection->link);
    http_parse_free(connection->parse);
    byte_buffer_deinit(&connection->waiting);
    byte_buffer_deinit(&connection->answer);
    arena_deinit(&connection->exchange.arena);
    free(connection);
    service->connection_count--;
    if (service->stopping && service->connection_count == 0 && !service->accepting)
        service->stopped(service);
}

/* Nothing more is sent or read. Never while a handler owes an answer: nothing is in flight then,
 * and no limit runs. */
static void connection_close(struct http_connection *connection) {
    check(connection->state != HANDLING);
    if (connection->state != CLOSING) ring_shutdown(connection->service->ring, connection->fd);
    connection->state = CLOSING;
    if (!connection->receiving && !connection->sending) connection_free(connection);
}

static void limit_passed(struct timer *timer) {
    connection_close(container_of(timer, struct http_connection, limit));
}

/* --- answers --- */

static const char *status_name(int status) {
    static const struct {
        int status;
        const char *name;
    } names[] = {{200, "OK"},
                 {204, "No Content"},
                 {207, "Multi-Status"},
                 {400, "Bad Request"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {406, "Not Acceptable"},
                 {409, "Conflict"},
                 {413, "Content Too Large"},
                 {415, "Unsupported Media Type"},
                 {422, "Unprocessable Content"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"},
                 {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < array_count(names); i++) {
        if (names[i].status == status) return names[i].name;
    }
    return "Status";
}

/* Just enough: doubling would take up to twice as much. */
static void answer_reserve(struct byte_buffer *answer, size_t size) {
    if (size <= HTTP_SMALL_BYTES || size <= answer->capacity) return;
    answer->at = (uint8_t *)memory_resize(answer->at, size);
    answer->capacity = size;
}

static void answer_write(struct http_connection *connection, int status, const char *content_type,
                         struct bytes body, bool with_body) {
    char head[512];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                       "X-Content-Type-Options: nosniff\r\n%s%s\r\n",
                       status, status_name(status), content_type, body.len,
                       status == 503 ? "Retry-After: 1\r\n" : "",
                       connection->close_after ? "Connection: close\r\n" : "");
    check(len > 0 && (size_t)len < sizeof head);
    connection->answer.len = 0;
    if (with_body) answer_reserve(&connection->answer, (size_t)len + body.len);
    byte_buffer_append(&connection->answer, bytes_make(head, (size_t)len));
    if (with_body) byte_buffer_append(&connection->answer, body);
}

static void answer_send(struct http_connection *connection) {
    connection->state = SENDING;
    connection->sending = true;
    limit_set(connection, HTTP_ANSWER_S);
    connection->piece = (struct iovec){connection->answer.at, connection->answer.len};
    ring_send(connection->service->ring, &connection->send, connection->fd, &connection->piece, 1);
}

static void error_body(struct text *text, int code, const char *message) {
    text_printf(text, "{\"error_code\":%d,\"message\":", code);
    text_append_json(text, bytes_of_text(message));
    text_printf(text, "}");
}

static const char *refusal_text(int status) {
    if (status != 503) return status_name(status);
    return "Large requests and answers hold all the memory that there is for them; try again";
}

/* Before there is a request to route: the connection ends with it. */
static void connection_refuse(struct http_connection *connection, int status) {
    struct text text = {0};
    connection->close_after = connection->linger_after = true;
    http_parse_reset(connection->parse);
    error_body(&text, status, refusal_text(status));
    answer_write(connection, status, connection->service->content_type, text_bytes(&text), true);
    text_deinit(&text);
    answer_send(connection);
}

void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 struct bytes body) {
    struct http_connection *connection = exchange->connection;
    check(connection->state == HANDLING);
    if (!exchange->request->keep_alive || connection->draining) connection->close_after = true;
    bool with_body = exchange->request->verb != VERB_HEAD;
    struct text text = {0};
    if (with_body &&
        !http_budget_hold(&connection->service->budget, &connection->answer_held, body.len)) {
        status = 503;
        content_type = connection->service->content_type;
        error_body(&text, status, refusal_text(status));
        body = text_bytes(&text);
    }
    answer_write(connection, status, content_type, body, with_body);
    text_deinit(&text);
    arena_reset(&exchange->arena);
    answer_send(connection);
}

void http_answer_error(struct http_exchange *exchange, int status, int code, const char *format,
                       ...) {
    char message[1024];
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    error_body(&text, code, message);
    http_answer(exchange, status, exchange->connection->service->content_type, text_bytes(&text));
    text_deinit(&text);
}

/* --- requests --- */

static void connection_handle(struct http_connection *connection) {
    struct http_service *service = connection->service;
    struct http_exchange *exchange = &connection->exchange;
    const struct http_route *route;
    exchange->request = http_parse_request(connection->parse);
    exchange->part_count = 0;
    timer_cancel(service->ring, &connection->limit);
    connection->state = HANDLING;
    int refused = http_guard(exchange->request, service->loopback_only);
    if (refused) {
        return http_answer_error(exchange, refused, refused,
                                 "Refused: the Host or Origin header names another site");
    }
    switch (http_route_find(service, exchange, &route)) {
        case HTTP_ROUTE_FOUND: return route->handle(exchange);
        case HTTP_ROUTE_OTHER_VERB:
            return http_answer_error(exchange, 405, 405, "HTTP 405 Method Not Allowed");
        case HTTP_ROUTE_UNKNOWN: return http_answer_error(exchange, 404, 404, "HTTP 404 Not Found");
    }
}

static void continue_send(struct http_connection *connection) {
    connection->answer.len = 0;
    byte_buffer_append(&connection->answer, BYTES_OF("HTTP/1.1 100 Continue\r\n\r\n"));
    connection->sending = true;
    connection->piece = (struct iovec){connection->answer.at, connection->answer.len};
    ring_send(connection->service->ring, &connection->send, connection->fd, &connection->piece, 1);
}

/* Takes what has come; what is behind a whole request waits. */
static void connection_take(struct http_connection *connection, struct bytes bytes) {
    bool begun = http_parse_has_begun(connection->parse);
    enum http_parse_result result = http_parse_feed(connection->parse, &bytes);
    if (result == HTTP_PARSE_BROKEN)
        return connection_refuse(connection, http_parse_status(connection->parse));
    if (result == HTTP_PARSE_COMPLETE) {
        byte_buffer_append(&connection->waiting, bytes);
        return connection_handle(connection);
    }
    if (!begun && http_parse_has_begun(connection->parse)) limit_set(connection, HTTP_REQUEST_S);
    if (http_parse_expects_continue(connection->parse)) return continue_send(connection);
    connection_receive(connection);
}

static void receive_done(struct io_op *op) {
    struct http_connection *connection = container_of(op, struct http_connection, receive);
    connection->receiving = false;
    if (connection->state == CLOSING || op->result <= 0) return connection_close(connection);
    if (connection->state == LINGERING) return connection_receive(connection);
    check(connection->state == RECEIVING);
    connection_take(connection, op->received);
}

static void connection_receive(struct http_connection *connection) {
    connection->receiving = true;
    ring_receive(connection->service->ring, &connection->receive, connection->fd);
}

/* The next request: first of what came early. */
static void connection_next(struct http_connection *connection) {
    struct byte_buffer early = connection->waiting;
    connection->waiting = (struct byte_buffer){0};
    connection->state = RECEIVING;
    answer_release(connection);
    http_parse_reset(connection->parse);
    limit_set(connection, HTTP_IDLE_S);
    if (early.len)
        connection_take(connection, byte_buffer_bytes(&early));
    else
        connection_receive(connection);
    byte_buffer_deinit(&early);
}

static void send_done(struct io_op *op) {
    struct http_connection *connection = container_of(op, struct http_connection, send);
    connection->sending = false;
    if (connection->state == CLOSING || op->result < 0) return connection_close(connection);
    if (connection->state == RECEIVING) return connection_receive(connection); /* 100 Continue */
    check(connection->state == SENDING);
    if (!connection->close_after) return connection_next(connection);
    if (!connection->linger_after) return connection_close(connection);
    connection->state = LINGERING;
    limit_set(connection, HTTP_LINGER_S);
    connection_receive(connection);
}

void http_connection_new(struct http_service *service, int fd) {
    struct http_connection *connection = new_zero(struct http_connection);
    connection->service = service;
    connection->fd = fd;
    connection->receive.done = receive_done;
    connection->send.done = send_done;
    connection->limit.fire = limit_passed;
    connection->parse = http_parse_new(service->body_max, &service->budget);
    connection->exchange.context = service->context;
    connection->exchange.connection = connection;
    arena_init(&connection->exchange.arena, HTTP_ARENA_MAX);
    list_append(&service->connections, &connection->link);
    service->connection_count++;
    limit_set(connection, HTTP_IDLE_S);
    connection_receive(connection);
}

void http_connections_drain(struct http_service *service) {
    list_each(node, &service->connections) {
        struct http_connection *connection = list_entry(node, struct http_connection, link);
        connection->draining = connection->close_after = true;
        if (connection->state == RECEIVING || connection->state == LINGERING)
            connection_close(connection);
    }
}
