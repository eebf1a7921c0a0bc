#include "registry/topic_contract.h"

#include "protocol/batch_build.h"
#include "registry/batch_check.h"
#include "registry/view_fixture.h"

#define SHOP_1 \
    "syntax = \"proto3\"; package shop; message Order { string id = 1; \
int32 count = 2; } message Note { string text = 1; }"
#define SHOP_2 \
    "syntax = \"proto3\"; package shop; message Order { string id = 1; \
int32 count = 2; bool gift = 3; } message Note { string text = 1; }"
#define ONE "syntax = \"proto3\"; message One { int32 number = 1; }"

static struct view_fixture fixture;
static struct topic_config config;
static void setup(void) {
    struct options *options = options_new();
    view_fixture_init(&fixture);
    topic_config_defaults(options, &config);
    options_free(options);
    config.contracts[CONTRACT_OF_VALUE].own_level = CONTRACT_PAYLOAD;
}
static void teardown(void) { view_fixture_deinit(&fixture); }
TestSuite(topic_contract, .init = setup, .fini = teardown);

static struct contract_config *value_config(void) { return &config.contracts[CONTRACT_OF_VALUE]; }

/* NULL when the value is accepted, else why not. */
static const char *check_record_of(const struct record *record) {
    static char text[BREACH_TEXT_MAX];
    struct topic_contract contract;
    struct record_breach breach = {.index = 0, .part = CONTRACT_OF_VALUE};
    topic_contract_open(&contract, CONTRACT_OF_VALUE, value_config(), BYTES_OF("orders"),
                        fixture.view);
    bool first = topic_contract_check(&contract, record, &breach.breach);
    bool again = topic_contract_check(&contract, record, &breach.breach);
    cr_assert_eq(first, again, "what is remembered changes nothing");
    if (first) return NULL;
    struct bytes printed = record_breach_print(&breach, text);
    text[printed.len] = 0;
    return text + strlen("record 0: ");
}

static const char *check_value(struct bytes value) {
    return check_record_of(&(struct record){.value = value});
}

#define ACCEPTED(value)                                      \
    do {                                                     \
        const char *why_ = check_value(value);               \
        cr_expect_null(why_, "line %d: %s", __LINE__, why_); \
    } while (0)
#define REFUSED(value, words)                                               \
    do {                                                                    \
        const char *why_ = check_value(value);                              \
        cr_expect(why_ &&strcmp(why_, words) == 0, "line %d: %s", __LINE__, \
                  why_ ? why_ : "accepted");                                \
    } while (0)

/* id "a", count 1 */
#define ORDER  \
    "\x0a\x01" \
    "a\x10\x01"
#define FRAME(id, path) "\0\0\0\0" id path

Test(topic_contract, framed_by_prefix) {
    REFUSED(BYTES_OF(FRAME("\1", "\0") ORDER), "there is no schema with id 1");
    cr_assert_eq(view_fixture_register(&fixture, "orders-value", SHOP_1), 1);
    ACCEPTED(BYTES_OF(FRAME("\1", "\0") ORDER));
    ACCEPTED(BYTES_OF(FRAME("\1", "\2\2") "\x0a\x01n"));
    ACCEPTED(BYTES_OF(FRAME("\1", "\0") ORDER "\x20\x01"));
    REFUSED(BYTES_OF(FRAME("\1", "\0") "\x0a\x01"
                                       "a\x12\x01z"),
            "Order.count: expected varint (int32), found 1 bytes length-delimited (schema id 1)");
    REFUSED(BYTES_OF("hi"),
            "no schema id: the first byte is neither 0 (an id follows) nor 1 (a GUID follows); was "
            "it written without a serializer?");
    REFUSED(BYTES_OF(""), "empty: no schema id");
    REFUSED(BYTES_OF(FRAME("\1", "\2\10")),
            "the message indexes name no message of schema id 1 "
            "(schema id 1)");
    REFUSED(BYTES_OF("\0\xff\xff\xff\xff\0"), "there is no schema with id 4294967295");
    ACCEPTED(BYTES_NULL);
    value_config()->null = CONTRACT_NULL_REJECT;
    REFUSED(BYTES_NULL, "it is null, and millrace.value.null=reject");
}

Test(topic_contract, another_subjects_schema_is_refused) {
    view_fixture_register(&fixture, "orders-value", SHOP_1);
    cr_assert_eq(view_fixture_register(&fixture, "other-value", ONE), 2);
    REFUSED(BYTES_OF(FRAME("\2", "\0") "\x08\x01"),
            "schema id 2 is no version of subject \"orders-value\" (schema id 2)");
    value_config()->subject = "other-value";
    ACCEPTED(BYTES_OF(FRAME("\2", "\0") "\x08\x01"));
}

Test(topic_contract, hidden_versions_count_and_old_ones_may_not) {
    view_fixture_register(&fixture, "orders-value", SHOP_1);
    view_fixture_register(&fixture, "orders-value", SHOP_2);
    view_fixture_hide(&fixture, "orders-value", 1);
    ACCEPTED(BYTES_OF(FRAME("\1", "\0") ORDER));
    value_config()->versions = ">=2";
    REFUSED(BYTES_OF(FRAME("\1", "\0") ORDER),
            "version 1 of subject \"orders-value\" is not allowed: >=2 (schema id 1)");
    ACCEPTED(BYTES_OF(FRAME("\2", "\0") ORDER));
}

Test(topic_contract, messages_that_are_named) {
    view_fixture_register(&fixture, "orders-value", SHOP_1);
    value_config()->messages = "shop.Order, shop.Cart";
    ACCEPTED(BYTES_OF(FRAME("\1", "\0") ORDER));
    REFUSED(BYTES_OF(FRAME("\1", "\2\2") "\x0a\x01n"),
            "message shop.Note is not allowed, only shop.Order, shop.Cart (schema id 1)");
}

Test(topic_contract, subjects_by_record) {
    view_fixture_register(&fixture, "shop.Order", SHOP_1);
    value_config()->own_strategy = CONTRACT_BY_RECORD;
    ACCEPTED(BYTES_OF(FRAME("\1", "\0") ORDER));
    REFUSED(BYTES_OF(FRAME("\1", "\2\2") "\x0a\x01n"),
            "schema id 1 is no version of subject \"shop.Note\" (schema id 1)");
    value_config()->own_strategy = CONTRACT_BY_TOPIC_RECORD;
    REFUSED(BYTES_OF(FRAME("\1", "\0") ORDER),
            "schema id 1 is no version of subject \"orders-shop.Order\" (schema id 1)");
    view_fixture_register(&fixture, "orders-shop.Order", SHOP_1);
    ACCEPTED(BYTES_OF(FRAME("\1", "\0") ORDER));
}

Test(topic_contract, what_is_not_protobuf) {
    cr_assert_eq(view_fixture_register_avro(&fixture, "orders-value", "\"int\""), 1);
    cr_assert_eq(view_fixture_register_broken(&fixture, "orders-value", "1:1: no"), 2);
    REFUSED(BYTES_OF(FRAME("\1", "\x02")),
            "schema id 1 is AVRO, and only PROTOBUF payloads can be checked (schema id 1)");
    REFUSED(BYTES_OF(FRAME("\2", "\0")), "schema id 2 does not compile: 1:1: no (schema id 2)");
    value_config()->own_level = CONTRACT_SCHEMA_ID;
    ACCEPTED(BYTES_OF(FRAME("\1", "\x02")));
    ACCEPTED(BYTES_OF(FRAME("\1", "")));
    REFUSED(BYTES_OF(FRAME("\2", "\0")), "schema id 2 does not compile: 1:1: no (schema id 2)");
}

Test(topic_contract, the_last_header_wins) {
    view_fixture_register(&fixture, "orders-value", SHOP_1);
    struct record_header headers[] = {{BYTES_OF("__value_schema_id"), BYTES_OF("\0\0\0\0\7\0")},
                                      {BYTES_OF("__value_schema_id"), BYTES_OF("\0\0\0\0\1\0")}};
    uint8_t encoded[256];
    struct record record = {.value = BYTES_OF(ORDER), .header_count = 2};
    struct bytes rest = bytes_make(encoded, record_write(encoded, &record, headers));
    struct record read;
    cr_assert(record_next(&rest, &read) == RECORD_READ);
    cr_expect_null(check_record_of(&read));
    value_config()->framing = CONTRACT_HEADER;
    cr_expect_null(check_record_of(&read));
    REFUSED(BYTES_OF(FRAME("\1", "\0") ORDER), "there is no header __value_schema_id");
    record.header_count = 1;
    rest = bytes_make(encoded, record_write(encoded, &record, headers));
    cr_assert(record_next(&rest, &read) == RECORD_READ);
    cr_expect_str_eq(check_record_of(&read), "there is no schema with id 7");
}

Test(topic_contract, by_guid) {
    view_fixture_register(&fixture, "orders-value", SHOP_1);
    uint8_t value[17 + 1 + 5] = {1};
    memcpy(value + 1, fixture.view->by_id[0]->guid, SCHEMA_GUID_SIZE);
    memcpy(value + 18, ORDER, 5);
    ACCEPTED(bytes_make(value, sizeof value));
    value[5] ^= 1;
    REFUSED(bytes_make(value, sizeof value), "there is no schema with that GUID");
}

Test(topic_contract, raw_payloads) {
    value_config()->framing = CONTRACT_RAW;
    value_config()->messages = "shop.Order";
    REFUSED(BYTES_OF(ORDER), "subject \"orders-value\" has no version to check it with");
    view_fixture_register(&fixture, "orders-value", SHOP_1);
    ACCEPTED(BYTES_OF(ORDER));
    REFUSED(BYTES_OF("hi"), "Order.#13: field 13 is not in the schema (schema id 1)");
    REFUSED(BYTES_OF(ORDER "\x18\x01"), "Order.#3: field 3 is not in the schema (schema id 1)");
    view_fixture_register(&fixture, "orders-value", SHOP_2);
    ACCEPTED(BYTES_OF(ORDER "\x18\x01"));
    value_config()->versions = "latest";
    ACCEPTED(BYTES_OF(ORDER "\x18\x01"));
    view_fixture_hide(&fixture, "orders-value", 2);
    REFUSED(BYTES_OF(ORDER "\x18\x01"), "subject \"orders-value\" has no version to check it with");
}

/* --- judging --- */

static const char *judged(void) {
    static struct error error;
    error.text[0] = 0;
    bool good = topic_contract_judge(&config, BYTES_OF("orders"), fixture.view, &error);
    return good ? "good" : error.text;
}

Test(topic_contract, what_is_named_must_exist) {
    cr_expect_str_eq(judged(), "good", "a subject by strategy may come later");
    value_config()->subject = "shop";
    cr_expect_str_eq(judged(), "there is no subject \"shop\"; the registry has: none");
    view_fixture_register(&fixture, "orders-value", SHOP_1);
    cr_expect_str_eq(judged(), "there is no subject \"shop\"; the registry has: orders-value");
    value_config()->subject = "orders-value";
    cr_expect_str_eq(judged(), "good");
    value_config()->messages = "shop.Order,shop.Cart";
    cr_expect_str_eq(judged(),
                     "version 1 of \"orders-value\" has no message \"shop.Cart\"; it has: "
                     "shop.Order, shop.Note");
}

Test(topic_contract, raw_payloads_need_one_message) {
    view_fixture_register(&fixture, "orders-value", SHOP_1);
    value_config()->framing = CONTRACT_RAW;
    cr_expect_str_eq(judged(),
                     "name the message of raw payloads in millrace.value.message; it has: "
                     "shop.Order, shop.Note");
    view_fixture_register(&fixture, "one", ONE);
    value_config()->subject = "one";
    cr_expect_str_eq(judged(), "good");
}

Test(topic_contract, payloads_need_protobuf) {
    view_fixture_register_avro(&fixture, "orders-value", "\"int\"");
    cr_expect_str_eq(judged(),
                     "\"orders-value\" is AVRO, and only PROTOBUF payloads can be checked; "
                     "millrace.value.contract=schema-id checks the schema id alone");
    value_config()->own_level = CONTRACT_SCHEMA_ID;
    cr_expect_str_eq(judged(), "good");
}

Test(topic_contract, nothing_is_bound_while_the_registry_loads) {
    struct schema_view *empty = schema_view_new(NULL);
    struct error error;
    cr_expect_not(topic_contract_judge(&config, BYTES_OF("orders"), empty, &error));
    value_config()->own_level = CONTRACT_OFF;
    cr_expect(topic_contract_judge(&config, BYTES_OF("orders"), empty, &error));
    schema_view_drop(empty);
}
