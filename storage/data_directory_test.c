#include "storage/data_directory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "io/sim.h"
#include "storage/layout.h"
#include "storage/superblock.h"

struct bench {
    char path[64];
    struct data_directory directory;
    struct error error;
};

static void bench_init(struct bench *bench) {
    *bench = (struct bench){.path = "/tmp/millrace-directory-XXXXXX"};
    cr_assert(mkdtemp(bench->path));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw) {
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static void bench_deinit(struct bench *bench) {
    nftw(bench->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static struct disk *bench_disk(struct bench *bench) {
    struct disk *disk = disk_open(bench->path, true, &bench->error);
    cr_assert(disk);
    return disk;
}

static bool open_as(struct bench *bench, int32_t node_id) {
    bench->error = (struct error){0};
    return data_directory_open(bench_disk(bench), node_id, &bench->directory, &bench->error);
}

static void expect_open(struct bench *bench) {
    cr_assert(open_as(bench, 1), "%s", bench->error.text);
    data_directory_close(&bench->directory);
}

static void expect_refused(struct bench *bench, const char *text) {
    cr_assert_not(open_as(bench, 1));
    cr_assert(strstr(bench->error.text, text), "%s", bench->error.text);
}

/* … and nothing was made or removed in it. */
static void expect_untouched(struct bench *bench, const char *text) {
    struct stat before, after;
    cr_assert_eq(stat(bench->path, &before), 0);
    usleep(20000); /* times of files are as coarse as a tick */
    expect_refused(bench, text);
    cr_assert_eq(stat(bench->path, &after), 0);
    cr_assert_eq(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    cr_assert_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void put_file(struct bench *bench, const char *path, struct bytes content) {
    struct disk *disk = bench_disk(bench);
    cr_assert_eq(disk_replace_file(disk, ".", path, content), 0);
    disk_close(disk);
}

/* Both slots as they are on the disk. */
static void slots_read(struct bench *bench, uint8_t slots[SUPERBLOCK_BYTES]) {
    struct disk *disk = bench_disk(bench);
    uint8_t *at;
    size_t len;
    cr_assert_eq(disk_read_file(disk, LAYOUT_SUPERBLOCK, SUPERBLOCK_BYTES, &at, &len), 0);
    cr_assert_eq(len, SUPERBLOCK_BYTES);
    memcpy(slots, at, len);
    free(at);
    disk_close(disk);
}
static void slots_write(struct bench *bench, const uint8_t slots[SUPERBLOCK_BYTES]) {
    put_file(bench, LAYOUT_SUPERBLOCK, bytes_make(slots, SUPERBLOCK_BYTES));
}

Test(superblock, round_trip_and_every_flipped_byte) {
    struct data_directory from = {.node_id = 7,
                                  .shard_count = 64,
                                  .journals = 3,
                                  .salt = 8,
                                  .incarnation = 9,
                                  .generation = 10},
                          to = {0};
    uuid_make(&from.cluster_id);
    uuid_make(&from.directory_id);
    uint8_t slot[DISK_BLOCK];
    uint32_t version;
    superblock_encode(&from, slot);
    cr_assert_eq(superblock_decode(slot, &to, &version), SUPERBLOCK_VALID);
    cr_assert_eq(to.node_id, 7);
    cr_assert_eq(to.journals, 3);
    cr_assert_eq(to.salt, 8);
    cr_assert_eq(to.incarnation, 9);
    cr_assert_eq(to.generation, 10);
    cr_assert_eq(memcmp(&to.cluster_id, &from.cluster_id, sizeof to.cluster_id), 0);
    for (size_t at = 0; at < DISK_BLOCK; at++) {
        slot[at] ^= (uint8_t)(1 << at % 8);
        cr_assert_eq(superblock_decode(slot, &to, &version), SUPERBLOCK_BROKEN, "byte %zu", at);
        slot[at] ^= (uint8_t)(1 << at % 8);
    }
}

/* With checksums that hold, but numbers that could not rise any more. */
Test(data_directory, a_slot_at_the_end_of_its_numbers_is_none) {
    uint8_t slot[DISK_BLOCK];
    uint32_t version;
    struct data_directory from = {.shard_count = 64, .generation = UINT64_MAX}, to = {0};
    superblock_encode(&from, slot);
    cr_assert_eq(superblock_decode(slot, &to, &version), SUPERBLOCK_BROKEN);
    from = (struct data_directory){.shard_count = 64, .incarnation = UINT64_MAX};
    superblock_encode(&from, slot);
    cr_assert_eq(superblock_decode(slot, &to, &version), SUPERBLOCK_BROKEN);
}

/* The first release's: read, and the newest from then on. */
Test(data_directory, an_older_format_becomes_the_newest) {
    struct bench bench;
    bench_init(&bench);
    expect_open(&bench);
    uint8_t slots[SUPERBLOCK_BYTES];
    slots_read(&bench, slots);
    for (size_t slot = 0; slot < SUPERBLOCK_SLOTS; slot++) {
        uint8_t *at = slots + slot * DISK_BLOCK;
        if (load_u64(at) == 0) continue;
        store_u32(at + 12, 1);
        store_u32(at + 16, 1);
        store_u32(at + 8, crc32c(at + 12, DISK_BLOCK - 12));
    }
    slots_write(&bench, slots);
    expect_open(&bench);
    slots_read(&bench, slots);
    size_t newest = load_u64(slots + 80) > load_u64(slots + DISK_BLOCK + 80) ? 0 : DISK_BLOCK;
    cr_assert_eq(load_u32(slots + newest + 12), FORMAT_VERSION);
    cr_assert_eq(load_u32(slots + newest + 16), FORMAT_OLDEST_READER);
    bench_deinit(&bench);
}

Test(data_directory, journals_that_are_expected_are_remembered) {
    struct bench bench;
    bench_init(&bench);
    cr_assert(open_as(&bench, 1));
    cr_assert_eq(bench.directory.journals, 0);
    cr_assert(data_directory_expect_journals(&bench.directory, 4, &bench.error));
    data_directory_close(&bench.directory);
    for (int again = 0; again < 3; again++) {
        cr_assert(open_as(&bench, 1));
        cr_assert_eq(bench.directory.journals, 4);
        data_directory_close(&bench.directory);
    }
    bench_deinit(&bench);
}

Test(data_directory, each_start_is_a_new_incarnation) {
    struct bench bench;
    bench_init(&bench);
    cr_assert(open_as(&bench, 1), "%s", bench.error.text);
    struct data_directory first = bench.directory;
    cr_assert(first.formatted_now);
    data_directory_close(&bench.directory);
    for (uint64_t life = 1; life < 5; life++) {
        cr_assert(open_as(&bench, 1), "%s", bench.error.text);
        cr_assert_not(bench.directory.formatted_now);
        cr_assert_eq(bench.directory.incarnation, first.incarnation + life);
        cr_assert_eq(bench.directory.salt, first.salt);
        cr_assert_eq(memcmp(&bench.directory.cluster_id, &first.cluster_id, 16), 0);
        data_directory_close(&bench.directory);
    }
    bench_deinit(&bench);
}

/* A torn update leaves the older slot in charge; the incarnation still rises above all that ran. */
Test(data_directory, one_broken_slot_is_survived) {
    for (int broken = 0; broken < 2; broken++) {
        struct bench bench;
        bench_init(&bench);
        for (int life = 0; life < 3; life++) expect_open(&bench);
        uint8_t slots[SUPERBLOCK_BYTES];
        slots_read(&bench, slots);
        slots[broken * DISK_BLOCK + 100] ^= 1;
        slots_write(&bench, slots);
        expect_open(&bench);
        expect_open(&bench);
        bench_deinit(&bench);
    }
}

Test(data_directory, two_broken_slots_are_refused) {
    struct bench bench;
    bench_init(&bench);
    expect_open(&bench);
    expect_open(&bench);
    uint8_t slots[SUPERBLOCK_BYTES];
    slots_read(&bench, slots);
    slots[100] ^= 1;
    slots[DISK_BLOCK + 100] ^= 1;
    slots_write(&bench, slots);
    expect_untouched(&bench, "both slots");
    bench_deinit(&bench);
}

Test(data_directory, another_nodes_is_refused) {
    struct bench bench;
    bench_init(&bench);
    expect_open(&bench);
    cr_assert_not(open_as(&bench, 2));
    cr_assert(strstr(bench.error.text, "belongs to node 1"), "%s", bench.error.text);
    expect_open(&bench);
    bench_deinit(&bench);
}

Test(data_directory, a_newer_format_is_refused) {
    struct bench bench;
    bench_init(&bench);
    expect_open(&bench);
    uint8_t slots[SUPERBLOCK_BYTES], after[SUPERBLOCK_BYTES];
    slots_read(&bench, slots);
    store_u32(slots + 12, FORMAT_VERSION + 1);
    store_u32(slots + 16, FORMAT_VERSION + 1);
    store_u32(slots + 8, crc32c(slots + 12, DISK_BLOCK - 12));
    slots_write(&bench, slots);
    expect_untouched(&bench, "newer release");
    slots_read(&bench, after);
    cr_assert_eq(memcmp(slots, after, sizeof slots), 0);
    bench_deinit(&bench);
}

Test(data_directory, a_foreign_one_is_refused) {
    struct bench bench;
    bench_init(&bench);
    put_file(&bench, "notes.txt", BYTES_OF("mine"));
    expect_untouched(&bench, "notes.txt");
    bench_deinit(&bench);
}

Test(data_directory, data_without_a_superblock_is_not_formatted) {
    struct bench bench;
    bench_init(&bench);
    expect_open(&bench);
    put_file(&bench, "journal/0-00000000", BYTES_OF("data"));
    struct disk *disk = bench_disk(&bench);
    cr_assert_eq(disk_unlink(disk, LAYOUT_SUPERBLOCK), 0);
    disk_close(disk);
    expect_refused(&bench, "no superblock");
    bench_deinit(&bench);
}

/* Whatever a crash while formatting leaves is formatted again: folders, a half superblock, the
 * probe of the disk. */
Test(data_directory, a_crash_while_formatting) {
    struct bench bench;
    bench_init(&bench);
    put_file(&bench, "superblock.tmp", BYTES_OF("half of"));
    put_file(&bench, ".direct-77.tmp", BYTES_NULL);
    struct disk *disk = bench_disk(&bench);
    cr_assert_eq(disk_make_directory(disk, LAYOUT_JOURNALS), 0);
    disk_close(disk);
    expect_open(&bench);
    expect_open(&bench);
    bench_deinit(&bench);
}

Test(data_directory, one_process_at_a_time, .timeout = 300) {
    struct bench bench;
    bench_init(&bench);
    int ready[2];
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (!open_as(&bench, 1)) _exit(1);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    char byte;
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    expect_refused(&bench, "in use by another process");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    expect_open(&bench);
    bench_deinit(&bench);
}

/* --- on the simulated disk --- */

static bool sim_open_once(struct sim *sim, struct data_directory *directory, struct error *error) {
    *error = (struct error){0};
    return data_directory_open(sim_disk_open(sim), 1, directory, error);
}

/* A start whose sync fails, then one that dies in a power cut while it starts: the next one opens,
 * and its incarnation is one that no life before it had. */
static void starts_that_fail(uint64_t seed, uint64_t fails_at, uint64_t cut_at) {
    struct sim *sim = sim_new(seed);
    struct data_directory directory;
    struct error error;
    cr_assert(sim_open_once(sim, &directory, &error), "%s", error.text);
    data_directory_close(&directory);
    sim_power_cut(sim);
    sim_fail_disk(sim, fails_at, EIO);
    uint64_t highest = 1;
    if (sim_open_once(sim, &directory, &error)) {
        highest = directory.incarnation;
        data_directory_close(&directory);
    }
    sim_kill(sim);
    sim_fail_disk(sim, cut_at, EIO); /* as far as it came */
    if (sim_open_once(sim, &directory, &error)) {
        highest = directory.incarnation;
        data_directory_close(&directory);
    }
    sim_power_cut(sim);
    cr_assert(sim_open_once(sim, &directory, &error), "seed %llu, operations %llu and %llu: %s",
              (unsigned long long)seed, (unsigned long long)fails_at, (unsigned long long)cut_at,
              error.text);
    cr_assert(directory.incarnation > highest);
    data_directory_close(&directory);
    sim_free(sim);
}
Test(data_directory, starts_that_fail_leave_a_superblock, .timeout = 300) {
    for (uint64_t seed = 0; seed < 3; seed++)
        for (uint64_t fails_at = 1; fails_at <= 16; fails_at++)
            for (uint64_t cut_at = 1; cut_at <= 16; cut_at++)
                starts_that_fail(seed, fails_at, cut_at);
}
