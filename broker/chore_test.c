#include "broker/chore.h"

#include "broker/broker_fixture.h"
#include "protocol/api_versions.h"
#include "protocol/describe_configs.h"

enum { CHORES = 5 };

struct counted {
    struct chore chore;
    int *running, *order;
    int done; /* 0: not yet */
};

static void count_run(struct chore *chore) {
    struct counted *counted = container_of(chore, struct counted, chore);
    cr_assert_eq((*counted->running)++, 0, "one at a time");
}

static void count_done(struct chore *chore) {
    struct counted *counted = container_of(chore, struct counted, chore);
    --*counted->running;
    counted->done = ++*counted->order;
}

Test(chore, one_at_a_time_and_in_line) {
    struct fixture fixture;
    struct counted chores[CHORES] = {0};
    int running = 0, order = 0;
    fixture_init(&fixture, 1);
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    struct core *core = &fixture.server.cores[0];
    for (int i = 0; i < CHORES; i++) {
        chores[i] = (struct counted){.running = &running, .order = &order};
        chores[i].chore.run = count_run;
        chores[i].chore.done = count_done;
        chore_begin(&chores[i].chore, core);
    }
    fixture_await(&fixture, order == CHORES);
    for (int i = 0; i < CHORES; i++) cr_assert_eq(chores[i].done, i + 1);
    fixture_end(&fixture);
}

Test(chore, none_begins_while_answers_overdraw_the_memory) {
    struct fixture fixture;
    struct counted one = {0};
    int running = 0, order = 0;
    fixture_init(&fixture, 2);
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    struct core *core = &fixture.server.cores[0];
    struct admission_share much = {ADMIT_OTHER, 0, FIXTURE_MEMORY};
    one = (struct counted){.running = &running, .order = &order};
    one.chore.run = count_run;
    one.chore.done = count_done;
    admission_force(&core->admission, much);
    core_count_answer(core, much.bytes);
    chore_begin(&one.chore, core);
    fixture_pass(&fixture, 100);
    cr_assert_eq(one.done, 0);
    admission_give(&core->admission, much);
    core_forget_answer(core, much.bytes);
    fixture_await(&fixture, one.done == 1);
    fixture_end(&fixture);
}

static void ask_for_many(struct fixture *fixture, int client, int32_t count) {
    static struct describe_configs_request_describe_configs_resource resources[1000];
    struct describe_configs_request request;
    message_defaults(&describe_configs_request_message, &request);
    for (int32_t i = 0; i < count; i++)
        resources[i] = (struct describe_configs_request_describe_configs_resource){
            .resource_type = 4, .resource_name = BYTES_OF("1"), .configuration_keys_count = -1};
    request.resources_count = count;
    request.resources = resources;
    fixture_send(fixture, client, API_DESCRIBE_CONFIGS, 4, &request);
}

/* The large answer is being made; a small one goes past it. */
Test(chore, the_loop_goes_on_meanwhile) {
    int overtaken = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct fixture fixture;
        struct arena arena;
        struct api_versions_request small;
        fixture_init(&fixture, seed);
        fixture_start(&fixture, 1, FIXTURE_MEMORY);
        struct core *core = &fixture.server.cores[0];
        int patient = fixture_connect(&fixture), hasty = fixture_connect(&fixture);
        message_defaults(&api_versions_request_message, &small);
        arena_init(&arena, FIXTURE_MEMORY);
        cr_assert_not_null(fixture_call(&fixture, hasty, API_API_VERSIONS, 0, &small, &arena));
        ask_for_many(&fixture, patient, 100);
        fixture_await(&fixture, core->chore_runs);
        fixture_send(&fixture, hasty, API_API_VERSIONS, 0, &small);
        cr_assert_not_null(fixture_answer(&fixture, hasty, API_API_VERSIONS, 0, &arena));
        overtaken += core->chore_runs;
        struct describe_configs_response *response =
            fixture_answer(&fixture, patient, API_DESCRIBE_CONFIGS, 4, &arena);
        cr_assert_eq(response->results_count, 100);
        for (int i = 0; i < 100; i++) cr_assert_gt(response->results[i].configs_count, 20);
        arena_deinit(&arena);
        fixture_end(&fixture);
    }
    cr_assert_gt(overtaken, 0);
}

/* The peer dies, or the broker ends, while its answer is being made. */
Test(chore, the_end_waits_for_it) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct fixture fixture;
        fixture_init(&fixture, seed);
        fixture_start(&fixture, 1, FIXTURE_MEMORY);
        int clients[3];
        for (int i = 0; i < 3; i++) {
            clients[i] = fixture_connect(&fixture);
            ask_for_many(&fixture, clients[i], 60);
        }
        fixture_await(&fixture, fixture.server.cores[0].chore_runs);
        for (int i = 0; i < 3 && seed % 2; i++) sim_disconnect(fixture.sim, clients[i]);
        fixture_end(&fixture);
    }
}

/* A list that is as long as the budget: the resources behind it are told so. */
Test(chore, an_answer_has_a_bound) {
    struct fixture fixture;
    struct arena arena;
    fixture_init(&fixture, 3);
    fixture_start(&fixture, 1, 1 << 20);
    int client = fixture_connect(&fixture);
    ask_for_many(&fixture, client, 1000);
    arena_init(&arena, FIXTURE_MEMORY);
    struct describe_configs_response *response =
        fixture_answer(&fixture, client, API_DESCRIBE_CONFIGS, 4, &arena);
    cr_assert_eq(response->results[0].error_code, ERROR_NONE);
    cr_assert_eq(response->results[999].error_code, ERROR_INVALID_REQUEST);
    cr_assert_eq(response->results[999].configs_count, 0);
    arena_deinit(&arena);
    fixture_end(&fixture);
}
