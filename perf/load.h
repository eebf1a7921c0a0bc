/* The load generator: many connections on few threads, each thread one epoll loop that owns its
 * connections and its histograms; the main thread merges them at the end.
 *
 * A connection keeps up to `in_flight` requests unanswered. In a closed loop an answer is followed
 * by the next request at once. In an open loop (a rate is given) request k of all is due at k/rate
 * and its latency counts from then, whether or not the broker was ready for it: a stall is seen by
 * every request that it delayed. Payloads are encoded once and shared; a request costs its head and
 * one writev.
 *
 * What is said on the connection is behind struct load_protocol: Kafka's own (load_kafka.c), and
 * those of the peers that have another (peers/redis/, peers/nats/). Loops, clocks and histograms
 * are the same for all, so that their figures may be compared. */
#pragma once

#include <sys/uio.h>

#include "base/bytes.h"
#include "base/histogram.h"

enum load_mode { LOAD_PRODUCE, LOAD_FETCH, LOAD_LATENCY, LOAD_CREATE, LOAD_DELETE };

enum { TOPIC_CONFIGS_MAX = 8 };

struct load_protocol;

struct load_options {
    enum load_mode mode;
    const struct load_protocol *protocol;
    const char *broker, *topic, *congestion;
    const char *payload_file;               /* NULL: payloads are made */
    const char *configs[TOPIC_CONFIGS_MAX]; /* NAME=VALUE, for the topic that is created */
    int config_count;
    int partitions, connections, in_flight, threads, variants;
    int batches; /* per Produce request, each to a partition of its own */
    size_t record_bytes, batch_bytes, fetch_bytes;
    int acks, pid;
    uint64_t requests; /* ends after so many; 0: after so many seconds */
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
    uint64_t unanswered; /* DRAIN_SECONDS after the end */
    uint64_t errors;
    int first_error; /* Kafka's code, or -1 for a connection that ended or a peer's refusal */
    uint64_t first_error_ns;
};

struct load_connection;

struct load_thread {
    const struct load_options *options;
    struct load_result result;
    const struct bytes *payloads; /* the shared variants */
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

/* One request: its parts are heads (ours) and payloads (shared). */
struct load_slot {
    uint64_t due;
    uint8_t *heads; /* room for the protocol's head_bytes, and part_head_bytes for each batch */
    struct iovec *parts;
    int part_count;
    int answers_left; /* it is answered when none is */
    size_t size;
    int64_t records;
    size_t payload_bytes;
};

struct load_connection {
    struct load_thread *thread;
    int fd, number;
    bool fetches, wants_out;
    uint64_t armed, sent; /* requests so far; slot = number % slot_count */
    uint64_t answered;    /* all before this one are */
    uint64_t quota;       /* requests that may be armed in all */
    uint64_t slot_count;
    int flying;        /* armed and not answered */
    size_t sent_bytes; /* of the request numbered `sent` */
    struct load_slot *slots;
    int32_t partition; /* the next to produce to, or the one to fetch from */
    int64_t offset;
    uint8_t *input;
    size_t input_len, input_capacity;
};

struct load_protocol {
    const char *name;
    bool answers_in_order;
    bool splits; /* a request may name a partition twice: it is as many messages as batches */
    size_t head_bytes, part_head_bytes;
    /* One payload of a request, as the options want it; free with free(). */
    struct bytes (*payload_make)(const struct load_options *options, uint64_t seed);
    /* What has to be said before the first request, on the socket while it still blocks. */
    void (*greet)(struct load_connection *connection);
    /* Encodes request `armed` into the slot, with slot_part(), records, payload_bytes and
     * answers_left. */
    void (*fill)(struct load_connection *connection, struct load_slot *slot);
    /* Takes the first answer of the input, says so to connection_count_answer(), and returns its
     * length; 0 while it is not whole. */
    size_t (*answer)(struct load_connection *connection, struct bytes input);
    /* How much input the first answer needs, as far as it can be told; may be 0. */
    size_t (*answer_length)(struct bytes input);
    /* On a connection of their own; both end the program on a refusal that matters. */
    void (*topic_create)(const struct load_options *options);
    void (*topic_delete)(const struct load_options *options);
};

extern const struct load_protocol load_kafka, load_redis, load_nats, load_nats_streams,
    load_nats_atomic;

void connection_init(struct load_connection *connection, struct load_thread *thread, int number);
void connection_deinit(struct load_connection *connection);
/* Arms every request that may go now and writes what the socket takes. Returns when the next one is
 * due, UINT64_MAX when only an answer can free the way. */
uint64_t connection_go(struct load_connection *connection, uint64_t now);
/* Reads answers; false when the connection ended. */
bool connection_read(struct load_connection *connection);
/* Nothing is under way and nothing more may be sent. */
bool connection_is_done(const struct load_connection *connection);

/* --- for protocols --- */

struct load_slot *connection_slot(struct load_connection *connection, uint64_t number);
void slot_part(struct load_slot *slot, const void *at, size_t len);
/* The payload of the batch at `index` of the request that is being filled. */
struct bytes connection_payload(const struct load_connection *connection, int index);
/* A payload of `record_bytes` printable bytes and nothing else, for protocols without batches. */
struct bytes payload_make_plain(const struct load_options *options, uint64_t seed);
/* Partitions go round; in latency mode each producer keeps to its own, so that order is known. */
int32_t connection_next_partition(struct load_connection *connection);
/* One answer of request `number` is there; counts the request when it was the last one. */
void connection_count_answer(struct load_connection *connection, uint64_t number, uint64_t now);
void result_error(struct load_result *result, int code);
