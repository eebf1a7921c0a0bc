#include "io/disk_view.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "base/memory.h"
#include "io/sim.h"

struct bench {
    struct sim *sim;
    struct disk *below, *view;
};

static void put(struct disk *disk, const char *path, const char *content) {
    struct file *file;
    cr_assert_eq(file_open(disk, path, FILE_READ | FILE_WRITE | FILE_CREATE, &file), 0);
    cr_assert_eq(file_truncate(file, 0), 0);
    cr_assert_eq(file_write_at(file, content, strlen(content), 0), 0);
    file_close(file);
}

static void expect(struct disk *disk, const char *path, const char *content) {
    uint8_t *at;
    size_t len;
    cr_assert_eq(disk_read_file(disk, path, 1 << 20, &at, &len), 0, "%s", path);
    cr_assert_eq(len, strlen(content), "%s has %zu bytes", path, len);
    cr_assert_eq(memcmp(at, content, len), 0);
    free(at);
}

static void expect_none(struct disk *disk, const char *path) {
    struct file *file;
    cr_assert_eq(file_open(disk, path, FILE_READ, &file), -ENOENT, "%s", path);
}

static int add_name(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    char *all = context;
    size_t len = strlen(all);
    snprintf(all + len, 100 - len, "%s ", name);
    return 0;
}

static bool lists(struct disk *disk, const char *path, const char *name) {
    char all[100] = " ", wanted[32];
    cr_assert_eq(disk_list(disk, path, add_name, all), 0);
    snprintf(wanted, sizeof wanted, " %s ", name);
    return strstr(all, wanted);
}

static void bench_init(struct bench *bench) {
    bench->sim = sim_new(1);
    bench->below = sim_disk_open(bench->sim);
    cr_assert_eq(disk_make_directory(bench->below, "a"), 0);
    put(bench->below, "a/old", "as it was");
    bench->view = disk_view_open(bench->below);
}

static void bench_deinit(struct bench *bench) {
    expect(bench->below, "a/old", "as it was");
    cr_assert_not(lists(bench->below, "a", "new"));
    disk_close(bench->view);
    disk_close(bench->below);
    sim_free(bench->sim);
}

Test(disk_view, writes_are_seen_and_stay_above) {
    struct bench bench;
    struct file *file;
    bench_init(&bench);
    expect(bench.view, "a/old", "as it was");
    cr_assert_eq(file_open(bench.view, "a/old", FILE_READ | FILE_WRITE, &file), 0);
    cr_assert_eq(file_write_at(file, "is", 2, 3), 0);
    expect(bench.view, "a/old", "as is was");
    /* Across pages, with a hole. */
    cr_assert_eq(file_write_at(file, "far", 3, 2 * DISK_BLOCK - 1), 0);
    cr_assert_eq(file_size(file), 2 * DISK_BLOCK + 2);
    uint8_t byte;
    cr_assert_eq(file_read_at(file, &byte, 1, DISK_BLOCK), 1);
    cr_assert_eq(byte, 0);
    cr_assert_eq(file_read_at(file, &byte, 1, 2 * DISK_BLOCK + 1), 1);
    cr_assert_eq(byte, 'r');
    file_close(file);
    bench_deinit(&bench);
}

Test(disk_view, a_shorter_file_shows_nothing_of_the_one_below) {
    struct bench bench;
    struct file *file;
    uint8_t bytes[9];
    bench_init(&bench);
    cr_assert_eq(file_open(bench.view, "a/old", FILE_READ | FILE_WRITE, &file), 0);
    cr_assert_eq(file_truncate(file, 2), 0);
    cr_assert_eq(file_allocate(file, 9), 0);
    cr_assert_eq(file_size(file), 9);
    cr_assert_eq(file_read_at(file, bytes, 20, 0), 9);
    cr_assert_eq(memcmp(bytes, "as\0\0\0\0\0\0\0", 9), 0);
    file_close(file);
    bench_deinit(&bench);
}

Test(disk_view, names_come_and_go) {
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(disk_rename(bench.view, "a/old", "a/new"), 0);
    expect_none(bench.view, "a/old");
    expect(bench.view, "a/new", "as it was");
    cr_assert(lists(bench.view, "a", "new") && !lists(bench.view, "a", "old"));
    put(bench.view, "a/old", "another");
    expect(bench.view, "a/old", "another");
    cr_assert(lists(bench.view, "a", "old"));
    cr_assert_eq(disk_unlink(bench.view, "a/old"), 0);
    cr_assert_eq(disk_unlink(bench.view, "a/old"), -ENOENT);
    expect_none(bench.view, "a/old");
    cr_assert_eq(disk_replace_file(bench.view, "a", "a/new", BYTES_OF("newest")), 0);
    expect(bench.view, "a/new", "newest");
    cr_assert_not(lists(bench.view, "a", "new.tmp"));
    bench_deinit(&bench);
}

Test(disk_view, folders) {
    struct bench bench;
    bench_init(&bench);
    cr_assert_eq(disk_make_directory(bench.view, "a"), -EEXIST);
    cr_assert_eq(disk_make_directory(bench.view, "b"), 0);
    cr_assert_eq(disk_make_directory(bench.view, "b"), -EEXIST);
    put(bench.view, "b/x", "");
    cr_assert(lists(bench.view, "b", "x"));
    cr_assert(lists(bench.view, ".", "b") && !lists(bench.view, ".", "x"));
    bench_deinit(&bench);
}
