#include "storage/salvage.h"

#include "base/memory.h"
#include "storage/layout.h"
#include "storage/recovered.h"
#include "storage/segment_walk.h"

enum {
    WINDOW = 4 * JOURNAL_BLOCK_MAX, /* blocks that begin in it; the last one may reach beyond */
};
#define RANK_LOG UINT64_MAX /* above any incarnation */
#define RANK_FILE 0

/* Takes a copy of the batch at the front of `from`, if it is one. Answers its size, else 0. */
static size_t salvage_add(struct salvage *salvage, struct bytes from, uint64_t rank) {
    struct batch_header header;
    if (!batch_header_read(from, &header) || batch_size(&header) > from.len) return 0;
    size_t size = batch_size(&header);
    bool fine = size <= CATALOG_BATCH_MAX && header.base_offset >= 0 &&
                header.last_offset_delta >= 0 &&
                header.base_offset < INT64_MAX - header.last_offset_delta;
    if (!fine || !batch_crc_valid(bytes_make(from.at, size))) return 0;
    if (salvage->count == salvage->capacity) {
        salvage->capacity = salvage->capacity * 2 + 64;
        salvage->batches =
            memory_resize(salvage->batches, salvage->capacity * sizeof *salvage->batches);
    }
    uint8_t *copy = memory_new(size);
    memcpy(copy, from.at, size);
    salvage->batches[salvage->count++] =
        (struct salvaged_batch){.base_offset = header.base_offset,
                                .next_offset = batch_last_offset(&header) + 1,
                                .rank = rank,
                                .bytes = bytes_make(copy, size)};
    return size;
}

/* --- the log --- */

static bool log_copy(struct recovered *recovered, struct partition *catalog,
                     struct segment *segment, uint64_t position, uint8_t *into, size_t len) {
    struct error error;
    struct place place = {segment->number, position};
    if (!tail_has(&catalog->tail, place))
        return recovered_copy_log(recovered, catalog, segment, position, into, len, &error);
    tail_copy(&catalog->tail, place, into, len);
    return true;
}

/* From `position` on, as far as headers follow each other. */
static void salvage_run(struct salvage *salvage, struct recovered *recovered,
                        struct partition *catalog, struct segment *segment, uint64_t position) {
    while (position + BATCH_HEADER_SIZE <= segment->end) {
        uint8_t head[BATCH_HEADER_SIZE];
        struct batch_header header;
        bool fine = log_copy(recovered, catalog, segment, position, head, sizeof head) &&
                    batch_header_read(bytes_make(head, sizeof head), &header) &&
                    batch_size(&header) <= CATALOG_BATCH_MAX &&
                    batch_size(&header) <= segment->end - position;
        if (!fine) return;
        size_t size = batch_size(&header);
        uint8_t *batch = memory_new(size);
        if (log_copy(recovered, catalog, segment, position, batch, size))
            salvage_add(salvage, bytes_make(batch, size), RANK_LOG);
        free(batch);
        position += size;
    }
}

/* What begins in a file, and then, should that be damaged, what is in memory wholly. */
static void salvage_log(struct salvage *salvage, struct recovered *recovered) {
    struct partition *catalog = recovered_find(recovered, CATALOG_PARTITION_ID);
    struct place first;
    int64_t offset;
    if (!catalog) return;
    for (size_t at = 0; at < catalog->segment_count; at++)
        salvage_run(salvage, recovered, catalog, &catalog->segments[at], SEGMENT_START);
    if (!tail_first(&catalog->tail, &first, &offset)) return;
    struct segment *segment = partition_segment(catalog, first.segment);
    if (segment) salvage_run(salvage, recovered, catalog, segment, first.position);
}

/* --- segment files --- */

struct files {
    struct salvage *salvage;
    struct recovered *recovered;
};

static void salvage_file(struct salvage *salvage, struct file *file) {
    int64_t size = file_size(file);
    if (size <= SEGMENT_START) return;
    /* Of a revision that may have gaps: nobody says where it begins. */
    struct segment all = {.revision = 1, .next_offset = INT64_MAX, .end = (uint64_t)size};
    struct segment_walker walk;
    segment_walker_init(&walk, file, &all, all.end);
    while (segment_walker_next(&walk)) {
        if (batch_size(&walk.header) > CATALOG_BATCH_MAX) continue;
        uint8_t *batch = memory_new(batch_size(&walk.header));
        int64_t got = file_read_at(file, batch, batch_size(&walk.header), walk.position);
        if (got > 0) salvage_add(salvage, bytes_make(batch, (size_t)got), RANK_FILE);
        free(batch);
    }
    segment_walker_deinit(&walk);
}

/* One whose header says that it is another's is not looked at; one whose header is damaged is:
 * batches have checksums. */
static int salvage_name(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    struct files *files = context;
    struct disk *disk = files->recovered->directory->disk;
    uint32_t id, number, revision;
    struct segment_identity identity;
    char path[LAYOUT_PATH_SIZE];
    struct file *file;
    if (!layout_segment_parse(name, &id, &number, &revision) || id != CATALOG_PARTITION_ID)
        return 0;
    int result = segment_identify(disk, id, number, revision, &identity);
    bool anothers = result == 0 &&
                    (identity.partition != id ||
                     !uuid_equal(&identity.cluster_id, &files->recovered->directory->cluster_id));
    layout_segment(path, id, number, revision);
    if (anothers || file_open(disk, path, FILE_READ, &file) < 0) return 0;
    salvage_file(files->salvage, file);
    file_close(file);
    return 0;
}

/* --- journals --- */

static void salvage_entry(struct salvage *salvage, const struct block_entry_view *entry,
                          uint64_t incarnation) {
    if (entry->partition > salvage->partition_id_max) salvage->partition_id_max = entry->partition;
    if (entry->partition != CATALOG_PARTITION_ID || entry->kind != ENTRY_BATCH) return;
    for (size_t at = JOURNAL_PLACE_BYTES; at < entry->payload.len;) {
        struct bytes rest = bytes_make(entry->payload.at + at, entry->payload.len - at);
        size_t size = salvage_add(salvage, rest, incarnation);
        if (size == 0) return;
        at += size;
    }
}

/* As much of [position, position + len) as the disk gives; zeros for what it does not. */
static size_t window_read(struct file *file, uint8_t *window, size_t len, uint64_t position) {
    int64_t got = file_read_at(file, window, len, position);
    if (got >= 0) return (size_t)got;
    memset(window, 0, len);
    for (size_t at = 0; at + JOURNAL_ALIGNMENT <= len; at += JOURNAL_ALIGNMENT)
        if (file_read_at(file, window + at, JOURNAL_ALIGNMENT, position + at) < 0)
            memset(window + at, 0, JOURNAL_ALIGNMENT);
    return len;
}

static void salvage_window(struct salvage *salvage, const struct journal_scan *scan,
                           struct bytes window) {
    for (size_t at = 0; at + JOURNAL_ALIGNMENT <= window.len && at < WINDOW;) {
        struct bytes bytes = bytes_make(window.at + at, window.len - at);
        struct journal_block block;
        struct block_cursor cursor;
        at += JOURNAL_ALIGNMENT;
        if (!block_read(bytes, &block) || block.salt != scan->directory->salt ||
            block.core != scan->core)
            continue;
        at += round_up(block.length, JOURNAL_ALIGNMENT) - JOURNAL_ALIGNMENT;
        block_cursor_init(&cursor, bytes, &block);
        while (block_next(&cursor) == 1) salvage_entry(salvage, &cursor.entry, block.incarnation);
    }
}

static void salvage_journal(struct salvage *salvage, const struct journal_scan *scan) {
    size_t size = WINDOW + JOURNAL_BLOCK_MAX;
    uint8_t *window = memory_aligned(JOURNAL_ALIGNMENT, size);
    for (unsigned each = 0; each < scan->file_count; each++) {
        const struct scanned_file *file = &scan->files[each];
        for (uint64_t at = 0; at < file->size; at += WINDOW) {
            size_t len = file->size - at < size ? file->size - at : size;
            salvage_window(salvage, scan,
                           bytes_make(window, window_read(file->file, window, len, at)));
        }
    }
    free(window);
}

/* --- all of it --- */

static int compare_batches(const void *a, const void *b) {
    const struct salvaged_batch *left = a, *right = b;
    if (left->base_offset != right->base_offset)
        return left->base_offset < right->base_offset ? -1 : 1;
    return (left->rank < right->rank) - (left->rank > right->rank);
}

static void batch_free(struct salvaged_batch *batch) { free((void *)(uintptr_t)batch->bytes.at); }

/* Of what was found several times, one stays; also where only some of the offsets are the same. */
static void salvage_order(struct salvage *salvage) {
    size_t kept = 0;
    if (salvage->count > 0)
        qsort(salvage->batches, salvage->count, sizeof *salvage->batches, compare_batches);
    for (size_t at = 0; at < salvage->count; at++) {
        struct salvaged_batch *batch = &salvage->batches[at];
        struct salvaged_batch *last = kept > 0 ? &salvage->batches[kept - 1] : NULL;
        bool overlaps = last && batch->base_offset < last->next_offset;
        if (overlaps && batch->rank <= last->rank) {
            batch_free(batch);
            continue;
        }
        if (overlaps) batch_free(&salvage->batches[--kept]);
        salvage->batches[kept++] = *batch;
    }
    salvage->count = kept;
}

void salvage_catalog(struct recovered *recovered, struct salvage *salvage) {
    *salvage = (struct salvage){0};
    struct files files = {salvage, recovered};
    salvage_log(salvage, recovered);
    disk_list(recovered->directory->disk, LAYOUT_SEGMENTS, salvage_name, &files);
    for (unsigned core = 0; core < recovered->scan_count; core++)
        salvage_journal(salvage, &recovered->scans[core]);
    salvage_order(salvage);
}

void salvage_deinit(struct salvage *salvage) {
    for (size_t at = 0; at < salvage->count; at++) batch_free(&salvage->batches[at]);
    free(salvage->batches);
    *salvage = (struct salvage){0};
}
