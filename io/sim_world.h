/* The inside of the simulated world; private to io/sim*.c. Time passes only from event to event:
 * whatever takes time draws a delay from the seed and puts an event into one heap. */
#pragma once

#include "base/random.h"
#include "io/backend.h"
#include "io/disk.h"
#include "io/sim.h"

struct sim_event {
    struct heap_node node; /* the time */
    void (*happen)(struct sim *sim, struct sim_event *event);
};

struct sim_node; /* a file or a directory */

struct sim {
    struct random random;
    uint64_t now_ns;
    uint64_t life; /* rises with each power cut and kill; what is of an older life is dead */
    struct heap events;
    struct list rings;

    struct sim_node *root;
    struct list nodes;     /* all files and directories */
    struct list changes;   /* of directories, oldest first, not stable yet */
    struct list transfers; /* ring_read() and ring_write() in flight */
    struct list works;     /* in "worker threads" */
    uint64_t disk_operations;
    uint64_t fault_in; /* operations until the fault; 0 = none */
    int fault_errno;
    int spoil;         /* enum sim_spoil, or -1: it fails with fault_errno */
    bool disk_stopped; /* until the crash */
    bool is_spoilt;    /* the fault that was armed has happened */
    void (*before_operation)(void *context, enum sim_operation operation); /* or NULL */
    void *watcher;                                                         /* its context */

    struct list listeners, connections;
    struct list closed; /* connections to free when no callback runs */
    int next_socket;
};

struct sim_ring {
    struct ring ring;
    struct sim *sim;
    uint64_t life, rounds;
    struct list link;
    struct list arrived; /* ring_receive()s whose bytes are in op->private */
    struct sim_event round;
    bool is_due; /* a round is planned for what is there already */
};

static inline struct sim_ring *sim_ring_of(struct ring *ring) {
    return container_of(ring, struct sim_ring, ring);
}
static inline bool sim_ring_lives(const struct sim_ring *ring) {
    return ring->life == ring->sim->life;
}

/* Plans the event, or moves it, `most_ns` from now at the latest. */
void sim_soon(struct sim *sim, struct sim_event *event, uint64_t most_ns);
void sim_forget(struct sim *sim, struct sim_event *event);
/* True with a chance of `parts` in 8. */
bool sim_chance(struct sim *sim, unsigned parts);

void sim_disk_init(struct sim *sim);
void sim_disk_deinit(struct sim *sim);
void sim_disk_submit(struct ring *ring, struct io_op *op);
/* What the crash leaves; `keep` is the chance in 8 of what was not stable, or -1 for a kill. */
void sim_disk_crash(struct sim *sim, int keep);
/* Forgets what this ring has in flight. */
void sim_disk_drop(struct sim_ring *ring);

void sim_network_init(struct sim *sim);
void sim_network_deinit(struct sim *sim);
void sim_network_submit(struct ring *ring, struct io_op *op);
void sim_network_cancel(struct ring *ring, struct io_op *op);
/* Connections that wait for this ring's accepts: whether there are some, and their callbacks. */
bool sim_network_has_arrivals(const struct sim_ring *ring);
void sim_network_run_accepts(struct sim_ring *ring);
int sim_network_listen(struct ring *ring, const char *address, char *bound, size_t bound_size,
                       struct error *error);
void sim_network_shutdown(struct ring *ring, int fd);
void sim_network_close(struct ring *ring, int fd);
bool sim_network_address(struct ring *ring, int fd, bool of_peer, char *text, size_t size);
/* The server's ends are gone: of this ring, or of all rings with NULL. */
void sim_network_drop(struct sim *sim, struct sim_ring *ring);
void sim_network_bury(struct sim *sim);
