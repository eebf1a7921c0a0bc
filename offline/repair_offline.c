/* An offline partition comes back with what can be read of it. */
#include <errno.h>

#include "base/clock.h"
#include "base/memory.h"
#include "offline/repair.h"
#include "storage/layout.h"
#include "storage/replay.h"
#include "storage/segment_walk.h"

enum { EXTEND_MEMORY_MAX = 64 << 20 };

/* --- files that the table does not know --- */

struct candidates {
    const struct partition *partition;
    struct segment_name *items;
    size_t count;
};

static int candidate_add(void *context, const char *name, bool is_directory) {
    (void)is_directory;
    struct candidates *candidates = context;
    uint32_t id, number, revision;
    if (!layout_segment_parse(name, &id, &number, &revision) ||
        id != candidates->partition->definition.id)
        return 0;
    const struct segment *segment = partition_segment(candidates->partition, number);
    if (segment && segment->revision >= revision) return 0;
    candidates->items =
        memory_resize(candidates->items, (candidates->count + 1) * sizeof *candidates->items);
    candidates->items[candidates->count++] = (struct segment_name){number, revision};
    return 0;
}

/* By number, of each the newest revision first. */
static int compare_candidates(const void *a, const void *b) {
    const struct segment_name *left = a, *right = b;
    if (left->number != right->number) return left->number < right->number ? -1 : 1;
    return (left->revision < right->revision) - (left->revision > right->revision);
}

/* What the file holds, by its batches: false when that is nothing. */
static bool describe_file(struct partition *partition, struct file *file, struct segment *segment) {
    struct segment_walker walk;
    struct segment all = *segment;
    int64_t size = file_size(file);
    all.end = size > SEGMENT_START ? (uint64_t)size : SEGMENT_START;
    all.next_offset = INT64_MAX;
    segment_walker_init(&walk, file, &all, all.end);
    while (segment_walker_next(&walk)) {
        const struct batch_header *header = &walk.header;
        uint8_t *batch = memory_new(batch_size(header));
        int64_t got = file_read_at(file, batch, batch_size(header), walk.position);
        bool holds = got == (int64_t)batch_size(header) &&
                     batch_crc_valid(bytes_make(batch, batch_size(header)));
        free(batch);
        if (!holds) continue;
        segment->end = walk.position + batch_size(header);
        segment->next_offset = batch_last_offset(header) + 1;
        if (header->max_timestamp > segment->timestamp_max) {
            segment->timestamp_max = header->max_timestamp;
            segment->timestamp_max_offset = header->base_offset;
        }
        if (batch_idempotent(header) && header->producer_epoch >= 0 && header->base_sequence >= 0)
            producers_apply(&partition->producers, header, header->base_offset, clock_wall_ms());
    }
    segment_walker_deinit(&walk);
    return segment->end > SEGMENT_START;
}

static bool candidate_describe(struct repair *repair, struct partition *partition,
                               const struct segment_name *name, struct segment *segment) {
    struct segment_identity identity;
    struct disk *disk = repair->image->disk;
    struct file *file;
    uint32_t id = partition->definition.id;
    if (segment_identify(disk, id, name->number, name->revision, &identity) < 0) return false;
    bool own = identity.partition == id && identity.segment == name->number &&
               identity.revision == name->revision && identity.base_offset >= 0 &&
               uuid_equal(&identity.cluster_id, &repair->image->directory.cluster_id);
    *segment = (struct segment){.number = name->number,
                                .revision = name->revision,
                                .base_offset = identity.base_offset,
                                .next_offset = identity.base_offset,
                                .end = SEGMENT_START,
                                .timestamp_max = -1,
                                .timestamp_max_offset = -1};
    if (!own || segment_open_read(disk, &identity, &file) < 0) return false;
    bool has_batches = describe_file(partition, file, segment);
    file_close(file);
    return has_batches;
}

/* --- their places --- */

/* In place of one that is gone, and of those behind it that it goes on over. */
static bool adopt_instead(struct repair *repair, struct partition *partition,
                          const struct segment *segment, struct error *error) {
    struct segment_name old[64];
    uint32_t count = 0;
    const struct segment *first = partition_segment(partition, segment->number);
    size_t at = (size_t)(first - partition->segments);
    for (; at + 1 < partition->segment_count && count < array_count(old); at++) {
        const struct segment *covered = &partition->segments[at];
        if (covered->base_offset >= segment->next_offset) break;
        old[count++] = (struct segment_name){covered->number, covered->revision};
    }
    bool fits = count > 0 && segment->next_offset <= partition->segments[at - 1].next_offset;
    return !fits || repair_replace(repair, partition, old, count, segment, error);
}

/* Behind all others: becomes the active one for a moment. */
static bool adopt_behind(struct repair *repair, struct partition *partition,
                         const struct segment *segment, struct error *error) {
    if (!repair_roll(repair, partition, error)) return false;
    if (partition->segment_count == 0)
        partition_add_segment(partition, segment->number, segment->base_offset, 0);
    struct segment *active = partition_active(partition);
    active->number = segment->number;
    active->revision = segment->revision;
    active->base_offset = segment->base_offset;
    active->next_offset = segment->next_offset;
    active->end = segment->end;
    active->timestamp_max = active->durable_timestamp_max = segment->timestamp_max;
    active->timestamp_max_offset = active->durable_timestamp_max_offset =
        segment->timestamp_max_offset;
    active->created_ms = clock_wall_ms();
    active->index_whole = false;
    index_deinit(active->index);
    partition->high_watermark = partition->next_offset = partition->formed_offset =
        segment->next_offset;
    partition->end = partition->formed = partition->durable = partition->settled =
        (struct place){segment->number, segment->end};
    return repair_roll(repair, partition, error);
}

static bool file_is_there(struct repair *repair, const struct partition *partition,
                          const struct segment *segment) {
    struct segment_identity identity =
        partition_identity(partition, &repair->image->directory, segment);
    struct file *file;
    if (segment_open_read(repair->image->disk, &identity, &file) < 0) return false;
    file_close(file);
    return true;
}

/* Of a file whose header cannot be read nobody can say where its offsets begin: it is kept. */
static bool adopt_nothing(struct repair *repair, struct partition *partition,
                          const struct segment_name *name) {
    struct segment_identity identity;
    char path[LAYOUT_PATH_SIZE];
    uint32_t id = partition->definition.id;
    int result = segment_identify(repair->image->disk, id, name->number, name->revision, &identity);
    if (result == 0 || result == -ENOENT) return false;
    layout_segment(path, id, name->number, name->revision);
    repair_tell(repair, partition, "segment %u: the header of its file cannot be read: it goes",
                name->number);
    repair_give_up(repair, path);
    return true;
}

static bool adopt_one(struct repair *repair, struct partition *partition,
                      const struct segment_name *name, struct error *error) {
    const struct segment *known = partition_segment(partition, name->number);
    bool is_behind = partition->segment_count == 0 ||
                     name->number > partition_active(partition)->number ||
                     (known == partition_active(partition) && known->end == SEGMENT_START);
    bool is_instead = known && !is_behind && !file_is_there(repair, partition, known);
    struct segment segment;
    if (adopt_nothing(repair, partition, name)) return true;
    if ((!is_behind && !is_instead) || !candidate_describe(repair, partition, name, &segment))
        return true;
    if (is_behind && segment.base_offset < partition->next_offset) return true;
    repair_tell(repair, partition, "segment %u, offsets %lld to %lld: taken back from its file",
                name->number, (long long)segment.base_offset, (long long)segment.next_offset - 1);
    return is_behind ? adopt_behind(repair, partition, &segment, error)
                     : adopt_instead(repair, partition, &segment, error);
}

bool repair_adopt(struct repair *repair, struct partition *partition, struct error *error) {
    struct candidates candidates = {.partition = partition};
    bool fine = true, had_none = partition->segment_count == 0;
    disk_list(repair->image->disk, LAYOUT_SEGMENTS, candidate_add, &candidates);
    if (candidates.count)
        qsort(candidates.items, candidates.count, sizeof *candidates.items, compare_candidates);
    for (size_t at = 0; fine && at < candidates.count; at++)
        fine = adopt_one(repair, partition, &candidates.items[at], error);
    free(candidates.items);
    if (had_none && partition->segment_count)
        partition->log_start = partition->segments[0].base_offset;
    return fine;
}

/* --- what lies behind the end --- */

static bool extend_by(struct repair *repair, struct partition *partition, struct file *file,
                      const struct batch_header *header, struct error *error) {
    size_t size = batch_size(header);
    uint8_t *batch = memory_new(size);
    bool holds = file_read_at(file, batch, size, partition->end.position) == (int64_t)size &&
                 batch_crc_valid(bytes_make(batch, size)) && header->base_offset >= 0;
    if (holds) {
        if (batch_idempotent(header) && header->producer_epoch >= 0 && header->base_sequence >= 0)
            producers_apply(&partition->producers, header, header->base_offset, clock_wall_ms());
        partition_place(partition, header, bytes_make(batch, size));
        partition->high_watermark = partition->formed_offset = partition->next_offset;
        partition->formed = partition->durable = partition->end;
    }
    free(batch);
    uint64_t whole = round_down(partition->end.position, DISK_BLOCK);
    bool much = whole > partition->settled.position + EXTEND_MEMORY_MAX;
    return holds && (!much || replay_settle(partition, whole, &repair->image->directory, error));
}

static uint64_t extend_from(struct repair *repair, struct partition *partition, struct file *file,
                            struct error *error) {
    struct segment_walker walk;
    struct segment all = *partition_active(partition);
    int64_t size = file_size(file);
    uint64_t added = 0;
    all.end = size > SEGMENT_START ? (uint64_t)size : SEGMENT_START;
    all.next_offset = INT64_MAX;
    segment_walker_init(&walk, file, &all, all.end);
    while (segment_walker_next(&walk) && walk.position <= partition->end.position) {
        if (walk.position < partition->end.position) continue;
        bool goes_on =
            walk.damaged_from == UINT64_MAX && walk.header.base_offset == partition->next_offset;
        if (!goes_on || !extend_by(repair, partition, file, &walk.header, error)) break;
        added++;
    }
    segment_walker_deinit(&walk);
    return added;
}

/* Records are written out while the journal has them as well: where it has lost them, the active
 * segment's file may go on. */
static bool repair_extend(struct repair *repair, struct partition *partition, struct error *error) {
    const struct segment *active = partition_active(partition);
    int64_t before = partition->next_offset;
    struct file *file;
    if (partition->offline == DAMAGE_SEGMENT || active->end == SEGMENT_START ||
        !file_is_there(repair, partition, active))
        return true;
    if (!replay_settle(partition, round_down(partition->end.position, DISK_BLOCK),
                       &repair->image->directory, error))
        return false;
    struct segment_identity identity =
        partition_identity(partition, &repair->image->directory, active);
    if (segment_open_read(repair->image->disk, &identity, &file) < 0) return true;
    uint64_t added = extend_from(repair, partition, file, error);
    file_close(file);
    if (added > 0)
        repair_tell(repair, partition, "segment %u, offsets %lld to %lld: taken back from its file",
                    identity.segment, (long long)before, (long long)partition->next_offset - 1);
    return true;
}

/* --- the partition --- */

/* Before something is written under its name: a file that says it is another's. One whose header
 * cannot be read may still be the right one, and its batches have checksums. */
static int clear_the_way(struct repair *repair, const struct partition *partition) {
    const struct segment *active = partition_active(partition);
    struct segment_identity found,
        own = partition_identity(partition, &repair->image->directory, active);
    char path[LAYOUT_PATH_SIZE];
    if (segment_identify(repair->image->disk, own.partition, own.segment, own.revision, &found))
        return 0;
    if (found.partition == own.partition && found.segment == own.segment &&
        uuid_equal(&found.cluster_id, &own.cluster_id))
        return 0;
    layout_segment(path, own.partition, own.segment, own.revision);
    return recover_set_aside(repair->image->recovered, path);
}

/* Offsets that consumers have seen may be given again where the log's end is not known to be where
 * it was. A segment file that is gone leaves its place in the table, which says where it ended. */
static void raise_epoch(struct partition *partition) {
    int32_t before = partition->definition.leader_epoch;
    partition->definition.leader_epoch = before + 1;
    epochs_begin(&partition->epochs, before, before + 1, partition->next_offset);
}

bool repair_offline(struct repair *repair, struct partition *partition, struct error *error) {
    enum damage damage = partition->offline;
    bool raises = damage != DAMAGE_SEGMENT;
    repair_tell(repair, partition, "offline (%s): it goes on at the end of what can be read%s",
                damage_text(damage), raises ? ", in a new leader epoch" : "");
    if (partition->segment_count) {
        int result = clear_the_way(repair, partition);
        if (result < 0)
            return error_set(error, -result, "cannot set a segment of partition %u aside: %s",
                             partition->definition.id, strerror(-result));
        if (!repair_extend(repair, partition, error)) return false;
    }
    partition->offline = DAMAGE_NONE;
    if (!repair_roll(repair, partition, error) || !repair_adopt(repair, partition, error) ||
        !repair_segments(repair, partition, error))
        return false;
    if (raises) raise_epoch(partition);
    partition->shard->unsnapshotted = true;
    repair_tell(repair, partition, "online again, offsets %lld to %lld",
                (long long)partition->log_start, (long long)partition->next_offset - 1);
    return true;
}
