#include "broker/connection.h"

#include "broker/broker_fixture.h"
#include "protocol/describe_configs.h"
#include "protocol/metadata.h"

enum { VERSION = 9 };

static struct metadata_request everything(void) {
    struct metadata_request request;
    message_defaults(&metadata_request_message, &request);
    request.topics_count = -1;
    return request;
}

static void ask(struct fixture *fixture, int client) {
    struct metadata_request request = everything();
    fixture_send(fixture, client, API_METADATA, VERSION, &request);
}

static bool is_answered(struct fixture *fixture, int client) {
    struct arena arena;
    arena_init(&arena, FIXTURE_MEMORY);
    struct metadata_response *response =
        fixture_answer(fixture, client, API_METADATA, VERSION, &arena);
    bool is_good = response && response->brokers_count == 1;
    arena_deinit(&arena);
    return is_good;
}

static struct admission *admission_of(struct fixture *fixture) {
    return &fixture->server.cores[0].admission;
}

static size_t used(struct fixture *fixture) {
    struct admission *admission = admission_of(fixture);
    return admission->used[ADMIT_BULK] + admission->used[ADMIT_OTHER] + admission->used[ADMIT_HELD];
}

/* --- frames --- */

Test(connection, answers_in_order_however_frames_are_cut) {
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct fixture fixture;
        fixture_init(&fixture, seed);
        fixture.options->in_flight_max = 3;
        fixture_start(&fixture, 1, FIXTURE_MEMORY);
        int client = fixture_connect(&fixture);
        for (int i = 0; i < 30; i++) ask(&fixture, client);
        for (int i = 0; i < 30; i++) {
            uint8_t head[8], rest[4096];
            cr_assert(fixture_receive(&fixture, client, head, sizeof head));
            cr_assert_eq(load_i32(head + 4), i + 1, "answers leave in request order");
            cr_assert(fixture_receive(&fixture, client, rest, load_u32(head) - 4));
        }
        fixture_await(&fixture, used(&fixture) == 0);
        fixture_end(&fixture);
    }
}

Test(connection, an_announcement_alone_holds_no_memory) {
    struct fixture fixture;
    fixture_init(&fixture, 1);
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    int client = fixture_connect(&fixture);
    uint8_t zeros[FRAME_PROOF_BYTES] = {0};
    fixture_announce(&fixture, client, API_PRODUCE, VERSION, 1 << 20);
    fixture_send_raw(&fixture, client, zeros, sizeof zeros - 1);
    fixture_pass(&fixture, 100);
    cr_assert_leq(used(&fixture), sizeof zeros);
    fixture_send_raw(&fixture, client, zeros, 1);
    fixture_await(&fixture, admission_of(&fixture)->used[ADMIT_BULK] > 1 << 20);
    cr_assert_eq(admission_of(&fixture)->used[ADMIT_HELD], 0);
    sim_disconnect(fixture.sim, client);
    fixture_await(&fixture, used(&fixture) == 0);
    fixture_end(&fixture);
}

Test(connection, what_waits_for_memory_is_counted) {
    enum { MEMORY = 8 << 20, HUGE = 2 << 20 };
    struct fixture fixture;
    fixture_init(&fixture, 2);
    fixture_start(&fixture, 1, MEMORY); /* half of it for requests, of that 39/64 for bulk */
    int clients[3];
    uint8_t zeros[FRAME_PROOF_BYTES] = {0};
    for (int i = 0; i < 3; i++) {
        clients[i] = fixture_connect(&fixture);
        fixture_announce(&fixture, clients[i], API_PRODUCE, VERSION, HUGE);
        fixture_send_raw(&fixture, clients[i], zeros, sizeof zeros);
    }
    struct admission *admission = admission_of(&fixture);
    fixture_await(&fixture, admission->waiting == 2);
    cr_assert_gt(admission->used[ADMIT_BULK], HUGE);
    cr_assert_lt(admission->used[ADMIT_BULK], 2 * HUGE);
    cr_assert_eq(admission->used[ADMIT_HELD], 2 * sizeof zeros);
    for (int i = 0; i < 3; i++) sim_disconnect(fixture.sim, clients[i]);
    fixture_await(&fixture, used(&fixture) == 0);
    fixture_end(&fixture);
}

Test(connection, what_waits_for_memory_is_bounded) {
    enum { MEMORY = 2 << 20, LARGE = 512 << 10, COUNT = 200 };
    struct fixture fixture;
    fixture_init(&fixture, 3);
    fixture_start(&fixture, 1, MEMORY);
    static uint8_t zeros[16 << 10];
    for (int i = 0; i < COUNT; i++) {
        int client = fixture_connect(&fixture);
        fixture_announce(&fixture, client, API_PRODUCE, VERSION, LARGE);
        fixture_send_raw(&fixture, client, zeros, sizeof zeros);
    }
    fixture_await(&fixture, fixture_said(&fixture, "too many begun requests wait for memory") > 0);
    struct admission *admission = admission_of(&fixture);
    fixture_pass(&fixture, 1000);
    cr_assert_leq(admission->used[ADMIT_HELD], admission->held);
    int client = fixture_connect(&fixture);
    ask(&fixture, client);
    cr_assert(is_answered(&fixture, client), "others are served meanwhile");
    fixture_end(&fixture);
}

Test(connection, a_frame_of_the_whole_budget_is_told_so) {
    struct fixture fixture;
    fixture_init(&fixture, 4);
    fixture_start(&fixture, 1, 8 << 20);
    int client = fixture_connect(&fixture);
    uint8_t zeros[FRAME_PROOF_BYTES] = {0};
    fixture_announce(&fixture, client, API_PRODUCE, VERSION, 3 << 20);
    fixture_send_raw(&fixture, client, zeros, sizeof zeros);
    cr_assert(fixture_is_closed(&fixture, client));
    cr_assert_eq(fixture_said(&fixture, "larger than the memory budget"), 1);
    cr_assert_eq(used(&fixture), 0);
    fixture_end(&fixture);
}

/* --- time --- */

Test(connection, a_frame_that_does_not_come_ends_it) {
    for (int sent = 0; sent <= 2; sent++) {
        struct fixture fixture;
        fixture_init(&fixture, 5);
        fixture.options->request_progress_ms = 1000;
        fixture_start(&fixture, 1, FIXTURE_MEMORY);
        int client = fixture_connect(&fixture);
        static uint8_t zeros[FRAME_PROOF_BYTES];
        if (sent == 0) fixture_send_raw(&fixture, client, zeros, 1);
        if (sent > 0) fixture_announce(&fixture, client, API_METADATA, VERSION, 50000);
        if (sent > 1) fixture_send_raw(&fixture, client, zeros, sizeof zeros);
        uint64_t before_ns = sim_now_ns(fixture.sim);
        cr_assert(fixture_is_closed(&fixture, client));
        cr_assert_lt(sim_now_ns(fixture.sim) - before_ns, 1100 * NS_PER_MS);
        cr_assert_eq(fixture_said(&fixture, "a request has begun and did not arrive"), 1);
        fixture_end(&fixture);
    }
}

/* More than the network takes: the first send does not end. */
static int ask_and_do_not_read(struct fixture *fixture) {
    struct describe_configs_request request;
    struct describe_configs_request_describe_configs_resource broker = {
        .resource_type = 4, .resource_name = BYTES_OF("1"), .configuration_keys_count = -1};
    message_defaults(&describe_configs_request_message, &request);
    request.resources_count = 1;
    request.resources = &broker;
    request.include_documentation = true;
    int client = fixture_connect(fixture);
    for (int i = 0; i < 60; i++) fixture_send(fixture, client, API_DESCRIBE_CONFIGS, 4, &request);
    fixture_pass(fixture, 200);
    return client;
}

Test(connection, answers_that_are_not_taken_end_it) {
    struct fixture fixture;
    fixture_init(&fixture, 6);
    fixture.options->request_progress_ms = 1000;
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    ask_and_do_not_read(&fixture);
    cr_assert_gt(used(&fixture), 128 << 10);
    fixture_pass(&fixture, 1500);
    cr_assert_eq(fixture.server.cores[0].connection_count, 1);
    fixture_pass(&fixture, 600);
    cr_assert_eq(fixture_said(&fixture, "its answers are not taken"), 1);
    cr_assert_eq(used(&fixture), 0);
    fixture_end(&fixture);
}

/* Here they are not taken either, but the time for that is not over. */
Test(connection, the_reason_is_that_of_the_time_that_has_passed) {
    struct fixture fixture;
    fixture_init(&fixture, 7);
    fixture.options->request_progress_ms = 1000;
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    int client = ask_and_do_not_read(&fixture);
    fixture_send_raw(&fixture, client, "", 1);
    fixture_pass(&fixture, 1100);
    cr_assert_eq(fixture_said(&fixture, "a request has begun and did not arrive"), 1);
    cr_assert_eq(fixture_said(&fixture, "its answers are not taken"), 0);
    fixture_end(&fixture);
}

Test(connection, idle_ones_end_and_waiting_ones_do_not) {
    struct fixture fixture;
    fixture_init(&fixture, 8);
    fixture.options->connection_idle_ms = 1000;
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    int idle = fixture_connect(&fixture), busy = fixture_connect(&fixture);
    for (int i = 0; i < 4; i++) {
        ask(&fixture, busy);
        cr_assert(is_answered(&fixture, busy));
        fixture_pass(&fixture, 500);
    }
    cr_assert(fixture_is_closed(&fixture, idle));
    cr_assert_eq(fixture.server.cores[0].connection_count, 1);
    cr_assert_eq(fixture_said(&fixture, "closed the connection"), 0, "nothing to be said");
    fixture_end(&fixture);
}

/* --- while memory is short --- */

static int begin(struct fixture *fixture, uint32_t length) {
    static uint8_t zeros[FRAME_PROOF_BYTES];
    int client = fixture_connect(fixture);
    fixture_announce(fixture, client, API_PRODUCE, VERSION, length);
    fixture_send_raw(fixture, client, zeros, sizeof zeros);
    return client;
}

Test(connection, slow_frames_may_be_slow_while_there_is_memory) {
    struct fixture fixture;
    fixture_init(&fixture, 9);
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    begin(&fixture, 1 << 20);
    fixture_pass(&fixture, 29000);
    cr_assert_eq(fixture.server.cores[0].connection_count, 1);
    fixture_pass(&fixture, 1100);
    cr_assert_eq(fixture.server.cores[0].connection_count, 0);
    fixture_end(&fixture);
}

Test(connection, slow_frames_end_while_others_wait_for_memory) {
    enum { MEMORY = 8 << 20, HUGE = 2 << 20 };
    static uint8_t zeros[FRAME_PIECE_BYTES];
    struct fixture fixture;
    fixture_init(&fixture, 10);
    fixture_start(&fixture, 1, MEMORY);
    struct admission *admission = admission_of(&fixture);
    int steady = begin(&fixture, HUGE);
    fixture_await(&fixture, admission->used[ADMIT_BULK] > 0);
    begin(&fixture, HUGE);
    fixture_await(&fixture, admission->waiting == 1);
    for (int i = 0; i < 5; i++) { /* a piece in each of the intervals */
        fixture_send_raw(&fixture, steady, zeros, sizeof zeros);
        fixture_pass(&fixture, 30000 / 8 - 100);
        cr_assert_eq(fixture.server.cores[0].connection_count, 2);
        cr_assert_eq(admission->waiting, 1);
    }
    fixture_pass(&fixture, 30000 / 8 * 2);
    cr_assert_eq(fixture_said(&fixture, "comes too slowly"), 1);
    cr_assert_eq(fixture.server.cores[0].connection_count, 1);
    cr_assert_eq(admission->waiting, 0, "the other one has its memory");
    fixture_end(&fixture);
}

/* --- the end --- */

Test(connection, draining_answers_what_is_complete) {
    for (uint64_t seed = 1; seed < 20; seed++) {
        struct fixture fixture;
        fixture_init(&fixture, seed);
        fixture_start(&fixture, 1, FIXTURE_MEMORY);
        int client = fixture_connect(&fixture), silent = fixture_connect(&fixture);
        ask(&fixture, client);
        begin(&fixture, 1 << 20);
        struct core *core = &fixture.server.cores[0];
        fixture_await(&fixture,
                      core->connection_count == 3 && core->connections.next != &core->connections);
        fixture_pass(&fixture, seed % 4);
        server_drain(&fixture.server);
        fixture_await(&fixture, fixture_has_stopped(&fixture));
        (void)is_answered(&fixture, client); /* or closed: when it had not arrived */
        cr_assert(fixture_is_closed(&fixture, silent));
        cr_assert_eq(core->connection_count, 0);
        cr_assert_eq(used(&fixture), 0);
        fixture_free(&fixture);
    }
}

Test(connection, peers_that_vanish_leave_nothing) {
    for (uint64_t seed = 1; seed < 40; seed++) {
        struct fixture fixture;
        fixture_init(&fixture, seed);
        fixture_start(&fixture, 1, 8 << 20);
        int clients[6];
        for (int i = 0; i < 6; i++) {
            clients[i] = i % 2 ? begin(&fixture, 2 << 20) : ask_and_do_not_read(&fixture);
            fixture_pass(&fixture, seed % 7);
        }
        for (int i = 0; i < 6; i++) {
            sim_disconnect(fixture.sim, clients[i]);
            fixture_pass(&fixture, seed % 5);
        }
        fixture_await(&fixture, fixture.server.cores[0].connection_count == 0);
        cr_assert_eq(used(&fixture), 0);
        cr_assert_eq(fixture.server.cores[0].answer_bytes, 0);
        fixture_end(&fixture);
    }
}
