#include "metadata/change_fixture.h"

static struct topic_wish wish_of(const char *name) {
    return (struct topic_wish){bytes_of_text(name), -1, -1, 0, NULL, 0, NULL};
}

static struct fixture fixture;
static void setup(void) { fixture_init(&fixture); }
static void teardown(void) { fixture_deinit(&fixture); }
TestSuite(create_topics, .init = setup, .fini = teardown);

Test(create_topics, minus_one_stands_for_the_defaults) {
    struct topic_wish wish = wish_of("t");
    struct topic_outcome outcome = fixture_create(&fixture, &wish);
    cr_assert(outcome.result.code == ERROR_NONE);
    cr_assert(outcome.partition_count == 3 && outcome.replication_factor == 1);
    cr_assert(!uuid_is_zero(&outcome.id));
    fixture_apply(&fixture, NULL);
    const struct catalog_topic *topic = catalog_find_topic(&fixture.catalog, BYTES_OF("t"));
    cr_assert(topic && topic->partition_count == 3 && uuid_equal(&topic->id, &outcome.id));
    cr_assert(topic->partitions[0].leader_epoch == 0);
}

Test(create_topics, partitions_go_to_the_emptiest_shards) {
    fixture_topic(&fixture, "a", 5);
    const struct catalog_topic *a = catalog_find_topic(&fixture.catalog, BYTES_OF("a"));
    for (int i = 0; i < 5; i++) cr_assert(a->partitions[i].shard == i % 4);
    const struct catalog_topic *b = fixture_topic(&fixture, "b", 4);
    cr_assert(b->partitions[0].shard == 1 && b->partitions[1].shard == 2);
    cr_assert(b->partitions[2].shard == 3 && b->partitions[3].shard == 0);
    cr_assert(b->partitions[0].id == 6, "ids go on");
}

Test(create_topics, validate_only_makes_no_records) {
    struct topic_wish wish = wish_of("t");
    fixture.change.validate_only = true;
    struct topic_outcome outcome = fixture_create(&fixture, &wish);
    cr_assert(outcome.result.code == ERROR_NONE && outcome.partition_count == 3);
    cr_assert(uuid_is_zero(&outcome.id));
    cr_assert(change_records_count(&fixture.records) == 0);
}

Test(create_topics, a_name_that_comes_twice_is_refused_once) {
    struct topic_wish wishes[] = {wish_of("t"), wish_of("u"), wish_of("t")};
    struct topic_outcome outcomes[3];
    cr_assert(change_create_topics(&fixture.change, wishes, 3, outcomes) == 2);
    ASSERT_REFUSED(outcomes[0].result, INVALID_REQUEST);
    cr_assert(outcomes[1].result.code == ERROR_NONE);
    fixture_apply(&fixture, NULL);
    cr_assert_null(catalog_find_topic(&fixture.catalog, BYTES_OF("t")));
    cr_assert_not_null(catalog_find_topic(&fixture.catalog, BYTES_OF("u")));
}

Test(create_topics, names_are_checked) {
    fixture_topic(&fixture, "a.b", 1);
    struct topic_wish there = wish_of("a.b"), like = wish_of("a_b"), bad = wish_of("a b"),
                      internal = wish_of("__consumer_offsets");
    ASSERT_REFUSED(fixture_create(&fixture, &there).result, TOPIC_ALREADY_EXISTS);
    ASSERT_REFUSED(fixture_create(&fixture, &like).result, INVALID_TOPIC_EXCEPTION);
    ASSERT_REFUSED(fixture_create(&fixture, &bad).result, INVALID_TOPIC_EXCEPTION);
    ASSERT_REFUSED(fixture_create(&fixture, &internal).result, INVALID_TOPIC_EXCEPTION);
    struct topic_wish wishes[] = {wish_of("x.y"), wish_of("x_y")};
    struct topic_outcome outcomes[2];
    change_create_topics(&fixture.change, wishes, 2, outcomes);
    cr_assert(outcomes[0].result.code == ERROR_NONE);
    ASSERT_REFUSED(outcomes[1].result, INVALID_TOPIC_EXCEPTION);
}

Test(create_topics, counts_are_checked) {
    struct topic_wish wish = wish_of("t");
    wish.partition_count = 0;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_PARTITIONS);
    wish.partition_count = -2;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_PARTITIONS);
    wish.partition_count = CHANGE_PARTITIONS_MAX + 1;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, POLICY_VIOLATION);
    wish.partition_count = INT32_MAX;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, POLICY_VIOLATION);
    wish.partition_count = 1;
    wish.replication_factor = 0;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REPLICATION_FACTOR);
    cr_assert(change_records_count(&fixture.records) == 0, "what is refused makes no records");
}

Test(create_topics, the_bounds_of_the_broker_hold) {
    fixture.catalog.options->partitions_max = 4;
    fixture.catalog.options->topics_max = 2;
    struct topic_wish wishes[] = {wish_of("a"), wish_of("b"), wish_of("c"), wish_of("d")};
    struct topic_outcome outcomes[4];
    wishes[2].partition_count = wishes[3].partition_count = 1;
    change_create_topics(&fixture.change, wishes, 4, outcomes);
    cr_assert(outcomes[0].result.code == ERROR_NONE);
    ASSERT_REFUSED(outcomes[1].result, POLICY_VIOLATION);
    cr_assert(outcomes[2].result.code == ERROR_NONE);
    ASSERT_REFUSED(outcomes[3].result, POLICY_VIOLATION);
}

Test(create_topics, more_replicas_are_clamped_or_refused) {
    struct topic_wish wish = wish_of("t");
    wish.replication_factor = 3;
    struct topic_outcome outcome = fixture_create(&fixture, &wish);
    cr_assert(outcome.result.code == ERROR_NONE);
    cr_assert(outcome.replication_factor == 1 && outcome.replication_factor_asked == 3);
    fixture.catalog.options->replication_above_one = OPTION_REPLICATION_REFUSE;
    wish.name = BYTES_OF("u");
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REPLICATION_FACTOR);
}

Test(create_topics, assignments_may_name_this_broker_only) {
    static const int32_t us[] = {1}, them[] = {2}, twice[] = {1, 1};
    struct partition_assignment good[] = {{1, 1, us}, {0, 1, us}}, unknown[] = {{0, 1, them}},
                                doubled[] = {{0, 2, twice}}, empty[] = {{0, 0, NULL}},
                                gap[] = {{0, 1, us}, {2, 1, us}}, same[] = {{0, 1, us}, {0, 1, us}};
    struct topic_wish wish = wish_of("t");
    wish.assignment_count = 2;
    wish.assignments = good;
    cr_assert(fixture_create(&fixture, &wish).partition_count == 2);
    wish.assignments = gap;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REPLICA_ASSIGNMENT);
    wish.assignments = same;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REPLICA_ASSIGNMENT);
    wish.assignment_count = 1;
    wish.assignments = unknown;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REPLICA_ASSIGNMENT);
    wish.assignments = doubled;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REPLICA_ASSIGNMENT);
    wish.assignments = empty;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REPLICA_ASSIGNMENT);
    wish.assignments = good;
    wish.partition_count = 1;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REQUEST);
    wish.partition_count = -1;
    wish.replication_factor = 1;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_REQUEST);
}

Test(create_topics, configs_are_checked_and_kept) {
    struct config_edit good = {BYTES_OF("cleanup.policy"), BYTES_OF("compact"), 0};
    struct config_edit unknown = {BYTES_OF("cleanup.police"), BYTES_OF("compact"), 0};
    struct config_edit wrong = {BYTES_OF("retention.ms"), BYTES_OF("soon"), 0};
    struct topic_wish wish = wish_of("t");
    wish.config_count = 1;
    wish.configs = &unknown;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_CONFIG);
    wish.configs = &wrong;
    ASSERT_REFUSED(fixture_create(&fixture, &wish).result, INVALID_CONFIG);
    wish.configs = &good;
    cr_assert(fixture_create(&fixture, &wish).configs.count == 1);
    fixture_apply(&fixture, NULL);
    const struct catalog_topic *topic = catalog_find_topic(&fixture.catalog, BYTES_OF("t"));
    cr_assert(topic->effective.cleanup_compact && !topic->effective.cleanup_delete);
}

Test(create_topics, mention_creates_what_is_missing) {
    struct bytes names[] = {BYTES_OF("there"), BYTES_OF("new"), BYTES_OF("n w"), BYTES_OF("new"),
                            BYTES_OF("__transaction_state")};
    struct change_result results[5];
    fixture_topic(&fixture, "there", 1);
    change_auto_create(&fixture.change, names, 5, results);
    cr_assert(results[0].code == ERROR_NONE && results[1].code == ERROR_NONE);
    ASSERT_REFUSED(results[2], INVALID_TOPIC_EXCEPTION);
    cr_assert(results[3].code == ERROR_NONE);
    ASSERT_REFUSED(results[4], UNKNOWN_TOPIC_OR_PARTITION);
    fixture_apply(&fixture, NULL);
    cr_assert(fixture.catalog.topics_by_name.count == 2);
}
