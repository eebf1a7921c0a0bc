#include "storage/segment_walk.h"

#include "base/memory.h"

enum { WALK_WINDOW = 64 << 10, WALK_BATCH_MAX = 128 << 20 };

/* Reads from `position` on: a whole window, or where that fails no more than a header needs. */
static bool walk_fill(struct segment_walker *walk, uint64_t position) {
    uint64_t left = walk->upto - position;
    uint64_t few = round_up(position + BATCH_HEADER_SIZE, DISK_BLOCK) - position;
    walk->at = position;
    walk->len = left < WALK_WINDOW ? left : WALK_WINDOW;
    int64_t got = file_read_at(walk->file, walk->window, walk->len, position);
    if (got < 0) got = file_read_at(walk->file, walk->window, few < left ? few : left, position);
    walk->len = got < 0 ? 0 : (size_t)got;
    return got >= BATCH_HEADER_SIZE;
}

enum walk_found { WALK_BATCH, WALK_NO_BATCH, WALK_UNREADABLE };

/* Whether a batch begins at `position` that may be the log's next one. */
static enum walk_found walk_look(struct segment_walker *walk, uint64_t position,
                                 struct batch_header *header) {
    bool inside = position >= walk->at && position + BATCH_HEADER_SIZE <= walk->at + walk->len;
    if (!inside && !walk_fill(walk, position)) return WALK_UNREADABLE;
    size_t skip = position - walk->at;
    if (!batch_header_read(bytes_make(walk->window + skip, walk->len - skip), header))
        return WALK_NO_BATCH;
    bool goes_on = header->base_offset >= walk->next_offset &&
                   header->base_offset < walk->segment->next_offset &&
                   header->last_offset_delta >= 0 &&
                   position + batch_size(header) <= walk->segment->end;
    return goes_on ? WALK_BATCH : WALK_NO_BATCH;
}

static bool walk_crc_holds(struct segment_walker *walk, uint64_t position, size_t size) {
    if (size > WALK_BATCH_MAX || position + size > walk->upto) return false;
    uint8_t *batch = memory_new(size);
    bool holds = file_read_at(walk->file, batch, size, position) == (int64_t)size &&
                 batch_crc_valid(bytes_make(batch, size));
    free(batch);
    return holds;
}

/* Whether the log goes on behind this batch: a record may hold what looks like one. */
static bool walk_is_followed(struct segment_walker *walk, uint64_t position,
                             const struct batch_header *header) {
    uint64_t next = position + batch_size(header);
    int64_t next_offset = walk->next_offset;
    struct batch_header following;
    if (next + BATCH_HEADER_SIZE > walk->upto) return true;
    walk->next_offset = batch_last_offset(header) + 1;
    bool found = walk_look(walk, next, &following) == WALK_BATCH;
    walk->next_offset = next_offset;
    return found;
}

/* The next batch from `position` on; `upto` when there is none. */
static uint64_t walk_past_damage(struct segment_walker *walk, uint64_t position) {
    for (uint64_t at = position; at + BATCH_HEADER_SIZE <= walk->upto; at++) {
        struct batch_header header;
        enum walk_found found = walk_look(walk, at, &header);
        if (found == WALK_UNREADABLE) at = round_up(at + 1, DISK_BLOCK) - 1;
        if (found != WALK_BATCH) continue;
        if (walk_crc_holds(walk, at, batch_size(&header)) && walk_is_followed(walk, at, &header))
            return at;
    }
    return walk->upto;
}

/* The next batch behind the one at hand, where the log goes on as that one says. Where it does not,
 * that one itself may be what is damaged: its length is in no CRC. Only compaction leaves gaps. */
static uint64_t walk_find(struct segment_walker *walk) {
    struct batch_header header;
    uint64_t next = walk->has_batch ? walk->position + batch_size(&walk->header) : SEGMENT_START;
    walk->damaged_from = UINT64_MAX;
    if (next + BATCH_HEADER_SIZE > walk->upto) return walk->upto;
    bool found = walk_look(walk, next, &header) == WALK_BATCH;
    if (found && header.base_offset == walk->next_offset) return next;
    bool trusted =
        !walk->has_batch || walk_crc_holds(walk, walk->position, batch_size(&walk->header));
    if (found && trusted && walk->segment->revision > 0) return next;
    if (!trusted) walk->next_offset = walk->header.base_offset + 1;
    walk->damaged_from = trusted ? next : walk->position;
    return walk_past_damage(walk, trusted ? next + 1 : walk->position + 1);
}

void segment_walker_init(struct segment_walker *walk, struct file *file,
                         const struct segment *segment, uint64_t upto) {
    *walk = (struct segment_walker){.damaged_from = UINT64_MAX,
                                    .file = file,
                                    .segment = segment,
                                    .upto = upto < segment->end ? upto : segment->end,
                                    .window = memory_new(WALK_WINDOW),
                                    .next_offset = segment->base_offset};
}

bool segment_walker_next(struct segment_walker *walk) {
    uint64_t at = walk_find(walk);
    if (at >= walk->upto) return false;
    if (walk_look(walk, at, &walk->header) != WALK_BATCH) return false; /* it was there */
    walk->position = at;
    walk->has_batch = true;
    walk->next_offset = batch_last_offset(&walk->header) + 1;
    return true;
}

void segment_walker_deinit(struct segment_walker *walk) { free(walk->window); }

bool segment_walk(struct file *file, const struct segment *segment, uint64_t upto,
                  struct index *index) {
    struct segment_walker walk;
    int64_t timestamp_before = -1;
    uint32_t interval = index->interval;
    bool whole = true;
    segment_walker_init(&walk, file, segment, upto);
    while (segment_walker_next(&walk)) {
        if (walk.damaged_from != UINT64_MAX) index->interval = 1, whole = false;
        index_add(index, walk.header.base_offset, walk.position, timestamp_before);
        index->interval = interval;
        if (walk.header.max_timestamp > timestamp_before)
            timestamp_before = walk.header.max_timestamp;
    }
    whole = whole && walk.damaged_from == UINT64_MAX;
    segment_walker_deinit(&walk);
    return whole;
}
