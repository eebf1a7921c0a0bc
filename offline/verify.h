/* Looks at every byte that counts: superblock, journals, snapshots, the catalog, and of each
 * partition's segments all batches, offsets and indexes, held against the table that recovery
 * arrives at. Changes nothing. */
#pragma once

#include "offline/findings.h"
#include "offline/image.h"

/* With the partitions' logs settled in the view; the image serves for nothing else afterwards. */
void verify_image(struct image *image, struct findings *findings);

/* Its parts. */
void verify_journals(struct image *image, struct findings *findings);
/* Why no broker can start, and what it costs to go on without the part that cannot be read. */
void verify_refusal(struct image *image, struct findings *findings);
void verify_partition(struct image *image, struct partition *partition, struct findings *findings);
/* Files that nothing refers to. */
void verify_names(struct image *image, struct findings *findings);
