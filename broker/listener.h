/* Where clients connect: accepts on one core, keeps to the caps on connections, and deals them to
 * the cores in turn; a connection never moves afterwards.
 *
 *   listening core                            the connection's core
 *   accept ─► ticket ──────── mail ─────────► connection_new()
 *   counts down ◄──────────── mail ────────── the connection is freed
 *
 * Counters belong to the listening core. A refused connection is closed at once; refusals are said
 * at most once a minute. */
#pragma once

#include "base/error.h"
#include "base/map.h"
#include "config/options.h"
#include "io/ring.h"
#include "io/socket.h"

struct core;
struct server;

struct listener {
    struct server *server;
    const char *name;              /* of its option */
    char bound[ADDRESS_TEXT_SIZE]; /* HOST:PORT with the real port */
    int fd;
    struct io_op accept;
    bool accepting;
};

/* The right of a connection to exist. */
struct ticket {
    struct mail mail;
    struct listener *listener;
    struct core *core;
    int fd;
    uint8_t party; /* to admission, by the peer's address */
    char peer[ADDRESS_TEXT_SIZE];
};

/* All listeners of a server and the counts of its connections. */
struct listeners {
    struct core *core; /* that accepts */
    struct listener *items;
    size_t count;
    struct map peers; /* struct peer, by address */
    uint32_t connections;
    unsigned next_core;
    uint64_t refused, said_ns;
    bool stopping;
    void (*stopped)(struct server *server);
};

/* On the listening core's thread: binds all addresses of the options and begins to accept. */
bool listeners_open(struct listeners *listeners, struct server *server, struct core *core,
                    struct error *error);
/* No further connections; `stopped` runs on the listening core when nothing is in flight. */
void listeners_stop(struct listeners *listeners, void (*stopped)(struct server *server));
void listeners_deinit(struct listeners *listeners);
/* From the connection's core: the connection is gone, its descriptor closed. */
void ticket_return(struct ticket *ticket);
