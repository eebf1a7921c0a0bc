#include "offline/repair.h"

#include <errno.h>
#include <stdarg.h>

#include "base/memory.h"
#include "storage/layout.h"

void repair_tell(struct repair *repair, const struct partition *partition, const char *format,
                 ...) {
    char what[512], name[IMAGE_NAME_SIZE];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    sheet_text(repair->told, "partition",
               image_name(repair->image, partition->definition.id, name));
    sheet_text(repair->told, "what", what);
    sheet_row(repair->told);
    repair->count++;
}

void repair_give_up(struct repair *repair, const char *path) {
    repair->aside = memory_resize(repair->aside, (repair->aside_count + 1) * sizeof *repair->aside);
    repair->aside[repair->aside_count++] = memory_copy_text(path);
}

/* --- all partitions --- */

struct all {
    struct repair *repair;
    struct error *error;
    bool fine;
};

static void repair_each(void *context, struct partition *partition) {
    struct all *all = context;
    if (partition->definition.id == CATALOG_PARTITION_ID) return; /* was read wholly, or is new */
    all->fine =
        all->fine && (partition->offline ? repair_offline(all->repair, partition, all->error)
                                         : repair_segments(all->repair, partition, all->error));
}

static bool repair_partitions(struct repair *repair, struct error *error) {
    struct all all = {repair, error, true};
    image_each(repair->image, repair_each, &all);
    return all.fine;
}

/* The new catalog's take their places; those that cannot be read are set aside with the journals.
 */
static bool keep_catalog_snapshots(struct repair *repair, struct error *error) {
    struct recovered *recovered = repair->image->recovered;
    char paths[2][LAYOUT_PATH_SIZE];
    layout_snapshot(paths[0], CATALOG_SHARD);
    layout_snapshot_copy(paths[1]);
    for (size_t at = 0; at < array_count(paths); at++) {
        int result = recover_copy_aside(recovered, paths[at]);
        if (result < 0 && result != -ENOENT)
            return error_set(error, -result, "cannot keep a copy of %s: %s", paths[at],
                             strerror(-result));
    }
    return true;
}

/* Snapshots first: until they are durable the table still has what is given up. */
static bool repair_write(struct repair *repair, struct error *error) {
    struct recovered *recovered = repair->image->recovered;
    bool keeps = repair->image->is_rescued && !recovered->traces[CATALOG_SHARD].lost;
    if (keeps && !keep_catalog_snapshots(repair, error)) return false;
    if (!recover_begin_anew(recovered, error)) return false;
    for (size_t at = 0; at < repair->aside_count; at++) {
        int result = recover_set_aside(recovered, repair->aside[at]);
        if (result < 0 && result != -ENOENT)
            return error_set(error, -result, "cannot set %s aside: %s", repair->aside[at],
                             strerror(-result));
    }
    return true;
}

/* --- the directory --- */

/* On the directory itself, as a start does. */
static bool open_to_write(struct image *image, const char *root, struct error *error) {
    int32_t node_id;
    *image = (struct image){.options = options_new()};
    catalog_init(&image->catalog, image->options);
    struct disk *disk = image_is_free(root, error) ? disk_open(root, false, error) : NULL;
    bool fine = disk && image_node_id(disk, &node_id, error);
    if (!fine) disk_close(disk);
    fine = fine && data_directory_open(disk, node_id, &image->directory, error);
    if (fine) image->disk = disk;
    if (fine) image_recover(image);
    if (!fine) image_close(image);
    return fine;
}

static bool has_aside(const struct repair *repair) {
    return repair->aside_count > 0 || repair->image->recovered->damaged;
}

static bool repair_image(struct repair *repair, struct error *error) {
    const struct image *image = repair->image;
    if (!image->is_complete && !image->is_rescued)
        return error_set(error, 0, "it cannot be repaired: %s", image->refusal.text);
    if (image->is_rescued && !repair_catalog(repair, error)) return false;
    if (!repair_partitions(repair, error)) return false;
    return repair->dry || repair->count == 0 || repair_write(repair, error);
}

bool repair_directory(const char *root, bool yes, bool json, FILE *out, size_t *count,
                      char folder[LAYOUT_PATH_SIZE], struct error *error) {
    struct image image;
    struct sheet told;
    struct repair repair = {.image = &image, .dry = !yes, .told = &told};
    *count = 0;
    folder[0] = '\0';
    bool opened = yes ? open_to_write(&image, root, error) : image_open(&image, root, error);
    if (!opened) return false;
    sheet_begin(&told, yes ? "repair" : "plan", json, out);
    bool fine = repair_image(&repair, error);
    sheet_end(&told);
    *count = repair.count;
    if (fine && yes && has_aside(&repair)) layout_damaged(folder, image.directory.incarnation);
    for (size_t at = 0; at < repair.aside_count; at++) free(repair.aside[at]);
    free(repair.aside);
    image_close(&image);
    return fine;
}
