#include "offline/verify.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "offline/offline_fixture.h"

/* Each test has a process of its own. */
static struct offline_fixture fixture;
static void teardown(void) { offline_deinit(&fixture); }
TestSuite(verify, .fini = teardown);

/* One bit of a directory with closed segments. */
static void flip_and_verify(const char *path, int64_t position) {
    offline_init_with_segments(&fixture);
    offline_flip(&fixture, path, position);
    offline_verify(&fixture);
}

static void expect_clean(void) {
    offline_verify(&fixture);
    if (fixture.findings.damage_count) findings_print(&fixture.findings, false, stderr);
    cr_assert_eq(fixture.findings.damage_count, 0);
}

Test(verify, what_was_stopped_is_clean) {
    offline_init(&fixture);
    expect_clean();
    cr_assert_eq(fixture.findings.count, 0);
}

Test(verify, what_was_killed_is_clean) {
    offline_init(&fixture);
    offline_start(&fixture);
    offline_fill(&fixture, 3, 300);
    for (int times = 0; times < 50; times++) offline_append(&fixture, 3);
    offline_kill(&fixture);
    expect_clean();
}

Test(verify, sealed_segments_are_clean) {
    offline_init_with_segments(&fixture);
    expect_clean();
}

Test(verify, a_running_broker_is_left_alone) {
    struct error error = {0};
    offline_init(&fixture);
    offline_start(&fixture);
    cr_assert_not(image_open(&fixture.image, fixture.store.path, &error));
    cr_assert(strstr(error.text, "in use by a broker"), "%s", error.text);
    offline_stop(&fixture);
}

Test(verify, another_directory_is_refused) {
    struct image image;
    struct error error = {0};
    cr_assert_not(image_open(&image, "/usr", &error));
    cr_assert(strstr(error.text, "no data directory"), "%s", error.text);
}

Test(verify, a_torn_tail_is_a_note) {
    offline_init(&fixture);
    offline_add_torn_tail(&fixture);
    offline_verify(&fixture);
    cr_assert_eq(fixture.findings.damage_count, 0);
    offline_found(&fixture, FINDING_NOTE, "journal/0-00000000", "never acknowledged");
}

Test(verify, a_bit_in_a_settled_batch) {
    flip_and_verify("segments/3-1", 4096 + 500);
    cr_assert_eq(fixture.findings.damage_count, 1);
    const struct finding *finding =
        offline_found(&fixture, FINDING_DAMAGE, "segments/3-1", "does not match its checksum");
    cr_assert_eq(finding->position, 4096);
    cr_assert(strstr(finding->what, "orders-2"), "%s", finding->what);
}

/* Its length is in no checksum. */
Test(verify, a_bit_in_a_batch_header) {
    flip_and_verify("segments/3-1", 4096 + 10);
    cr_assert_gt(fixture.findings.damage_count, 0);
    offline_found(&fixture, FINDING_DAMAGE, "segments/3-1", "");
}

Test(verify, a_segment_that_is_gone) {
    offline_init_with_segments(&fixture);
    offline_unlink(&fixture, "segments/3-1");
    offline_verify(&fixture);
    cr_assert_eq(fixture.findings.damage_count, 1);
    offline_found(&fixture, FINDING_DAMAGE, "segments/3-1", "the file is gone");
}

Test(verify, a_segment_header) {
    flip_and_verify("segments/3-1", 36);
    offline_found(&fixture, FINDING_DAMAGE, "segments/3-1", "its header is damaged");
}

Test(verify, an_index) {
    flip_and_verify("segments/3-1", -4096 + 20);
    cr_assert_eq(fixture.findings.damage_count, 1);
    offline_found(&fixture, FINDING_DAMAGE, "segments/3-1", "its index");
}

Test(verify, a_trailer) {
    flip_and_verify("segments/3-1", -40);
    offline_found(&fixture, FINDING_DAMAGE, "segments/3-1", "its index or trailer");
}

Test(verify, a_snapshot) {
    flip_and_verify("snapshots/3", 60);
    offline_found(&fixture, FINDING_DAMAGE, "snapshots/3", "checksum");
    offline_found(&fixture, FINDING_DAMAGE, "", "orders-2 is offline");
}

Test(verify, an_acknowledged_block) {
    offline_init(&fixture);
    offline_start(&fixture);
    for (int times = 0; times < 2; times++)
        for (uint32_t id = 1; id <= ORDERS_PARTITIONS; id++) offline_append(&fixture, id);
    offline_rest(&fixture);
    offline_kill(&fixture);
    offline_flip_block(&fixture, 4, 1);
    offline_verify(&fixture);
    const struct finding *finding =
        offline_found(&fixture, FINDING_DAMAGE, "journal/0-00000000", "were acknowledged");
    cr_assert_gt(finding->position, 0);
    offline_found(&fixture, FINDING_DAMAGE, "", "orders-3 is offline");
}

Test(verify, the_catalog) {
    offline_init(&fixture);
    offline_flip(&fixture, "snapshots/0", 60);
    offline_flip(&fixture, "snapshots/0-copy", 60);
    offline_verify(&fixture);
    offline_found(&fixture, FINDING_DAMAGE, "", "no broker can start: the catalog is damaged");
    offline_found(&fixture, FINDING_DAMAGE, "snapshots/0", "checksum");
    offline_found(&fixture, FINDING_DAMAGE, "snapshots/0-copy", "checksum");
}

Test(verify, one_slot_of_the_superblock_is_a_note) {
    offline_init(&fixture);
    offline_start(&fixture);
    offline_stop(&fixture);
    offline_flip(&fixture, "superblock", 100);
    offline_verify(&fixture);
    cr_assert_eq(fixture.findings.damage_count, 0);
    offline_found(&fixture, FINDING_NOTE, "superblock", "one of its two slots");
}

/* The guard against crash loops is for starts. */
Test(verify, a_disk_that_has_failed) {
    char path[200];
    offline_init(&fixture);
    snprintf(path, sizeof path, "%s/write-errors", fixture.store.path);
    FILE *file = fopen(path, "w");
    for (int times = 0; times < 5; times++)
        fprintf(file, "%lld it failed\n", (long long)clock_wall_ms());
    fclose(file);
    expect_clean();
}

Test(verify, names_that_are_not_ours) {
    char path[200];
    offline_init(&fixture);
    snprintf(path, sizeof path, "%s/segments/notes.txt", fixture.store.path);
    fclose(fopen(path, "w"));
    offline_verify(&fixture);
    cr_assert_eq(fixture.findings.damage_count, 0);
    offline_found(&fixture, FINDING_NOTE, "segments/notes.txt", "no file of ours");
}

/* Either of the catalog's two snapshots is enough, and the next life writes both. */
static void one_of_two(const char *name, bool is_gone) {
    offline_init(&fixture);
    if (is_gone)
        offline_unlink(&fixture, name);
    else
        offline_flip(&fixture, name, 60);
    offline_verify(&fixture);
    cr_assert_eq(fixture.findings.damage_count, 0);
    if (!is_gone) offline_found(&fixture, FINDING_NOTE, name, "does not match its checksum");
    offline_start(&fixture);
    cr_assert_not(fixture.store.report.damaged);
    cr_assert_eq(fixture_partition(&fixture.store, CATALOG_PARTITION_ID)->next_offset,
                 1 + ORDERS_PARTITIONS + 1);
    fixture_partition(&fixture.store, CATALOG_PARTITION_ID)->shard->unsnapshotted = true;
    offline_stop(&fixture);
    expect_clean();
}

Test(verify, the_catalog_has_a_copy) { one_of_two("snapshots/0", false); }
Test(verify, the_catalog_has_a_copy_of_what_is_gone) { one_of_two("snapshots/0", true); }
Test(verify, the_catalogs_copy) { one_of_two("snapshots/0-copy", false); }
