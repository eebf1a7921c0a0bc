#include "storage/cold.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "storage/checkpoint.h"
#include "storage/layout.h"
#include "storage/settle.h"
#include "storage/store_fixture.h"

struct reading {
    struct read read;
    bool done;
};

static void reading_done(struct read *read) {
    container_of(read, struct reading, read)->done = true;
}

static struct reading *reading_start(struct fixture *fixture, uint32_t id, int64_t offset,
                                     size_t bytes_max) {
    struct reading *reading = new_zero(struct reading);
    reading->read = (struct read){
        .offset = offset, .bytes_max = bytes_max, .minimum_one = true, .done = reading_done};
    reading->done = partition_read(fixture_partition(fixture, id), &reading->read);
    return reading;
}

static void reading_wait(struct fixture *fixture, struct reading *reading) {
    if (!reading->done) fixture_run_until(fixture, &reading->done);
}

static void reading_free(struct reading *reading) {
    read_release(&reading->read);
    free(reading);
}

static struct bytes reading_bytes(const struct reading *reading) {
    const struct read *read = &reading->read;
    uint8_t *all = memory_new(read->total + 1);
    size_t len = 0;
    for (int32_t at = 0; at < read->piece_count; at++) {
        memcpy(all + len, read->pieces[at].at, read->pieces[at].len);
        len += read->pieces[at].len;
    }
    cr_assert_eq(len, read->total);
    return bytes_make(all, len);
}

/* Whole batches with good CRCs from the one that holds the offset on; answers the next offset. */
static int64_t expect_batches(const struct reading *reading) {
    cr_assert_eq(reading->read.code, ERROR_NONE, "%lld: %d", (long long)reading->read.offset,
                 reading->read.code);
    struct bytes all = reading_bytes(reading), rest = all;
    int64_t next = reading->read.offset;
    while (rest.len) {
        struct batch_header header;
        cr_assert(batch_header_read(rest, &header) && batch_crc_valid(rest));
        cr_assert(header.base_offset <= next && batch_last_offset(&header) >= next);
        next = batch_last_offset(&header) + 1;
        rest = bytes_make(rest.at + batch_size(&header), rest.len - batch_size(&header));
    }
    free((void *)all.at);
    return next;
}

/* A store without a cache for settled chunks, and a log of batches of these sizes in it. */
static void fill(struct fixture *fixture, uint64_t segment_bytes, unsigned count,
                 size_t (*value_bytes)(unsigned at)) {
    fixture_init(fixture, IO_EPOLL);
    fixture->partitions = 1;
    fixture->options.cache_bytes_max = 0;
    fixture->rules.segment_bytes = (int64_t)segment_bytes;
    fixture_start(fixture);
    for (unsigned at = 0; at < count; at++) {
        struct bytes batch = fixture_batch(1, value_bytes(at), 1000, -1, 0);
        cr_assert_eq(fixture_append(fixture, 1, batch), at);
        free((void *)batch.at);
    }
    struct partition *partition = fixture_partition(fixture, 1);
    while (settle_is_pending(partition) || fixture->store->flows) {
        settle_force(partition);
        ring_round(fixture->ring, fixture->store->flows > 0);
    }
    checkpoint_start(fixture->store); /* so that a start does not write it again */
    while (fixture->store->checkpoint) ring_round(fixture->ring, fixture->store->flows > 0);
}

static void end(struct fixture *fixture) {
    fixture_stop(fixture);
    fixture_deinit(fixture);
}

static size_t small(unsigned at) { return 100 + at % 7; }
static size_t medium(unsigned at) { return 30000 + at % 7; }
static size_t mixed(unsigned at) { return at % 9 == 4 ? 700000 : at % 5 * 9000; }
static size_t huge(unsigned at) { return at % 3 == 1 ? 5 << 20 : 1000; }

/* Answers that nobody has taken yet hold what they are, not what they might have been. */
Test(cold, an_answer_is_as_large_as_what_is_in_it, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture, 1 << 30, 2000, small);
    struct reading *held[300];
    uint64_t before = fixture.store->chunks.used_bytes;
    for (int at = 0; at < 300; at++) {
        held[at] = reading_start(&fixture, 1, at * 6, 1 + (size_t)at * 100);
        reading_wait(&fixture, held[at]);
        cr_assert(held[at]->read.total > 0);
    }
    for (int at = 0; at < 300; at++) {
        const struct read *read = &held[at]->read;
        if (read->buffer) {
            cr_assert(malloc_usable_size(read->buffer) <= read->total + 64, "%zu for %zu",
                      malloc_usable_size(read->buffer), read->total);
        }
        expect_batches(held[at]);
    }
    cr_assert(fixture.store->chunks.used_bytes <= before + COLD_BYTES_DEFAULT);
    for (int at = 0; at < 300; at++) reading_free(held[at]);
    end(&fixture);
}

/* Many at once, of the largest kind: their windows never pass the bound, and all are answered. */
Test(cold, reads_in_flight_are_bounded_together, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture, 4 << 20, 1000, medium);
    struct cold_reads *cold = &fixture.store->cold;
    struct reading *readings[200];
    for (int at = 0; at < 200; at++)
        readings[at] = reading_start(&fixture, 1, at * 5 % 1000, 8 << 20);
    for (int at = 0; at < 200; at++) {
        while (!readings[at]->done) {
            cr_assert(cold->windows.bytes <= cold->windows.bytes_max);
            cr_assert(cold->running <= cold->running_max);
            ring_round(fixture.ring, true);
        }
        cr_assert(expect_batches(readings[at]) > at * 5 % 1000);
        cr_assert(readings[at]->read.total <= COLD_READ_MAX);
        reading_free(readings[at]);
    }
    cr_assert_eq(cold->running, 0);
    end(&fixture);
}

static void read_through(struct fixture *fixture, int64_t count, size_t bytes_max) {
    for (int64_t next = 0; next < count;) {
        struct reading *reading = reading_start(fixture, 1, next, bytes_max);
        reading_wait(fixture, reading);
        int64_t reached = expect_batches(reading);
        cr_assert(reached > next);
        next = reached;
        reading_free(reading);
    }
}

/* Batches that lie across windows, fill several, or pass what windows may hold; with room for one
 * read, and for many. */
Test(cold, batches_of_every_size, .timeout = 300) {
    size_t (*const sizes[])(unsigned at) = {small, medium, mixed, huge};
    for (size_t kind = 0; kind < array_count(sizes); kind++) {
        struct fixture fixture;
        unsigned count = sizes[kind] == huge ? 12 : 120;
        fill(&fixture, kind % 2 ? 3 << 20 : 1 << 30, count, sizes[kind]);
        read_through(&fixture, count, 1);
        read_through(&fixture, count, 100000);
        read_through(&fixture, count, 1 << 20);
        read_through(&fixture, count, 64 << 20);
        fixture_kill(&fixture);
        fixture.options.cold_bytes_max = 1; /* the least that it may be */
        fixture_start(&fixture);
        cr_assert_eq(fixture.store->cold.running_max, 1);
        read_through(&fixture, count, 1 << 20);
        read_through(&fixture, count, 3000);
        end(&fixture);
    }
}

/* Readers of the same bytes load them once. */
Test(cold, readers_share_what_was_read, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture, 1 << 30, 100, medium);
    struct reading *readings[40];
    for (int at = 0; at < 40; at++) readings[at] = reading_start(&fixture, 1, at, 500000);
    for (int at = 0; at < 40; at++) {
        reading_wait(&fixture, readings[at]);
        expect_batches(readings[at]);
        reading_free(readings[at]);
    }
    uint64_t size = partition_size_bytes(fixture_partition(&fixture, 1));
    cr_assert(fixture.store->cold.windows.loads <= size / WINDOW_BYTES + 2, "%llu loads",
              (unsigned long long)fixture.store->cold.windows.loads);
    read_through(&fixture, 100, 500000);
    cr_assert(fixture.store->cold.windows.loads <= size / WINDOW_BYTES + 2);
    end(&fixture);
}

/* A window that is held by nobody goes when its room is wanted; answers on their way stay whole. */
Test(cold, an_answer_outlives_its_windows, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture, 1 << 30, 200, medium);
    fixture_kill(&fixture);
    fixture.options.cold_bytes_max = 1;
    fixture_start(&fixture);
    struct reading *first = reading_start(&fixture, 1, 0, 1 << 20);
    reading_wait(&fixture, first);
    struct bytes before = reading_bytes(first);
    read_through(&fixture, 200, 1 << 20);
    struct bytes after = reading_bytes(first);
    cr_assert(bytes_equal(before, after));
    free((void *)before.at), free((void *)after.at);
    reading_free(first);
    end(&fixture);
}

/* --- damage --- */

static int segment_descriptor(const struct fixture *fixture, uint32_t segment) {
    char path[LAYOUT_PATH_SIZE], whole[200];
    layout_segment(path, 1, segment, 0);
    snprintf(whole, sizeof whole, "%s/%s", fixture->path, path);
    int fd = open(whole, O_RDWR);
    cr_assert(fd >= 0);
    return fd;
}

static void flip(const struct fixture *fixture, uint32_t segment, uint64_t position) {
    int fd = segment_descriptor(fixture, segment);
    uint8_t byte;
    cr_assert_eq(pread(fd, &byte, 1, (off_t)position), 1);
    byte ^= 0x40;
    cr_assert_eq(pwrite(fd, &byte, 1, (off_t)position), 1);
    close(fd);
}

/* The code of a read from each offset. */
static enum error_code code_at(struct fixture *fixture, int64_t offset) {
    struct reading *reading = reading_start(fixture, 1, offset, 1 << 20);
    reading_wait(fixture, reading);
    enum error_code code = reading->read.code;
    if (code == ERROR_NONE) cr_assert(expect_batches(reading) > offset);
    reading_free(reading);
    return code;
}

/* A flipped bit in one batch: that batch is not served, all others are, before and after it. */
Test(cold, a_damaged_batch_costs_itself_only, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture, 1 << 30, 60, medium);
    fixture_kill(&fixture);
    uint64_t each = 30000 + 61 + 20, position = SEGMENT_START + 20 * each + 15000;
    flip(&fixture, 0, position);
    fixture_start(&fixture);
    int64_t damaged = -1;
    for (int64_t offset = 0; offset < 60; offset++) {
        enum error_code code = code_at(&fixture, offset);
        if (code == ERROR_NONE) continue;
        cr_assert_eq(code, ERROR_CORRUPT_MESSAGE);
        cr_assert_eq(damaged, -1, "%lld and %lld", (long long)damaged, (long long)offset);
        damaged = offset;
    }
    cr_assert(damaged == 19 || damaged == 20);
    end(&fixture);
}

/* Even where the flip is in a header, which breaks the way from one batch to the next: it costs
 * what begins before the next entry of the index. */
Test(cold, a_damaged_header_costs_up_to_the_next_index_entry, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture, 1 << 30, 60, medium);
    struct index *index = fixture_partition(&fixture, 1)->segments[0].index;
    struct index_entry entry = index->entries[30];
    fixture_kill(&fixture);
    flip(&fixture, 0, entry.position + 16); /* its magic */
    for (int life = 0; life < 2; life++) {  /* the index is rebuilt, then kept */
        fixture_start(&fixture);
        for (int64_t offset = 0; offset < 60; offset++)
            cr_assert_eq(code_at(&fixture, offset),
                         offset == entry.offset ? ERROR_CORRUPT_MESSAGE : ERROR_NONE, "%lld",
                         (long long)offset);
        fixture_kill(&fixture);
    }
    fixture_deinit(&fixture);
}

/* Puts the batch `from` where `to` is, which is as large: whole, and at a place that is not its
 * own, as a lost or misdirected write leaves it. */
static void misplace(const struct fixture *fixture, const struct index *index, unsigned from,
                     unsigned to) {
    int fd = segment_descriptor(fixture, 0);
    uint64_t source = index->entries[from].position, place = index->entries[to].position;
    size_t size = index->entries[from + 1].position - source;
    cr_assert_eq(index->entries[to + 1].position - place, size);
    uint8_t *batch = memory_new(size);
    cr_assert_eq(pread(fd, batch, size, (off_t)source), (ssize_t)size);
    cr_assert_eq(pwrite(fd, batch, size, (off_t)place), (ssize_t)size);
    free(batch);
    close(fd);
}

static void misplaced(unsigned from, unsigned to) {
    struct fixture fixture;
    fill(&fixture, 1 << 30, 60, medium);
    misplace(&fixture, fixture_partition(&fixture, 1)->segments[0].index, from, to);
    for (int life = 0; life < 2; life++) { /* with its index, and with one made by a walk */
        for (int64_t offset = 0; offset < 60; offset++)
            cr_assert_eq(code_at(&fixture, offset),
                         offset == to ? ERROR_CORRUPT_MESSAGE : ERROR_NONE, "%lld",
                         (long long)offset);
        fixture_kill(&fixture);
        fixture_start(&fixture);
    }
    end(&fixture);
}
Test(cold, an_older_batch_in_its_place_is_not_served, .timeout = 60) { misplaced(14, 21); }
Test(cold, a_newer_batch_in_its_place_is_not_served, .timeout = 60) { misplaced(28, 21); }

/* A file that ends early cannot be read from there on: what is before is served, from the same
 * window, and what comes after is refused range by range, until it is there again. */
Test(cold, an_unreadable_range_costs_itself_only, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture, 1 << 30, 60, medium);
    fixture_kill(&fixture);
    int fd = segment_descriptor(&fixture, 0);
    off_t whole = lseek(fd, 0, SEEK_END), cut = SEGMENT_START + 25 * 30000;
    uint8_t *rest = memory_new((size_t)(whole - cut));
    cr_assert_eq(pread(fd, rest, (size_t)(whole - cut), cut), whole - cut);
    fixture_start(&fixture);
    cr_assert_eq(code_at(&fixture, 0), ERROR_NONE);
    fixture_kill(&fixture);
    cr_assert_eq(ftruncate(fd, cut), 0);
    fixture_start(&fixture);
    unsigned refused = 0;
    for (int64_t offset = 0; offset < 59; offset++) {
        enum error_code code = code_at(&fixture, offset);
        cr_assert(code == ERROR_NONE || code == ERROR_CORRUPT_MESSAGE);
        cr_assert(offset >= 24 || code == ERROR_NONE, "%lld", (long long)offset);
        refused += code != ERROR_NONE;
    }
    cr_assert(refused > 30, "%u", refused);
    cr_assert_eq(pwrite(fd, rest, (size_t)(whole - cut), cut), whole - cut);
    for (int64_t offset = 0; offset < 60; offset++)
        cr_assert_eq(code_at(&fixture, offset), ERROR_NONE, "%lld", (long long)offset);
    free(rest);
    close(fd);
    end(&fixture);
}

/* --- what goes away meanwhile --- */

Test(cold, a_partition_that_is_deleted_meanwhile, .timeout = 300) {
    struct fixture fixture;
    fill(&fixture, 1 << 20, 200, medium);
    struct reading *readings[100];
    for (int at = 0; at < 100; at++) readings[at] = reading_start(&fixture, 1, at * 2, 1 << 20);
    store_delete_partition(fixture.store, 1);
    fixture.partitions = 0;
    for (int at = 0; at < 100; at++) {
        reading_wait(&fixture, readings[at]);
        bool is_refused = readings[at]->read.code == ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        cr_assert(is_refused || expect_batches(readings[at]) > at * 2);
        reading_free(readings[at]);
    }
    cr_assert_eq(fixture.store->cold.running, 0);
    end(&fixture);
}

/* Reads while the log grows, settles and rolls: batches that begin in the file end in the tail. */
Test(cold, reads_behind_the_writer, .timeout = 300) {
    struct fixture fixture;
    fixture_init(&fixture, IO_EPOLL);
    fixture.partitions = 1;
    fixture.options.cache_bytes_max = 0;
    fixture.rules.segment_bytes = 900000;
    fixture_start(&fixture);
    struct random random;
    random_init(&random, 3);
    for (int64_t at = 0; at < 400; at++) {
        struct bytes batch = fixture_batch(1, random_below(&random, 20000), 1000, -1, 0);
        cr_assert_eq(fixture_append(&fixture, 1, batch), at);
        free((void *)batch.at);
        int64_t from = (int64_t)random_below(&random, (uint64_t)at + 1);
        if (at % 2) from = at - (at < 4 ? 0 : (int64_t)random_below(&random, 4));
        cr_assert_eq(code_at(&fixture, from), ERROR_NONE);
    }
    read_through(&fixture, 400, 70000);
    end(&fixture);
}
