/* Reading: hot from the tail's chunks, pinned and byte-exact; cold from a segment file on a worker,
 * with every batch's CRC checked before it leaves. */
#include <errno.h>

#include "base/check.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/say.h"
#include "storage/state.h"

enum {
    COLD_SLACK = 64 << 10,
    COLD_TRIES_MAX = 8,
    COLD_BYTES_MAX = 128 << 20,
    COLD_READ_MAX = 4 << 20
};

/* --- hot --- */

/* Where readable bytes of this segment end. */
static uint64_t readable_end(const struct partition *partition, uint32_t number) {
    if (number == partition->durable.segment) return partition->durable.position;
    if (number > partition->durable.segment) return SEGMENT_START;
    const struct segment *segment = partition_segment(partition, number);
    return segment ? segment->end : SEGMENT_START;
}

static bool tail_header(const struct partition *partition, struct place place, uint64_t end,
                        struct batch_header *header) {
    if (place.position + BATCH_HEADER_SIZE > end) return false;
    uint8_t bytes[BATCH_HEADER_SIZE];
    tail_copy(&partition->tail, place, bytes, sizeof bytes);
    check(batch_header_read(bytes_make(bytes, sizeof bytes), header));
    return true;
}

/* The batch that holds the offset, or the first one after it; false when none is readable. */
static bool hot_find(const struct partition *partition, const struct chunk *chunk, int64_t offset,
                     struct place *place, struct batch_header *header) {
    *place = (struct place){chunk->segment, chunk->first_position};
    const struct segment *segment = partition_segment(partition, chunk->segment);
    const struct index_entry *entry =
        segment && segment->index ? index_find_offset(segment->index, offset) : NULL;
    if (entry && entry->position > place->position) place->position = entry->position;
    for (;;) {
        uint64_t end = readable_end(partition, place->segment);
        if (!tail_header(partition, *place, end, header)) {
            if (place->segment >= partition->durable.segment) return false;
            *place = (struct place){place->segment + 1, SEGMENT_START};
            continue;
        }
        if (batch_last_offset(header) >= offset) return true;
        place->position += batch_size(header);
    }
}

/* The end of the last whole batch within `bytes_max` of the place. */
static uint64_t hot_end(const struct partition *partition, struct place place, size_t bytes_max) {
    uint64_t end = readable_end(partition, place.segment);
    uint64_t limit = end - place.position > bytes_max ? place.position + bytes_max : end;
    uint64_t reached = place.position;
    /* Whole chunks first, so that small batches are only walked in the last one. */
    for (size_t at = 0; at < partition->tail.count; at++) {
        const struct chunk *chunk = tail_chunk(&partition->tail, at);
        if (chunk->segment < place.segment || chunk->position + chunk->used <= place.position)
            continue;
        if (chunk->segment > place.segment || chunk->position > limit) break;
        if (chunk->first_position == UINT64_MAX) continue;
        if (chunk->batches_end > limit) break;
        reached = chunk->batches_end;
    }
    struct batch_header header;
    while (tail_header(partition, (struct place){place.segment, reached}, end, &header) &&
           reached + batch_size(&header) <= limit)
        reached += batch_size(&header);
    return reached;
}

static void read_hot(struct partition *partition, struct read *read, const struct chunk *chunk) {
    struct place place;
    struct batch_header header;
    if (!hot_find(partition, chunk, read->offset, &place, &header)) return;
    size_t bytes_max = read->bytes_max;
    if (bytes_max < batch_size(&header)) {
        if (!read->minimum_one) return;
        bytes_max = batch_size(&header);
    }
    for (;;) {
        size_t len = hot_end(partition, place, bytes_max) - place.position, covered;
        size_t count = tail_slices(&partition->tail, place, len, read->pieces, read->pins,
                                   READ_PIECES_MAX, &covered);
        if (covered < len && covered >= batch_size(&header)) {
            bytes_max = covered;
            continue;
        }
        check(covered == len);
        for (size_t at = 0; at < count; at++) chunk_pin(read->pins[at]);
        read->piece_count = (int32_t)count;
        read->total = len;
        return;
    }
}

void read_release(struct read *read) {
    for (int32_t at = 0; at < read->piece_count; at++)
        if (read->pins[at]) chunk_release(read->pins[at]);
    free(read->buffer);
    read->buffer = NULL;
    read->piece_count = 0;
}

/* --- cold --- */

struct cold_read {
    struct work work;
    struct partition *partition; /* pinned */
    struct read *read;
    struct disk *disk;
    struct segment_identity identity;
    struct segment segment;    /* a copy: its extent as of the request */
    struct segment_file *file; /* pinned, or NULL */
    struct file *known;        /* its read side, when it was open at the start */
    struct file *opened;       /* by the worker, handed to the owner */
    struct index index;        /* loaded by the worker when load_index */
    bool load_index;
    uint64_t from, upto; /* in the file: [from, upto) is settled */
    int64_t offset;
    size_t bytes_max;
    bool minimum_one;
    unsigned tries;
    /* Result */
    int result;
    bool cut;  /* the first batch goes on behind upto: its rest is in the tail */
    bool full; /* the first batch is larger than what was asked for */
    uint8_t *buffer;
    uint64_t found; /* position of the first batch */
    size_t skip, len;
};

static struct file *cold_file(struct cold_read *cold) {
    if (cold->known) return cold->known;
    if (!cold->opened) cold->result = segment_open_read(cold->disk, &cold->identity, &cold->opened);
    return cold->opened;
}

/* Reads [cold->from, …) of at least `size` bytes if there are so many. */
static bool cold_fill(struct cold_read *cold, struct file *file, size_t size, size_t *got) {
    if (size > cold->upto - cold->from) size = cold->upto - cold->from;
    free(cold->buffer);
    cold->buffer = memory_new(size + 1);
    int fault = fault_hit(FAULT_segment_read);
    int64_t result = fault ? -fault : file_read_at(file, cold->buffer, size, cold->from);
    if (result < 0) {
        cold->result = (int)result;
        return false;
    }
    *got = (size_t)result;
    if (*got < size) cold->result = -EIO; /* the file is shorter than its extent */
    return cold->result == 0;
}

/* Walks the buffer: skips what is below the offset, collects whole batches whose CRC holds. Answers
 * how many bytes the buffer should have had for one batch, or 0 when it is done. */
static size_t cold_walk(struct cold_read *cold, size_t got) {
    size_t at = 0;
    cold->len = 0;
    while (got - at >= BATCH_HEADER_SIZE) {
        struct bytes rest = bytes_make(cold->buffer + at, got - at);
        struct batch_header header;
        if (!batch_header_read(rest, &header)) {
            cold->result = -EBADMSG;
            return 0;
        }
        size_t size = batch_size(&header);
        bool wanted = batch_last_offset(&header) >= cold->offset;
        if (!wanted && size <= rest.len) {
            at += size;
            continue;
        }
        if (cold->len == 0) cold->found = cold->from + at, cold->skip = at;
        bool fits = cold->len + size <= cold->bytes_max || (cold->len == 0 && cold->minimum_one);
        if (wanted && !fits) {
            cold->full = true;
            return 0;
        }
        if (size > rest.len) return cold->len ? 0 : at + size;
        if (!batch_crc_valid(rest)) {
            if (cold->len == 0) cold->result = -EBADMSG;
            return 0;
        }
        cold->len += size;
        at += size;
    }
    if (cold->len) return 0;
    cold->found = cold->from + at;
    cold->skip = at;
    return at + BATCH_HEADER_SIZE;
}

static void cold_run(struct work *work) {
    struct cold_read *cold = container_of(work, struct cold_read, work);
    struct file *file = cold_file(cold);
    if (!file) return;
    if (cold->load_index) {
        struct segment settled = cold->segment;
        if (settled.end > cold->upto) settled.end = cold->upto;
        cold->result = segment_load_index(file, &settled, &cold->index);
        if (cold->result < 0) return;
        const struct index_entry *entry = index_find_offset(&cold->index, cold->offset);
        if (entry) cold->from = entry->position;
    }
    size_t size = cold->bytes_max + COLD_SLACK, got = 0;
    while (cold->from < cold->upto) {
        if (!cold_fill(cold, file, size, &got)) return;
        size_t wanted = cold_walk(cold, got);
        if (wanted == 0) return;
        if (cold->from + got >= cold->upto) {
            cold->cut = cold->found < cold->segment.end;
            return;
        }
        /* On from where the walk stopped, with room for the batch there. */
        size = wanted - cold->skip + COLD_SLACK + cold->bytes_max;
        cold->from = cold->found;
        if (size > COLD_BYTES_MAX) cold->result = -EBADMSG;
        if (cold->result) return;
    }
    cold->found = cold->from;
    cold->cut = cold->from < cold->segment.end;
}

/* The segment that was read from, unless it was given up meanwhile. */
static struct segment *cold_segment(const struct cold_read *cold) {
    return cold->partition->dead ? NULL : partition_same_segment(cold->partition, &cold->identity);
}

/* What the worker opened and loaded becomes the partition's, unless it has its own by now. */
static void cold_keep(struct cold_read *cold) {
    struct segment *segment = cold_segment(cold);
    if (cold->opened && segment) {
        if (!segment->file) {
            segment->file = segment_file_new();
        }
        if (!segment->file->read) {
            segment->file->read = cold->opened;
            cold->opened = NULL;
        }
        segment_file_used(segment->file, &cold->partition->store->handles);
    }
    if (cold->index.count && segment && !segment->index_whole) {
        struct index *mine = segment->index;
        for (size_t at = 0; mine && at < mine->count; at++)
            if (mine->entries[at].position >= cold->upto)
                index_add(&cold->index, mine->entries[at].offset, mine->entries[at].position,
                          mine->entries[at].timestamp_before);
        if (!mine) segment->index = new_zero(struct index);
        index_deinit(segment->index);
        *segment->index = cold->index;
        cold->index = (struct index){0};
        segment->index_whole = true;
    }
    if (cold->opened) file_close(cold->opened);
    cold->opened = NULL;
    index_deinit(&cold->index);
    segment_file_release(cold->file);
    cold->file = NULL;
}

static bool cold_start(struct partition *partition, struct read *read, struct segment *segment,
                       unsigned tries);
static bool read_from(struct partition *partition, struct read *read, int64_t from, unsigned tries);

/* The first batch began in the file and ends in the tail: puts it together. */
static bool cold_join(struct cold_read *cold) {
    const struct partition *partition = cold->partition;
    size_t have = cold->upto - cold->found;
    struct place rest = {cold->identity.segment, cold->upto};
    if (!tail_has(&partition->tail, rest)) return false;
    uint64_t end = readable_end(partition, rest.segment);
    uint8_t header_bytes[BATCH_HEADER_SIZE];
    size_t from_file = have < BATCH_HEADER_SIZE ? have : BATCH_HEADER_SIZE;
    memcpy(header_bytes, cold->buffer + cold->skip, from_file);
    if (cold->upto + (BATCH_HEADER_SIZE - from_file) > end) return false;
    tail_copy(&partition->tail, rest, header_bytes + from_file, BATCH_HEADER_SIZE - from_file);
    struct batch_header header;
    if (!batch_header_read(bytes_make(header_bytes, sizeof header_bytes), &header)) return false;
    size_t size = batch_size(&header);
    if (size < have || cold->found + size > end) return false;
    if (size > cold->bytes_max && !cold->minimum_one) return true;
    uint8_t *joined = memory_new(size);
    memcpy(joined, cold->buffer + cold->skip, have);
    tail_copy(&partition->tail, rest, joined + have, size - have);
    free(cold->buffer);
    cold->buffer = joined;
    cold->skip = 0;
    cold->len = size;
    if (!batch_crc_valid(bytes_make(joined, size))) cold->result = -EBADMSG;
    return true;
}

static enum error_code cold_code(const struct cold_read *cold) {
    if (cold->partition->dead) return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    if (cold->result == 0) return ERROR_NONE;
    if (cold->read->offset < cold->partition->log_start) return ERROR_OFFSET_OUT_OF_RANGE;
    uint32_t unsaid;
    if (store_may_say(cold->partition->store, &unsaid))
        say_error(
            "partition %u, segment %u: %s at position %llu: this range cannot be served (%u lines "
            "left out before)",
            cold->identity.partition, cold->identity.segment,
            cold->result == -EBADMSG ? "a damaged batch" : strerror(-cold->result),
            (unsigned long long)(cold->found ? cold->found : cold->from), unsaid);
    return cold->result == -EMFILE || cold->result == -ENFILE ? ERROR_KAFKA_STORAGE_ERROR
                                                              : ERROR_CORRUPT_MESSAGE;
}

/* Where the batch that was cut is in the tail by now. */
static struct chunk *cold_chunk(const struct cold_read *cold) {
    const struct tail *tail = &cold->partition->tail;
    struct chunk *chunk = tail_find(tail, cold->read->offset);
    struct place first;
    int64_t first_offset;
    if (chunk || !tail_first(tail, &first, &first_offset)) return chunk;
    bool holds = place_compare(first, (struct place){cold->identity.segment, cold->found}) <= 0;
    return holds ? tail_find(tail, first_offset) : NULL;
}

/* The first batch began in the file and goes on in the tail, or in the file by now. */
static bool cold_continue_cut(struct cold_read *cold, struct segment *segment) {
    struct partition *partition = cold->partition;
    if (cold->buffer && cold->upto > cold->found && cold_join(cold)) return false;
    struct chunk *chunk = cold_chunk(cold);
    if (!chunk) return cold_start(partition, cold->read, segment, cold->tries + 1);
    read_hot(partition, cold->read, chunk);
    return false;
}

/* True when the read goes on: behind the segment, or again because it was given up or its end has
 * moved on. */
static bool cold_continue(struct cold_read *cold) {
    struct partition *partition = cold->partition;
    struct read *read = cold->read;
    if (partition->dead || cold->len || cold->full) return false;
    struct segment *segment = cold_segment(cold);
    if (segment && cold->result) return false;
    if (cold->tries >= COLD_TRIES_MAX || read->offset >= partition->high_watermark) return false;
    if (segment && cold->cut) return cold_continue_cut(cold, segment);
    int64_t from = read->offset;
    if (segment && cold->segment.next_offset > from) from = cold->segment.next_offset;
    cold->result = from < partition->log_start ? -ENOENT : 0;
    return cold->result == 0 && !read_from(partition, read, from, cold->tries + 1);
}

static void cold_done(struct work *work) {
    struct cold_read *cold = container_of(work, struct cold_read, work);
    struct partition *partition = cold->partition;
    struct read *read = cold->read;
    partition->store->flows--;
    cold_keep(cold);
    bool again = cold_continue(cold);
    if (!again && read->piece_count == 0) {
        read->code = cold_code(cold);
        if (read->code == ERROR_NONE && cold->len) {
            read->pieces[0] = bytes_make(cold->buffer + cold->skip, cold->len);
            read->pins[0] = NULL;
            read->piece_count = 1;
            read->total = cold->len;
            read->buffer = cold->buffer;
            cold->buffer = NULL;
        }
    }
    free(cold->buffer);
    free(cold);
    if (!again) read->done(read);
    partition_unpin(partition);
}

/* False when there is nothing settled to read. */
static bool cold_start(struct partition *partition, struct read *read, struct segment *segment,
                       unsigned tries) {
    uint64_t settled = segment->number < partition->settled.segment    ? segment->end
                       : segment->number == partition->settled.segment ? partition->settled.position
                                                                       : SEGMENT_START;
    if (settled > segment->end) settled = segment->end;
    const struct index_entry *entry =
        segment->index ? index_find_offset(segment->index, read->offset) : NULL;
    size_t bytes_max = read->bytes_max < COLD_READ_MAX ? read->bytes_max : COLD_READ_MAX;
    struct cold_read *cold = new_zero(struct cold_read);
    *cold = (struct cold_read){
        .work = {.run = cold_run, .done = cold_done},
        .partition = partition,
        .read = read,
        .disk = partition->store->directory->disk,
        .identity = partition_identity(partition, partition->store->directory, segment),
        .segment = *segment,
        .file = segment->file,
        .known = segment->file ? segment->file->read : NULL,
        .load_index = !segment->index_whole && !entry,
        .from = entry ? entry->position : SEGMENT_START,
        .upto = settled,
        .offset = read->offset,
        .bytes_max = bytes_max,
        .minimum_one = read->minimum_one,
        .tries = tries};
    if (cold->file) {
        segment_file_pin(cold->file);
        segment_file_used(cold->file, &partition->store->handles);
    }
    partition_pin(partition);
    partition->store->flows++;
    ring_work(partition->store->ring, &cold->work);
    return true;
}

/* Reads from the first batch at or behind `from`, which is where read->offset or its gap ends: in
 * the tail if it is there. True when the read is complete. */
static bool read_from(struct partition *partition, struct read *read, int64_t from,
                      unsigned tries) {
    struct segment *segment = partition_segment_of_offset(partition, from);
    if (!segment) return true;
    if (from < segment->base_offset) from = segment->base_offset;
    struct chunk *chunk = tail_find(&partition->tail, from);
    if (!chunk) return !cold_start(partition, read, segment, tries);
    read_hot(partition, read, chunk);
    return true;
}

bool partition_read(struct partition *partition, struct read *read) {
    read->partition = partition;
    read->code = ERROR_NONE;
    read->piece_count = 0;
    read->total = 0;
    read->buffer = NULL;
    struct partition_view view;
    partition_look(partition, read->offset, -1, &view);
    read->code = view.code;
    if (view.code == ERROR_NONE && read->offset < 0) read->code = ERROR_OFFSET_OUT_OF_RANGE;
    if (read->code != ERROR_NONE || read->offset >= partition->high_watermark) return true;
    return read_from(partition, read, read->offset, 0);
}
