/* What a disk implements; private to io/. file.c checks arguments and forwards; file_real.c is the
 * operating system's, sim_disk.c the simulator's. Answers are as in file.h. */
#pragma once

#include <stdatomic.h>

#include "io/file.h"

struct disk_calls {
    void (*close)(struct disk *disk);
    int64_t (*free_bytes)(struct disk *disk);
    bool (*probe_direct)(struct disk *disk); /* NULL: it is as it is */
    int (*make_directory)(struct disk *disk, const char *path);
    int (*remove_directory)(struct disk *disk, const char *path);
    int (*sync_directory)(struct disk *disk, const char *path);
    int (*rename)(struct disk *disk, const char *from, const char *to);
    int (*unlink)(struct disk *disk, const char *path);
    int (*list)(struct disk *disk, const char *path,
                int (*entry)(void *context, const char *name, bool is_directory), void *context);
    int (*open)(struct disk *disk, const char *path, int mode, struct file **file);
};

struct file_calls {
    void (*close)(struct file *file);
    int64_t (*size)(struct file *file);
    int64_t (*read_at)(struct file *file, void *at, size_t len, uint64_t position);
    int64_t (*read_cached)(struct file *file, void *at, size_t len, uint64_t position);
    void (*expect)(struct file *file, uint64_t position, size_t len); /* NULL: no use for it */
    int (*write_at)(struct file *file, const void *at, size_t len, uint64_t position);
    int (*sync)(struct file *file);
    int (*allocate)(struct file *file, uint64_t size);
    int (*truncate)(struct file *file, uint64_t size);
    int (*lock)(struct file *file);
};

struct disk {
    const struct disk_calls *calls;
    char *root;
    bool is_direct;
};

struct file {
    const struct file_calls *calls;
    int fd;                  /* -1 in the simulator */
    bool is_direct;          /* memory, sizes and positions are multiples of DISK_BLOCK */
    atomic_bool lacks_dsync; /* RWF_DSYNC is not known here: write, then fdatasync */
};
