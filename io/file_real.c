/* The operating system's files. Everything is relative to the root's descriptor, so that moving the
 * root or changing the working directory harms nothing. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/disk.h"

struct real_disk {
    struct disk disk;
    int root_fd;
    atomic_bool lacks_openat2;
};

static const struct disk_calls real_disk_calls;
static const struct file_calls real_file_calls;

static struct real_disk *real(struct disk *disk) {
    return container_of(disk, struct real_disk, disk);
}

static int errno_of(int result) { return result < 0 ? -errno : 0; }

/* --- the root --- */

static int sync_parent(const char *path) {
    char parent[4096];
    const char *slash = strrchr(path, '/');
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path + 1) : 1,
             slash ? path : ".");
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 ? -errno : errno_of(fsync(fd));
    if (fd >= 0) close(fd);
    return failed;
}

/* Creates the directory and its missing parents, durably. */
static int make_path(const char *path) {
    char part[4096];
    size_t len = strlen(path);
    if (len >= sizeof part) return -ENAMETOOLONG;
    for (size_t at = 1; at <= len; at++) {
        if (path[at] != '/' && path[at] != '\0') continue;
        memcpy(part, path, at);
        part[at] = '\0';
        if (mkdir(part, 0700) == 0)
            sync_parent(part);
        else if (errno != EEXIST)
            return -errno;
    }
    return 0;
}

/* Some file systems accept O_DIRECT and then refuse to write: a block must get through. */
static bool real_probe_direct(struct disk *disk) {
    int root_fd = real(disk)->root_fd;
    char name[64];
    snprintf(name, sizeof name, ".direct-%d.tmp", (int)getpid());
    int fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    void *block = memory_aligned(DISK_BLOCK, DISK_BLOCK);
    memset(block, 0, DISK_BLOCK);
    bool works = fd >= 0 && pwrite(fd, block, DISK_BLOCK, 0) == DISK_BLOCK;
    free(block);
    if (fd >= 0) close(fd);
    unlinkat(root_fd, name, 0); /* a refused open may have created it */
    return works;
}

struct disk *disk_open(const char *root, bool create, struct error *error) {
    int failed = create ? make_path(root) : 0;
    int fd = failed ? -1 : open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int code = failed ? -failed : errno;
        error_set(error, code, "cannot %s the directory %s: %s", create ? "create" : "open", root,
                  strerror(code));
        return NULL;
    }
    struct real_disk *disk = new_zero(struct real_disk);
    disk->disk = (struct disk){&real_disk_calls, memory_copy_text(root), false};
    disk->root_fd = fd;
    return &disk->disk;
}

static void real_close(struct disk *disk) {
    close(real(disk)->root_fd);
    free(disk->root);
    free(real(disk));
}

static int64_t real_free_bytes(struct disk *disk) {
    struct statvfs state;
    if (fstatvfs(real(disk)->root_fd, &state) < 0) return -errno;
    return (int64_t)(state.f_bavail * state.f_frsize);
}

/* --- directories --- */

/* The kernel keeps the path inside the root even when somebody plants a symbolic link. */
static int open_inside(struct real_disk *disk, const char *path, int flags) {
    if (!disk->lacks_openat2) {
        struct open_how how = {.flags = (uint64_t)flags,
                               .mode = flags & O_CREAT ? 0600 : 0,
                               .resolve = RESOLVE_BENEATH};
        long fd = syscall(SYS_openat2, disk->root_fd, path, &how, sizeof how);
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return fd < 0 ? -errno : (int)fd;
        disk->lacks_openat2 = errno == ENOSYS; /* EPERM: a sandbox, or the file itself */
    }
    int fd = openat(disk->root_fd, path, flags, 0600);
    return fd < 0 ? -errno : fd;
}

static int real_make_directory(struct disk *disk, const char *path) {
    return errno_of(mkdirat(real(disk)->root_fd, path, 0700));
}

static int real_remove_directory(struct disk *disk, const char *path) {
    return errno_of(unlinkat(real(disk)->root_fd, path, AT_REMOVEDIR));
}

static int real_sync_directory(struct disk *disk, const char *path) {
    int fd = open_inside(real(disk), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fd;
    int failed = errno_of(fsync(fd));
    close(fd);
    return failed;
}

static int real_rename(struct disk *disk, const char *from, const char *to) {
    int root = real(disk)->root_fd;
    return errno_of(renameat(root, from, root, to));
}

static int real_unlink(struct disk *disk, const char *path) {
    return errno_of(unlinkat(real(disk)->root_fd, path, 0));
}

static bool entry_is_directory(int directory_fd, const struct dirent *entry) {
    if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
    struct stat state;
    return fstatat(directory_fd, entry->d_name, &state, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(state.st_mode);
}

static int real_list(struct disk *disk, const char *path,
                     int (*entry)(void *context, const char *name, bool is_directory),
                     void *context) {
    int fd = open_inside(real(disk), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fd;
    DIR *directory = fdopendir(fd);
    if (!directory) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    int answer = 0;
    struct dirent *found;
    while (!answer && (errno = 0, found = readdir(directory))) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) continue;
        answer = entry(context, found->d_name, entry_is_directory(fd, found));
    }
    if (!answer && !found) answer = -errno;
    closedir(directory);
    return answer;
}

/* --- files --- */

static int real_open(struct disk *disk, const char *path, int mode, struct file **file) {
    bool is_direct = (mode & FILE_DIRECT) && disk->is_direct;
    int flags = O_CLOEXEC;
    if ((mode & FILE_READ) && (mode & FILE_WRITE))
        flags |= O_RDWR;
    else
        flags |= mode & FILE_WRITE ? O_WRONLY : O_RDONLY;
    if (mode & FILE_CREATE) flags |= O_CREAT;
    if (mode & FILE_EXCLUSIVE) flags |= O_EXCL;
    if (is_direct) flags |= O_DIRECT;
    int fd = open_inside(real(disk), path, flags);
    if (fd < 0) return fd;
    if (mode & FILE_RANDOM) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    *file = new_zero(struct file);
    (*file)->calls = &real_file_calls;
    (*file)->fd = fd;
    (*file)->is_direct = is_direct;
    return 0;
}

static void real_file_close(struct file *file) {
    close(file->fd);
    free(file);
}

static int64_t real_size(struct file *file) {
    struct stat state;
    return fstat(file->fd, &state) < 0 ? -errno : state.st_size;
}

static int64_t real_read(struct file *file, void *at, size_t len, uint64_t position, int flags) {
    size_t got = 0;
    while (got < len) {
        struct iovec rest = {(uint8_t *)at + got, len - got};
        ssize_t count = preadv2(file->fd, &rest, 1, (off_t)(position + got), flags);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        got += (size_t)count;
        /* A direct read that ends inside a block has reached the end of the file. */
        if (count == 0 || (file->is_direct && got % DISK_BLOCK)) break;
    }
    return (int64_t)got;
}

static int64_t real_read_at(struct file *file, void *at, size_t len, uint64_t position) {
    return real_read(file, at, len, position, 0);
}

static int64_t real_read_cached(struct file *file, void *at, size_t len, uint64_t position) {
    int64_t got = real_read(file, at, len, position, RWF_NOWAIT);
    return got == -EOPNOTSUPP ? -EAGAIN : got;
}

static void real_expect(struct file *file, uint64_t position, size_t len) {
    posix_fadvise(file->fd, (off_t)position, (off_t)len, POSIX_FADV_WILLNEED);
}

static int real_write_at(struct file *file, const void *at, size_t len, uint64_t position) {
    size_t written = 0;
    while (written < len) {
        ssize_t count = pwrite(file->fd, (const uint8_t *)at + written, len - written,
                               (off_t)(position + written));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        /* Direct: only whole blocks can be continued; no whole block means that space ran out. */
        if (file->is_direct) count = (ssize_t)round_down((uint64_t)count, DISK_BLOCK);
        if (count == 0) return -ENOSPC;
        written += (size_t)count;
    }
    return 0;
}

static int real_sync(struct file *file) { return errno_of(fdatasync(file->fd)); }

static int real_allocate(struct file *file, uint64_t size) {
    int64_t old = real_size(file);
    if (old < 0) return (int)old;
    int failed;
    do failed = size ? errno_of(fallocate(file->fd, 0, 0, (off_t)size)) : 0;
    while (failed == -EINTR);
    if (failed && failed != -EOPNOTSUPP) return failed;
    bool has_size = !failed && (uint64_t)old <= size; /* fallocate never makes a file smaller */
    return has_size ? 0 : errno_of(ftruncate(file->fd, (off_t)size));
}

static int real_truncate(struct file *file, uint64_t size) {
    return errno_of(ftruncate(file->fd, (off_t)size));
}

static int real_lock(struct file *file) {
    bool writes = (fcntl(file->fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
    struct flock lock = {.l_type = writes ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    int failed = errno_of(fcntl(file->fd, F_OFD_SETLK, &lock));
    return failed == -EACCES ? -EAGAIN : failed;
}

static const struct disk_calls real_disk_calls = {
    .close = real_close,
    .free_bytes = real_free_bytes,
    .probe_direct = real_probe_direct,
    .make_directory = real_make_directory,
    .remove_directory = real_remove_directory,
    .sync_directory = real_sync_directory,
    .rename = real_rename,
    .unlink = real_unlink,
    .list = real_list,
    .open = real_open,
};

static const struct file_calls real_file_calls = {
    .close = real_file_close,
    .size = real_size,
    .read_at = real_read_at,
    .read_cached = real_read_cached,
    .expect = real_expect,
    .write_at = real_write_at,
    .sync = real_sync,
    .allocate = real_allocate,
    .truncate = real_truncate,
    .lock = real_lock,
};
