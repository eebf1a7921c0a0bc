#include "metadata/catalog_rescue.h"

#include <limits.h>
#include <stdio.h>

#include "metadata/change_fixture.h"

/* Each test has a process of its own. */
static struct fixture fixture;
static struct catalog catalog;
static struct catalog_rescue rescue;
static struct error error;
static int64_t offset;

static void setup(void) {
    fixture_init(&fixture);
    catalog_init(&catalog, fixture.options);
    catalog_rescue_init(&rescue, &catalog, 1000);
}
static void teardown(void) {
    catalog_rescue_deinit(&rescue);
    catalog_deinit(&catalog);
    fixture_deinit(&fixture);
}
TestSuite(catalog_rescue, .init = setup, .fini = teardown);

static bool take(uint8_t *batch, size_t len, bool is_readable) {
    struct batch_header header;
    cr_assert(batch_header_read(bytes_make(batch, len), &header));
    batch_patch(batch, offset, 0);
    offset += header.last_offset_delta + 1;
    return !is_readable || catalog_rescue_batch(&rescue, bytes_make(batch, len), &error);
}

/* The change that was made takes effect; the rescue meets it or does not. */
static void change(bool is_readable) {
    fixture_apply(&fixture, NULL);
    cr_assert(take(fixture.batch.at, fixture.batch.len, is_readable), "%s", error.text);
}

static void create(const char *name, int32_t partitions, bool is_readable) {
    struct topic_wish wish = {bytes_of_text(name), partitions, -1, 0, NULL, 0, NULL};
    cr_assert_eq(fixture_create(&fixture, &wish).result.code, ERROR_NONE);
    change(is_readable);
}

static void delete (const char *name, bool is_readable) {
    struct delete_wish wish = {.name = bytes_of_text(name)};
    struct delete_outcome outcome;
    change_delete_topics(&fixture.change, &wish, 1, &outcome);
    cr_assert_eq(outcome.result.code, ERROR_NONE);
    change(is_readable);
}

static void grow(const char *name, int32_t count, bool is_readable) {
    struct partitions_wish wish = {bytes_of_text(name), count, -1, NULL};
    struct change_result result;
    change_create_partitions(&fixture.change, &wish, 1, &result);
    cr_assert_eq(result.code, ERROR_NONE);
    change(is_readable);
}

/* The whole catalog once more; parts [from, upto] cannot be read. */
static void image_without(int from, int upto) {
    struct byte_buffer parts = {0};
    struct batch_header header;
    int part = 0;
    catalog_image(&fixture.catalog, 1000, &parts);
    for (size_t at = 0; at < parts.len; at += batch_size(&header), part++) {
        cr_assert(batch_header_read(bytes_make(parts.at + at, parts.len - at), &header));
        cr_assert(take(parts.at + at, batch_size(&header), part < from || part > upto), "%s",
                  error.text);
    }
    cr_assert_gt(part, from);
    byte_buffer_deinit(&parts);
}

static void image(int missing) { image_without(missing, missing); }

static const struct catalog_topic *found(const char *name) {
    return catalog_find_topic(&catalog, bytes_of_text(name));
}

Test(catalog_rescue, all_that_can_be_read_is_exact) {
    create("a", 2, true);
    delete ("a", true);
    create("b", 1, true);
    cr_assert(rescue.gap_count == 0 && rescue.left_out == 0);
    cr_assert_eq(rescue.given_below, 4);
    cr_assert_eq(rescue.next_offset, offset);
    cr_assert(!found("a") && found("b"));
}

Test(catalog_rescue, what_came_behind_a_gap_counts) {
    create("a", 1, true);
    create("b", 2, false);
    create("c", 1, true);
    cr_assert(found("a") && !found("b") && found("c")->partitions[0].id == 4);
    cr_assert_eq(rescue.gap_count, 1);
    cr_assert(rescue.gaps[0].from == 2 && rescue.gaps[0].upto == 5, "%lld to %lld",
              (long long)rescue.gaps[0].from, (long long)rescue.gaps[0].upto);
    cr_assert_eq(rescue.given_below, 2, "2 and 3 may be anybody's");
}

/* Configs, growth and removal of a topic whose creation is missing. */
Test(catalog_rescue, what_does_not_fit_is_left_out) {
    create("a", 1, true);
    create("b", 1, false);
    grow("b", 3, true);
    delete ("b", true);
    create("c", 1, true);
    cr_assert_eq(rescue.left_out, 3);
    cr_assert(found("a") && !found("b") && found("c"));
}

/* More partitions that are missing leave a gap that later ones cannot close. */
Test(catalog_rescue, growth_behind_missing_growth) {
    create("a", 1, true);
    grow("a", 2, false);
    grow("a", 4, true);
    cr_assert_eq(found("a")->partition_count, 1);
    cr_assert_eq(rescue.left_out, 2);
}

Test(catalog_rescue, a_name_that_is_taken_again) {
    create("a", 1, true);
    delete ("a", false);
    create("a", 2, true);
    cr_assert_eq(found("a")->partition_count, 2);
    cr_assert_eq(found("a")->partitions[0].id, 2);
    cr_assert_eq(catalog.partition_count, 2);
}

Test(catalog_rescue, a_deletion_that_is_missing) {
    create("a", 1, true);
    delete ("a", false);
    create("b", 1, true);
    cr_assert(found("a") && found("b"));
}

Test(catalog_rescue, an_image_makes_up_for_all) {
    create("a", 1, true);
    create("b", 1, false);
    delete ("a", false);
    image(-1);
    cr_assert(rescue.gap_count == 0 && !found("a") && found("b"));
    cr_assert_eq(rescue.given_below, 3);
}

static void create_many(void) {
    create("old", 1, true);
    create("older", 1, true);
    delete ("older", true);
    for (int at = 0; at < 6; at++) {
        char name[20];
        snprintf(name, sizeof name, "t%d", at);
        create(name, 2000, at < 4);
    }
}

/* Of one that is not whole, too, as far as it fits what is there. */
Test(catalog_rescue, an_image_without_its_beginning) {
    create_many();
    image(0);
    cr_assert_eq(rescue.gap_count, 1);
    cr_assert(found("old") && !found("older") && found("t4") && found("t5"));
    cr_assert_eq(found("t3")->partition_count, 2000);
    cr_assert_eq(rescue.given_below, 8003);
}

/* Parts of two images are none, also where their numbers go on. */
Test(catalog_rescue, two_halves_of_images) {
    create_many();
    delete ("t5", true);
    delete ("t4", true);
    delete ("t3", true);
    image_without(1, INT_MAX);
    create("new", 1, false);
    image(0);
    cr_assert_eq(rescue.gap_count, 2, "%zu", rescue.gap_count);
    cr_assert(found("old") && found("t0") && found("t2"));
    cr_assert_lt(rescue.given_below, fixture.catalog.partition_id_next);
}

/* Whose partitions they are is not known: none of them was deleted for certain. */
Test(catalog_rescue, what_does_not_fit_although_nothing_is_missing) {
    create("a", 1, true);
    cr_assert(take(fixture.batch.at, fixture.batch.len, true));
    create("b", 1, true);
    cr_assert(rescue.gap_count == 0 && rescue.left_out > 0);
    cr_assert_eq(rescue.given_below, 2);
}

Test(catalog_rescue, a_partition_without_a_topic) {
    create("a", 1, true);
    create("lost-7", 1, true);
    catalog_rescue_adopt(&rescue, 7, 3);
    catalog_rescue_adopt(&rescue, 9, 2);
    catalog_rescue_meet_producer(&rescue, 41);
    catalog_rescue_end(&rescue, 11);
    const struct catalog_topic *lost = found("lost-7-2");
    cr_assert(lost && lost->partition_count == 1 && lost->partitions[0].id == 7);
    cr_assert(lost->partitions[0].shard == 3 && found("lost-9")->partitions[0].shard == 2);
    cr_assert(lost->effective.retention_ms == -1 && lost->effective.retention_bytes == -1);
    cr_assert(lost->effective.cleanup_delete && !lost->effective.cleanup_compact);
    cr_assert_eq(catalog.partition_id_next, 12);
    cr_assert_eq(catalog.producer_id_next, (1ll << 32) + 41);
}

/* A client may have written any number: it was not given, and leaves room for those that are. */
Test(catalog_rescue, a_producer_id_that_nobody_gave) {
    catalog_rescue_meet_producer(&rescue, 41);
    catalog_rescue_meet_producer(&rescue, INT64_MAX);
    catalog_rescue_meet_producer(&rescue, 40);
    catalog_rescue_end(&rescue, 0);
    cr_assert_eq(catalog.producer_id_next, (1ll << 32) + 41);
}

Test(catalog_rescue, a_newer_version_is_not_guessed_at) {
    static uint8_t newer[] = {0xfa, 0x3f, 0x00}; /* field 1023, of length 0 */
    struct batch_build build;
    struct byte_buffer batch = {0};
    create("a", 1, true);
    batch_build_init(&build);
    batch_build_add(&build, 1000, BYTES_NULL, bytes_make(newer, sizeof newer), NULL, 0);
    cr_assert(batch_build_finish(&build, CODEC_NONE, &batch, &error));
    cr_assert_not(take(batch.at, batch.len, true));
    cr_assert(strstr(error.text, "newer version"), "%s", error.text);
    batch_build_deinit(&build);
    byte_buffer_deinit(&batch);
}
