/* Flows of a store that meet each other: many in flight, deletion under them, small journals,
 * stops. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "storage/store_fixture.h"

struct flight {
    struct append append;
    uint32_t *left;
    bool *all_done;
};

static void flight_done(struct append *append) {
    struct flight *flight = container_of(append, struct flight, append);
    if (--*flight->left == 0) *flight->all_done = true;
    free((void *)append->batch.at);
    free(flight);
}

struct fleet {
    uint32_t left;
    bool all_done;
};

/* One more append under way; the fleet's flag is set when all are answered. */
static void launch(struct fixture *fixture, struct fleet *fleet, uint32_t id, size_t value_bytes) {
    struct flight *flight = new_zero(struct flight);
    struct bytes batch = fixture_batch(1, value_bytes, 1000, -1, 0);
    *flight = (struct flight){.append = {.batch = batch, .append_time_ms = -1, .done = flight_done},
                              .left = &fleet->left,
                              .all_done = &fleet->all_done};
    cr_assert(batch_header_read(batch, &flight->append.header));
    fleet->left++;
    fleet->all_done = false;
    cr_assert_eq(partition_append(fixture_partition(fixture, id), &flight->append), APPEND_PENDING);
}

static int64_t end_of(struct fixture *fixture, uint32_t id) {
    struct partition_view view;
    partition_look(fixture_partition(fixture, id), -1, -1, &view);
    return view.high_watermark;
}

static void expect_whole(struct fixture *fixture, uint32_t id, int64_t next) {
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(fixture, id, 0, &bytes), next);
}

/* More than may bypass at once: the rest goes on when one has finished. */
Test(flow, a_burst_of_large_appends, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.options.unsettled_bytes_max = 256 << 20;
    fixture_start(&fixture);
    struct fleet fleet = {0};
    for (int at = 0; at < 60; at++) launch(&fixture, &fleet, 1, 1000000);
    fixture_run_until(&fixture, &fleet.all_done);
    expect_whole(&fixture, 1, 60);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    expect_whole(&fixture, 1, 60);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* The first checkpoint after a start may take long, when many files must be made for it: appends do
 * not wait for it while the journal may grow. */
Test(flow, the_journal_grows_when_a_checkpoint_is_slow, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture_start(&fixture);
    struct journal *journal = &fixture.store->journal;
    struct fleet fleet = {0};
    while (journal->file_count < 2 || journal->filling) {
        launch(&fixture, &fleet, 1, 50000);
        fixture_run_until(&fixture, &fleet.all_done);
    }
    while (fixture.store->checkpoint) ring_round(fixture.ring, true);
    journal->last_cycle_ns = 0;
    for (unsigned at = 0; at < journal->file_count; at++) /* as if they were full */
        journal->files[at].used = journal->files[at].size;
    for (unsigned at = 0; at < journal->file_count; at++)
        if (journal->files[at].state == JOURNAL_FILE_FREE)
            journal->files[at].state = JOURNAL_FILE_FULL;
    cr_assert_not(journal_tend(journal));
    cr_assert(journal->filling);
    launch(&fixture, &fleet, 1, 50000);
    fixture_run_until(&fixture, &fleet.all_done);
    cr_assert_geq(journal->file_count, 3);
    fixture_kill(&fixture);
    fixture_deinit(&fixture);
}

/* Partitions that fill evenly want to write out all at once: they take turns, and all get theirs.
 */
Test(flow, write_outs_take_turns, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.partitions = FIXTURE_PARTITIONS;
    fixture_start(&fixture);
    struct store *store = fixture.store;
    store->write_out_count = SETTLE_IN_FLIGHT_MAX; /* as if so many were being written */
    struct fleet fleet = {0};
    for (uint32_t id = 1; id <= FIXTURE_PARTITIONS; id++)
        for (int at = 0; at < 5; at++) launch(&fixture, &fleet, id, 25000);
    fixture_run_until(&fixture, &fleet.all_done);
    for (uint32_t id = 2; id <= FIXTURE_PARTITIONS; id++)
        while (fixture_partition(&fixture, id)->preparing) ring_round(fixture.ring, true);
    cr_assert_gt(store->unsettled_bytes, (uint64_t)FIXTURE_PARTITIONS * 5 * 25000);
    store->write_out_count = 0;
    launch(&fixture, &fleet, 1, 100); /* its write-out ends, and the others follow */
    fixture_run_until(&fixture, &fleet.all_done);
    while (store->unsettled_bytes > (uint64_t)FIXTURE_PARTITIONS * SETTLE_BYTES_MIN) {
        cr_assert_leq(store->write_out_count, SETTLE_IN_FLIGHT_MAX);
        ring_round(fixture.ring, true);
    }
    for (uint32_t id = 1; id <= FIXTURE_PARTITIONS; id++)
        expect_whole(&fixture, id, id == 1 ? 6 : 5);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* A small batch in front of one that is larger than a bypass should be. */
Test(flow, a_huge_append_behind_a_small_one, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture_start(&fixture);
    struct fleet fleet = {0};
    for (int round = 0; round < 3; round++) {
        launch(&fixture, &fleet, 1, 700);
        launch(&fixture, &fleet, 1, 5 << 20);
        fixture_run_until(&fixture, &fleet.all_done);
    }
    expect_whole(&fixture, 1, 6);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    expect_whole(&fixture, 1, 6);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* Around the size from which batches bypass the journal, with a journal that is always nearly full:
 * whatever is accepted is formed. */
Test(flow, a_small_journal_with_batches_of_every_size, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.options.journal_bytes_max = 2 << 20;
    fixture_start(&fixture);
    struct random random;
    random_init(&random, 5);
    int64_t next[9] = {0};
    for (int round = 0; round < 150; round++) {
        struct fleet fleet = {0};
        for (uint64_t count = 1 + random_below(&random, 12); count > 0; count--) {
            uint32_t id = 1 + (uint32_t)random_below(&random, 8);
            static const size_t sizes[] = {10, 3000, 60000, 130800, 130900, 131000, 140000};
            launch(&fixture, &fleet, id, sizes[random_below(&random, array_count(sizes))]);
            next[id]++;
        }
        fixture_run_until(&fixture, &fleet.all_done);
    }
    cr_assert(fixture.store->checkpoints > 3, "%llu",
              (unsigned long long)fixture.store->checkpoints);
    cr_assert_eq(fixture.store->reserved_bytes, 0);
    cr_assert(fixture.store->journal.bytes <= 2 << 20);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    for (uint32_t id = 1; id <= 8; id++) expect_whole(&fixture, id, next[id]);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

Test(flow, deletion_under_everything_gives_all_back, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.rules.segment_bytes = 1 << 20;
    fixture_start(&fixture);
    struct fleet fleet = {0};
    for (uint32_t round = 0; round < 40; round++)
        for (uint32_t id = 2; id <= 8; id++) launch(&fixture, &fleet, id, id % 2 ? 300 : 200000);
    uint32_t deleted = 8;
    for (int at = 0; deleted > 1; at++) {
        ring_round(fixture.ring, false);
        if (at % 3 == 2) store_delete_partition(fixture.store, deleted--);
    }
    fixture_run_until(&fixture, &fleet.all_done);
    launch(&fixture, &fleet, 1, 100);
    fixture_run_until(&fixture, &fleet.all_done);
    while (fixture.store->flows) ring_round(fixture.ring, true);
    cr_assert_eq(fixture.store->reserved_bytes, 0);
    cr_assert_eq(fixture.store->unsettled_bytes,
                 partition_unsettled_bytes(fixture_partition(&fixture, 1)));
    fixture.partitions = 1;
    fixture_kill(&fixture);
    fixture_start(&fixture);
    expect_whole(&fixture, 1, 1);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* Nothing is durable, but memory stays bounded and the end is as orderly. */
Test(flow, an_ephemeral_store_stops_in_the_middle, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.options.durable = false;
    fixture.options.unsettled_bytes_max = 1 << 20;
    fixture_start(&fixture);
    struct fleet fleet = {0};
    for (int at = 0; at < 200; at++) launch(&fixture, &fleet, 1 + at % 4u, 50000);
    fixture_run_until(&fixture, &fleet.all_done);
    cr_assert_eq(end_of(&fixture, 1), 50);
    cr_assert(fixture.store->unsettled_bytes <= 3 << 20);
    for (int at = 0; at < 10; at++) launch(&fixture, &fleet, 1, 50000);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* Fewer descriptors than files that are written and read at once: slower, but everything ends. */
Test(flow, hardly_any_handles, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.options.segment_handles_max = 1;
    fixture.options.cache_bytes_max = 0;
    fixture.options.journal_bytes_max = 2 << 20;
    fixture.rules.segment_bytes = 400000;
    fixture_start(&fixture);
    struct fleet fleet = {0};
    for (int round = 0; round < 15; round++) {
        for (uint32_t id = 1; id <= 8; id++) launch(&fixture, &fleet, id, id % 2 ? 90000 : 200000);
        fixture_run_until(&fixture, &fleet.all_done);
        expect_whole(&fixture, 1 + (uint32_t)round % 8, round + 1); /* opens files to read */
    }
    for (uint32_t id = 1; id <= 8; id++) expect_whole(&fixture, id, 15);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    for (uint32_t id = 1; id <= 8; id++) expect_whole(&fixture, id, 15);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* The last acknowledgement is on record after a clean stop: whatever is damaged later is seen. And
 * everything is in snapshots: the next start has nothing to replay. */
Test(flow, a_stop_writes_the_closing_block) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture_start(&fixture);
    struct fleet fleet = {0};
    launch(&fixture, &fleet, 1, 100);
    fixture_run_until(&fixture, &fleet.all_done);
    uint64_t last = fixture.store->journal.acknowledged_through;
    fixture_stop(&fixture);
    fixture_start(&fixture);
    uint64_t stopped = fixture.store->journal.acknowledged_through;
    cr_assert_eq(stopped, last + 1);
    cr_assert_eq(fixture.report.batches, 0);
    cr_assert_eq(fixture.report.blocks, 1); /* the closing one */
    expect_whole(&fixture, 1, 1);
    fixture_stop(&fixture);
    fixture_start(&fixture); /* and nothing when there is nothing to say */
    cr_assert(fixture.store->journal.acknowledged_through <= stopped + 1);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

static void tend_a_second_later(struct fixture *fixture) {
    fixture->store->journal.last_cycle_ns = 0;
    do ring_round(fixture->ring, false);
    while (fixture->store->checkpoint);
}

/* However much was written, and however large the journal is. */
enum { ROUNDS = 14 };
static uint64_t replayed_after(uint64_t replay_bytes_max, uint64_t *written) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.options.replay_bytes_max = replay_bytes_max;
    fixture_start(&fixture);
    struct fleet fleet = {0};
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t id = 1; id <= 8; id++) launch(&fixture, &fleet, id, 60000);
        fixture_run_until(&fixture, &fleet.all_done);
        tend_a_second_later(&fixture);
    }
    *written = fixture.store->journal.commit_bytes;
    fixture_kill(&fixture);
    fixture_start(&fixture);
    uint64_t replayed = fixture.report.bytes;
    for (uint32_t id = 1; id <= 8; id++) expect_whole(&fixture, id, ROUNDS);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
    return replayed;
}
Test(flow, a_start_after_a_crash_reads_no_more_than_the_bound, .timeout = 300) {
    uint64_t written = 0;
    cr_assert(replayed_after(1 << 20, &written) < 3 << 20);
    cr_assert(written > 6 << 20);
    cr_assert(replayed_after(0, &written) > 6 << 20); /* the journal has room for all of it */
}

/* --- reads --- */

struct looking {
    struct read read;
    bool done;
};
static void looking_done(struct read *read) {
    container_of(read, struct looking, read)->done = true;
}

/* Reads from `offset`; answers the base offset of the first batch, or -1 when nothing came. */
static int64_t first_read(struct fixture *fixture, uint32_t id, int64_t offset, size_t bytes_max,
                          bool minimum_one) {
    struct looking looking = {.read = {.offset = offset,
                                       .bytes_max = bytes_max,
                                       .minimum_one = minimum_one,
                                       .done = looking_done}};
    if (!partition_read(fixture_partition(fixture, id), &looking.read))
        fixture_run_until(fixture, &looking.done);
    cr_assert_eq(looking.read.code, ERROR_NONE);
    int64_t first = -1;
    if (looking.read.total) {
        struct batch_header header;
        uint8_t bytes[BATCH_HEADER_SIZE];
        size_t len = 0;
        for (int32_t at = 0; at < looking.read.piece_count && len < sizeof bytes; at++) {
            struct bytes piece = looking.read.pieces[at];
            size_t part = piece.len < sizeof bytes - len ? piece.len : sizeof bytes - len;
            memcpy(bytes + len, piece.at, part);
            len += part;
        }
        cr_assert(batch_header_read(bytes_make(bytes, len), &header));
        first = header.base_offset;
    }
    read_release(&looking.read);
    return first;
}

/* A batch that does not fit the limit is not skipped: not on a hot read, and not on a cold one with
 * more segments behind. */
static void nothing_is_skipped(uint64_t cache_bytes) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.options.cache_bytes_max = cache_bytes;
    fixture.rules.segment_bytes = 300000;
    fixture_start(&fixture);
    struct fleet fleet = {0};
    for (int at = 0; at < 8; at++) { /* segments: large and small; three small ones */
        launch(&fixture, &fleet, 1, 200000);
        for (int times = 0; times < 4; times++) launch(&fixture, &fleet, 1, 90000);
        fixture_run_until(&fixture, &fleet.all_done);
    }
    for (int64_t offset = 0; offset < 40; offset++) {
        int64_t got = first_read(&fixture, 1, offset, 100000, false);
        cr_assert_eq(got, offset % 5 ? offset : -1, "%lld from %lld", (long long)got,
                     (long long)offset);
        cr_assert_eq(first_read(&fixture, 1, offset, 1000, true), offset);
        cr_assert_eq(first_read(&fixture, 1, offset, 1 << 30, false), offset);
    }
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
Test(flow, a_hot_read_skips_nothing) { nothing_is_skipped(64 << 20); }
Test(flow, a_cold_read_skips_nothing) { nothing_is_skipped(0); }

Test(flow, offsets_out_of_range) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture_start(&fixture);
    struct fleet fleet = {0};
    launch(&fixture, &fleet, 1, 10);
    fixture_run_until(&fixture, &fleet.all_done);
    launch(&fixture, &fleet, 1, 10); /* appended, not durable */
    struct partition *partition = fixture_partition(&fixture, 1);
    static const struct {
        int64_t offset;
        enum error_code code;
        uint64_t available;
    } cases[] = {{0, ERROR_NONE, 1},
                 {1, ERROR_NONE, 0},
                 {2, ERROR_NONE, 0},
                 {3, ERROR_OFFSET_OUT_OF_RANGE, 0},
                 {-2, ERROR_OFFSET_OUT_OF_RANGE, 0}};
    for (size_t at = 0; at < array_count(cases); at++) {
        struct partition_view view;
        partition_look(partition, cases[at].offset, -1, &view);
        cr_assert_eq(view.code, cases[at].code, "offset %lld", (long long)cases[at].offset);
        cr_assert_eq(view.bytes_available > 0, cases[at].available > 0);
    }
    struct read read = {.offset = -1, .bytes_max = 100, .minimum_one = true};
    cr_assert(partition_read(partition, &read));
    cr_assert_eq(read.code, ERROR_OFFSET_OUT_OF_RANGE);
    fixture_run_until(&fixture, &fleet.all_done);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
