#include "broker/contracts.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/catalog_service.h"
#include "broker/registry_service.h"
#include "broker/server.h"
#include "registry/contract_plan.h"

struct contracts {
    const char *path;
    unsigned core_count;
    struct arena arena; /* the manifest and the bindings */
    struct topic_bindings bindings;

    /* ---- the first core's, while it begins ---- */
    struct core *core;
    struct contract_folder folder;
    struct contract_manifest manifest;
    struct contract_plan plan;
    struct text problems;
    struct schema_change change;
    struct catalog_change topics;
    struct change_result topics_result;
    bool answered;    /* of the change that is on its way */
    bool still_valid; /* the plan, as the registry's core has found */

    atomic_bool over;    /* the other cores need not wait any more */
    struct mail *wakers; /* per core */
};

static void on_wake(struct mail *mail) { (void)mail; }

struct contracts *contracts_new(struct server *server) {
    if (!server->options->contracts[0]) return NULL;
    struct contracts *contracts = new_zero(struct contracts);
    contracts->path = server->options->contracts;
    contracts->core_count = server->core_count;
    atomic_init(&contracts->over, false);
    arena_init(&contracts->arena, SIZE_MAX);
    contracts->wakers = (struct mail *)memory_zero(server->core_count, sizeof(struct mail));
    for (unsigned i = 0; i < server->core_count; i++) contracts->wakers[i].deliver = on_wake;
    return contracts;
}

void contracts_free(struct contracts *contracts) {
    if (!contracts) return;
    arena_deinit(&contracts->arena);
    free(contracts->wakers);
    free(contracts);
}

const struct topic_bindings *contracts_bindings(const struct contracts *contracts) {
    return contracts ? &contracts->bindings : NULL;
}

/* Rounds of the ring until the change on its way is done: nobody is served yet who could wait. The
 * first does not sleep: its hooks have still to see what was asked for between rounds. */
static void await_answer(struct contracts *contracts) {
    bool sleep = false;
    for (; !contracts->answered; sleep = true) ring_round(contracts->core->ring, sleep);
}

/* --- the registry --- */

static void change_done(struct schema_change *change) {
    container_of(change, struct contracts, change)->answered = true;
}

static bool change_registry(struct contracts *contracts,
                            void (*make)(struct schema_change *change,
                                         struct schema_machine *machine),
                            struct error *error) {
    contracts->answered = false;
    contracts->change = (struct schema_change){.make = make, .done = change_done};
    registry_service_change(contracts->core->server->registry, &contracts->change);
    await_answer(contracts);
    return !contracts->change.failed ||
           error_set(error, 0,
                     "contracts: the registry's topic cannot be read or written; the log says why");
}

static void change_nothing(struct schema_change *change, struct schema_machine *machine) {
    (void)change;
    (void)machine;
}

/* A change waits until the registry is loaded. Where there is no topic, it is. */
static bool registry_await(struct contracts *contracts, struct error *error) {
    return contracts->core->schemas->loaded || change_registry(contracts, change_nothing, error);
}

static void change_schemas(struct schema_change *change, struct schema_machine *machine) {
    struct contracts *contracts = container_of(change, struct contracts, change);
    contracts->still_valid = contract_plan_write(&contracts->plan, machine);
}

static bool schemas_register(struct contracts *contracts, struct error *error) {
    while (contracts->plan.written < contracts->plan.count) {
        if (!change_registry(contracts, change_schemas, error)) return false;
        if (!contracts->still_valid)
            return error_set(error, 0,
                             "contracts: the registry has changed meanwhile; start again");
    }
    return true;
}

/* --- the topics --- */

static void topics_make(struct catalog_change *self, struct change *change) {
    struct contracts *contracts = container_of(self, struct contracts, topics);
    change_bind_topics(change, &contracts->topics_result);
}

static void topics_done(struct catalog_change *self) {
    container_of(self, struct contracts, topics)->answered = true;
}

static bool topics_bind(struct contracts *contracts, struct error *error) {
    const struct change_result *result = &contracts->topics_result;
    contracts->bindings = contracts->plan.bindings;
    contracts->answered = false;
    contracts->topics = (struct catalog_change){
        .make = topics_make, .done = topics_done, .arena = &contracts->arena};
    catalog_service_change(&contracts->topics, contracts->core);
    await_answer(contracts);
    enum error_code code = contracts->topics.code ? contracts->topics.code : result->code;
    const char *words = result->message ? result->message : error_code_message((int16_t)code);
    return code == ERROR_NONE ||
           error_set(error, 0, "contracts: the topics cannot be bound: %.180s", words);
}

/* --- the whole --- */

static bool refuse(struct contracts *contracts, struct error *error) {
    const char *at = contracts->problems.at;
    size_t count = 0;
    while (at && *at) {
        size_t len = strcspn(at, "\n");
        say_error("contracts: %.*s", (int)len, at);
        at += len + (at[len] == '\n');
        count++;
    }
    return error_set(error, 0,
                     "contracts: %.100s cannot be brought into force: %zu %s, said above; nothing "
                     "was changed. Correct the files, or start without the option contracts",
                     contracts->path, count, count == 1 ? "problem" : "problems");
}

static bool files_read(struct contracts *contracts) {
    const char *manifest = NULL;
    bool good = contract_folder_open(contracts->path, &contracts->folder, &contracts->problems);
    manifest = contracts->folder.manifest;
    if (manifest)
        good = contract_manifest_read(manifest, &contracts->arena, &contracts->manifest,
                                      &contracts->problems) &&
               good;
    return good;
}

static bool plan_make(struct contracts *contracts, struct error *error) {
    const struct core *core = contracts->core;
    return contract_plan_make(&contracts->plan, &contracts->folder, &contracts->manifest,
                              core->schemas, &core->catalog.defaults, &contracts->arena,
                              &contracts->problems) ||
           refuse(contracts, error);
}

static void say_done(const struct contracts *contracts, uint64_t began_ns) {
    say_info("contracts: %zu files of %s, %zu new versions of schemas, %zu topics bound, %lu ms",
             contracts->folder.count, contracts->path, contracts->plan.version_count,
             contracts->bindings.count,
             (unsigned long)((clock_monotonic_ns() - began_ns) / NS_PER_MS));
}

static bool bring_into_force(struct contracts *contracts, struct error *error) {
    uint64_t began_ns = clock_monotonic_ns();
    bool good = files_read(contracts) || refuse(contracts, error);
    if (good) good = registry_await(contracts, error);
    if (good) {
        good = plan_make(contracts, error) && schemas_register(contracts, error) &&
               topics_bind(contracts, error);
        if (good) say_done(contracts, began_ns);
        contract_plan_deinit(&contracts->plan);
    }
    contract_folder_close(&contracts->folder);
    text_deinit(&contracts->problems);
    return good;
}

bool contracts_begin_core(struct contracts *contracts, struct core *core, struct error *error) {
    if (!contracts) return true;
    if (core->index > 0) {
        while (!atomic_load(&contracts->over)) ring_round(core->ring, true);
        return true;
    }
    contracts->core = core;
    bool good = core->server->registry
                    ? bring_into_force(contracts, error)
                    : error_set(error, EINVAL,
                                "the option contracts needs the schema registry: give "
                                "registry-listen an address, or leave contracts out");
    atomic_store(&contracts->over, true);
    for (unsigned i = 1; i < contracts->core_count; i++)
        ring_post(core->server->cores[i].ring, &contracts->wakers[i]);
    return good;
}
