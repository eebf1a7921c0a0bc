/* The io_uring backend: one kernel ring for sockets, files, timers and wake-ups.
 *
 * The completion queue is the queue of callbacks: `run` walks it and calls back, entry by entry.
 * user_data is the operation's address, or one of two small numbers: a wake-up, or an answer that
 * nobody waits for (cancelling).
 *
 * Receive buffers: 64 of 16 KiB that the kernel picks from when bytes arrive, so that an idle
 * connection holds none. A buffer returns when `done` has returned. When all are taken the kernel
 * answers ENOBUFS; such operations are parked in `starved` and submitted again after the batch.
 *
 * needs Linux 6.1: deferred task run; 6.0/5.19: multishot accept, buffer rings (man
 * io_uring_setup). */
#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/say.h"
#include "io/backend.h"
#include "io/disk.h"

enum {
    ENTRIES_DEFAULT = 1024,
    ENTRIES_MIN = 64,
    BATCH_MAX = 256, /* callbacks in one round */
    BUFFER_COUNT = 64,
    BUFFER_GROUP = 0,
    HELD_MAX = 16,
    BLOCKING_THREADS = 4, /* the kernel's own, for what cannot be asynchronous */
};

enum { USER_NOBODY = 0, USER_WAKE = 1 };

struct uring {
    struct ring ring;
    struct io_uring kernel;
    struct io_uring_buf_ring *buffers; /* shared with the kernel */
    uint8_t *memory;                   /* of the buffers; pages appear when first used */
    int event_fd;
    uint64_t event_count;
    struct list starved;
    size_t in_flight; /* operations whose last completion has not been seen */
    unsigned held;
};

static const struct ring_calls uring_calls;

static struct uring *uring_of(struct ring *ring) { return container_of(ring, struct uring, ring); }

/* --- submitting --- */

static struct io_uring_sqe *uring_entry(struct uring *uring) {
    struct io_uring_sqe *entry;
    while (!(entry = io_uring_get_sqe(&uring->kernel))) { /* full: hand over and go on */
        int done = io_uring_submit(&uring->kernel);
        check(done >= 0 || done == -EINTR || done == -EAGAIN || done == -EBUSY);
        if (done < 0) io_uring_get_events(&uring->kernel);
    }
    return entry;
}

static void uring_prepare_file(struct io_uring_sqe *entry, struct io_op *op) {
    unsigned count = op->piece_count < IOV_MAX ? (unsigned)op->piece_count : IOV_MAX;
    if (op->kind == IO_READ)
        io_uring_prep_readv(entry, op->fd, op->pieces, count, op->position);
    else if (op->syncing)
        io_uring_prep_fsync(entry, op->fd, IORING_FSYNC_DATASYNC);
    else
        io_uring_prep_writev2(entry, op->fd, op->pieces, count, op->position, op_write_flags(op));
}

static void uring_prepare_send(struct io_uring_sqe *entry, struct io_op *op) {
    op->message = (struct msghdr){
        .msg_iov = op->pieces,
        .msg_iovlen = (size_t)(op->piece_count < IOV_MAX ? op->piece_count : IOV_MAX),
    };
    io_uring_prep_sendmsg(entry, op->fd, &op->message, MSG_NOSIGNAL | MSG_WAITALL);
}

static void uring_submit(struct ring *ring, struct io_op *op) {
    struct uring *uring = uring_of(ring);
    struct io_uring_sqe *entry = uring_entry(uring);
    check(op->fd >= 0);
    switch ((enum io_kind)op->kind) {
        case IO_ACCEPT:
            io_uring_prep_multishot_accept(entry, op->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            break;
        case IO_RECEIVE:
            io_uring_prep_recv(entry, op->fd, NULL, RECEIVE_SIZE, 0);
            entry->flags |= IOSQE_BUFFER_SELECT;
            entry->buf_group = BUFFER_GROUP;
            if (op->drained) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
            break;
        case IO_RECEIVE_INTO:
            io_uring_prep_recv(entry, op->fd, op->pieces->iov_base, op->pieces->iov_len,
                               MSG_WAITALL);
            break;
        case IO_SEND: uring_prepare_send(entry, op); break;
        case IO_READ:
        case IO_WRITE: uring_prepare_file(entry, op); break;
    }
    io_uring_sqe_set_data(entry, op);
    uring->in_flight++;
}

static void uring_cancel(struct ring *ring, struct io_op *op) {
    if (list_is_linked(&op->link)) { /* starved: the kernel does not know it */
        list_remove(&op->link);
        op_complete(ring, op, -ECANCELED);
        return;
    }
    struct io_uring_sqe *entry = uring_entry(uring_of(ring));
    io_uring_prep_cancel64(entry, (uintptr_t)op, 0);
    io_uring_sqe_set_data64(entry, USER_NOBODY);
}

/* --- waking --- */

/* A blocking eventfd: the kernel parks the read until somebody writes. */
static void uring_listen_for_wake(struct uring *uring) {
    struct io_uring_sqe *entry = uring_entry(uring);
    io_uring_prep_read(entry, uring->event_fd, &uring->event_count, sizeof uring->event_count, 0);
    io_uring_sqe_set_data64(entry, USER_WAKE);
}

static void uring_wake(struct ring *ring) {
    uint64_t one = 1;
    ssize_t written = write(uring_of(ring)->event_fd, &one, sizeof one);
    check(written == sizeof one || errno == EINTR || errno == EAGAIN);
}

/* --- completing --- */

static uint8_t *uring_buffer(struct uring *uring, unsigned id) {
    check(id < BUFFER_COUNT);
    return uring->memory + (size_t)id * RECEIVE_SIZE;
}

static void uring_give_buffer(struct uring *uring, unsigned id, int place) {
    io_uring_buf_ring_add(uring->buffers, uring_buffer(uring, id), RECEIVE_SIZE, (uint16_t)id,
                          io_uring_buf_ring_mask(BUFFER_COUNT), place);
}

static void uring_accepted(struct uring *uring, struct io_op *op, int result, bool more) {
    if (op->cancelled) {
        if (result >= 0) close(result);
        if (more) return;
        op->result = -ECANCELED;
        op->more = false;
        op_finish(op);
        return;
    }
    op->result = result;
    op->more = true;
    if (result < 0) {
        check(!more);
        if (accept_tries_again(&uring->ring, op, -result)) return;
        op->more = false;
        op_finish(op);
        return;
    }
    if (!more) uring_submit(&uring->ring, op); /* the kernel gave up on many; we did not */
    op->done(op);
}

static void uring_received(struct uring *uring, struct io_op *op, int result, unsigned flags) {
    if (result == -ENOBUFS && !op->cancelled) {
        list_append(&uring->starved, &op->link);
        return;
    }
    if (result == -EINTR && !op->cancelled) {
        uring_submit(&uring->ring, op);
        return;
    }
    op->drained = !(flags & IORING_CQE_F_SOCK_NONEMPTY);
    bool has_buffer = flags & IORING_CQE_F_BUFFER;
    unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
    if (has_buffer && result > 0)
        op->received = bytes_make(uring_buffer(uring, id), (size_t)result);
    op->result = op->cancelled && result < 0 ? -ECANCELED : result;
    op_finish(op);
    if (!has_buffer) return;
    uring_give_buffer(uring, id, 0);
    io_uring_buf_ring_advance(uring->buffers, 1);
}

static void uring_completed(struct uring *uring, struct io_op *op, int result, unsigned flags) {
    bool more = flags & IORING_CQE_F_MORE;
    if (!more) uring->in_flight--;
    if (op->kind == IO_ACCEPT)
        uring_accepted(uring, op, result, more);
    else if (op->kind == IO_RECEIVE)
        uring_received(uring, op, result, flags);
    else if (op_goes_on(op, result))
        uring_submit(&uring->ring, op);
    else
        op_finish(op);
}

static void uring_feed_starved(struct uring *uring) {
    for (struct list *node; (node = list_first(&uring->starved));) {
        list_remove(node);
        uring_submit(&uring->ring, list_entry(node, struct io_op, link));
    }
}

static void uring_run(struct ring *ring) {
    struct uring *uring = uring_of(ring);
    unsigned ready = io_uring_cq_ready(&uring->kernel);
    if (ready > BATCH_MAX) ready = BATCH_MAX;
    for (; ready > 0; ready--) {
        struct io_uring_cqe *next;
        if (io_uring_peek_cqe(&uring->kernel, &next) < 0) break;
        struct io_uring_cqe seen = *next; /* its place is free before the callback submits */
        io_uring_cqe_seen(&uring->kernel, next);
        if (seen.user_data == USER_WAKE)
            uring_listen_for_wake(uring);
        else if (seen.user_data != USER_NOBODY)
            uring_completed(uring, io_uring_cqe_get_data(&seen), seen.res, seen.flags);
    }
    uring_feed_starved(uring);
}

static void uring_turn(struct ring *ring, bool wait, uint64_t deadline_ns) {
    struct uring *uring = uring_of(ring);
    if (io_uring_cq_ready(&uring->kernel) > 0) wait = false;
    if (wait && deadline_ns != UINT64_MAX) {
        uint64_t now_ns = clock_monotonic_ns();
        wait = deadline_ns > now_ns;
        uint64_t rest_ns = wait ? deadline_ns - now_ns : 0;
        struct __kernel_timespec limit = {(int64_t)(rest_ns / NS_PER_S),
                                          (int64_t)(rest_ns % NS_PER_S)};
        struct io_uring_cqe *first;
        if (wait) io_uring_submit_and_wait_timeout(&uring->kernel, &first, 1, &limit, NULL);
    } else if (wait) {
        io_uring_submit_and_wait(&uring->kernel, 1);
    }
    if (!wait) io_uring_submit_and_get_events(&uring->kernel);
}

/* --- descriptors --- */

static void uring_hold(struct ring *ring, int fd) {
    struct uring *uring = uring_of(ring);
    if (uring->held == HELD_MAX) return;
    int failed = 0;
    if (uring->held == 0) {
        int none[HELD_MAX];
        for (int at = 0; at < HELD_MAX; at++) none[at] = -1;
        failed = io_uring_register_files(&uring->kernel, none, HELD_MAX);
    }
    if (failed >= 0) failed = io_uring_register_files_update(&uring->kernel, uring->held, &fd, 1);
    if (failed < 0)
        say_warning("io_uring cannot hold a descriptor: %s", strerror(-failed));
    else
        uring->held++;
}

static void uring_close(struct ring *ring, int fd) {
    (void)ring;
    close(fd);
}

/* --- life --- */

static const char *uring_reason(int error_number) {
    switch (error_number) {
        case EPERM: return "EPERM: seccomp or kernel.io_uring_disabled";
        case ENOSYS: return "ENOSYS: this kernel has none";
        case ENOMEM: return "ENOMEM: RLIMIT_MEMLOCK is too small";
        case EINVAL: return "EINVAL: Linux 6.1 is needed";
        default: return strerror(error_number);
    }
}

/* As many entries as the limit of locked memory allows. */
static int uring_set_up(struct uring *uring, unsigned entries, unsigned flags) {
    int failed;
    do {
        struct io_uring_params params = {0};
        params.flags = flags | IORING_SETUP_CQSIZE;
        params.cq_entries = entries * 4;
        failed = io_uring_queue_init_params(entries, &uring->kernel, &params);
        entries /= 2;
    } while (failed == -ENOMEM && entries >= ENTRIES_MIN);
    return failed;
}

static int uring_set_up_best(struct uring *uring, const struct ring_options *options) {
    unsigned entries = options->entries ? options->entries : ENTRIES_DEFAULT;
    int failed =
        uring_set_up(uring, entries, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (failed != -EINVAL || options->backend == IO_AUTO) return failed;
    return uring_set_up(uring, entries, IORING_SETUP_COOP_TASKRUN); /* older, and asked for */
}

static int uring_set_up_buffers(struct uring *uring) {
    size_t ring_size = BUFFER_COUNT * sizeof(struct io_uring_buf);
    uring->buffers = memory_aligned(DISK_BLOCK, round_up(ring_size, DISK_BLOCK));
    memset(uring->buffers, 0, ring_size);
    struct io_uring_buf_reg place = {
        .ring_addr = (uintptr_t)uring->buffers, .ring_entries = BUFFER_COUNT, .bgid = BUFFER_GROUP};
    int failed = io_uring_register_buf_ring(&uring->kernel, &place, 0);
    if (failed) return failed;
    void *memory = mmap(NULL, (size_t)BUFFER_COUNT * RECEIVE_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED);
    uring->memory = memory;
    for (int id = 0; id < BUFFER_COUNT; id++) uring_give_buffer(uring, (unsigned)id, id);
    io_uring_buf_ring_advance(uring->buffers, BUFFER_COUNT);
    return 0;
}

static void uring_release(struct uring *uring) {
    io_uring_queue_exit(&uring->kernel);
    if (uring->memory) munmap(uring->memory, (size_t)BUFFER_COUNT * RECEIVE_SIZE);
    free(uring->buffers);
    if (uring->event_fd >= 0) close(uring->event_fd);
}

/* The kernel may write into operations' buffers until it has ended them: end them all. */
static void uring_drain(struct uring *uring) {
    struct io_uring_sqe *entry = uring_entry(uring);
    io_uring_prep_cancel64(entry, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_data64(entry, USER_NOBODY);
    uint64_t give_up_ns = clock_monotonic_ns() + 2 * NS_PER_S;
    while (uring->in_flight > 0 && clock_monotonic_ns() < give_up_ns) {
        struct __kernel_timespec limit = {0, 100 * NS_PER_MS};
        struct io_uring_cqe *next;
        io_uring_submit_and_wait_timeout(&uring->kernel, &next, 1, &limit, NULL);
        while (io_uring_peek_cqe(&uring->kernel, &next) == 0) {
            bool is_last = next->user_data > USER_WAKE && !(next->flags & IORING_CQE_F_MORE);
            uring->in_flight -= is_last;
            io_uring_cqe_seen(&uring->kernel, next);
        }
    }
}

static void uring_free(struct ring *ring) {
    struct uring *uring = uring_of(ring);
    ring_deinit(ring);
    uring_drain(uring);
    uring_release(uring);
    free(uring);
}

struct ring *ring_uring_new(const struct ring_options *options, struct error *why) {
    struct uring *uring = new_zero(struct uring);
    uring->event_fd = -1;
    list_init(&uring->starved);
    int failed = uring_set_up_best(uring, options);
    if (failed) {
        error_set(why, -failed, "io_uring is %s here (%s)",
                  failed == -EPERM ? "forbidden" : "not usable", uring_reason(-failed));
        free(uring);
        return NULL;
    }
    failed = uring_set_up_buffers(uring);
    if (!failed && (uring->event_fd = eventfd(0, EFD_CLOEXEC)) < 0) failed = -errno;
    if (failed) {
        error_set(why, -failed, "io_uring is not usable here (%s)", uring_reason(-failed));
        uring_release(uring);
        free(uring);
        return NULL;
    }
    io_uring_register_ring_fd(&uring->kernel); /* only faster: may fail */
    unsigned threads[2] = {BLOCKING_THREADS, BLOCKING_THREADS};
    io_uring_register_iowq_max_workers(&uring->kernel, threads);
    ring_init(&uring->ring, &uring_calls, options->workers);
    uring_listen_for_wake(uring);
    return &uring->ring;
}

static const struct ring_calls uring_calls = {
    .backend = IO_URING,
    .free = uring_free,
    .clock = ring_real_clock,
    .run = uring_run,
    .turn = uring_turn,
    .wake = uring_wake,
    .submit = uring_submit,
    .cancel = uring_cancel,
    .work = ring_real_work,
    .hold = uring_hold,
    .listen = ring_real_listen,
    .shutdown = ring_real_shutdown,
    .close = uring_close,
    .address = ring_real_address,
};
