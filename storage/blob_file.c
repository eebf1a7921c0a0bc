/* Objects as files of a data directory. A put writes NAME.tmp, syncs it, renames it and syncs the
 * folder, the last of several for all of them; a crash on the way leaves the old object, or none,
 * and perhaps NAME.tmp, which is no object and which the next put of that name writes over. */
#include <errno.h>
#include <stdio.h>

#include "base/memory.h"
#include "storage/blob.h"

struct file_blobs {
    struct blobs blobs;
    struct disk *disk;
};

static struct disk *disk_of(struct blobs *blobs) {
    return container_of(blobs, struct file_blobs, blobs)->disk;
}

static void folder_of(const char *name, char folder[BLOB_NAME_SIZE]) {
    size_t len = (size_t)(strrchr(name, '/') - name);
    memcpy(folder, name, len);
    folder[len] = '\0';
}

static int files_put(struct blobs *blobs, const char *name, struct bytes content, bool more) {
    char folder[BLOB_NAME_SIZE];
    folder_of(name, folder);
    if (more) return disk_exchange_file(disk_of(blobs), name, content);
    return disk_replace_file(disk_of(blobs), folder, name, content);
}

static int64_t files_size(struct blobs *blobs, const char *name) {
    struct file *file;
    int failed = file_open(disk_of(blobs), name, FILE_READ, &file);
    if (failed) return failed;
    int64_t size = file_size(file);
    file_close(file);
    return size;
}

static int64_t files_read(struct blobs *blobs, const char *name, void *into, size_t len,
                          uint64_t position) {
    struct file *file;
    int failed = file_open(disk_of(blobs), name, FILE_READ, &file);
    if (failed) return failed;
    int64_t got = file_read_at(file, into, len, position);
    file_close(file);
    return got;
}

static int files_remove(struct blobs *blobs, const char *name) {
    return disk_unlink(disk_of(blobs), name);
}

/* --- the list --- */

struct listing {
    const char *folder, *begin; /* of the prefix: before and behind its slash */
    int (*each)(void *context, const char *name);
    void *context;
};

static bool is_unfinished(const char *name) {
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

/* What is too long to be a name of ours is not an object either. */
static int listing_entry(void *context, const char *entry, bool is_directory) {
    const struct listing *listing = context;
    char name[BLOB_NAME_SIZE];
    bool matches = strncmp(entry, listing->begin, strlen(listing->begin)) == 0;
    if (is_directory || !matches || is_unfinished(entry)) return 0;
    int len = snprintf(name, sizeof name, "%s/%s", listing->folder, entry);
    if (len < 0 || (size_t)len >= sizeof name) return 0;
    return listing->each(listing->context, name);
}

static int files_list(struct blobs *blobs, const char *prefix,
                      int (*each)(void *context, const char *name), void *context) {
    char folder[BLOB_NAME_SIZE];
    folder_of(prefix, folder);
    struct listing listing = {folder, strrchr(prefix, '/') + 1, each, context};
    return disk_list(disk_of(blobs), folder, listing_entry, &listing);
}

static void files_free(struct blobs *blobs) { free(container_of(blobs, struct file_blobs, blobs)); }

static const struct blob_calls calls = {.put = files_put,
                                        .size = files_size,
                                        .read = files_read,
                                        .remove = files_remove,
                                        .list = files_list,
                                        .free = files_free};

struct blobs *blobs_new_files(struct disk *disk) {
    struct file_blobs *files = new_zero(struct file_blobs);
    *files = (struct file_blobs){{&calls}, disk};
    return &files->blobs;
}
