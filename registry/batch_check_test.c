#include "registry/batch_check.h"

#include "protocol/batch_build.h"
#include "registry/view_fixture.h"

#define ONE "syntax = \"proto3\"; message One { int32 number = 1; }"
#define GOOD BYTES_OF("\0\0\0\0\1\0\x08\x01")
#define BAD BYTES_OF("\0\0\0\0\1\0\x0a\x01z")

static struct view_fixture fixture;
static struct topic_config config;
static struct batch_build build;
static void setup(void) {
    struct options *options = options_new();
    view_fixture_init(&fixture);
    topic_config_defaults(options, &config);
    options_free(options);
    view_fixture_register(&fixture, "t-value", ONE);
    view_fixture_register(&fixture, "t-key", ONE);
    config.contracts[CONTRACT_OF_VALUE].own_level = CONTRACT_PAYLOAD;
    batch_build_init(&build);
}
static void teardown(void) {
    batch_build_deinit(&build);
    view_fixture_deinit(&fixture);
}
TestSuite(batch_check, .init = setup, .fini = teardown);

static void add(struct bytes key, struct bytes value) {
    batch_build_add(&build, 1, key, value, NULL, 0);
}

static struct batch_breaches *checked(void) {
    return batch_check(&config, BYTES_OF("t"), fixture.view, byte_buffer_bytes(&build.records),
                       build.header.record_count);
}

static void assert_told(const struct record_breach *breach, const char *words) {
    char text[BREACH_TEXT_MAX];
    struct bytes printed = record_breach_print(breach, text);
    cr_assert(bytes_equal_text(printed, words), "%.*s", BYTES_FORMAT(printed));
}

Test(batch_check, good_ones_allocate_nothing) {
    for (int i = 0; i < 100; i++) add(BYTES_OF("k"), GOOD);
    cr_assert_null(checked());
}

Test(batch_check, every_record_counts_whatever_its_place) {
    for (int bad = 0; bad < 3; bad++) {
        batch_build_restart(&build);
        for (int i = 0; i < 3; i++) add(BYTES_NULL, i == bad ? BAD : GOOD);
        struct batch_breaches *breaches = checked();
        cr_assert(breaches && breaches->bad_count == 1 && breaches->listed_count == 1);
        cr_assert_eq(breaches->listed[0], bad);
        batch_breaches_free(breaches);
    }
}

Test(batch_check, lists_all_and_tells_of_the_first) {
    for (int i = 0; i < 2 * BATCH_BREACHES_LISTED + 10; i++) add(BYTES_NULL, i % 2 ? BAD : GOOD);
    struct batch_breaches *breaches = checked();
    cr_assert_eq(breaches->bad_count, BATCH_BREACHES_LISTED + 5);
    cr_assert_eq(breaches->listed_count, BATCH_BREACHES_LISTED);
    cr_assert_eq(breaches->told_count, BATCH_BREACHES_TOLD);
    for (int i = 0; i < BATCH_BREACHES_LISTED; i++) cr_assert_eq(breaches->listed[i], 2 * i + 1);
    assert_told(&breaches->told[1],
                "record 3: One.number: expected varint (int32), found 1 bytes length-delimited "
                "(schema id 1)");
    batch_breaches_free(breaches);
}

Test(batch_check, keys_have_contracts_too) {
    config.contracts[CONTRACT_OF_KEY].own_level = CONTRACT_PAYLOAD;
    add(BYTES_OF("k"), BAD);
    struct batch_breaches *breaches = checked();
    cr_assert_eq(breaches->bad_count, 1, "a record is told of once");
    cr_assert(strstr((char *)breaches->told[0].breach.reason, "no schema id"));
    cr_assert_eq(breaches->told[0].part, CONTRACT_OF_KEY);
    batch_breaches_free(breaches);
    batch_build_restart(&build);
    add(BYTES_NULL, GOOD);
    add(GOOD, BYTES_NULL);
    cr_assert_null(checked());
}

Test(batch_check, what_is_observed_is_not_bad) {
    config.contracts[CONTRACT_OF_VALUE].on_violation = CONTRACT_OBSERVE;
    for (int i = 0; i < 6; i++) add(BYTES_OF("k"), BAD);
    struct batch_breaches *breaches = checked();
    cr_assert(breaches->bad_count == 0 && breaches->seen_count == 6);
    cr_assert_eq(breaches->shown_count, BATCH_BREACHES_SEEN);
    batch_breaches_free(breaches);
    config.contracts[CONTRACT_OF_KEY].own_level = CONTRACT_SCHEMA_ID;
    breaches = checked();
    cr_assert(breaches->bad_count == 6 && breaches->seen_count == 0, "the key's rejects");
    batch_breaches_free(breaches);
}

Test(batch_check, payloads_are_told_as_far_as_the_topic_says) {
    add(BYTES_NULL, BAD);
    add(BYTES_NULL, BYTES_OF("h"));
    struct batch_breaches *breaches = checked();
    cr_expect_eq(record_breach_payload(breaches, &breaches->told[0]).len, 0, "not by itself");
    cr_expect_null(breaches->payloads.at);
    batch_breaches_free(breaches);
    config.rejects_bytes = 4;
    breaches = checked();
    struct bytes first = record_breach_payload(breaches, &breaches->told[0]);
    cr_expect(bytes_equal(first, bytes_make(BAD.at, 4)));
    cr_expect_eq(breaches->told[0].payload_size, BAD.len);
    cr_expect(bytes_equal_text(record_breach_payload(breaches, &breaches->told[1]), "h"));
    batch_breaches_free(breaches);
    config.contracts[CONTRACT_OF_KEY].own_level = CONTRACT_PAYLOAD;
    add(BYTES_OF("a key"), GOOD);
    breaches = checked();
    first = record_breach_payload(breaches, &breaches->told[2]);
    cr_expect(bytes_equal_text(first, "a ke"), "of the key where that is bad");
    batch_breaches_free(breaches);
}
