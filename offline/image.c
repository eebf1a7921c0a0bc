#include "offline/image.h"

#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "io/disk_view.h"
#include "storage/layout.h"
#include "storage/replay.h"
#include "storage/superblock.h"

enum {
    LOCK_TRIES = 50, /* a broker that was just stopped may hold it for a moment */
    LOCK_PAUSE_US = 20000,
    UNSETTLED_BYTES_MAX = 256 << 20,
};

/* --- opening --- */

bool image_node_id(struct disk *disk, int32_t *node_id, struct error *error) {
    uint8_t *both = NULL;
    size_t len = 0;
    int result = disk_read_file(disk, LAYOUT_SUPERBLOCK, SUPERBLOCK_BYTES, &both, &len);
    if (result < 0)
        return error_set(error, -result, "%s is no data directory of ours: %s/%s: %s",
                         disk_root(disk), disk_root(disk), LAYOUT_SUPERBLOCK, strerror(-result));
    bool found = false;
    uint32_t version;
    for (size_t slot = 0; (slot + 1) * DISK_BLOCK <= len; slot++) {
        struct data_directory read = {0};
        bool valid =
            superblock_decode(both + slot * DISK_BLOCK, &read, &version) == SUPERBLOCK_VALID;
        if (valid && !found) *node_id = read.node_id;
        found |= valid;
    }
    free(both);
    if (!found) *node_id = 0; /* opening the directory says what is wrong */
    return true;
}

static bool image_lock(struct image *image, struct error *error) {
    int result = file_open(image->real, LAYOUT_LOCK, FILE_READ, &image->lock);
    if (result == -ENOENT) return true;
    if (result == 0) result = file_lock(image->lock);
    for (int try = 1; result == -EAGAIN && try < LOCK_TRIES; try++) {
        usleep(LOCK_PAUSE_US);
        result = file_lock(image->lock);
    }
    if (result == -EAGAIN)
        return error_set(error, EAGAIN, "%s is in use by a broker: stop it first",
                         disk_root(image->real));
    return result == 0 || error_set(error, -result, "cannot lock %s/%s: %s", disk_root(image->real),
                                    LAYOUT_LOCK, strerror(-result));
}

bool image_is_free(const char *root, struct error *error) {
    struct image image = {.real = disk_open(root, false, error)};
    bool is_free = image.real && image_lock(&image, error);
    file_close(image.lock);
    disk_close(image.real);
    return is_free;
}

/* --- the catalog --- */

bool image_catalog_batch(void *context, struct bytes batch, struct error *error) {
    struct image *image = context;
    return catalog_apply(&image->catalog, batch, NULL, error);
}

/* --- recovery --- */

static bool image_take_catalog(struct image *image, struct error *error) {
    if (!recover_catalog(image->recovered, image_catalog_batch, image, error)) return false;
    catalog_lives_init(&image->lives, &image->catalog);
    return recover_partitions(image->recovered, catalog_lives_tell, &image->lives, error);
}

void image_recover(struct image *image) {
    struct error *refusal = &image->refusal, error = {0};
    if (!recover_open(&image->directory, UNSETTLED_BYTES_MAX, &image->recovered, refusal)) return;
    image->is_complete = image_take_catalog(image, refusal);
    if (image->is_complete || refusal->code != EBADMSG) return;
    image->is_rescued = image_rescue(image, &error);
    if (!image->is_rescued) *refusal = error;
}

static bool image_begin(struct image *image, const char *root, struct error *error) {
    int32_t node_id;
    image->real = disk_open(root, false, error);
    if (!image->real || !image_node_id(image->real, &node_id, error)) return false;
    if (!image_lock(image, error)) return false;
    struct disk *view = disk_view_open(image->real);
    disk_unlink(view, LAYOUT_WRITE_ERRORS); /* looking is no start that may be refused */
    if (!data_directory_open(view, node_id, &image->directory, error)) return false;
    image->disk = view;
    return true;
}

bool image_open(struct image *image, const char *root, struct error *error) {
    *image = (struct image){.options = options_new()};
    catalog_init(&image->catalog, image->options);
    if (!image_begin(image, root, error)) {
        image_close(image);
        return false;
    }
    image_recover(image);
    return true;
}

void image_close(struct image *image) {
    if (image->recovered) recover_free(image->recovered);
    if (image->disk) data_directory_close(&image->directory);
    file_close(image->lock);
    disk_close(image->real);
    catalog_deinit(&image->catalog);
    options_free(image->options);
    catalog_lives_deinit(&image->lives);
    catalog_rescue_deinit(&image->rescue);
    free(image->lost);
    *image = (struct image){0};
}

/* --- partitions --- */

const char *image_name(const struct image *image, uint32_t id, char name[IMAGE_NAME_SIZE]) {
    const struct catalog_life *found = catalog_lives_find(&image->lives, id);
    if (found)
        snprintf(name, IMAGE_NAME_SIZE, "%s-%d", found->topic->name, found->index);
    else if (id == CATALOG_PARTITION_ID)
        snprintf(name, IMAGE_NAME_SIZE, "catalog");
    else
        snprintf(name, IMAGE_NAME_SIZE, "partition %u", id);
    return name;
}

void image_each(const struct image *image, void (*each)(void *context, struct partition *partition),
                void *context) {
    if (!image->recovered) return;
    for (uint32_t id = 0; id < image->directory.shard_count; id++) {
        struct shard *shard = image->recovered->shards[id];
        if (!shard) continue;
        list_each(node, &shard->partitions)
            each(context, list_entry(node, struct partition, in_shard));
    }
}

struct partition *image_partition(const struct image *image, const char *name) {
    char own[IMAGE_NAME_SIZE];
    if (!image->recovered) return NULL;
    if (strcmp(name, "catalog") == 0) return recovered_find(image->recovered, CATALOG_PARTITION_ID);
    for (size_t at = 0; at < image->lives.count; at++)
        if (strcmp(image_name(image, image->lives.items[at].id, own), name) == 0)
            return recovered_find(image->recovered, image->lives.items[at].id);
    return NULL;
}

bool image_is_compacted(const struct image *image, const struct partition *partition) {
    const struct catalog_life *life = catalog_lives_find(&image->lives, partition->definition.id);
    return partition->compacted_offset > 0 || (life && life->topic->effective.cleanup_compact);
}

bool image_settle(struct image *image, struct partition *partition, struct error *error) {
    if (replay_has_file(partition, &image->directory) < 0) return false;
    return replay_settle(partition, round_up(partition->end.position, DISK_BLOCK),
                         &image->directory, error);
}
