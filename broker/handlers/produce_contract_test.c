/* When a verdict still holds on the shard's core, and when the batch is checked again there. */
#include "broker/handlers/produce_contract.h"

#include "metadata/change_fixture.h"
#include "protocol/batch_build.h"
#include "protocol/compress.h"
#include "registry/view_fixture.h"

#define ONE "syntax = \"proto3\"; message One { int32 number = 1; }"
#define TWO "syntax = \"proto3\"; message One { string number = 1; }"
#define NUMBER BYTES_OF("\x08\x01")

static struct fixture fixture;
static struct view_fixture registry;
static struct core here, there;
static struct byte_buffer batch;
static const struct validate_rules rules = {.decompressed_bytes_max = 1 << 20, .ratio_max = 100};

static void set(const char *name, const char *value) {
    struct config_edit edit = {bytes_of_text(name), bytes_of_text(value), CONFIG_OPERATION_SET};
    struct config_wish wish = {CONFIG_RESOURCE_TOPIC, BYTES_OF("t"), false, 1, &edit};
    struct change_result result;
    change_alter_configs(&fixture.change, &wish, 1, &result);
    cr_assert(result.code == ERROR_NONE, "%s", result.message);
    fixture_apply(&fixture, NULL);
}

/* Both cores see the same catalog; what differs is said by their numbers. */
static void catch_up(struct core *core) {
    core->catalog = fixture.catalog;
    core->schemas = registry.view;
}

static void setup(void) {
    fixture_init(&fixture);
    view_fixture_init(&registry);
    fixture_topic(&fixture, "t", 1);
    view_fixture_register(&registry, "t-value", ONE);
    set("millrace.value.framing", "raw");
    here = there = (struct core){0};
    there.inflater = inflater_new();
}

static void teardown(void) {
    inflater_free(there.inflater);
    byte_buffer_deinit(&batch);
    view_fixture_deinit(&registry);
    fixture_deinit(&fixture);
}
TestSuite(produce_contract, .init = setup, .fini = teardown);

static const struct catalog_topic *topic(void) {
    return catalog_find_topic(&fixture.catalog, BYTES_OF("t"));
}

static struct append append_of(struct bytes value, enum codec codec) {
    struct batch_build build;
    struct error error;
    struct append append = {0};
    batch_build_init(&build);
    batch_build_add(&build, 1, BYTES_NULL, value, NULL, 0);
    batch.len = 0;
    cr_assert(batch_build_finish(&build, codec, &batch, &error), "%s", error.text);
    batch_build_deinit(&build);
    append.batch = byte_buffer_bytes(&batch);
    cr_assert(batch_header_read(append.batch, &append.header));
    return append;
}

/* As on the connection's core; the batch is not compressed. */
static void check_here(struct produce_contract *contract, const struct append *append) {
    struct validate_result result = {.header = append->header,
                                     .records = batch_records(append->batch)};
    *contract = (struct produce_contract){0};
    if (produce_contract_begin(contract, &here, topic()))
        produce_contract_check(contract, &here, topic(), &result);
}

static enum error_code judge(struct produce_contract *contract, const struct append *append) {
    return produce_contract_judge(contract, &there, append, &rules);
}

Test(produce_contract, a_verdict_travels) {
    struct produce_contract contract;
    set("millrace.value.contract", "payload");
    catch_up(&here);
    catch_up(&there);
    struct append good = append_of(NUMBER, CODEC_NONE);
    check_here(&contract, &good);
    cr_expect(judge(&contract, &good) == ERROR_NONE);
    produce_contract_end(&contract);
    struct append bad = append_of(BYTES_OF("hi"), CODEC_NONE);
    check_here(&contract, &bad);
    cr_expect(judge(&contract, &bad) == ERROR_INVALID_RECORD);
    cr_expect(judge(&contract, &good) == ERROR_INVALID_RECORD, "nothing is looked at again");
    produce_contract_end(&contract);
}

Test(produce_contract, a_contract_set_meanwhile_counts) {
    struct produce_contract contract;
    catch_up(&here);
    struct append bad = append_of(BYTES_OF("hi"), CODEC_GZIP);
    check_here(&contract, &bad);
    cr_assert_not(contract.bound);
    set("millrace.value.contract", "payload");
    catch_up(&there);
    cr_expect(judge(&contract, &bad) == ERROR_INVALID_RECORD);
    cr_assert(contract.breaches && contract.breaches->bad_count == 1);
    cr_expect(judge(&contract, &bad) == ERROR_INVALID_RECORD, "asked twice, after a wait");
    produce_contract_end(&contract);
}

Test(produce_contract, a_contract_gone_meanwhile_does_not) {
    struct produce_contract contract;
    set("millrace.value.contract", "payload");
    catch_up(&here);
    struct append bad = append_of(BYTES_OF("hi"), CODEC_NONE);
    check_here(&contract, &bad);
    cr_assert(contract.breaches);
    set("millrace.value.contract", "off");
    catch_up(&there);
    cr_expect(judge(&contract, &bad) == ERROR_NONE);
    produce_contract_end(&contract);
}

Test(produce_contract, newer_schemas_count) {
    struct produce_contract contract;
    set("millrace.value.contract", "payload");
    set("millrace.value.versions", "latest");
    catch_up(&here);
    struct schema_view *older = schema_view_hold(registry.view);
    struct append number = append_of(NUMBER, CODEC_NONE);
    check_here(&contract, &number);
    view_fixture_register(&registry, "t-value", TWO);
    catch_up(&there);
    cr_expect(judge(&contract, &number) == ERROR_INVALID_RECORD, "a number is no string");
    produce_contract_end(&contract);
    /* The other way round: what is known here is newer than what the shard knows. */
    here.schemas = registry.view;
    there.schemas = older;
    check_here(&contract, &number);
    cr_expect(judge(&contract, &number) == ERROR_INVALID_RECORD);
    produce_contract_end(&contract);
    schema_view_drop(older);
}

Test(produce_contract, a_topic_that_is_gone) {
    struct produce_contract contract;
    catch_up(&here);
    struct append any = append_of(NUMBER, CODEC_NONE);
    check_here(&contract, &any);
    set("millrace.value.contract", "payload");
    catch_up(&there);
    contract.topic_id.raw[0] ^= 1;
    cr_expect(judge(&contract, &any) == ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    produce_contract_end(&contract);
}

Test(produce_contract, what_a_worker_reads_outlives_the_catalogs_texts) {
    struct produce_contract contract = {0};
    set("millrace.value.subject", "t-value");
    set("millrace.value.contract", "payload");
    catch_up(&here);
    struct append bad = append_of(BYTES_OF("hi"), CODEC_NONE);
    cr_assert(produce_contract_begin(&contract, &here, topic()));
    produce_contract_lend(&contract, &here, topic());
    set("millrace.value.subject", "t-value"); /* the old text is freed */
    set("millrace.value.versions", "latest");
    struct validate_result result = {.header = bad.header, .records = batch_records(bad.batch)};
    produce_contract_check_lent(&contract, &result);
    cr_expect(contract.breaches && contract.breaches->bad_count == 1);
    produce_contract_end(&contract);
}

Test(produce_contract, a_single_bad_record_is_named_twice) {
    struct produce_contract contract;
    struct produce_response_partition_produce_response out = {0};
    struct arena arena;
    set("millrace.value.contract", "payload");
    catch_up(&here);
    struct append bad = append_of(BYTES_OF("hi"), CODEC_NONE);
    check_here(&contract, &bad);
    arena_init(&arena, 1 << 20);
    produce_contract_explain(&contract, &arena, &out);
    cr_expect_eq(out.record_errors_count, 1, "it has no mates");
    contract.breaches->record_count = 2;
    produce_contract_explain(&contract, &arena, &out);
    cr_assert_eq(out.record_errors_count, 2);
    cr_expect(out.record_errors[0].batch_index == 0 && out.record_errors[1].batch_index == 0);
    arena_deinit(&arena);
    arena_init(&arena, 1);
    out = (struct produce_response_partition_produce_response){0};
    produce_contract_explain(&contract, &arena, &out);
    cr_expect_eq(out.record_errors_count, 0, "no room: the code has to do");
    arena_deinit(&arena);
    produce_contract_end(&contract);
}
