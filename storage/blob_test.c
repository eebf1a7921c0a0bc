/* Both implementations by the same table; then what a disk adds to the one of files: crashes. */
#include "storage/blob.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/sim.h"
#include "storage/checkpoint.h"
#include "storage/layout.h"
#include "storage/store_fixture.h"

/* A world with folders "a" and "b", and objects in it. */
struct bench {
    struct sim *sim;
    struct disk *disk;
    struct ring *ring;
    struct blobs *blobs;
};

static void bench_open_disk(struct bench *bench) {
    bench->disk = sim_disk_open(bench->sim);
    bench->ring = sim_ring_new(bench->sim);
}

static void bench_init(struct bench *bench, bool in_files, uint64_t seed) {
    *bench = (struct bench){.sim = sim_new(seed)};
    bench_open_disk(bench);
    cr_assert_eq(disk_make_directory(bench->disk, "a"), 0);
    cr_assert_eq(disk_make_directory(bench->disk, "b"), 0);
    cr_assert_eq(disk_sync_directory(bench->disk, "."), 0);
    bench->blobs = in_files ? blobs_new_files(bench->disk) : blobs_new_memory();
}

static void bench_close(struct bench *bench) {
    blobs_free(bench->blobs);
    ring_free(bench->ring);
    disk_close(bench->disk);
}

static void bench_deinit(struct bench *bench) {
    bench_close(bench);
    sim_free(bench->sim);
}

static void put(struct bench *bench, const char *name, const char *content) {
    cr_assert_eq(blobs_put(bench->blobs, name, bytes_of_text(content)), 0);
}

/* Whether the object is exactly this text; NULL: that there is none. */
static bool holds(struct bench *bench, const char *name, const char *content) {
    uint8_t *at = NULL;
    size_t len = 0;
    int result = blobs_read_whole(bench->blobs, name, &at, &len);
    bool same = content ? result == 0 && bytes_equal(bytes_make(at, len), bytes_of_text(content))
                        : result == -ENOENT;
    free(at);
    return same;
}

/* --- the table --- */

static void what_is_put_is_read(struct bench *bench) {
    put(bench, "a/1", "one");
    put(bench, "b/1", "another");
    cr_assert(holds(bench, "a/1", "one"));
    cr_assert(holds(bench, "b/1", "another"));
    cr_assert_eq(blobs_size(bench->blobs, "b/1"), 7);
}

static void a_put_replaces(struct bench *bench) {
    put(bench, "a/1", "a longer one than the next");
    put(bench, "a/1", "short");
    cr_assert(holds(bench, "a/1", "short"));
}

static void an_object_may_be_empty(struct bench *bench) {
    put(bench, "a/1", "");
    cr_assert(holds(bench, "a/1", ""));
    cr_assert_eq(blobs_size(bench->blobs, "a/1"), 0);
}

static void a_range_ends_with_the_object(struct bench *bench) {
    static const struct {
        uint64_t position;
        size_t len;
        const char *found;
    } ranges[] = {{0, 3, "012"}, {7, 3, "789"}, {7, 4, "789"},         {10, 1, ""},
                  {99, 5, ""},   {0, 0, ""},    {0, 100, "0123456789"}};
    put(bench, "a/1", "0123456789");
    for (size_t at = 0; at < array_count(ranges); at++) {
        char into[100];
        int64_t got = blobs_read(bench->blobs, "a/1", into, ranges[at].len, ranges[at].position);
        cr_assert_eq(got, (int64_t)strlen(ranges[at].found), "%zu", at);
        cr_assert_eq(memcmp(into, ranges[at].found, (size_t)got), 0, "%zu", at);
    }
}

static void what_is_not_there_is_named(struct bench *bench) {
    char into[1];
    put(bench, "a/11", "it only begins so");
    cr_assert(holds(bench, "a/1", NULL));
    cr_assert_eq(blobs_size(bench->blobs, "a/1"), -ENOENT);
    cr_assert_eq(blobs_read(bench->blobs, "a/1", into, 1, 0), -ENOENT);
    cr_assert_eq(blobs_remove(bench->blobs, "a/1"), -ENOENT);
}

static void what_is_removed_is_gone(struct bench *bench) {
    put(bench, "a/1", "one");
    put(bench, "a/2", "two");
    cr_assert_eq(blobs_remove(bench->blobs, "a/1"), 0);
    cr_assert(holds(bench, "a/1", NULL));
    cr_assert(holds(bench, "a/2", "two"));
    put(bench, "a/1", "again");
    cr_assert(holds(bench, "a/1", "again"));
}

static void too_much_is_refused(struct bench *bench) {
    struct bytes much = bytes_make("", (size_t)BLOB_BYTES_MAX + 1);
    cr_assert_eq(blobs_put(bench->blobs, "a/1", much), -EFBIG);
    cr_assert(holds(bench, "a/1", NULL));
}

struct found {
    struct bench *bench;
    unsigned mask; /* bit N: "a/N", or "a/2N" for what begins with 2 */
    unsigned count, most;
    bool removes;
};

static int found(void *context, const char *name) {
    struct found *list = context;
    cr_assert_eq(strncmp(name, "a/", 2), 0, "%s", name);
    list->mask |= 1u << (name[strlen(name) - 1] - '0');
    if (list->removes) cr_assert_eq(blobs_remove(list->bench->blobs, name), 0);
    return ++list->count == list->most ? 77 : 0;
}

static unsigned listed(struct bench *bench, const char *prefix) {
    struct found list = {.bench = bench, .most = UINT32_MAX};
    cr_assert_eq(blobs_list(bench->blobs, prefix, found, &list), 0);
    return list.mask;
}

static void a_list_is_of_a_prefix(struct bench *bench) {
    cr_assert_eq(listed(bench, "a/"), 0);
    put(bench, "a/1", "");
    put(bench, "a/23", "");
    put(bench, "a/24", "");
    put(bench, "b/5", "");
    cr_assert_eq(listed(bench, "a/"), 1u << 1 | 1u << 3 | 1u << 4);
    cr_assert_eq(listed(bench, "a/2"), 1u << 3 | 1u << 4);
    cr_assert_eq(listed(bench, "a/24"), 1u << 4);
    cr_assert_eq(listed(bench, "a/9"), 0);
}

static void a_list_stops_when_told(struct bench *bench) {
    put(bench, "a/1", "");
    put(bench, "a/2", "");
    struct found list = {.bench = bench, .most = 1};
    cr_assert_eq(blobs_list(bench->blobs, "a/", found, &list), 77);
    cr_assert_eq(list.count, 1);
}

static void what_is_listed_may_be_removed(struct bench *bench) {
    put(bench, "a/1", "");
    put(bench, "a/2", "");
    put(bench, "a/3", "");
    struct found list = {.bench = bench, .most = UINT32_MAX, .removes = true};
    cr_assert_eq(blobs_list(bench->blobs, "a/", found, &list), 0);
    cr_assert_eq(list.count, 3);
    cr_assert_eq(listed(bench, "a/"), 0);
}

/* --- without waiting --- */

struct asked {
    struct blob_op op;
    bool done;
};

static void asked_done(struct blob_op *op) { container_of(op, struct asked, op)->done = true; }

static int64_t asked_result(struct bench *bench, struct asked *asked) {
    cr_assert_not(asked->done, "it was called back from inside");
    while (!asked->done) cr_assert(sim_step(bench->sim, UINT64_MAX), "nothing happens");
    asked->done = false;
    return asked->op.result;
}

static void a_loop_does_the_same(struct bench *bench) {
    struct asked asked = {.op.done = asked_done};
    char into[10], name[] = "a/1";
    blob_op_put(bench->ring, &asked.op, bench->blobs, name, BYTES_OF("0123456789"), false);
    name[2] = '9'; /* it has a copy */
    cr_assert_eq(asked_result(bench, &asked), 0);
    cr_assert(holds(bench, "a/1", "0123456789"));
    blob_op_read(bench->ring, &asked.op, bench->blobs, "a/1", into, 4, 8);
    cr_assert_eq(asked_result(bench, &asked), 2);
    cr_assert_eq(memcmp(into, "89", 2), 0);
    blob_op_remove(bench->ring, &asked.op, bench->blobs, "a/1");
    cr_assert_eq(asked_result(bench, &asked), 0);
    blob_op_read(bench->ring, &asked.op, bench->blobs, "a/1", into, 4, 0);
    cr_assert_eq(asked_result(bench, &asked), -ENOENT);
}

/* As many at a time as somebody begins; each has its own answer. */
static void many_are_on_their_way(struct bench *bench) {
    enum { MANY = 9 };
    struct asked asked[MANY] = {0};
    for (int at = 0; at < MANY; at++) {
        char name[] = "a/0";
        name[2] = (char)('0' + at);
        asked[at].op.done = asked_done;
        blob_op_put(bench->ring, &asked[at].op, bench->blobs, name,
                    bytes_of_text(&"0123456789"[at]), at + 1 < MANY);
    }
    for (int at = 0; at < MANY; at++)
        while (!asked[at].done) cr_assert(sim_step(bench->sim, UINT64_MAX));
    for (int at = 0; at < MANY; at++) {
        cr_assert_eq(asked[at].op.result, 0);
        cr_assert_eq(blobs_size(bench->blobs, asked[at].op.name), 10 - at);
    }
}

static void (*const table[])(struct bench *bench) = {
    what_is_put_is_read,        a_put_replaces,
    an_object_may_be_empty,     a_range_ends_with_the_object,
    what_is_not_there_is_named, what_is_removed_is_gone,
    too_much_is_refused,        a_list_is_of_a_prefix,
    a_list_stops_when_told,     what_is_listed_may_be_removed,
    a_loop_does_the_same,       many_are_on_their_way,
};

static void run_table(bool in_files) {
    for (size_t at = 0; at < array_count(table); at++) {
        struct bench bench;
        bench_init(&bench, in_files, at);
        table[at](&bench);
        bench_deinit(&bench);
    }
}

Test(blob, table_in_files) { run_table(true); }
Test(blob, table_in_memory) { run_table(false); }

/* --- files and crashes --- */

static const char *const before = "what was there before", *const after =
                                                               "and what has replaced it";

/* One object, or two, of which the second makes both durable. */
static int put_after(struct bench *bench, unsigned count) {
    int result = 0;
    if (count == 2)
        result = bench->blobs->calls->put(bench->blobs, "a/1", bytes_of_text(after), true);
    return result ? result : blobs_put(bench->blobs, "a/2", bytes_of_text(after));
}

/* Puts while operation `at` of the disk goes wrong, and starts again. False when it was not
 * reached.
 */
static bool put_and_crash(uint64_t seed, uint64_t at, unsigned form, int spoil) {
    bool replaces = form & 1, power = form & 2;
    struct bench bench;
    bench_init(&bench, true, seed);
    if (replaces) put(&bench, "a/1", before);
    if (replaces) put(&bench, "a/2", before);
    uint64_t operations = sim_disk_operations(bench.sim);
    if (spoil < 0)
        sim_fail_disk(bench.sim, at, -spoil);
    else
        sim_spoil_disk(bench.sim, at, (enum sim_spoil)spoil);
    unsigned count = form & 4 ? 2 : 1;
    int result = put_after(&bench, count);
    if (sim_disk_operations(bench.sim) - operations < at) {
        cr_assert_eq(result, 0);
        bench_deinit(&bench);
        return false;
    }
    if (power)
        sim_power_cut_keeping(bench.sim, (unsigned)(seed % 9));
    else
        sim_kill(bench.sim);
    bench_close(&bench);
    bench_open_disk(&bench);
    bench.blobs = blobs_new_files(bench.disk);
    for (unsigned number = 3 - count; number <= 2; number++) {
        const char *name = number == 1 ? "a/1" : "a/2";
        bool is_new = holds(&bench, name, after);
        cr_assert(is_new || holds(&bench, name, replaces ? before : NULL),
                  "operation %llu: neither the old nor the new one", (unsigned long long)at);
        if (result == 0) cr_assert(is_new, "operation %llu: lost", (unsigned long long)at);
        cr_assert_eq((listed(&bench, "a/") & 1u << number) != 0, is_new || replaces);
        put(&bench, name, after);
        cr_assert(holds(&bench, name, after));
    }
    bench_deinit(&bench);
    return true;
}

/* Every operation of a put, with each thing that may happen to it, then a power cut or a kill. */
Test(blob, a_put_is_old_or_new_at_every_crash, .timeout = 60) {
    static const int spoils[] = {-EIO, -ENOSPC, SIM_SPOIL_SHORT, SIM_SPOIL_TORN, SIM_SPOIL_STOP};
    for (size_t kind = 0; kind < array_count(spoils); kind++)
        for (unsigned form = 0; form < 8; form++)
            for (uint64_t seed = 0; seed < 9; seed++) {
                uint64_t at = 1;
                while (put_and_crash(seed, at, form, spoils[kind])) at++;
                cr_assert(at > 5, "only %llu operations", (unsigned long long)at);
            }
}

/* --- a store on it --- */

/* A store needs nothing of its objects but what the interface says: with snapshots in memory it
 * checkpoints, dies, starts and misses nothing. */
Test(blob, a_store_keeps_its_snapshots_in_memory, .timeout = 60) {
    struct fixture fixture;
    struct bytes batch = fixture_batch(1, 1000, 1000, -1, 0);
    uint64_t bytes = 0;
    fixture_init(&fixture, IO_EPOLL);
    fixture.blobs = blobs_new_memory();
    int64_t next = 0;
    for (int life = 0; life < 3; life++) {
        fixture_start(&fixture);
        cr_assert_eq(fixture_read_all(&fixture, 3, 0, &bytes), next);
        for (int at = 0; at < 40; at++) {
            cr_assert_eq(fixture_append(&fixture, 3, batch), next);
            next++;
        }
        checkpoint_start(fixture.store);
        fixture_kill(&fixture);
        cr_assert_gt(blobs_size(fixture.blobs, LAYOUT_SNAPSHOTS "/3"), 1000);
    }
    free((void *)batch.at);
    blobs_free(fixture.blobs);
    fixture_deinit(&fixture);
}
