#include "metadata/contract_config.h"

#include "metadata/change_fixture.h"

static struct fixture fixture;
static void setup(void) {
    fixture_init(&fixture);
    fixture_topic(&fixture, "t", 1);
}
static void teardown(void) { fixture_deinit(&fixture); }
TestSuite(contract_config, .init = setup, .fini = teardown);

static struct change_result set(const char *topic, const char *name, const char *value) {
    struct config_edit edit = {bytes_of_text(name), bytes_of_text(value), CONFIG_OPERATION_SET};
    struct config_wish wish = {CONFIG_RESOURCE_TOPIC, bytes_of_text(topic), false, 1, &edit};
    struct change_result result;
    change_alter_configs(&fixture.change, &wish, 1, &result);
    return result;
}

static const struct topic_config *config(void) {
    fixture_apply(&fixture, NULL);
    return &catalog_find_topic(&fixture.catalog, BYTES_OF("t"))->effective;
}

static const struct contract_config *value(void) { return &config()->contracts[CONTRACT_OF_VALUE]; }

static void assert_set(const char *name, const char *text) {
    struct change_result result = set("t", name, text);
    cr_assert(result.code == ERROR_NONE, "%s=%s: %s", name, text, result.message);
    fixture_apply(&fixture, NULL);
}

Test(contract_config, nothing_is_bound_at_first) {
    cr_assert_not(topic_config_has_contract(config()));
    cr_assert_str_eq(value()->subject, "");
    cr_assert_str_eq(value()->versions, "any");
}

Test(contract_config, takes_what_is_set) {
    uint64_t before = fixture.catalog.contracts;
    assert_set("millrace.value.contract", "payload");
    assert_set("millrace.value.framing", "raw");
    assert_set("millrace.value.subject", "orders-v");
    assert_set("millrace.value.message", "shop.Order");
    assert_set("millrace.value.versions", ">=7");
    assert_set("millrace.value.on.violation", "observe");
    struct contract_versions versions;
    contract_config_versions(value(), &versions);
    cr_assert(contract_config_level(value()) == CONTRACT_PAYLOAD);
    cr_assert(value()->framing == CONTRACT_RAW && value()->on_violation == CONTRACT_OBSERVE);
    cr_assert_str_eq(value()->subject, "orders-v");
    cr_assert_str_eq(value()->messages, "shop.Order");
    cr_assert(versions.minimum == 7 && !versions.latest);
    cr_assert(contract_config_level(&config()->contracts[CONTRACT_OF_KEY]) == CONTRACT_OFF);
    cr_assert_eq(fixture.catalog.contracts, before + 6);
    assert_set("retention.ms", "1000");
    cr_assert_eq(fixture.catalog.contracts, before + 6, "that is no contract");
}

Test(contract_config, unknown_fields_follow_the_framing) {
    cr_assert_not(contract_config_rejects_unknown(value()));
    assert_set("millrace.value.framing", "raw");
    cr_assert(contract_config_rejects_unknown(value()));
    assert_set("millrace.value.unknown.fields", "allow");
    cr_assert_not(contract_config_rejects_unknown(value()));
}

Test(contract_config, other_brokers_names) {
    assert_set("confluent.value.schema.validation", "true");
    cr_assert(contract_config_level(value()) == CONTRACT_SCHEMA_ID);
    assert_set("millrace.value.contract", "payload");
    cr_assert(contract_config_level(value()) == CONTRACT_PAYLOAD, "the stricter one");
    assert_set("redpanda.value.subject.name.strategy", "RecordNameStrategy");
    cr_assert(contract_config_strategy(value()) == CONTRACT_BY_RECORD);
    assert_set("confluent.value.subject.name.strategy",
               "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy");
    cr_assert(contract_config_strategy(value()) == CONTRACT_BY_TOPIC_RECORD);
    assert_set("redpanda.key.schema.id.validation", "true");
    cr_assert(contract_config_level(&config()->contracts[CONTRACT_OF_KEY]) == CONTRACT_SCHEMA_ID);
}

Test(contract_config, refuses_values) {
    ASSERT_REFUSED(set("t", "millrace.value.contract", "on"), INVALID_CONFIG);
    ASSERT_REFUSED(set("t", "millrace.value.versions", ">=0"), INVALID_CONFIG);
    ASSERT_REFUSED(set("t", "millrace.value.versions", ">= 1"), INVALID_CONFIG);
    ASSERT_REFUSED(set("t", "millrace.value.message", "a b"), INVALID_CONFIG);
    ASSERT_REFUSED(set("t", "millrace.value.subject", "a\nb"), INVALID_CONFIG);
    struct change_result result = set("t", "confluent.key.subject.name.strategy", "x");
    ASSERT_REFUSED(result, INVALID_CONFIG);
    cr_assert(strstr(result.message, "String must be one of: io.confluent"));
}

Test(contract_config, refuses_what_does_not_fit_together) {
    assert_set("millrace.value.contract", "payload");
    ASSERT_REFUSED(set("t", "millrace.value.versions", "latest"), INVALID_CONFIG);
    assert_set("millrace.value.framing", "raw");
    assert_set("millrace.value.versions", "latest");
    ASSERT_REFUSED(set("t", "millrace.value.contract", "schema-id"), INVALID_CONFIG);
    ASSERT_REFUSED(set("t", "millrace.value.message", "a.B,a.C"), INVALID_CONFIG);
    ASSERT_REFUSED(set("t", "millrace.value.subject.strategy", "record"), INVALID_CONFIG);
}

Test(contract_config, topics_of_the_broker_take_none) {
    struct change_result result;
    change_create_internal(&fixture.change, BYTES_OF("__consumer_offsets"), 1, NULL, 0, &result);
    cr_assert(result.code == ERROR_NONE);
    fixture_apply(&fixture, NULL);
    result = set("__consumer_offsets", "millrace.value.contract", "payload");
    ASSERT_REFUSED(result, INVALID_CONFIG);
    cr_assert(strstr(result.message, "no contract"));
}

static bool judge_none(void *context, struct bytes topic, const struct topic_config *config,
                       struct error *error) {
    (*(int *)context)++;
    cr_assert(bytes_equal_text(topic, "t") && topic_config_has_contract(config));
    return error_set(error, 0, "there is no such subject");
}

Test(contract_config, the_registry_is_asked) {
    int asked = 0;
    const struct contract_judge judge = {&asked, judge_none};
    assert_set("millrace.key.contract", "payload");
    fixture.change.contract_judge = &judge;
    struct change_result result = set("t", "millrace.value.contract", "payload");
    ASSERT_REFUSED(result, INVALID_CONFIG);
    cr_assert_str_eq(result.message, "there is no such subject");
    cr_assert(set("t", "retention.ms", "1").code == ERROR_NONE, "not about the contract");
    cr_assert(set("t", "millrace.key.contract", "off").code == ERROR_NONE);
    cr_assert_eq(asked, 1);
}

Test(contract_config, names_between_commas) {
    const char *rest = " a.B , ,c";
    struct bytes name;
    cr_assert(contract_names_next(&rest, &name) && bytes_equal_text(name, "a.B"));
    cr_assert(contract_names_next(&rest, &name) && bytes_equal_text(name, "c"));
    cr_assert_not(contract_names_next(&rest, &name));
}

Test(contract_config, a_list_of_messages_allows_its_own) {
    struct contract_config config = {.messages = "a.B, c"};
    cr_assert(contract_allows_message(&config, BYTES_OF("c")));
    cr_assert_not(contract_allows_message(&config, BYTES_OF("a")));
    config.messages = "";
    cr_assert(contract_allows_message(&config, BYTES_OF("a")), "any");
}
