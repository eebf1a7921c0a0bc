/* Makes a damaged directory serve again: what can be read stays, what cannot is taken out and kept
 * in LAYOUT_DAMAGED.
 *
 *   a segment with batches that cannot be read   a new revision has the others; offsets stay
 *   a segment file that is gone                  leaves the table
 *   an index                                     is written again
 *   the catalog                                  begins anew with what can be read of it; what has
 *                                                no topic any more gets one of its own
 *   an offline partition                         gets its table back, from the files where the
 *                                                snapshot is gone, begins a new segment, and is
 *                                                online; where offsets may be given a second time,
 *                                                its leader epoch rises (KIP-101)
 *
 * Then everything goes into segments and snapshots, and the journals begin anew. A crash before the
 * snapshots leaves the directory as it was, with new files that the next start removes; a crash
 * behind them leaves it repaired, and files that were to be kept may be removed by the next start.
 */
#pragma once

#include "offline/image.h"
#include "offline/sheet.h"

struct repair {
    struct image *image;
    bool dry; /* says what it would do; nothing is copied or written but in the view */
    struct sheet *told;
    size_t count; /* of things that were told */
    char **aside; /* paths that go when the snapshots are durable */
    size_t aside_count;
};

/* Without `yes`: prints what would be done. `count` is the number of things that are, or would be,
 * done; what was removed is in `folder` ("" when nothing was). */
bool repair_directory(const char *root, bool yes, bool json, FILE *out, size_t *count,
                      char folder[LAYOUT_PATH_SIZE], struct error *error);

/* Its parts. */
void repair_tell(struct repair *repair, const struct partition *partition, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The file goes when the snapshots are durable. */
void repair_give_up(struct repair *repair, const char *path);
/* Whatever of the partition's segments cannot be read goes, indexes are written again. */
bool repair_segments(struct repair *repair, struct partition *partition, struct error *error);
/* Begins a new segment, unless the active one is empty. */
bool repair_roll(struct repair *repair, struct partition *partition, struct error *error);
bool repair_replace(struct repair *repair, struct partition *partition,
                    const struct segment_name *old, uint32_t old_count,
                    const struct segment *new_segment, struct error *error);
/* Takes files into the table that it does not know. */
bool repair_adopt(struct repair *repair, struct partition *partition, struct error *error);
bool repair_offline(struct repair *repair, struct partition *partition, struct error *error);
/* Of an image that was rescued. */
bool repair_catalog(struct repair *repair, struct error *error);
