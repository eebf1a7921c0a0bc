/* The catalog's log at start: read back batch by batch from segments and tail, and handed to the
 * caller before anything else, because it says which partitions live. It must be whole. */
#include <errno.h>

#include "base/check.h"
#include "storage/recovered.h"

enum { CATALOG_BATCH_MAX = 64 << 20 };

/* Copies bytes of the log from memory or from the segment file, wherever they are. */
static bool log_copy(struct partition *partition, struct data_directory *directory,
                     struct segment *segment, uint64_t position, uint8_t *into, size_t len,
                     struct error *error) {
    uint64_t settled = partition_settled_in(partition, segment);
    size_t in_file = position < settled ? settled - position : 0;
    if (in_file > len) in_file = len;
    if (in_file && (!segment->file || !segment->file->read)) {
        struct segment_identity identity = partition_identity(partition, directory, segment);
        struct file *read = NULL;
        int result = segment_open_read(directory->disk, &identity, &read);
        if (result < 0)
            return error_set(error, -result, "cannot read segment %u of the catalog: %s",
                             segment->number, strerror(-result));
        if (!segment->file) {
            segment->file = segment_file_new();
        }
        segment->file->read = read;
    }
    if (in_file && file_read_at(segment->file->read, into, in_file, position) != (int64_t)in_file)
        return error_set(error, EIO, "segment %u of the catalog is shorter than its extent",
                         segment->number);
    tail_copy(&partition->tail, (struct place){segment->number, position + in_file}, into + in_file,
              len - in_file);
    return true;
}

static bool catalog_segment(struct partition *partition, struct data_directory *directory,
                            struct segment *segment,
                            bool (*batch)(void *, struct bytes, struct error *), void *context,
                            struct error *error) {
    uint8_t head[BATCH_HEADER_SIZE];
    struct batch_header header;
    for (uint64_t at = SEGMENT_START; at < segment->end; at += batch_size(&header)) {
        if (!log_copy(partition, directory, segment, at, head, sizeof head, error)) return false;
        bool fine = batch_header_read(bytes_make(head, sizeof head), &header) &&
                    batch_size(&header) <= CATALOG_BATCH_MAX;
        uint8_t *bytes = fine ? memory_new(batch_size(&header)) : NULL;
        if (fine &&
            !log_copy(partition, directory, segment, at, bytes, batch_size(&header), error)) {
            free(bytes);
            return false;
        }
        struct bytes whole = bytes_make(bytes, fine ? batch_size(&header) : 0);
        if (!fine || !batch_crc_valid(whole)) {
            free(bytes);
            return error_set(error, EBADMSG,
                             "the catalog is damaged (segments/%u-%u at position %llu): restore "
                             "this directory from a backup; no record was touched",
                             partition->definition.id, segment->number, (unsigned long long)at);
        }
        bool past = batch_last_offset(&header) < partition->log_start;
        fine = past || batch(context, whole, error);
        free(bytes);
        if (!fine) return false;
    }
    return true;
}

/* Everything that was ever promised hangs on it: no guess is good enough. */
static bool catalog_is_whole(const struct recovered *recovered, const struct partition *catalog,
                             struct error *error) {
    enum damage damage = catalog->offline;
    if (!recovered_had_space(recovered, catalog, error)) return false;
    if (recovered->traces[CATALOG_SHARD].lost) damage = DAMAGE_SNAPSHOT;
    if (!damage && !recovered_is_whole(recovered, catalog)) damage = DAMAGE_JOURNAL;
    if (damage == DAMAGE_NONE) return true;
    return error_set(error, EBADMSG,
                     "the catalog in %s is damaged: %s. Restore this directory from a backup; "
                     "no record was touched",
                     disk_root(recovered->directory->disk), damage_text(damage));
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
        if (!catalog_segment(catalog, recovered->directory, &catalog->segments[at], batch, context,
                             error))
            return false;
    return true;
}
