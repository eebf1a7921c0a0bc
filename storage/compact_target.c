#include "storage/compact_target.h"

#include <errno.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/mutant.h"
#include "base/say.h"
#include "storage/layout.h"

enum { PIECE_BYTES = 256 << 10 };

static int target_unlink(const struct compact_target *target) {
    char path[LAYOUT_PATH_SIZE];
    const struct segment_identity *identity = &target->identity;
    layout_segment(path, identity->partition, identity->segment, identity->revision);
    int result = disk_unlink(target->disk, path);
    return result == -ENOENT ? 0 : result;
}

int compact_target_open(struct compact_target *target, struct disk *disk,
                        const struct segment_identity *identity, uint32_t index_interval) {
    *target = (struct compact_target){.disk = disk,
                                      .identity = *identity,
                                      .piece_at = SEGMENT_START,
                                      .segment = {.number = identity->segment,
                                                  .revision = identity->revision,
                                                  .base_offset = identity->base_offset,
                                                  .next_offset = identity->base_offset,
                                                  .end = SEGMENT_START,
                                                  .timestamp_max = -1,
                                                  .timestamp_max_offset = -1,
                                                  .index_interval = index_interval}};
    check(identity->revision > 0);
    int result = target_unlink(target);
    if (result == 0) result = segment_create(disk, identity, SEGMENT_STEP_MIN, &target->file);
    if (result < 0) return result;
    target->segment.index = new_zero(struct index);
    target->segment.index->interval = index_interval;
    target->piece = memory_aligned(DISK_BLOCK, PIECE_BYTES);
    return 0;
}

/* Steps double, as those of an active segment do. */
static int target_allocate(struct compact_target *target, uint64_t upto) {
    if (upto <= target->file->allocated) return 0;
    uint64_t step = round_up(upto, SEGMENT_STEP_MIN);
    return segment_extend(target->file, upto + (step < SEGMENT_STEP_MAX ? step : SEGMENT_STEP_MAX));
}

static int target_write(struct compact_target *target) {
    size_t len = round_up(target->piece_len, DISK_BLOCK);
    memset(target->piece + target->piece_len, 0, len - target->piece_len);
    int result = -fault_hit(FAULT_compact_write);
    if (result == 0) result = target_allocate(target, target->piece_at + len);
    if (result == 0)
        result = file_write_at(target->file->write, target->piece, len, target->piece_at);
    target->piece_at += len;
    target->piece_len = 0;
    return result;
}

static void target_describe(struct segment *segment, const struct batch_header *header) {
    index_add(segment->index, header->base_offset, segment->end, segment->timestamp_max);
    /* A batch without records has no time of its own. */
    if (header->record_count > 0 && header->max_timestamp > segment->timestamp_max) {
        segment->timestamp_max = header->max_timestamp;
        segment->timestamp_max_offset = header->base_offset;
    }
    segment->end += batch_size(header);
    segment->next_offset = batch_last_offset(header) + 1;
}

int compact_target_add(struct compact_target *target, struct bytes batch) {
    struct batch_header header;
    check(batch_header_read(batch, &header) && batch_size(&header) == batch.len);
    check(header.base_offset >= target->segment.next_offset);
    target_describe(&target->segment, &header);
    while (batch.len) {
        size_t room = PIECE_BYTES - target->piece_len;
        size_t part = batch.len < room ? batch.len : room;
        memory_copy(target->piece + target->piece_len, batch.at, part);
        target->piece_len += part;
        batch = bytes_make(batch.at + part, batch.len - part);
        int result = target->piece_len == PIECE_BYTES ? target_write(target) : 0;
        if (result < 0) return result;
    }
    return 0;
}

static int target_write_footer(struct compact_target *target) {
    uint64_t position = 0;
    size_t size = 0;
    uint8_t *footer = segment_footer(&target->segment, &position, &size);
    check(position == target->piece_at);
    int result = target_allocate(target, position + size);
    if (result == 0) result = file_write_at(target->file->write, footer, size, position);
    if (result == 0) result = file_truncate(target->file->write, position + size);
    free(footer);
    return result;
}

int compact_target_finish(struct compact_target *target, bool durable) {
    check(target->segment.end > SEGMENT_START);
    int result = target->piece_len ? target_write(target) : 0;
    if (result == 0) result = target_write_footer(target);
    if (result == 0 && durable) result = -fault_hit(FAULT_segment_sync);
    if (MUTANT(replace_unsynced)) durable = false;
    if (result == 0 && durable) result = file_sync(target->file->write);
    if (result == 0) compact_target_close(target);
    return result;
}

void compact_target_close(struct compact_target *target) {
    segment_file_release(target->file);
    target->file = NULL;
    if (target->segment.index) index_deinit(target->segment.index);
    free(target->segment.index);
    target->segment.index = NULL;
    free(target->piece);
    target->piece = NULL;
}

void compact_target_abandon(struct compact_target *target) {
    compact_target_close(target);
    int result = target_unlink(target);
    if (result < 0)
        say_warning("cannot remove what compaction left of segment %u of partition %u: %s",
                    target->identity.segment, target->identity.partition, strerror(-result));
}
