#include "metadata/group_config.h"

#include "metadata/change_fixture.h"

#define GROUP BYTES_OF("workers")
#define SESSION "consumer.session.timeout.ms"
#define HEARTBEAT "consumer.heartbeat.interval.ms"

static struct change_result alter(struct fixture *fixture, struct bytes group, const char *name,
                                  const char *value, bool replace) {
    const struct config_edit edit = {
        .name = bytes_of_text(name),
        .value = bytes_of_text(value),
        .operation = value ? CONFIG_OPERATION_SET : CONFIG_OPERATION_DELETE};
    const struct config_wish wish = {.type = CONFIG_RESOURCE_GROUP,
                                     .name = group,
                                     .replace = replace,
                                     .edit_count = 1,
                                     .edits = &edit};
    struct change_result result;
    change_alter_configs(&fixture->change, &wish, 1, &result);
    return result;
}

static int64_t session_of(const struct fixture *fixture, struct bytes group) {
    return group_config_value(&fixture->catalog, group, GROUP_CONFIG_CONSUMER_SESSION_MS);
}

Test(group_config, a_group_has_its_own_or_the_brokers) {
    struct fixture fixture;
    fixture_init(&fixture);
    cr_assert_eq(session_of(&fixture, GROUP), 45000);
    cr_assert_eq(alter(&fixture, GROUP, SESSION, "50000", false).code, ERROR_NONE);
    fixture_apply(&fixture, NULL);
    cr_assert_eq(session_of(&fixture, GROUP), 50000);
    cr_assert_eq(session_of(&fixture, BYTES_OF("others")), 45000);
    cr_assert_eq(alter(&fixture, GROUP, SESSION, NULL, false).code, ERROR_NONE);
    fixture_apply(&fixture, NULL);
    cr_assert_eq(session_of(&fixture, GROUP), 45000);
    cr_assert_null(catalog_group_configs(&fixture.catalog, GROUP));
    fixture_deinit(&fixture);
}

Test(group_config, what_does_not_fit_is_refused) {
    struct fixture fixture;
    fixture_init(&fixture);
    ASSERT_REFUSED(alter(&fixture, GROUP, SESSION, "44999", false), INVALID_CONFIG);
    ASSERT_REFUSED(alter(&fixture, GROUP, SESSION, "60001", false), INVALID_CONFIG);
    ASSERT_REFUSED(alter(&fixture, GROUP, SESSION, "soon", false), INVALID_CONFIG);
    ASSERT_REFUSED(alter(&fixture, GROUP, "consumer.assignment.interval.ms", "15001", false),
                   INVALID_CONFIG);
    ASSERT_REFUSED(alter(&fixture, GROUP, "session.timeout.ms", "50000", false), INVALID_CONFIG);
    ASSERT_REFUSED(alter(&fixture, BYTES_OF(""), SESSION, "50000", false), INVALID_REQUEST);
    fixture.options->consumer_session_ms_min = 1;
    fixture.catalog.options->consumer_session_ms_min = 1;
    ASSERT_REFUSED(alter(&fixture, GROUP, SESSION, "5000", false), INVALID_CONFIG);
    cr_assert_eq(change_records_count(&fixture.records), 0);
    fixture_deinit(&fixture);
}

Test(group_config, an_image_has_them) {
    struct fixture fixture;
    fixture_init(&fixture);
    cr_assert_eq(alter(&fixture, GROUP, SESSION, "50000", true).code, ERROR_NONE);
    cr_assert_eq(alter(&fixture, BYTES_OF("b"), HEARTBEAT, "6000", false).code, ERROR_NONE);
    fixture_apply(&fixture, NULL);
    struct byte_buffer image = {0};
    struct catalog copy;
    struct error error;
    catalog_image(&fixture.catalog, 1000, &image);
    catalog_init(&copy, fixture.options);
    cr_assert(catalog_apply(&copy, byte_buffer_bytes(&image), NULL, &error), "%s", error.text);
    cr_assert_eq(group_config_value(&copy, GROUP, GROUP_CONFIG_CONSUMER_SESSION_MS), 50000);
    cr_assert_eq(group_config_value(&copy, BYTES_OF("b"), GROUP_CONFIG_CONSUMER_HEARTBEAT_MS),
                 6000);
    cr_assert_eq(copy.groups_by_name.count, 2);
    byte_buffer_deinit(&image);
    catalog_deinit(&copy);
    fixture_deinit(&fixture);
}
