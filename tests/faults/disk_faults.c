/* Between a broker and its disk: preloaded (LD_PRELOAD), it lets the calls on files of a data
 * directory fail or wait, as tests/faults/disk says in a page of memory that both have mapped. It
 * reaches what goes through the C library: `--io epoll`.
 *
 *   DISK_FAULTS      the file with that page
 *   DISK_FAULTS_IN   files whose path holds this are meant, and no others */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* In this order in the page; tests/faults/disk has the same names. */
struct page {
    atomic_uint full;        /* no block can be allocated, nothing is free */
    atomic_uint read_error;  /* reads of segments fail */
    atomic_uint write_error; /* those of journals and segments, and syncs */
    atomic_uint sync_ms;     /* durable writes and syncs take so much longer */
    atomic_uint hits;        /* how often any of it took effect */
};

static struct page *page;
static const char *in;

__attribute__((constructor)) static void disk_faults_init(void) {
    const char *path = getenv("DISK_FAULTS");
    in = getenv("DISK_FAULTS_IN");
    int fd = path && in ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED) page = at;
}

/* Whether it is one of the files that are meant; `part` narrows it down. */
static int is_meant(int fd, const char *part) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0) return 0;
    path[len] = '\0';
    return strstr(path, in) && strstr(path, part);
}

static int fails(atomic_uint *fault, int fd, const char *part, int error_number) {
    if (!page || !atomic_load(fault) || !is_meant(fd, part)) return 0;
    atomic_fetch_add(&page->hits, 1);
    errno = error_number;
    return 1;
}

/* A bad area, not all of the disk: the note for the next start gets through. */
static int write_fails(int fd) {
    return fails(&page->write_error, fd, "/journal/", EIO) ||
           fails(&page->write_error, fd, "/segments/", EIO);
}

static void wait_for_disk(int fd) {
    unsigned ms = page ? atomic_load(&page->sync_ms) : 0;
    if (ms == 0 || !is_meant(fd, "")) return;
    atomic_fetch_add(&page->hits, 1);
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int fd, const void *at, size_t len, off_t position) {
    if (write_fails(fd)) return -1;
    /* What is written anew with pwrite() (snapshots, journal files) needs blocks. */
    if (fails(&page->full, fd, ".tmp", ENOSPC)) return -1;
    return NEXT(pwrite)(fd, at, len, position);
}

ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t position, int flags) {
    if (write_fails(fd)) return -1;
    if (flags & RWF_DSYNC) wait_for_disk(fd);
    return NEXT(pwritev2)(fd, pieces, count, position, flags);
}

ssize_t preadv2(int fd, const struct iovec *pieces, int count, off_t position, int flags) {
    if (fails(&page->read_error, fd, "/segments/", EIO)) return -1;
    return NEXT(preadv2)(fd, pieces, count, position, flags);
}

int fdatasync(int fd) {
    if (write_fails(fd)) return -1;
    wait_for_disk(fd);
    return NEXT(fdatasync)(fd);
}

int fsync(int fd) {
    if (write_fails(fd)) return -1;
    wait_for_disk(fd);
    return NEXT(fsync)(fd);
}

int fallocate(int fd, int mode, off_t position, off_t len) {
    if (fails(&page->full, fd, "", ENOSPC)) return -1;
    return NEXT(fallocate)(fd, mode, position, len);
}

int fstatvfs(int fd, struct statvfs *state) {
    int result = NEXT(fstatvfs)(fd, state);
    if (result == 0 && fails(&page->full, fd, "", 0)) state->f_bavail = 0;
    return result;
}
