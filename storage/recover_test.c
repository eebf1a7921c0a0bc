/* What a start reads: snapshots and what the journal has beyond them, whatever the history. */
#include "storage/recover.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

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
