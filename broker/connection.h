/* One client: takes frames from the ring, runs their requests in the rules of request.h, and sends
 * the answers in request order.
 *
 * Reading. Whatever arrives comes in chunks of the ring's, so that an idle connection holds no
 * memory. The first eight bytes of a frame announce it; when FRAME_PROOF_BYTES of it (or all) have
 * come as well, admission is asked: an announcement alone holds no memory. A frame that is granted
 * and not complete gets a buffer of its own size, and the rest is received straight into it.
 * Nothing is read while the frame waits for admission, or while the cap on requests in flight is
 * reached; what the chunk had left is kept aside (about 20 KiB at most, which admission counts and
 * bounds).
 *
 *   CONNECTION_OPEN ──connection_drain()──► CONNECTION_DRAINING ──all answers left──┐
 *        │                                                                          ▼
 *        └──────────────────────── connection_abort() ─────────────────► CONNECTION_CLOSING ─►
 * freed
 *
 *   OPEN      reads and answers
 *   DRAINING  reads no more; requests that are complete are answered, parked ones at once
 *   CLOSING   the socket is shut down; waits for what is in flight: operations, errands, appends
 *
 * Time-outs, all by one timer: idle without a request; a frame that has begun (and does not wait)
 * must be complete; an answer must be taken. The timer moves only to an earlier time, and when it
 * fires early it is armed again, so that a busy connection costs nothing. While frames of anybody
 * wait for memory, those that were granted some must also keep up a pace: FRAME_PIECE_BYTES, or
 * what is missing, in an eighth of the time for a whole frame.
 *
 * Belongs to its core, from accept to the end. */
#pragma once

#include "base/byte_buffer.h"
#include "broker/admission.h"
#include "broker/listener.h"
#include "io/ring.h"
#include "protocol/frame.h"

struct core;
struct fetch_session;
struct request;

enum connection_state { CONNECTION_OPEN, CONNECTION_DRAINING, CONNECTION_CLOSING };

enum {
    SEND_PIECES_FEW = 8,
    SEND_BYTES = 4 << 20,
    SEND_PIECES_MAX = 1000,
    UNSENT_BYTES_MAX = 4 << 20,   /* with so much to be sent, no further request begins */
    LARGE_FRAME_BYTES = 64 << 10, /* larger ones are bulk to admission */
    FRAME_PROOF_BYTES = 4 << 10,  /* of a frame, before memory is asked for */
    FRAME_PIECE_BYTES = 256 << 10,
};

struct connection {
    struct list link;    /* core->connections */
    struct list ready;   /* core->ready */
    struct list touched; /* core->touched */
    struct core *core;
    struct ticket *ticket;
    int fd;
    enum connection_state state;

    /* Reading */
    struct io_op receive;
    uint8_t prefix[FRAME_PREFIX_SIZE];
    uint8_t prefix_len;
    struct request *arriving; /* admitted, its frame is not complete */
    size_t arrived;           /* bytes of it */
    size_t paced;             /* `arrived` at the last connection_pace() */
    size_t piece;             /* bytes of it that are being received */
    struct byte_buffer held;  /* received and not parsed */
    size_t held_at;
    struct admission_wait wait;

    /* Requests, in order of arrival; each is freed when its answer was sent. */
    struct list requests;
    struct list *unstarted;    /* the first one that has not begun, or &requests */
    struct list produce_order; /* requests whose parts have not all left for their shards */
    uint32_t request_count;
    uint32_t in_flight, in_flight_other; /* begun and not answered; those that are not Produce */
    size_t unsent_bytes;                 /* memory of those that are answered */

    struct fetch_session *fetch_session; /* or NULL */

    /* Sending */
    struct io_op send;
    struct list sent; /* requests whose answers are on their way */
    struct iovec few[SEND_PIECES_FEW];
    struct iovec *pieces;
    size_t piece_count, piece_next;

    /* Time */
    struct timer timer;
    uint64_t active_ns, frame_ns, send_ns;
};

/* Takes over the ticket and its descriptor, and begins to read. */
void connection_new(struct core *core, struct ticket *ticket);
/* No further requests; the connection ends when those that are there were answered. */
void connection_drain(struct connection *connection);
/* Ends it now. `why` goes to the log; NULL for what is normal. */
void connection_abort(struct connection *connection, const char *why);

/* From the core, at intervals while memory is short: ends it when a frame has not come on. */
void connection_pace(struct connection *connection);

/* From request.c: a request of it has its answer. */
void connection_answered(struct connection *connection, struct request *request);
/* From the core's hooks. */
void connection_start(struct connection *connection);
void connection_flush(struct connection *connection);
