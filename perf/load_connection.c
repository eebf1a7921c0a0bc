#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "perf/load.h"
#include "perf/process.h"

/* SLOT_SPARE: where answers may overtake each other, the oldest request must not stop the others.
 */
enum { PARTS_MAX = 256, READ_BYTES = 64 * 1024, SLOT_SPARE = 8 };

static void slot_init(struct load_slot *slot, const struct load_options *options) {
    const struct load_protocol *protocol = options->protocol;
    size_t batches = (size_t)options->batches;
    slot->heads = memory_zero(1, protocol->head_bytes + batches * protocol->part_head_bytes);
    slot->parts = memory_zero(batches * 2 + 1, sizeof *slot->parts);
}

static void connection_init_slots(struct load_connection *connection) {
    const struct load_options *options = connection->thread->options;
    connection->slot_count = (uint64_t)options->in_flight;
    if (!options->protocol->answers_in_order) connection->slot_count *= SLOT_SPARE;
    connection->slots = memory_zero(connection->slot_count, sizeof *connection->slots);
    for (uint64_t at = 0; at < connection->slot_count; at++)
        slot_init(&connection->slots[at], options);
}

void connection_init(struct load_connection *connection, struct load_thread *thread, int number) {
    const struct load_options *options = thread->options;
    uint64_t turns = (uint64_t)options->connections;
    *connection =
        (struct load_connection){.thread = thread, .number = number, .input_capacity = READ_BYTES};
    connection->quota = options->requests ? (options->requests + turns - 1) / turns : UINT64_MAX;
    connection->fetches = options->mode == LOAD_FETCH ||
                          (options->mode == LOAD_LATENCY && number >= options->connections);
    connection->partition = number % options->partitions;
    if (options->mode == LOAD_LATENCY) connection->partition = number % options->connections;
    if (options->mode == LOAD_LATENCY && connection->fetches)
        connection->partition = number - options->connections;
    connection->fd = connect_to(options->broker, options->congestion);
    options->protocol->greet(connection);
    check(fcntl(connection->fd, F_SETFL, O_NONBLOCK) == 0);
    connection_init_slots(connection);
    connection->input = memory_new(connection->input_capacity);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    check(epoll_ctl(thread->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0);
}

void connection_deinit(struct load_connection *connection) {
    for (uint64_t at = 0; at < connection->slot_count; at++) {
        free(connection->slots[at].heads);
        free(connection->slots[at].parts);
    }
    free(connection->slots);
    free(connection->input);
    close(connection->fd);
}

struct load_slot *connection_slot(struct load_connection *connection, uint64_t number) {
    return &connection->slots[number % connection->slot_count];
}

void slot_part(struct load_slot *slot, const void *at, size_t len) {
    slot->parts[slot->part_count++] = (struct iovec){(void *)at, len};
    slot->size += len;
}

struct bytes connection_payload(const struct load_connection *connection, int index) {
    const struct load_options *options = connection->thread->options;
    uint64_t variant = connection->armed * (uint64_t)options->batches +
                       (uint64_t)connection->number + (uint64_t)index;
    return connection->thread->payloads[variant % (uint64_t)options->variants];
}

struct bytes payload_make_plain(const struct load_options *options, uint64_t seed) {
    struct random random;
    random_init(&random, seed);
    uint8_t *at = memory_new(options->record_bytes);
    for (size_t byte = 0; byte < options->record_bytes; byte++)
        at[byte] = (uint8_t)('0' + (random_next(&random) & 63));
    return bytes_make(at, options->record_bytes);
}

int32_t connection_next_partition(struct load_connection *connection) {
    const struct load_options *options = connection->thread->options;
    int32_t partition = connection->partition;
    int32_t step = options->mode == LOAD_LATENCY ? options->connections : 1;
    connection->partition += step;
    if (connection->partition >= options->partitions)
        connection->partition = step == 1 ? 0 : connection->number;
    return partition;
}

static void connection_arm(struct load_connection *connection, uint64_t due) {
    struct load_slot *slot = connection_slot(connection, connection->armed);
    slot->due = due;
    slot->part_count = 0;
    slot->size = slot->payload_bytes = 0;
    slot->records = 0;
    slot->answers_left = 1;
    connection->thread->options->protocol->fill(connection, slot);
    connection->armed++;
    connection->flying++;
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

static bool connection_may_arm(const struct load_connection *connection) {
    /* A consumer's next request depends on the answer before. */
    int depth = connection->fetches ? 1 : connection->thread->options->in_flight;
    return connection->flying < depth && connection->armed < connection->quota &&
           connection->armed - connection->answered < connection->slot_count;
}

uint64_t connection_go(struct load_connection *connection, uint64_t now) {
    uint64_t due = UINT64_MAX;
    while (now < connection->thread->until && connection_may_arm(connection)) {
        due = connection_due(connection, now);
        if (due > now) break;
        connection_arm(connection, due);
        due = UINT64_MAX;
    }
    connection_write(connection);
    return due;
}

bool connection_is_done(const struct load_connection *connection) {
    return connection->flying == 0 && connection->armed >= connection->quota;
}

void result_error(struct load_result *result, int code) {
    if (result->errors++) return;
    result->first_error = code;
    result->first_error_ns = clock_monotonic_ns();
}

static void count_request(struct load_connection *connection, const struct load_slot *slot,
                          uint64_t now) {
    struct load_thread *thread = connection->thread;
    if (now < thread->measure_from) return;
    if (connection->fetches && thread->options->mode == LOAD_LATENCY) return;
    /* The last ones too: a stall at the end would not be seen otherwise. */
    histogram_record(&thread->result.answer, now - slot->due);
    if (now >= thread->until) return;
    thread->result.requests++;
    thread->result.records += (uint64_t)slot->records;
    thread->result.bytes += slot->payload_bytes;
}

void connection_count_answer(struct load_connection *connection, uint64_t number, uint64_t now) {
    if (number < connection->answered || number >= connection->armed)
        die("an answer to a request that was not made");
    struct load_slot *slot = connection_slot(connection, number);
    if (slot->answers_left == 0) die("two answers to one request");
    if (--slot->answers_left > 0) return;
    connection->flying--;
    count_request(connection, slot, now);
    while (connection->answered < connection->armed &&
           connection_slot(connection, connection->answered)->answers_left == 0)
        connection->answered++;
}

static void input_reserve(struct load_connection *connection) {
    struct bytes input = bytes_make(connection->input, connection->input_len);
    size_t wanted = connection->thread->options->protocol->answer_length(input);
    if (wanted < connection->input_len + READ_BYTES / 2)
        wanted = connection->input_len + READ_BYTES;
    if (wanted <= connection->input_capacity) return;
    connection->input = memory_resize(connection->input, wanted);
    connection->input_capacity = wanted;
}

bool connection_read(struct load_connection *connection) {
    const struct load_protocol *protocol = connection->thread->options->protocol;
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
    while ((whole = protocol->answer(connection, bytes_make(connection->input + used,
                                                            connection->input_len - used))) != 0)
        used += whole;
    connection->input_len -= used;
    memmove(connection->input, connection->input + used, connection->input_len);
    return true;
}
