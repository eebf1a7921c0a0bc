/* One request from its frame to its answer. Everything that it allocates lives in its arena and
 * goes with it.
 *
 *   frame read ─► decoded ─► handler.start ─┬─► request_answer() ─► sent in request order ─► freed
 *                                           └─ parked: handler.retry after each wake-up,
 *                                              handler.expire at the deadline
 *
 * Replies leave in request order. Only Produce overlaps Produce; any other API starts when nothing
 * is in flight on that connection (connection.h). A handler's side effects happen once, in `start`;
 * `retry` only looks again.
 *
 * A request outlives its dead connection until it is answered: errands and storage may still point
 * into it. A parked one is expired at once then; request_is_dead() tells that nobody will read the
 * answer. Belongs to its connection's core. */
#pragma once

#include "base/arena.h"
#include "broker/admission.h"
#include "io/ring.h"
#include "protocol/api.h"
#include "protocol/error_code.h"
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
    uint8_t *frame; /* behind this struct, in the same allocation; decoded bodies point into it */
    size_t frame_size;
    struct admission_share budget; /* what admission counts for it */
    size_t counted_bytes;          /* of the arena, in that */
    void *body;                    /* decoded: struct X_request */
    void *state;                   /* the handler's own, in the arena */
    uint64_t started_ns;
    struct timer deadline;     /* armed by request_park() */
    struct list woken;         /* in core->woken */
    struct list produce_order; /* broker/handlers/produce.c */
    bool started, answered;
    bool parked, expired;      /* waits for a wake-up; for the last one */
    bool silent, closes;       /* no answer leaves (acks=0); the connection ends here */
    bool releasing;            /* `release` has begun and not ended */
    struct wire_output output; /* the encoded answer, referenced until it was sent */
    /* Runs when the answer has left (or the connection died): unpins what the output refers to.
     * False: not yet; it calls request_free() when that is done. May be NULL. */
    bool (*release)(struct request *request);
};

struct handler {
    enum api_key key;
    /* Decides, or parks: must lead to exactly one request_answer(). */
    void (*start)(struct request *request);
    /* After request_wake(); NULL when the handler never parks. */
    void (*retry)(struct request *request);
    /* At the deadline given to request_park(), or earlier when nobody waits any more. */
    void (*expire)(struct request *request);
};

/* The handler table: one row per API that is served (broker/handlers/table.c). */
const struct handler *handler_find(int16_t key);

/* What admission counts for a frame of this length: the frame, and what handling it takes. */
size_t request_cost(uint32_t length);
/* `length` is the frame's without its length field; its bytes follow. `budget`, with its cost, was
 * admitted and is the request's from now on. */
struct request *request_new(struct connection *connection, uint32_t length,
                            struct admission_share budget);
/* Releases what the answer refers to, and gives the memory back to admission. */
void request_free(struct request *request);
/* Frees the memory that a core keeps for requests to come. */
void request_forget_spares(struct core *core);

/* Reads header and body and calls the handler; ends the connection where that cannot be done. */
void request_dispatch(struct request *request);

/* The zeroed response struct of this request's API with Kafka's defaults, in the arena. */
void *request_response(struct request *request);
/* Encodes and queues the answer; the request must not be touched afterwards. */
void request_answer(struct request *request, const void *response);
/* The two halves of it, where the answer is long: encodes, on any thread that has the request to
 * itself; queues what was encoded. */
void request_encode(struct request *request, const void *response);
void request_send(struct request *request);
/* As request_answer(), but a response that has become large is encoded on a worker: all that it
 * points to must be the request's own, or constant. */
void request_answer_large(struct request *request, const void *response);
/* An answer that is encoded already, frame length included, in the arena. */
void request_answer_raw(struct request *request, struct bytes frame);
/* No answer leaves (acks=0); `close` ends the connection, as Kafka does on an error. */
void request_answer_silently(struct request *request, bool close);
/* An answer that is only an error code, where the API has a top-level one; closes otherwise. */
void request_fail(struct request *request, int16_t code, const char *message);

/* Waits for request_wake() or the deadline (absolute; 0 = none). */
void request_park(struct request *request, uint64_t deadline_ns);
/* Calls retry from the loop, once, however often it is called before. Own core only. */
void request_wake(struct request *request);
/* From the core's hook: retries or expires a parked request. */
void request_look(struct request *request);
/* Its connection ends: expires it when it is parked. */
void request_hurry(struct request *request);
/* Nobody will read the answer. */
bool request_is_dead(const struct request *request);

/* Makes admission count what the arena has grown to: long lists, long answers to short requests. */
void request_count_memory(struct request *request);
/* Memory for an answer that can be shorter: what is granted of `wanted`, at least `minimum`. */
size_t request_take_some(struct request *request, size_t wanted, size_t minimum);

/* This broker as the client should reach it: the advertised address of the listener, or what the
 * client has connected to. `host` is in the arena. */
void request_endpoint(struct request *request, struct bytes *host, int32_t *port);
