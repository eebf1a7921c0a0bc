/* A disk that is full, and one that has space again. */
#include "storage/space.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "storage/layout.h"
#include "storage/retain.h"
#include "storage/store_fixture.h"

#ifdef MILLRACE_FAULTS

/* Each test has a process of its own, and one fault. */
static struct fixture fixture;
static void teardown(void) { fixture_deinit(&fixture); }
TestSuite(space, .fini = teardown);

static void begin(const char *fault) {
    setenv("MILLRACE_FAULT", fault, 1);
    fixture_init(&fixture, IO_EPOLL);
}

static void die_and_start(void) {
    fixture_kill(&fixture);
    fixture_start(&fixture);
}

struct waiting {
    union {
        struct append append;
        struct trim trim;
    };
    bool done;
};

static void appended(struct append *append) {
    container_of(append, struct waiting, append)->done = true;
}
static void trimmed(struct trim *trim) { container_of(trim, struct waiting, trim)->done = true; }

/* Waits for so long at most; answers the base offset, or minus the error code. */
static int64_t append_batch_for_ms(uint32_t id, struct bytes batch, uint64_t ms,
                                   bool may_time_out) {
    struct waiting waiting = {.append = {.batch = batch,
                                         .append_time_ms = -1,
                                         .deadline_ns = ring_now_ns(fixture.ring) + ms * NS_PER_MS,
                                         .may_time_out = may_time_out,
                                         .done = appended}};
    cr_assert(batch_header_read(batch, &waiting.append.header));
    if (partition_append(fixture_partition(&fixture, id), &waiting.append) == APPEND_PENDING)
        fixture_run_until(&fixture, &waiting.done);
    free((void *)batch.at);
    return waiting.append.code ? -(int64_t)waiting.append.code : waiting.append.base_offset;
}

/* … for space, but as long as it takes once it has its offset. */
static int64_t append_for_ms(uint32_t id, size_t bytes, uint64_t ms) {
    return append_batch_for_ms(id, fixture_batch(1, bytes, 1000, -1, 0), ms, false);
}

static enum error_code trim_to(uint32_t id, int64_t offset) {
    struct waiting waiting = {.trim = {.offset = offset, .done = trimmed}};
    if (!partition_trim(fixture_partition(&fixture, id), &waiting.trim))
        fixture_run_until(&fixture, &waiting.done);
    return waiting.trim.code;
}

static void rounds_for_ms(uint64_t ms) {
    uint64_t end_ns = clock_monotonic_ns() + ms * NS_PER_MS;
    while (clock_monotonic_ns() < end_ns) ring_round(fixture.ring, false);
}

static void run_until_space(void) {
    uint64_t deadline_ns = clock_monotonic_ns() + 60 * NS_PER_S;
    while (fixture.store->disk.short_since_ns) {
        ring_round(fixture.ring, true);
        cr_assert(clock_monotonic_ns() < deadline_ns, "it does not notice that there is space");
    }
}

static void expect_whole(uint32_t id, int64_t next) {
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, id, 0, &bytes), next);
}

static int64_t append_many(uint32_t id, size_t bytes, int64_t next) {
    for (int at = 0; at < 20; at++) cr_assert_eq(append_for_ms(id, bytes, 10000), next + at);
    return next + 20;
}

/* Files cannot grow for a while: what was taken is kept, what finds no room is refused in time, and
 * it goes on by itself. */
static void heals(size_t bytes) {
    begin("segment_allocate:3:28:20");
    fixture.options.unsettled_bytes_max = 4 << 20;
    fixture_start(&fixture);
    int64_t next = 0;
    uint32_t refused = 0;
    for (int at = 0; at < 3000 && (refused == 0 || fixture.store->disk.short_since_ns); at++) {
        int64_t offset = append_for_ms(1, bytes, 20);
        if (offset < 0) {
            cr_assert_eq(-offset, ERROR_KAFKA_STORAGE_ERROR);
            refused++;
        } else {
            cr_assert_eq(offset, next++);
        }
    }
    cr_assert_gt(refused, 0);
    cr_assert_eq(fixture.store->disk.refused, refused);
    next = append_many(1, bytes, next);
    run_until_space();
    expect_whole(1, next);
    die_and_start();
    expect_whole(1, next);
    fixture_stop(&fixture);
}

Test(space, small_appends_go_on_when_there_is_room, .timeout = 300) { heals(20000); }
Test(space, middling_appends_go_on_when_there_is_room, .timeout = 300) { heals(100000); }

/* Appended before anybody knew: no error, but later. */
Test(space, what_has_its_offset_waits_for_room, .timeout = 300) {
    begin("segment_allocate:1:28:8");
    fixture_start(&fixture);
    cr_assert_eq(append_for_ms(1, 1000000, 1), 0);
    run_until_space();
    die_and_start();
    expect_whole(1, 1);
    fixture_stop(&fixture);
}

/* … and who sent it does not wait for ever. It is neither refused nor acknowledged: sent again, it
 * is there once, and a crash may have taken it. */
Test(space, what_has_its_offset_is_answered_in_time, .timeout = 60) {
    begin("segment_allocate:1:28:50");
    fixture_start(&fixture);
    for (int times = 0; times < 3; times++)
        cr_assert_eq(
            append_batch_for_ms(1, fixture_batch(1, 1000000, 1000, 7, 0), times * 30, true),
            -ERROR_REQUEST_TIMED_OUT);
    struct partition_view view;
    partition_look(fixture_partition(&fixture, 1), -1, -1, &view);
    cr_assert_eq(view.high_watermark, 0, "it can be read before it is durable");
    const struct list *pending = &fixture_partition(&fixture, 1)->pending;
    cr_assert_eq(pending->next->next, pending, "what was sent again is kept again");
    run_until_space();
    cr_assert_eq(append_batch_for_ms(1, fixture_batch(1, 1000000, 1000, 7, 0), 10000, true), 0);
    cr_assert_eq(append_for_ms(1, 100, 10000), 1);
    die_and_start();
    expect_whole(1, 2);
    fixture_stop(&fixture);
}

/* The same when the broker ends, or the topic is deleted, while one waits. */
static void ends_while_one_waits(bool is_deleted) {
    begin("segment_allocate:1:28");
    fixture_start(&fixture);
    cr_assert_eq(append_batch_for_ms(1, fixture_batch(1, 1000000, 1000, -1, 0), 1, true),
                 -ERROR_REQUEST_TIMED_OUT);
    if (is_deleted) store_delete_partition(fixture.store, 1);
    if (is_deleted) fixture.partitions = 0;
    fixture_stop(&fixture);
    fixture_start(&fixture);
    if (!is_deleted) expect_whole(1, 0);
    fixture_stop(&fixture);
}

Test(space, it_stops_while_a_large_one_waits, .timeout = 60) { ends_while_one_waits(false); }
Test(space, a_topic_goes_while_a_large_one_waits, .timeout = 60) { ends_while_one_waits(true); }

/* … and what comes behind it in its partition is not kept waiting for it; others go on. */
Test(space, what_is_behind_a_large_one_is_refused_in_time, .timeout = 300) {
    begin("segment_allocate:1:28:8");
    fixture_start(&fixture);
    struct bytes batch = fixture_batch(1, 1000000, 1000, -1, 0);
    struct waiting large = {.append = {.batch = batch, .append_time_ms = -1, .done = appended}};
    cr_assert(batch_header_read(batch, &large.append.header));
    cr_assert_eq(partition_append(fixture_partition(&fixture, 1), &large.append), APPEND_PENDING);
    rounds_for_ms(50);
    cr_assert_neq(fixture.store->disk.short_since_ns, 0);
    cr_assert_eq(append_for_ms(2, 100, 1000), 0);
    cr_assert_eq(append_for_ms(1, 100, 50), -ERROR_KAFKA_STORAGE_ERROR);
    cr_assert_not(large.done);
    cr_assert_eq(append_for_ms(1, 100, 10000), 1);
    cr_assert(large.done && large.append.code == ERROR_NONE && large.append.base_offset == 0);
    free((void *)batch.at);
    fixture_stop(&fixture);
}

/* Less than the reserve is free: clients wait, the broker's own go on. */
Test(space, the_reserve_is_not_for_records, .timeout = 300) {
    begin("disk_free:1:28:10");
    fixture_start(&fixture);
    fixture_partition(&fixture, 2)->definition.internal = true;
    cr_assert_eq(append_for_ms(1, 100, 100), 0); /* nobody has asked yet */
    rounds_for_ms(20);
    cr_assert_eq(append_for_ms(1, 100, 50), -ERROR_KAFKA_STORAGE_ERROR);
    cr_assert_eq(append_for_ms(2, 100, 50), 0);
    cr_assert_eq(trim_to(1, 1), ERROR_NONE);
    cr_assert_eq(append_for_ms(1, 100, 10000), 1, "there is space again");
    cr_assert_eq(fixture.store->disk.short_since_ns, 0);
    fixture_stop(&fixture);
}

/* A short time-out is kept behind a long one. */
Test(space, each_waits_as_long_as_it_said, .timeout = 300) {
    begin("disk_free:1:28:1000");
    fixture_start(&fixture);
    cr_assert_eq(append_for_ms(1, 100, 100), 0);
    rounds_for_ms(20);
    struct bytes batch = fixture_batch(1, 100, 1000, -1, 0);
    struct waiting longer = {.append = {.batch = batch, .append_time_ms = -1, .done = appended}};
    cr_assert(batch_header_read(batch, &longer.append.header));
    cr_assert_eq(partition_append(fixture_partition(&fixture, 1), &longer.append), APPEND_PENDING);
    cr_assert_eq(append_for_ms(1, 100, 50), -ERROR_KAFKA_STORAGE_ERROR);
    cr_assert_not(longer.done);
    fixture_stop(&fixture);
    cr_assert(longer.done);
    cr_assert_eq(longer.append.code, ERROR_KAFKA_STORAGE_ERROR);
    free((void *)batch.at);
}

/* … by a journal that grows no more. */
static void append_until_refused(uint32_t id, int64_t *next) {
    const struct journal *journal = &fixture.store->journal;
    for (int at = 0; at < 10000; at++) {
        int64_t offset = append_for_ms(id, 5000, 1);
        bool grows = journal->filling || journal->bytes < journal->bytes_max;
        if (offset == -ERROR_KAFKA_STORAGE_ERROR && grows) continue;
        if (offset == -ERROR_KAFKA_STORAGE_ERROR) return;
        cr_assert_eq(offset, (*next)++);
    }
    cr_assert_fail("the journal has no end");
}

static void make_catalog(void) {
    const struct partition_definition definition = {
        .id = CATALOG_PARTITION_ID, .shard = CATALOG_SHARD, .rules = fixture.rules};
    store_create_partition(fixture.store, &definition);
}

/* No byte can be written out and the journal is full: groups outlast records, the catalog outlasts
 * groups, records can still be deleted after that, and it stops and starts. */
Test(space, what_matters_more_outlasts_the_rest, .timeout = 300) {
    begin("segment_allocate:1:28");
    fixture.options.journal_bytes_max = 4 << 20;
    fixture_start(&fixture);
    make_catalog();
    int64_t records = 0, groups = 0, catalog = 0;
    append_until_refused(1, &records);
    fixture_partition(&fixture, 2)->definition.internal = true;
    append_until_refused(2, &groups);
    append_until_refused(CATALOG_PARTITION_ID, &catalog);
    cr_assert(records > 100 && groups >= 10 && catalog >= 8, "%lld, %lld, %lld", (long long)records,
              (long long)groups, (long long)catalog);
    for (int64_t offset = 1; offset <= 8; offset++)
        cr_assert_eq(trim_to(1, offset), ERROR_NONE, "trim %lld", (long long)offset);
    fixture_stop(&fixture);
    fixture_start(&fixture);
    make_catalog();
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, 8, &bytes), records);
    expect_whole(2, groups);
    expect_whole(CATALOG_PARTITION_ID, catalog);
    store_delete_partition(fixture.store, 1);
    fixture.partitions = 0;
    fixture_stop(&fixture);
}

/* More than a start likes to hold in memory, and not a byte of it can be written. */
Test(space, a_start_finds_the_disk_full, .timeout = 300) {
    begin("segment_allocate:1:28");
    fixture_start(&fixture);
    for (int64_t at = 0; at < 300; at++) cr_assert_eq(append_for_ms(1, 20000, 10000), at);
    die_and_start();
    cr_assert_gt(fixture.store->unsettled_bytes, 5 << 20);
    expect_whole(1, 300);
    cr_assert_eq(append_for_ms(1, 20000, 10000), 300);
    fixture_stop(&fixture);
}

/* A store in which a segment of partition 1 is closed, and cannot be written out. */
static int64_t append_until_closed(void) {
    int64_t next = 0;
    fixture.rules.segment_bytes = 60000;
    fixture_start(&fixture);
    while (next < 3 || fixture_partition(&fixture, 1)->segment_count < 2)
        cr_assert_eq(append_for_ms(1, 20000, 10000), next++);
    cr_assert_eq(fixture_partition(&fixture, 1)->settled.segment, 0);
    return next;
}

/* A segment was closed before anybody knew that the disk is full: a start keeps it in memory,
 * serves and deletes, and writes it out when there is space. */
Test(space, a_start_keeps_what_is_closed_and_not_written, .timeout = 60) {
    begin("segment_allocate:1:28:50");
    int64_t next = append_until_closed();
    die_and_start();
    const struct partition *partition = fixture_partition(&fixture, 1);
    cr_assert_lt(partition->settled.segment, partition->end.segment);
    cr_assert_eq(fixture.store->unsettled_bytes, partition_unsettled_bytes(partition));
    cr_assert_neq(fixture.store->disk.short_since_ns, 0);
    expect_whole(1, next);
    cr_assert_eq(trim_to(1, 1), ERROR_NONE);
    cr_assert_eq(append_for_ms(1, 20000, 10000), next++);
    run_until_space();
    cr_assert_eq(partition->settled.segment, partition->end.segment);
    next = append_many(1, 20000, next);
    die_and_start();
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, 1, &bytes), next);
    fixture_stop(&fixture);
}

/* … or never writes it, because it was deleted. */
Test(space, what_a_start_keeps_may_be_deleted, .timeout = 60) {
    begin("segment_allocate:1:28");
    int64_t next = append_until_closed();
    die_and_start();
    cr_assert_eq(trim_to(1, next), ERROR_NONE);
    const struct partition *partition = fixture_partition(&fixture, 1);
    uint64_t deadline_ns = clock_monotonic_ns() + 20 * NS_PER_S;
    while (partition->settled.segment < partition->end.segment) {
        ring_round(fixture.ring, true);
        cr_assert(clock_monotonic_ns() < deadline_ns, "it waits for room that it does not need");
    }
    cr_assert_eq(partition->segment_count, 1);
    die_and_start();
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, next, &bytes), next);
    fixture_stop(&fixture);
}

/* A topic with large records was deleted, and its files with it; the journal still has its entries.
 */
Test(space, a_start_needs_no_room_for_what_was_deleted, .timeout = 60) {
    begin("segment_allocate:4:28");
    fixture.rules.segment_bytes = 200000;
    fixture_start(&fixture);
    for (int64_t at = 0; at < 3; at++) cr_assert_eq(append_for_ms(8, 150000, 10000), at);
    cr_assert_eq(append_for_ms(1, 1000, 10000), 0);
    cr_assert_eq(fixture.store->disk.short_since_ns, 0);
    store_delete_partition(fixture.store, 8);
    fixture.partitions = 7;
    die_and_start();
    expect_whole(1, 1);
    fixture_stop(&fixture);
}

/* Records that were never written out are given up without being written. */
Test(space, retention_frees_what_could_not_be_written, .timeout = 300) {
    begin("segment_allocate:1:28");
    fixture.rules.retention_ms = 1;
    fixture_start(&fixture);
    struct store *store = fixture.store;
    for (int64_t at = 0; at < 30; at++) cr_assert_eq(append_for_ms(1, 20000, 1000), at);
    rounds_for_ms(50);
    cr_assert_gt(store->unsettled_bytes, 600000);
    retain_round(store);
    uint64_t deadline_ns = clock_monotonic_ns() + 60 * NS_PER_S;
    while (store->unsettled_bytes > 0 || !list_is_empty(&store->settling)) {
        ring_round(fixture.ring, true);
        cr_assert(clock_monotonic_ns() < deadline_ns, "%lu", (unsigned long)store->unsettled_bytes);
    }
    cr_assert_eq(append_for_ms(1, 100, 10000), 30);
    die_and_start();
    struct partition_view view;
    partition_look(fixture_partition(&fixture, 1), -1, -1, &view);
    cr_assert_eq(view.code, ERROR_NONE);
    cr_assert_eq(view.log_start_offset, 30);
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, 30, &bytes), 31);
    fixture_stop(&fixture);
}
#endif
