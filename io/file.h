/* Files under one root directory, on a real disk or on the simulator's. Every call here blocks:
 * they are for start-up, shutdown and worker threads. Loops use ring_read() and ring_write().
 *
 * Paths are relative to the root; callers build them from numbers and ids only, never from names
 * that a client chose. Errors are negative errno values (0 = fine); file_read_at and file_write_at
 * continue short transfers themselves. */
#pragma once

#include <dirent.h>

#include "base/bytes.h"
#include "base/error.h"

struct disk;
struct file;

enum file_mode {
    FILE_READ = 1,
    FILE_WRITE = 2,
    FILE_CREATE = 4,    /* create when missing */
    FILE_EXCLUSIVE = 8, /* with FILE_CREATE: -EEXIST when it is there */
    FILE_DIRECT = 16,   /* O_DIRECT where the disk has it; else buffered with the same meaning */
    FILE_RANDOM = 32,   /* the reader knows what to read ahead, the system need not guess */
};

enum { DISK_BLOCK = 4096 };

/* Opens (and creates with `create`) the root directory; nothing is written in it. */
struct disk *disk_open(const char *root, bool create, struct error *error);
void disk_close(struct disk *disk);
/* Writes and removes a small file to find out whether O_DIRECT works here. Before this, and where
 * it does not, FILE_DIRECT means buffered. */
void disk_probe_direct(struct disk *disk);
/* Whether FILE_DIRECT bypasses the page cache here. */
bool disk_is_direct(const struct disk *disk);
const char *disk_root(const struct disk *disk);
/* Free bytes for us on this file system. */
int64_t disk_free_bytes(struct disk *disk);

int disk_make_directory(struct disk *disk, const char *path);
int disk_remove_directory(struct disk *disk, const char *path);
int disk_sync_directory(struct disk *disk, const char *path);
int disk_rename(struct disk *disk, const char *from, const char *to);
int disk_unlink(struct disk *disk, const char *path);
/* Calls back for each entry but "." and ".."; stops at the first non-zero answer and returns it. */
int disk_list(struct disk *disk, const char *path,
              int (*entry)(void *context, const char *name, bool is_directory), void *context);

int file_open(struct disk *disk, const char *path, int mode, struct file **file);
void file_close(struct file *file);
int64_t file_size(struct file *file);
/* Bytes read (fewer than len only at the end of the file), or a negative errno. */
int64_t file_read_at(struct file *file, void *at, size_t len, uint64_t position);
/* As file_read_at, but answers -EAGAIN instead of waiting for the disk. */
int64_t file_read_cached(struct file *file, void *at, size_t len, uint64_t position);
/* A hint that changes nothing but speed: these bytes will be asked for soon. */
void file_expect(struct file *file, uint64_t position, size_t len);
int file_write_at(struct file *file, const void *at, size_t len, uint64_t position);
/* fdatasync: contents and the size needed to read them. Never fails for want of space: -EIO then.
 */
int file_sync(struct file *file);
/* Reserves [0, size) on the disk and makes that the file's size; new bytes read as zeros. */
int file_allocate(struct file *file, uint64_t size);
int file_truncate(struct file *file, uint64_t size);
/* An open-file-description lock on the whole file; -EAGAIN when another process holds it. One that
 * was opened for reading alone takes a lock that others may share, but nobody who writes. */
int file_lock(struct file *file);
/* The descriptor for ring_hold(), or -1 (simulator). */
int file_descriptor(const struct file *file);

/* tmp + sync + rename + directory sync: after 0, `path` durably holds exactly these bytes; after a
 * crash it holds either the old or the new content. `path` is in directory `directory`. */
int disk_replace_file(struct disk *disk, const char *directory, const char *path,
                      struct bytes content);
/* The same without the directory's sync, which several may share: until then a crash leaves the old
 * or the new content. */
int disk_exchange_file(struct disk *disk, const char *path, struct bytes content);
/* Reads a whole small file (at most limit bytes) into heap memory: -EFBIG beyond. */
int disk_read_file(struct disk *disk, const char *path, size_t limit, uint8_t **at, size_t *len);
