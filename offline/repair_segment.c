/* Segments of which something cannot be read: what can be goes into a new revision, as compaction
 * makes one, and takes the old one's place in the table. */
#include <errno.h>

#include "base/clock.h"
#include "base/memory.h"
#include "offline/repair.h"
#include "offline/verify_segment.h"
#include "storage/compact_target.h"
#include "storage/layout.h"
#include "storage/replace.h"
#include "storage/replay.h"
#include "storage/segment_walk.h"

static bool repair_failed(const struct partition *partition, const struct segment *segment,
                          int result, struct error *error) {
    return error_set(error, -result, "cannot repair segment %u of partition %u: %s",
                     segment->number, partition->definition.id, strerror(-result));
}

/* --- the table --- */

bool repair_replace(struct repair *repair, struct partition *partition,
                    const struct segment_name *old, uint32_t old_count,
                    const struct segment *new_segment, struct error *error) {
    const struct segment *active = partition_active(partition);
    struct replacement replacement = {.old = (struct segment_name *)old,
                                      .old_count = old_count,
                                      .begun = active->number,
                                      .compacted_offset = partition->compacted_offset,
                                      .has_new = new_segment != NULL};
    if (old_count == 0) replacement.begun++;
    if (new_segment) replacement.new_segment = *new_segment;
    uint8_t *payload = memory_new(replacement_size(&replacement));
    replacement_encode(&replacement, payload);
    struct block_entry_view entry = {
        .kind = ENTRY_REPLACE,
        .partition = partition->definition.id,
        .payload = bytes_make(payload, replacement_size(&replacement))};
    bool fine = replay_entry(partition, &entry, clock_wall_ms(), &repair->image->directory, error);
    free(payload);
    return fine;
}

bool repair_roll(struct repair *repair, struct partition *partition, struct error *error) {
    if (partition->segment_count == 0 || partition_active(partition)->end == SEGMENT_START)
        return true;
    return repair_replace(repair, partition, NULL, 0, NULL, error);
}

/* --- the batches that are left --- */

struct salvage {
    struct compact_target *target; /* NULL: only counts */
    uint64_t batches;
    int64_t next_offset;
};

static int salvage_batch(struct salvage *salvage, struct file *file,
                         const struct segment_walker *walk) {
    size_t size = batch_size(&walk->header);
    int result = 0;
    if (walk->header.base_offset < salvage->next_offset) return 0;
    uint8_t *batch = memory_new(size);
    bool holds = file_read_at(file, batch, size, walk->position) == (int64_t)size &&
                 batch_crc_valid(bytes_make(batch, size));
    if (holds) {
        salvage->batches++;
        salvage->next_offset = batch_last_offset(&walk->header) + 1;
        if (salvage->target) result = compact_target_add(salvage->target, bytes_make(batch, size));
    }
    free(batch);
    return result;
}

static int salvage_file(struct salvage *salvage, struct file *file, const struct segment *segment) {
    struct segment_walker walk;
    int result = 0;
    segment_walker_init(&walk, file, segment, segment->end);
    while (result == 0 && segment_walker_next(&walk)) result = salvage_batch(salvage, file, &walk);
    segment_walker_deinit(&walk);
    return result;
}

/* Into a file of the next revision; `target` is closed then, and empty when nothing was left. */
static int rewrite_file(struct repair *repair, const struct segment_identity *identity,
                        struct file *file, const struct segment *segment,
                        struct compact_target *target) {
    struct salvage salvage = {.target = target, .next_offset = segment->base_offset};
    struct segment_identity next = *identity;
    char path[LAYOUT_PATH_SIZE];
    next.revision++;
    layout_segment(path, next.partition, next.segment, next.revision);
    int result = recover_set_aside(repair->image->recovered, path); /* if there is one */
    if (result == 0 || result == -ENOENT)
        result = compact_target_open(target, repair->image->disk, &next, segment->index_interval);
    if (result < 0) return result;
    result = file ? salvage_file(&salvage, file, segment) : 0;
    if (result == 0 && salvage.batches > 0) return compact_target_finish(target, true);
    compact_target_abandon(target);
    return result;
}

/* --- one segment --- */

static bool rewrite_segment(struct repair *repair, struct partition *partition,
                            struct segment_check *check, struct file *file, struct error *error) {
    struct segment old = *check->segment;
    struct compact_target target = {0};
    char path[LAYOUT_PATH_SIZE];
    int result = rewrite_file(repair, &check->identity, file, &old, &target);
    if (result < 0) return repair_failed(partition, &old, result, error);
    bool is_left = target.segment.end > SEGMENT_START;
    struct segment_name name = {old.number, old.revision};
    target.segment.created_ms = old.created_ms;
    layout_segment(path, check->identity.partition, name.number, name.revision);
    repair_give_up(repair, path);
    return repair_replace(repair, partition, &name, 1, is_left ? &target.segment : NULL, error);
}

static bool repair_batches(struct repair *repair, struct partition *partition,
                           struct segment_check *check, struct error *error) {
    const struct segment *segment = check->segment;
    struct salvage salvage = {.next_offset = segment->base_offset};
    struct file *file = NULL;
    if (segment_open_read(check->disk, &check->identity, &file) == 0)
        salvage_file(&salvage, file, segment);
    repair_tell(repair, partition,
                "segment %u, offsets %lld to %lld: %llu batches stay, what cannot be read goes",
                segment->number, (long long)segment->base_offset,
                (long long)segment->next_offset - 1, (unsigned long long)salvage.batches);
    bool fine = repair->dry || rewrite_segment(repair, partition, check, file, error);
    file_close(file);
    return fine;
}

static int write_footer(struct repair *repair, const char *path, const struct segment *segment) {
    struct index index = {.interval = segment->index_interval};
    struct segment sealed = *segment;
    struct file *file;
    uint64_t position;
    size_t size;
    int result = file_open(repair->image->disk, path, FILE_READ | FILE_WRITE, &file);
    if (result < 0) return result;
    segment_walk(file, segment, segment->end, &index);
    sealed.index = &index;
    uint8_t *footer = segment_footer(&sealed, &position, &size);
    result = file_truncate(file, position);
    if (result == 0) result = file_write_at(file, footer, size, position);
    if (result == 0) result = file_sync(file);
    free(footer);
    index_deinit(&index);
    file_close(file);
    return result;
}

static bool repair_index(struct repair *repair, struct partition *partition,
                         const struct segment_check *check, struct error *error) {
    char path[LAYOUT_PATH_SIZE];
    const struct segment_identity *identity = &check->identity;
    layout_segment(path, identity->partition, identity->segment, identity->revision);
    repair_tell(repair, partition, "segment %u: its index is written again", identity->segment);
    int result = repair->dry ? 0 : write_footer(repair, path, check->segment);
    return result == 0 || repair_failed(partition, check->segment, result, error);
}

static void repair_check(struct repair *repair, struct partition *partition,
                         const struct segment *segment, struct segment_check *check) {
    *check = (struct segment_check){
        .disk = repair->image->disk,
        .identity = partition_identity(partition, &repair->image->directory, segment),
        .segment = segment,
        .name = "",
        .gaps_allowed = true, /* nothing fills them */
        .is_settled = segment->number < partition->settled.segment,
        .settled = partition_settled_in(partition, segment),
        .partition = partition};
    segment_verify(check, NULL);
}

/* The active one is closed first: only closed ones are replaced. */
static bool repair_segment(struct repair *repair, struct partition *partition, uint32_t number,
                           struct error *error) {
    struct segment_check check;
    repair_check(repair, partition, partition_segment(partition, number), &check);
    if (check.batches_bad == 0 && check.index_bad)
        return repair_index(repair, partition, &check, error);
    if (check.batches_bad == 0) return true;
    if (number == partition_active(partition)->number) {
        if (!repair_roll(repair, partition, error)) return false;
        repair_check(repair, partition, partition_segment(partition, number), &check);
    }
    return repair_batches(repair, partition, &check, error);
}

bool repair_segments(struct repair *repair, struct partition *partition, struct error *error) {
    bool fine = true;
    uint32_t last = partition->segment_count ? partition_active(partition)->number : 0;
    for (size_t at = 0; fine && at < partition->segment_count;) {
        uint32_t number = partition->segments[at].number;
        if (number > last) break;
        fine = repair_segment(repair, partition, number, error);
        bool is_there = at < partition->segment_count && partition->segments[at].number == number;
        at += is_there; /* else the next one stands here now */
    }
    return fine;
}
