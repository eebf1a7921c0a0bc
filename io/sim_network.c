/* The simulated network: byte streams between clients (the test) and rings (the server). Bytes that
 * were sent are on their way for a random time, arrive in random pieces and in order; each receive
 * gets a random piece of what arrived. A sender is held up when the other side does not read.
 *
 * One event per connection, `pump`, moves it on by one random step as long as there is a step. */
#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/sim_world.h"
#include "io/socket.h"

enum {
    PUMP_DELAY_NS = 300 * 1000,
    WINDOW = 128 * 1024, /* unread bytes that the network holds */
    PIECE_MAX = 64 * 1024,
    FIRST_SOCKET = 1000,
    FIRST_PORT = 20000,
};

/* One direction: at[begin, arrived) can be read, at[arrived, end) is on its way. */
struct sim_pipe {
    uint8_t *at;
    size_t begin, arrived, end, capacity;
    bool is_closed; /* by its sender: the end follows the last byte */
};

struct sim_listener {
    struct list link, waiting; /* connections to be accepted */
    struct sim_ring *ring;
    struct io_op *accept;
    int fd;
    char address[ADDRESS_TEXT_SIZE], *port;
};

struct sim_connection {
    struct list link, wait;
    struct sim_event pump;
    struct sim_ring *ring;         /* NULL when the server's end is closed */
    struct sim_listener *listener; /* until it was accepted */
    struct io_op *receive, *send;
    struct sim_pipe to_server, to_client;
    int server, client; /* client: -1 when closed */
    bool is_offered, is_reset, is_shut;
    char local[ADDRESS_TEXT_SIZE];
};

/* --- pipes --- */

static void pipe_add(struct sim_pipe *pipe, const void *bytes, size_t len) {
    if (pipe->begin == pipe->end) pipe->begin = pipe->arrived = pipe->end = 0;
    if (pipe->end + len > pipe->capacity) {
        pipe->capacity = (pipe->end + len) * 2;
        pipe->at = memory_resize(pipe->at, pipe->capacity);
    }
    memcpy(pipe->at + pipe->end, bytes, len);
    pipe->end += len;
}

static size_t pipe_take(struct sim_pipe *pipe, void *at, size_t len) {
    size_t there = pipe->arrived - pipe->begin;
    if (len > there) len = there;
    if (len > 0) memcpy(at, pipe->at + pipe->begin, len);
    pipe->begin += len;
    return len;
}

static bool pipe_has_bytes(const struct sim_pipe *pipe) { return pipe->arrived > pipe->begin; }

static bool pipe_is_at_end(const struct sim_pipe *pipe) {
    return pipe->is_closed && pipe->begin == pipe->end;
}

/* 1 to `most`; often few, to split where nobody expects it. */
static size_t random_piece(struct sim *sim, size_t most) {
    if (most > 16 && sim_chance(sim, 2)) most = 16;
    if (most > PIECE_MAX) most = PIECE_MAX;
    return 1 + random_below(&sim->random, most);
}

static void pipe_move(struct sim *sim, struct sim_pipe *pipe) {
    if (pipe->arrived < pipe->end) pipe->arrived += random_piece(sim, pipe->end - pipe->arrived);
}

/* --- connections --- */

static struct sim_connection *connection_of_server(struct sim *sim, int fd) {
    list_each(node, &sim->connections) {
        struct sim_connection *connection = list_entry(node, struct sim_connection, link);
        if (connection->server == fd && connection->ring) return connection;
    }
    return NULL;
}

static struct sim_connection *connection_of_client(struct sim *sim, int socket) {
    list_each(node, &sim->connections) {
        struct sim_connection *connection = list_entry(node, struct sim_connection, link);
        if (connection->client == socket) return connection;
    }
    return NULL;
}

static struct sim_listener *listener_find(struct sim *sim, int fd) {
    list_each(node, &sim->listeners) {
        struct sim_listener *listener = list_entry(node, struct sim_listener, link);
        if (listener->fd == fd) return listener;
    }
    return NULL;
}

static void connection_free(struct sim *sim, struct sim_connection *connection) {
    sim_forget(sim, &connection->pump);
    list_remove(&connection->link);
    list_remove(&connection->wait);
    free(connection->to_server.at);
    free(connection->to_client.at);
    free(connection);
}

static void connection_bury(struct sim *sim, struct sim_connection *connection) {
    if (connection->ring || connection->client >= 0) return;
    sim_forget(sim, &connection->pump);
    list_remove(&connection->wait);
    list_remove(&connection->link);
    list_append(&sim->closed, &connection->link);
}

void sim_network_bury(struct sim *sim) {
    list_each(node, &sim->closed)
        connection_free(sim, list_entry(node, struct sim_connection, link));
}

static void connection_pump_soon(struct sim *sim, struct sim_connection *connection) {
    if (!heap_has(&connection->pump.node)) sim_soon(sim, &connection->pump, PUMP_DELAY_NS);
}

/* --- a step of a connection --- */

static void receive_end(struct sim_connection *connection, int64_t result) {
    struct io_op *op = connection->receive;
    connection->receive = NULL;
    op_complete(&connection->ring->ring, op, result);
}

static void receive_piece(struct sim *sim, struct sim_connection *connection) {
    struct io_op *op = connection->receive;
    struct sim_pipe *pipe = &connection->to_server;
    size_t most = pipe->arrived - pipe->begin;
    if (most > RECEIVE_SIZE) most = RECEIVE_SIZE;
    size_t len = random_piece(sim, most);
    uint8_t *bytes = memory_new(len);
    pipe_take(pipe, bytes, len);
    connection->receive = NULL;
    op->private = bytes;
    op->received = bytes_make(bytes, len);
    op->result = (int64_t)len;
    op->state = IO_COMPLETE;
    list_append(&connection->ring->arrived, &op->link);
}

static void receive_step(struct sim *sim, struct sim_connection *connection) {
    struct io_op *op = connection->receive;
    struct sim_pipe *pipe = &connection->to_server;
    if (!op) return;
    if (connection->is_reset) {
        receive_end(connection, -ECONNRESET);
    } else if (pipe_has_bytes(pipe) && op->kind == IO_RECEIVE) {
        receive_piece(sim, connection);
    } else if (pipe_has_bytes(pipe)) {
        size_t len = pipe_take(pipe, op->pieces->iov_base, op->pieces->iov_len);
        if (!op_goes_on(op, (int64_t)len)) receive_end(connection, op->result);
    } else if (pipe_is_at_end(pipe) || connection->is_shut) {
        receive_end(connection, op->result);
    }
}

static void send_end(struct sim_connection *connection, int64_t result) {
    struct io_op *op = connection->send;
    connection->send = NULL;
    op_complete(&connection->ring->ring, op, result);
}

static void send_step(struct sim *sim, struct sim_connection *connection) {
    struct io_op *op = connection->send;
    struct sim_pipe *pipe = &connection->to_client;
    if (!op) return;
    if (connection->is_reset || connection->is_shut || connection->client < 0) {
        send_end(connection, connection->is_reset ? -ECONNRESET : -EPIPE);
        return;
    }
    size_t room = WINDOW - (pipe->end - pipe->begin);
    while (op->piece_count > 1 && op->pieces->iov_len == 0) {
        op->pieces++;
        op->piece_count--;
    }
    size_t most = op->pieces->iov_len < room ? op->pieces->iov_len : room;
    if (most == 0 && op->pieces->iov_len > 0) return; /* the client does not read */
    size_t len = most ? random_piece(sim, most) : 0;
    if (len > 0) pipe_add(pipe, op->pieces->iov_base, len);
    if (len == 0 || !op_goes_on(op, (int64_t)len)) send_end(connection, op->result);
}

static bool connection_has_steps(const struct sim_connection *connection) {
    const struct sim_pipe *in = &connection->to_server, *out = &connection->to_client;
    bool is_over = connection->is_reset || connection->is_shut;
    bool can_receive = connection->receive && (is_over || pipe_has_bytes(in) || pipe_is_at_end(in));
    bool can_send =
        connection->send && (is_over || connection->client < 0 || out->end - out->begin < WINDOW);
    return can_receive || can_send || in->arrived < in->end || out->arrived < out->end ||
           (!connection->is_offered && connection->listener);
}

static void connection_pump(struct sim *sim, struct sim_event *event) {
    struct sim_connection *connection = container_of(event, struct sim_connection, pump);
    if (!connection->is_offered && connection->listener) {
        list_append(&connection->listener->waiting, &connection->wait);
        connection->is_offered = true;
    }
    pipe_move(sim, &connection->to_server);
    pipe_move(sim, &connection->to_client);
    if (sim_chance(sim, 6)) receive_step(sim, connection);
    if (sim_chance(sim, 6)) send_step(sim, connection);
    if (connection_has_steps(connection)) connection_pump_soon(sim, connection);
}

/* --- the ring's side --- */

void sim_network_submit(struct ring *ring, struct io_op *op) {
    struct sim *sim = sim_ring_of(ring)->sim;
    if (op->kind == IO_ACCEPT) {
        struct sim_listener *listener = listener_find(sim, op->fd);
        check(listener && !listener->accept);
        listener->accept = op;
        return;
    }
    struct sim_connection *connection = connection_of_server(sim, op->fd);
    check(connection && connection->ring);
    if (connection->ring != sim_ring_of(ring)) { /* accepted here, served there */
        check(!connection->receive && !connection->send);
        connection->ring = sim_ring_of(ring);
    }
    struct io_op **side = op->kind == IO_SEND ? &connection->send : &connection->receive;
    check(!*side && "one operation per direction");
    *side = op;
    connection_pump_soon(sim, connection);
}

void sim_network_cancel(struct ring *ring, struct io_op *op) {
    struct sim *sim = sim_ring_of(ring)->sim;
    if (op->kind == IO_ACCEPT) {
        struct sim_listener *listener = listener_find(sim, op->fd);
        check(listener && listener->accept == op);
        listener->accept = NULL;
        op->more = false;
    } else {
        struct sim_connection *connection = connection_of_server(sim, op->fd);
        struct io_op **side = op->kind == IO_SEND ? &connection->send : &connection->receive;
        check(*side == op);
        *side = NULL;
    }
    op_complete(ring, op, -ECANCELED);
}

bool sim_network_has_arrivals(const struct sim_ring *ring) {
    list_each(node, &ring->sim->listeners) {
        struct sim_listener *listener = list_entry(node, struct sim_listener, link);
        if (listener->ring == ring && listener->accept && !list_is_empty(&listener->waiting))
            return true;
    }
    return false;
}

static void listener_accept_first(struct sim_listener *listener) {
    struct list *node = list_first(&listener->waiting);
    struct sim_connection *connection = list_entry(node, struct sim_connection, wait);
    list_remove(node);
    connection->listener = NULL;
    connection->ring = listener->ring;
    listener->accept->result = connection->server;
    listener->accept->more = true;
    listener->accept->done(listener->accept);
}

/* The callbacks may close listeners: begin again after each round of them. */
void sim_network_run_accepts(struct sim_ring *ring) {
    for (bool again = true; again;) {
        again = false;
        list_each(node, &ring->sim->listeners) {
            struct sim_listener *listener = list_entry(node, struct sim_listener, link);
            if (listener->ring != ring || !listener->accept || list_is_empty(&listener->waiting))
                continue;
            listener_accept_first(listener);
            again = true;
            break;
        }
    }
}

static bool listener_has_port(struct sim *sim, const char *port) {
    list_each(node, &sim->listeners) if (strcmp(list_entry(node, struct sim_listener, link)->port,
                                                port) == 0) return true;
    return false;
}

int sim_network_listen(struct ring *ring, const char *address, char *bound, size_t bound_size,
                       struct error *error) {
    struct sim *sim = sim_ring_of(ring)->sim;
    char host[64], chosen[16];
    const char *port;
    if (!address_split(address, host, sizeof host, &port)) {
        error_set(error, EINVAL, "cannot listen on \"%s\": write it as HOST:PORT", address);
        return -1;
    }
    int fd = sim->next_socket++;
    snprintf(chosen, sizeof chosen, "%d", FIRST_PORT + fd - FIRST_SOCKET);
    if (strcmp(port, "0") == 0) port = chosen;
    if (listener_has_port(sim, port)) {
        error_set(error, EADDRINUSE, "cannot listen on %s: address in use", address);
        return -1;
    }
    struct sim_listener *listener = new_zero(struct sim_listener);
    list_init(&listener->waiting);
    listener->ring = sim_ring_of(ring);
    listener->fd = fd;
    snprintf(listener->address, sizeof listener->address, "%s:%s", host, port);
    listener->port = strrchr(listener->address, ':') + 1;
    snprintf(bound, bound_size, "%s", listener->address);
    list_append(&sim->listeners, &listener->link);
    return fd;
}

void sim_network_shutdown(struct ring *ring, int fd) {
    struct sim_ring *self = sim_ring_of(ring);
    struct sim_connection *connection =
        sim_ring_lives(self) ? connection_of_server(self->sim, fd) : NULL;
    if (!connection) return;
    connection->is_shut = true;
    connection->to_client.is_closed = true;
    connection_pump_soon(self->sim, connection);
}

/* The server's end is gone: the client reads what is on its way, then the end. */
static void connection_leave(struct sim *sim, struct sim_connection *connection) {
    connection->ring = NULL;
    connection->listener = NULL;
    connection->receive = connection->send = NULL;
    connection->to_client.is_closed = true;
    list_remove(&connection->wait);
    connection_bury(sim, connection);
}

/* Those who wait to be accepted are refused. */
static void listener_close(struct sim *sim, struct sim_listener *listener) {
    list_each(node, &sim->connections) {
        struct sim_connection *connection = list_entry(node, struct sim_connection, link);
        if (connection->listener == listener) connection_leave(sim, connection);
    }
    list_remove(&listener->link);
    free(listener);
}

void sim_network_close(struct ring *ring, int fd) {
    struct sim_ring *self = sim_ring_of(ring);
    if (!sim_ring_lives(self)) return;
    struct sim_listener *listener = listener_find(self->sim, fd);
    if (listener) {
        check(!listener->accept);
        listener_close(self->sim, listener);
        return;
    }
    struct sim_connection *connection = connection_of_server(self->sim, fd);
    check(connection && !connection->receive && !connection->send);
    connection_leave(self->sim, connection);
}

bool sim_network_address(struct ring *ring, int fd, bool of_peer, char *text, size_t size) {
    struct sim *sim = sim_ring_of(ring)->sim;
    struct sim_connection *connection = connection_of_server(sim, fd);
    struct sim_listener *listener = listener_find(sim, fd);
    if (of_peer && !connection) return false;
    if (of_peer)
        snprintf(text, size, "10.0.0.1:%d", 40000 + fd - FIRST_SOCKET);
    else if (connection)
        snprintf(text, size, "%s", connection->local);
    else if (listener)
        snprintf(text, size, "%s", listener->address);
    return connection || listener;
}

/* --- the client's side --- */

int sim_connect(struct sim *sim, const char *address) {
    char host[64];
    const char *port;
    if (!address_split(address, host, sizeof host, &port)) return -1;
    list_each(node, &sim->listeners) {
        struct sim_listener *listener = list_entry(node, struct sim_listener, link);
        if (strcmp(listener->port, port) != 0) continue;
        struct sim_connection *connection = new_zero(struct sim_connection);
        connection->pump.happen = connection_pump;
        connection->listener = listener;
        connection->server = sim->next_socket++;
        connection->client = sim->next_socket++;
        snprintf(connection->local, sizeof connection->local, "%s", listener->address);
        list_init(&connection->wait);
        list_append(&sim->connections, &connection->link);
        connection_pump_soon(sim, connection);
        return connection->client;
    }
    return -1;
}

void sim_send(struct sim *sim, int socket, struct bytes data) {
    struct sim_connection *connection = connection_of_client(sim, socket);
    if (!connection || connection->is_shut || (!connection->ring && !connection->listener)) return;
    if (data.len > 0) pipe_add(&connection->to_server, data.at, data.len);
    connection_pump_soon(sim, connection);
}

int64_t sim_receive(struct sim *sim, int socket, void *at, size_t len) {
    struct sim_connection *connection = connection_of_client(sim, socket);
    if (!connection) return -1;
    size_t got = pipe_take(&connection->to_client, at, len);
    if (got == 0 && pipe_is_at_end(&connection->to_client)) return -1;
    if (connection->send) connection_pump_soon(sim, connection); /* there may be room now */
    return (int64_t)got;
}

void sim_disconnect(struct sim *sim, int socket) {
    struct sim_connection *connection = connection_of_client(sim, socket);
    if (!connection) return;
    connection->client = -1;
    connection->to_server.is_closed = true;
    connection->is_reset = sim_chance(sim, 2);
    connection_pump_soon(sim, connection);
    connection_bury(sim, connection);
}

/* --- lives --- */

void sim_network_init(struct sim *sim) {
    list_init(&sim->listeners);
    list_init(&sim->connections);
    list_init(&sim->closed);
    sim->next_socket = FIRST_SOCKET;
}

void sim_network_drop(struct sim *sim, struct sim_ring *ring) {
    list_each(node, &sim->listeners) {
        struct sim_listener *listener = list_entry(node, struct sim_listener, link);
        if (!ring || listener->ring == ring) listener_close(sim, listener);
    }
    list_each(node, &sim->connections) {
        struct sim_connection *connection = list_entry(node, struct sim_connection, link);
        if (connection->ring && (!ring || connection->ring == ring))
            connection_leave(sim, connection);
    }
}

void sim_network_deinit(struct sim *sim) {
    sim_network_drop(sim, NULL);
    sim_network_bury(sim);
    list_each(node, &sim->connections)
        connection_free(sim, list_entry(node, struct sim_connection, link));
}
