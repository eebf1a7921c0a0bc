#include "broker/server.h"

#include "broker/broker_fixture.h"
#include "protocol/batch_build.h"
#include "protocol/fetch.h"
#include "protocol/produce.h"

enum { CORES = 3, PARTITIONS = 6, CLIENTS = 4, VALUE_BYTES = 20000 };

static void build_batch(struct byte_buffer *batch) {
    static uint8_t value[VALUE_BYTES];
    struct batch_build build;
    struct error error;
    batch_build_init(&build);
    batch_build_add(&build, 1, BYTES_NULL, bytes_make(value, sizeof value), NULL, 0);
    cr_assert(batch_build_finish(&build, CODEC_NONE, batch, &error));
    batch_build_deinit(&build);
}

/* A record to every partition. */
static void send_produce(struct fixture *fixture, int client) {
    struct produce_request request;
    struct produce_request_partition_produce_data parts[PARTITIONS];
    struct produce_request_topic_produce_data topic = {
        .name = BYTES_OF("t"), .partition_data_count = PARTITIONS, .partition_data = parts};
    struct byte_buffer batch = {0};
    build_batch(&batch);
    message_defaults(&produce_request_message, &request);
    request.acks = -1;
    request.timeout_ms = 10000;
    request.topic_data = &topic;
    request.topic_data_count = 1;
    for (int i = 0; i < PARTITIONS; i++)
        parts[i] = (struct produce_request_partition_produce_data){
            .index = i, .records = byte_buffer_bytes(&batch)};
    fixture_send(fixture, client, API_PRODUCE, 9, &request);
    byte_buffer_deinit(&batch);
}

/* All partitions from the start. */
static void send_fetch(struct fixture *fixture, int client) {
    struct fetch_request request;
    struct fetch_request_fetch_partition parts[PARTITIONS] = {0};
    struct fetch_request_fetch_topic topic = {
        .topic = BYTES_OF("t"), .partitions_count = PARTITIONS, .partitions = parts};
    message_defaults(&fetch_request_message, &request);
    request.max_wait_ms = 1000;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    request.topics = &topic;
    request.topics_count = 1;
    for (int i = 0; i < PARTITIONS; i++) {
        parts[i].partition = i;
        parts[i].current_leader_epoch = -1;
        parts[i].partition_max_bytes = 1 << 20;
    }
    fixture_send(fixture, client, API_FETCH, 11, &request);
}

/* Whatever is in flight, and wherever: nothing may be left behind. */
Test(server, stops_with_requests_in_flight) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct fixture fixture;
        struct arena arena;
        int clients[CLIENTS];
        fixture_init(&fixture, seed);
        fixture_start(&fixture, CORES, FIXTURE_MEMORY);
        for (int i = 0; i < CLIENTS; i++) clients[i] = fixture_connect(&fixture);
        fixture_create_topic(&fixture, clients[0], "t", PARTITIONS);
        arena_init(&arena, FIXTURE_MEMORY);
        send_produce(&fixture, clients[0]);
        fixture_answer(&fixture, clients[0], API_PRODUCE, 9, &arena);
        arena_deinit(&arena);
        for (int i = 0; i < CLIENTS; i++) {
            if (i % 2) send_produce(&fixture, clients[i]);
            send_fetch(&fixture, clients[i]);
        }
        for (uint64_t i = 0; i < seed * 7; i++) fixture_step(&fixture);
        for (int i = 0; i < CLIENTS && seed % 2; i++) sim_disconnect(fixture.sim, clients[i]);
        for (uint64_t i = 0; i < seed % 5; i++) fixture_step(&fixture);
        fixture_end(&fixture);
    }
}
