#include "broker/ephemeral.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PREFIX "millrace-ephemeral-"

enum { TRIES = 16, OPEN_DIRECTORIES = 8 };

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *place) {
    (void)stat, (void)kind, (void)place;
    return remove(path);
}

static void remove_tree(const char *path) {
    nftw(path, remove_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int lock_directory(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    close(fd);
    return -1;
}

/* Ours by name, by owner, and held by nobody. */
static void remove_stale_one(const char *root, const char *name) {
    char path[512];
    struct stat stat;
    int len = snprintf(path, sizeof path, "%s/%s", root, name);
    if (len < 0 || (size_t)len >= sizeof path) return;
    int lock = lock_directory(path);
    if (lock < 0) return;
    if (fstat(lock, &stat) == 0 && stat.st_uid == geteuid()) remove_tree(path);
    close(lock);
}

static void remove_stale(const char *root) {
    DIR *directory = opendir(root);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
            remove_stale_one(root, entry->d_name);
    closedir(directory);
}

/* Another process may take a new directory for a stale one before it is locked: try again. */
static bool make_locked(struct ephemeral *ephemeral, const char *root) {
    for (int i = 0; i < TRIES; i++) {
        snprintf(ephemeral->path, sizeof ephemeral->path, "%s/" PREFIX "XXXXXX", root);
        if (!mkdtemp(ephemeral->path)) return false;
        ephemeral->lock = lock_directory(ephemeral->path);
        if (ephemeral->lock < 0) continue;
        if (access(ephemeral->path, F_OK) == 0) return true;
        close(ephemeral->lock);
    }
    return false;
}

bool ephemeral_open(struct ephemeral *ephemeral, struct error *error) {
    const char *root = getenv("TMPDIR");
    if (!root || !root[0]) root = "/tmp";
    remove_stale(root);
    if (make_locked(ephemeral, root)) return true;
    return error_set(error, errno, "cannot make a directory in %s (TMPDIR): %s", root,
                     strerror(errno));
}

void ephemeral_close(struct ephemeral *ephemeral) {
    remove_tree(ephemeral->path);
    close(ephemeral->lock);
}
