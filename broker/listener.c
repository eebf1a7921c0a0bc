#include "broker/listener.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/connection.h"
#include "broker/core.h"
#include "broker/server.h"

enum { REFUSALS_SAID_EVERY_S = 60 };

/* How many connections an address has. */
struct peer {
    struct map_node by_address;
    uint32_t connections;
    char address[ADDRESS_TEXT_SIZE];
};

/* --- counts --- */

static struct bytes address_of(const char *peer) {
    const char *colon = strrchr(peer, ':');
    return colon ? bytes_make(peer, (size_t)(colon - peer)) : bytes_of_text(peer);
}

static struct peer *peer_find(struct listeners *listeners, struct bytes address) {
    struct map_node *node = map_find(&listeners->peers, hash_bytes(address));
    for (; node; node = map_find_next(node)) {
        struct peer *peer = map_entry(node, struct peer, by_address);
        if (bytes_equal_text(address, peer->address)) return peer;
    }
    return NULL;
}

static struct peer *peer_add(struct listeners *listeners, struct bytes address) {
    struct peer *peer = new_zero(struct peer);
    check(address.len < sizeof peer->address);
    memcpy(peer->address, address.at, address.len);
    map_insert(&listeners->peers, &peer->by_address, hash_bytes(address));
    return peer;
}

static uint32_t connections_max(const struct options *options) {
    if (options->connections_max > 0) return (uint32_t)options->connections_max;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > UINT32_MAX) return UINT32_MAX;
    return (uint32_t)(limit.rlim_cur / 5 * 4);
}

/* --- tickets --- */

static void listener_refuse(struct listener *listener, int fd, const char *peer, const char *why) {
    struct listeners *listeners = &listener->server->listeners;
    struct core *core = listeners->core;
    uint64_t now_ns = ring_now_ns(core->ring);
    listeners->refused++;
    if (!listeners->said_ns || now_ns - listeners->said_ns >= REFUSALS_SAID_EVERY_S * NS_PER_S) {
        listeners->said_ns = now_ns;
        say_warning("refused a connection from %s: %s (%lu refused since the start)", peer, why,
                    (unsigned long)listeners->refused);
    }
    ring_close(core->ring, fd);
}

static void ticket_arrive(struct mail *mail) {
    struct ticket *ticket = container_of(mail, struct ticket, mail);
    connection_new(ticket->core, ticket);
}

/* On the listening core: the last that happens to a ticket. */
static void ticket_end(struct mail *mail) {
    struct ticket *ticket = container_of(mail, struct ticket, mail);
    struct listeners *listeners = &ticket->listener->server->listeners;
    struct peer *peer = peer_find(listeners, address_of(ticket->peer));
    check(peer && peer->connections > 0 && listeners->connections > 0);
    listeners->connections--;
    if (--peer->connections == 0) {
        map_remove(&listeners->peers, &peer->by_address);
        free(peer);
    }
    free(ticket);
}

static void mail_to(struct core *from, struct core *to, struct mail *mail,
                    void (*deliver)(struct mail *mail)) {
    mail->deliver = deliver;
    if (from == to)
        deliver(mail);
    else
        ring_post(to->ring, mail);
}

void ticket_return(struct ticket *ticket) {
    mail_to(ticket->core, ticket->listener->server->listeners.core, &ticket->mail, ticket_end);
}

static void ticket_give(struct listener *listener, int fd, const char *peer_text,
                        struct peer *peer) {
    struct server *server = listener->server;
    struct listeners *listeners = &server->listeners;
    struct ticket *ticket = new_zero(struct ticket);
    ticket->listener = listener;
    ticket->fd = fd;
    ticket->party = admission_party_of(peer->by_address.hash);
    snprintf(ticket->peer, sizeof ticket->peer, "%s", peer_text);
    ticket->core = &server->cores[listeners->next_core++ % server->core_count];
    listeners->connections++;
    peer->connections++;
    mail_to(listeners->core, ticket->core, &ticket->mail, ticket_arrive);
}

/* --- accepting --- */

static void listener_take(struct listener *listener, int fd) {
    struct listeners *listeners = &listener->server->listeners;
    const struct options *options = listeners->core->options;
    char text[ADDRESS_TEXT_SIZE];
    if (!ring_peer_address(listeners->core->ring, fd, text, sizeof text))
        snprintf(text, sizeof text, "unknown:0");
    if (listeners->connections >= connections_max(options)) {
        listener_refuse(listener, fd, text, "connections-max is reached");
        return;
    }
    struct bytes address = address_of(text);
    struct peer *peer = peer_find(listeners, address);
    if (peer && peer->connections >= options->connections_per_address_max) {
        listener_refuse(listener, fd, text, "connections-max-per-address is reached");
        return;
    }
    ticket_give(listener, fd, text, peer ? peer : peer_add(listeners, address));
}

static void listeners_check_stopped(struct listeners *listeners) {
    if (!listeners->stopping) return;
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i].accepting) return;
    listeners->stopping = false;
    listeners->stopped(listeners->core->server);
}

static void listener_accepted(struct io_op *op) {
    struct listener *listener = container_of(op, struct listener, accept);
    struct listeners *listeners = &listener->server->listeners;
    struct ring *ring = listeners->core->ring;
    if (op->result >= 0 && listeners->stopping)
        ring_close(ring, (int)op->result);
    else if (op->result >= 0)
        listener_take(listener, (int)op->result);
    if (op->more) return;
    if (!listeners->stopping)
        say_error("accepting on %s ended: %s", listener->bound, strerror((int)-op->result));
    ring_close(ring, listener->fd);
    listener->accepting = false;
    listeners_check_stopped(listeners);
}

/* --- life --- */

static void endpoint_address(const struct endpoint *endpoint, char *text, size_t size) {
    const char *form = strchr(endpoint->host, ':') ? "[%s]:%d" : "%s:%d";
    snprintf(text, size, form, endpoint->host, endpoint->port);
}

static bool listener_open(struct listener *listener, struct ring *ring,
                          const struct endpoint *endpoint, struct error *error) {
    char address[300];
    endpoint_address(endpoint, address, sizeof address);
    listener->name = endpoint->name;
    listener->fd = ring_listen(ring, address, listener->bound, sizeof listener->bound, error);
    return listener->fd >= 0;
}

bool listeners_open(struct listeners *listeners, struct server *server, struct core *core,
                    struct error *error) {
    const struct endpoints *wanted = &server->options->listen;
    listeners->core = core;
    map_init(&listeners->peers);
    listeners->items = memory_zero(wanted->count, sizeof *listeners->items);
    for (size_t i = 0; i < wanted->count; i++) {
        struct listener *listener = listeners->items + i;
        listener->server = server;
        if (!listener_open(listener, core->ring, &wanted->items[i], error)) return false;
        listeners->count++;
    }
    for (size_t i = 0; i < listeners->count; i++) {
        struct listener *listener = listeners->items + i;
        listener->accept.done = listener_accepted;
        listener->accepting = true;
        ring_accept(core->ring, &listener->accept, listener->fd);
    }
    return true;
}

void listeners_stop(struct listeners *listeners, void (*stopped)(struct server *server)) {
    listeners->stopping = true;
    listeners->stopped = stopped;
    for (size_t i = 0; i < listeners->count; i++)
        if (listeners->items[i].accepting)
            ring_cancel(listeners->core->ring, &listeners->items[i].accept);
    listeners_check_stopped(listeners);
}

void listeners_deinit(struct listeners *listeners) {
    for (struct map_node *node; (node = map_first(&listeners->peers));) {
        map_remove(&listeners->peers, node);
        free(map_entry(node, struct peer, by_address));
    }
    map_deinit(&listeners->peers);
    free(listeners->items);
}
