/* For tests: a whole broker in the simulated world, in one thread, and clients that speak to it in
 * raw frames. Every test gets a world, options to change, and fixture_start(). What the broker logs
 * can be read back. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/connection.h"
#include "broker/server.h"
#include "io/backend.h"
#include "io/sim.h"
#include "protocol/api.h"
#include "protocol/create_topics.h"
#include "protocol/header.h"

struct fixture {
    struct sim *sim;
    struct options *options;
    struct server server;
    unsigned core_count;
    int32_t correlation_id;
    int log, stderr_before;
};

enum { FIXTURE_MEMORY = 64 << 20, FIXTURE_SECONDS = 600 };

static inline void fixture_init(struct fixture *fixture, uint64_t seed) {
    *fixture = (struct fixture){.sim = sim_new(seed), .options = options_new()};
    fixture->stderr_before = dup(STDERR_FILENO);
    fixture->log = memfd_create("log", MFD_CLOEXEC);
    dup2(fixture->log, STDERR_FILENO);
}

static inline void fixture_start(struct fixture *fixture, unsigned core_count, size_t memory) {
    struct server *server = &fixture->server;
    struct error error;
    fixture->core_count = core_count;
    cr_assert(server_open(server, fixture->options, sim_disk_open(fixture->sim), core_count, memory,
                          &error),
              "%s", error.text);
    for (unsigned i = 0; i < core_count; i++)
        cr_assert(server_open_core(server, i, sim_ring_new(fixture->sim), &error));
    cr_assert(server_join(server, &error), "%s", error.text);
    for (unsigned i = 0; i < core_count; i++)
        cr_assert(server_begin_core(server, i, &error), "%s", error.text);
}

/* One event, or a millisecond without any. */
static inline void fixture_step(struct fixture *fixture) {
    sim_step(fixture->sim, sim_now_ns(fixture->sim) + NS_PER_MS);
}

static inline void fixture_pass(struct fixture *fixture, uint64_t ms) {
    uint64_t until_ns = sim_now_ns(fixture->sim) + ms * NS_PER_MS;
    while (sim_step(fixture->sim, until_ns)) continue;
}

/* Steps until `condition` holds; a test that waits in vain fails. */
#define fixture_await(fixture, condition)                                                     \
    do {                                                                                      \
        uint64_t last_ns = sim_now_ns((fixture)->sim) + FIXTURE_SECONDS * NS_PER_S;           \
        while (!(condition)) {                                                                \
            cr_assert(sim_now_ns((fixture)->sim) < last_ns, "waits in vain: %s", #condition); \
            fixture_step(fixture);                                                            \
        }                                                                                     \
    } while (0)

static inline bool fixture_has_stopped(const struct fixture *fixture) {
    for (unsigned i = 0; i < fixture->core_count; i++)
        if (!fixture->server.cores[i].ring->stop) return false;
    return true;
}

/* As the process ends: frees everything, after the drain. No request may be left then. */
static inline void fixture_free(struct fixture *fixture) {
    fixture_await(fixture, fixture_has_stopped(fixture));
    for (unsigned i = 0; i < fixture->core_count; i++)
        for (int class = 0; class < ADMIT_CLASSES; class ++)
            cr_assert_eq(fixture->server.cores[i].admission.used[class], 0);
    cr_assert_not(atomic_load(&fixture->server.forced));
    for (unsigned i = 0; i < fixture->core_count; i++) server_close_core(&fixture->server, i);
    server_close(&fixture->server);
    sim_free(fixture->sim);
    options_free(fixture->options);
    dup2(fixture->stderr_before, STDERR_FILENO);
    close(fixture->stderr_before);
    close(fixture->log);
}

static inline void fixture_end(struct fixture *fixture) {
    server_drain(&fixture->server);
    fixture_free(fixture);
}

/* How often the log has these words. */
static inline int fixture_said(const struct fixture *fixture, const char *words) {
    static char log[1 << 20];
    ssize_t len = pread(fixture->log, log, sizeof log - 1, 0);
    int count = 0;
    log[len > 0 ? len : 0] = '\0';
    for (const char *at = log; (at = strstr(at, words)); at++) count++;
    return count;
}

/* --- clients --- */

static inline int fixture_connect(struct fixture *fixture) {
    int client = sim_connect(fixture->sim, fixture->server.listeners.items[0].bound);
    cr_assert_geq(client, 0);
    return client;
}

static inline void fixture_send_raw(struct fixture *fixture, int client, const void *at,
                                    size_t len) {
    sim_send(fixture->sim, client, bytes_make(at, len));
}

/* The first bytes of a frame that declares `length`. */
static inline void fixture_announce(struct fixture *fixture, int client, enum api_key key,
                                    int version, uint32_t length) {
    uint8_t prefix[FRAME_PREFIX_SIZE];
    store_u32(prefix, length);
    store_i16(prefix + 4, (int16_t)key);
    store_i16(prefix + 6, (int16_t)version);
    fixture_send_raw(fixture, client, prefix, sizeof prefix);
}

static inline void fixture_send(struct fixture *fixture, int client, enum api_key key, int version,
                                const void *request) {
    struct arena arena;
    struct wire_output output = {0};
    arena_init(&arena, FIXTURE_MEMORY);
    cr_assert(api_encode_request(api_find((int16_t)key), version, ++fixture->correlation_id,
                                 BYTES_OF("test"), request, &arena, &output));
    sim_send(fixture->sim, client, wire_join(&output, &arena));
    arena_deinit(&arena);
}

/* Exactly so many bytes; false at the end of the stream. */
static inline bool fixture_receive(struct fixture *fixture, int client, void *at, size_t len) {
    size_t got = 0;
    int64_t more = 0;
    while (got < len) {
        fixture_await(fixture, (more = sim_receive(fixture->sim, client, (uint8_t *)at + got,
                                                   len - got)) != 0);
        if (more < 0) return false;
        got += (size_t)more;
    }
    return true;
}

static inline bool fixture_is_closed(struct fixture *fixture, int client) {
    uint8_t byte;
    return !fixture_receive(fixture, client, &byte, 1);
}

/* The next answer, decoded into the arena; NULL when the connection has ended. */
static inline void *fixture_answer(struct fixture *fixture, int client, enum api_key key,
                                   int version, struct arena *arena) {
    const struct api *api = api_find((int16_t)key);
    uint8_t length[4];
    struct error error;
    struct response_header header;
    if (!fixture_receive(fixture, client, length, sizeof length)) return NULL;
    struct bytes in = bytes_make(arena_zero(arena, 1, load_u32(length)), load_u32(length));
    if (!fixture_receive(fixture, client, (uint8_t *)(uintptr_t)in.at, in.len)) return NULL;
    cr_assert(wire_decode_part(&response_header_message, api_response_header_version(api, version),
                               &in, arena, &header, &error));
    void *response = arena_zero(arena, 1, api->response->layout->size);
    cr_assert(wire_decode(api->response, version, in, arena, response, &error), "%s", error.text);
    return response;
}

static inline void *fixture_call(struct fixture *fixture, int client, enum api_key key, int version,
                                 const void *request, struct arena *arena) {
    fixture_send(fixture, client, key, version, request);
    return fixture_answer(fixture, client, key, version, arena);
}

static inline void fixture_create_topic(struct fixture *fixture, int client, const char *name,
                                        int32_t partition_count) {
    struct create_topics_request request;
    struct create_topics_request_creatable_topic topic = {
        .name = bytes_of_text(name), .num_partitions = partition_count, .replication_factor = 1};
    struct arena arena;
    message_defaults(&create_topics_request_message, &request);
    request.topics = &topic;
    request.topics_count = 1;
    request.timeout_ms = 10000;
    arena_init(&arena, FIXTURE_MEMORY);
    struct create_topics_response *response =
        fixture_call(fixture, client, API_CREATE_TOPICS, 2, &request, &arena);
    cr_assert_eq(response->topics[0].error_code, ERROR_NONE);
    arena_deinit(&arena);
}
