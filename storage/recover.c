#include "storage/recover.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/say.h"
#include "storage/layout.h"
#include "storage/recovered.h"
#include "storage/replay.h"
#include "storage/snapshot.h"

enum { CORES_MAX = 1024, CATALOG_BATCH_MAX = 64 << 20 };

/* --- open --- */

struct journal_names {
    uint32_t *numbers[CORES_MAX];
    unsigned counts[CORES_MAX];
    unsigned cores;
};

static int journal_name(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    struct journal_names *names = context;
    uint32_t core, number;
    if (!layout_journal_parse(name, &core, &number) || core >= CORES_MAX) {
        say_warning("%s/%s is not ours; it was left alone", LAYOUT_JOURNALS, name);
        return 0;
    }
    unsigned count = names->counts[core]++;
    names->numbers[core] = memory_resize(names->numbers[core], (count + 1) * sizeof(uint32_t));
    names->numbers[core][count] = number;
    if (core >= names->cores) names->cores = core + 1;
    return 0;
}

static bool recover_scan(struct recovered *recovered, struct error *error) {
    struct journal_names *names = new_zero(struct journal_names);
    int result = disk_list(recovered->directory->disk, LAYOUT_JOURNALS, journal_name, names);
    bool fine = result >= 0 || error_set(error, -result, "cannot list %s/%s: %s",
                                         disk_root(recovered->directory->disk), LAYOUT_JOURNALS,
                                         strerror(-result));
    recovered->scans = memory_zero(names->cores, sizeof *recovered->scans);
    for (unsigned core = 0; core < names->cores; core++) {
        if (fine) {
            recovered->scan_count = core + 1;
            fine = journal_scan_open(&recovered->scans[core], recovered->directory, core,
                                     names->numbers[core], names->counts[core], error);
            recovered->report.torn_blocks += recovered->scans[core].torn_blocks;
        }
        free(names->numbers[core]);
    }
    free(names);
    return fine;
}

static bool recover_snapshots(struct recovered *recovered, struct error *error) {
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++) {
        struct shard *shard = new_zero(struct shard);
        shard->id = id;
        list_init(&shard->partitions);
        list_init(&shard->dirty);
        list_init(&shard->in_store);
        recovered->shards[id] = shard;
        if (recovered->directory->formatted_now) continue;
        int result = snapshot_load(recovered->directory->disk, shard);
        if (result < 0 && result != -ENOENT)
            return error_set(error, -result,
                             "snapshot %u in %s cannot be read (%s): nothing was changed; restore "
                             "this directory from a backup",
                             id, disk_root(recovered->directory->disk),
                             result == -EBADMSG ? "it is damaged" : strerror(-result));
    }
    return true;
}

bool recover_open(struct data_directory *directory, struct recovered **out, struct error *error) {
    struct recovered *recovered = new_zero(struct recovered);
    recovered->directory = directory;
    recovered->started_ns = clock_monotonic_ns();
    recovered->shards = memory_zero(directory->shard_count, sizeof(struct shard *));
    recovered->seen_in = memory_zero(directory->shard_count, sizeof(uint16_t));
    if (recover_scan(recovered, error) && recover_snapshots(recovered, error)) {
        *out = recovered;
        return true;
    }
    recover_free(recovered);
    return false;
}

/* --- replay --- */

/* The journal whose next block belongs to the oldest life: a shard's entries of one life are all in
 * one journal, so this order is each shard's own. */
static struct journal_scan *recover_oldest(struct recovered *recovered) {
    struct journal_scan *oldest = NULL;
    for (unsigned at = 0; at < recovered->scan_count; at++) {
        struct journal_scan *scan = &recovered->scans[at];
        if (scan->has_block && (!oldest || scan->block.incarnation < oldest->block.incarnation))
            oldest = scan;
    }
    return oldest;
}

typedef bool entry_handler(struct recovered *recovered, const struct journal_scan *scan,
                           const struct block_entry_view *entry, void *context,
                           struct error *error);

static bool recover_block(struct recovered *recovered, struct journal_scan *scan,
                          entry_handler *handle, void *context, struct error *error) {
    struct block_cursor cursor;
    block_cursor_init(&cursor, scan->bytes, &scan->block);
    int more;
    while ((more = block_next(&cursor)) > 0) {
        if (cursor.entry.shard >= recovered->directory->shard_count)
            return error_set(error, 0, "journal %u names shard %u, which does not exist",
                             scan->core, cursor.entry.shard);
        recovered->seen_in[cursor.entry.shard] = (uint16_t)(scan->core + 1);
        struct shard *shard = recovered->shards[cursor.entry.shard];
        if (cursor.entry.shard_sequence > shard->sequence)
            shard->sequence = cursor.entry.shard_sequence;
        if (!handle(recovered, scan, &cursor.entry, context, error)) return false;
    }
    return more == 0 || error_set(error, 0, "journal %u: block %llu is malformed", scan->core,
                                  (unsigned long long)scan->block.sequence);
}

static bool recover_replay(struct recovered *recovered, bool catalog_only, entry_handler *handle,
                           void *context, struct error *error) {
    for (unsigned at = 0; at < recovered->scan_count; at++) {
        journal_scan_rewind(&recovered->scans[at], catalog_only);
        if (!journal_scan_next(&recovered->scans[at], error)) return false;
    }
    struct journal_scan *scan;
    while ((scan = recover_oldest(recovered))) {
        recovered->report.blocks++;
        recovered->report.bytes += scan->block.length;
        if (!recover_block(recovered, scan, handle, context, error)) return false;
        if (!journal_scan_next(scan, error)) return false;
    }
    return true;
}

static struct partition *shard_find(struct shard *shard, uint32_t id) {
    list_each(node, &shard->partitions) {
        struct partition *partition = list_entry(node, struct partition, in_shard);
        if (partition->definition.id == id) return partition;
    }
    return NULL;
}

/* --- the catalog --- */

static bool catalog_entry(struct recovered *recovered, const struct journal_scan *scan,
                          const struct block_entry_view *entry, void *context,
                          struct error *error) {
    struct partition *catalog = context;
    if (entry->partition != CATALOG_PARTITION_ID || entry->shard != CATALOG_SHARD) return true;
    return replay_entry(catalog, entry, scan->block.time_ms, recovered->directory, error);
}

/* Copies bytes of the log from memory or from the segment file, wherever they are. */
static bool log_copy(struct partition *partition, struct data_directory *directory,
                     struct segment *segment, uint64_t position, uint8_t *into, size_t len,
                     struct error *error) {
    uint64_t settled =
        segment->number < partition->settled.segment ? segment->end : partition->settled.position;
    size_t in_file = position < settled ? settled - position : 0;
    if (in_file > len) in_file = len;
    if (in_file && (!segment->file || !segment->file->read)) {
        struct segment_identity identity = {directory->cluster_id, partition->definition.id,
                                            segment->number, segment->base_offset};
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
                             "the catalog is damaged at offset %lld (segment %u, position %llu): "
                             "nothing was changed; restore this directory from a backup",
                             (long long)segment->next_offset, segment->number,
                             (unsigned long long)at);
        }
        bool past = batch_last_offset(&header) < partition->log_start;
        fine = past || batch(context, whole, error);
        free(bytes);
        if (!fine) return false;
    }
    return true;
}

bool recover_catalog(struct recovered *recovered,
                     bool (*batch)(void *context, struct bytes batch, struct error *error),
                     void *context, struct error *error) {
    struct shard *shard = recovered->shards[CATALOG_SHARD];
    struct partition *catalog = shard_find(shard, CATALOG_PARTITION_ID);
    if (!catalog) {
        struct partition_definition definition = {.id = CATALOG_PARTITION_ID,
                                                  .shard = CATALOG_SHARD};
        catalog = partition_new(&definition, shard, NULL);
    }
    if (!recover_replay(recovered, true, catalog_entry, catalog, error)) return false;
    for (size_t at = 0; at < catalog->segment_count; at++)
        if (!catalog_segment(catalog, recovered->directory, &catalog->segments[at], batch, context,
                             error))
            return false;
    return true;
}

/* --- all other partitions --- */

struct lives {
    enum partition_life (*life)(void *context, uint32_t id,
                                struct partition_definition *definition);
    void *context;
    struct map by_id; /* partitions that live and were met */
};

static struct partition *lives_find(struct lives *lives, uint32_t id) {
    struct map_node *node = map_find(&lives->by_id, hash_u64(id));
    for (; node; node = map_find_next(node)) {
        struct partition *partition = map_entry(node, struct partition, by_id);
        if (partition->definition.id == id) return partition;
    }
    return NULL;
}

/* What snapshots say of partitions that were deleted since is dropped. */
static bool lives_begin(struct lives *lives, struct recovered *recovered, struct error *error) {
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++) {
        list_each(node, &recovered->shards[id]->partitions) {
            struct partition *partition = list_entry(node, struct partition, in_shard);
            uint32_t number = partition->definition.id;
            if (number == CATALOG_PARTITION_ID) continue;
            struct partition_definition definition;
            enum partition_life life = lives->life(lives->context, number, &definition);
            if (life == PARTITION_NOT_GIVEN)
                return error_set(error, 0, "a snapshot names partition %u, which was never given",
                                 number);
            if (life == PARTITION_DEAD) {
                partition_unpin(partition);
                continue;
            }
            definition.leader_epoch = partition->definition.leader_epoch > definition.leader_epoch
                                          ? partition->definition.leader_epoch
                                          : definition.leader_epoch;
            partition->definition = definition;
            map_insert(&lives->by_id, &partition->by_id, hash_u64(number));
        }
    }
    return true;
}

static bool partition_entry(struct recovered *recovered, const struct journal_scan *scan,
                            const struct block_entry_view *entry, void *context,
                            struct error *error) {
    struct lives *lives = context;
    if (entry->partition == CATALOG_PARTITION_ID) return true;
    struct partition *partition = lives_find(lives, entry->partition);
    if (!partition) {
        struct partition_definition definition;
        enum partition_life life = lives->life(lives->context, entry->partition, &definition);
        if (life == PARTITION_DEAD) return true;
        if (life == PARTITION_NOT_GIVEN)
            return error_set(error, 0,
                             "journal %u names partition %u, which the catalog never gave: the "
                             "directory is inconsistent and was not changed",
                             scan->core, entry->partition);
        partition = partition_new(&definition, recovered->shards[entry->shard], NULL);
        map_insert(&lives->by_id, &partition->by_id, hash_u64(definition.id));
    }
    recovered->report.batches++;
    return replay_entry(partition, entry, scan->block.time_ms, recovered->directory, error);
}

/* Segment files that a durable statement gave up, but a crash kept. */
static int sweep_segment(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    struct {
        struct recovered *recovered;
        struct lives *lives;
    } *sweep = context;
    uint32_t id, number;
    if (!layout_segment_parse(name, &id, &number)) {
        say_warning("%s/%s is not ours; it was left alone", LAYOUT_SEGMENTS, name);
        return 0;
    }
    struct partition *partition = lives_find(sweep->lives, id);
    struct partition_definition definition;
    bool dead = !partition && id != CATALOG_PARTITION_ID &&
                sweep->lives->life(sweep->lives->context, id, &definition) == PARTITION_DEAD;
    bool past = partition && partition->segment_count && number < partition->segments[0].number;
    if (!dead && !past) return 0;
    char path[LAYOUT_PATH_SIZE];
    layout_segment(path, id, number);
    disk_unlink(sweep->recovered->directory->disk, path);
    return 0;
}

bool recover_partitions(struct recovered *recovered,
                        enum partition_life (*life)(void *context, uint32_t id,
                                                    struct partition_definition *definition),
                        void *context, struct error *error) {
    struct lives lives = {.life = life, .context = context};
    map_init(&lives.by_id);
    recovered->report.blocks = recovered->report.bytes = 0;
    bool fine = lives_begin(&lives, recovered, error) &&
                recover_replay(recovered, false, partition_entry, &lives, error);
    if (fine && !recovered->directory->formatted_now) {
        struct {
            struct recovered *recovered;
            struct lives *lives;
        } sweep = {recovered, &lives};
        disk_list(recovered->directory->disk, LAYOUT_SEGMENTS, sweep_segment, &sweep);
    }
    map_deinit(&lives.by_id);
    recovered->report.elapsed_ms = (clock_monotonic_ns() - recovered->started_ns) / NS_PER_MS;
    return fine;
}

/* --- another number of cores --- */

static bool settle_shard(struct recovered *recovered, struct shard *shard, struct error *error) {
    list_each(node, &shard->partitions) {
        struct partition *partition = list_entry(node, struct partition, in_shard);
        if (!replay_settle(partition, round_down(partition->end.position, DISK_BLOCK),
                           recovered->directory, error))
            return false;
        for (size_t at = 0; at < partition->segment_count; at++) {
            struct segment_file *file = partition->segments[at].file;
            int result = file && file->unsynced ? file_sync(file->write) : 0;
            if (result < 0)
                return error_set(error, -result, "cannot sync a segment: %s", strerror(-result));
            if (file) file->unsynced = false;
        }
    }
    struct byte_buffer bytes = {0};
    snapshot_encode(shard, &bytes);
    char path[LAYOUT_PATH_SIZE];
    layout_snapshot(path, shard->id);
    int result = disk_replace_file(recovered->directory->disk, LAYOUT_SNAPSHOTS, path,
                                   byte_buffer_bytes(&bytes));
    byte_buffer_deinit(&bytes);
    shard->unsnapshotted = false;
    return result == 0 ||
           error_set(error, -result, "cannot write a snapshot: %s", strerror(-result));
}

/* The newest first, each durably: what a crash in between leaves is the beginning of a journal,
 * which the snapshots contain, and not one with a hole. */
static int journals_remove(struct recovered *recovered) {
    struct disk *disk = recovered->directory->disk;
    for (unsigned core = 0; core < recovered->scan_count; core++) {
        struct journal_scan *scan = &recovered->scans[core];
        for (unsigned at = scan->file_count; at-- > 0;) {
            char path[LAYOUT_PATH_SIZE];
            layout_journal(path, core, scan->files[at].number);
            int result = disk_unlink(disk, path);
            if (result == 0) result = disk_sync_directory(disk, LAYOUT_JOURNALS);
            if (result < 0) return result;
        }
    }
    return 0;
}

bool recover_finish(struct recovered *recovered, unsigned core_count, struct error *error) {
    bool same = recovered->scan_count <= core_count;
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        if (recovered->seen_in[id] && recovered->seen_in[id] != id % core_count + 1) same = false;
    if (same) return true;
    say_info("the number of cores changed: moving %u journals into segments and snapshots",
             recovered->scan_count);
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        if (!settle_shard(recovered, recovered->shards[id], error)) return false;
    recovered->reset = true;
    int result = journals_remove(recovered);
    return result == 0 ||
           error_set(error, -result, "cannot remove the journals in %s/%s: %s",
                     disk_root(recovered->directory->disk), LAYOUT_JOURNALS, strerror(-result));
}

/* --- handing over --- */

struct shard *recovered_take_shard(struct recovered *recovered, uint32_t id) {
    struct shard *shard = recovered->shards[id];
    check(shard);
    recovered->shards[id] = NULL;
    return shard;
}

void recovered_take_journal(struct recovered *recovered, unsigned core, struct journal *journal) {
    if (recovered->reset || core >= recovered->scan_count) return;
    struct journal_scan *scan = &recovered->scans[core];
    for (unsigned at = 0; at < scan->file_count; at++) {
        struct scanned_file *from = &scan->files[at];
        bool newest = from->needed && from->last == scan->last_sequence;
        struct journal_file *to = &journal->files[journal->file_count++];
        *to = (struct journal_file){
            .file = from->file,
            .number = from->number,
            .size = from->size,
            .used = from->end,
            .last_sequence = from->last,
            .state = newest         ? JOURNAL_FILE_CURRENT
                     : from->needed ? JOURNAL_FILE_FULL
                                    : JOURNAL_FILE_FREE,
        };
        if (newest) journal->current = to;
        journal->bytes += from->size;
        from->file = NULL;
    }
    journal->sequence_next = scan->last_sequence + 1;
    journal->acknowledged_through = scan->last_sequence;
    journal->released_through = scan->released_through;
}

static void recovered_free_shard(struct shard *shard) {
    if (!shard) return;
    list_each(node, &shard->partitions)
        partition_unpin(list_entry(node, struct partition, in_shard));
    free(shard);
}

void recover_free(struct recovered *recovered) {
    for (uint32_t id = 0; id < recovered->directory->shard_count; id++)
        recovered_free_shard(recovered->shards[id]);
    for (unsigned at = 0; at < recovered->scan_count; at++)
        journal_scan_close(&recovered->scans[at]);
    free(recovered->scans);
    free(recovered->shards);
    free(recovered->seen_in);
    free(recovered);
}

void recover_report(const struct recovered *recovered, struct recover_report *report) {
    *report = recovered->report;
}
