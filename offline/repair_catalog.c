/* The catalog begins anew: one image of what can be read of it takes the place of its log, at
 * offsets behind all that were given. What is left of the old log's files is kept. */
#include "base/byte_buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "offline/repair.h"
#include "storage/layout.h"
#include "storage/replay.h"

/* --- what is told --- */

static void tell_gaps(struct repair *repair, const struct partition *catalog) {
    const struct catalog_rescue *rescue = &repair->image->rescue;
    for (size_t at = 0; at < rescue->gap_count; at++)
        repair_tell(repair, catalog, "changes %lld to %lld cannot be read: they are lost",
                    (long long)rescue->gaps[at].from, (long long)rescue->gaps[at].upto - 1);
    if (rescue->left_out > 0)
        repair_tell(repair, catalog, "%llu later ones do not fit without those: they are lost",
                    (unsigned long long)rescue->left_out);
    repair_tell(repair, catalog,
                "damaged: it begins anew with %zu topics that can be read, as of change %lld; look "
                "at their configs before retention does (--log-retention-check-interval-ms 1d)",
                repair->image->catalog.topics_by_name.count - repair->image->lost_count,
                (long long)rescue->next_offset - 1);
}

static void tell_lost(struct repair *repair) {
    for (size_t at = 0; at < repair->image->lost_count; at++) {
        const struct partition *lost =
            recovered_find(repair->image->recovered, repair->image->lost[at]);
        if (lost)
            repair_tell(repair, lost,
                        "partition %u has no topic any more: it gets this one, which keeps "
                        "everything",
                        lost->definition.id);
    }
}

/* --- the old files --- */

struct old_files {
    struct repair *repair;
    uint32_t number_max;
};

static int old_file(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    struct old_files *old = context;
    uint32_t id, number, revision;
    char path[LAYOUT_PATH_SIZE];
    if (!layout_segment_parse(name, &id, &number, &revision) || id != CATALOG_PARTITION_ID)
        return 0;
    if (number > old->number_max) old->number_max = number;
    layout_segment(path, id, number, revision);
    repair_give_up(old->repair, path);
    return 0;
}

/* The first number that no segment of the old log has. */
static uint32_t give_up_files(struct repair *repair, const struct partition *catalog) {
    struct old_files old = {repair, catalog->end.segment};
    disk_list(repair->image->disk, LAYOUT_SEGMENTS, old_file, &old);
    return old.number_max + 1;
}

/* --- the new log --- */

static bool append_batch(struct repair *repair, struct partition *catalog, struct bytes batch,
                         struct error *error) {
    size_t len = JOURNAL_PLACE_BYTES + batch.len;
    uint8_t *payload = memory_new(len);
    store_u32(payload, catalog->end.segment);
    store_u64(payload + 4, catalog->end.position);
    memcpy(payload + JOURNAL_PLACE_BYTES, batch.at, batch.len);
    batch_patch(payload + JOURNAL_PLACE_BYTES, catalog->next_offset,
                catalog->definition.leader_epoch);
    struct block_entry_view entry = {.kind = ENTRY_BATCH,
                                     .partition = catalog->definition.id,
                                     .payload = bytes_make(payload, len)};
    bool fine = replay_entry(catalog, &entry, clock_wall_ms(), &repair->image->directory, error);
    free(payload);
    return fine;
}

static bool append_image(struct repair *repair, struct partition *catalog, struct error *error) {
    struct byte_buffer image = {0};
    struct batch_header header;
    bool fine = true;
    catalog_image(&repair->image->catalog, clock_wall_ms(), &image);
    for (size_t at = 0; fine && at < image.len; at += batch_size(&header)) {
        struct bytes rest = bytes_make(image.at + at, image.len - at);
        fine = batch_header_read(rest, &header) &&
               append_batch(repair, catalog, bytes_make(rest.at, batch_size(&header)), error);
    }
    byte_buffer_deinit(&image);
    return fine;
}

/* An empty log behind the old one. */
static struct partition *begin_anew(struct repair *repair, struct partition *old,
                                    uint32_t segment) {
    struct recovered *recovered = repair->image->recovered;
    struct partition_definition definition;
    int64_t offset = repair->image->rescue.next_offset;
    catalog_log_define(&definition);
    definition.leader_epoch = old->definition.leader_epoch + 1;
    if (old->next_offset > offset) offset = old->next_offset;
    recovered_drop(recovered, old);
    struct partition *catalog = recovered_add(recovered, &definition);
    catalog->log_start = catalog->high_watermark = offset;
    catalog->next_offset = catalog->formed_offset = offset;
    catalog->settled = catalog->durable = catalog->formed = catalog->end =
        (struct place){segment, SEGMENT_START};
    return catalog;
}

bool repair_catalog(struct repair *repair, struct error *error) {
    struct partition *old = recovered_find(repair->image->recovered, CATALOG_PARTITION_ID);
    tell_gaps(repair, old);
    tell_lost(repair);
    uint32_t segment = give_up_files(repair, old);
    struct partition *catalog = begin_anew(repair, old, segment);
    return append_image(repair, catalog, error);
}
