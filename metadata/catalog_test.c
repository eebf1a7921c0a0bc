#include "metadata/catalog.h"

#include <stdio.h>

#include "metadata/change_fixture.h"

static bool valid(const char *name) {
    struct error error;
    return catalog_name_is_valid(bytes_of_text(name), &error);
}

Test(catalog, names_follow_kafkas_rules) {
    char name[251];
    memset(name, 'a', sizeof name);
    name[250] = 0;
    cr_assert(!valid(name));
    name[249] = 0;
    cr_assert(valid(name));
    cr_assert(valid("Orders.eu-west_1") && valid("...") && valid("-"));
    cr_assert(!valid("") && !valid(".") && !valid(".."));
    cr_assert(!valid("a b") && !valid("a/b") && !valid("ü") && !valid("a\n"));
}

Test(catalog, internal_names_are_known) {
    cr_assert(catalog_name_is_internal(BYTES_OF("__consumer_offsets")));
    cr_assert(!catalog_name_is_internal(BYTES_OF("__consumer_offset")));
    cr_assert(!catalog_name_is_internal(BYTES_OF("_schemas")));
    struct options *options = options_new();
    struct catalog catalog;
    catalog_init(&catalog, options);
    cr_assert(catalog_name_is_ours(&catalog, BYTES_OF("_schemas")));
    cr_assert(catalog_name_is_ours(&catalog, BYTES_OF("__consumer_offsets")));
    cr_assert(!catalog_name_is_ours(&catalog, BYTES_OF("_schemas2")));
    catalog_deinit(&catalog);
    options->registry_listen.count = 0;
    catalog_init(&catalog, options);
    cr_assert(!catalog_name_is_ours(&catalog, BYTES_OF("_schemas")), "an external registry's");
    catalog_deinit(&catalog);
    options_free(options);
}

Test(catalog, topics_are_found_by_name_and_id_and_sorted) {
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_topic(&fixture, "b", 1);
    fixture_topic(&fixture, "a", 2);
    const struct catalog_topic *topic = fixture_topic(&fixture, "c", 3);
    cr_assert(catalog_find_topic_id(&fixture.catalog, &topic->id) == topic);
    cr_assert_null(catalog_find_topic_id(&fixture.catalog, &(struct uuid){0}));
    cr_assert_null(catalog_find_topic(&fixture.catalog, BYTES_OF("d")));
    size_t count;
    struct catalog_topic **topics = catalog_topics_sorted(&fixture.catalog, &count);
    cr_assert(count == 3);
    cr_assert_str_eq(topics[0]->name, "a");
    cr_assert_str_eq(topics[2]->name, "c");
    free(topics);
    cr_assert(fixture.catalog.partition_count == 6);
    cr_assert(fixture.catalog.partition_id_next == 7);
    fixture_deinit(&fixture);
}

Test(catalog, names_that_are_one_metric_collide) {
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_topic(&fixture, "a.b_c", 1);
    cr_assert_not_null(catalog_find_collision(&fixture.catalog, BYTES_OF("a_b.c")));
    cr_assert_null(catalog_find_collision(&fixture.catalog, BYTES_OF("a_b-c")));
    cr_assert_null(catalog_find_collision(&fixture.catalog, BYTES_OF("abc")));
    fixture_deinit(&fixture);
}

Test(catalog, configs_stay_sorted) {
    struct catalog_configs configs = {0}, copy;
    catalog_configs_set(&configs, "b", "1");
    catalog_configs_set(&configs, "a", "2");
    catalog_configs_set(&configs, "c", "3");
    catalog_configs_set(&configs, "b", "4");
    cr_assert(configs.count == 3);
    cr_assert_str_eq(configs.items[0].name, "a");
    cr_assert_str_eq(catalog_configs_find(&configs, BYTES_OF("b")), "4");
    catalog_configs_copy(&copy, &configs);
    catalog_configs_set(&configs, "b", NULL);
    catalog_configs_set(&configs, "nothing", NULL);
    cr_assert(configs.count == 2 && copy.count == 3);
    cr_assert_null(catalog_configs_find(&configs, BYTES_OF("b")));
    catalog_configs_deinit(&configs);
    catalog_configs_deinit(&copy);
}

/* --- what an observer sees --- */

struct seen {
    int32_t created, deleted, topics_configured, broker_configured;
    int64_t retention_ms;
};

static void created(void *context, const struct catalog_topic *topic,
                    const struct catalog_partition *partition) {
    struct seen *seen = context;
    cr_assert(partition->index == seen->created);
    seen->created++;
    seen->retention_ms = topic->effective.retention_ms;
}
static void deleted(void *context, const struct catalog_topic *topic,
                    const struct catalog_partition *partition) {
    (void)topic;
    cr_assert(partition->id > 0);
    ((struct seen *)context)->deleted++;
}
static void topic_configured(void *context, const struct catalog_topic *topic) {
    struct seen *seen = context;
    seen->topics_configured++;
    seen->retention_ms = topic->effective.retention_ms;
}
static void broker_configured(void *context) { ((struct seen *)context)->broker_configured++; }

Test(catalog, observers_see_partitions_with_their_configs) {
    struct fixture fixture;
    struct seen seen = {0};
    const struct catalog_observer observer = {&seen, created, deleted, topic_configured,
                                              broker_configured};
    struct config_edit edit = {BYTES_OF("retention.ms"), BYTES_OF("1234"), CONFIG_OPERATION_SET};
    struct topic_wish wish = {BYTES_OF("t"), 5, -1, 0, NULL, 1, &edit};
    fixture_init(&fixture);
    fixture_create(&fixture, &wish);
    fixture_apply(&fixture, &observer);
    cr_assert(seen.created == 5 && seen.retention_ms == 1234);

    struct delete_wish gone = {.name = BYTES_OF("t")};
    struct delete_outcome outcome;
    change_delete_topics(&fixture.change, &gone, 1, &outcome);
    fixture_apply(&fixture, &observer);
    cr_assert(seen.deleted == 5);
    cr_assert(fixture.catalog.partition_count == 0);
    cr_assert(fixture.catalog.shard_partitions[0] == 0);
    fixture_deinit(&fixture);
}

Test(catalog, broker_configs_reach_topics_that_set_nothing) {
    struct fixture fixture;
    struct seen seen = {0};
    const struct catalog_observer observer = {&seen, NULL, NULL, topic_configured,
                                              broker_configured};
    fixture_init(&fixture);
    const struct catalog_topic *topic = fixture_topic(&fixture, "t", 1);
    const struct options *options = fixture.catalog.options;
    int64_t before = topic->effective.retention_ms;
    change_records_broker_config(&fixture.records, "log.retention.ms", "4321");
    fixture_apply(&fixture, &observer);
    cr_assert(topic->effective.retention_ms == 4321);
    cr_assert(seen.topics_configured == 1 && seen.broker_configured == 1);
    cr_assert(fixture.catalog.options == options && options->retention_ms == 4321);
    change_records_broker_config(&fixture.records, "log.retention.ms", NULL);
    fixture_apply(&fixture, &observer);
    cr_assert(topic->effective.retention_ms == before);
    fixture_deinit(&fixture);
}

/* --- logs that contradict themselves --- */

static void assert_refused(struct fixture *fixture, const char *words) {
    struct error error;
    fixture->batch.len = 0;
    change_records_finish(&fixture->records, &fixture->batch);
    cr_assert(!catalog_apply(&fixture->catalog, byte_buffer_bytes(&fixture->batch), NULL, &error));
    cr_assert(strstr(error.text, words), "%s", error.text);
    change_records_restart(&fixture->records);
}

Test(catalog, what_does_not_fit_is_refused) {
    struct fixture fixture;
    fixture_init(&fixture);
    const struct catalog_topic *topic = fixture_topic(&fixture, "t", 1);
    struct uuid id;
    uuid_make(&id);
    change_records_topic(&fixture.records, &id, "t", false);
    assert_refused(&fixture, "created twice");
    change_records_topic(&fixture.records, &topic->id, "u", false);
    assert_refused(&fixture, "created twice");
    change_records_partition(&fixture.records, &topic->id, 2, 9, 0, 0);
    assert_refused(&fixture, "gap");
    change_records_partition(&fixture.records, &topic->id, 1, 9, SHARD_COUNT_MAX - 1, 0);
    fixture_apply(&fixture, NULL);
    change_records_remove_topic(&fixture.records, &id);
    assert_refused(&fixture, "not there");
    change_records_partition_ids(&fixture.records, 1);
    assert_refused(&fixture, "go back");
    change_records_image(&fixture.records, 3, false);
    assert_refused(&fixture, "part 3");
    struct error error;
    cr_assert(!catalog_apply(&fixture.catalog, BYTES_OF("nonsense"), NULL, &error));
    fixture_deinit(&fixture);
}

/* --- images --- */

static void apply_all(struct catalog *catalog, struct bytes rest, int32_t most) {
    struct batch_header header;
    struct error error = {0};
    for (; most-- && batch_header_read(rest, &header);) {
        size_t size = batch_size(&header);
        cr_assert(catalog_apply(catalog, bytes_make(rest.at, size), NULL, &error), "%s",
                  error.text);
        rest = bytes_make(rest.at + size, rest.len - size);
    }
}

static void fill(struct fixture *fixture) {
    for (int i = 0; i < 40; i++) {
        char name[24];
        snprintf(name, sizeof name, "topic-%d", i);
        fixture_topic(fixture, name, 200);
    }
    struct delete_wish gone = {.name = BYTES_OF("topic-39")};
    struct delete_outcome outcome;
    int64_t first;
    change_delete_topics(&fixture->change, &gone, 1, &outcome);
    change_producer_ids(&fixture->change, 1000, &first);
    change_records_broker_config(&fixture->records, "log.retention.ms", "99");
    fixture_apply(fixture, NULL);
}

Test(catalog, an_image_makes_the_same_catalog) {
    struct fixture fixture;
    struct byte_buffer image = {0}, again = {0};
    struct catalog copy;
    fixture_init(&fixture);
    fill(&fixture);
    catalog_image(&fixture.catalog, 5, &image);
    cr_assert(image.len > CATALOG_IMAGE_PART_BYTES, "one part only");
    catalog_init(&copy, fixture.options);
    apply_all(&copy, byte_buffer_bytes(&image), -1);
    cr_assert_null(copy.staging);
    cr_assert(copy.partition_count == fixture.catalog.partition_count);
    cr_assert(copy.partition_id_next == fixture.catalog.partition_id_next);
    cr_assert(copy.producer_id_next == 1000);
    cr_assert(copy.options->retention_ms == 99);
    catalog_image(&copy, 5, &again);
    cr_assert(bytes_equal(byte_buffer_bytes(&image), byte_buffer_bytes(&again)));
    /* And in place of a catalog with a history, where it changes nothing. */
    const struct options *options = fixture.catalog.options;
    apply_all(&fixture.catalog, byte_buffer_bytes(&image), -1);
    again.len = 0;
    catalog_image(&fixture.catalog, 5, &again);
    cr_assert(bytes_equal(byte_buffer_bytes(&image), byte_buffer_bytes(&again)));
    cr_assert(fixture.catalog.options == options && options->retention_ms == 99);
    byte_buffer_deinit(&image);
    byte_buffer_deinit(&again);
    catalog_deinit(&copy);
    fixture_deinit(&fixture);
}

Test(catalog, an_image_cut_short_changes_nothing) {
    struct fixture fixture;
    struct byte_buffer image = {0};
    fixture_init(&fixture);
    fill(&fixture);
    catalog_image(&fixture.catalog, 5, &image);
    apply_all(&fixture.catalog, byte_buffer_bytes(&image), 1);
    cr_assert_not_null(fixture.catalog.staging);
    cr_assert_not_null(catalog_find_topic(&fixture.catalog, BYTES_OF("topic-38")));
    /* The next change drops it; a second image begins anew. */
    fixture_topic(&fixture, "later", 1);
    cr_assert_null(fixture.catalog.staging);
    image.len = 0;
    catalog_image(&fixture.catalog, 5, &image);
    apply_all(&fixture.catalog, byte_buffer_bytes(&image), -1);
    cr_assert_not_null(catalog_find_topic(&fixture.catalog, BYTES_OF("later")));
    byte_buffer_deinit(&image);
    fixture_deinit(&fixture);
}
