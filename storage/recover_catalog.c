/* The catalog's log at start: read back batch by batch from segments and tail, and handed to the
 * caller before anything else, because it says which partitions live. It must be whole; what can be
 * saved of one that is not is a repair's to say (storage/salvage.h). */
#include <errno.h>

#include "base/check.h"
#include "storage/recovered.h"

/* Everything that was ever promised hangs on it: no guess is good enough. `where` names the file
 * and the place. */
static bool catalog_refuse(const struct recovered *recovered, const char *where,
                           struct error *error) {
    char what[sizeof error->text];
    snprintf(what, sizeof what, "%s", where); /* it may be the error's own */
    return error_set(error, EBADMSG,
                     "the catalog is damaged: %s; no record was touched. Restore a backup, or let "
                     "`millrace log repair %s` tell what can be saved",
                     what, disk_root(recovered->directory->disk));
}

/* --- its bytes --- */

static bool segment_unreadable(const struct segment *segment, const char *what,
                               struct error *error) {
    return error_set(error, EBADMSG, LAYOUT_SEGMENTS "/%u-%u %s", CATALOG_PARTITION_ID,
                     segment->number, what);
}

static bool segment_open(struct recovered *recovered, const struct partition *partition,
                         struct segment *segment, struct error *error) {
    struct data_directory *directory = recovered->directory;
    struct segment_identity identity = partition_identity(partition, directory, segment);
    struct file *read = NULL;
    if (segment->file && segment->file->read) return true;
    int result = segment_open_read(directory->disk, &identity, &read);
    if (result == -ENOENT) return segment_unreadable(segment, "is gone", error);
    if (result == -EBADMSG) return segment_unreadable(segment, "is not its own", error);
    if (result < 0)
        return error_set(error, -result, "cannot open segment %u of the catalog: %s",
                         segment->number, strerror(-result));
    if (!segment->file) segment->file = segment_file_new();
    segment->file->read = read;
    return true;
}

bool recovered_copy_log(struct recovered *recovered, struct partition *partition,
                        struct segment *segment, uint64_t position, uint8_t *into, size_t len,
                        struct error *error) {
    uint64_t settled = partition_settled_in(partition, segment);
    size_t in_file = position < settled ? settled - position : 0;
    if (in_file > len) in_file = len;
    if (in_file && !segment_open(recovered, partition, segment, error)) return false;
    int64_t got = in_file ? file_read_at(segment->file->read, into, in_file, position) : 0;
    if (got < 0) return segment_unreadable(segment, strerror((int)-got), error);
    if (got < (int64_t)in_file) return segment_unreadable(segment, "is shorter than it was", error);
    tail_copy(&partition->tail, (struct place){segment->number, position + in_file}, into + in_file,
              len - in_file);
    return true;
}

/* --- its batches --- */

/* The batch at `position`, as heap memory; NULL and `error` when there is none. */
static uint8_t *catalog_batch(struct recovered *recovered, struct partition *catalog,
                              struct segment *segment, uint64_t position,
                              struct batch_header *header, struct error *error) {
    uint8_t head[BATCH_HEADER_SIZE];
    char what[64];
    if (!recovered_copy_log(recovered, catalog, segment, position, head, sizeof head, error))
        return NULL;
    bool fine = batch_header_read(bytes_make(head, sizeof head), header) &&
                batch_size(header) <= CATALOG_BATCH_MAX &&
                batch_size(header) <= segment->end - position;
    uint8_t *batch = fine ? memory_new(batch_size(header)) : NULL;
    if (fine && !recovered_copy_log(recovered, catalog, segment, position, batch,
                                    batch_size(header), error)) {
        free(batch);
        return NULL;
    }
    if (fine && batch_crc_valid(bytes_make(batch, batch_size(header)))) return batch;
    free(batch);
    snprintf(what, sizeof what, "is damaged at byte %llu", (unsigned long long)position);
    segment_unreadable(segment, what, error);
    return NULL;
}

static bool catalog_segment(struct recovered *recovered, struct partition *catalog,
                            struct segment *segment,
                            bool (*batch)(void *, struct bytes, struct error *), void *context,
                            struct error *error) {
    struct batch_header header;
    for (uint64_t at = SEGMENT_START; at < segment->end; at += batch_size(&header)) {
        uint8_t *bytes = catalog_batch(recovered, catalog, segment, at, &header, error);
        if (!bytes && error->code == EBADMSG) return catalog_refuse(recovered, error->text, error);
        if (!bytes) return false;
        bool past = batch_last_offset(&header) < catalog->log_start;
        bool fine = past || batch(context, bytes_make(bytes, batch_size(&header)), error);
        free(bytes);
        if (!fine && error->code == EBADMSG) return catalog_refuse(recovered, error->text, error);
        if (!fine) return false;
    }
    return true;
}

/* --- whether it is whole --- */

static bool catalog_is_whole(struct recovered *recovered, const struct partition *catalog,
                             struct error *error) {
    enum damage damage = catalog->offline;
    if (!recovered_had_space(recovered, catalog, error)) return false;
    if (recovered->traces[CATALOG_SHARD].lost)
        return catalog_refuse(recovered, "neither snapshots/0 nor snapshots/0-copy can be read",
                              error);
    if (!damage && !recovered_is_whole(recovered, catalog)) damage = DAMAGE_JOURNAL;
    if (damage == DAMAGE_NONE) return true;
    bool has_place = damage == DAMAGE_JOURNAL && recovered->catalog_gap.code;
    return catalog_refuse(recovered, has_place ? recovered->catalog_gap.text : damage_text(damage),
                          error);
}

bool recover_catalog(struct recovered *recovered,
                     bool (*batch)(void *context, struct bytes batch, struct error *error),
                     void *context, struct error *error) {
    struct partition *catalog = recovered_find(recovered, CATALOG_PARTITION_ID);
    if (!catalog) {
        struct partition_definition definition = {.id = CATALOG_PARTITION_ID,
                                                  .shard = CATALOG_SHARD};
        catalog = recovered_add(recovered, &definition);
    }
    if (!catalog_is_whole(recovered, catalog, error)) return false;
    for (size_t at = 0; at < catalog->segment_count; at++)
        if (!catalog_segment(recovered, catalog, &catalog->segments[at], batch, context, error))
            return false;
    return true;
}
