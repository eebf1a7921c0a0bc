/* What a backend of the ring implements, and what ring.c gives to all of them; private to io/. */
#pragma once

#include "io/mailbox.h"
#include "io/ring.h"

enum io_kind { IO_ACCEPT, IO_RECEIVE, IO_RECEIVE_INTO, IO_SEND, IO_READ, IO_WRITE };

enum { RECEIVE_SIZE = 16 * 1024 };

struct ring_calls {
    enum io_backend backend;
    void (*free)(struct ring *ring);
    /* Sets now_ns and wall_ms. */
    void (*clock)(struct ring *ring);
    /* Runs the callbacks of what was reaped; at most one batch. */
    void (*run)(struct ring *ring);
    /* Submits, waits (no longer than until deadline_ns) when `wait`, and reaps. */
    void (*turn)(struct ring *ring, bool wait, uint64_t deadline_ns);
    /* Any thread: ends a wait. */
    void (*wake)(struct ring *ring);
    void (*submit)(struct ring *ring, struct io_op *op);
    void (*cancel)(struct ring *ring, struct io_op *op);
    void (*work)(struct ring *ring, struct work *work);
    void (*hold)(struct ring *ring, int fd);
    int (*listen)(struct ring *ring, const char *address, char *bound, size_t bound_size,
                  struct error *error);
    void (*shutdown)(struct ring *ring, int fd);
    void (*close)(struct ring *ring, int fd);
    bool (*address)(struct ring *ring, int fd, bool of_peer, char *text, size_t size);
};

/* Embedded first in each backend's own struct. */
struct ring {
    const struct ring_calls *calls;
    struct workers *workers;
    struct mailbox mailbox;
    struct heap timers;
    struct list hooks;
    struct list completed; /* operations that the ring itself has ended */
    struct list pauses;    /* accepts that wait for free descriptors */
    uint64_t now_ns;
    int64_t wall_ms;
    size_t works;       /* in worker threads or on their way back */
    atomic_int posting; /* workers that are inside ring_post_work() */
    bool stop;
    bool has_said_full; /* no descriptors left: told once */
};

struct ring *ring_uring_new(const struct ring_options *options, struct error *why);
struct ring *ring_epoll_new(const struct ring_options *options, struct error *why);

void ring_init(struct ring *ring, const struct ring_calls *calls, struct workers *workers);
/* Waits for works in threads; deliverers are not called any more. */
void ring_deinit(struct ring *ring);

/* The clocks of the operating system, and its calls on sockets: both real backends. */
void ring_real_clock(struct ring *ring);
int ring_real_listen(struct ring *ring, const char *address, char *bound, size_t bound_size,
                     struct error *error);
void ring_real_shutdown(struct ring *ring, int fd);
bool ring_real_address(struct ring *ring, int fd, bool of_peer, char *text, size_t size);
void ring_real_work(struct ring *ring, struct work *work);
/* As ring_work(), on other threads than the server's. */
void ring_work_on(struct ring *ring, struct workers *workers, struct work *work);
/* Worker thread: hands the finished work back. */
void ring_post_work(struct work *work);

/* Queues the callback for the next round. */
void op_complete(struct ring *ring, struct io_op *op, int64_t result);
/* Runs the callback now; only from ring_calls.run or from mail. */
void op_finish(struct io_op *op);
/* Takes the outcome of one transfer (bytes or a negative errno) into account. True: submit the rest
 * of it again. False: op->result is final. */
bool op_goes_on(struct io_op *op, int64_t outcome);
/* RWF_DSYNC for this operation as its file allows it. */
int op_write_flags(const struct io_op *op);

/* A failed accept: true when the ring tries again (now, or after a pause when descriptors have run
 * out); false when the operation has failed for good. */
bool accept_tries_again(struct ring *ring, struct io_op *op, int error_number);
/* Ends a pause; false when the operation is not in one. */
bool accept_pause_end(struct io_op *op);
