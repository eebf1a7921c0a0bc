/* The bare program that names the limit of a durable broker on this machine: it takes the load
 * generator's Produce frames, checks each batch's CRC, copies it into a block, writes the block
 * durably (bare_writer.h) and acknowledges. No offsets, no partitions, no validation, no reader.
 * One core, one io_uring for sockets and file.
 *
 *     bare_journal --directory DIR [--mode journal|segment|written|twice] [--depth N] [--port N]
 *
 * Prints {"port": N} when it serves. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "perf/bare_writer.h"
#include "perf/frames.h"
#include "perf/process.h"

enum { INPUT_BYTES = 64 * 1024, ANSWER_BYTES = 64 * 1024, RING_ENTRIES = 1024 };

/* What a completion belongs to: the low bits of its user data. */
enum tag { TAG_ACCEPT, TAG_RECEIVE, TAG_SEND, TAG_WRITE, TAG_COPY, TAG_ALLOCATE, TAG_MASK = 7 };

struct bare {
    struct io_uring ring;
    struct bare_writer writer;
    int listener;
    struct list dirty;   /* connections with answers to send */
    struct list stalled; /* connections whose next frame found no free block */
};

struct bare_connection {
    struct list dirty, stalled;
    struct bare *bare;
    int fd;
    uint8_t *input;
    size_t input_len, input_capacity;
    struct text waiting, sending; /* answers; `sending` belongs to the kernel while busy */
    size_t sent;
    bool busy, closed;
    int64_t offset;
    unsigned unanswered;
};

static struct io_uring_sqe *bare_sqe(struct bare *bare) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&bare->ring);
    if (!sqe) {
        io_uring_submit(&bare->ring);
        sqe = io_uring_get_sqe(&bare->ring);
    }
    check(sqe);
    return sqe;
}

static void tag_set(struct io_uring_sqe *sqe, void *owner, enum tag tag) {
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)owner | tag);
}

/* Small frames come many at a time; of a large one exactly the rest is asked for, so that nothing
 * has to be moved. */
static void connection_receive(struct bare_connection *connection) {
    size_t wanted = INPUT_BYTES;
    if (connection->input_len >= 4) {
        size_t whole = (size_t)load_u32(connection->input) + 4;
        if (whole > wanted) wanted = whole;
    }
    if (wanted > connection->input_capacity) {
        connection->input = memory_resize(connection->input, wanted);
        connection->input_capacity = wanted;
    }
    struct io_uring_sqe *sqe = bare_sqe(connection->bare);
    io_uring_prep_recv(sqe, connection->fd, connection->input + connection->input_len,
                       wanted - connection->input_len, 0);
    tag_set(sqe, connection, TAG_RECEIVE);
}

static void connection_send(struct bare_connection *connection) {
    if (connection->busy || connection->closed) return;
    if (connection->sent == connection->sending.len) {
        struct text empty = connection->sending;
        connection->sending = connection->waiting;
        connection->waiting = empty;
        connection->waiting.len = connection->sent = 0;
    }
    if (connection->sent == connection->sending.len) return;
    struct io_uring_sqe *sqe = bare_sqe(connection->bare);
    io_uring_prep_send(sqe, connection->fd, connection->sending.at + connection->sent,
                       connection->sending.len - connection->sent, MSG_NOSIGNAL);
    tag_set(sqe, connection, TAG_SEND);
    connection->busy = true;
}

static void connection_release(void *owner, struct bytes answer) {
    struct bare_connection *connection = owner;
    connection->unanswered--;
    text_append(&connection->waiting, answer);
    if (!list_is_linked(&connection->dirty))
        list_append(&connection->bare->dirty, &connection->dirty);
}

/* Copies the batches of one partition's part behind `to`; returns their length. */
static size_t batch_take(struct bytes batch, uint8_t *to) {
    if (batch.len < BATCH_HEADER) die("a batch of %zu bytes", batch.len);
    if (crc32c(batch.at + 21, batch.len - 21) != load_u32(batch.at + 17)) die("a wrong CRC");
    memcpy(to, batch.at, batch.len);
    return batch.len;
}

/* Room in the forming block, or in the next one when that is full and may be written. */
static uint8_t *bare_reserve(struct bare *bare, size_t len) {
    uint8_t *block = bare_writer_reserve(&bare->writer, len);
    if (block) return block;
    bare_writer_submit(&bare->writer);
    return bare_writer_reserve(&bare->writer, len);
}

/* The first request of a client; an empty list of APIs does for ours. */
static void connection_greet(struct bare_connection *connection, struct bytes frame) {
    uint8_t answer[14] = {0};
    store_u32(answer, sizeof answer - 4);
    memcpy(answer + ANSWER_CORRELATION, frame.at + REQUEST_CORRELATION, 4);
    connection->unanswered++;
    connection_release(connection, bytes_make(answer, sizeof answer));
}

/* False when there is no block to put it into. */
static bool connection_take(struct bare_connection *connection, struct bytes frame) {
    if (frame.len >= 12 && load_i16(frame.at + 4) == API_API_VERSIONS) {
        connection_greet(connection, frame);
        return true;
    }
    struct bare_writer *writer = &connection->bare->writer;
    uint8_t answer[ANSWER_BYTES], *block = bare_reserve(connection->bare, frame.len);
    if (!block) return false;
    struct in in = {frame.at + 4, frame.at + frame.len, false};
    struct out out = {answer + 4};
    if (in_i16(&in) != API_PRODUCE || in_i16(&in) != 7) die("only Produce 7 is taken");
    out_i32(&out, in_i32(&in));
    in_text(&in);
    in_text(&in);
    in_take(&in, 6);
    size_t len = 0;
    if (in_i32(&in) != 1) die("only one topic is taken");
    out_i32(&out, 1);
    out_text(&out, in_text(&in));
    int32_t partitions = in_i32(&in);
    out_i32(&out, partitions);
    for (; partitions > 0 && !in.bad; partitions--) {
        out_i32(&out, in_i32(&in));
        struct bytes batch = in_blob(&in);
        if (!in.bad) len += batch_take(batch, block + len);
        out_i16(&out, 0);
        out_i64(&out, connection->offset++);
        out_i64(&out, -1);
        out_i64(&out, 0);
    }
    out_i32(&out, 0);
    if (in.bad) die("a frame that cannot be read");
    store_u32(answer, (uint32_t)(out.at - answer - 4));
    connection->unanswered++;
    bare_writer_commit(writer, len, connection, bytes_make(answer, (size_t)(out.at - answer)));
    return true;
}

static void connection_process(struct bare_connection *connection) {
    size_t used = 0, whole;
    while ((whole = frame_length(connection->input + used, connection->input_len - used)) != 0) {
        if (!connection_take(connection, bytes_make(connection->input + used, whole))) break;
        used += whole;
    }
    connection->input_len -= used;
    memmove(connection->input, connection->input + used, connection->input_len);
    if (whole)
        list_append(&connection->bare->stalled, &connection->stalled);
    else
        connection_receive(connection);
}

static void bare_accept(struct bare *bare) {
    struct io_uring_sqe *sqe = bare_sqe(bare);
    io_uring_prep_multishot_accept(sqe, bare->listener, NULL, NULL, SOCK_CLOEXEC);
    tag_set(sqe, NULL, TAG_ACCEPT);
}

static void bare_accepted(struct bare *bare, const struct io_uring_cqe *cqe) {
    if (!(cqe->flags & IORING_CQE_F_MORE)) bare_accept(bare);
    if (cqe->res < 0) return;
    int on = 1;
    struct bare_connection *connection = new_zero(struct bare_connection);
    list_init(&connection->dirty);
    list_init(&connection->stalled);
    connection->bare = bare;
    connection->fd = cqe->res;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection_receive(connection);
}

/* A connection that ended leaves when nothing in flight names it any more. */
static void connection_leave(struct bare_connection *connection) {
    if (!connection->closed || connection->busy || connection->unanswered) return;
    list_remove(&connection->dirty);
    close(connection->fd);
    free(connection->input);
    text_deinit(&connection->waiting);
    text_deinit(&connection->sending);
    free(connection);
}

static void bare_completion(struct bare *bare, const struct io_uring_cqe *cqe) {
    enum tag tag = (enum tag)(cqe->user_data & TAG_MASK);
    void *owner = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);
    struct bare_connection *connection = owner;
    switch (tag) {
        case TAG_ACCEPT: bare_accepted(bare, cqe); break;
        case TAG_RECEIVE:
            connection->closed = cqe->res <= 0;
            if (connection->closed) {
                connection_leave(connection);
                break;
            }
            connection->input_len += (size_t)cqe->res;
            connection_process(connection);
            break;
        case TAG_SEND:
            connection->busy = false;
            if (cqe->res > 0) connection->sent += (size_t)cqe->res;
            connection_send(connection);
            connection_leave(connection);
            break;
        case TAG_WRITE:
            bare_writer_complete(&bare->writer, owner, cqe->res, connection_release);
            break;
        case TAG_COPY: bare_writer_copied(&bare->writer, owner, cqe->res); break;
        case TAG_ALLOCATE: bare_writer_allocated(owner, cqe->res); break;
        default: unreachable();
    }
}

static void bare_round(struct bare *bare) {
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    int done = io_uring_submit_and_wait(&bare->ring, 1);
    if (done < 0 && done != -EINTR) die("io_uring_submit_and_wait: %s", strerror(-done));
    io_uring_for_each_cqe(&bare->ring, head, cqe) {
        bare_completion(bare, cqe);
        seen++;
    }
    io_uring_cq_advance(&bare->ring, seen);
    bare_writer_submit(&bare->writer);
    struct list again;
    list_init(&again);
    list_move_all(&again, &bare->stalled);
    list_each(node, &again) {
        list_remove(node);
        connection_process(list_entry(node, struct bare_connection, stalled));
    }
    bare_writer_submit(&bare->writer);
    list_each(node, &bare->dirty) {
        struct bare_connection *connection = list_entry(node, struct bare_connection, dirty);
        list_remove(node);
        connection_send(connection);
        connection_leave(connection);
    }
}

static const char *argument_text(int count, char **arguments, const char *name,
                                 const char *otherwise) {
    for (int at = 1; at + 1 < count; at += 2)
        if (strcmp(arguments[at], name) == 0) return arguments[at + 1];
    return otherwise;
}

static enum bare_mode mode_of(const char *name) {
    if (strcmp(name, "journal") == 0) return BARE_JOURNAL;
    if (strcmp(name, "segment") == 0) return BARE_SEGMENT;
    if (strcmp(name, "written") == 0) return BARE_WRITTEN;
    if (strcmp(name, "twice") == 0) return BARE_TWICE;
    die("--mode %s: want journal, segment, written or twice", name);
}

int main(int count, char **arguments) {
    struct bare *bare = new_zero(struct bare);
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = RING_ENTRIES * 4};
    int failed = io_uring_queue_init_params(RING_ENTRIES, &bare->ring, &params);
    if (failed) die("io_uring: %s", strerror(-failed));
    const char *directory = argument_text(count, arguments, "--directory", NULL);
    if (!directory) die("bare_journal: --directory DIR is missing");
    list_init(&bare->dirty);
    list_init(&bare->stalled);
    bare->writer = (struct bare_writer){
        .ring = &bare->ring,
        .directory = directory,
        .mode = mode_of(argument_text(count, arguments, "--mode", "journal")),
        .depth = (unsigned)atoi(argument_text(count, arguments, "--depth", "4")),
        .write_tag = TAG_WRITE,
        .copy_tag = TAG_COPY,
        .allocate_tag = TAG_ALLOCATE};
    bare_writer_open(&bare->writer);
    bare->listener = listen_on(atoi(argument_text(count, arguments, "--port", "0")));
    bare_accept(bare);
    for (;;) bare_round(bare);
}
