#include "storage/replay.h"

#include <errno.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/memory.h"
#include "storage/replace.h"
#include "storage/settle.h"
#include "storage/snapshot.h"

enum { REPLAY_PIECE = 256 << 10 };

static bool replay_broken(const struct partition *partition, const char *what,
                          struct error *error) {
    return error_set(error, EBADMSG, "the journal does not fit partition %u: %s",
                     partition->definition.id, what);
}

/* --- settling --- */

int replay_has_file(const struct partition *partition, const struct data_directory *directory) {
    if (partition->settled.position == SEGMENT_START) return 0;
    const struct segment *segment = partition_segment(partition, partition->settled.segment);
    if (!segment) return 0;
    struct segment_identity identity = partition_identity(partition, directory, segment);
    struct file *file = NULL;
    int result = segment_open_read(directory->disk, &identity, &file);
    file_close(file);
    return result;
}

void replay_meet(struct partition *partition) {
    if (partition->start.met) return;
    partition->start.met = true;
    partition->start.ends_in = partition->settled.segment;
    partition->start.wants_file = partition->settled.position > SEGMENT_START &&
                                  partition_segment(partition, partition->settled.segment);
}

bool replay_found_file(struct partition *partition, int result, struct error *error) {
    partition->start.wants_file = false;
    partition->start.lacks_file = result == -ENOENT || result == -EBADMSG;
    return result == 0 || partition->start.lacks_file ||
           error_set(error, -result, "cannot open a segment of partition %u: %s",
                     partition->definition.id, strerror(-result));
}

static int replay_segment_file(struct partition *partition, struct segment *segment,
                               struct data_directory *directory, uint64_t upto) {
    struct segment_identity identity = partition_identity(partition, directory, segment);
    uint64_t sizes[] = {round_up(upto + SEGMENT_STEP_MIN, SEGMENT_STEP_MIN),
                        round_up(upto, DISK_BLOCK)}; /* a full disk: what is there is enough */
    int result = -ENOSPC;
    if (segment->file && !segment->file->write) { /* the catalog's, which was read */
        segment_file_release(segment->file);
        segment->file = NULL;
    }
    for (size_t at = 0; at < array_count(sizes) && result == -ENOSPC; at++) {
        int fault = fault_hit(FAULT_segment_allocate);
        if (fault)
            result = -fault;
        else if (!segment->file)
            result = segment_create_unsynced(directory->disk, &identity, sizes[at], &segment->file);
        else
            result = segment->file->allocated < upto ? segment_extend(segment->file, sizes[at]) : 0;
    }
    return result;
}

static int replay_write(struct partition *partition, struct segment *segment, uint64_t upto) {
    while (partition->settled.position < upto) {
        uint64_t len = upto - partition->settled.position;
        if (len > REPLAY_PIECE) len = REPLAY_PIECE;
        uint8_t *piece = memory_aligned(DISK_BLOCK, len);
        memset(piece, 0, len);
        uint64_t held = segment->end - partition->settled.position;
        tail_copy(&partition->tail, partition->settled, piece, len < held ? len : held);
        int result = file_write_at(segment->file->write, piece, len, partition->settled.position);
        free(piece);
        if (result < 0) return result;
        partition->settled.position += len;
    }
    segment->file->unsynced = true;
    return 0;
}

static void replay_drop_settled(struct partition *partition) {
    while (partition->tail.count) {
        const struct chunk *chunk = tail_chunk(&partition->tail, 0);
        bool older = chunk->segment < partition->settled.segment;
        bool full = chunk->used == chunk->capacity &&
                    chunk->segment == partition->settled.segment &&
                    partition->settled.position >= chunk->position + chunk->used &&
                    (chunk->first_position == UINT64_MAX ||
                     partition->settled.position >= chunk->batches_end);
        if (!older && !full) return;
        tail_drop_oldest(&partition->tail);
    }
}

static bool settle_segment(struct partition *partition, struct segment *segment, uint64_t upto,
                           struct data_directory *directory, struct error *error) {
    if (!segment || upto <= partition->settled.position) return true;
    if (partition->start.wants_file && partition->start.ends_in == segment->number &&
        !replay_found_file(partition, replay_has_file(partition, directory), error))
        return false;
    int result = replay_segment_file(partition, segment, directory, upto);
    if (result == 0) result = replay_write(partition, segment, upto);
    if (result < 0)
        return error_set(error, -result, "cannot write segment %u of partition %u: %s",
                         segment->number, partition->definition.id, strerror(-result));
    replay_drop_settled(partition);
    return true;
}

/* What a full disk has kept in memory, to the padded end of each. */
static bool settle_closed(struct partition *partition, struct data_directory *directory,
                          struct error *error) {
    while (partition->segment_count && partition->settled.segment < partition->end.segment) {
        uint32_t number = partition->settled.segment;
        struct segment *closed = partition_segment(partition, number);
        uint64_t upto = closed ? round_up(closed->end, DISK_BLOCK) : 0;
        if (!settle_segment(partition, closed, upto, directory, error)) return false;
        partition->settled = (struct place){number + 1, SEGMENT_START};
        replay_drop_settled(partition);
    }
    return true;
}

bool replay_settle(struct partition *partition, uint64_t upto, struct data_directory *directory,
                   struct error *error) {
    if (!settle_closed(partition, directory, error)) return false;
    struct segment *segment = partition_segment(partition, partition->settled.segment);
    return settle_segment(partition, segment, upto, directory, error);
}

/* --- entries --- */

static struct place take_place(const uint8_t *at) {
    return (struct place){load_u32(at), load_u64(at + 4)};
}

/* What was appended and replayed is durable: nothing is in flight at start. */
static void replay_moved(struct partition *partition) {
    partition->high_watermark = partition->formed_offset = partition->next_offset;
    partition->formed = partition->durable = partition->end;
    partition->begun = partition->end.segment;
}

/* A segment is as old as its first batch. */
static void replay_first(struct partition *partition, int64_t time_ms) {
    struct segment *active = partition_active(partition);
    if (active->end == SEGMENT_START) active->created_ms = time_ms;
}

/* Whether an entry at this place goes on at the end of the log: right there, or at the beginning of
 * the next segment. Asked before anything is changed: what does not fit leaves the log as it is. */
static bool place_goes_on(const struct partition *partition, struct place place, bool *begins) {
    *begins = partition->segment_count == 0 || place.segment != partition_active(partition)->number;
    if (!*begins) return place_equal(place, partition->end);
    uint32_t next =
        partition->segment_count ? partition_active(partition)->number + 1 : partition->end.segment;
    return place.segment == next && place.position == SEGMENT_START;
}

static bool error_is_full(const struct error *error) {
    return error->code == ENOSPC || error->code == EDQUOT;
}

/* Goes on in the next segment, and settles the old one to its padded end first. On a full disk it
 * stays in memory, as it was there before the start: the store writes it out when there is space.
 */
static bool replay_roll(struct partition *partition, uint32_t number, int64_t base_offset,
                        int64_t time_ms, struct data_directory *directory, struct error *error) {
    bool settles =
        partition->segment_count && place_compare(partition->settled, partition->end) < 0;
    uint64_t upto = settles ? round_up(partition_active(partition)->end, DISK_BLOCK) : 0;
    bool settled = !settles || replay_settle(partition, upto, directory, error);
    if (!settled && !error_is_full(error)) return false;
    partition_roll(partition, number, base_offset, time_ms);
    if (settled) partition->settled = partition->end;
    replay_drop_settled(partition);
    return true;
}

/* Offsets go on without a gap: a CRC that holds says that we wrote it, not that it is right, nor
 * that all before it is there (a lost block may have held the end of a segment). */
static bool header_goes_on(const struct batch_header *header, int64_t next_offset) {
    if (batch_idempotent(header) && header->producer_epoch < 0) return false;
    if (batch_idempotent(header) && !batch_control(header) && header->base_sequence < 0)
        return false;
    return header->base_offset == next_offset && header->last_offset_delta >= 0 &&
           header->base_offset < INT64_MAX - header->last_offset_delta;
}

static bool replay_batch(struct partition *partition, struct place *place, struct bytes batch,
                         const struct batch_header *header, int64_t time_ms,
                         struct data_directory *directory, struct error *error) {
    if (header->base_offset < partition->next_offset) return true;
    if (!header_goes_on(header, partition->next_offset))
        return replay_broken(partition, "an offset", error);
    bool begins;
    if (!place_goes_on(partition, *place, &begins))
        return replay_broken(partition, "a batch is not at the end of the log", error);
    if (begins &&
        !replay_roll(partition, place->segment, header->base_offset, time_ms, directory, error))
        return false;
    if (batch_idempotent(header))
        producers_apply(&partition->producers, header, header->base_offset, time_ms);
    replay_first(partition, time_ms);
    partition_place(partition, header, batch);
    replay_moved(partition);
    return true;
}

static bool replay_batches(struct partition *partition, struct bytes payload, int64_t time_ms,
                           struct data_directory *directory, struct error *error) {
    if (payload.len < JOURNAL_PLACE_BYTES) return replay_broken(partition, "a short entry", error);
    struct place place = take_place(payload.at);
    struct bytes rest =
        bytes_make(payload.at + JOURNAL_PLACE_BYTES, payload.len - JOURNAL_PLACE_BYTES);
    while (rest.len) {
        struct batch_header header;
        if (!batch_header_read(rest, &header) || batch_size(&header) > rest.len)
            return replay_broken(partition, "an entry is not made of whole batches", error);
        struct bytes batch = bytes_make(rest.at, batch_size(&header));
        if (!replay_batch(partition, &place, batch, &header, time_ms, directory, error))
            return false;
        place.position += batch.len;
        rest = bytes_make(rest.at + batch.len, rest.len - batch.len);
    }
    return true;
}

/* A header whose batch is in the segment already: everything but its bytes. */
static void replay_header(struct partition *partition, const struct batch_header *header,
                          int64_t time_ms) {
    struct segment *active = partition_active(partition);
    replay_first(partition, time_ms);
    index_add(active->index, header->base_offset, active->end, active->timestamp_max);
    if (header->max_timestamp > active->timestamp_max) {
        active->timestamp_max = header->max_timestamp;
        active->timestamp_max_offset = header->base_offset;
    }
    active->end += batch_size(header);
    active->next_offset = partition->next_offset = batch_last_offset(header) + 1;
    partition->end.position = active->end;
    if (batch_idempotent(header))
        producers_apply(&partition->producers, header, header->base_offset, time_ms);
}

struct extent {
    struct place from;
    uint64_t upto, first_batch, end;
    uint32_t count;
    struct bytes headers, remainder;
};

static bool extent_decode(struct bytes payload, struct extent *extent) {
    if (payload.len < JOURNAL_EXTENT_BYTES) return false;
    const uint8_t *at = payload.at;
    extent->from = take_place(at);
    extent->upto = load_u64(at + 12);
    extent->first_batch = load_u64(at + 20);
    extent->end = load_u64(at + 28);
    extent->count = load_u32(at + 36);
    size_t left = payload.len - JOURNAL_EXTENT_BYTES;
    if (extent->count == 0 || extent->count > left / BATCH_HEADER_SIZE) return false;
    extent->headers = bytes_make(at + JOURNAL_EXTENT_BYTES, extent->count * BATCH_HEADER_SIZE);
    extent->remainder =
        bytes_make(extent->headers.at + extent->headers.len, left - extent->headers.len);
    uint64_t wanted = extent->end > extent->upto ? extent->end - extent->upto : 0;
    return extent->remainder.len == wanted && extent->from.position % DISK_BLOCK == 0 &&
           extent->upto % DISK_BLOCK == 0 && extent->from.position >= SEGMENT_START &&
           extent->from.position <= extent->first_batch && extent->first_batch < extent->end &&
           extent->from.position <= extent->upto &&
           extent->upto <= round_up(extent->end, DISK_BLOCK);
}

static bool extent_header(const struct extent *extent, uint32_t at, struct batch_header *header) {
    return batch_header_read(
        bytes_make(extent->headers.at + at * BATCH_HEADER_SIZE, BATCH_HEADER_SIZE), header);
}

/* Whether the headers go on from `next_offset`, cover [first batch, end), and the remainder is made
 * of what they say. `first_behind` is where the first batch behind upto begins. */
static bool extent_is_sound(const struct partition *partition, const struct extent *extent,
                            uint64_t *first_behind) {
    struct batch_header header;
    int64_t next_offset = partition->next_offset;
    uint64_t position = extent->first_batch;
    *first_behind = UINT64_MAX;
    for (uint32_t at = 0; at < extent->count; at++) {
        if (!extent_header(extent, at, &header) || !header_goes_on(&header, next_offset))
            return false;
        if (position >= extent->upto && *first_behind == UINT64_MAX) *first_behind = position;
        next_offset = batch_last_offset(&header) + 1;
        position += batch_size(&header);
        if (position > extent->end) return false;
    }
    return position == extent->end &&
           remainder_is_sound(extent->remainder, extent->upto, *first_behind);
}

static bool replay_extent(struct partition *partition, struct bytes payload, int64_t time_ms,
                          struct data_directory *directory, struct error *error) {
    struct extent extent;
    struct batch_header header;
    if (!extent_decode(payload, &extent) || !extent_header(&extent, 0, &header))
        return replay_broken(partition, "a broken EXTENT entry", error);
    if (header.base_offset < partition->next_offset) return true;
    uint64_t first_behind;
    bool begins;
    if (!place_goes_on(partition, (struct place){extent.from.segment, extent.first_batch}, &begins))
        return replay_broken(partition, "an EXTENT is not at the end of the log", error);
    if (!extent_is_sound(partition, &extent, &first_behind))
        return replay_broken(partition, "an EXTENT is not made of whole batches", error);
    if (begins &&
        !replay_roll(partition, extent.from.segment, header.base_offset, time_ms, directory, error))
        return false;
    if (!replay_settle(partition, extent.from.position, directory, error)) return false;

    for (uint32_t at = 0; at < extent.count; at++) {
        check(extent_header(&extent, at, &header));
        replay_header(partition, &header, time_ms);
    }
    while (partition->tail.count) tail_drop_oldest(&partition->tail);
    partition->settled.position = extent.upto < extent.end ? extent.upto : extent.end;
    /* A padded end is final: the log has gone on in the next segment. */
    if (extent.upto > extent.end) {
        partition_roll(partition, extent.from.segment + 1, partition->next_offset, time_ms);
        partition->settled = partition->end;
    }
    replay_moved(partition);
    check(restore_remainder(partition, extent.remainder, first_behind));
    return true;
}

static bool replay_replacement(struct partition *partition, struct replacement *replacement,
                               int64_t time_ms, struct data_directory *directory,
                               struct error *error) {
    if (partition->segment_count == 0)
        return replay_broken(partition, "a REPLACE of nothing", error);
    if (partition_active(partition)->number < replacement->begun) {
        if (!replay_roll(partition, replacement->begun, partition->next_offset, time_ms, directory,
                         error))
            return false;
        replay_moved(partition);
    }
    if (replacement->old_count && !settle_closed(partition, directory, error)) return false;
    if (!replacement_fits(partition, replacement))
        return replay_broken(partition, "a REPLACE of other segments", error);
    replacement_apply(partition, replacement);
    return true;
}

static bool replay_replace(struct partition *partition, struct bytes payload, int64_t time_ms,
                           struct data_directory *directory, struct error *error) {
    struct replacement replacement;
    if (!replacement_decode(payload, &replacement))
        return replay_broken(partition, "a broken REPLACE entry", error);
    bool fine = replay_replacement(partition, &replacement, time_ms, directory, error);
    free(replacement.old);
    return fine;
}

bool replay_entry(struct partition *partition, const struct block_entry_view *entry,
                  int64_t time_ms, struct data_directory *directory, struct error *error) {
    partition->shard->unsnapshotted = true;
    switch (entry->kind) {
        case ENTRY_BATCH:
            return replay_batches(partition, entry->payload, time_ms, directory, error);
        case ENTRY_EXTENT:
            return replay_extent(partition, entry->payload, time_ms, directory, error);
        case ENTRY_LOG_START:
            if (entry->payload.len != 8)
                return replay_broken(partition, "a broken LOG_START entry", error);
            if (load_i64(entry->payload.at) > partition->next_offset)
                return replay_broken(partition, "a log start behind the end", error);
            partition_trimmed(partition, load_i64(entry->payload.at));
            return true;
        case ENTRY_REPLACE:
            return replay_replace(partition, entry->payload, time_ms, directory, error);
        default:
            return error_set(error, 0,
                             "the journal has an entry of kind %u, which this release does not "
                             "know: start the newer release that wrote it",
                             entry->kind);
    }
}
