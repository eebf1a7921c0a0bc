#include "storage/segment_walk.h"

#include "base/memory.h"
#include "protocol/batch.h"

enum { WALK_WINDOW = 64 << 10, WALK_BATCH_MAX = 128 << 20 };

struct walk {
    struct file *file;
    const struct segment *segment;
    uint64_t at; /* the window holds [at, at + len) */
    size_t len;
    uint8_t *window;
    uint64_t upto; /* batches that begin below it count */
    struct batch_header last;
    uint64_t last_at;
    bool has_last;
    int64_t next_offset; /* behind `last` */
    int64_t timestamp_before;
};

/* Reads from `position` on: a whole window, or where that fails no more than a header needs. */
static bool walk_fill(struct walk *walk, uint64_t position) {
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
static enum walk_found walk_look(struct walk *walk, uint64_t position,
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

static bool walk_crc_holds(struct walk *walk, uint64_t position, size_t size) {
    if (size > WALK_BATCH_MAX || position + size > walk->upto) return false;
    uint8_t *batch = memory_new(size);
    bool holds = file_read_at(walk->file, batch, size, position) == (int64_t)size &&
                 batch_crc_valid(bytes_make(batch, size));
    free(batch);
    return holds;
}

/* Whether the log goes on behind this batch: a record may hold what looks like one. */
static bool walk_is_followed(struct walk *walk, uint64_t position,
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
static uint64_t walk_past_damage(struct walk *walk, uint64_t position) {
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

/* The next batch behind `last`, where the log goes on as that one says. Where it does not, `last`
 * itself may be what is damaged: its length is in no CRC. */
static uint64_t walk_next(struct walk *walk, bool *behind_damage) {
    struct batch_header header;
    uint64_t next = walk->has_last ? walk->last_at + batch_size(&walk->last) : SEGMENT_START;
    *behind_damage = false;
    if (next + BATCH_HEADER_SIZE > walk->upto) return walk->upto;
    bool found = walk_look(walk, next, &header) == WALK_BATCH;
    if (found && (!walk->has_last || header.base_offset == walk->next_offset)) return next;
    bool trusted = !walk->has_last || walk_crc_holds(walk, walk->last_at, batch_size(&walk->last));
    if (found && trusted) return next; /* compaction has left a gap */
    *behind_damage = true;
    if (!trusted) walk->next_offset = walk->last.base_offset + 1;
    return walk_past_damage(walk, trusted ? next + 1 : walk->last_at + 1);
}

static void walk_add(struct walk *walk, struct index *index, bool must) {
    uint32_t interval = index->interval;
    if (must) index->interval = 1;
    index_add(index, walk->last.base_offset, walk->last_at, walk->timestamp_before);
    index->interval = interval;
    if (walk->last.max_timestamp > walk->timestamp_before)
        walk->timestamp_before = walk->last.max_timestamp;
}

void segment_walk(struct file *file, const struct segment *segment, uint64_t upto,
                  struct index *index) {
    struct walk walk = {.file = file,
                        .segment = segment,
                        .upto = upto < segment->end ? upto : segment->end,
                        .window = memory_new(WALK_WINDOW),
                        .next_offset = segment->base_offset,
                        .timestamp_before = -1};
    bool behind_damage;
    for (uint64_t at; (at = walk_next(&walk, &behind_damage)) < walk.upto;) {
        if (walk_look(&walk, at, &walk.last) != WALK_BATCH) break; /* it was there */
        walk.last_at = at;
        walk.has_last = true;
        walk_add(&walk, index, behind_damage);
        walk.next_offset = batch_last_offset(&walk.last) + 1;
    }
    free(walk.window);
}
