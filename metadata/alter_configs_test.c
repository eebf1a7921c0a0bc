#include "metadata/change_fixture.h"

static struct fixture fixture;
static void setup(void) {
    fixture_init(&fixture);
    fixture_topic(&fixture, "t", 1);
}
static void teardown(void) { fixture_deinit(&fixture); }
TestSuite(alter_configs, .init = setup, .fini = teardown);

static struct change_result alter(int8_t type, const char *name, bool replace, int32_t count,
                                  const struct config_edit *edits) {
    struct config_wish wish = {type, bytes_of_text(name), replace, count, edits};
    struct change_result result;
    change_alter_configs(&fixture.change, &wish, 1, &result);
    return result;
}

static struct change_result edit(const char *name, int8_t operation, const char *value) {
    struct config_edit edit = {bytes_of_text(name), bytes_of_text(value), operation};
    return alter(CONFIG_RESOURCE_TOPIC, "t", false, 1, &edit);
}

static const struct catalog_topic *topic(void) {
    fixture_apply(&fixture, NULL);
    return catalog_find_topic(&fixture.catalog, BYTES_OF("t"));
}

static void assert_value(const char *name, const char *value) {
    const char *found = catalog_configs_find(&topic()->configs, bytes_of_text(name));
    if (value)
        cr_assert_str_eq(found, value);
    else
        cr_assert_null(found);
}

Test(alter_configs, set_and_delete) {
    cr_assert(edit("retention.ms", CONFIG_OPERATION_SET, "1000").code == ERROR_NONE);
    assert_value("retention.ms", "1000");
    cr_assert(topic()->effective.retention_ms == 1000);
    cr_assert(edit("retention.ms", CONFIG_OPERATION_DELETE, NULL).code == ERROR_NONE);
    assert_value("retention.ms", NULL);
    cr_assert(topic()->effective.retention_ms == fixture.options->retention_ms);
    cr_assert(edit("retention.ms", CONFIG_OPERATION_DELETE, NULL).code == ERROR_NONE);
    cr_assert(change_records_count(&fixture.records) == 0, "nothing to record");
}

Test(alter_configs, append_and_subtract_edit_lists) {
    cr_assert(edit("cleanup.policy", CONFIG_OPERATION_APPEND, "compact").code == ERROR_NONE);
    assert_value("cleanup.policy", "delete,compact");
    cr_assert(edit("cleanup.policy", CONFIG_OPERATION_APPEND, "compact").code == ERROR_NONE);
    assert_value("cleanup.policy", "delete,compact");
    cr_assert(edit("cleanup.policy", CONFIG_OPERATION_SUBTRACT, "delete").code == ERROR_NONE);
    assert_value("cleanup.policy", "compact");
    cr_assert(topic()->effective.cleanup_compact && !topic()->effective.cleanup_delete);
    ASSERT_REFUSED(edit("retention.ms", CONFIG_OPERATION_APPEND, "1"), INVALID_CONFIG);
}

Test(alter_configs, edits_are_checked) {
    ASSERT_REFUSED(edit("retention.msx", CONFIG_OPERATION_SET, "1"), INVALID_CONFIG);
    ASSERT_REFUSED(edit("retention.ms", CONFIG_OPERATION_SET, "x"), INVALID_CONFIG);
    ASSERT_REFUSED(edit("retention.ms", CONFIG_OPERATION_SET, NULL), INVALID_REQUEST);
    ASSERT_REFUSED(edit("retention.ms", 4, "1"), INVALID_REQUEST);
    ASSERT_REFUSED(edit("retention.ms", -1, "1"), INVALID_REQUEST);
    struct config_edit twice[] = {{BYTES_OF("retention.ms"), BYTES_OF("1"), 0},
                                  {BYTES_OF("retention.ms"), BYTES_OF("2"), 0}};
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_TOPIC, "t", false, 2, twice), INVALID_REQUEST);
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_TOPIC, "x", false, 1, twice), UNKNOWN_TOPIC_OR_PARTITION);
    cr_assert(change_records_count(&fixture.records) == 0);
}

Test(alter_configs, replacing_takes_away_what_is_not_named) {
    struct config_edit first[] = {{BYTES_OF("retention.ms"), BYTES_OF("1"), 0},
                                  {BYTES_OF("retention.bytes"), BYTES_OF("2"), 0}};
    struct config_edit second = {BYTES_OF("retention.bytes"), BYTES_OF("3"), 0};
    cr_assert(alter(CONFIG_RESOURCE_TOPIC, "t", true, 2, first).code == ERROR_NONE);
    assert_value("retention.ms", "1");
    cr_assert(alter(CONFIG_RESOURCE_TOPIC, "t", true, 1, &second).code == ERROR_NONE);
    cr_assert(change_records_count(&fixture.records) == 2, "one removed, one changed");
    assert_value("retention.ms", NULL);
    assert_value("retention.bytes", "3");
}

Test(alter_configs, validate_only_makes_no_records) {
    fixture.change.validate_only = true;
    cr_assert(edit("retention.ms", CONFIG_OPERATION_SET, "1000").code == ERROR_NONE);
    ASSERT_REFUSED(edit("retention.ms", CONFIG_OPERATION_SET, "x"), INVALID_CONFIG);
    cr_assert(change_records_count(&fixture.records) == 0);
}

Test(alter_configs, the_brokers_own) {
    struct config_edit edit = {BYTES_OF("log.retention.ms"), BYTES_OF("777"), 0};
    struct config_edit fixed = {BYTES_OF("node.id"), BYTES_OF("7"), 0};
    struct config_edit unknown = {BYTES_OF("no.such.thing"), BYTES_OF("7"), 0};
    struct config_edit wrong = {BYTES_OF("log.retention.ms"), BYTES_OF("soon"), 0};
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_BROKER, "2", false, 1, &edit), INVALID_REQUEST);
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_BROKER, "1", false, 1, &fixed), INVALID_REQUEST);
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_BROKER, "1", false, 1, &unknown), INVALID_CONFIG);
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_BROKER, "1", false, 1, &wrong), INVALID_CONFIG);
    cr_assert(alter(CONFIG_RESOURCE_BROKER, "", false, 1, &edit).code == ERROR_NONE);
    cr_assert(topic()->effective.retention_ms == 777);
    edit.operation = CONFIG_OPERATION_DELETE;
    cr_assert(alter(CONFIG_RESOURCE_BROKER, "1", false, 1, &edit).code == ERROR_NONE);
    cr_assert(topic()->effective.retention_ms == fixture.options->retention_ms);
}

Test(alter_configs, other_resources_say_why) {
    struct config_edit edit = {BYTES_OF("x"), BYTES_OF("y"), 0};
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_BROKER_LOGGER, "1", false, 1, &edit), INVALID_REQUEST);
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_CLIENT_METRICS, "m", false, 1, &edit), INVALID_REQUEST);
    ASSERT_REFUSED(alter(CONFIG_RESOURCE_GROUP, "g", false, 1, &edit), INVALID_CONFIG);
    ASSERT_REFUSED(alter(3, "g", false, 1, &edit), INVALID_REQUEST);
}

Test(alter_configs, a_resource_may_come_once) {
    struct config_edit edit = {BYTES_OF("retention.ms"), BYTES_OF("1"), 0};
    struct config_wish wishes[] = {{CONFIG_RESOURCE_TOPIC, BYTES_OF("t"), false, 1, &edit},
                                   {CONFIG_RESOURCE_TOPIC, BYTES_OF("t"), false, 1, &edit}};
    struct change_result results[2];
    change_alter_configs(&fixture.change, wishes, 2, results);
    ASSERT_REFUSED(results[0], INVALID_REQUEST);
    ASSERT_REFUSED(results[1], INVALID_REQUEST);
}
