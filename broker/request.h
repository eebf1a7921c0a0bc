/* One request from its frame to its answer. Everything that it allocates lives in its arena and
 * goes with it.
 *
 *   frame read ─► decoded ─► handler.start ─┬─► request_answer() ─► sent in request order ─► freed
 *                                           └─ parked: handler.retry after each wake-up,
 *                                              handler.expire at the deadline
 *
 * Replies leave in request order. Only Produce overlaps Produce; any other API starts when nothing
 * is in flight on that connection (connection.h). A handler's side effects happen once, in `start`;
 * `retry` only looks again. */
#pragma once

#include "base/arena.h"
#include "io/ring.h"
#include "protocol/api.h"
#include "protocol/wire.h"

struct connection;
struct core;

struct request {
    struct list link; /* in its connection, in order of arrival */
    struct connection *connection;
    struct core *core;
    const struct handler *handler;
    const struct api *api;
    int16_t version;
    int32_t correlation_id;
    struct bytes client_id;
    struct arena arena;
    struct bytes frame;  /* owned; decoded bodies point into it */
    size_t budget_bytes; /* what admission counts for it */
    void *body;          /* decoded: struct X_request */
    void *state;         /* the handler's own, in the arena */
    uint64_t started_ns;
    struct timer deadline; /* armed by request_park() */
    struct mail wake;      /* queued by request_wake() */
    bool started, answered, silent; /* silent: acks=0, no answer leaves */
    struct wire_output output;      /* the encoded answer, referenced until it was sent */
    /* Runs when the answer has left (or the connection died): unpins what the output refers to. */
    void (*release)(struct request *request);
};

struct handler {
    enum api_key key;
    /* Decides, or parks: must lead to exactly one request_answer(). */
    void (*start)(struct request *request);
    /* After request_wake(); NULL when the handler never parks. */
    void (*retry)(struct request *request);
    /* At the deadline given to request_park(). */
    void (*expire)(struct request *request);
};

/* The handler table: one row per API that is served (broker/handlers/). */
const struct handler *handler_find(int16_t key);

/* The zeroed response struct of this request's API with Kafka's defaults, in the arena. */
void *request_response(struct request *request);
/* Encodes and queues the answer; the request must not be touched afterwards. */
void request_answer(struct request *request, const void *response);
/* No answer leaves (acks=0); `close` ends the connection, as Kafka does on an error. */
void request_answer_silently(struct request *request, bool close);
/* Waits for request_wake() or the deadline (absolute; 0 = none). */
void request_park(struct request *request, uint64_t deadline_ns);
/* Calls retry from the loop, once, however often it is called before. */
void request_wake(struct request *request);
/* An answer that is only an error code, where the API has a top-level one; closes otherwise. */
void request_fail(struct request *request, int16_t code, const char *message);
