/* Directories that are really damaged, on a real disk: what cannot be read goes offline, everything
 * else serves, the damaged files are set aside, and the next start finds the same. */
#include "storage/damage.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "storage/checkpoint.h"
#include "storage/commit.h"
#include "storage/layout.h"
#include "storage/settle.h"
#include "storage/store_fixture.h"

enum { BATCH_BYTES = 500, ALL = 8, LARGE_BYTES = 50000, LARGE_COUNT = 60 };

static void append(struct fixture *fixture, uint32_t id) {
    struct bytes batch = fixture_batch(2, BATCH_BYTES, 1000, -1, 0);
    cr_assert(fixture_append(fixture, id, batch) >= 0);
    free((void *)batch.at);
}
static void append_all(struct fixture *fixture) {
    for (uint32_t id = 1; id <= ALL; id++) append(fixture, id);
}

/* Each partition has one batch, in a block of its own. */
static void begin(struct fixture *fixture) {
    fixture_init(fixture, IO_EPOLL);
    fixture_start(fixture);
    append_all(fixture);
}

/* The block that an idle second brings, and no clean end. */
static void rest_and_kill(struct fixture *fixture) {
    commit_empty(fixture->store);
    fixture_kill(fixture);
}

static bool is_there(const struct fixture *fixture, const char *path) {
    char whole[160];
    struct stat state;
    snprintf(whole, sizeof whole, "%s/%s", fixture->path, path);
    return stat(whole, &state) == 0;
}

static int64_t records(struct fixture *fixture, uint32_t id) {
    uint64_t bytes = 0;
    return fixture_read_all(fixture, id, 0, &bytes);
}

/* Partition `lost` is offline with this damage (0: none is); all others have `count` records, and
 * take more. */
static void expect_only(struct fixture *fixture, uint32_t lost, enum damage damage, int64_t count) {
    struct partition_view view;
    cr_assert_eq(fixture->report.offline_partitions, lost > 0);
    for (uint32_t id = 1; id <= ALL; id++) {
        struct partition *partition = fixture_partition(fixture, id);
        partition_look(partition, -1, -1, &view);
        cr_assert_eq(view.code, id == lost ? ERROR_KAFKA_STORAGE_ERROR : ERROR_NONE, "%u", id);
        cr_assert_eq(partition->offline, id == lost ? damage : DAMAGE_NONE, "%u", id);
        if (id == lost) {
            struct bytes batch = fixture_batch(1, 10, 1000, -1, 0);
            cr_assert_eq(fixture_append(fixture, id, batch), -ERROR_KAFKA_STORAGE_ERROR);
            free((void *)batch.at);
            continue;
        }
        cr_assert_eq(records(fixture, id), count, "%u has %lld", id,
                     (long long)records(fixture, id));
        append(fixture, id);
    }
}

/* Kills, damages, and looks three times: at once, after a stop and after a kill. */
static void expect_offline(struct fixture *fixture, uint32_t lost, enum damage damage,
                           int64_t count) {
    fixture_start(fixture);
    cr_assert(fixture->report.damaged);
    cr_assert(is_there(fixture, LAYOUT_DAMAGED));
    expect_only(fixture, lost, damage, count);
    fixture_stop(fixture);
    fixture_start(fixture);
    cr_assert_not(fixture->report.damaged);
    expect_only(fixture, lost, damage, count + 2);
    fixture_kill(fixture);
    fixture_start(fixture);
    expect_only(fixture, lost, damage, count + 4);
    fixture_stop(fixture);
    fixture_deinit(fixture);
}

/* Its shard's next run jumps, and the batch is not at the end of the log. */
Test(damage, a_block_in_the_middle) {
    struct fixture fixture;
    begin(&fixture);
    append_all(&fixture);
    append_all(&fixture);
    fixture_kill(&fixture);
    fixture_flip_block(&fixture, 3, 1);
    expect_offline(&fixture, 3, DAMAGE_JOURNAL, 6);
}

/* Nothing of the partition comes behind; the census of an idle second tells. */
Test(damage, the_last_block_of_a_partition) {
    struct fixture fixture;
    begin(&fixture);
    append(&fixture, 3);
    append(&fixture, 4);
    append(&fixture, 5);
    for (uint32_t id = 1; id <= ALL; id++)
        if (id < 3 || id > 5) append(&fixture, id);
    rest_and_kill(&fixture);
    fixture_flip_block(&fixture, 3, 1);
    expect_offline(&fixture, 3, DAMAGE_JOURNAL, 4);
}

/* Two batches more for everybody; then the first block of partition 3 is damaged. */
static void go_on_and_lose_one(struct fixture *fixture) {
    append_all(fixture);
    append_all(fixture);
    rest_and_kill(fixture);
    fixture_flip_block(fixture, 3, 1);
}

static void trim_done(struct trim *trim) { (void)trim; }

static void trim_to(struct fixture *fixture, uint32_t id, int64_t offset) {
    struct partition *partition = fixture_partition(fixture, id);
    struct trim trim = {.offset = offset, .done = trim_done};
    cr_assert_not(partition_trim(partition, &trim));
    while (partition->log_start < offset) ring_round(fixture->ring, true);
}

/* Batches go on behind it; they were made on a log start that replay does not reach. */
Test(damage, a_log_start_in_the_middle) {
    struct fixture fixture;
    begin(&fixture);
    trim_to(&fixture, 3, 1);
    go_on_and_lose_one(&fixture);
    expect_offline(&fixture, 3, DAMAGE_JOURNAL, 6);
}

/* The newest one says what the lost one said, and more. */
Test(damage, a_log_start_behind_a_lost_one) {
    struct fixture fixture;
    begin(&fixture);
    trim_to(&fixture, 3, 1);
    trim_to(&fixture, 3, 2);
    go_on_and_lose_one(&fixture);
    fixture_start(&fixture);
    cr_assert_eq(fixture.report.offline_partitions, 0);
    cr_assert_eq(fixture_partition(&fixture, 3)->log_start, 2);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* Killed within the second: no census and no run behind speaks for shards 1 and 2, which lost
 * nothing; better so than the other way round. */
Test(damage, where_nothing_speaks_for_a_shard_it_is_offline) {
    struct fixture fixture;
    begin(&fixture);
    for (int times = 0; times < 2; times++)
        for (uint32_t id = 3; id <= ALL; id++) append(&fixture, id);
    fixture_kill(&fixture);
    fixture_flip_block(&fixture, 3, 1);
    fixture_start(&fixture);
    cr_assert_eq(fixture.report.offline_partitions, 3);
    for (uint32_t id = 4; id <= ALL; id++) cr_assert_eq(records(&fixture, id), 6);
    cr_assert_eq(fixture_partition(&fixture, 1)->offline, DAMAGE_JOURNAL);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

static void checkpoint_now(struct fixture *fixture) {
    uint64_t before = fixture->store->checkpoints;
    checkpoint_start(fixture->store);
    while (fixture->store->checkpoints == before) ring_round(fixture->ring, true);
}

Test(damage, a_snapshot_that_cannot_be_read) {
    struct fixture fixture;
    begin(&fixture);
    checkpoint_now(&fixture);
    append_all(&fixture);
    fixture_kill(&fixture);
    fixture_flip(&fixture, "snapshots/6", 60);
    expect_offline(&fixture, 6, DAMAGE_SNAPSHOT, 4);
}

Test(damage, a_snapshot_that_is_gone) {
    struct fixture fixture;
    begin(&fixture);
    checkpoint_now(&fixture);
    for (int times = 0; times < 2; times++) append_all(&fixture);
    fixture_stop(&fixture);
    char path[160];
    snprintf(path, sizeof path, "%s/snapshots/2", fixture.path);
    cr_assert_eq(unlink(path), 0);
    expect_offline(&fixture, 2, DAMAGE_SNAPSHOT, 6);
}

/* As a careless restore leaves it. */
Test(damage, a_snapshot_that_is_older_than_the_journal) {
    struct fixture fixture;
    begin(&fixture);
    checkpoint_now(&fixture);
    char saved[160], path[160];
    snprintf(path, sizeof path, "%s/snapshots/2", fixture.path);
    snprintf(saved, sizeof saved, "%s/saved", fixture.path);
    cr_assert_eq(link(path, saved), 0);
    append_all(&fixture);
    checkpoint_now(&fixture);
    append_all(&fixture);
    fixture_stop(&fixture);
    cr_assert_eq(rename(saved, path), 0);
    expect_offline(&fixture, 2, DAMAGE_JOURNAL, 6);
}

/* Nothing is lost, as the snapshots contain it; but the journal does not go on behind it. */
Test(damage, a_block_that_snapshots_contain) {
    struct fixture fixture;
    begin(&fixture);
    append_all(&fixture);
    checkpoint_now(&fixture);
    fixture_stop(&fixture);
    fixture_flip_block(&fixture, ALL, 1);
    fixture_start(&fixture);
    cr_assert(fixture.report.damaged);
    expect_only(&fixture, 0, DAMAGE_NONE, 4);
    fixture_stop(&fixture);
    fixture_start(&fixture);
    cr_assert_not(fixture.report.damaged);
    expect_only(&fixture, 0, DAMAGE_NONE, 6);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

static void remove_newest(const struct fixture *fixture) {
    char path[160];
    snprintf(path, sizeof path, "%s/segments/7-0", fixture->path);
    cr_assert_eq(unlink(path), 0);
}

/* By its header. */
static void make_newest_anothers(const struct fixture *fixture) {
    fixture_flip(fixture, "segments/7-0", 32);
}

static void append_large(struct fixture *fixture, unsigned times) {
    struct bytes batch = fixture_batch(2, LARGE_BYTES, 1000, -1, 0);
    while (times-- > 0) cr_assert(fixture_append(fixture, 7, batch) >= 0);
    free((void *)batch.at);
}

/* The file in which the log would go on. `large`: so many large batches behind it. */
static void the_newest_segment(void (*harm)(const struct fixture *fixture),
                               void (*end)(struct fixture *fixture), unsigned large,
                               int64_t count) {
    struct fixture fixture;
    begin(&fixture);
    for (int times = 0; times < 40; times++) append(&fixture, 7);
    settle_force(fixture_partition(&fixture, 7));
    while (fixture.store->flows) ring_round(fixture.ring, true);
    checkpoint_now(&fixture);
    if (end == fixture_kill) append_all(&fixture);
    append_large(&fixture, large);
    end(&fixture);
    harm(&fixture);
    expect_offline(&fixture, 7, DAMAGE_SEGMENT, count);
}
Test(damage, the_newest_segment_is_gone) { the_newest_segment(remove_newest, fixture_kill, 0, 4); }
/* Nothing of it is in the journal. */
Test(damage, the_newest_segment_is_gone_after_a_stop) {
    the_newest_segment(remove_newest, fixture_stop, 0, 2);
}
Test(damage, the_newest_segment_is_anothers) {
    the_newest_segment(make_newest_anothers, fixture_kill, 0, 4);
}
/* More than replay keeps in memory: it would make a new file in the place of the old one. */
Test(damage, the_newest_segment_is_gone_and_replay_writes_to_it) {
    the_newest_segment(remove_newest, fixture_kill, LARGE_COUNT, 4);
}
Test(damage, the_newest_segment_is_anothers_and_replay_writes_to_it) {
    the_newest_segment(make_newest_anothers, fixture_kill, LARGE_COUNT, 4);
}

Test(damage, a_journal_that_is_gone) {
    struct fixture fixture;
    begin(&fixture);
    fixture_kill(&fixture);
    char path[160];
    snprintf(path, sizeof path, "%s/journal/0-00000000", fixture.path);
    cr_assert_eq(unlink(path), 0);
    struct error error = {0};
    struct data_directory directory;
    struct recovered *recovered = NULL;
    cr_assert(data_directory_open(disk_open(fixture.path, false, &error), 1, &directory, &error));
    cr_assert(recover_open(&directory, 1 << 20, &recovered, &error), "%s", error.text);
    cr_assert_not(recover_catalog(recovered, NULL, NULL, &error));
    cr_assert(strstr(error.text, "the catalog"), "%s", error.text);
    recover_free(recovered);
    data_directory_close(&directory);
    fixture_deinit(&fixture);
}

/* Deleting is the way out of it that needs no tool. */
Test(damage, an_offline_partition_can_be_deleted) {
    struct fixture fixture;
    begin(&fixture);
    append_all(&fixture);
    rest_and_kill(&fixture);
    fixture_flip_block(&fixture, ALL, 0);
    fixture_start(&fixture);
    expect_only(&fixture, ALL, DAMAGE_JOURNAL, 4);
    store_delete_partition(fixture.store, ALL);
    fixture.partitions = ALL - 1;
    fixture_kill(&fixture);
    fixture_start(&fixture);
    cr_assert_eq(fixture.report.offline_partitions, 0);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
