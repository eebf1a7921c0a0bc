#include "metadata/catalog_lives.h"

#include "metadata/change_fixture.h"
#include "storage/layout.h"

/* Ids 1 and 2 are "b"'s, 3 to 5 "a"'s. */
Test(catalog_lives, partitions_are_found_by_id) {
    struct fixture fixture;
    struct catalog_lives lives;
    struct partition_definition definition;
    fixture_init(&fixture);
    fixture_topic(&fixture, "b", 2);
    const struct catalog_topic *a = fixture_topic(&fixture, "a", 3);
    catalog_lives_init(&lives, &fixture.catalog);
    cr_assert_eq(lives.count, 5);
    cr_assert_null(catalog_lives_find(&lives, CATALOG_PARTITION_ID));
    cr_assert_null(catalog_lives_find(&lives, 6));
    const struct catalog_life *life = catalog_lives_find(&lives, 4);
    cr_assert(life && life->topic == a && life->index == 1);
    cr_assert_eq(catalog_lives_tell(&lives, 4, &definition), PARTITION_LIVE);
    cr_assert(definition.id == 4 && definition.shard == a->partitions[1].shard);
    cr_assert_eq(definition.rules.segment_bytes, a->effective.segment_bytes);
    catalog_lives_deinit(&lives);
    fixture_deinit(&fixture);
}

/* What has no topic is dead when its id was given, and a mistake when it was not. */
Test(catalog_lives, ids_without_a_topic_are_dead_or_were_never_given) {
    struct fixture fixture;
    struct catalog_lives lives;
    struct partition_definition definition = {.id = 99};
    fixture_init(&fixture);
    catalog_lives_init(&lives, &fixture.catalog);
    cr_assert_eq(catalog_lives_tell(&lives, CATALOG_PARTITION_ID, &definition), PARTITION_LIVE);
    cr_assert_eq(definition.id, CATALOG_PARTITION_ID);
    cr_assert_eq(definition.rules.retention_ms, -1);
    cr_assert_eq(catalog_lives_tell(&lives, 1, &definition), PARTITION_NOT_GIVEN);
    catalog_lives_deinit(&lives);
    struct delete_wish wish = {.name = BYTES_OF("b")};
    struct delete_outcome outcome;
    fixture_topic(&fixture, "b", 2);
    change_delete_topics(&fixture.change, &wish, 1, &outcome);
    fixture_apply(&fixture, NULL);
    catalog_lives_init(&lives, &fixture.catalog);
    cr_assert_eq(catalog_lives_tell(&lives, 2, &definition), PARTITION_DEAD);
    cr_assert_eq(catalog_lives_tell(&lives, 3, &definition), PARTITION_NOT_GIVEN);
    catalog_lives_deinit(&lives);
    fixture_deinit(&fixture);
}
