/* A data directory at rest, as the next start would find it: recovery itself has run, on a disk
 * that takes changes into memory (io/disk_view.h), so that nothing of the directory changes. The
 * directory's lock is held meanwhile, shared: no broker can start.
 *
 * Where only the catalog keeps it from starting, the image goes on with what can be read of it, as
 * a repair would (rescue.c): topics that can be named, and one "lost-ID" for each partition that
 * has records and no topic any more.
 *
 * What recovery would say is left out; findings (offline/verify.h) say it better. */
#pragma once

#include "metadata/catalog_lives.h"
#include "metadata/catalog_rescue.h"
#include "storage/recovered.h"

enum { IMAGE_NAME_SIZE = 300 };

struct image {
    struct disk *real, *disk;
    struct file *lock; /* NULL: there is none, so no broker was ever here */
    struct data_directory directory;
    struct options *options;
    struct catalog catalog;
    struct catalog_lives lives;  /* none before the catalog is complete */
    struct recovered *recovered; /* NULL: not even its beginning was possible */
    bool is_complete;            /* recovery came to its end, else … */
    struct error refusal;        /* … this is what the next start says */
    bool is_rescued;             /* it did so with a catalog of what can be read */
    struct catalog_rescue rescue;
    uint32_t *lost; /* partitions that have no topic but "lost-ID", by id */
    size_t lost_count;
};

/* False when it is no data directory, of a newer release, or in use by a broker. */
bool image_open(struct image *image, const char *root, struct error *error);
void image_close(struct image *image);

/* "orders-3"; "catalog" for the catalog's own; "partition 17" for one that has no name. */
const char *image_name(const struct image *image, uint32_t id, char name[IMAGE_NAME_SIZE]);
/* The one with this name, or NULL. */
struct partition *image_partition(const struct image *image, const char *name);
/* Whether its topic is compacted, or was: offsets may be missing. */
bool image_is_compacted(const struct image *image, const struct partition *partition);
/* Calls for each partition, in order of shards. */
void image_each(const struct image *image, void (*each)(void *context, struct partition *partition),
                void *context);
/* Writes what a partition has in memory to its segment files, in the view: its log is then in
 * files wholly. False when there is no file to write to, or (in the view) no memory for it. */
bool image_settle(struct image *image, struct partition *partition, struct error *error);

/* --- what image_open() is made of; repair uses it on the directory itself --- */

/* A batch of the catalog; `context` is a struct image. */
bool image_catalog_batch(void *context, struct bytes batch, struct error *error);
/* Whether no broker uses it at this moment: says so in clear words before anything is tried. */
bool image_is_free(const char *root, struct error *error);
/* The node that the superblock names. */
bool image_node_id(struct disk *disk, int32_t *node_id, struct error *error);
/* Runs recovery in image->directory, which is open; what it says goes into image->refusal. */
void image_recover(struct image *image);
/* Recovery has refused the catalog: begins it anew with what can be read. False and `error` when
 * that cannot be gone on with either. */
bool image_rescue(struct image *image, struct error *error);
