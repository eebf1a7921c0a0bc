#include "io/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

struct folder {
    char path[64];
    struct disk *disk;
};

static void folder_open(struct folder *folder, const char *where) {
    snprintf(folder->path, sizeof folder->path, "%s/file-test-XXXXXX", where);
    cr_assert_not_null(mkdtemp(folder->path));
    struct error error;
    folder->disk = disk_open(folder->path, false, &error);
    cr_assert_not_null(folder->disk, "%s", error.text);
    disk_probe_direct(folder->disk);
}

static void folder_close(struct folder *folder) {
    disk_close(folder->disk);
    cr_assert_eq(rmdir(folder->path), 0); /* nothing is left behind */
}

static struct file *open_file(struct folder *folder, const char *path, int mode) {
    struct file *file;
    int failed = file_open(folder->disk, path, mode, &file);
    cr_assert_eq(failed, 0, "%s: %s", path, strerror(-failed));
    return file;
}

enum { NEW = FILE_READ | FILE_WRITE | FILE_CREATE };

Test(file, root_is_created_with_its_parents) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    char deep[128], middle[128];
    snprintf(middle, sizeof middle, "%s/a", folder.path);
    snprintf(deep, sizeof deep, "%s/a/b", folder.path);
    struct error error;
    cr_assert_null(disk_open(deep, false, &error));
    cr_assert_eq(error.code, ENOENT);
    cr_assert(strstr(error.text, deep));
    struct disk *disk = disk_open(deep, true, &error);
    cr_assert_not_null(disk, "%s", error.text);
    cr_assert_str_eq(disk_root(disk), deep);
    cr_assert_gt(disk_free_bytes(disk), 0);
    disk_close(disk);
    rmdir(deep);
    rmdir(middle);
    folder_close(&folder);
}

Test(file, write_read_truncate) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    struct file *file = open_file(&folder, "x", NEW);
    cr_assert_eq(file_write_at(file, "hello world", 11, 5), 0);
    cr_assert_eq(file_size(file), 16);
    char text[32];
    cr_assert_eq(file_read_at(file, text, sizeof text, 0), 16);
    cr_assert_arr_eq(text, "\0\0\0\0\0hello world", 16);
    cr_assert_eq(file_read_cached(file, text, 5, 5), 5);
    cr_assert_arr_eq(text, "hello", 5);
    cr_assert_eq(file_sync(file), 0);
    cr_assert_eq(file_truncate(file, 10), 0);
    cr_assert_eq(file_size(file), 10);
    cr_assert_eq(file_read_at(file, text, 4, 10), 0);
    file_close(file);
    struct file *none;
    cr_assert_eq(file_open(folder.disk, "x", NEW | FILE_EXCLUSIVE, &none), -EEXIST);
    cr_assert_eq(file_open(folder.disk, "y", FILE_READ, &none), -ENOENT);
    cr_assert_null(none);
    cr_assert_eq(disk_unlink(folder.disk, "x"), 0);
    cr_assert_eq(disk_unlink(folder.disk, "x"), -ENOENT);
    folder_close(&folder);
}

Test(file, allocate_sets_the_size_and_keeps_the_content) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    struct file *file = open_file(&folder, "x", NEW);
    cr_assert_eq(file_write_at(file, "abc", 3, 0), 0);
    cr_assert_eq(file_allocate(file, 1 << 20), 0);
    cr_assert_eq(file_size(file), 1 << 20);
    char text[4] = "....";
    cr_assert_eq(file_read_at(file, text, 4, 0), 4);
    cr_assert_arr_eq(text, "abc\0", 4);
    cr_assert_eq(file_allocate(file, 2), 0); /* also smaller */
    cr_assert_eq(file_size(file), 2);
    file_close(file);
    disk_unlink(folder.disk, "x");
    folder_close(&folder);
}

struct seen {
    char names[256];
    int count, directories;
};

static int seen_entry(void *context, const char *name, bool is_directory) {
    struct seen *seen = context;
    seen->count++;
    seen->directories += is_directory;
    strcat(strcat(seen->names, name), " ");
    return 0;
}

static int seen_stop(void *context, const char *name, bool is_directory) {
    seen_entry(context, name, is_directory);
    return 42;
}

Test(file, directories_are_made_listed_and_removed) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    cr_assert_eq(disk_make_directory(folder.disk, "d"), 0);
    cr_assert_eq(disk_make_directory(folder.disk, "d"), -EEXIST);
    cr_assert_eq(disk_make_directory(folder.disk, "d/e"), 0);
    file_close(open_file(&folder, "d/f", NEW));
    cr_assert_eq(disk_rename(folder.disk, "d/f", "d/g"), 0);
    cr_assert_eq(disk_sync_directory(folder.disk, "d"), 0);
    cr_assert_eq(disk_sync_directory(folder.disk, "."), 0);
    struct seen seen = {0};
    cr_assert_eq(disk_list(folder.disk, "d", seen_entry, &seen), 0);
    cr_assert(seen.count == 2 && seen.directories == 1);
    cr_assert(strstr(seen.names, "g ") && strstr(seen.names, "e "));
    seen = (struct seen){0};
    cr_assert_eq(disk_list(folder.disk, "d", seen_stop, &seen), 42);
    cr_assert_eq(seen.count, 1);
    cr_assert_eq(disk_list(folder.disk, "none", seen_entry, &seen), -ENOENT);
    cr_assert_eq(disk_remove_directory(folder.disk, "d"), -ENOTEMPTY);
    disk_unlink(folder.disk, "d/g");
    disk_remove_directory(folder.disk, "d/e");
    cr_assert_eq(disk_remove_directory(folder.disk, "d"), 0);
    folder_close(&folder);
}

Test(file, replace_leaves_exactly_the_new_content) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    disk_make_directory(folder.disk, "d");
    struct file *stale = open_file(&folder, "d/x.tmp", NEW); /* of a crash before */
    file_write_at(stale, "a long stale content", 20, 0);
    file_close(stale);
    cr_assert_eq(disk_replace_file(folder.disk, "d", "d/x", BYTES_OF("first")), 0);
    cr_assert_eq(disk_replace_file(folder.disk, "d", "d/x", BYTES_OF("new")), 0);
    uint8_t *at;
    size_t len;
    cr_assert_eq(disk_read_file(folder.disk, "d/x", 100, &at, &len), 0);
    cr_assert(bytes_equal_text(bytes_make(at, len), "new"));
    free(at);
    cr_assert_eq(disk_read_file(folder.disk, "d/x", 2, &at, &len), -EFBIG);
    cr_assert_eq(disk_read_file(folder.disk, "d/none", 2, &at, &len), -ENOENT);
    cr_assert_null(at);
    disk_unlink(folder.disk, "d/x");
    cr_assert_eq(disk_remove_directory(folder.disk, "d"), 0); /* and no temporary file */
    folder_close(&folder);
}

/* A child inherits the descriptor but opens its own description: the lock is held against it. */
Test(file, lock_excludes_another_process) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    struct file *file = open_file(&folder, "lock", NEW);
    cr_assert_eq(file_lock(file), 0);
    cr_assert_eq(file_lock(file), 0);
    pid_t child = fork();
    if (child == 0) {
        struct file *other;
        int failed = file_open(folder.disk, "lock", NEW, &other);
        _exit(failed ? 2 : file_lock(other) == -EAGAIN ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    file_close(file);
    file = open_file(&folder, "lock", NEW);
    cr_assert_eq(file_lock(file), 0);
    file_close(file);
    disk_unlink(folder.disk, "lock");
    folder_close(&folder);
}

static void check_direct(const char *where) {
    struct folder folder;
    folder_open(&folder, where);
    fprintf(stderr, "%s: direct %s\n", where, disk_is_direct(folder.disk) ? "yes" : "no");
    struct file *file = open_file(&folder, "x", NEW | FILE_DIRECT);
    uint8_t *block = memory_aligned(DISK_BLOCK, 2 * DISK_BLOCK);
    memset(block, 7, 2 * DISK_BLOCK);
    cr_assert_eq(file_write_at(file, block, 2 * DISK_BLOCK, DISK_BLOCK), 0);
    cr_assert_eq(file_sync(file), 0);
    memset(block, 0, 2 * DISK_BLOCK);
    cr_assert_eq(file_truncate(file, 2 * DISK_BLOCK + 100), 0);
    cr_assert_eq(file_read_at(file, block, 2 * DISK_BLOCK, 2 * DISK_BLOCK), 100);
    cr_assert(block[0] == 7 && block[99] == 7 && block[100] != 7);
    file_close(file);
    free(block);
    disk_unlink(folder.disk, "x");
    folder_close(&folder);
}

Test(file, direct_files_work_on_every_file_system) {
    check_direct("/var/tmp");
    check_direct("/dev/shm");
}

Test(file, links_out_of_the_root_are_not_followed) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    char link[128];
    snprintf(link, sizeof link, "%s/out", folder.path);
    cr_assert_eq(symlink("/etc", link), 0);
    struct file *file;
    cr_assert_eq(file_open(folder.disk, "out/passwd", FILE_READ, &file), -EXDEV);
    disk_unlink(folder.disk, "out");
    folder_close(&folder);
}

Test(file, paths_out_of_the_root_stop_the_process, .signal = SIGABRT) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    rmdir(folder.path);
    struct file *file;
    file_open(folder.disk, "a/../../b", FILE_READ, &file);
}

Test(file, unaligned_direct_writes_stop_the_process, .signal = SIGABRT) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    struct file *file = open_file(&folder, "x", NEW | FILE_DIRECT);
    disk_unlink(folder.disk, "x");
    rmdir(folder.path);
    if (!disk_is_direct(folder.disk)) abort();
    file_write_at(file, "abc", 3, 0);
}

/* Whether the system cares or not, and also where there is nothing. */
Test(file, a_hint_changes_nothing) {
    struct folder folder;
    folder_open(&folder, "/var/tmp");
    struct file *file = open_file(&folder, "x", NEW);
    char text[8];
    file_expect(file, 0, 1 << 20);
    cr_assert_eq(file_write_at(file, "hello", 5, 0), 0);
    file_expect(file, 1, 2);
    cr_assert_eq(file_read_at(file, text, sizeof text, 0), 5);
    cr_assert_arr_eq(text, "hello", 5);
    cr_assert_eq(file_size(file), 5);
    file_close(file);
    cr_assert_eq(disk_unlink(folder.disk, "x"), 0);
    folder_close(&folder);
}
