#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "storage/settle.h"
#include "storage/store_fixture.h"

/* Every case runs on both backends; io_uring may be forbidden where the tests run. */
static bool has_backend(enum io_backend backend) {
    struct error why;
    struct workers *workers = workers_new(1);
    struct ring_options options = {.backend = backend, .workers = workers};
    struct ring *ring = ring_new(&options, &why);
    if (ring)
        ring_free(ring);
    else
        cr_log_warn("skipped on %s: %s", io_backend_name(backend), why.text);
    workers_free(workers);
    return ring != NULL;
}

static void on_both(void (*test)(enum io_backend)) {
    test(IO_EPOLL);
    if (has_backend(IO_URING)) test(IO_URING);
}

static int64_t append_one(struct fixture *fixture, uint32_t id, uint32_t count,
                          size_t value_bytes) {
    struct bytes batch = fixture_batch(count, value_bytes, 1000, -1, 0);
    int64_t offset = fixture_append(fixture, id, batch);
    free((void *)batch.at);
    return offset;
}

static void small_appends(enum io_backend backend) {
    struct fixture fixture;
    fixture_init(&fixture, backend);
    fixture_start(&fixture);
    for (int64_t at = 0; at < 100; at++) cr_assert_eq(append_one(&fixture, 1, 1, 100), at);
    cr_assert_eq(append_one(&fixture, 2, 10, 100), 0);
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, 0, &bytes), 100);
    fixture_kill(&fixture);

    fixture_start(&fixture);
    uint64_t again = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, 0, &again), 100);
    cr_assert_eq(bytes, again);
    cr_assert_eq(append_one(&fixture, 1, 1, 100), 100);
    cr_assert_eq(append_one(&fixture, 2, 1, 100), 10);
    fixture_stop(&fixture);

    fixture_start(&fixture);
    again = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, 50, &again), 101);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
Test(store, small_appends_survive) { on_both(small_appends); }

/* Enough to settle, fill the first journal file and run checkpoints, with restarts in between. */
static void many_appends(enum io_backend backend) {
    struct fixture fixture;
    fixture_init(&fixture, backend);
    int64_t next[9] = {0};
    struct random random;
    random_init(&random, 7);
    for (int life = 0; life < 4; life++) {
        fixture_start(&fixture);
        for (int at = 0; at < 1500; at++) {
            uint32_t id = 1 + (uint32_t)random_below(&random, 8);
            uint32_t count = 1 + (uint32_t)random_below(&random, 20);
            cr_assert_eq(append_one(&fixture, id, count, random_below(&random, 2000)), next[id]);
            next[id] += count;
        }
        for (uint32_t id = 1; id <= 8; id++) {
            uint64_t bytes = 0;
            cr_assert_eq(fixture_read_all(&fixture, id, 0, &bytes), next[id]);
        }
        fixture_kill(&fixture);
    }
    fixture_deinit(&fixture);
}
Test(store, many_appends_survive_restarts, .timeout = 300) { on_both(many_appends); }

static void large_appends(enum io_backend backend) {
    struct fixture fixture;
    fixture_init(&fixture, backend);
    fixture.rules.segment_bytes = 8 << 20;
    int64_t next = 0;
    uint64_t bytes = 0;
    for (int life = 0; life < 3; life++) {
        fixture_start(&fixture);
        bytes = 0;
        cr_assert_eq(fixture_read_all(&fixture, 3, 0, &bytes), next, "life %d", life);
        for (int at = 0; at < 24; at++) {
            cr_assert_eq(append_one(&fixture, 3, 10, 100000), next);
            next += 10;
            if (at % 3) continue;
            cr_assert_eq(append_one(&fixture, 3, 2, 500), next);
            next += 2;
        }
        bytes = 0;
        cr_assert_eq(fixture_read_all(&fixture, 3, 0, &bytes), next);
        fixture_kill(&fixture);
    }
    fixture.options.cache_bytes_max = 0;
    fixture_start(&fixture);
    uint64_t cold = 0;
    cr_assert_eq(fixture_read_all(&fixture, 3, 0, &cold), next);
    cr_assert_eq(bytes, cold);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
Test(store, large_appends_bypass_the_journal, .timeout = 300) { on_both(large_appends); }

static void idempotence(enum io_backend backend) {
    struct fixture fixture;
    fixture_init(&fixture, backend);
    fixture_start(&fixture);
    struct bytes first = fixture_batch(3, 10, 1000, 77, 0),
                 second = fixture_batch(2, 10, 1000, 77, 3);
    struct bytes gap = fixture_batch(1, 10, 1000, 77, 9);
    cr_assert_eq(fixture_append(&fixture, 4, first), 0);
    cr_assert_eq(fixture_append(&fixture, 4, second), 3);
    cr_assert_eq(fixture_append(&fixture, 4, first), 0);
    cr_assert_eq(fixture_append(&fixture, 4, gap), -ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    cr_assert_eq(fixture_append(&fixture, 4, second), 3);
    cr_assert_eq(fixture_append(&fixture, 4, gap), -ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
    free((void *)first.at), free((void *)second.at), free((void *)gap.at);
}
Test(store, duplicates_are_known_after_a_restart) { on_both(idempotence); }

struct waiting_trim {
    struct trim trim;
    bool done;
};
static void trim_done(struct trim *trim) {
    container_of(trim, struct waiting_trim, trim)->done = true;
}
static enum error_code trim_to(struct fixture *fixture, uint32_t id, int64_t offset) {
    struct waiting_trim waiting = {.trim = {.offset = offset, .done = trim_done}};
    if (!partition_trim(fixture_partition(fixture, id), &waiting.trim))
        fixture_run_until(fixture, &waiting.done);
    return waiting.trim.code;
}

static void trims(enum io_backend backend) {
    struct fixture fixture;
    fixture_init(&fixture, backend);
    fixture.rules.segment_bytes = 1 << 20;
    fixture_start(&fixture);
    for (int at = 0; at < 40; at++) append_one(&fixture, 5, 10, 10000);
    cr_assert_eq(trim_to(&fixture, 5, 401), ERROR_OFFSET_OUT_OF_RANGE);
    cr_assert_eq(trim_to(&fixture, 5, 250), ERROR_NONE);
    struct partition_view view;
    partition_look(fixture_partition(&fixture, 5), 249, -1, &view);
    cr_assert_eq(view.code, ERROR_OFFSET_OUT_OF_RANGE);
    cr_assert_eq(view.log_start_offset, 250);
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 5, 250, &bytes), 400);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    partition_look(fixture_partition(&fixture, 5), 250, -1, &view);
    cr_assert_eq(view.log_start_offset, 250);
    bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 5, 250, &bytes), 400);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
/* A log start inside a segment frees nothing; behind it, whole segments go. */
Test(store, the_size_is_that_of_whole_segments) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.rules.segment_bytes = 100000;
    fixture_start(&fixture);
    for (int at = 0; at < 30; at++) append_one(&fixture, 5, 10, 1000);
    struct partition *partition = fixture_partition(&fixture, 5);
    uint64_t whole = partition_size_bytes(partition), each = whole / 30;
    int64_t second = partition->segments[1].base_offset;
    cr_assert(whole > 300000 && second > 10);
    cr_assert_eq(trim_to(&fixture, 5, second - 5), ERROR_NONE);
    cr_assert_eq(partition_size_bytes(partition), whole);
    while (partition->settled.segment <= partition->segments[0].number + 1) {
        settle_force(partition);
        ring_round(fixture.ring, true);
    }
    cr_assert_eq(trim_to(&fixture, 5, second + 15), ERROR_NONE);
    cr_assert_eq(partition->segments[0].base_offset, second);
    cr_assert_eq(partition_size_bytes(partition), whole - each * (uint64_t)second / 10);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
Test(store, the_log_start_moves_durably) { on_both(trims); }

struct waiting_lookup {
    struct lookup lookup;
    bool done;
};
static void lookup_done(struct lookup *lookup) {
    container_of(lookup, struct waiting_lookup, lookup)->done = true;
}
static int64_t offset_at(struct fixture *fixture, uint32_t id, int64_t timestamp) {
    struct waiting_lookup waiting = {.lookup = {.timestamp_ms = timestamp, .done = lookup_done}};
    if (!partition_lookup(fixture_partition(fixture, id), &waiting.lookup))
        fixture_run_until(fixture, &waiting.done);
    cr_assert_eq(waiting.lookup.code, ERROR_NONE);
    return waiting.lookup.offset;
}

static void lookups(enum io_backend backend) {
    struct fixture fixture;
    fixture_init(&fixture, backend);
    fixture.rules.segment_bytes = 200000;
    for (int life = 0; life < 2; life++) {
        fixture_start(&fixture);
        for (int at = 0; life == 0 && at < 100; at++) {
            struct bytes batch = fixture_batch(10, 1000, 10000 + at * 100, -1, 0);
            fixture_append(&fixture, 6, batch);
            free((void *)batch.at);
        }
        cr_assert_eq(offset_at(&fixture, 6, 0), 0);
        cr_assert_eq(offset_at(&fixture, 6, 10005), 5);
        cr_assert_eq(offset_at(&fixture, 6, 15050), 510);
        cr_assert_eq(offset_at(&fixture, 6, 19909), 999);
        cr_assert_eq(offset_at(&fixture, 6, 19910), -1);
        cr_assert_eq(offset_at(&fixture, 6, LOOKUP_MAX_TIMESTAMP), 999);
        fixture_kill(&fixture);
    }
    fixture_deinit(&fixture);
}
Test(store, offsets_by_time_are_exact) { on_both(lookups); }

/* A segment that the log start has left behind stays until a batch in the next one is durable: the
 * roll alone is not on record, and after a crash the log goes on in the old segment. */
Test(store, a_segment_goes_when_the_next_one_is_durable) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.rules.segment_bytes = 100000;
    fixture_start(&fixture);
    for (int at = 0; at < 4; at++) append_one(&fixture, 1, 1, 20000);
    cr_assert_eq(trim_to(&fixture, 1, 4), ERROR_NONE);
    struct partition *partition = fixture_partition(&fixture, 1);
    partition_roll(partition, 1, 4, 1000);
    while (partition->settled.segment == 0) {
        settle_force(partition);
        ring_round(fixture.ring, true);
    }
    cr_assert_eq(partition->segments[0].number, 0);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    for (int at = 4; at < 6; at++) cr_assert_eq(append_one(&fixture, 1, 1, 20000), at);
    partition = fixture_partition(&fixture, 1);
    while (partition->segments[0].number == 0) {
        settle_force(partition);
        ring_round(fixture.ring, fixture.store->flows > 0);
    }
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, 4, &bytes), 6);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

/* The index is as sparse as the topic's rules say: appended, after a restart, and rebuilt. */
Test(store, the_index_interval_is_the_topics) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.rules.index_interval_bytes = 50000;
    fixture.rules.segment_bytes = 600000;
    fixture.options.cache_bytes_max = 0;
    fixture_start(&fixture);
    for (int at = 0; at < 50; at++) append_one(&fixture, 1, 1, 10000);
    struct segment *segment = &fixture_partition(&fixture, 1)->segments[0];
    cr_assert_eq(segment->index->count, 10);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    for (int at = 0; at < 5; at++) append_one(&fixture, 1, 1, 10000);
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 1, 0, &bytes), 55); /* loads what is not there */
    segment = &fixture_partition(&fixture, 1)->segments[0];
    cr_assert(segment->index->count >= 10 && segment->index->count <= 12, "%zu entries",
              segment->index->count);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}

static void deletion(enum io_backend backend) {
    struct fixture fixture;
    fixture_init(&fixture, backend);
    fixture_start(&fixture);
    append_one(&fixture, 8, 10, 100000);
    append_one(&fixture, 7, 1, 10);
    store_delete_partition(fixture.store, 8);
    cr_assert_null(store_find_partition(fixture.store, 8));
    fixture.partitions = 7;
    fixture_kill(&fixture);
    fixture_start(&fixture);
    uint64_t bytes = 0;
    cr_assert_eq(fixture_read_all(&fixture, 7, 0, &bytes), 1);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
Test(store, a_deleted_partition_stays_away) { on_both(deletion); }

static void retention(enum io_backend backend) {
    struct fixture fixture;
    fixture_init(&fixture, backend);
    fixture.rules.segment_bytes = 100000;
    fixture.rules.retention_bytes = 250000;
    fixture.options.retention_check_ms = 20;
    fixture_start(&fixture);
    for (int at = 0; at < 100; at++) append_one(&fixture, 1, 10, 1000);
    uint64_t deadline = clock_monotonic_ns() + 60 * NS_PER_S;
    struct partition *partition = fixture_partition(&fixture, 1);
    ring_round(fixture.ring, false);
    while (partition_size_bytes(partition) > 400000 && clock_monotonic_ns() < deadline)
        ring_round(fixture.ring, true);
    cr_assert(partition_size_bytes(partition) <= 400000);
    cr_assert(partition_size_bytes(partition) >= 250000);
    int64_t start = partition->log_start;
    cr_assert(start > 0);
    fixture_kill(&fixture);
    fixture.options.retention_check_ms = 0;
    fixture_start(&fixture);
    uint64_t bytes = 0;
    cr_assert(fixture_partition(&fixture, 1)->log_start >= start); /* it may have moved on */
    start = fixture_partition(&fixture, 1)->log_start;
    cr_assert_eq(fixture_read_all(&fixture, 1, start, &bytes), 1000);
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
Test(store, retention_by_size_moves_the_log_start) { on_both(retention); }

/* Shards move when the number of cores changes; nothing may be lost on the way. */
Test(store, another_number_of_cores) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture_start(&fixture);
    for (uint32_t id = 1; id <= 8; id++) append_one(&fixture, id, 10, 3000);
    fixture_kill(&fixture);
    fixture.cores = 2;
    fixture_start(&fixture);
    for (uint32_t id = 2; id <= 8; id += 2) {
        uint64_t bytes = 0;
        cr_assert_eq(fixture_read_all(&fixture, id, 0, &bytes), 10);
        cr_assert_eq(append_one(&fixture, id, 1, 10), 10);
    }
    fixture_kill(&fixture);
    fixture.cores = 1;
    fixture_start(&fixture);
    for (uint32_t id = 1; id <= 8; id++) {
        uint64_t bytes = 0;
        cr_assert_eq(fixture_read_all(&fixture, id, 0, &bytes), id % 2 ? 10 : 11);
    }
    fixture_stop(&fixture);
    fixture_deinit(&fixture);
}
