#include "metadata/change_fixture.h"

static struct fixture fixture;
static void setup(void) { fixture_init(&fixture); }
static void teardown(void) { fixture_deinit(&fixture); }
TestSuite(bind_topics, .init = setup, .fini = teardown);

static const struct config_edit bound[] = {
    {BYTES_OF("millrace.value.contract"), BYTES_OF("payload"), CONFIG_OPERATION_SET},
    {BYTES_OF("millrace.value.message"), BYTES_OF("shop.Order"), CONFIG_OPERATION_SET},
    {BYTES_OF("millrace.value.null"), BYTES_NULL, CONFIG_OPERATION_DELETE},
};
static const struct config_edit broken[] = {
    {BYTES_OF("millrace.value.contract"), BYTES_OF("nothing"), CONFIG_OPERATION_SET},
};

static void binds(const struct topic_bindings *bindings, struct change_result *result) {
    fixture.change.bindings = bindings;
    change_bind_topics(&fixture.change, result);
}

static const char *config_of(const char *topic, const char *name) {
    const struct catalog_topic *found = catalog_find_topic(&fixture.catalog, bytes_of_text(topic));
    cr_assert_not_null(found);
    return catalog_configs_find(&found->configs, bytes_of_text(name));
}

Test(bind_topics, one_that_is_there_is_changed_once) {
    const struct topic_binding binding = {BYTES_OF("orders"), bound, 3};
    const struct topic_bindings bindings = {&binding, 1};
    struct change_result result;
    fixture_topic(&fixture, "orders", 1);
    const struct config_edit set = {BYTES_OF("millrace.value.null"), BYTES_OF("reject"), 0};
    const struct config_wish before = {
        .type = CONFIG_RESOURCE_TOPIC, .name = BYTES_OF("orders"), .edit_count = 1, .edits = &set};
    change_alter_configs(&fixture.change, &before, 1, &result);
    fixture_apply(&fixture, NULL);
    binds(&bindings, &result);
    cr_assert_eq(result.code, ERROR_NONE, "%s", result.message);
    fixture_apply(&fixture, NULL);
    cr_expect_str_eq(config_of("orders", "millrace.value.contract"), "payload");
    cr_expect_null(config_of("orders", "millrace.value.null"), "what is not said is the default");
    binds(&bindings, &result);
    cr_expect_eq(result.code, ERROR_NONE);
    cr_expect_eq(change_records_count(&fixture.records), 0, "nothing is new");
}

Test(bind_topics, one_that_comes_later_is_created_with_it) {
    const struct topic_binding binding = {BYTES_OF("orders"), bound, 3};
    const struct topic_bindings bindings = {&binding, 1};
    const struct bytes names[] = {BYTES_OF("orders"), BYTES_OF("others")};
    struct change_result results[2];
    fixture.change.bindings = &bindings;
    change_auto_create(&fixture.change, names, 2, results);
    cr_assert(results[0].code == ERROR_NONE && results[1].code == ERROR_NONE);
    fixture_apply(&fixture, NULL);
    cr_expect_str_eq(config_of("orders", "millrace.value.message"), "shop.Order");
    cr_expect_null(config_of("others", "millrace.value.message"));
}

Test(bind_topics, who_creates_it_may_say_otherwise) {
    const struct topic_binding binding = {BYTES_OF("orders"), bound, 3};
    const struct topic_bindings bindings = {&binding, 1};
    const struct config_edit own = {BYTES_OF("millrace.value.message"), BYTES_OF("shop.Note"), 0};
    const struct topic_wish wish = {BYTES_OF("orders"), 1, -1, 0, NULL, 1, &own};
    fixture.change.bindings = &bindings;
    struct topic_outcome outcome = fixture_create(&fixture, &wish);
    cr_assert_eq(outcome.result.code, ERROR_NONE, "%s", outcome.result.message);
    fixture_apply(&fixture, NULL);
    cr_expect_str_eq(config_of("orders", "millrace.value.message"), "shop.Note");
    cr_expect_str_eq(config_of("orders", "millrace.value.contract"), "payload");
}

Test(bind_topics, all_or_none) {
    const struct topic_binding items[] = {{BYTES_OF("a"), bound, 3}, {BYTES_OF("b"), broken, 1}};
    const struct topic_bindings bindings = {items, 2};
    struct change_result result;
    fixture_topic(&fixture, "a", 1);
    fixture_topic(&fixture, "b", 1);
    binds(&bindings, &result);
    ASSERT_REFUSED(result, INVALID_CONFIG);
    cr_expect(strstr(result.message, "topic b: "), "%s", result.message);
    cr_expect_eq(change_records_count(&fixture.records), 0);
}
