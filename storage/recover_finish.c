/* Journals that begin anew: everything goes into segments and snapshots, durably, and then the old
 * files go. After damage they are set aside instead, with the snapshots that could not be read: a
 * repair may want to look at them.
 *
 * A crash in between leaves the new snapshots, which contain all blocks of earlier lives, and what
 * is left of the old journals; the next start does the rest. */
#include <errno.h>
#include <stdio.h>

#include "base/say.h"
#include "storage/layout.h"
#include "storage/recovered.h"
#include "storage/replay.h"
#include "storage/snapshot.h"

static bool sync_segments(struct partition *partition, struct error *error) {
    for (size_t at = 0; at < partition->segment_count; at++) {
        struct segment_file *file = partition->segments[at].file;
        int result = file && file->unsynced ? file_sync(file->write) : 0;
        if (result < 0)
            return error_set(error, -result, "cannot sync a segment: %s", strerror(-result));
        if (file) file->unsynced = false;
    }
    return true;
}

static bool settle_shard(struct recovered *recovered, struct shard *shard, struct error *error) {
    list_each(node, &shard->partitions) {
        struct partition *partition = list_entry(node, struct partition, in_shard);
        if (partition->offline == DAMAGE_SEGMENT) continue; /* there is nothing to write into */
        uint64_t upto = round_down(partition->end.position, DISK_BLOCK);
        if (!replay_settle(partition, upto, recovered->directory, error) ||
            !sync_segments(partition, error))
            return false;
    }
    return true;
}

/* Nothing of this life is in a journal yet. */
static bool snapshot_shard(struct recovered *recovered, struct shard *shard, struct error *error) {
    struct byte_buffer bytes = {0};
    shard->contained = (struct journal_mark){.incarnation = recovered->directory->incarnation};
    snapshot_encode(shard, &bytes);
    int result = snapshot_put(recovered->directory->blobs, shard->id, byte_buffer_bytes(&bytes));
    byte_buffer_deinit(&bytes);
    shard->unsnapshotted = false;
    return result == 0 ||
           error_set(error, -result, "cannot write a snapshot: %s", strerror(-result));
}

/* --- setting aside --- */

/* "damaged/LIFE", durably there. */
static int aside_make(struct recovered *recovered, char folder[LAYOUT_PATH_SIZE]) {
    struct disk *disk = recovered->directory->disk;
    layout_damaged(folder, recovered->directory->incarnation);
    int result = disk_make_directory(disk, LAYOUT_DAMAGED);
    if (result == 0 || result == -EEXIST) result = disk_sync_directory(disk, ".");
    if (result == 0) result = disk_make_directory(disk, folder);
    if (result == 0 || result == -EEXIST) result = disk_sync_directory(disk, LAYOUT_DAMAGED);
    return result;
}

enum { ASIDE_PATH_SIZE = 2 * LAYOUT_PATH_SIZE };

static void aside_path(char to[ASIDE_PATH_SIZE], const char *folder, const char *path) {
    const char *name = strchr(path, '/') + 1;
    snprintf(to, ASIDE_PATH_SIZE, "%s/%.*s-%s", folder, (int)(name - 1 - path), path, name);
}

static int aside_move(struct disk *disk, const char *folder, const char *path) {
    char to[ASIDE_PATH_SIZE];
    aside_path(to, folder, path);
    int result = disk_rename(disk, path, to);
    return result < 0 ? result : disk_sync_directory(disk, folder);
}

int recover_set_aside(struct recovered *recovered, const char *path) {
    char folder[LAYOUT_PATH_SIZE];
    int result = aside_make(recovered, folder);
    return result < 0 ? result : aside_move(recovered->directory->disk, folder, path);
}

int recover_copy_aside(struct recovered *recovered, const char *path) {
    struct disk *disk = recovered->directory->disk;
    char folder[LAYOUT_PATH_SIZE], to[ASIDE_PATH_SIZE];
    uint8_t *at = NULL;
    size_t len = 0;
    int result = aside_make(recovered, folder);
    if (result == 0) result = disk_read_file(disk, path, BLOB_BYTES_MAX, &at, &len);
    if (result < 0) return result;
    aside_path(to, folder, path);
    result = disk_replace_file(disk, folder, to, bytes_make(at, len));
    free(at);
    return result;
}

/* The catalog's is there twice. */
static int aside_copy(struct disk *disk, const char *folder) {
    char path[LAYOUT_PATH_SIZE];
    layout_snapshot_copy(path);
    int result = aside_move(disk, folder, path);
    return result == -ENOENT ? 0 : result;
}

/* Before new ones take their places. */
static int aside_snapshots(struct recovered *recovered, const char *folder) {
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++) {
        const struct shard_trace *trace = &recovered->traces[id];
        char path[LAYOUT_PATH_SIZE];
        layout_snapshot(path, id);
        bool there = trace->lost && !trace->is_absent;
        int result = there ? aside_move(recovered->directory->disk, folder, path) : 0;
        if (result == 0 && trace->lost && id == CATALOG_SHARD)
            result = aside_copy(recovered->directory->disk, folder);
        if (result < 0) return result;
    }
    return 0;
}

/* The newest first, each durably: what a crash in between leaves is the beginning of a journal,
 * which the snapshots contain, and not one with a hole. `folder` NULL removes them. */
static int journals_clear(struct recovered *recovered, const char *folder) {
    struct disk *disk = recovered->directory->disk;
    for (unsigned core = 0; core < recovered->scan_count; core++) {
        struct journal_scan *scan = &recovered->scans[core];
        for (unsigned at = scan->file_count; at-- > 0;) {
            char path[LAYOUT_PATH_SIZE];
            layout_journal(path, core, scan->files[at].number);
            int result = folder ? aside_move(disk, folder, path) : disk_unlink(disk, path);
            if (result == 0) result = disk_sync_directory(disk, LAYOUT_JOURNALS);
            if (result < 0) return result;
        }
    }
    return 0;
}

/* --- all of it --- */

static bool journals_are_at_home(const struct recovered *recovered, unsigned core_count) {
    if (recovered->scan_count > core_count) return false;
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++) {
        unsigned seen_in = recovered->traces[id].seen_in;
        if (seen_in && seen_in != id % core_count + 1) return false;
    }
    return true;
}

static bool finish_failed(const struct recovered *recovered, int result, struct error *error) {
    return error_set(error, -result, "cannot begin the journals in %s/%s anew: %s",
                     disk_root(recovered->directory->disk), LAYOUT_JOURNALS, strerror(-result));
}

bool recover_begin_anew(struct recovered *recovered, struct error *error) {
    char aside[LAYOUT_PATH_SIZE];
    bool damaged = recovered->damaged;
    int result = damaged ? aside_make(recovered, aside) : 0;
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        if (!settle_shard(recovered, recovered->shards[id], error)) return false;
    if (!recovered_sync_names(recovered, error)) return false;
    if (result == 0 && damaged) result = aside_snapshots(recovered, aside);
    if (result < 0) return finish_failed(recovered, result, error);
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        if (!snapshot_shard(recovered, recovered->shards[id], error)) return false;
    if (!data_directory_expect_journals(recovered->directory, 0, error)) return false;
    result = journals_clear(recovered, damaged ? aside : NULL);
    if (result < 0) return finish_failed(recovered, result, error);
    if (damaged)
        say_error("what could not be read was set aside in %s/%s",
                  disk_root(recovered->directory->disk), aside);
    recovered->reset = true;
    return true;
}

bool recover_finish(struct recovered *recovered, unsigned core_count, struct error *error) {
    if (!recovered->damaged && journals_are_at_home(recovered, core_count)) return true;
    if (!recovered->damaged)
        say_info("the number of cores changed: moving %u journals into segments and snapshots",
                 recovered->scan_count);
    return recover_begin_anew(recovered, error);
}
