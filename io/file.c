/* Forwards to the disk at hand, checks what callers must keep, and builds the two composites that
 * need nothing but the other calls. */
#include "io/file.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "io/disk.h"

enum { PATH_LEN_MAX = 4096 };

/* Our paths are made of numbers and ids: anything else is a mistake of ours, not input. */
static bool path_is_inside(const char *path) {
    if (!path[0] || path[0] == '/') return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) return false;
    }
    return true;
}

static void file_check_aligned(const struct file *file, const void *at, size_t len,
                               uint64_t position) {
    if (!file->is_direct) return;
    check((uintptr_t)at % DISK_BLOCK == 0);
    check(len % DISK_BLOCK == 0);
    check(position % DISK_BLOCK == 0);
}

void disk_close(struct disk *disk) {
    if (disk) disk->calls->close(disk);
}
void disk_probe_direct(struct disk *disk) {
    if (disk->calls->probe_direct) disk->is_direct = disk->calls->probe_direct(disk);
}

bool disk_is_direct(const struct disk *disk) { return disk->is_direct; }
const char *disk_root(const struct disk *disk) { return disk->root; }
int64_t disk_free_bytes(struct disk *disk) { return disk->calls->free_bytes(disk); }

int disk_make_directory(struct disk *disk, const char *path) {
    check(path_is_inside(path));
    return disk->calls->make_directory(disk, path);
}

int disk_remove_directory(struct disk *disk, const char *path) {
    check(path_is_inside(path));
    return disk->calls->remove_directory(disk, path);
}

/* After a failed sync nobody knows what is on the disk, and the next one may say that all is well
 * (fsyncgate): it is never a matter of space alone. */
static int sync_error(int result) { return result == -ENOSPC || result == -EDQUOT ? -EIO : result; }

int disk_sync_directory(struct disk *disk, const char *path) {
    check(path_is_inside(path));
    if (MUTANT(directory_unsynced)) return 0;
    return sync_error(disk->calls->sync_directory(disk, path));
}

int disk_rename(struct disk *disk, const char *from, const char *to) {
    check(path_is_inside(from) && path_is_inside(to));
    return disk->calls->rename(disk, from, to);
}

int disk_unlink(struct disk *disk, const char *path) {
    check(path_is_inside(path));
    return disk->calls->unlink(disk, path);
}

int disk_list(struct disk *disk, const char *path,
              int (*entry)(void *context, const char *name, bool is_directory), void *context) {
    check(path_is_inside(path));
    return disk->calls->list(disk, path, entry, context);
}

int file_open(struct disk *disk, const char *path, int mode, struct file **file) {
    check(path_is_inside(path));
    check(mode & (FILE_READ | FILE_WRITE));
    check(!(mode & FILE_EXCLUSIVE) || (mode & FILE_CREATE));
    *file = NULL;
    return disk->calls->open(disk, path, mode, file);
}

void file_close(struct file *file) {
    if (file) file->calls->close(file);
}
int64_t file_size(struct file *file) { return file->calls->size(file); }

int64_t file_read_at(struct file *file, void *at, size_t len, uint64_t position) {
    file_check_aligned(file, at, len, position);
    return file->calls->read_at(file, at, len, position);
}

int64_t file_read_cached(struct file *file, void *at, size_t len, uint64_t position) {
    return file->is_direct ? -EAGAIN : file->calls->read_cached(file, at, len, position);
}

void file_expect(struct file *file, uint64_t position, size_t len) {
    if (file->calls->expect) file->calls->expect(file, position, len);
}

int file_write_at(struct file *file, const void *at, size_t len, uint64_t position) {
    file_check_aligned(file, at, len, position);
    return file->calls->write_at(file, at, len, position);
}

int file_sync(struct file *file) { return sync_error(file->calls->sync(file)); }
int file_allocate(struct file *file, uint64_t size) { return file->calls->allocate(file, size); }
int file_truncate(struct file *file, uint64_t size) { return file->calls->truncate(file, size); }
int file_lock(struct file *file) { return file->calls->lock(file); }
int file_descriptor(const struct file *file) { return file->fd; }

static int disk_write_new_file(struct disk *disk, const char *path, struct bytes content) {
    struct file *file;
    int failed = file_open(disk, path, FILE_WRITE | FILE_CREATE, &file);
    if (failed) return failed;
    failed = file_truncate(file, 0); /* a crash may have left an older one */
    if (!failed) failed = file_write_at(file, content.at, content.len, 0);
    if (!failed) failed = file_sync(file);
    file_close(file);
    return failed;
}

int disk_exchange_file(struct disk *disk, const char *path, struct bytes content) {
    char temporary[PATH_LEN_MAX];
    int len = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    check(len > 0 && len < (int)sizeof temporary);
    int failed = disk_write_new_file(disk, temporary, content);
    if (!failed) failed = disk_rename(disk, temporary, path);
    if (failed) disk_unlink(disk, temporary);
    return failed;
}

int disk_replace_file(struct disk *disk, const char *directory, const char *path,
                      struct bytes content) {
    int failed = disk_exchange_file(disk, path, content);
    return failed ? failed : disk_sync_directory(disk, directory);
}

int disk_read_file(struct disk *disk, const char *path, size_t limit, uint8_t **at, size_t *len) {
    struct file *file;
    *at = NULL;
    *len = 0;
    int failed = file_open(disk, path, FILE_READ, &file);
    if (failed) return failed;
    int64_t size = file_size(file);
    if (size > (int64_t)limit) size = -EFBIG;
    uint8_t *content = size >= 0 ? memory_new((size_t)size) : NULL;
    int64_t got = content ? file_read_at(file, content, (size_t)size, 0) : size;
    file_close(file);
    if (got < 0) {
        free(content);
        return (int)got;
    }
    *at = content;
    *len = (size_t)got;
    return 0;
}
