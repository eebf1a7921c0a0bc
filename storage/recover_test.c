/* What a start reads: snapshots and what the journal has beyond them, whatever the history. */
#include "storage/recover.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/checkpoint.h"
#include "storage/layout.h"
#include "storage/settle.h"
#include "storage/store_fixture.h"

enum { PARTITIONS = 4, BATCH_BYTES = 20000, FEW = 5, MANY = 60 };

/* Calls that read, of this process so far; 0 where the system does not count them. */
static uint64_t reads(void) {
    FILE *file = fopen("/proc/self/io", "r");
    unsigned long long count = 0;
    char line[64];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "syscr: %llu", &count) == 1) break;
    if (file) fclose(file);
    return count;
}

static void append(struct fixture *fixture, unsigned times) {
    struct bytes batch = fixture_batch(1, BATCH_BYTES, 1000, -1, 0);
    for (unsigned at = 0; at < times; at++)
        for (uint32_t id = 1; id <= PARTITIONS; id++)
            cr_assert(fixture_append(fixture, id, batch) >= 0);
    free((void *)batch.at);
}

/* Each batch is a segment; behind them, one more in the journal where the process was killed. */
static uint64_t reads_of_start(unsigned segments, bool killed) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.partitions = PARTITIONS;
    fixture.rules.segment_bytes = BATCH_BYTES;
    fixture_start(&fixture);
    append(&fixture, segments);
    fixture_stop(&fixture);
    fixture_start(&fixture);
    if (killed) append(&fixture, 1);
    if (killed)
        fixture_kill(&fixture);
    else
        fixture_stop(&fixture);
    uint64_t before = reads();
    fixture_start(&fixture);
    uint64_t after = reads();
    cr_assert_eq(fixture.report.batches, killed ? PARTITIONS : 0);
    cr_assert_eq(fixture_partition(&fixture, 1)->segment_count, segments + killed);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
    return after - before;
}

static void expect_flat(bool killed) {
    if (reads() == 0) cr_skip_test("the system does not count reads");
    uint64_t few = reads_of_start(FEW, killed), many = reads_of_start(MANY, killed);
    /* A segment that was looked at would make 55 a partition. */
    cr_assert(many < few + 20, "%llu, and with more segments %llu", (unsigned long long)few,
              (unsigned long long)many);
}
Test(recover, a_start_after_a_stop_looks_at_no_segment) { expect_flat(false); }
Test(recover, a_start_after_a_crash_looks_at_no_old_segment) { expect_flat(true); }

static enum partition_life nobody(void *context, uint32_t id,
                                  struct partition_definition *definition) {
    (void)context, (void)id, (void)definition;
    return PARTITION_DEAD;
}

static bool count_batch(void *context, struct bytes batch, struct error *error) {
    (void)batch, (void)error;
    ++*(unsigned *)context;
    return true;
}

/* Its log is read from a file, to which journals that begin anew then write what they held of it.
 */
Test(recover, the_catalog_goes_on_in_its_file) {
    struct fixture fixture;
    struct error error = {0};
    struct data_directory directory;
    struct recovered *recovered = NULL;
    const struct partition_definition catalog = {.id = CATALOG_PARTITION_ID,
                                                 .shard = CATALOG_SHARD};
    unsigned batches = 0;
    fixture_init(&fixture, IO_EPOLL);
    fixture_start(&fixture);
    struct partition *log = store_create_partition(fixture.store, &catalog);
    partition_configure(log, &fixture.rules);
    struct bytes batch = fixture_batch(1, BATCH_BYTES, 1000, -1, 0);
    cr_assert_eq(fixture_append(&fixture, CATALOG_PARTITION_ID, batch), 0);
    settle_force(log);
    while (fixture.store->flows) ring_round(fixture.ring, true);
    checkpoint_start(fixture.store);
    while (fixture.store->checkpoints == 0) ring_round(fixture.ring, true);
    cr_assert_eq(fixture_append(&fixture, CATALOG_PARTITION_ID, batch), 1);
    fixture_kill(&fixture);
    cr_assert(data_directory_open(disk_open(fixture.path, false, &error), 1, &directory, &error));
    cr_assert(recover_open(&directory, 1 << 20, &recovered, &error), "%s", error.text);
    cr_assert(recover_catalog(recovered, count_batch, &batches, &error), "%s", error.text);
    cr_assert_eq(batches, 2);
    cr_assert(recover_partitions(recovered, nobody, NULL, &error), "%s", error.text);
    cr_assert(recover_begin_anew(recovered, &error), "%s", error.text);
    recover_free(recovered);
    data_directory_close(&directory);
    fixture_start(&fixture);
    cr_assert_eq(fixture_partition(&fixture, CATALOG_PARTITION_ID)->next_offset, 2);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
    free((void *)(uintptr_t)batch.at);
}
