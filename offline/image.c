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

static int compare_names(const void *a, const void *b) {
    const struct image_name *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static void image_take_names(struct image *image) {
    const struct map *topics = &image->catalog.topics_by_name;
    image->names = memory_zero(image->catalog.partition_count, sizeof *image->names);
    for (struct map_node *node = map_first(topics); node; node = map_next(topics, node)) {
        const struct catalog_topic *topic = map_entry(node, struct catalog_topic, by_name);
        for (int32_t at = 0; at < topic->partition_count; at++)
            image->names[image->name_count++] =
                (struct image_name){topic->partitions[at].id, at, topic};
    }
    qsort(image->names, image->name_count, sizeof *image->names, compare_names);
}

static const struct image_name *image_find_name(const struct image *image, uint32_t id) {
    const struct image_name wanted = {.id = id};
    if (!image->name_count) return NULL;
    return bsearch(&wanted, image->names, image->name_count, sizeof wanted, compare_names);
}

enum partition_life image_life(void *context, uint32_t id,
                               struct partition_definition *definition) {
    const struct image *image = context;
    if (id == CATALOG_PARTITION_ID) {
        *definition = (struct partition_definition){.id = id, .shard = CATALOG_SHARD};
        return PARTITION_LIVE;
    }
    if (id >= image->catalog.partition_id_next) return PARTITION_NOT_GIVEN;
    const struct image_name *name = image_find_name(image, id);
    if (!name) return PARTITION_DEAD;
    const struct catalog_partition *partition = &name->topic->partitions[name->index];
    *definition = (struct partition_definition){
        .id = id,
        .shard = partition->shard,
        .leader_epoch = partition->leader_epoch,
        .rules = {.index_interval_bytes = name->topic->effective.index_interval_bytes}};
    return PARTITION_LIVE;
}

/* --- recovery --- */

bool image_recover(struct image *image, struct error *error) {
    if (!recover_open(&image->directory, UNSETTLED_BYTES_MAX, &image->recovered, error))
        return false;
    if (!recover_catalog(image->recovered, image_catalog_batch, image, error)) return false;
    image_take_names(image);
    if (!recover_partitions(image->recovered, image_life, image, error)) return false;
    image->is_complete = true;
    return true;
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
    image_recover(image, &image->refusal);
    return true;
}

void image_close(struct image *image) {
    if (image->recovered) recover_free(image->recovered);
    if (image->disk) data_directory_close(&image->directory);
    file_close(image->lock);
    disk_close(image->real);
    catalog_deinit(&image->catalog);
    options_free(image->options);
    free(image->names);
    *image = (struct image){0};
}

/* --- partitions --- */

const char *image_name(const struct image *image, uint32_t id, char name[IMAGE_NAME_SIZE]) {
    const struct image_name *found = image_find_name(image, id);
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
    for (size_t at = 0; at < image->name_count; at++)
        if (strcmp(image_name(image, image->names[at].id, own), name) == 0)
            return recovered_find(image->recovered, image->names[at].id);
    return NULL;
}

bool image_is_compacted(const struct image *image, const struct partition *partition) {
    const struct image_name *name = image_find_name(image, partition->definition.id);
    return partition->compacted_offset > 0 || (name && name->topic->effective.cleanup_compact);
}

bool image_settle(struct image *image, struct partition *partition, struct error *error) {
    if (replay_has_file(partition, &image->directory) < 0) return false;
    return replay_settle(partition, round_up(partition->end.position, DISK_BLOCK),
                         &image->directory, error);
}
