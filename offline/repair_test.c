#include "offline/repair.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "offline/offline_fixture.h"

/* Each test has a process of its own. */
static struct offline_fixture fixture;
static void teardown(void) { offline_deinit(&fixture); }
TestSuite(repair, .fini = teardown);

static size_t repair(bool yes, char **said) { return offline_repair(&fixture, yes, said); }
static void repair_wholly(void) { offline_repair_wholly(&fixture); }
static bool is_kept(const char *name) { return offline_is_kept(&fixture, name); }

/* The broker starts, all serve; `id` has records up to `next`, and takes more. */
static void expect_serves(uint32_t id, int64_t next, int32_t epoch) {
    offline_start(&fixture);
    cr_assert_eq(fixture.store.report.offline_partitions, 0);
    cr_assert_not(fixture.store.report.damaged);
    struct partition *partition = fixture_partition(&fixture.store, id);
    cr_assert_eq(partition->next_offset, next, "%lld", (long long)partition->next_offset);
    cr_assert_eq(partition->definition.leader_epoch, epoch);
    for (uint32_t each = 1; each <= ORDERS_PARTITIONS; each++) offline_append(&fixture, each);
    cr_assert_eq(partition->next_offset, next + 2);
    offline_stop(&fixture);
    offline_verify(&fixture);
    cr_assert_eq(fixture.findings.damage_count, 0);
}

/* How many records can be read, gaps and all. */
static uint64_t readable(uint32_t id) {
    struct error error = {0};
    uint64_t records = 0;
    cr_assert(image_open(&fixture.image, fixture.store.path, &error), "%s", error.text);
    struct partition *partition = recovered_find(fixture.image.recovered, id);
    records = (uint64_t)(partition->next_offset - partition->log_start);
    image_close(&fixture.image);
    return records;
}

Test(repair, nothing_to_do) {
    char *said;
    offline_init(&fixture);
    uint64_t before = offline_fingerprint(&fixture);
    cr_assert_eq(repair(false, &said), 0);
    cr_assert_str_empty(said);
    free(said);
    cr_assert_eq(offline_fingerprint(&fixture), before);
    cr_assert_eq(repair(true, &said), 0);
    free(said);
    expect_serves(3, 2, 0);
}

Test(repair, a_bit_in_a_sealed_segment) {
    offline_init_with_segments(&fixture);
    int64_t next = (int64_t)readable(3);
    offline_flip(&fixture, "segments/3-1", 4096 + 500);
    repair_wholly();
    cr_assert(is_kept("segments-3-1"));
    expect_serves(3, next, 0);
}

Test(repair, a_bit_in_the_active_segment) {
    offline_init(&fixture);
    offline_start(&fixture);
    offline_fill(&fixture, 3, 100);
    offline_stop(&fixture);
    offline_flip(&fixture, "segments/3-0", 4096 + 5000);
    repair_wholly();
    cr_assert(is_kept("segments-3-0"));
    expect_serves(3, 202, 0);
}

/* Its last batch begins in the file and ends in the snapshot. */
Test(repair, a_bit_in_the_batch_that_goes_on_in_memory) {
    offline_init(&fixture);
    offline_start(&fixture);
    struct bytes batch = fixture_batch(1, 30000, 1000, -1, 0);
    cr_assert_eq(fixture_append(&fixture.store, 3, batch), 2);
    free((void *)batch.at);
    offline_settle(&fixture, 3);
    offline_checkpoint(&fixture);
    offline_stop(&fixture);
    offline_flip(&fixture, "segments/3-0", 4096 + 20000);
    repair_wholly();
    expect_serves(3, 3, 0);
}

Test(repair, a_batch_header) {
    offline_init_with_segments(&fixture);
    int64_t next = (int64_t)readable(3);
    offline_flip(&fixture, "segments/3-1", 4096 + 10);
    repair_wholly();
    expect_serves(3, next, 0);
}

Test(repair, a_segment_that_is_gone) {
    offline_init_with_segments(&fixture);
    int64_t next = (int64_t)readable(3);
    offline_unlink(&fixture, "segments/3-1");
    repair_wholly();
    expect_serves(3, next, 0);
}

Test(repair, the_newest_segment_is_gone) {
    offline_init(&fixture);
    offline_start(&fixture);
    offline_fill(&fixture, 3, 100);
    offline_append(&fixture, 3);
    offline_kill(&fixture);
    offline_unlink(&fixture, "segments/3-0");
    offline_verify(&fixture);
    offline_found(&fixture, FINDING_DAMAGE, "", "orders-2 is offline");
    repair_wholly();
    expect_serves(3, 204, 0);
}

Test(repair, an_index) {
    offline_init_with_segments(&fixture);
    int64_t next = (int64_t)readable(3);
    offline_flip(&fixture, "segments/3-1", -4096 + 20);
    repair_wholly();
    offline_start(&fixture);
    cr_assert_eq(offline_records(&fixture, 3), next);
    offline_stop(&fixture);
    expect_serves(3, next, 0);
}

/* The table comes back from the files; consumers hear of it by the leader epoch. */
Test(repair, a_snapshot) {
    offline_init_with_segments(&fixture);
    int64_t next = (int64_t)readable(3);
    offline_flip(&fixture, "snapshots/3", 60);
    repair_wholly();
    cr_assert(is_kept("snapshots-3"));
    offline_start(&fixture);
    int64_t left = fixture_partition(&fixture.store, 3)->next_offset;
    cr_assert(left > next - 40 && left <= next, "%lld of %lld", (long long)left, (long long)next);
    cr_assert_eq(offline_records(&fixture, 3), left);
    offline_stop(&fixture);
    expect_serves(3, left, 1);
}

/* Nothing of it was ever in a file. */
Test(repair, a_snapshot_of_an_idle_partition) {
    offline_init(&fixture);
    offline_flip(&fixture, "snapshots/3", 60);
    repair_wholly();
    expect_serves(3, 0, 1);
}

/* The last of three batches of partition 4. */
static void lose_acknowledged_block(void) {
    offline_init(&fixture);
    offline_start(&fixture);
    for (int times = 0; times < 3; times++) offline_append(&fixture, 4);
    offline_rest(&fixture);
    offline_kill(&fixture);
    offline_flip_block(&fixture, 4, 2);
}

Test(repair, an_acknowledged_block) {
    lose_acknowledged_block();
    repair_wholly();
    cr_assert(is_kept("journal-0-00000000"));
    expect_serves(4, 4, 1);
}

/* The broker has started in between, and has set the journal aside by itself. */
Test(repair, a_partition_that_a_start_took_offline) {
    lose_acknowledged_block();
    offline_start(&fixture);
    cr_assert_eq(fixture.store.report.offline_partitions, 1);
    offline_append(&fixture, 5);
    offline_stop(&fixture);
    repair_wholly();
    expect_serves(4, 4, 1);
}

/* What was written out is in the file, although the journal has lost it. */
Test(repair, records_that_were_written_out_are_taken_back) {
    offline_init(&fixture);
    offline_start(&fixture);
    for (int times = 0; times < 100; times++) offline_append(&fixture, 4);
    offline_settle(&fixture, 4);
    offline_append(&fixture, 4);
    offline_kill(&fixture);
    offline_flip_block(&fixture, 4, 10);
    repair_wholly();
    offline_start(&fixture);
    int64_t left = fixture_partition(&fixture.store, 4)->next_offset;
    cr_assert(left > 190, "%lld", (long long)left);
    cr_assert_eq(offline_records(&fixture, 4), left);
    offline_stop(&fixture);
    expect_serves(4, left, 1);
}
