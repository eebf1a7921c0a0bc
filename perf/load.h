/* The load generator: many connections on few threads, each thread one epoll loop that owns its
 * connections and its histograms; the main thread merges them at the end.
 *
 * A connection keeps up to `in_flight` requests unanswered. In a closed loop an answer is followed
 * by the next request at once. In an open loop (a rate is given) request k of all is due at k/rate
 * and its latency counts from then, whether or not the broker was ready for it: a stall is seen by
 * every request that it delayed. Batches are encoded once and shared; a request costs its head and
 * one writev. */
#pragma once

#include "base/bytes.h"
#include "base/histogram.h"

enum load_mode { LOAD_PRODUCE, LOAD_FETCH, LOAD_LATENCY };

struct load_options {
    enum load_mode mode;
    const char *broker, *topic, *congestion;
    int partitions, connections, in_flight, threads, variants;
    int batches; /* per Produce request, each to a partition of its own */
    size_t record_bytes, batch_bytes, fetch_bytes;
    int acks, pid;
    double seconds, warm_up_seconds, rate;
    bool create, keep;
};

/* Fills the options or ends the program with the usage page. */
void load_options_read(struct load_options *options, int count, char **arguments);

/* What one thread measured after the warm-up. */
struct load_result {
    struct histogram answer;    /* request (when due) → answer */
    struct histogram delivered; /* LOAD_LATENCY: request (when due) → its record in a consumer */
    uint64_t requests, records, bytes;
    uint64_t errors;
    int first_error; /* Kafka's code, or -1 for a connection that ended */
    uint64_t first_error_ns;
};

struct load_connection;

struct load_thread {
    const struct load_options *options;
    struct load_result result;
    const struct bytes *batches; /* the shared variants */
    struct load_connection *connections;
    int connection_count, first; /* the number of the first connection over all threads */
    int epoll;
    uint64_t began, measure_from, until; /* monotonic ns */
    /* LOAD_LATENCY: when request k of a partition was due; offset / records per batch = k. */
    struct due_times {
        uint64_t *at;
        size_t count, capacity;
    } * due;
};

struct load_connection {
    struct load_thread *thread;
    int fd, number;
    bool fetches, wants_out;
    uint64_t armed, sent, answered; /* requests so far; slot = number % in_flight */
    size_t sent_bytes;              /* of the request numbered `sent` */
    struct load_slot *slots;
    int32_t partition; /* the next to produce to, or the one to fetch from */
    int64_t offset;
    uint8_t *input;
    size_t input_len, input_capacity;
};

void connection_init(struct load_connection *connection, struct load_thread *thread, int number);
void connection_deinit(struct load_connection *connection);
/* Arms every request that may go now and writes what the socket takes. Returns when the next one is
 * due, UINT64_MAX when only an answer can free the way. */
uint64_t connection_go(struct load_connection *connection, uint64_t now);
/* Reads answers; false when the connection ended. */
bool connection_read(struct load_connection *connection);
