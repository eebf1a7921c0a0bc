#include "broker/registry_listener.h"

#include "broker/broker_fixture.h"
#include "broker/catalog_service.h"
#include "broker/registry_service.h"

enum { ANSWER_SIZE = 16384 };

/* --- the registry --- */

static int http_send(struct fixture *fixture, const char *method, const char *path,
                     const char *body) {
    char request[1024];
    int client = sim_connect(fixture->sim, registry_service_bound(fixture->server.registry));
    cr_assert_geq(client, 0);
    int len = snprintf(request, sizeof request,
                       "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       method, path, strlen(body), body);
    fixture_send_raw(fixture, client, request, (size_t)len);
    return client;
}

/* The status; the connection ends behind the answer. */
static int http_status(struct fixture *fixture, int client) {
    char answer[ANSWER_SIZE] = "";
    size_t len = 0;
    while (len < sizeof answer - 1 && fixture_receive(fixture, client, answer + len, 1)) len++;
    cr_assert_eq(strncmp(answer, "HTTP/1.1 ", 9), 0, "%s", answer);
    return atoi(answer + 9);
}

static void http_call(struct fixture *fixture, const char *method, const char *path,
                      const char *body) {
    int status = http_status(fixture, http_send(fixture, method, path, body));
    cr_assert_eq(status, 200, "%s %s: %d", method, path, status);
}

#define SUBJECT "{\"schema\":\"\\\"int\\\"\"}"

static bool has_subject(const struct fixture *fixture) {
    return schema_view_subject(fixture->server.cores[0].schemas, BYTES_OF("s")) != NULL;
}

static struct registry_api *api_of(struct fixture *fixture) {
    return (struct registry_api *)(uintptr_t)&registry_service_listener(fixture->server.registry)
        ->api;
}

static void start(struct fixture *fixture, uint64_t seed) {
    fixture_init(fixture, seed);
    fixture_start(fixture, 3, FIXTURE_MEMORY);
    fixture_create_topic(fixture, fixture_connect(fixture), "t", 1);
    http_call(fixture, "POST", "/subjects/s/versions", SUBJECT);
}

/* --- lists --- */

/* The first core knows so many subjects with long names, all of one schema. */
static void know_subjects(struct fixture *fixture, int count) {
    struct core *core = &fixture->server.cores[0];
    const struct schema_entry entry = {.id = 1, .version = 1, .schema = BYTES_OF("\"int\"")};
    struct subjects subjects;
    char name[1000];
    subjects_init(&subjects);
    memset(name, 'a', sizeof name);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%08d", i);
        name[8] = 'a';
        const struct schema_record record = {.kind = SCHEMA_RECORD_SCHEMA,
                                             .subject = bytes_make(name, sizeof name),
                                             .version = 1,
                                             .entry = entry};
        subjects_apply(&subjects, &record);
    }
    schema_view_drop(core->schemas);
    core->schemas = schema_view_new(&subjects);
    subjects_deinit(&subjects);
}

static int get(struct fixture *fixture, const char *path) {
    return http_status(fixture, http_send(fixture, "GET", path, ""));
}

Test(registry_listener, lists_are_bounded) {
    static const char *const paths[] = {"/subjects", "/schemas/ids/1/subjects",
                                        "/schemas/ids/1/versions"};
    struct fixture fixture;
    char path[100];
    fixture_init(&fixture, 1);
    fixture_start(&fixture, 1, FIXTURE_MEMORY);
    know_subjects(&fixture, 34000);
    for (size_t i = 0; i < array_count(paths); i++) {
        cr_expect_eq(get(&fixture, paths[i]), 422, "%s", paths[i]);
        snprintf(path, sizeof path, "%s?limit=10", paths[i]);
        cr_expect_eq(get(&fixture, path), 200, "%s", path);
        snprintf(path, sizeof path, "%s?offset=33990", paths[i]);
        cr_expect_eq(get(&fixture, path), 200, "%s", path);
    }
    fixture_end(&fixture);
}

/* --- deleting for good waits for contracts that are on their way --- */

static struct contracts_wait *waiting;

static void keep_waiting(struct registry_api *api, struct contracts_wait *wait) {
    (void)api;
    waiting = wait;
}

Test(registry_listener, only_what_is_deleted_for_good_waits) {
    struct fixture fixture;
    start(&fixture, 1);
    api_of(&fixture)->settle = keep_waiting;
    http_call(&fixture, "DELETE", "/subjects/s", "");
    cr_assert_null(waiting);
    static const char *const paths[] = {"/subjects/s/versions/1?permanent=true",
                                        "/subjects/s?permanent=true"};
    for (size_t i = 0; i < array_count(paths); i++) {
        if (i > 0) http_call(&fixture, "POST", "/subjects/s/versions", SUBJECT);
        if (i > 0) http_call(&fixture, "DELETE", "/subjects/s", "");
        int client = http_send(&fixture, "DELETE", paths[i], "");
        fixture_await(&fixture, waiting);
        fixture_pass(&fixture, 1000);
        cr_assert(has_subject(&fixture));
        struct contracts_wait *wait = waiting;
        waiting = NULL;
        wait->done(wait);
        cr_assert_eq(http_status(&fixture, client), 200);
        cr_assert_not(has_subject(&fixture));
    }
    fixture_end(&fixture);
}

struct setting {
    struct catalog_change change;
    struct change_result result;
    struct arena arena;
    bool made, done;
    struct contracts_wait wait;
    bool settled;
};

static void setting_make(struct catalog_change *self, struct change *change) {
    struct setting *setting = container_of(self, struct setting, change);
    static const struct config_edit edits[] = {
        {.name = BYTES_OF("millrace.value.subject"), .value = BYTES_OF("s")},
        {.name = BYTES_OF("millrace.value.contract"), .value = BYTES_OF("schema-id")}};
    const struct config_wish wish = {.type = CONFIG_RESOURCE_TOPIC,
                                     .name = BYTES_OF("t"),
                                     .edit_count = array_count(edits),
                                     .edits = edits};
    change_alter_configs(change, &wish, 1, &setting->result);
    setting->made = true;
}

static void setting_done(struct catalog_change *self) {
    container_of(self, struct setting, change)->done = true;
}

static void setting_settled(struct contracts_wait *wait) {
    container_of(wait, struct setting, wait)->settled = true;
}

static bool is_bound(const struct core *core) {
    const struct catalog_topic *topic = catalog_find_topic(&core->catalog, BYTES_OF("t"));
    return topic_config_has_contract(&topic->effective);
}

/* It was judged, and is known nowhere yet. */
Test(registry_listener, then_every_core_knows_them) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct fixture fixture;
        struct setting setting = {.change = {.make = setting_make, .done = setting_done},
                                  .wait = {.done = setting_settled}};
        start(&fixture, seed);
        arena_init(&setting.arena, FIXTURE_MEMORY);
        setting.change.arena = &setting.arena;
        catalog_service_change(&setting.change, &fixture.server.cores[0]);
        fixture_await(&fixture, setting.made);
        cr_assert(setting.result.code == ERROR_NONE && !is_bound(&fixture.server.cores[0]));
        struct registry_api *api = api_of(&fixture);
        api->settle(api, &setting.wait);
        fixture_await(&fixture, setting.settled);
        for (unsigned i = 0; i < fixture.core_count; i++)
            cr_assert(is_bound(&fixture.server.cores[i]));
        fixture_await(&fixture, setting.done);
        http_call(&fixture, "DELETE", "/subjects/s", "");
        int client = http_send(&fixture, "DELETE", "/subjects/s?permanent=true", "");
        cr_assert_eq(http_status(&fixture, client), 422);
        arena_deinit(&setting.arena);
        fixture_end(&fixture);
    }
}
