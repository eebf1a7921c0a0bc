#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "perf/frames.h"
#include "perf/load.h"
#include "perf/process.h"

enum { PARTS_MAX = 256, READ_BYTES = 64 * 1024 };

/* One request: its parts are heads (ours) and batches (shared). */
struct load_slot {
    uint64_t due;
    uint8_t *heads;
    struct iovec *parts;
    int part_count;
    size_t size;
    int64_t records;
    size_t batch_bytes;
};

static void slot_init(struct load_slot *slot, const struct load_options *options) {
    size_t heads = FRAME_HEAD_MAX + (size_t)options->batches * PARTITION_HEAD;
    slot->heads = memory_zero(1, heads);
    slot->parts = memory_zero((size_t)options->batches * 2, sizeof *slot->parts);
}

/* Before ApiVersions, a broker takes only small frames. */
static void connection_greet(int fd) {
    uint8_t request[FRAME_HEAD_MAX], answer[4096];
    call_and_wait(fd, request, api_versions_request(request), answer, sizeof answer);
}

void connection_init(struct load_connection *connection, struct load_thread *thread, int number) {
    const struct load_options *options = thread->options;
    *connection =
        (struct load_connection){.thread = thread, .number = number, .input_capacity = READ_BYTES};
    connection->fetches = options->mode == LOAD_FETCH ||
                          (options->mode == LOAD_LATENCY && number >= options->connections);
    connection->partition = number % options->partitions;
    if (options->mode == LOAD_LATENCY) connection->partition = number % options->connections;
    if (options->mode == LOAD_LATENCY && connection->fetches)
        connection->partition = number - options->connections;
    connection->fd = connect_to(options->broker, options->congestion);
    connection_greet(connection->fd);
    check(fcntl(connection->fd, F_SETFL, O_NONBLOCK) == 0);
    connection->slots = memory_zero((size_t)options->in_flight, sizeof *connection->slots);
    for (int at = 0; at < options->in_flight; at++) slot_init(&connection->slots[at], options);
    connection->input = memory_new(connection->input_capacity);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    check(epoll_ctl(thread->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0);
}

void connection_deinit(struct load_connection *connection) {
    for (int at = 0; at < connection->thread->options->in_flight; at++) {
        free(connection->slots[at].heads);
        free(connection->slots[at].parts);
    }
    free(connection->slots);
    free(connection->input);
    close(connection->fd);
}

static struct load_slot *connection_slot(struct load_connection *connection, uint64_t number) {
    return &connection->slots[number % (uint64_t)connection->thread->options->in_flight];
}

static void slot_part(struct load_slot *slot, const void *at, size_t len) {
    slot->parts[slot->part_count++] = (struct iovec){(void *)at, len};
    slot->size += len;
}

/* Partitions go round; in latency mode each producer keeps to its own, so that order is known. */
static int32_t partition_next(struct load_connection *connection) {
    const struct load_options *options = connection->thread->options;
    int32_t partition = connection->partition;
    int32_t step = options->mode == LOAD_LATENCY ? options->connections : 1;
    connection->partition += step;
    if (connection->partition >= options->partitions)
        connection->partition = step == 1 ? 0 : connection->number;
    return partition;
}

static void due_times_append(struct due_times *due, uint64_t when) {
    if (due->count == due->capacity) {
        due->capacity = due->capacity ? due->capacity * 2 : 1024;
        due->at = memory_resize(due->at, due->capacity * sizeof *due->at);
    }
    due->at[due->count++] = when;
}

static void slot_fill_produce(struct load_connection *connection, struct load_slot *slot) {
    const struct load_thread *thread = connection->thread;
    const struct load_options *options = thread->options;
    uint64_t variant =
        connection->armed * (uint64_t)options->batches + (uint64_t)connection->number;
    size_t body = 0;
    slot->records = 0;
    for (int at = 0; at < options->batches; at++)
        body += thread->batches[(variant + (uint64_t)at) % (uint64_t)options->variants].len;
    slot->batch_bytes = body;
    body += (size_t)options->batches * PARTITION_HEAD;
    uint8_t *head = slot->heads;
    size_t len = produce_head(head, bytes_of_text(options->topic), (int16_t)options->acks,
                              options->batches, body);
    for (int at = 0; at < options->batches; at++) {
        struct bytes batch =
            thread->batches[(variant + (uint64_t)at) % (uint64_t)options->variants];
        int32_t partition = partition_next(connection);
        if (thread->due) due_times_append(&thread->due[partition], slot->due);
        store_i32(head + len, partition);
        store_i32(head + len + 4, (int32_t)batch.len);
        slot_part(slot, head, len + PARTITION_HEAD);
        slot_part(slot, batch.at, batch.len);
        slot->records += batch_record_count(batch);
        head += len + PARTITION_HEAD;
        len = 0;
    }
}

static void connection_arm(struct load_connection *connection, uint64_t due) {
    const struct load_options *options = connection->thread->options;
    struct load_slot *slot = connection_slot(connection, connection->armed);
    slot->due = due;
    slot->part_count = 0;
    slot->size = 0;
    if (connection->fetches) {
        size_t len =
            fetch_request(slot->heads, bytes_of_text(options->topic), connection->partition,
                          connection->offset, (int32_t)options->fetch_bytes, 500);
        slot_part(slot, slot->heads, len);
    } else {
        slot_fill_produce(connection, slot);
    }
    store_u32(slot->heads + REQUEST_CORRELATION, (uint32_t)connection->armed);
    connection->armed++;
}

/* The parts of all requests that are armed and not sent, without the bytes that are gone. */
static int connection_gather(struct load_connection *connection, struct iovec *parts) {
    int count = 0;
    size_t skip = connection->sent_bytes;
    for (uint64_t number = connection->sent; number < connection->armed && count < PARTS_MAX;
         number++) {
        const struct load_slot *slot = connection_slot(connection, number);
        for (int at = 0; at < slot->part_count && count < PARTS_MAX; at++) {
            struct iovec part = slot->parts[at];
            size_t gone = skip < part.iov_len ? skip : part.iov_len;
            skip -= gone;
            part = (struct iovec){(uint8_t *)part.iov_base + gone, part.iov_len - gone};
            if (part.iov_len) parts[count++] = part;
        }
    }
    return count;
}

static void connection_wait_for_room(struct load_connection *connection, bool wants) {
    if (connection->wants_out == wants) return;
    connection->wants_out = wants;
    struct epoll_event event = {.events = EPOLLIN | (wants ? EPOLLOUT : 0u),
                                .data.ptr = connection};
    check(epoll_ctl(connection->thread->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0);
}

static void connection_write(struct load_connection *connection) {
    struct iovec parts[PARTS_MAX];
    while (connection->sent < connection->armed) {
        int count = connection_gather(connection, parts);
        ssize_t gone = writev(connection->fd, parts, count);
        if (gone < 0 && errno != EAGAIN) die("write to the broker: %m");
        if (gone < 0) break;
        connection->sent_bytes += (size_t)gone;
        while (connection->sent < connection->armed &&
               connection->sent_bytes >= connection_slot(connection, connection->sent)->size)
            connection->sent_bytes -= connection_slot(connection, connection->sent++)->size;
    }
    connection_wait_for_room(connection, connection->sent < connection->armed);
}

/* When the next request of this connection is due: all connections share the rate in turn. */
static uint64_t connection_due(const struct load_connection *connection, uint64_t now) {
    const struct load_options *options = connection->thread->options;
    if (options->rate <= 0 || connection->fetches) return now;
    double turn = (double)connection->armed * options->connections + connection->number;
    return connection->thread->began + (uint64_t)(turn * 1e9 / options->rate);
}

uint64_t connection_go(struct load_connection *connection, uint64_t now) {
    const struct load_options *options = connection->thread->options;
    /* A consumer's next request depends on the answer before. */
    uint64_t depth = connection->fetches ? 1 : (uint64_t)options->in_flight;
    uint64_t due = UINT64_MAX;
    while (now < connection->thread->until && connection->armed - connection->answered < depth) {
        due = connection_due(connection, now);
        if (due > now) break;
        connection_arm(connection, due);
        due = UINT64_MAX;
    }
    connection_write(connection);
    return due;
}

static void result_error(struct load_result *result, int code) {
    if (result->errors++) return;
    result->first_error = code;
    result->first_error_ns = clock_monotonic_ns();
}

static void answer_of_produce(struct load_connection *connection, struct in in) {
    struct load_result *result = &connection->thread->result;
    for (int32_t topics = in_i32(&in); topics > 0 && !in.bad; topics--) {
        in_text(&in);
        for (int32_t partitions = in_i32(&in); partitions > 0 && !in.bad; partitions--) {
            in_i32(&in);
            int16_t code = in_i16(&in);
            in_take(&in, 24);
            if (code) result_error(result, code);
        }
    }
    if (in.bad) die("an answer to Produce that cannot be read");
}

/* Steps over the whole batches of a fetch; counts, and moves the offset behind them. */
static int64_t batches_walk(struct load_connection *connection, struct bytes records,
                            uint64_t now) {
    struct load_thread *thread = connection->thread;
    int64_t found = 0;
    int32_t each = batch_record_count(thread->batches[0]);
    for (size_t at = 0; at + BATCH_HEADER <= records.len;) {
        const uint8_t *batch = records.at + at;
        size_t size = (size_t)load_u32(batch + 8) + 12;
        if (size > records.len - at) break;
        int64_t base = load_i64(batch);
        connection->offset = base + load_i32(batch + 23) + 1;
        found += load_i32(batch + 57);
        size_t number = (size_t)(base / each);
        struct due_times *due = thread->due ? &thread->due[connection->partition] : NULL;
        if (due && number < due->count && due->at[number] >= thread->measure_from)
            histogram_record(&thread->result.delivered, now - due->at[number]);
        at += size;
    }
    return found;
}

/* Returns the records; the bytes go out through `bytes`. */
static int64_t answer_of_fetch(struct load_connection *connection, struct in in, uint64_t now,
                               size_t *bytes) {
    enum { OFFSET_OUT_OF_RANGE = 1 };
    in_i32(&in);
    int16_t code = in_i16(&in);
    in_i32(&in);
    check(in_i32(&in) == 1);
    in_text(&in);
    check(in_i32(&in) == 1);
    in_i32(&in);
    int16_t partition_code = in_i16(&in);
    int64_t high = in_i64(&in);
    in_i64(&in);
    int64_t start = in_i64(&in);
    for (int32_t aborted = in_i32(&in); aborted > 0; aborted--) in_take(&in, 16);
    in_i32(&in);
    struct bytes records = in_blob(&in);
    if (in.bad) die("an answer to Fetch that cannot be read");
    if (code) result_error(&connection->thread->result, code);
    if (partition_code && partition_code != OFFSET_OUT_OF_RANGE)
        result_error(&connection->thread->result, partition_code);
    *bytes = records.len;
    int64_t found = batches_walk(connection, records, now);
    bool again = connection->thread->options->mode == LOAD_FETCH && connection->offset >= high;
    if (again || partition_code == OFFSET_OUT_OF_RANGE) connection->offset = start < 0 ? 0 : start;
    return found;
}

static void connection_answer(struct load_connection *connection, struct bytes frame) {
    struct load_thread *thread = connection->thread;
    struct load_slot *slot = connection_slot(connection, connection->answered);
    struct in in = {frame.at + 4, frame.at + frame.len, false};
    if (connection->answered == connection->armed ||
        (uint32_t)in_i32(&in) != (uint32_t)connection->answered)
        die("an answer out of turn");
    connection->answered++;
    uint64_t now = clock_monotonic_ns();
    int64_t records = slot->records;
    size_t bytes = slot->batch_bytes;
    if (connection->fetches)
        records = answer_of_fetch(connection, in, now, &bytes);
    else
        answer_of_produce(connection, in);
    bool counts = now >= thread->measure_from && now < thread->until;
    if (!counts || (connection->fetches && thread->options->mode == LOAD_LATENCY)) return;
    histogram_record(&thread->result.answer, now - slot->due);
    thread->result.requests++;
    thread->result.records += (uint64_t)records;
    thread->result.bytes += bytes;
}

static void input_reserve(struct load_connection *connection) {
    size_t wanted = READ_BYTES;
    if (connection->input_len >= 4) {
        size_t whole = (size_t)load_u32(connection->input) + 4;
        if (whole > wanted) wanted = whole;
    }
    if (wanted <= connection->input_capacity) return;
    connection->input = memory_resize(connection->input, wanted);
    connection->input_capacity = wanted;
}

bool connection_read(struct load_connection *connection) {
    input_reserve(connection);
    ssize_t got = recv(connection->fd, connection->input + connection->input_len,
                       connection->input_capacity - connection->input_len, 0);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) {
        result_error(&connection->thread->result, -1);
        return false;
    }
    connection->input_len += (size_t)got;
    size_t used = 0, whole;
    while ((whole = frame_length(connection->input + used, connection->input_len - used)) != 0) {
        connection_answer(connection, bytes_make(connection->input + used, whole));
        used += whole;
    }
    connection->input_len -= used;
    memmove(connection->input, connection->input + used, connection->input_len);
    return true;
}
