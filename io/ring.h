/* One ring per core: sockets, files, timers, mail from other threads and the results of worker
 * threads, in one place to wait. Three backends with the same meaning: io_uring, epoll with disk
 * threads, and the simulator.
 *
 * Rules
 *   - A ring belongs to the thread that made it; only ring_post() may be called by others.
 *   - An operation (struct io_op) begins zeroed, is embedded in its owner and lives until its
 * `done` ran; `done` may submit it again. Buffers that it names belong to the kernel until then:
 * cancelling is not being done.
 *   - Completions queue; `done` runs from ring_run() and is never called from inside a submit, so
 *     callbacks never nest.
 *   - A round: reap completions and mail -> run their callbacks -> due timers -> round hooks
 *     (commit, flush of answers) -> submit -> wait. Every part of a round is bounded.
 *   - Results are a count or a descriptor >= 0, or a negative errno.
 *
 *      submit            kernel / disk thread          reap        callback
 *   IO_IDLE ────────► IO_IN_FLIGHT ───────────────► IO_COMPLETE ───► IO_IDLE
 */
#pragma once

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"

struct ring;
struct file;

enum io_backend { IO_AUTO, IO_URING, IO_EPOLL, IO_SIMULATED };

enum io_state { IO_IDLE, IO_IN_FLIGHT, IO_COMPLETE };

struct io_op {
    void (*done)(struct io_op *op); /* set by the owner before submitting */
    int64_t result;
    struct bytes received; /* ring_receive(): valid until `done` returns */
    /* The ring's own, from submit to done. */
    enum io_state state;
    uint8_t kind;
    bool durable, cancelled, syncing;
    bool drained; /* a hint: the last receive left the socket empty */
    bool more;    /* ring_accept(): whether more connections follow */
    int fd;
    struct file *file;
    struct iovec *pieces; /* the owner's array; advanced by the ring on short transfers */
    int piece_count;
    struct iovec piece; /* where the caller gave one buffer */
    uint64_t position;
    struct msghdr message;
    struct list link;
    void *private; /* the backend's */
};

struct timer {
    struct heap_node node;
    void (*fire)(struct timer *timer);
};

/* A message to another thread's ring. The node lives in the message's owner, so a mailbox is never
 * full; it is the receiver's from ring_post() until `deliver` is called. */
struct mail {
    _Atomic(struct mail *) next;
    void (*deliver)(struct mail *mail);
};

/* Blocking work on a worker thread: `run` there, then `done` on the ring that asked. */
struct work {
    struct mail mail;
    void (*run)(struct work *work);
    void (*done)(struct work *work);
    bool is_background; /* nobody waits for it: on a thread that gives way to all others */
    struct ring *home;
    struct list link;
};

/* Called at the end of every round, before the ring waits. */
struct round_hook {
    struct list link;
    void (*run)(struct round_hook *hook);
};

struct workers;

struct ring_options {
    enum io_backend backend;
    struct workers *workers; /* shared by the rings of a server; NULL for the simulator */
    unsigned entries;        /* submission queue size; 0 = default */
};

/* Worker threads: started when first needed, at most `threads_max`, and half as many for
 * work in the background; free after all rings. */
struct workers *workers_new(unsigned threads_max);
void workers_free(struct workers *workers);

/* IO_AUTO falls back to epoll and fills `why` (never NULL) with one clear line for the log;
 * otherwise NULL is returned and `why` says what is missing. */
struct ring *ring_new(const struct ring_options *options, struct error *why);
void ring_free(struct ring *ring);
enum io_backend ring_backend(const struct ring *ring);
const char *io_backend_name(enum io_backend backend);

/* Runs rounds until ring_stop(). */
void ring_run(struct ring *ring);
/* One round, from its submissions on: submits, waits (at most until the next deadline) when `wait`
 * and nothing is there yet, then runs callbacks, timers and hooks. */
void ring_round(struct ring *ring, bool wait);
/* Ends ring_run() after this round; own thread only. */
void ring_stop(struct ring *ring);
void ring_hook(struct ring *ring, struct round_hook *hook);
void ring_unhook(struct round_hook *hook);
/* Keeps this descriptor open inside the ring until the kernel has finished its last request. */
void ring_hold(struct ring *ring, int fd);

/* The monotonic clock as of the start of this round, and the wall clock. */
uint64_t ring_now_ns(const struct ring *ring);
int64_t ring_wall_ms(const struct ring *ring);

/* Arms, or moves, to an absolute monotonic deadline. */
void timer_arm(struct ring *ring, struct timer *timer, uint64_t deadline_ns);
void timer_cancel(struct ring *ring, struct timer *timer);
static inline bool timer_is_armed(const struct timer *timer) { return heap_has(&timer->node); }

/* Thread safe: hands the mail to `to`, waking it when it sleeps. In order per sender. */
void ring_post(struct ring *to, struct mail *mail);
void ring_work(struct ring *ring, struct work *work);

/* --- sockets (descriptors of this ring's world: real ones, or the simulator's) --- */

/* Binds and listens (SO_REUSEADDR, backlog 4096, congestion control as the system says);
 * port 0 chooses. `address` is HOST:PORT; the bound one is written to `bound` (HOST:PORT). */
int ring_listen(struct ring *ring, const char *address, char *bound, size_t bound_size,
                struct error *error);
/* `done` for every connection (result = its descriptor, non-blocking, TCP_NODELAY, keep-alive)
 * until cancelled or failed; op->more tells whether it goes on. */
void ring_accept(struct ring *ring, struct io_op *op, int fd);
/* Whatever arrives next, into a buffer of the ring's (16 KiB at most): an idle connection holds no
 * memory. Result 0 is end of stream. */
void ring_receive(struct ring *ring, struct io_op *op, int fd);
/* Exactly `len` bytes into the owner's buffer; fewer only at end of stream. */
void ring_receive_into(struct ring *ring, struct io_op *op, int fd, void *at, size_t len);
/* All pieces, in order; result is their sum. The array may be changed by the ring. */
void ring_send(struct ring *ring, struct io_op *op, int fd, struct iovec *pieces, int count);
/* Completes the operation soon with -ECANCELED, unless it completed already. */
void ring_cancel(struct ring *ring, struct io_op *op);
/* Ends both directions: operations in flight complete. */
void ring_shutdown(struct ring *ring, int fd);
/* Only when nothing is in flight on it. */
void ring_close(struct ring *ring, int fd);
/* The address of the peer / of our side as HOST:PORT text; false when unknown. */
bool ring_peer_address(struct ring *ring, int fd, char *text, size_t size);
bool ring_local_address(struct ring *ring, int fd, char *text, size_t size);

/* --- files (io/file.h opens them) --- */

/* All pieces at `position`; durable = the data is on stable storage before `done` (RWF_DSYNC).
 * Fewer bytes only together with an error: a short write is continued. For files opened direct,
 * memory, sizes and position are multiples of 4096. */
void ring_write(struct ring *ring, struct io_op *op, struct file *file, struct iovec *pieces,
                int count, uint64_t position, bool durable);
/* Up to `len` bytes; fewer only at the end of the file. */
void ring_read(struct ring *ring, struct io_op *op, struct file *file, void *at, size_t len,
               uint64_t position);
