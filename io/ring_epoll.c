/* The epoll backend, for where io_uring is forbidden or old.
 *
 * Every socket is registered once, edge-triggered, and has one slot: the operation that receives,
 * the one that sends, and whether either direction is known to be ready. An operation is attempted
 * when its side may be ready (`ready` list), and waits in its slot otherwise. Bytes are received
 * right before their callback, into one buffer that all connections share.
 *
 *   short read    the socket is empty: wait for the next edge, unless the end was announced too
 *   EAGAIN        wait for the next edge
 *
 * Files are written and read by up to four threads of the ring's own; results return by mail. */
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "io/backend.h"
#include "io/disk.h"

enum {
    EVENTS_MAX = 256,
    ACCEPTS_MAX = 64, /* in one round */
    DISK_THREADS = 4,
};

struct slot {
    struct io_op *receive, *send; /* `receive` also holds the accept of a listening socket */
    bool known;                   /* to the kernel */
    bool readable, writable;      /* as far as we know */
    bool ended;                   /* the peer's end was announced: reading never blocks again */
};

struct epoller {
    struct ring ring;
    int epoll_fd, event_fd;
    bool lacks_pwait2;
    struct slot *slots; /* by descriptor */
    size_t slot_count;
    struct list ready; /* operations to attempt in this round */
    uint8_t *scratch;  /* RECEIVE_SIZE */
    struct workers *disk;
};

/* A file operation on its way through a disk thread. */
struct disk_job {
    struct work work;
    struct io_op *op;
};

static const struct ring_calls epoll_calls;

static struct epoller *epoller_of(struct ring *ring) {
    return container_of(ring, struct epoller, ring);
}

/* --- slots --- */

static struct slot *epoll_slot(struct epoller *epoller, int fd) {
    check(fd >= 0);
    if ((size_t)fd >= epoller->slot_count) {
        size_t count = epoller->slot_count ? epoller->slot_count : 64;
        while ((size_t)fd >= count) count *= 2;
        epoller->slots = memory_resize(epoller->slots, count * sizeof *epoller->slots);
        memset(epoller->slots + epoller->slot_count, 0,
               (count - epoller->slot_count) * sizeof *epoller->slots);
        epoller->slot_count = count;
    }
    return &epoller->slots[fd];
}

/* Adding reports at once what is ready, so nothing is known to be readable before. */
static int epoll_know(struct epoller *epoller, struct slot *slot, int fd) {
    if (slot->known) return 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
    event.data.fd = fd;
    if (epoll_ctl(epoller->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) return -errno;
    *slot = (struct slot){.known = true, .writable = true};
    return 0;
}

static struct io_op **epoll_side(struct slot *slot, const struct io_op *op) {
    return op->kind == IO_SEND ? &slot->send : &slot->receive;
}

static void epoll_try_soon(struct epoller *epoller, struct io_op *op) {
    if (op && !list_is_linked(&op->link)) list_append(&epoller->ready, &op->link);
}

/* --- attempts: true when the operation is over --- */

static bool epoll_blocked(bool *side) {
    *side = false;
    return false;
}

static bool would_block(int64_t outcome) { return outcome == -EAGAIN || outcome == -EWOULDBLOCK; }

static int64_t errno_or(ssize_t result) { return result < 0 ? -errno : result; }

static int64_t epoll_recv(struct slot *slot, int fd, void *at, size_t len) {
    int64_t got;
    do got = errno_or(recv(fd, at, len, MSG_DONTWAIT));
    while (got == -EINTR);
    if (got > 0 && (size_t)got < len && !slot->ended) slot->readable = false;
    return got;
}

static bool epoll_try_receive(struct epoller *epoller, struct slot *slot, struct io_op *op) {
    int64_t got = epoll_recv(slot, op->fd, epoller->scratch, RECEIVE_SIZE);
    if (would_block(got)) return epoll_blocked(&slot->readable);
    op->result = got;
    if (got > 0) op->received = bytes_make(epoller->scratch, (size_t)got);
    return true;
}

static bool epoll_try_receive_into(struct slot *slot, struct io_op *op) {
    while (slot->readable) {
        int64_t got = epoll_recv(slot, op->fd, op->pieces->iov_base, op->pieces->iov_len);
        if (would_block(got)) return epoll_blocked(&slot->readable);
        if (!op_goes_on(op, got)) return true;
    }
    return false;
}

static bool epoll_try_send(struct slot *slot, struct io_op *op) {
    for (;;) {
        struct msghdr message = {.msg_iov = op->pieces};
        message.msg_iovlen = (size_t)(op->piece_count < IOV_MAX ? op->piece_count : IOV_MAX);
        int64_t sent = errno_or(sendmsg(op->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
        if (would_block(sent)) return epoll_blocked(&slot->writable);
        if (!op_goes_on(op, sent)) return true;
    }
}

/* Calls back for each connection; the operation may be cancelled meanwhile, and stays alive until
 * then. */
static void epoll_try_accept(struct epoller *epoller, struct slot *slot, struct io_op *op) {
    int listener = op->fd;
    for (int count = 0; count < ACCEPTS_MAX && !op->cancelled; count++) {
        int64_t fd = errno_or(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (would_block(fd)) {
            slot->readable = false;
            return;
        }
        op->result = fd;
        op->more = true;
        if (fd >= 0) {
            op->done(op);
            slot = epoll_slot(epoller, listener); /* the table may have grown */
            continue;
        }
        slot->receive = NULL; /* trying again submits it again */
        if (accept_tries_again(&epoller->ring, op, (int)-fd)) return;
        op->more = false;
        op_finish(op);
        return;
    }
    if (!op->cancelled) epoll_try_soon(epoller, op);
}

static void epoll_attempt(struct epoller *epoller, struct io_op *op) {
    struct slot *slot = epoll_slot(epoller, op->fd);
    bool over = false;
    switch ((enum io_kind)op->kind) {
        case IO_ACCEPT: epoll_try_accept(epoller, slot, op); return;
        case IO_RECEIVE: over = epoll_try_receive(epoller, slot, op); break;
        case IO_RECEIVE_INTO: over = epoll_try_receive_into(slot, op); break;
        case IO_SEND: over = epoll_try_send(slot, op); break;
        case IO_READ:
        case IO_WRITE: unreachable();
    }
    if (!over) return;
    *epoll_side(slot, op) = NULL;
    op_finish(op);
}

/* --- files --- */

static int64_t disk_job_once(struct io_op *op) {
    int count = op->piece_count < IOV_MAX ? op->piece_count : IOV_MAX;
    off_t position = (off_t)op->position;
    if (op->syncing) return errno_or(fdatasync(op->fd));
    if (op->kind == IO_READ) return errno_or(preadv(op->fd, op->pieces, count, position));
    return errno_or(pwritev2(op->fd, op->pieces, count, position, op_write_flags(op)));
}

static void disk_job_run(struct work *work) {
    struct io_op *op = container_of(work, struct disk_job, work)->op;
    while (op_goes_on(op, disk_job_once(op))) continue;
}

static void disk_job_done(struct work *work) {
    struct disk_job *job = container_of(work, struct disk_job, work);
    struct io_op *op = job->op;
    free(job);
    op_finish(op);
}

static void epoll_submit_file(struct epoller *epoller, struct io_op *op) {
    struct disk_job *job = new_zero(struct disk_job);
    job->op = op;
    job->work.run = disk_job_run;
    job->work.done = disk_job_done;
    op->private = job;
    if (!epoller->disk) epoller->disk = workers_new(DISK_THREADS);
    ring_work_on(&epoller->ring, epoller->disk, &job->work);
}

/* --- the backend --- */

static void epoll_submit(struct ring *ring, struct io_op *op) {
    struct epoller *epoller = epoller_of(ring);
    if (op->kind == IO_READ || op->kind == IO_WRITE) {
        epoll_submit_file(epoller, op);
        return;
    }
    struct slot *slot = epoll_slot(epoller, op->fd);
    int failed = epoll_know(epoller, slot, op->fd);
    if (failed) {
        op_complete(ring, op, failed);
        return;
    }
    struct io_op **side = epoll_side(slot, op);
    check(!*side && "one operation per direction");
    *side = op;
    if (op->kind == IO_SEND ? slot->writable : slot->readable) epoll_try_soon(epoller, op);
}

static void epoll_cancel(struct ring *ring, struct io_op *op) {
    if (op->kind == IO_READ || op->kind == IO_WRITE) return; /* it will not take long */
    struct slot *slot = epoll_slot(epoller_of(ring), op->fd);
    check(*epoll_side(slot, op) == op);
    *epoll_side(slot, op) = NULL;
    list_remove(&op->link);
    op->more = false;
    op_complete(ring, op, -ECANCELED);
}

static void epoll_run(struct ring *ring) {
    struct epoller *epoller = epoller_of(ring);
    struct list due;
    list_init(&due);
    list_move_all(&due, &epoller->ready);
    for (struct list *node; (node = list_first(&due));) {
        list_remove(node);
        epoll_attempt(epoller, list_entry(node, struct io_op, link));
    }
}

static void epoll_note(struct epoller *epoller, const struct epoll_event *event) {
    if (event->data.fd == epoller->event_fd) {
        uint64_t count;
        (void)!read(epoller->event_fd, &count, sizeof count);
        return;
    }
    struct slot *slot = epoll_slot(epoller, event->data.fd);
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) slot->ended = true;
    if ((event->events & EPOLLIN) || slot->ended) {
        slot->readable = true;
        epoll_try_soon(epoller, slot->receive);
    }
    if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
        slot->writable = true;
        epoll_try_soon(epoller, slot->send);
    }
}

/* Nanoseconds since Linux 5.11; milliseconds, rounded up, before. */
static int epoll_wait_ns(struct epoller *epoller, struct epoll_event *events, uint64_t limit_ns) {
    struct timespec limit = {(time_t)(limit_ns / NS_PER_S), (long)(limit_ns % NS_PER_S)};
    if (!epoller->lacks_pwait2) {
        int count = epoll_pwait2(epoller->epoll_fd, events, EVENTS_MAX,
                                 limit_ns == UINT64_MAX ? NULL : &limit, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
        epoller->lacks_pwait2 = true;
    }
    uint64_t limit_ms = (limit_ns / NS_PER_MS) + (limit_ns % NS_PER_MS != 0);
    int most_ms = limit_ns == UINT64_MAX ? -1 : limit_ms > INT_MAX ? INT_MAX : (int)limit_ms;
    return epoll_wait(epoller->epoll_fd, events, EVENTS_MAX, most_ms);
}

static void epoll_turn(struct ring *ring, bool wait, uint64_t deadline_ns) {
    struct epoller *epoller = epoller_of(ring);
    uint64_t limit_ns = 0;
    if (wait && list_is_empty(&epoller->ready)) {
        uint64_t now_ns = deadline_ns == UINT64_MAX ? 0 : clock_monotonic_ns();
        limit_ns = deadline_ns == UINT64_MAX ? UINT64_MAX
                   : deadline_ns > now_ns    ? deadline_ns - now_ns
                                             : 0;
    }
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait_ns(epoller, events, limit_ns);
    check(count >= 0 || errno == EINTR);
    for (int at = 0; at < count; at++) epoll_note(epoller, &events[at]);
}

static void epoll_wake(struct ring *ring) {
    uint64_t one = 1;
    ssize_t written = write(epoller_of(ring)->event_fd, &one, sizeof one);
    check(written == sizeof one || errno == EINTR || errno == EAGAIN);
}

/* The threads keep a file's descriptor open themselves while they use it. */
static void epoll_hold(struct ring *ring, int fd) {
    (void)ring;
    (void)fd;
}

static void epoll_close(struct ring *ring, int fd) {
    struct slot *slot = epoll_slot(epoller_of(ring), fd);
    check(!slot->receive && !slot->send);
    *slot = (struct slot){0};
    close(fd); /* which also takes it out of the epoll set */
}

static void epoll_release(struct epoller *epoller) {
    workers_free(epoller->disk);
    if (epoller->epoll_fd >= 0) close(epoller->epoll_fd);
    if (epoller->event_fd >= 0) close(epoller->event_fd);
    free(epoller->scratch);
    free(epoller->slots);
    free(epoller);
}

static void epoll_free(struct ring *ring) {
    ring_deinit(ring);
    epoll_release(epoller_of(ring));
}

struct ring *ring_epoll_new(const struct ring_options *options, struct error *why) {
    struct epoller *epoller = new_zero(struct epoller);
    epoller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    epoller->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = epoller->event_fd};
    if (epoller->epoll_fd < 0 || epoller->event_fd < 0 ||
        epoll_ctl(epoller->epoll_fd, EPOLL_CTL_ADD, epoller->event_fd, &event) < 0) {
        error_set(why, errno, "epoll is not usable here: %s", strerror(errno));
        epoll_release(epoller);
        return NULL;
    }
    list_init(&epoller->ready);
    epoller->scratch = memory_new(RECEIVE_SIZE);
    ring_init(&epoller->ring, &epoll_calls, options->workers);
    return &epoller->ring;
}

static const struct ring_calls epoll_calls = {
    .backend = IO_EPOLL,
    .free = epoll_free,
    .clock = ring_real_clock,
    .run = epoll_run,
    .turn = epoll_turn,
    .wake = epoll_wake,
    .submit = epoll_submit,
    .cancel = epoll_cancel,
    .work = ring_real_work,
    .hold = epoll_hold,
    .listen = ring_real_listen,
    .shutdown = ring_real_shutdown,
    .close = epoll_close,
    .address = ring_real_address,
};
