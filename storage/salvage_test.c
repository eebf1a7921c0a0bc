#include "storage/salvage.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/commit.h"
#include "storage/layout.h"
#include "storage/recovered.h"
#include "storage/settle.h"
#include "storage/store_fixture.h"

/* Each test has a process of its own. */
static struct fixture fixture;
static struct data_directory directory;
static struct recovered *recovered;
static struct salvage salvage;

static void setup(void) { fixture_init(&fixture, IO_EPOLL); }
static void teardown(void) {
    if (recovered) {
        salvage_deinit(&salvage);
        recover_free(recovered);
        data_directory_close(&directory);
    }
    fixture_deinit(&fixture);
}
TestSuite(salvage, .init = setup, .fini = teardown);

static void start(void) {
    const struct partition_definition catalog = {
        .id = CATALOG_PARTITION_ID, .shard = CATALOG_SHARD, .rules = fixture.rules};
    fixture_start(&fixture);
    store_create_partition(fixture.store, &catalog);
}

/* Batches of two records, each in a block of its own. */
static void append(unsigned times, size_t value_bytes) {
    struct bytes batch = fixture_batch(2, value_bytes, 1000, -1, 0);
    while (times-- > 0) cr_assert(fixture_append(&fixture, CATALOG_PARTITION_ID, batch) >= 0);
    free((void *)(uintptr_t)batch.at);
}

static void rest_and_kill(void) {
    commit_empty(fixture.store);
    fixture_kill(&fixture);
}

static bool take(void *context, struct bytes batch, struct error *error) {
    (void)context, (void)batch, (void)error;
    return true;
}

/* A start refuses with these words; the batches that are left begin at these offsets. */
static void expect(const char *words, const int64_t *offsets, size_t count) {
    struct error error = {0};
    cr_assert(data_directory_open(disk_open(fixture.path, false, &error), 1, &directory, &error));
    cr_assert(recover_open(&directory, 1 << 20, &recovered, &error), "%s", error.text);
    cr_assert_not(recover_catalog(recovered, take, NULL, &error));
    cr_assert(strstr(error.text, words), "%s", error.text);
    cr_assert(strstr(error.text, "log repair"), "%s", error.text);
    salvage_catalog(recovered, &salvage);
    cr_assert_eq(salvage.count, count, "%zu", salvage.count);
    for (size_t at = 0; at < count; at++) {
        cr_assert_eq(salvage.batches[at].base_offset, offsets[at]);
        cr_assert_eq(salvage.batches[at].next_offset, offsets[at] + 2);
        cr_assert(batch_crc_valid(salvage.batches[at].bytes));
    }
}
#define EXPECT(words, ...)                                        \
    do {                                                          \
        const int64_t offsets[] = {__VA_ARGS__};                  \
        expect(words, offsets, sizeof offsets / sizeof *offsets); \
    } while (0)

Test(salvage, what_lies_behind_a_lost_block) {
    start();
    append(5, 100);
    rest_and_kill();
    fixture_flip_block(&fixture, CATALOG_PARTITION_ID, 2);
    EXPECT("the catalog is damaged: journal/0-00000000, byte 8192: blocks 3 to 3 were", 0, 2, 6, 8);
}

/* What the snapshots contained is in old blocks. */
Test(salvage, blocks_that_no_start_needs) {
    start();
    append(3, 100);
    fixture_stop(&fixture);
    fixture_flip(&fixture, "snapshots/0", 60);
    fixture_flip(&fixture, "snapshots/0-copy", 60);
    EXPECT("neither snapshots/0 nor snapshots/0-copy can be read", 0, 2, 4);
}

/* The blocks are gone with it: the last life's snapshot and the files are all there is. */
Test(salvage, segment_files) {
    start();
    append(6, 3000);
    settle_force(fixture_partition(&fixture, CATALOG_PARTITION_ID));
    while (fixture.store->flows) ring_round(fixture.ring, true);
    fixture_stop(&fixture);
    char path[160];
    snprintf(path, sizeof path, "%s/journal/0-00000000", fixture.path);
    cr_assert_eq(remove(path), 0);
    fixture_flip(&fixture, "segments/0-0", SEGMENT_START + 6200 + 100);
    EXPECT("journal 0 is gone", 0, 4, 6, 8, 10);
}

static void write_segment(const char *name, struct bytes batch) {
    char path[160];
    snprintf(path, sizeof path, "%s/segments/%s", fixture.path, name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fseek(file, SEGMENT_START, SEEK_SET) == 0);
    cr_assert_eq(fwrite(batch.at, 1, batch.len, file), batch.len);
    fclose(file);
}

/* A file that a repair had made and a crash has left, of a log that was never gone on with: its
 * batches do not stand in the way of those that were. */
Test(salvage, a_file_that_was_never_taken_into_use) {
    start();
    append(5, 100);
    rest_and_kill();
    struct bytes stale = fixture_batch(20, 100, 1000, -1, 0);
    batch_patch((uint8_t *)(uintptr_t)stale.at, 4, 0);
    write_segment("0-7", stale);
    free((void *)(uintptr_t)stale.at);
    fixture_flip_block(&fixture, CATALOG_PARTITION_ID, 2);
    EXPECT("the catalog is damaged: journal/0-00000000, byte 8192: blocks 3 to 3 were", 0, 2, 6, 8);
}

/* Nothing but the file: not even its table. */
Test(salvage, a_file_without_its_table) {
    start();
    append(6, 4000);
    settle_force(fixture_partition(&fixture, CATALOG_PARTITION_ID));
    while (fixture.store->flows) ring_round(fixture.ring, true);
    fixture_stop(&fixture);
    fixture_flip(&fixture, "snapshots/0", 60);
    fixture_flip(&fixture, "snapshots/0-copy", 60);
    for (unsigned nth = 0; nth < 6; nth++) fixture_flip_block(&fixture, CATALOG_PARTITION_ID, 0);
    EXPECT("neither snapshots/0", 0, 2, 4, 6, 8);
}
