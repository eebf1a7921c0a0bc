#include "storage/journal_scan.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "io/sim.h"
#include "storage/layout.h"

enum { FILE_SIZE = 2 << 20, FILES = 4, SALT = 77 };

/* Journal files made by hand: block by block, at the places that a journal would choose. */
struct bench {
    char path[64];
    struct data_directory directory;
    struct file *files[FILES];
    uint32_t numbers[FILES];
    uint64_t used[FILES];
    unsigned count;
    struct journal_scan scan;
};

static void bench_init(struct bench *bench, unsigned count) {
    *bench = (struct bench){.path = "/tmp/millrace-scan-XXXXXX", .count = count};
    cr_assert(mkdtemp(bench->path));
    struct error error;
    bench->directory.disk = disk_open(bench->path, true, &error);
    disk_probe_direct(bench->directory.disk);
    bench->directory.salt = SALT;
    cr_assert(bench->directory.disk);
    cr_assert_eq(disk_make_directory(bench->directory.disk, LAYOUT_JOURNALS), 0);
    for (unsigned at = 0; at < count; at++) {
        bench->numbers[at] = at;
        cr_assert_eq(journal_file_fill(bench->directory.disk, 0, at, FILE_SIZE, &bench->files[at]),
                     0);
    }
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static void bench_deinit(struct bench *bench) {
    for (unsigned at = 0; at < bench->count; at++) file_close(bench->files[at]);
    disk_close(bench->directory.disk);
    nftw(bench->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

struct spot {
    unsigned file;
    uint64_t position, size;
};

/* Writes one block behind the file's last; `size` with its padding. */
static struct spot put(struct bench *bench, unsigned file, struct journal_block block,
                       size_t size) {
    struct block_writer writer;
    uint8_t *buffer = memory_aligned(JOURNAL_ALIGNMENT, size);
    block_begin(&writer, buffer, size);
    block_run(&writer, 1, 0, block.sequence);
    size_t room = block_room(&writer) + JOURNAL_RUN_BYTES;
    memset(block_entry(&writer, ENTRY_BATCH, 1, room), (int)block.sequence, room);
    block.salt = SALT;
    if (block.incarnation == 0) block.incarnation = 1;
    cr_assert_eq(block_finish(&writer, &block), size);
    struct spot spot = {file, bench->used[file], size};
    cr_assert_eq(file_write_at(bench->files[file], buffer, size, spot.position), 0);
    bench->used[file] += size;
    free(buffer);
    return spot;
}

/* `from` … `upto`, each acknowledging all but three before it. */
static struct spot put_run(struct bench *bench, unsigned file, uint64_t from, uint64_t upto,
                           uint64_t released) {
    struct spot spot = {0};
    for (uint64_t at = from; at <= upto; at++)
        spot = put(bench, file,
                   (struct journal_block){.sequence = at,
                                          .acknowledged_through = at > 3 ? at - 3 : 0,
                                          .released_through = released},
                   at % 3 ? 4096 : 12288);
    return spot;
}

static void spot_change(struct bench *bench, struct spot spot, uint64_t offset, size_t len,
                        int value) {
    uint8_t *block = memory_aligned(JOURNAL_ALIGNMENT, spot.size);
    file_read_at(bench->files[spot.file], block, spot.size, spot.position);
    if (value < 0)
        block[offset] ^= 0x10;
    else
        memset(block + offset, value, len);
    file_write_at(bench->files[spot.file], block, spot.size, spot.position);
    free(block);
}
static void spot_flip(struct bench *bench, struct spot spot, uint64_t offset) {
    spot_change(bench, spot, offset, 1, -1);
}
static void spot_lose(struct bench *bench, struct spot spot) {
    spot_change(bench, spot, 0, spot.size, 0);
}

static bool scan_again(struct bench *bench, struct error *error) {
    bool fine =
        journal_scan_open(&bench->scan, &bench->directory, 0, bench->numbers, bench->count, error);
    if (!fine) journal_scan_close(&bench->scan);
    return fine;
}

/* Replays first … last and nothing else. */
static void expect_chain(struct bench *bench, uint64_t first, uint64_t last) {
    struct error error = {0};
    cr_assert(scan_again(bench, &error), "%s", error.text);
    struct journal_scan *scan = &bench->scan;
    journal_scan_rewind(scan);
    uint64_t met = 0, from = 0;
    cr_assert_not(scan->damaged);
    while (journal_scan_next(scan, &error) && scan->has_block) {
        if (met) cr_assert_eq(scan->block.sequence, met + 1);
        cr_assert_eq(scan->gap, 0);
        met = scan->block.sequence;
        if (!from) from = met;
    }
    cr_assert_not(error.text[0], "%s", error.text);
    cr_assert(from <= first, "%llu", (unsigned long long)from);
    cr_assert_eq(met, last, "%llu", (unsigned long long)met);
    cr_assert_eq(scan->last_sequence, last);
    journal_scan_close(scan);
}

static uint8_t *contents(struct bench *bench) {
    uint8_t *all = memory_aligned(JOURNAL_ALIGNMENT, (size_t)bench->count * FILE_SIZE);
    for (unsigned at = 0; at < bench->count; at++)
        file_read_at(bench->files[at], all + (size_t)at * FILE_SIZE, FILE_SIZE, 0);
    return all;
}

/* Damage is reported, not one byte is touched, and replay meets all that can be read: `first` …
 * `last` but for the `lost` ones, in order, and knows where they are missing. */
static void expect_damage(struct bench *bench, uint64_t first, uint64_t last, uint64_t lost_from,
                          uint64_t lost_upto) {
    struct error error = {0};
    uint8_t *before = contents(bench);
    cr_assert(scan_again(bench, &error), "%s", error.text);
    struct journal_scan *scan = &bench->scan;
    cr_assert(scan->damaged);
    cr_assert(strstr(scan->damage.text, "cannot be read"), "%s", scan->damage.text);
    journal_scan_rewind(scan);
    for (uint64_t at = first; at <= last; at++) {
        if (at >= lost_from && at <= lost_upto) continue;
        cr_assert(journal_scan_next(scan, &error) && scan->has_block, "%s", error.text);
        cr_assert_eq(scan->block.sequence, at);
        bool behind = at == lost_upto + 1;
        cr_assert_eq(scan->gap, behind ? lost_upto - lost_from + 1 : 0, "before %llu",
                     (unsigned long long)at);
    }
    cr_assert(journal_scan_next(scan, &error) && !scan->has_block, "%s", error.text);
    cr_assert_eq(scan->gap, lost_upto >= last ? lost_upto - lost_from + 1 : 0);
    cr_assert_eq(scan->lost_blocks, lost_upto - lost_from + 1);
    journal_scan_close(scan);
    uint8_t *after = contents(bench);
    cr_assert_eq(memcmp(before, after, (size_t)bench->count * FILE_SIZE), 0);
    free(before);
    free(after);
}

Test(journal_scan, an_empty_journal) {
    struct bench bench;
    bench_init(&bench, 2);
    expect_chain(&bench, 0, 0);
    bench_deinit(&bench);
}

Test(journal_scan, a_chain_over_files) {
    struct bench bench;
    bench_init(&bench, 4);
    put_run(&bench, 2, 1, 20, 0);
    put_run(&bench, 0, 21, 40, 0);
    put_run(&bench, 3, 41, 45, 0);
    expect_chain(&bench, 1, 45);
    bench_deinit(&bench);
}

Test(journal_scan, released_files_are_not_replayed) {
    struct bench bench;
    bench_init(&bench, 3);
    put_run(&bench, 0, 1, 20, 0);
    put_run(&bench, 1, 21, 40, 10);
    put_run(&bench, 2, 41, 45, 20);
    struct error error;
    cr_assert(scan_again(&bench, &error));
    cr_assert_not(bench.scan.files[0].needed);
    cr_assert(bench.scan.files[1].needed && bench.scan.files[2].needed);
    journal_scan_close(&bench.scan);
    expect_chain(&bench, 21, 45);
    bench_deinit(&bench);
}

/* A recycled file: new blocks in front, what is left of its former life behind. */
Test(journal_scan, stale_blocks_of_a_recycled_file) {
    struct bench bench;
    bench_init(&bench, 2);
    put_run(&bench, 0, 1, 30, 0);
    put_run(&bench, 1, 31, 60, 30);
    bench.used[0] = 0;
    put_run(&bench, 0, 61, 65, 30);
    expect_chain(&bench, 31, 65);
    bench_deinit(&bench);
}

/* Torn anywhere: the last blocks in flight, in one file or over two, never are damage. */
static void torn(unsigned second_file, uint64_t offset, unsigned lost) {
    struct bench bench;
    bench_init(&bench, 3);
    put_run(&bench, 0, 1, 10, 0);
    struct spot spots[4];
    for (unsigned at = 0; at < 4; at++)
        spots[at] = put(&bench, at >= second_file,
                        (struct journal_block){.sequence = 11 + at, .acknowledged_through = 10},
                        at % 2 ? 8192 : 4096);
    spot_flip(&bench, spots[lost], offset % spots[lost].size);
    expect_chain(&bench, 1, 10 + lost);
    /* What lay behind is gone: a new life writes there, and is not mistaken. */
    put(&bench, 2,
        (struct journal_block){
            .sequence = 11 + lost, .incarnation = 2, .acknowledged_through = 10 + lost},
        4096);
    expect_chain(&bench, 1, 11 + lost);
    bench_deinit(&bench);
}

Test(journal_scan, a_torn_tail_at_any_byte_is_no_damage, .timeout = 300) {
    struct random random;
    random_init(&random, 3);
    static const uint64_t edges[] = {0, 3, 4, 8, 12, 16, 24, 32, 40, 48, 56, 79, 80, 4090};
    for (unsigned lost = 0; lost < 4; lost++)
        for (unsigned second = 0; second <= 4; second++) {
            torn(second, edges[random_below(&random, array_count(edges))], lost);
            torn(second, random_below(&random, 4096), lost);
        }
}

/* Every byte of the last block; one bench, because nothing behind it has to be cleared. */
Test(journal_scan, the_last_block_torn_at_every_byte) {
    struct bench bench;
    bench_init(&bench, 1);
    put_run(&bench, 0, 1, 5, 0);
    struct spot last =
        put(&bench, 0, (struct journal_block){.sequence = 6, .acknowledged_through = 5}, 4096);
    expect_chain(&bench, 1, 6);
    for (uint64_t at = 0; at < last.size; at += 1 + at % 3) {
        spot_flip(&bench, last, at);
        expect_chain(&bench, 1, 5);
        spot_flip(&bench, last, at);
    }
    expect_chain(&bench, 1, 6);
    bench_deinit(&bench);
}

Test(journal_scan, a_flipped_byte_in_an_acknowledged_block_is_damage, .timeout = 300) {
    for (uint64_t lost = 1; lost <= 16; lost++) {
        struct bench bench;
        bench_init(&bench, 3);
        struct spot spot = {0};
        for (uint64_t at = 1; at <= 20; at++) {
            struct spot here = put_run(&bench, at <= 10 ? 0 : 1, at, at, 0);
            if (at == lost) spot = here;
        }
        spot_flip(&bench, spot, 100 * lost);
        expect_damage(&bench, 1, 20, lost, lost);
        expect_damage(&bench, 1, 20, lost, lost); /* and so the next time */
        bench_deinit(&bench);
    }
}

/* Many blocks, over the end of a file; and a whole file that is gone. */
Test(journal_scan, damage_of_many_blocks) {
    for (uint64_t lost = 1; lost <= 12; lost += 3) {
        struct bench bench;
        bench_init(&bench, 3);
        struct spot spots[31];
        for (uint64_t at = 1; at <= 30; at++)
            spots[at] = put_run(&bench, (unsigned)((at - 1) / 10), at, at, 0);
        for (uint64_t at = lost; at < lost + 9; at++) spot_lose(&bench, spots[at]);
        expect_damage(&bench, 1, 30, lost, lost + 8);
        bench_deinit(&bench);
    }
    struct bench bench;
    bench_init(&bench, 3);
    put_run(&bench, 0, 1, 10, 0);
    put_run(&bench, 1, 11, 20, 0);
    put_run(&bench, 2, 21, 30, 0);
    bench.numbers[1] = bench.numbers[2];
    bench.count = 2;
    expect_damage(&bench, 1, 30, 11, 20);
    bench.count = 3;
    bench_deinit(&bench);
}

/* What is released is not missed; what lies behind the last acknowledged block was never promised.
 */
Test(journal_scan, damage_ends_where_nothing_is_known_to_be_acknowledged) {
    struct bench bench;
    bench_init(&bench, 2);
    struct spot spots[31];
    for (uint64_t at = 1; at <= 20; at++) spots[at] = put_run(&bench, 0, at, at, 0);
    for (uint64_t at = 21; at <= 30; at++) spots[at] = put_run(&bench, 1, at, at, 12);
    spot_lose(&bench, spots[5]);
    spot_lose(&bench, spots[15]);
    spot_lose(&bench, spots[29]); /* 30 acknowledges 27 */
    expect_damage(&bench, 13, 28, 15, 15);
    bench_deinit(&bench);
}

/* The newest blocks are those that are lost, but for one that was never acknowledged itself. */
Test(journal_scan, damage_at_the_very_end) {
    struct bench bench;
    bench_init(&bench, 1);
    put_run(&bench, 0, 1, 5, 0);
    struct spot six = put_run(&bench, 0, 6, 6, 0), seven = put_run(&bench, 0, 7, 7, 0);
    put(&bench, 0, (struct journal_block){.sequence = 9, .acknowledged_through = 7}, 4096);
    spot_lose(&bench, six);
    spot_lose(&bench, seven);
    expect_damage(&bench, 1, 7, 6, 7);
    bench_deinit(&bench);
}

/* Nothing is left of what was acknowledged. */
Test(journal_scan, damage_of_everything) {
    struct bench bench;
    bench_init(&bench, 1);
    struct spot first = put_run(&bench, 0, 1, 1, 0);
    put(&bench, 0, (struct journal_block){.sequence = 4, .acknowledged_through = 1}, 4096);
    spot_lose(&bench, first);
    expect_damage(&bench, 1, 1, 1, 1);
    bench_deinit(&bench);
}

/* The file's first block is the one that is damaged: the file still belongs to the chain. */
Test(journal_scan, damage_in_the_first_block_of_all) {
    struct bench bench;
    bench_init(&bench, 1);
    struct spot first = put_run(&bench, 0, 1, 1, 0);
    put_run(&bench, 0, 2, 9, 0);
    spot_flip(&bench, first, 200);
    expect_damage(&bench, 1, 9, 1, 1);
    bench_deinit(&bench);
}

/* The proof may lie in the next file, while the damaged file ends with a block that proves nothing:
 * that one must not be cleared first. */
Test(journal_scan, nothing_is_cleared_before_all_is_looked_at) {
    struct bench bench;
    bench_init(&bench, 2);
    put_run(&bench, 0, 1, 9, 0);
    struct spot lost =
        put(&bench, 0, (struct journal_block){.sequence = 10, .acknowledged_through = 9}, 4096);
    put(&bench, 0, (struct journal_block){.sequence = 11, .acknowledged_through = 9}, 4096);
    put(&bench, 1, (struct journal_block){.sequence = 12, .acknowledged_through = 11}, 4096);
    spot_lose(&bench, lost);
    expect_damage(&bench, 1, 12, 10, 10);
    bench_deinit(&bench);
}

/* Block 11 never reached the disk, block 12 did, in the next file, and tells of a release. */
Test(journal_scan, a_stray_block_that_released_everything_is_no_damage) {
    struct bench bench;
    bench_init(&bench, 2);
    put_run(&bench, 0, 1, 10, 0);
    put(&bench, 1,
        (struct journal_block){.sequence = 12, .acknowledged_through = 10, .released_through = 10},
        4096);
    expect_chain(&bench, 10, 10);
    bench_deinit(&bench);
}

/* … and because that block is cleared, what it released is still needed. */
Test(journal_scan, a_release_counts_only_with_the_block_that_says_so) {
    struct bench bench;
    bench_init(&bench, 3);
    put_run(&bench, 0, 1, 10, 0);
    put_run(&bench, 1, 11, 20, 0);
    put(&bench, 2,
        (struct journal_block){.sequence = 22, .acknowledged_through = 20, .released_through = 10},
        4096);
    struct error error;
    cr_assert(scan_again(&bench, &error), "%s", error.text);
    cr_assert_eq(bench.scan.released_through, 0);
    journal_scan_close(&bench.scan);
    expect_chain(&bench, 1, 20);
    bench_deinit(&bench);
}

/* A recycled file whose new first block was lost whole: its former life is intact at the front, and
 * the next new block lies somewhere behind. */
Test(journal_scan, strays_behind_a_former_life) {
    struct bench bench;
    bench_init(&bench, 2);
    put_run(&bench, 0, 1, 9, 0);
    put_run(&bench, 1, 10, 20, 9);
    bench.used[0] = 4096; /* where block 21 would have ended */
    put(&bench, 0,
        (struct journal_block){.sequence = 22, .acknowledged_through = 20, .released_through = 9},
        4096);
    expect_chain(&bench, 10, 20);
    /* It was cleared: a new life's block 21 of that length is not followed by the old 22. */
    bench.used[0] = 0;
    put(&bench, 0,
        (struct journal_block){
            .sequence = 21, .incarnation = 1, .acknowledged_through = 20, .released_through = 9},
        4096);
    expect_chain(&bench, 10, 21);
    bench_deinit(&bench);
}

/* The same place, but acknowledged: damage. */
Test(journal_scan, damage_behind_a_former_life) {
    struct bench bench;
    bench_init(&bench, 2);
    put_run(&bench, 0, 1, 9, 0);
    put_run(&bench, 1, 10, 20, 9);
    bench.used[0] = 4096;
    put(&bench, 0,
        (struct journal_block){.sequence = 22, .acknowledged_through = 21, .released_through = 9},
        4096);
    expect_damage(&bench, 10, 22, 21, 21);
    bench_deinit(&bench);
}

Test(journal_scan, a_new_life_after_a_torn_tail) {
    struct bench bench;
    bench_init(&bench, 2);
    put_run(&bench, 0, 1, 10, 0);
    struct spot torn_spot =
        put(&bench, 0, (struct journal_block){.sequence = 11, .acknowledged_through = 10}, 12288);
    spot_flip(&bench, torn_spot, 5000);
    expect_chain(&bench, 1, 10);
    bench.used[0] = torn_spot.position;
    put(&bench, 0,
        (struct journal_block){.sequence = 11, .incarnation = 2, .acknowledged_through = 10}, 4096);
    put(&bench, 0,
        (struct journal_block){.sequence = 12, .incarnation = 2, .acknowledged_through = 11}, 4096);
    expect_chain(&bench, 1, 12);
    bench_deinit(&bench);
}

/* An older life's block never continues a newer one's, in the same file or the next. */
Test(journal_scan, incarnations_never_fall) {
    struct bench bench;
    bench_init(&bench, 2);
    put_run(&bench, 0, 1, 5, 0);
    put(&bench, 0,
        (struct journal_block){.sequence = 6, .incarnation = 3, .acknowledged_through = 5}, 4096);
    put(&bench, 1,
        (struct journal_block){.sequence = 7, .incarnation = 2, .acknowledged_through = 5}, 4096);
    expect_chain(&bench, 1, 6);
    bench_deinit(&bench);
}

Test(journal_scan, blocks_of_another_directory_are_not_ours) {
    struct bench bench;
    bench_init(&bench, 1);
    put_run(&bench, 0, 1, 10, 0);
    bench.directory.salt = SALT + 1;
    expect_chain(&bench, 0, 0);
    bench_deinit(&bench);
}

/* A crash while a file was being prefilled leaves a short one. */
Test(journal_scan, an_unfinished_file_is_removed) {
    struct bench bench;
    bench_init(&bench, 2);
    put_run(&bench, 0, 1, 10, 0);
    cr_assert_eq(file_truncate(bench.files[1], 8192), 0);
    expect_chain(&bench, 1, 10);
    char path[LAYOUT_PATH_SIZE];
    layout_journal(path, 0, 1);
    struct file *file;
    cr_assert_eq(file_open(bench.directory.disk, path, FILE_READ, &file), -ENOENT);
    bench_deinit(&bench);
}

/* --- three lives on the simulated disk --- */

static void bench_open(struct bench *bench, struct sim *sim) {
    bench->directory.disk = sim_disk_open(sim);
    for (unsigned at = 0; at < bench->count; at++) {
        char path[LAYOUT_PATH_SIZE];
        layout_journal(path, 0, at);
        cr_assert_eq(file_open(bench->directory.disk, path, FILE_READ | FILE_WRITE | FILE_DIRECT,
                               &bench->files[at]),
                     0);
    }
}

static void bench_close(struct bench *bench) {
    for (unsigned at = 0; at < bench->count; at++) file_close(bench->files[at]);
    disk_close(bench->directory.disk);
}

/* Two files, the first full, the last blocks not synced when the process dies. */
static void bench_first_life(struct bench *bench, struct sim *sim) {
    *bench = (struct bench){.count = 2, .directory.salt = SALT, .numbers = {0, 1}};
    struct disk *disk = bench->directory.disk = sim_disk_open(sim);
    cr_assert_eq(disk_make_directory(disk, LAYOUT_JOURNALS), 0);
    cr_assert_eq(disk_sync_directory(disk, "."), 0);
    for (unsigned at = 0; at < bench->count; at++)
        cr_assert_eq(journal_file_fill(disk, 0, at, FILE_SIZE, &bench->files[at]), 0);
    put_run(bench, 0, 1, 9, 0);
    cr_assert_eq(file_sync(bench->files[0]), 0);
    put_run(bench, 0, 10, 10, 0);
    put_run(bench, 1, 11, 12, 0);
    sim_kill(sim);
    bench_close(bench);
}

/* What the second life found is there in the third, although the sync of a life that could not
 * start has failed in between: that makes caches lie. */
static void what_was_read_stays(uint64_t seed, uint64_t fails_at) {
    struct sim *sim = sim_new(seed);
    struct bench bench;
    bench_first_life(&bench, sim);
    bench_open(&bench, sim);
    struct error error = {0};
    sim_fail_disk(sim, fails_at, EIO);
    bool started = scan_again(&bench, &error);
    if (started) journal_scan_close(&bench.scan);
    sim_kill(sim);
    bench_close(&bench);
    bench_open(&bench, sim);
    expect_chain(&bench, 1, 12);
    sim_power_cut(sim);
    bench_close(&bench);
    bench_open(&bench, sim);
    expect_chain(&bench, 1, 12);
    bench_close(&bench);
    sim_free(sim);
}
Test(journal_scan, what_was_read_is_durable_even_after_failed_syncs) {
    for (uint64_t seed = 0; seed < 20; seed++)
        for (uint64_t at = 1; at <= 20; at++) what_was_read_stays(seed, at);
}
