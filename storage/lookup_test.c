#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/memory.h"
#include "protocol/batch_build.h"
#include "storage/store_fixture.h"

struct asked {
    struct lookup lookup;
    bool at_once, done;
};

static void asked_done(struct lookup *lookup) {
    struct asked *asked = container_of(lookup, struct asked, lookup);
    cr_assert(asked->at_once == false, "`done` ran inside the call");
    asked->done = true;
}

static struct lookup ask(struct fixture *fixture, uint32_t id, int64_t timestamp) {
    struct asked asked = {.lookup = {.timestamp_ms = timestamp, .done = asked_done},
                          .at_once = true};
    bool at_once = partition_lookup(fixture_partition(fixture, id), &asked.lookup);
    asked.at_once = false;
    cr_assert_eq(asked.done, false);
    if (!at_once) fixture_run_until(fixture, &asked.done);
    return asked.lookup;
}

static void expect(struct fixture *fixture, int64_t timestamp, int64_t offset, int64_t found) {
    struct lookup lookup = ask(fixture, 1, timestamp);
    cr_assert_eq(lookup.code, ERROR_NONE, "%lld: %d", (long long)timestamp, lookup.code);
    cr_assert_eq(lookup.offset, offset, "%lld: offset %lld", (long long)timestamp,
                 (long long)lookup.offset);
    cr_assert_eq(lookup.found_timestamp_ms, found, "%lld: time %lld", (long long)timestamp,
                 (long long)lookup.found_timestamp_ms);
}

/* One batch whose records have these timestamps, in this order. */
static struct bytes batch_at(const int64_t *timestamps, size_t count, size_t value_bytes,
                             enum codec codec) {
    struct batch_build build;
    batch_build_init(&build);
    uint8_t *value = memory_zero(value_bytes, 1);
    for (size_t at = 0; at < count; at++)
        batch_build_add(&build, timestamps[at], BYTES_NULL, bytes_make(value, value_bytes), NULL,
                        0);
    struct byte_buffer out = {0};
    struct error error;
    cr_assert(batch_build_finish(&build, codec, &out, &error));
    batch_build_deinit(&build);
    free(value);
    return bytes_make(out.at, out.len);
}

static void append_at(struct fixture *fixture, const int64_t *timestamps, size_t count,
                      size_t value_bytes, enum codec codec) {
    struct bytes batch = batch_at(timestamps, count, value_bytes, codec);
    cr_assert(fixture_append(fixture, 1, batch) >= 0);
    free((void *)batch.at);
}
#define APPEND_AT(fixture, value_bytes, codec, ...)    \
    append_at(fixture, (const int64_t[]){__VA_ARGS__}, \
              sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), value_bytes, codec)

struct trimmed {
    struct trim trim;
    bool done;
};
static void trimmed_done(struct trim *trim) {
    container_of(trim, struct trimmed, trim)->done = true;
}
static void trim_to(struct fixture *fixture, int64_t offset) {
    struct trimmed trimmed = {.trim = {.offset = offset, .done = trimmed_done}};
    if (!partition_trim(fixture_partition(fixture, 1), &trimmed.trim))
        fixture_run_until(fixture, &trimmed.done);
    cr_assert_eq(trimmed.trim.code, ERROR_NONE);
}

static void start(struct fixture *fixture) {
    fixture_init(fixture, IO_EPOLL);
    fixture->partitions = 1;
    fixture_start(fixture);
}
static void end(struct fixture *fixture) {
    fixture_stop(fixture);
    fixture_deinit(fixture);
}

Test(lookup, an_empty_log_has_none) {
    struct fixture fixture;
    start(&fixture);
    expect(&fixture, 0, -1, -1);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, -1, -1);
    end(&fixture);
}

/* Times that go up and down, within batches and between them, compressed and not. */
Test(lookup, times_in_any_order) {
    struct fixture fixture;
    start(&fixture);
    APPEND_AT(&fixture, 10, CODEC_NONE, 100, 300, 200); /* 0 1 2 */
    APPEND_AT(&fixture, 10, CODEC_LZ4, 50, 400, 400);   /* 3 4 5 */
    APPEND_AT(&fixture, 10, CODEC_GZIP, 60, 350);       /* 6 7 */
    for (int life = 0; life < 2; life++) {
        expect(&fixture, 0, 0, 100);
        expect(&fixture, 101, 1, 300);
        expect(&fixture, 301, 4, 400);
        expect(&fixture, 400, 4, 400);
        expect(&fixture, 401, -1, -1);
        expect(&fixture, LOOKUP_MAX_TIMESTAMP, 4, 400);
        fixture_kill(&fixture);
        fixture_start(&fixture);
    }
    end(&fixture);
}

/* What was deleted is not found: neither a whole batch, nor the front of one. */
Test(lookup, below_the_log_start) {
    struct fixture fixture;
    start(&fixture);
    APPEND_AT(&fixture, 10, CODEC_NONE, 100, 900, 200);      /* 0 1 2 */
    APPEND_AT(&fixture, 10, CODEC_NONE, 800, 300, 700, 250); /* 3 4 5 6 */
    APPEND_AT(&fixture, 10, CODEC_NONE, 600, 500);           /* 7 8 */
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 1, 900);
    trim_to(&fixture, 2);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 3, 800);
    expect(&fixture, 0, 2, 200);
    expect(&fixture, 850, -1, -1);
    trim_to(&fixture, 4);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 5, 700);
    expect(&fixture, 301, 5, 700);
    trim_to(&fixture, 6);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 7, 600);
    expect(&fixture, 0, 6, 250);
    trim_to(&fixture, 8);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 8, 500);
    trim_to(&fixture, 9);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, -1, -1);
    end(&fixture);
}

/* The log start lies in a segment whose largest time is gone; a later segment has a larger one than
 * what remains, or a smaller one. */
Test(lookup, a_log_start_inside_a_segment) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.partitions = 1;
    fixture.rules.segment_bytes = 100000;
    fixture.options.cache_bytes_max = 0;
    fixture_start(&fixture);
    APPEND_AT(&fixture, 30000, CODEC_NONE, 900); /* 0, first segment */
    APPEND_AT(&fixture, 30000, CODEC_NONE, 500); /* 1 */
    APPEND_AT(&fixture, 30000, CODEC_NONE, 300); /* 2 */
    APPEND_AT(&fixture, 30000, CODEC_NONE, 400); /* 3, second segment */
    APPEND_AT(&fixture, 30000, CODEC_NONE, 100); /* 4 */
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 0, 900);
    trim_to(&fixture, 1);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 1, 500);
    trim_to(&fixture, 2);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 3, 400);
    expect(&fixture, 450, -1, -1);
    end(&fixture);
}

static void forget(struct append *append) { (void)append; }

/* The newest batch has the largest time and is on its way to the disk. */
Test(lookup, what_is_not_durable_is_not_found) {
    struct fixture fixture;
    start(&fixture);
    APPEND_AT(&fixture, 10, CODEC_NONE, 100, 300);
    int64_t time = 900;
    struct bytes batch = batch_at(&time, 1, 10, CODEC_NONE);
    struct append append = {.batch = batch, .append_time_ms = -1, .done = forget};
    cr_assert(batch_header_read(batch, &append.header));
    cr_assert_eq(partition_append(fixture_partition(&fixture, 1), &append), APPEND_PENDING);
    struct asked asked = {.lookup = {.timestamp_ms = LOOKUP_MAX_TIMESTAMP, .done = asked_done}};
    cr_assert_eq(partition_lookup(fixture_partition(&fixture, 1), &asked.lookup), false);
    fixture_run_until(&fixture, &asked.done);
    cr_assert_eq(asked.lookup.offset, 1);
    cr_assert_eq(asked.lookup.found_timestamp_ms, 300);
    fixture_kill(&fixture);
    fixture_start(&fixture);
    expect(&fixture, LOOKUP_MAX_TIMESTAMP, 2, 900);
    free((void *)batch.at);
    end(&fixture);
}

/* A log start that moves, or a partition that goes, while the search is on its way. */
Test(lookup, a_log_that_shrinks_meanwhile) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.partitions = 1;
    fixture.rules.segment_bytes = 300000;
    fixture.options.cache_bytes_max = 0;
    fixture_start(&fixture);
    for (int at = 0; at < 30; at++) APPEND_AT(&fixture, 100000, CODEC_NONE, 1000 + at);
    struct asked asked = {.lookup = {.timestamp_ms = 1000, .done = asked_done}};
    cr_assert_eq(partition_lookup(fixture_partition(&fixture, 1), &asked.lookup), false);
    trim_to(&fixture, 20);
    if (!asked.done) fixture_run_until(&fixture, &asked.done);
    cr_assert_eq(asked.lookup.code, ERROR_NONE);
    expect(&fixture, 1000, 20, 1020);

    struct asked again = {.lookup = {.timestamp_ms = 1025, .done = asked_done}};
    cr_assert_eq(partition_lookup(fixture_partition(&fixture, 1), &again.lookup), false);
    store_delete_partition(fixture.store, 1);
    fixture_run_until(&fixture, &again.done);
    fixture.partitions = 0;
    end(&fixture);
}

/* More at once than may run at once: all are answered, and memory is not asked for all together. */
Test(lookup, many_at_once) {
    struct fixture fixture;
    start(&fixture);
    for (int at = 0; at < 50; at++) APPEND_AT(&fixture, 1000, CODEC_NONE, 1000 + at);
    struct asked asked[100];
    for (int at = 0; at < 100; at++) {
        asked[at] = (struct asked){.lookup = {.timestamp_ms = 1000 + at % 50, .done = asked_done}};
        cr_assert_eq(partition_lookup(fixture_partition(&fixture, 1), &asked[at].lookup), false);
    }
    cr_assert(fixture.store->lookups.running <= LOOKUPS_MAX);
    for (int at = 0; at < 100; at++) {
        if (!asked[at].done) fixture_run_until(&fixture, &asked[at].done);
        cr_assert_eq(asked[at].lookup.offset, at % 50);
    }
    cr_assert_eq(fixture.store->lookups.running, 0);
    end(&fixture);
}

/* Records that cannot be read are found by what their batch says. */
Test(lookup, records_that_are_no_records) {
    struct fixture fixture;
    start(&fixture);
    APPEND_AT(&fixture, 10, CODEC_NONE, 100);
    int64_t times[] = {200, 250};
    struct bytes batch = batch_at(times, 2, 10, CODEC_NONE);
    uint8_t *at = (uint8_t *)batch.at;
    at[22] |= CODEC_ZSTD; /* and they are no zstd frame */
    store_u32(at + 17, crc32c(at + 21, batch.len - 21));
    cr_assert_eq(fixture_append(&fixture, 1, batch), 1);
    free(at);
    APPEND_AT(&fixture, 10, CODEC_NONE, 300);
    expect(&fixture, 220, 1, 250);
    expect(&fixture, 260, 3, 300);
    end(&fixture);
}
