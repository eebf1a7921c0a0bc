/* The registry on a log in the simulated world: what another registry has written there, compressed
 * and partly broken, its own records, and both again after a restart. */
#include "registry/schema_machine.h"

#include "coordinator/log_fixture.h"
#include "protocol/batch_build.h"

struct world {
    struct sim *sim;
    struct ring *ring;
    struct data_directory directory;
    struct store *store;
    struct coordinator_host *host;
    struct coordinator *coordinator;
    struct schema_machine_owner owner;
    struct subjects *subjects; /* once loaded */
};

static struct world world;

static void on_loaded(struct schema_machine_owner *owner, struct subjects *subjects) {
    container_of(owner, struct world, owner)->subjects = subjects;
}

static void open_store(void) {
    world.ring = sim_ring_new(world.sim);
    world.host = coordinator_host_new(world.ring, NULL);
    world.store = log_store_open(world.sim, world.ring, &world.directory);
}

static void load(void) {
    world.subjects = NULL;
    world.owner.loaded = on_loaded;
    world.coordinator = coordinator_open(world.host, store_find_partition(world.store, LOG_ID),
                                         &schema_machine_kind, &world.owner);
    while (!world.subjects) log_step(world.sim);
}

static void stop(void) {
    coordinator_stop(world.coordinator);
    while (coordinator_is_busy(world.coordinator)) log_step(world.sim);
    coordinator_free(world.coordinator);
    coordinator_host_free(world.host);
    log_store_close(world.sim, world.ring, world.store, &world.directory);
}

/* --- what somebody else wrote --- */

static void on_appended(struct append *append) { append->batch = BYTES_NULL; }

static void append_foreign(const char *const records[][2], size_t count, enum codec codec) {
    struct batch_build build;
    struct byte_buffer batch = {0};
    struct error error;
    batch_build_init(&build);
    for (size_t i = 0; i < count; i++)
        batch_build_add(&build, 1, bytes_of_text(records[i][0]), bytes_of_text(records[i][1]), NULL,
                        0);
    cr_assert(batch_build_finish(&build, codec, &batch, &error));
    struct append append = {
        .batch = byte_buffer_bytes(&batch), .append_time_ms = -1, .done = on_appended};
    cr_assert(batch_header_read(append.batch, &append.header));
    list_init(&append.link);
    cr_assert_eq(partition_append(store_find_partition(world.store, LOG_ID), &append),
                 APPEND_PENDING);
    ring_round(world.ring, false);
    while (append.batch.at) log_step(world.sim);
    byte_buffer_deinit(&batch);
    batch_build_deinit(&build);
}

static const char *const foreign[][2] = {
    {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1,\"magic\":1}",
     "{\"subject\":\"a\",\"version\":1,\"id\":7,\"schema\":\"\\\"int\\\"\",\"deleted\":false}"},
    {"not JSON at all", "{}"},
    {"{\"keytype\":\"CONTEXT\",\"tenant\":\"default\",\"context\":\".\",\"magic\":0}", "{}"},
    {"{\"keytype\":\"NOOP\",\"magic\":0}", NULL},
    {"{\"keytype\":\"CONFIG\",\"subject\":\"a\",\"magic\":0}", "{\"compatibilityLevel\":\"FULL\"}"},
};

/* --- a call of ours --- */

struct write_call {
    struct coordinator_call call;
    bool done;
};

static void call_run(struct coordinator_call *call, void *state) {
    struct schema_machine *machine = (struct schema_machine *)state;
    struct schema_entry entry = {.type = SCHEMA_TYPE_AVRO, .schema = BYTES_OF("\"long\"")};
    struct schema *schema = schema_new(BYTES_OF("."), &entry);
    struct schema_record record;
    subjects_prepare_register(schema_machine_subjects(machine), BYTES_OF("b"), schema, &record);
    schema_machine_write(machine, &record, schema);
    const struct schema_record gone = {
        .kind = SCHEMA_RECORD_SCHEMA, .subject = BYTES_OF("a"), .version = 1, .tombstone = true};
    schema_machine_write(machine, &gone, NULL);
    schema_drop(schema);
    coordinator_finish(call, coordinator_end(world.coordinator));
}

static void call_done(struct coordinator_call *call) {
    cr_assert_eq(call->code, ERROR_NONE);
    container_of(call, struct write_call, call)->done = true;
}

static void expect_state(void) {
    const struct subjects *subjects = world.subjects;
    const struct subject *b = subjects_find(subjects, BYTES_OF("b"), false);
    cr_assert_not_null(b);
    cr_expect_eq(subject_find_version(b, -1, false)->entry.id, 8, "above what was there");
    cr_expect_null(subjects_find(subjects, BYTES_OF("a"), true));
    cr_expect_eq(subjects_level(subjects, BYTES_OF("a")), COMPATIBILITY_FULL);
}

/* --- the image --- */

enum { VERSIONS = 60, VERSION_BYTES = 10000 };

static void versions_add(struct schema_machine *machine) {
    static char text[VERSION_BYTES];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < VERSIONS; i++) {
        snprintf(text, sizeof text, "%d", i);
        struct schema_entry entry = {.type = SCHEMA_TYPE_AVRO,
                                     .schema = bytes_make(text, sizeof text)};
        struct schema *schema = schema_new(BYTES_OF("."), &entry);
        struct schema_record record;
        subjects_prepare_register(schema_machine_subjects(machine), BYTES_OF("b"), schema, &record);
        schema_machine_write(machine, &record, schema);
        schema_drop(schema);
    }
}

/* A version that was written goes meanwhile: none of the others is left out. */
static void image_run(struct coordinator_call *call, void *state) {
    const struct schema_record gone = {
        .kind = SCHEMA_RECORD_SCHEMA, .subject = BYTES_OF("b"), .version = 1, .tombstone = true};
    int64_t written = 0, before;
    int steps = 0;
    versions_add((struct schema_machine *)state);
    schema_machine_kind.image_begin(state);
    for (bool more = true; more; steps++) {
        before = coordinator_end(world.coordinator);
        more = schema_machine_kind.image_step(state);
        int64_t count = coordinator_end(world.coordinator) - before;
        cr_assert(count > 0 && count < 40, "%lld records in a step", (long long)count);
        written += count;
        if (steps == 0) schema_machine_write((struct schema_machine *)state, &gone, NULL);
    }
    cr_assert_eq(written, 1 + VERSIONS, "%lld and the highest id", (long long)written - 1);
    cr_assert_gt(steps, 2);
    coordinator_finish(call, coordinator_end(world.coordinator));
}

Test(schema_machine, an_image_is_written_in_pieces, .timeout = 300) {
    struct write_call write = {.call = {.run = image_run, .done = call_done, .writes = true}};
    world.sim = sim_new(8);
    open_store();
    load();
    coordinator_submit(world.coordinator, &write.call);
    ring_round(world.ring, false);
    while (!write.done) log_step(world.sim);
    stop();
    sim_free(world.sim);
}

Test(schema_machine, others_records_are_read_and_ours_are_added, .timeout = 300) {
    world.sim = sim_new(7);
    open_store();
    append_foreign(foreign, 2, CODEC_NONE);
    append_foreign(foreign + 2, array_count(foreign) - 2, CODEC_GZIP);
    load();
    const struct subject *a = subjects_find(world.subjects, BYTES_OF("a"), false);
    cr_assert_not_null(a, "what is broken was passed over");
    cr_expect_eq(subject_find_version(a, 1, false)->entry.id, 7);
    struct write_call write = {.call = {.run = call_run, .done = call_done, .writes = true}};
    coordinator_submit(world.coordinator, &write.call);
    ring_round(world.ring, false);
    while (!write.done) log_step(world.sim);
    expect_state();
    stop();
    open_store();
    load();
    expect_state();
    stop();
    sim_free(world.sim);
}
