/* HTTP/1.1 on the ring's own sockets: listening, connections, routes, answers.
 *
 *   bytes ─► parse ─► guard ─► route ─► handler ─► http_answer() ─► the next request
 *
 * One request of a connection at a time: what a client pipelines waits unread. A handler may answer
 * later, from the same thread; its exchange lives until it has answered, whether the client is
 * still there or not. Bounds: connections, head, body, memory of all bodies and answers together
 * (http/budget.h), time for a request to come and an answer to leave, idleness. Everything belongs
 * to the ring's thread. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/list.h"
#include "base/text.h"
#include "http/parse.h"
#include "http/uri.h"
#include "io/ring.h"
#include "io/socket.h"

enum {
    HTTP_IDLE_S = 60,    /* between requests */
    HTTP_REQUEST_S = 30, /* from a request's first byte to its last */
    HTTP_ANSWER_S = 30,  /* for an answer to leave */
    HTTP_LINGER_S = 2,   /* after a refusal, for the client to read it */
    HTTP_ARENA_MAX = 1 << 20,
    HTTP_CONNECTIONS_MAX = 256
};

struct http_connection;
struct http_service;

/* A request and the place for its answer. */
struct http_exchange {
    const struct http_request *request;
    struct bytes parts[URI_SEGMENTS_MAX]; /* what stood where the pattern has {}, decoded */
    size_t part_count;
    struct bytes prefix; /* behind the service's prefix, decoded; null where it is not there */
    struct arena arena;  /* for the handler */
    void *context;       /* of the service */
    struct http_connection *connection;
};

/* "/subjects/{}/versions" matches segment by segment; {} takes any one. The first that fits wins.
 */
struct http_route {
    enum http_verb verb; /* a GET answers HEAD too */
    const char *pattern;
    void (*handle)(struct http_exchange *exchange);
};

struct http_service {
    struct ring *ring;
    const struct http_route *routes;
    size_t route_count;
    void *context;
    size_t body_max;           /* of one request */
    struct http_budget budget; /* bytes_max is set; at least body_max */
    /* NULL, or a first segment that may stand, with another one behind it, before every route:
     * with "contexts", /contexts/x/subjects is /subjects, and the exchange's prefix is "x". */
    const char *prefix;
    const char *content_type; /* of refusals, whose body is {"error_code":N,"message":"..."} */

    /* ---- its own ---- */
    char bound[ADDRESS_TEXT_SIZE];
    int fd;
    bool loopback_only, accepting, stopping;
    struct io_op accept;
    struct list connections;
    uint32_t connection_count;
    void (*stopped)(struct http_service *service);
};

/* The service's first part is set by the caller. */
bool http_service_open(struct http_service *service, const char *address, struct error *error);
/* No further connections and requests; those that are being answered may end. `stopped` runs when
 * nothing is left, at once if nothing is. */
void http_service_stop(struct http_service *service, void (*stopped)(struct http_service *service));

/* Answers and ends the exchange. The body is copied; where there is no memory for it, the answer is
 * 503. Every 503 tells the client to come again in a second. */
void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 struct bytes body);
/* {"error_code":code,"message":"..."} */
void http_answer_error(struct http_exchange *exchange, int status, int code, const char *format,
                       ...) __attribute__((format(printf, 4, 5)));

enum http_route_result { HTTP_ROUTE_FOUND, HTTP_ROUTE_UNKNOWN, HTTP_ROUTE_OTHER_VERB };

/* Which route a raw path takes; fills the exchange's parts. */
enum http_route_result http_route_find(const struct http_service *service,
                                       struct http_exchange *exchange,
                                       const struct http_route **route);
