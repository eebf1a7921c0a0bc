#include "broker/connection.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/say.h"
#include "broker/core.h"
#include "broker/fetch_session.h"
#include "broker/request.h"
#include "broker/server.h"

static uint64_t now_of(const struct connection *connection) {
    return ring_now_ns(connection->core->ring);
}

static bool is_sending(const struct connection *connection) {
    return connection->send.state != IO_IDLE;
}

static bool is_waiting(const struct connection *connection) {
    return list_is_linked(&connection->wait.link);
}

/* --- time --- */

static uint64_t after_ms(uint64_t from_ns, int64_t ms) {
    return ms < (int64_t)(INT64_MAX / NS_PER_MS) ? from_ns + (uint64_t)ms * NS_PER_MS : UINT64_MAX;
}

static bool frame_has_begun(const struct connection *connection) {
    return connection->arriving || (connection->prefix_len > 0 && !is_waiting(connection));
}

/* When the connection is to end unless something happens, and what to say then. */
struct limit {
    uint64_t deadline_ns; /* UINT64_MAX: not by itself */
    const char *why;      /* NULL: nothing */
};

static void limit_lower(struct limit *limit, uint64_t from_ns, int64_t ms, const char *why) {
    uint64_t deadline_ns = after_ms(from_ns, ms);
    if (deadline_ns < limit->deadline_ns) *limit = (struct limit){deadline_ns, why};
}

static struct limit connection_limit(const struct connection *connection) {
    const struct options *options = connection->core->options;
    struct limit limit = {UINT64_MAX, NULL};
    if (is_sending(connection))
        limit_lower(&limit, connection->send_ns, 2 * options->request_progress_ms,
                    "its answers are not taken");
    if (frame_has_begun(connection))
        limit_lower(&limit, connection->frame_ns, options->request_progress_ms,
                    "a request has begun and did not arrive");
    if (connection->request_count == 0 && !is_waiting(connection))
        limit_lower(&limit, connection->active_ns, options->connection_idle_ms, NULL);
    return limit;
}

static void connection_watch(struct connection *connection) {
    if (connection->state == CONNECTION_CLOSING) return;
    uint64_t deadline_ns = connection_limit(connection).deadline_ns;
    struct timer *timer = &connection->timer;
    if (timer_is_armed(timer) ? deadline_ns < timer->node.key : deadline_ns != UINT64_MAX)
        timer_arm(connection->core->ring, timer, deadline_ns);
}

static void connection_time(struct timer *timer) {
    struct connection *connection = container_of(timer, struct connection, timer);
    struct limit limit = connection_limit(connection);
    if (limit.deadline_ns > now_of(connection))
        connection_watch(connection);
    else
        connection_abort(connection, limit.why);
}

void connection_pace(struct connection *connection) {
    if (!connection->arriving) return;
    if (connection->paced == connection->arrived)
        connection_abort(connection,
                         "a request has begun and comes too slowly while others wait "
                         "for its memory");
    connection->paced = connection->arrived;
}

/* --- requests --- */

static bool is_produce(const struct request *request) {
    return load_i16(request->frame) == API_PRODUCE;
}

static bool is_in_turn(const struct connection *connection, const struct request *request) {
    if (connection->in_flight == 0) return true;
    return is_produce(request) && connection->in_flight_other == 0;
}

/* A peer that does not take its answers gets no more of them made; connection_forget() goes on. */
static bool may_start(struct connection *connection, const struct request *request) {
    if (connection->unsent_bytes > UNSENT_BYTES_MAX || !is_in_turn(connection, request))
        return false;
    return is_produce(request) || !core_hold(connection->core, &connection->ready);
}

void connection_start(struct connection *connection) {
    while (connection->unstarted != &connection->requests) {
        struct request *request = list_entry(connection->unstarted, struct request, link);
        if (!may_start(connection, request)) return;
        connection->unstarted = request->link.next;
        connection->in_flight++;
        if (!is_produce(request)) connection->in_flight_other++;
        request->started = true;
        request_dispatch(request);
    }
}

void connection_answered(struct connection *connection, struct request *request) {
    check(request->started && request->answered && connection->in_flight > 0);
    connection->in_flight--;
    if (!is_produce(request)) connection->in_flight_other--;
    connection->unsent_bytes += request->budget.bytes;
    core_count_answer(connection->core, request->budget.bytes);
    core_touch(connection->core, &connection->touched);
    core_make_ready(connection->core, &connection->ready);
}

static void connection_queue(struct connection *connection, struct request *request) {
    if (connection->unstarted == &connection->requests) connection->unstarted = &request->link;
    list_append(&connection->requests, &request->link);
    connection->request_count++;
    core_make_ready(connection->core, &connection->ready);
}

/* Its answer has left, or nobody will read it. */
static void connection_forget(struct connection *connection, struct request *request) {
    struct core *core = connection->core;
    size_t bytes = request->budget.bytes;
    connection->unsent_bytes -= bytes;
    connection->request_count--;
    list_remove(&request->link);
    request_free(request);
    core_forget_answer(core, bytes);
    if (connection->unstarted != &connection->requests) core_make_ready(core, &connection->ready);
}

/* Those that have not begun, when the connection is to end. */
static void connection_forget_unstarted(struct connection *connection) {
    while (connection->unstarted != &connection->requests) {
        struct request *request = list_entry(connection->unstarted, struct request, link);
        connection->unstarted = request->link.next;
        list_remove(&request->link);
        connection->request_count--;
        request_free(request);
    }
}

static void connection_hurry(struct connection *connection) {
    list_each(node, &connection->requests) {
        struct request *request = list_entry(node, struct request, link);
        if (request->started && !request->answered) request_hurry(request);
    }
}

/* --- frames --- */

static bool is_served(struct bytes prefix) {
    int16_t key = load_i16(prefix.at + FRAME_LENGTH_SIZE);
    const struct api *api = api_find(key);
    return api && handler_find(key) &&
           api_has_version(api, load_i16(prefix.at + FRAME_LENGTH_SIZE + 2));
}

/* Clients that are told what the broker can do begin with any request, of any size; what is not
 * served is read only to be refused. */
static uint32_t frame_limit(const struct connection *connection, struct bytes prefix) {
    const struct core *core = connection->core;
    int64_t limit = core->options->frame_bytes_max;
    bool is_strange = prefix.len == FRAME_PREFIX_SIZE && !is_served(prefix);
    if (is_strange && core->options->frame_bytes_max_unauthenticated < limit)
        limit = core->options->frame_bytes_max_unauthenticated;
    return (uint32_t)limit;
}

/* The memory is granted: the frame may come in. */
static void connection_admit(struct connection *connection, struct admission_share budget) {
    struct request *request = request_new(connection, load_u32(connection->prefix), budget);
    size_t known = FRAME_PREFIX_SIZE - FRAME_LENGTH_SIZE;
    memcpy(request->frame, connection->prefix + FRAME_LENGTH_SIZE, known);
    connection->arriving = request;
    connection->arrived = known;
    connection->paced = 0;
    connection->prefix_len = 0;
    connection->frame_ns = now_of(connection);
}

/* Called while another request gives its memory back: parsing goes on in connection_flush(). */
static void connection_granted(struct admission_wait *wait) {
    struct connection *connection = container_of(wait, struct connection, wait);
    connection_admit(connection, wait->share);
    core_touch(connection->core, &connection->touched);
}

/* What the announced frame is to have. */
static struct admission_share connection_share(const struct connection *connection) {
    uint32_t length = load_u32(connection->prefix);
    bool is_bulk = load_i16(connection->prefix + FRAME_LENGTH_SIZE) == API_PRODUCE ||
                   length > LARGE_FRAME_BYTES;
    return (struct admission_share){is_bulk ? ADMIT_BULK : ADMIT_OTHER, connection->ticket->party,
                                    request_cost(length)};
}

static void connection_ask(struct connection *connection) {
    struct admission *admission = &connection->core->admission;
    struct admission_share share = connection_share(connection);
    if (admission_take(admission, share)) {
        connection_admit(connection, share);
        return;
    }
    connection->wait.share = share;
    admission_queue(admission, &connection->wait);
    core_watch_pace(connection->core);
}

static size_t take(struct bytes *in, void *to, size_t len) {
    if (len > in->len) len = in->len;
    memory_copy(to, in->at, len);
    in->at += len;
    in->len -= len;
    return len;
}

static bool is_announced(const struct connection *connection) {
    return connection->prefix_len == FRAME_PREFIX_SIZE;
}

/* Nothing is granted for an announcement alone: enough of the frame must be there. */
static bool is_backed(const struct connection *connection, size_t there) {
    size_t rest = load_u32(connection->prefix) + FRAME_LENGTH_SIZE - FRAME_PREFIX_SIZE;
    return there >= (rest < FRAME_PROOF_BYTES ? rest : FRAME_PROOF_BYTES);
}

static void connection_check_announced(struct connection *connection) {
    struct admission_share share = connection_share(connection);
    if (share.bytes > admission_limit(&connection->core->admission, share.class))
        connection_abort(connection, "a request is larger than the memory budget (memory)");
}

static void connection_take_prefix(struct connection *connection, struct bytes *in) {
    if (connection->prefix_len == 0) connection->frame_ns = now_of(connection);
    connection->prefix_len += (uint8_t)take(in, connection->prefix + connection->prefix_len,
                                            FRAME_PREFIX_SIZE - connection->prefix_len);
    struct bytes known = bytes_make(connection->prefix, connection->prefix_len);
    struct frame_prefix prefix;
    struct error error;
    switch (frame_peek(known, frame_limit(connection, known), &prefix, &error)) {
        case FRAME_PARTIAL: return;
        case FRAME_BAD: connection_abort(connection, error.text); return;
        case FRAME_READY: connection_check_announced(connection); return;
    }
}

static void connection_complete_frame(struct connection *connection) {
    struct request *request = connection->arriving;
    connection->arriving = NULL;
    connection_queue(connection, request);
}

static bool is_full(const struct connection *connection) {
    return connection->request_count >= connection->core->options->in_flight_max;
}

static void connection_take_frame(struct connection *connection, struct bytes *in) {
    struct request *request = connection->arriving;
    connection->arrived +=
        take(in, request->frame + connection->arrived, request->frame_size - connection->arrived);
    if (connection->arrived == request->frame_size) connection_complete_frame(connection);
}

static void connection_parse(struct connection *connection, struct bytes *in) {
    while (connection->state == CONNECTION_OPEN && in->len > 0 && !is_waiting(connection)) {
        if (connection->arriving) {
            connection_take_frame(connection, in);
        } else if (is_full(connection)) {
            return;
        } else if (!is_announced(connection)) {
            connection_take_prefix(connection, in);
        } else if (is_backed(connection, in->len)) {
            connection_ask(connection);
        } else {
            return;
        }
    }
}

/* --- what was received and waits --- */

static void connection_drop_held(struct connection *connection) {
    struct byte_buffer *held = &connection->held;
    struct admission_share share = {ADMIT_HELD, connection->ticket->party, held->len};
    if (held->len == 0) return;
    byte_buffer_deinit(held);
    connection->held_at = 0;
    admission_give(&connection->core->admission, share);
}

static void connection_hold(struct connection *connection, struct bytes more) {
    struct admission_share share = {ADMIT_HELD, connection->ticket->party, more.len};
    if (admission_take(&connection->core->admission, share))
        byte_buffer_append(&connection->held, more);
    else
        connection_abort(connection, "too many begun requests wait for memory (memory)");
}

static void connection_parse_held(struct connection *connection) {
    struct byte_buffer *held = &connection->held;
    if (held->len == 0 || connection->receive.state != IO_IDLE) return;
    struct bytes rest = bytes_make(held->at + connection->held_at, held->len - connection->held_at);
    connection_parse(connection, &rest);
    if (rest.len == 0) connection_drop_held(connection);
    if (held->len > 0) connection->held_at = held->len - rest.len;
}

/* --- reading --- */

static void connection_read(struct connection *connection);

static void connection_drop_arriving(struct connection *connection) {
    if (connection->arriving) request_free(connection->arriving);
    connection->arriving = NULL;
}

/* The next piece of a frame lies in its buffer, or the stream has ended before. */
static void connection_received_piece(struct io_op *op) {
    struct connection *connection = container_of(op, struct connection, receive);
    core_touch(connection->core, &connection->touched);
    if (connection->state != CONNECTION_OPEN || op->result < (int64_t)connection->piece) {
        connection_drop_arriving(connection);
        connection_drain(connection);
        return;
    }
    connection->active_ns = now_of(connection);
    connection->arrived += connection->piece;
    if (connection->arrived == connection->arriving->frame_size)
        connection_complete_frame(connection);
    connection_read(connection);
}

static void connection_received(struct io_op *op) {
    struct connection *connection = container_of(op, struct connection, receive);
    core_touch(connection->core, &connection->touched);
    if (connection->state != CONNECTION_OPEN) return;
    if (op->result <= 0) {
        connection_drain(connection);
        return;
    }
    connection->active_ns = now_of(connection);
    struct bytes in = op->received;
    if (connection->held.len == 0) connection_parse(connection, &in);
    if (connection->state == CONNECTION_OPEN && in.len > 0) connection_hold(connection, in);
    connection_parse_held(connection);
    connection_read(connection);
}

/* More of what is held is needed before memory is asked for. */
static bool is_unbacked(const struct connection *connection) {
    return is_announced(connection) && !connection->arriving &&
           !is_backed(connection, connection->held.len - connection->held_at);
}

/* Goes on reading unless something has to happen first. */
static void connection_read(struct connection *connection) {
    struct ring *ring = connection->core->ring;
    struct io_op *op = &connection->receive;
    connection_watch(connection);
    if (connection->state != CONNECTION_OPEN || op->state != IO_IDLE) return;
    struct request *request = connection->arriving;
    if (request) {
        size_t missing = request->frame_size - connection->arrived;
        connection->piece = missing < FRAME_PIECE_BYTES ? missing : FRAME_PIECE_BYTES;
        op->done = connection_received_piece;
        ring_receive_into(ring, op, connection->fd, request->frame + connection->arrived,
                          connection->piece);
    } else if (!is_waiting(connection) && !is_full(connection) &&
               (connection->held.len == 0 || is_unbacked(connection))) {
        op->done = connection_received;
        ring_receive(ring, op, connection->fd);
    }
}

/* --- sending --- */

static void connection_add_pieces(struct connection *connection, const struct wire_output *output) {
    size_t count = connection->piece_count + output->count;
    if (count > SEND_PIECES_FEW) {
        bool is_first = connection->pieces == connection->few;
        struct iovec *more =
            memory_resize(is_first ? NULL : connection->pieces, count * sizeof *more);
        if (is_first) memcpy(more, connection->few, connection->piece_count * sizeof *more);
        connection->pieces = more;
    }
    for (uint32_t i = 0; i < output->count; i++)
        connection->pieces[connection->piece_count++] =
            (struct iovec){(void *)output->pieces[i].at, output->pieces[i].len};
}

static void connection_drop_pieces(struct connection *connection) {
    if (connection->pieces != connection->few) free(connection->pieces);
    connection->pieces = connection->few;
    connection->piece_count = connection->piece_next = 0;
}

/* As many pieces as make a fair send: large answers go in steps, so that progress is seen. */
static void connection_send_next(struct connection *connection) {
    size_t from = connection->piece_next, to = from, bytes = 0;
    while (to < connection->piece_count && to - from < SEND_PIECES_MAX && bytes < SEND_BYTES)
        bytes += connection->pieces[to++].iov_len;
    connection->piece_next = to;
    connection->send_ns = now_of(connection);
    ring_send(connection->core->ring, &connection->send, connection->fd, connection->pieces + from,
              (int)(to - from));
}

static void connection_free_sent(struct connection *connection) {
    for (struct list *node; (node = list_first(&connection->sent));)
        connection_forget(connection, list_entry(node, struct request, link));
}

static void connection_send_done(struct io_op *op) {
    struct connection *connection = container_of(op, struct connection, send);
    core_touch(connection->core, &connection->touched);
    bool failed = op->result < 0;
    if (failed && connection->state != CONNECTION_CLOSING) connection_abort(connection, NULL);
    connection->active_ns = now_of(connection);
    if (!failed && connection->piece_next < connection->piece_count &&
        connection->state != CONNECTION_CLOSING) {
        connection_send_next(connection);
        return;
    }
    connection_drop_pieces(connection);
    connection_free_sent(connection);
}

/* Takes answered requests off the front. True when the connection is to end behind them. */
static bool connection_gather(struct connection *connection) {
    for (struct list *node; (node = list_first(&connection->requests));) {
        struct request *request = list_entry(node, struct request, link);
        if (!request->answered) return false;
        if (request->closes) return true;
        list_remove(node);
        list_append(&connection->sent, node);
        if (!request->silent) connection_add_pieces(connection, &request->output);
    }
    return false;
}

/* --- the end --- */

static void connection_free(struct connection *connection) {
    struct core *core = connection->core;
    list_remove(&connection->link);
    list_remove(&connection->ready);
    list_remove(&connection->touched);
    timer_cancel(core->ring, &connection->timer);
    check(connection->held.len == 0);
    fetch_session_free(connection->fetch_session);
    ring_close(core->ring, connection->fd);
    ticket_return(connection->ticket);
    core->connection_count--;
    free(connection);
    core_check_drained(core);
}

/* What is answered need not be sent any more; what is not is still somebody's. */
static void connection_close_step(struct connection *connection) {
    if (is_sending(connection) || connection->receive.state != IO_IDLE) return;
    connection_free_sent(connection);
    for (struct list *node; (node = list_first(&connection->requests));) {
        struct request *request = list_entry(node, struct request, link);
        if (!request->answered) return;
        connection_forget(connection, request);
    }
    connection_free(connection);
}

static void connection_answer(struct connection *connection) {
    if (is_sending(connection)) return;
    bool ends = connection_gather(connection);
    if (connection->piece_count > 0) {
        connection_send_next(connection);
        return;
    }
    connection_free_sent(connection); /* silent ones */
    bool all = list_is_empty(&connection->requests) && !connection->arriving;
    if (ends || (connection->state == CONNECTION_DRAINING && all))
        connection_abort(connection, NULL);
}

void connection_flush(struct connection *connection) {
    if (connection->state == CONNECTION_CLOSING) {
        connection_close_step(connection);
        return;
    }
    connection_answer(connection);
    connection_parse_held(connection);
    connection_read(connection);
}

static void connection_stop_reading(struct connection *connection) {
    ring_cancel(connection->core->ring, &connection->receive);
    admission_cancel(&connection->core->admission, &connection->wait);
    connection->prefix_len = 0;
    connection_drop_held(connection);
    if (connection->receive.state == IO_IDLE) connection_drop_arriving(connection);
}

void connection_drain(struct connection *connection) {
    if (connection->state != CONNECTION_OPEN) return;
    connection->state = CONNECTION_DRAINING;
    connection_stop_reading(connection);
    connection_hurry(connection);
    core_touch(connection->core, &connection->touched);
}

void connection_abort(struct connection *connection, const char *why) {
    struct core *core = connection->core;
    if (connection->state == CONNECTION_CLOSING) return;
    if (why && core_may_say(core))
        say_info("closed the connection of %s: %s", connection->ticket->peer, why);
    connection->state = CONNECTION_CLOSING;
    connection_stop_reading(connection);
    ring_shutdown(core->ring, connection->fd);
    timer_cancel(core->ring, &connection->timer);
    connection_forget_unstarted(connection);
    connection_hurry(connection);
    core_touch(core, &connection->touched);
}

void connection_new(struct core *core, struct ticket *ticket) {
    struct connection *connection = new_zero(struct connection);
    connection->core = core;
    connection->ticket = ticket;
    connection->fd = ticket->fd;
    list_init(&connection->link);
    list_init(&connection->ready);
    list_init(&connection->touched);
    list_init(&connection->wait.link);
    list_init(&connection->requests);
    list_init(&connection->produce_order);
    list_init(&connection->sent);
    connection->unstarted = &connection->requests;
    connection->wait.granted = connection_granted;
    connection->send.done = connection_send_done;
    connection->timer.fire = connection_time;
    connection->pieces = connection->few;
    connection->active_ns = now_of(connection);
    list_append(&core->connections, &connection->link);
    core->connection_count++;
    connection_read(connection);
    if (core->draining) connection_drain(connection);
}
