#include "offline/inspect.h"

#include "base/memory.h"
#include "offline/sheet.h"
#include "protocol/compress.h"
#include "storage/layout.h"
#include "storage/segment_walk.h"

struct inspect {
    struct image *image;
    const struct inspect_options *options;
    struct sheet sheet;
};

static void sheet_path(struct sheet *sheet, const char *path, const char *folder) {
    sheet_text(sheet, "file", path + strlen(folder) + 1);
}

/* Its size, or -1 when there is none. */
static int64_t size_of(struct disk *disk, const char *path) {
    struct file *file;
    if (file_open(disk, path, FILE_READ, &file) < 0) return -1;
    int64_t size = file_size(file);
    file_close(file);
    return size;
}

static void text_of_uuid(struct sheet *sheet, const char *column, const struct uuid *id) {
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    sheet_text(sheet, column, text);
}

/* --- the directory --- */

static void inspect_directory(struct inspect *inspect, FILE *out) {
    const struct data_directory *directory = &inspect->image->directory;
    struct sheet *sheet = &inspect->sheet;
    sheet_begin(sheet, "directory", inspect->options->json, out);
    text_of_uuid(sheet, "cluster", &directory->cluster_id);
    text_of_uuid(sheet, "directory", &directory->directory_id);
    sheet_number(sheet, "node", directory->node_id);
    sheet_number(sheet, "format", FORMAT_VERSION);
    sheet_number(sheet, "shards", directory->shard_count);
    sheet_number(sheet, "journals", directory->journals);
    /* Looking has begun the next life, in memory. */
    sheet_number(sheet, "incarnation", (int64_t)directory->incarnation - 1);
    sheet_number(sheet, "topics", (int64_t)inspect->image->catalog.topics_by_name.count);
    sheet_number(sheet, "partitions", (int64_t)inspect->image->lives.count);
    sheet_text(sheet, "state", inspect->image->is_complete ? "" : inspect->image->refusal.text);
    sheet_row(sheet);
    sheet_end(sheet);
}

/* --- journals --- */

static void inspect_file(struct sheet *sheet, const struct journal_scan *scan,
                         const struct scanned_file *file) {
    char path[LAYOUT_PATH_SIZE];
    layout_journal(path, scan->core, file->number);
    bool newest = file->needed && file->last == scan->last_sequence;
    sheet_path(sheet, path, LAYOUT_JOURNALS);
    sheet_number(sheet, "bytes", (int64_t)file->size);
    sheet_number(sheet, "used", file->needed ? (int64_t)file->end : 0);
    sheet_number(sheet, "blocks", file->needed ? (int64_t)file->block_count : 0);
    sheet_number(sheet, "first", file->needed ? (int64_t)file->first : 0);
    sheet_number(sheet, "last", file->needed ? (int64_t)file->last : 0);
    sheet_text(sheet, "state",
               scan->damaged  ? "damaged journal"
               : newest       ? "current"
               : file->needed ? "full"
                              : "free");
    sheet_row(sheet);
}

static void inspect_journals(struct inspect *inspect, FILE *out) {
    sheet_begin(&inspect->sheet, "journal", inspect->options->json, out);
    for (unsigned core = 0; core < inspect->image->recovered->scan_count; core++) {
        const struct journal_scan *scan = &inspect->image->recovered->scans[core];
        for (unsigned at = 0; at < scan->file_count; at++)
            inspect_file(&inspect->sheet, scan, &scan->files[at]);
    }
    sheet_end(&inspect->sheet);
}

static void inspect_block(struct sheet *sheet, const struct journal_scan *scan) {
    char path[LAYOUT_PATH_SIZE];
    const struct scanned_file *file = &scan->files[scan->at_file];
    struct block_cursor cursor;
    int64_t entries = 0;
    block_cursor_init(&cursor, scan->bytes, &scan->block);
    while (block_next(&cursor) == 1) entries++;
    layout_journal(path, scan->core, file->number);
    sheet_path(sheet, path, LAYOUT_JOURNALS);
    sheet_number(sheet, "position",
                 (int64_t)file->blocks[scan->at_block - 1].at * JOURNAL_ALIGNMENT);
    sheet_number(sheet, "sequence", (int64_t)scan->block.sequence);
    sheet_number(sheet, "incarnation", (int64_t)scan->block.incarnation);
    sheet_number(sheet, "bytes", scan->block.length);
    sheet_number(sheet, "time", scan->block.time_ms);
    sheet_number(sheet, "runs", scan->block.run_count);
    sheet_number(sheet, "entries", entries);
    sheet_number(sheet, "acknowledged", (int64_t)scan->block.acknowledged_through);
    sheet_number(sheet, "released", (int64_t)scan->block.released_through);
    sheet_number(sheet, "missing before", (int64_t)scan->gap);
    sheet_row(sheet);
}

static void inspect_blocks(struct inspect *inspect, FILE *out) {
    struct error error;
    sheet_begin(&inspect->sheet, "block", inspect->options->json, out);
    for (unsigned core = 0; core < inspect->image->recovered->scan_count; core++) {
        struct journal_scan *scan = &inspect->image->recovered->scans[core];
        journal_scan_rewind(scan);
        while (journal_scan_next(scan, &error) && scan->has_block)
            inspect_block(&inspect->sheet, scan);
    }
    sheet_end(&inspect->sheet);
}

/* --- shards --- */

static bool shard_is_empty(const struct shard *shard) {
    return list_is_empty(&shard->partitions) && shard->sequence == 0;
}

static void inspect_shards(struct inspect *inspect, FILE *out) {
    struct sheet *sheet = &inspect->sheet;
    sheet_begin(sheet, "shard", inspect->options->json, out);
    for (uint32_t id = 0; id < inspect->image->directory.shard_count; id++) {
        const struct shard *shard = inspect->image->recovered->shards[id];
        const struct shard_trace *trace = &inspect->image->recovered->traces[id];
        char path[LAYOUT_PATH_SIZE];
        int64_t partitions = 0;
        if (shard_is_empty(shard) && !trace->lost) continue;
        list_each(node, &shard->partitions) partitions++;
        layout_snapshot(path, id);
        sheet_number(sheet, "shard", id);
        sheet_number(sheet, "epoch", shard->epoch);
        sheet_number(sheet, "sequence", (int64_t)shard->sequence);
        sheet_number(sheet, "partitions", partitions);
        sheet_number(sheet, "snapshot bytes", size_of(inspect->image->real, path));
        sheet_number(sheet, "snapshot incarnation", (int64_t)shard->contained.incarnation);
        sheet_number(sheet, "snapshot through", (int64_t)shard->contained.through);
        sheet_text(sheet, "state", trace->lost ? "snapshot cannot be read" : "");
        sheet_row(sheet);
    }
    sheet_end(sheet);
}

/* --- partitions --- */

static bool is_wanted(const struct inspect *inspect, const char *name) {
    return !inspect->options->partition || strcmp(inspect->options->partition, name) == 0;
}

static void inspect_partition(void *context, struct partition *partition) {
    struct inspect *inspect = context;
    struct sheet *sheet = &inspect->sheet;
    char name[IMAGE_NAME_SIZE];
    image_name(inspect->image, partition->definition.id, name);
    if (!is_wanted(inspect, name)) return;
    sheet_text(sheet, "partition", name);
    sheet_number(sheet, "id", partition->definition.id);
    sheet_number(sheet, "shard", partition->shard->id);
    sheet_number(sheet, "epoch", partition->definition.leader_epoch);
    sheet_number(sheet, "log start", partition->log_start);
    sheet_number(sheet, "high watermark", partition->high_watermark);
    sheet_number(sheet, "bytes", (int64_t)partition_size_bytes(partition));
    sheet_number(sheet, "segments", (int64_t)partition->segment_count);
    sheet_number(sheet, "compacted", partition->compacted_offset);
    sheet_number(sheet, "producers", (int64_t)producers_count(&partition->producers));
    sheet_text(sheet, "state", partition->offline ? "offline" : "");
    sheet_row(sheet);
}

static void inspect_segment(struct inspect *inspect, struct partition *partition,
                            const struct segment *segment, const char *name) {
    struct sheet *sheet = &inspect->sheet;
    char path[LAYOUT_PATH_SIZE];
    layout_segment(path, partition->definition.id, segment->number, segment->revision);
    sheet_text(sheet, "partition", name);
    sheet_path(sheet, path, LAYOUT_SEGMENTS);
    sheet_number(sheet, "revision", segment->revision);
    sheet_number(sheet, "first", segment->base_offset);
    sheet_number(sheet, "next", segment->next_offset);
    sheet_number(sheet, "end", (int64_t)segment->end);
    sheet_number(sheet, "file bytes", size_of(inspect->image->real, path));
    sheet_number(sheet, "newest time", segment->timestamp_max);
    sheet_number(sheet, "created", segment->created_ms);
    sheet_text(sheet, "state", segment->sealed ? "sealed" : "open");
    sheet_row(sheet);
}

static void inspect_segments(void *context, struct partition *partition) {
    struct inspect *inspect = context;
    char name[IMAGE_NAME_SIZE];
    image_name(inspect->image, partition->definition.id, name);
    if (!is_wanted(inspect, name)) return;
    for (size_t at = 0; at < partition->segment_count; at++)
        inspect_segment(inspect, partition, &partition->segments[at], name);
}

/* --- batches --- */

static const char *const codec_names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

static bool crc_holds(struct file *file, uint64_t position, size_t size) {
    uint8_t *batch = memory_new(size);
    bool holds = file_read_at(file, batch, size, position) == (int64_t)size &&
                 batch_crc_valid(bytes_make(batch, size));
    free(batch);
    return holds;
}

static void inspect_batch(struct sheet *sheet, const char *path, struct file *file,
                          const struct segment_walker *walk) {
    const struct batch_header *header = &walk->header;
    size_t codec = (size_t)batch_codec(header);
    sheet_path(sheet, path, LAYOUT_SEGMENTS);
    sheet_number(sheet, "position", (int64_t)walk->position);
    sheet_number(sheet, "first", header->base_offset);
    sheet_number(sheet, "last", batch_last_offset(header));
    sheet_number(sheet, "records", header->record_count);
    sheet_number(sheet, "bytes", (int64_t)batch_size(header));
    sheet_text(sheet, "codec", codec < array_count(codec_names) ? codec_names[codec] : "unknown");
    sheet_number(sheet, "epoch", header->partition_leader_epoch);
    sheet_number(sheet, "first time", header->base_timestamp);
    sheet_number(sheet, "newest time", header->max_timestamp);
    sheet_number(sheet, "producer", header->producer_id);
    sheet_number(sheet, "producer epoch", header->producer_epoch);
    sheet_number(sheet, "sequence", header->base_sequence);
    sheet_text(sheet, "type",
               batch_control(header)         ? "control"
               : batch_transactional(header) ? "transactional"
                                             : "data");
    sheet_text(sheet, "checksum",
               crc_holds(file, walk->position, batch_size(header)) ? "holds" : "BROKEN");
    sheet_row(sheet);
}

static void inspect_batches(struct inspect *inspect, const struct partition *partition,
                            const struct segment *segment) {
    char path[LAYOUT_PATH_SIZE];
    struct file *file;
    struct segment_walker walk;
    struct segment_identity identity =
        partition_identity(partition, &inspect->image->directory, segment);
    layout_segment(path, identity.partition, identity.segment, identity.revision);
    if (segment_open_read(inspect->image->disk, &identity, &file) < 0) return;
    segment_walker_init(&walk, file, segment, segment->end);
    while (segment_walker_next(&walk)) inspect_batch(&inspect->sheet, path, file, &walk);
    segment_walker_deinit(&walk);
    file_close(file);
}

/* Those that are in memory are shown as the file would have them. */
static void inspect_records(struct inspect *inspect, struct partition *partition, FILE *out) {
    struct error error;
    image_settle(inspect->image, partition, &error);
    sheet_begin(&inspect->sheet, "batch", inspect->options->json, out);
    for (size_t at = 0; at < partition->segment_count; at++)
        inspect_batches(inspect, partition, &partition->segments[at]);
    sheet_end(&inspect->sheet);
}

/* --- all of it --- */

static void inspect_partitions(struct inspect *inspect, FILE *out) {
    sheet_begin(&inspect->sheet, "partition", inspect->options->json, out);
    image_each(inspect->image, inspect_partition, inspect);
    sheet_end(&inspect->sheet);
    sheet_begin(&inspect->sheet, "segment", inspect->options->json, out);
    image_each(inspect->image, inspect_segments, inspect);
    sheet_end(&inspect->sheet);
}

static void inspect_everything(struct inspect *inspect, FILE *out) {
    inspect_directory(inspect, out);
    if (!inspect->image->recovered) return;
    inspect_journals(inspect, out);
    if (inspect->options->blocks) inspect_blocks(inspect, out);
    inspect_shards(inspect, out);
    inspect_partitions(inspect, out);
}

bool inspect_image(struct image *image, const struct inspect_options *options, FILE *out,
                   struct error *error) {
    struct inspect inspect = {.image = image, .options = options};
    if (!options->partition) {
        inspect_everything(&inspect, out);
        return true;
    }
    struct partition *partition = image_partition(image, options->partition);
    if (!partition)
        return error_set(error, 0, "there is no partition \"%s\" in %s: name it TOPIC-N",
                         options->partition, disk_root(image->real));
    inspect_partitions(&inspect, out);
    if (options->records) inspect_records(&inspect, partition, out);
    return true;
}
