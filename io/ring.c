/* What all backends share: the order of a round, timers, hooks, mail, and the rules by which an
 * operation goes on after a part of it was done. */
#include "io/ring.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/say.h"
#include "io/backend.h"
#include "io/disk.h"
#include "io/socket.h"
#include "io/workers.h"

/* --- life --- */

const char *io_backend_name(enum io_backend backend) {
    static const char *const names[] = {"auto", "io_uring", "epoll", "simulated"};
    return names[backend];
}

struct ring *ring_new(const struct ring_options *options, struct error *why) {
    check(options->backend != IO_SIMULATED); /* sim_ring_new() */
    *why = (struct error){0};
    if (options->backend == IO_EPOLL) return ring_epoll_new(options, why);
    struct ring *ring = ring_uring_new(options, why);
    if (ring || options->backend == IO_URING) return ring;
    struct error missing;
    ring = ring_epoll_new(options, &missing);
    if (!ring) {
        *why = missing;
        return NULL;
    }
    size_t len = strnlen(why->text, sizeof why->text);
    snprintf(why->text + len, sizeof why->text - len, "; using epoll");
    return ring;
}

void ring_free(struct ring *ring) {
    if (ring) ring->calls->free(ring);
}

enum io_backend ring_backend(const struct ring *ring) { return ring->calls->backend; }

void ring_init(struct ring *ring, const struct ring_calls *calls, struct workers *workers) {
    ring->calls = calls;
    ring->workers = workers;
    mailbox_init(&ring->mailbox);
    heap_init(&ring->timers);
    list_init(&ring->hooks);
    list_init(&ring->completed);
    list_init(&ring->pauses);
    calls->clock(ring);
}

/* --- mail and work --- */

void ring_post(struct ring *to, struct mail *mail) {
    if (mailbox_add(&to->mailbox, mail)) to->calls->wake(to);
}

static void ring_deliver_mail(struct ring *ring) {
    for (struct mail *mail = mailbox_take(&ring->mailbox), *next; mail; mail = next) {
        next = mailbox_next(mail); /* the mail is its owner's again when delivered */
        mail->deliver(mail);
    }
}

static void work_deliver(struct mail *mail) {
    struct work *work = container_of(mail, struct work, mail);
    work->home->works--;
    work->done(work);
}

static void work_init(struct ring *ring, struct work *work) {
    work->home = ring;
    work->mail.deliver = work_deliver;
    list_init(&work->link);
    ring->works++;
}

void ring_work(struct ring *ring, struct work *work) {
    work_init(ring, work);
    ring->calls->work(ring, work);
}

void ring_work_on(struct ring *ring, struct workers *workers, struct work *work) {
    work_init(ring, work);
    workers_add(workers, work);
}

void ring_real_work(struct ring *ring, struct work *work) {
    check(ring->workers);
    workers_add(ring->workers, work);
}

void ring_post_work(struct work *work) {
    struct ring *home = work->home;
    atomic_fetch_add(&home->posting, 1);
    ring_post(home, &work->mail); /* the work is its home's again from here on */
    atomic_fetch_sub(&home->posting, 1);
}

/* A worker posts exactly once per work; `posting` tells when it has let go of the ring. */
static void ring_await_works(struct ring *ring) {
    static const struct timespec moment = {0, (long)NS_PER_MS};
    while (ring->works > 0 || atomic_load(&ring->posting) > 0) {
        for (struct mail *mail = mailbox_take(&ring->mailbox); mail; mail = mailbox_next(mail))
            if (mail->deliver == work_deliver) ring->works--;
        if (ring->works > 0) nanosleep(&moment, NULL);
    }
}

/* --- timers and hooks --- */

uint64_t ring_now_ns(const struct ring *ring) { return ring->now_ns; }
int64_t ring_wall_ms(const struct ring *ring) { return ring->wall_ms; }

void ring_real_clock(struct ring *ring) {
    ring->now_ns = clock_monotonic_ns();
    ring->wall_ms = clock_wall_ms();
}

void timer_arm(struct ring *ring, struct timer *timer, uint64_t deadline_ns) {
    check(timer->fire);
    heap_put(&ring->timers, &timer->node, deadline_ns);
}

void timer_cancel(struct ring *ring, struct timer *timer) {
    heap_remove(&ring->timers, &timer->node);
}

/* As many as were armed at the start, so that a timer that arms itself for now cannot keep the
 * round from ending. */
static void ring_fire_timers(struct ring *ring) {
    for (size_t most = ring->timers.count; most > 0; most--) {
        struct heap_node *first = heap_top(&ring->timers);
        if (!first || first->key > ring->now_ns) return;
        heap_remove(&ring->timers, first);
        struct timer *timer = container_of(first, struct timer, node);
        timer->fire(timer);
    }
}

void ring_hook(struct ring *ring, struct round_hook *hook) {
    list_init(&hook->link);
    list_append(&ring->hooks, &hook->link);
}

void ring_unhook(struct round_hook *hook) { list_remove(&hook->link); }

/* Through a list of its own: a hook may remove itself or any other. */
static void ring_run_hooks(struct ring *ring) {
    struct list due;
    list_init(&due);
    list_move_all(&due, &ring->hooks);
    for (struct list *node; (node = list_first(&due));) {
        list_remove(node);
        list_append(&ring->hooks, node);
        struct round_hook *hook = list_entry(node, struct round_hook, link);
        hook->run(hook);
    }
}

/* --- rounds --- */

static void ring_run_completed(struct ring *ring) {
    struct list due;
    list_init(&due);
    list_move_all(&due, &ring->completed);
    for (struct list *node; (node = list_first(&due));) {
        list_remove(node);
        op_finish(list_entry(node, struct io_op, link));
    }
}

static void ring_turn(struct ring *ring, bool wait) {
    struct heap_node *first = heap_top(&ring->timers);
    wait = wait && list_is_empty(&ring->completed) && mailbox_sleep(&ring->mailbox);
    ring->calls->turn(ring, wait, first ? first->key : UINT64_MAX);
    if (wait) mailbox_awake(&ring->mailbox);
}

/* It begins where the last one ended: whoever waits for something runs rounds until it is there. */
void ring_round(struct ring *ring, bool wait) {
    ring_turn(ring, wait);
    ring->calls->clock(ring);
    ring_run_completed(ring);
    ring->calls->run(ring);
    ring_deliver_mail(ring);
    ring_fire_timers(ring);
    ring_run_hooks(ring);
}

void ring_run(struct ring *ring) {
    ring->stop = false;
    while (!ring->stop) ring_round(ring, true);
    ring_turn(ring, false); /* what the last round submitted */
}

void ring_stop(struct ring *ring) { ring->stop = true; }
void ring_hold(struct ring *ring, int fd) { ring->calls->hold(ring, fd); }

/* --- operations --- */

void op_complete(struct ring *ring, struct io_op *op, int64_t result) {
    check(op->state == IO_IN_FLIGHT);
    check(!list_is_linked(&op->link));
    op->result = result;
    op->state = IO_COMPLETE;
    list_append(&ring->completed, &op->link);
}

void op_finish(struct io_op *op) {
    check(op->state != IO_IDLE);
    op->state = IO_IDLE;
    op->done(op);
}

static void op_submit(struct ring *ring, struct io_op *op, enum io_kind kind, int fd) {
    check(op->state == IO_IDLE && op->done);
    op->state = IO_IN_FLIGHT;
    op->kind = (uint8_t)kind;
    op->fd = fd;
    op->result = 0;
    op->received = BYTES_NULL;
    op->cancelled = op->syncing = op->more = false;
    op->private = NULL;
    list_init(&op->link);
    ring->calls->submit(ring, op);
}

static void op_take_piece(struct io_op *op, void *at, size_t len) {
    op->piece = (struct iovec){at, len};
    op->pieces = &op->piece;
    op->piece_count = 1;
}

/* Moves past `count` bytes; true while some are left. */
static bool op_advance(struct io_op *op, size_t count) {
    op->result += (int64_t)count;
    op->position += count;
    while (op->piece_count > 0 && count >= op->pieces->iov_len) {
        count -= op->pieces->iov_len;
        op->pieces++;
        op->piece_count--;
    }
    if (op->piece_count == 0) return false;
    op->pieces->iov_base = (uint8_t *)op->pieces->iov_base + count;
    op->pieces->iov_len -= count;
    return true;
}

static bool op_ends(struct io_op *op, int64_t result) {
    op->result = result;
    return false;
}

/* A direct transfer can go on only at a block: a read that stops inside one is at the end of the
 * file; a write takes the broken block again, and without a whole block there is no space. */
static bool op_goes_on_direct(struct io_op *op, size_t count, bool *goes_on) {
    if (count % DISK_BLOCK == 0) return false;
    if (op->kind == IO_READ) {
        op->result += (int64_t)count;
        *goes_on = false;
        return true;
    }
    size_t whole = round_down(count, DISK_BLOCK);
    *goes_on = whole > 0 ? op_advance(op, whole) : op_ends(op, -ENOSPC);
    return true;
}

static bool op_starts_sync(struct io_op *op) {
    if (op->kind != IO_WRITE || !op->durable || !atomic_load(&op->file->lacks_dsync)) return false;
    op->syncing = true;
    return true;
}

static bool op_goes_on_after_error(struct io_op *op, int error_number) {
    if (op->cancelled) return op_ends(op, -ECANCELED);
    if (error_number == EINTR) return true;
    if (error_number == EOPNOTSUPP && op->kind == IO_WRITE && op_write_flags(op)) {
        atomic_store(&op->file->lacks_dsync, true);
        return true;
    }
    return op_ends(op, -error_number);
}

bool op_goes_on(struct io_op *op, int64_t outcome) {
    if (op->syncing) return outcome < 0 ? op_ends(op, outcome) : false;
    if (outcome < 0) return op_goes_on_after_error(op, (int)-outcome);
    if (outcome == 0) { /* the end of a stream or file; nothing else may answer nothing */
        if (op->kind == IO_SEND) return op_ends(op, -EPIPE);
        return op->kind == IO_WRITE ? op_ends(op, -ENOSPC) : false;
    }
    bool goes_on;
    if ((op->kind == IO_READ || op->kind == IO_WRITE) && op->file->is_direct &&
        op_goes_on_direct(op, (size_t)outcome, &goes_on))
        return goes_on;
    if (!op_advance(op, (size_t)outcome)) return op_starts_sync(op);
    return op->cancelled ? op_ends(op, -ECANCELED) : true;
}

int op_write_flags(const struct io_op *op) {
    return op->durable && !atomic_load(&op->file->lacks_dsync) ? RWF_DSYNC : 0;
}

void ring_cancel(struct ring *ring, struct io_op *op) {
    if (op->state != IO_IN_FLIGHT || op->cancelled) return;
    op->cancelled = true;
    if (op->kind == IO_ACCEPT && accept_pause_end(op)) {
        op_complete(ring, op, -ECANCELED);
        return;
    }
    ring->calls->cancel(ring, op);
}

/* --- sockets --- */

int ring_listen(struct ring *ring, const char *address, char *bound, size_t bound_size,
                struct error *error) {
    return ring->calls->listen(ring, address, bound, bound_size, error);
}

int ring_real_listen(struct ring *ring, const char *address, char *bound, size_t bound_size,
                     struct error *error) {
    (void)ring;
    return socket_listen(address, bound, bound_size, error);
}

void ring_accept(struct ring *ring, struct io_op *op, int fd) {
    op_submit(ring, op, IO_ACCEPT, fd);
}

void ring_receive(struct ring *ring, struct io_op *op, int fd) {
    op_submit(ring, op, IO_RECEIVE, fd);
}

void ring_receive_into(struct ring *ring, struct io_op *op, int fd, void *at, size_t len) {
    check(len > 0);
    op_take_piece(op, at, len);
    op_submit(ring, op, IO_RECEIVE_INTO, fd);
}

void ring_send(struct ring *ring, struct io_op *op, int fd, struct iovec *pieces, int count) {
    check(count > 0);
    op->pieces = pieces;
    op->piece_count = count;
    op_submit(ring, op, IO_SEND, fd);
}

void ring_shutdown(struct ring *ring, int fd) { ring->calls->shutdown(ring, fd); }

void ring_real_shutdown(struct ring *ring, int fd) {
    (void)ring;
    shutdown(fd, SHUT_RDWR); /* fails only where the peer was faster */
}

void ring_close(struct ring *ring, int fd) { ring->calls->close(ring, fd); }

bool ring_peer_address(struct ring *ring, int fd, char *text, size_t size) {
    return ring->calls->address(ring, fd, true, text, size);
}

bool ring_local_address(struct ring *ring, int fd, char *text, size_t size) {
    return ring->calls->address(ring, fd, false, text, size);
}

bool ring_real_address(struct ring *ring, int fd, bool of_peer, char *text, size_t size) {
    (void)ring;
    return socket_address(fd, of_peer, text, size);
}

/* --- accepting when descriptors run out --- */

enum { ACCEPT_PAUSE_MS = 100 };

struct accept_pause {
    struct timer timer;
    struct list link;
    struct ring *ring;
    struct io_op *op;
};

bool accept_pause_end(struct io_op *op) {
    struct accept_pause *pause = op->private;
    if (!pause) return false;
    timer_cancel(pause->ring, &pause->timer);
    list_remove(&pause->link);
    free(pause);
    op->private = NULL;
    return true;
}

static void accept_pause_fire(struct timer *timer) {
    struct accept_pause *pause = container_of(timer, struct accept_pause, timer);
    struct ring *ring = pause->ring;
    struct io_op *op = pause->op;
    accept_pause_end(op);
    ring->calls->submit(ring, op);
}

static void accept_pause_begin(struct ring *ring, struct io_op *op, int error_number) {
    if (!ring->has_said_full)
        say_warning("cannot accept connections for now: %s; raise the limit of open files",
                    strerror(error_number));
    ring->has_said_full = true;
    struct accept_pause *pause = new_zero(struct accept_pause);
    pause->timer.fire = accept_pause_fire;
    pause->ring = ring;
    pause->op = op;
    list_append(&ring->pauses, &pause->link);
    op->private = pause;
    timer_arm(ring, &pause->timer, ring->now_ns + ACCEPT_PAUSE_MS * NS_PER_MS);
}

bool accept_tries_again(struct ring *ring, struct io_op *op, int error_number) {
    switch (error_number) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: accept_pause_begin(ring, op, error_number); return true;
        case EINTR:
        case EAGAIN:
        case ECONNABORTED:
        case EPROTO:
        case EPERM: /* a firewall rule refused this one */
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENONET:
        case ENOPROTOOPT: ring->calls->submit(ring, op); return true;
        default: return false;
    }
}

void ring_deinit(struct ring *ring) {
    ring_await_works(ring);
    for (struct list *node; (node = list_first(&ring->pauses));)
        accept_pause_end(list_entry(node, struct accept_pause, link)->op);
    heap_deinit(&ring->timers);
}

/* --- files --- */

static void op_check_aligned(const struct io_op *op) {
    if (!op->file->is_direct) return;
    check(op->position % DISK_BLOCK == 0);
    for (int at = 0; at < op->piece_count; at++) {
        check((uintptr_t)op->pieces[at].iov_base % DISK_BLOCK == 0);
        check(op->pieces[at].iov_len % DISK_BLOCK == 0);
    }
}

void ring_write(struct ring *ring, struct io_op *op, struct file *file, struct iovec *pieces,
                int count, uint64_t position, bool durable) {
    check(count > 0);
    op->file = file;
    op->pieces = pieces;
    op->piece_count = count;
    op->position = position;
    op->durable = durable;
    op_check_aligned(op);
    op_submit(ring, op, IO_WRITE, file->fd);
}

void ring_read(struct ring *ring, struct io_op *op, struct file *file, void *at, size_t len,
               uint64_t position) {
    check(len > 0);
    op->file = file;
    op->position = position;
    op->durable = false;
    op_take_piece(op, at, len);
    op_check_aligned(op);
    op_submit(ring, op, IO_READ, file->fd);
}
