#include "storage/retain.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "storage/layout.h"
#include "storage/store_fixture.h"

enum { HOUR_MS = 3600 * 1000, RECORD_BYTES = 50000 };

static void retain_init(struct fixture *fixture) {
    fixture_init(fixture, IO_EPOLL);
    fixture->rules.segment_bytes = 2 * (RECORD_BYTES + 500); /* two records */
    fixture->partitions = 2;
}

static int64_t append_at(struct fixture *fixture, uint32_t id, int64_t timestamp) {
    struct bytes batch = fixture_batch(1, RECORD_BYTES, timestamp, -1, 0);
    int64_t offset = fixture_append(fixture, id, batch);
    free((void *)batch.at);
    cr_assert(offset >= 0);
    return offset;
}

/* Until nothing is under way any more. */
static void settle_down(struct fixture *fixture) {
    struct store *store = fixture->store;
    ring_round(fixture->ring, false);
    while (store->flows || store->reserved_bytes || !journal_is_quiet(&store->journal))
        ring_round(fixture->ring, true);
}

static void retain(struct fixture *fixture) {
    settle_down(fixture);
    retain_round(fixture->store);
    settle_down(fixture);
}

static void configure(struct fixture *fixture, uint32_t id, int64_t retention_ms,
                      int64_t retention_bytes) {
    struct partition *partition = fixture_partition(fixture, id);
    struct partition_rules rules = partition->definition.rules;
    rules.retention_ms = retention_ms;
    rules.retention_bytes = retention_bytes;
    partition_configure(partition, &rules);
}

static int count_file(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    uint32_t partition, segment, revision;
    cr_assert(layout_segment_parse(name, &partition, &segment, &revision));
    if (partition == 1) ++*(unsigned *)context;
    return 0;
}

/* Segment files of partition 1. */
static unsigned file_count(struct fixture *fixture) {
    unsigned count = 0;
    cr_assert_eq(disk_list(fixture->directory.disk, LAYOUT_SEGMENTS, count_file, &count), 0);
    return count;
}

static int64_t log_start(struct fixture *fixture, uint32_t id) {
    return fixture_partition(fixture, id)->log_start;
}

static void expect_readable(struct fixture *fixture, int64_t next) {
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(fixture, 1, log_start(fixture, 1), &bytes), next);
}

/* Each segment has two records; the times are those of the producer. */
Test(retain, by_record_time_and_changed_while_running) {
    struct fixture fixture;
    retain_init(&fixture);
    fixture_start(&fixture);
    int64_t now = ring_wall_ms(fixture.ring);
    int64_t ages[] = {9, 8, 7, 6, 1, 9, 0, 0};
    for (size_t at = 0; at < array_count(ages); at++)
        append_at(&fixture, 1, now - ages[at] * HOUR_MS);
    for (size_t at = 0; at < array_count(ages); at++) append_at(&fixture, 2, now - 9 * HOUR_MS);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 0);
    configure(&fixture, 1, 7 * HOUR_MS + HOUR_MS / 2, -1);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 2);
    configure(&fixture, 1, 2 * HOUR_MS, -1);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 4, "the third segment has a young record");
    cr_assert_eq(log_start(&fixture, 2), 0, "another topic's rules");
    configure(&fixture, 1, -1, -1);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 4);
    expect_readable(&fixture, 8);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 4);
    cr_assert_eq(log_start(&fixture, 2), 0);
    expect_readable(&fixture, 8);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

struct waiting_append {
    struct append append;
    bool done;
};

static void append_done(struct append *append) {
    container_of(append, struct waiting_append, append)->done = true;
}

/* LogAppendTime: what the producer says does not count. */
static void append_stamped(struct fixture *fixture, int64_t timestamp, int64_t append_time_ms) {
    struct bytes batch = fixture_batch(1, RECORD_BYTES, timestamp, -1, 0);
    struct waiting_append waiting = {
        .append = {.batch = batch, .append_time_ms = append_time_ms, .done = append_done}};
    cr_assert(batch_header_read(batch, &waiting.append.header));
    cr_assert_eq(partition_append(fixture_partition(fixture, 1), &waiting.append), APPEND_PENDING);
    fixture_run_until(fixture, &waiting.done);
    free((void *)batch.at);
}

Test(retain, by_append_time) {
    struct fixture fixture;
    retain_init(&fixture);
    fixture.rules.retention_ms = HOUR_MS;
    fixture_start(&fixture);
    int64_t now = ring_wall_ms(fixture.ring);
    append_stamped(&fixture, now, now - 2 * HOUR_MS);
    append_stamped(&fixture, now, now - 2 * HOUR_MS);
    append_stamped(&fixture, now - 2 * HOUR_MS, now);
    append_stamped(&fixture, now - 2 * HOUR_MS, now);
    append_stamped(&fixture, now - 2 * HOUR_MS, now);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 2);
    expect_readable(&fixture, 5);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* Records without any time: their segment is as old as the beginning of the next one. */
Test(retain, without_times) {
    struct fixture fixture;
    retain_init(&fixture);
    fixture.rules.retention_ms = HOUR_MS;
    fixture_start(&fixture);
    for (int at = 0; at < 5; at++) append_at(&fixture, 1, -1);
    struct partition *partition = fixture_partition(&fixture, 1);
    cr_assert_eq(partition->segment_count, 3);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 0);
    partition->segments[1].created_ms -= 2 * HOUR_MS;
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 2);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

Test(retain, by_size_and_changed_while_running) {
    struct fixture fixture;
    retain_init(&fixture);
    fixture_start(&fixture);
    for (int at = 0; at < 9; at++) append_at(&fixture, 1, 1000);
    settle_down(&fixture);
    unsigned files = file_count(&fixture);
    configure(&fixture, 1, -1, 6 * RECORD_BYTES);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 2, "what is kept is at least so much");
    configure(&fixture, 1, -1, 0);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 8, "all but the active segment");
    cr_assert(file_count(&fixture) + 4 <= files, "%u of %u", file_count(&fixture), files);
    expect_readable(&fixture, 9);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 8);
    expect_readable(&fixture, 9);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* Nobody appends any more: the active segment goes all the same, and the log goes on behind it. */
static void idle_log(bool checkpoint) {
    struct fixture fixture;
    retain_init(&fixture);
    fixture.options.cache_bytes_max = 0;
    fixture_start(&fixture);
    for (int at = 0; at < 3; at++) append_at(&fixture, 1, 1000);
    configure(&fixture, 1, HOUR_MS, -1);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 3);
    cr_assert_eq(file_count(&fixture), 0, "space comes back");
    if (checkpoint) fixture_stop(&fixture);
    if (!checkpoint) fixture_kill(&fixture);
    fixture_start(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 3);
    for (int at = 0; at < 3; at++)
        cr_assert_eq(append_at(&fixture, 1, ring_wall_ms(fixture.ring)), 3 + at);
    expect_readable(&fixture, 6);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    expect_readable(&fixture, 6);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
Test(retain, an_idle_log_goes_as_well) {
    idle_log(false);
    idle_log(true);
}

/* After a crash the log would go on in the old one, so its file must be there. */
Test(retain, a_segment_stays_until_the_next_is_durably_begun) {
    struct fixture fixture;
    retain_init(&fixture);
    fixture.options.cache_bytes_max = 0;
    fixture_start(&fixture);
    append_at(&fixture, 1, 1000);
    struct partition *partition = fixture_partition(&fixture, 1);
    cr_assert(partition_roll_now(partition, ring_wall_ms(fixture.ring)));
    configure(&fixture, 1, -1, 0);
    retain(&fixture);
    cr_assert_eq(log_start(&fixture, 1), 1);
    cr_assert_eq(partition->segment_count, 2);
    cr_assert_eq(file_count(&fixture), 1);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    partition = fixture_partition(&fixture, 1);
    append_at(&fixture, 1, 1000);
    append_at(&fixture, 1, 1000);
    settle_down(&fixture);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    expect_readable(&fixture, 3);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

struct waiting_read {
    struct read read;
    bool done;
};

static void read_done(struct read *read) {
    container_of(read, struct waiting_read, read)->done = true;
}

/* A read that waits for a worker while its segment goes: what it asked for, or that it is gone. */
Test(retain, what_is_read_is_not_pulled_away) {
    for (int opened = 0; opened < 2; opened++) {
        struct fixture fixture;
        retain_init(&fixture);
        fixture.options.cache_bytes_max = 0;
        fixture_start(&fixture);
        for (int at = 0; at < 6; at++) append_at(&fixture, 1, 1000);
        settle_down(&fixture);
        fixture_kill(&fixture);
        fixture_start(&fixture);
        struct partition *partition = fixture_partition(&fixture, 1);
        if (opened) expect_readable(&fixture, 6);
        struct waiting_read waiting = {
            .read = {.offset = 0, .bytes_max = 1, .minimum_one = true, .done = read_done}};
        waiting.done = partition_read(partition, &waiting.read);
        cr_assert(opened || !waiting.done); /* what is open and cached is there at once */
        partition_trimmed(partition, 4);
        cr_assert_eq(partition->log_start, 4);
        if (!waiting.done) fixture_run_until(&fixture, &waiting.done);
        if (waiting.read.code == ERROR_NONE)
            cr_assert(waiting.read.total > RECORD_BYTES);
        else
            cr_assert_eq(waiting.read.code, ERROR_OFFSET_OUT_OF_RANGE, "%d", waiting.read.code);
        read_release(&waiting.read);
        expect_readable(&fixture, 6);
        fixture_stop(&fixture);
        fixture_deinit(&fixture);
    }
}

/* --- idle producers --- */

static int64_t append_as(struct fixture *fixture, int64_t producer_id, int32_t sequence) {
    struct bytes batch = fixture_batch(1, 10, 1000, producer_id, sequence);
    int64_t offset = fixture_append(fixture, 1, batch);
    free((void *)batch.at);
    return offset;
}

static const struct producers *known(struct fixture *fixture) {
    return &fixture_partition(fixture, 1)->producers;
}

/* Rounds until the producer's last append is so long ago. */
static void grow_old(struct fixture *fixture, int64_t producer_id, int64_t age_ms) {
    int64_t last_ms = producers_find(known(fixture), producer_id)->last_append_ms;
    while (ring_wall_ms(fixture->ring) - last_ms < age_ms) ring_round(fixture->ring, false);
}

/* Producers that have been idle for longer than that are forgotten, also where nothing is ever
 * deleted; what comes from them later begins anew. Replay knows them again, and so does retention.
 */
Test(retain, idle_producers_are_forgotten) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.rules.delete_old = false;
    fixture.options.producer_expiration_ms = 3600000;
    fixture_start(&fixture);
    cr_assert_eq(append_as(&fixture, 77, 0), 0);
    cr_assert_eq(append_as(&fixture, 78, 0), 1);
    grow_old(&fixture, 78, 5);
    retain_round(fixture.store);
    cr_assert_eq(producers_count(known(&fixture)), 2);
    cr_assert_eq(append_as(&fixture, 77, 0), 0, "a duplicate");

    for (int life = 0; life < 2; life++) {
        fixture.store->options.producer_expiration_ms = 5;
        grow_old(&fixture, 78, 5);
        retain_round(fixture.store);
        cr_assert_eq(producers_count(known(&fixture)), 0);
        fixture_kill(&fixture);
        fixture_start(&fixture);
        cr_assert_eq(producers_count(known(&fixture)), 2);
    }
    fixture.store->options.producer_expiration_ms = 5;
    grow_old(&fixture, 78, 5);
    retain_round(fixture.store);
    cr_assert_eq(append_as(&fixture, 77, 0), 2, "not known: appended");
    cr_assert_eq(append_as(&fixture, 78, 12), 3, "from any sequence on");
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* 0 means for ever; and only who is idle goes. */
Test(retain, who_appends_stays) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture_start(&fixture);
    append_as(&fixture, 77, 0);
    grow_old(&fixture, 77, 30);
    retain_round(fixture.store);
    cr_assert_eq(producers_count(known(&fixture)), 1);
    fixture.store->options.producer_expiration_ms = 20;
    append_as(&fixture, 78, 0);
    int64_t fresh_ms = producers_find(known(&fixture), 78)->last_append_ms;
    retain_round(fixture.store);
    cr_assert_null(producers_find(known(&fixture), 77));
    bool is_idle = ring_wall_ms(fixture.ring) - fresh_ms >= 20;
    cr_assert(is_idle || producers_find(known(&fixture), 78));
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
