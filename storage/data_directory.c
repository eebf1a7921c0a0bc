#include "storage/data_directory.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/say.h"
#include "storage/layout.h"
#include "storage/superblock.h"
#include "storage/write_errors.h"

enum { LOCK_TRIES = 250, LOCK_PAUSE_US = 20000 }; /* 5 s */

static const char *const known_entries[] = {LAYOUT_SUPERBLOCK,  LAYOUT_LOCK,      LAYOUT_JOURNALS,
                                            LAYOUT_SEGMENTS,    LAYOUT_SNAPSHOTS, LAYOUT_DAMAGED,
                                            LAYOUT_WRITE_ERRORS};

struct survey {
    bool has_superblock;
    char foreign[64];
};

static int survey_entry(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    struct survey *survey = context;
    if (strcmp(name, LAYOUT_SUPERBLOCK) == 0) survey->has_superblock = true;
    for (size_t at = 0; at < array_count(known_entries); at++)
        if (strncmp(name, known_entries[at], strlen(known_entries[at])) == 0) return 0;
    if (strcmp(name, "lost+found") == 0) return 0;
    if (strncmp(name, ".direct-", 8) == 0) return 0; /* a probe (io/file_real.c) that was killed */
    snprintf(survey->foreign, sizeof survey->foreign, "%s", name);
    return 0;
}

static int count_entry(void *context, const char *name, bool is_directory) {
    (void)name, (void)is_directory;
    ++*(size_t *)context;
    return 0;
}

/* A directory without a superblock may be formatted only when nothing in it could be data. */
static bool directory_is_blank(struct disk *disk, struct error *error) {
    static const char *const folders[] = {LAYOUT_JOURNALS, LAYOUT_SEGMENTS, LAYOUT_SNAPSHOTS};
    for (size_t at = 0; at < array_count(folders); at++) {
        size_t entries = 0;
        int result = disk_list(disk, folders[at], count_entry, &entries);
        if (result < 0 && result != -ENOENT)
            return error_set(error, -result, "cannot list %s/%s: %s", disk_root(disk), folders[at],
                             strerror(-result));
        if (entries > 0)
            return error_set(error, 0,
                             "%s has files in %s/ but no superblock: it is damaged, and was not "
                             "touched; restore the superblock from a backup, or name an empty "
                             "directory with --data",
                             disk_root(disk), folders[at]);
    }
    return true;
}

static bool directory_lock(struct data_directory *directory, struct error *error) {
    int result = file_open(directory->disk, LAYOUT_LOCK, FILE_READ | FILE_WRITE | FILE_CREATE,
                           &directory->lock);
    if (result < 0)
        return error_set(error, -result,
                         "cannot write in %s: %s; make it writable or name another with --data",
                         disk_root(directory->disk), strerror(-result));
    for (int try = 0; try < LOCK_TRIES; try++) {
        result = file_lock(directory->lock);
        if (result != -EAGAIN) break;
        usleep(LOCK_PAUSE_US);
    }
    if (result < 0)
        return error_set(error, -result,
                         "%s is in use by another process: stop it, or name another directory with "
                         "--data",
                         disk_root(directory->disk));
    return true;
}

static const char *const folders[] = {LAYOUT_JOURNALS, LAYOUT_SEGMENTS, LAYOUT_SNAPSHOTS};

static bool directory_format(struct data_directory *directory, int32_t node_id,
                             struct error *error) {
    struct disk *disk = directory->disk;
    if (!directory_is_blank(disk, error)) return false;
    directory->node_id = node_id;
    directory->shard_count = SHARD_COUNT_DEFAULT;
    directory->incarnation = 1;
    directory->generation = 1;
    directory->formatted_now = true;
    uuid_make(&directory->cluster_id);
    uuid_make(&directory->directory_id);
    check(getrandom(&directory->salt, sizeof directory->salt, 0) == sizeof directory->salt);

    int result = 0;
    for (size_t at = 0; at < array_count(folders) && result == 0; at++) {
        result = disk_make_directory(disk, folders[at]);
        if (result == -EEXIST) result = 0;
    }
    /* Durable first: a superblock means that they are there. */
    if (result == 0) result = disk_sync_directory(disk, ".");
    uint8_t both[SUPERBLOCK_BYTES] = {0};
    superblock_encode(directory, both);
    if (result == 0)
        result = disk_replace_file(disk, ".", LAYOUT_SUPERBLOCK, bytes_make(both, sizeof both));
    if (result < 0)
        return error_set(error, -result, "cannot format %s: %s", disk_root(disk),
                         strerror(-result));
    return true;
}

/* Reads both slots; the newer valid one fills the directory. */
static bool superblock_load(struct data_directory *directory, struct error *error) {
    uint8_t *both = NULL;
    size_t len = 0;
    int result = disk_read_file(directory->disk, LAYOUT_SUPERBLOCK, SUPERBLOCK_BYTES, &both, &len);
    if (result < 0)
        return error_set(error, -result, "cannot read %s/" LAYOUT_SUPERBLOCK ": %s",
                         disk_root(directory->disk), strerror(-result));
    bool found = false;
    uint32_t version = 0, format = FORMAT_VERSION;
    for (size_t slot = 0; (slot + 1) * DISK_BLOCK <= len; slot++) {
        struct data_directory read = *directory;
        enum superblock_state state = superblock_decode(both + slot * DISK_BLOCK, &read, &version);
        if (state == SUPERBLOCK_NEWER) {
            free(both);
            return error_set(error, 0,
                             "%s was written by a newer release (format %u, this one reads %d): "
                             "start that release; nothing was touched",
                             disk_root(directory->disk), version, FORMAT_VERSION);
        }
        if (state != SUPERBLOCK_VALID) continue;
        if (!found || read.generation > directory->generation) {
            *directory = read;
            format = version;
        }
        found = true;
    }
    free(both);
    if (!found)
        return error_set(error, 0,
                         "%s/" LAYOUT_SUPERBLOCK
                         " is damaged (both slots): restore it from a backup; nothing was touched",
                         disk_root(directory->disk));
    if (format < FORMAT_VERSION)
        say_info("%s has format %u; it becomes format %d, which older releases cannot read",
                 disk_root(directory->disk), format, FORMAT_VERSION);
    return true;
}

/* What a killed process has created or renamed may still be in caches only: it must be durable
 * before anything is built on it. */
static bool directory_sync(struct data_directory *directory, struct error *error) {
    int result = disk_sync_directory(directory->disk, ".");
    for (size_t at = 0; at < array_count(folders) && result == 0; at++)
        result = disk_sync_directory(directory->disk, folders[at]);
    return result == 0 || error_set(error, -result, "cannot sync the directories in %s: %s",
                                    disk_root(directory->disk), strerror(-result));
}

/* Into the slot that does not rule; durable when it returns. */
static bool superblock_write(struct data_directory *directory, struct error *error) {
    directory->generation++;
    uint8_t slot[DISK_BLOCK];
    superblock_encode(directory, slot);
    struct file *file = NULL;
    int result = file_open(directory->disk, LAYOUT_SUPERBLOCK, FILE_READ | FILE_WRITE, &file);
    uint64_t position = (directory->generation + 1) % SUPERBLOCK_SLOTS * DISK_BLOCK;
    if (result == 0) result = file_write_at(file, slot, sizeof slot, position);
    if (result == 0) result = file_sync(file);
    if (file) file_close(file);
    if (result < 0)
        return error_set(error, -result, "cannot write %s/" LAYOUT_SUPERBLOCK ": %s",
                         disk_root(directory->disk), strerror(-result));
    return true;
}

/* Durable before the first append of this start: later blocks of an older life are never ours. */
static bool incarnation_begin(struct data_directory *directory, struct error *error) {
    directory->incarnation++;
    return superblock_write(directory, error);
}

bool data_directory_expect_journals(struct data_directory *directory, uint32_t journals,
                                    struct error *error) {
    if (directory->journals == journals) return true;
    directory->journals = journals;
    return superblock_write(directory, error);
}

static bool directory_begin(struct data_directory *directory, int32_t node_id,
                            struct error *error) {
    struct survey survey = {0};
    int result = disk_list(directory->disk, ".", survey_entry, &survey);
    if (result < 0)
        return error_set(error, -result, "cannot list %s: %s", disk_root(directory->disk),
                         strerror(-result));
    if (!survey.has_superblock && survey.foreign[0])
        return error_set(error, 0,
                         "%s is not ours: it holds \"%s\"; name an empty directory with --data",
                         disk_root(directory->disk), survey.foreign);
    if (!directory_lock(directory, error)) return false;
    if (!survey.has_superblock) return directory_format(directory, node_id, error);
    if (!superblock_load(directory, error)) return false;
    if (directory->node_id != node_id)
        return error_set(error, 0,
                         "%s belongs to node %d, and this is node %d: start with --node-id %d or "
                         "name another directory with --data",
                         disk_root(directory->disk), directory->node_id, node_id,
                         directory->node_id);
    return write_errors_allow(directory->disk, clock_wall_ms(), error) &&
           directory_sync(directory, error) && incarnation_begin(directory, error);
}

bool data_directory_open(struct disk *disk, int32_t node_id, struct data_directory *directory,
                         struct error *error) {
    *directory = (struct data_directory){.disk = disk};
    if (!directory_begin(directory, node_id, error)) {
        data_directory_close(directory);
        return false;
    }
    disk_probe_direct(disk); /* it writes: only now is the directory ours */
    directory->write_errors = write_errors_open(directory->disk);
    directory->blobs = blobs_new_files(disk);
    return true;
}

void data_directory_close(struct data_directory *directory) {
    write_errors_close(directory->write_errors);
    blobs_free(directory->blobs);
    if (directory->lock) file_close(directory->lock);
    if (directory->disk) disk_close(directory->disk);
    *directory = (struct data_directory){0};
}
