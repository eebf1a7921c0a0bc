/* Deletions, more partitions, producer ids. Creation and configs have files of their own. */
#include "metadata/change_fixture.h"

static struct fixture fixture;
static void setup(void) { fixture_init(&fixture); }
static void teardown(void) { fixture_deinit(&fixture); }
TestSuite(change, .init = setup, .fini = teardown);

static struct delete_outcome delete_one(struct bytes name, struct uuid id) {
    struct delete_wish wish = {name, id};
    struct delete_outcome outcome;
    change_delete_topics(&fixture.change, &wish, 1, &outcome);
    return outcome;
}

Test(change, topics_are_deleted_by_name_and_by_id) {
    struct uuid none = {0}, id;
    fixture_topic(&fixture, "a", 1);
    id = fixture_topic(&fixture, "b", 1)->id;
    struct delete_outcome outcome = delete_one(BYTES_OF("a"), none);
    cr_assert(outcome.result.code == ERROR_NONE && !uuid_is_zero(&outcome.id));
    outcome = delete_one(BYTES_NULL, id);
    cr_assert(outcome.result.code == ERROR_NONE && bytes_equal_text(outcome.name, "b"));
    fixture_apply(&fixture, NULL);
    cr_assert(fixture.catalog.topics_by_name.count == 0);
    cr_assert(bytes_equal_text(outcome.name, "b"), "copied, not pointed at");
    const struct catalog_topic *again = fixture_topic(&fixture, "b", 1);
    cr_assert(!uuid_equal(&again->id, &id) && again->partitions[0].id == 3);
}

Test(change, deletions_are_checked) {
    struct uuid none = {0}, id, unknown;
    uuid_make(&unknown);
    id = fixture_topic(&fixture, "a", 1)->id;
    ASSERT_REFUSED(delete_one(BYTES_OF("x"), none).result, UNKNOWN_TOPIC_OR_PARTITION);
    struct delete_outcome outcome = delete_one(BYTES_NULL, unknown);
    ASSERT_REFUSED(outcome.result, UNKNOWN_TOPIC_ID);
    cr_assert(bytes_is_null(outcome.name) && uuid_equal(&outcome.id, &unknown));
    ASSERT_REFUSED(delete_one(BYTES_NULL, none).result, INVALID_REQUEST);
    ASSERT_REFUSED(delete_one(BYTES_OF("a"), id).result, INVALID_REQUEST);
    cr_assert(change_records_count(&fixture.records) == 0);
    fixture.catalog.options->delete_topic_enable = false;
    ASSERT_REFUSED(delete_one(BYTES_OF("a"), none).result, TOPIC_DELETION_DISABLED);
}

Test(change, a_topic_is_deleted_once_per_request) {
    struct uuid id = fixture_topic(&fixture, "a", 1)->id;
    struct delete_wish wishes[] = {{.name = BYTES_OF("a")}, {.name = BYTES_NULL, .id = id}};
    struct delete_outcome outcomes[2];
    change_delete_topics(&fixture.change, wishes, 2, outcomes);
    cr_assert(outcomes[0].result.code == ERROR_NONE);
    ASSERT_REFUSED(outcomes[1].result, INVALID_REQUEST);
    fixture_apply(&fixture, NULL);
}

static struct change_result grow_one(struct partitions_wish wish) {
    struct change_result result;
    change_create_partitions(&fixture.change, &wish, 1, &result);
    return result;
}

Test(change, topics_grow) {
    const struct catalog_topic *topic = fixture_topic(&fixture, "a", 2);
    cr_assert(grow_one((struct partitions_wish){BYTES_OF("a"), 5, -1, NULL}).code == ERROR_NONE);
    fixture_apply(&fixture, NULL);
    cr_assert(topic->partition_count == 5 && topic->partitions[4].index == 4);
    cr_assert(topic->partitions[4].id == 5 && topic->partitions[2].shard == 2);
}

Test(change, growth_is_checked) {
    static const int32_t us[] = {1}, them[] = {7};
    struct partition_assignment good[] = {{0, 1, us}}, bad[] = {{0, 1, them}};
    fixture_topic(&fixture, "a", 2);
    struct partitions_wish wish = {BYTES_OF("a"), 2, -1, NULL};
    ASSERT_REFUSED(grow_one(wish), INVALID_PARTITIONS);
    wish.count = 1;
    ASSERT_REFUSED(grow_one(wish), INVALID_PARTITIONS);
    wish.count = INT32_MAX;
    ASSERT_REFUSED(grow_one(wish), POLICY_VIOLATION);
    wish.count = 4;
    wish.assignment_count = 1;
    wish.assignments = good;
    ASSERT_REFUSED(grow_one(wish), INVALID_REPLICA_ASSIGNMENT);
    wish.count = 3;
    wish.assignments = bad;
    ASSERT_REFUSED(grow_one(wish), INVALID_REPLICA_ASSIGNMENT);
    wish.assignments = good;
    fixture.change.validate_only = true;
    cr_assert(grow_one(wish).code == ERROR_NONE);
    wish.name = BYTES_OF("x");
    ASSERT_REFUSED(grow_one(wish), UNKNOWN_TOPIC_OR_PARTITION);
    struct partitions_wish twice[] = {{BYTES_OF("a"), 3, -1, NULL}, {BYTES_OF("a"), 4, -1, NULL}};
    struct change_result results[2];
    change_create_partitions(&fixture.change, twice, 2, results);
    ASSERT_REFUSED(results[0], INVALID_REQUEST);
    ASSERT_REFUSED(results[1], INVALID_REQUEST);
    cr_assert(change_records_count(&fixture.records) == 0);
}

Test(change, producer_ids_come_in_blocks) {
    int64_t first;
    change_producer_ids(&fixture.change, 1000, &first);
    cr_assert(first == 0);
    fixture_apply(&fixture, NULL);
    change_producer_ids(&fixture.change, 1000, &first);
    cr_assert(first == 1000);
    fixture_apply(&fixture, NULL);
    cr_assert(fixture.catalog.producer_id_next == 2000);
}
