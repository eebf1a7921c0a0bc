/* Reading: hot from the tail's chunks, pinned and byte-exact; what has left the tail is
 * storage/cold.h's. */
#include "storage/read.h"

#include "base/check.h"

uint64_t readable_end(const struct partition *partition, uint32_t number) {
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

void read_hot(struct partition *partition, struct read *read, const struct chunk *chunk) {
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

struct chunk *read_find(const struct partition *partition, int64_t offset,
                        struct segment **segment) {
    *segment = partition_segment_of_offset(partition, offset);
    if (!*segment) return NULL;
    if (offset < (*segment)->base_offset) offset = (*segment)->base_offset;
    return tail_find(&partition->tail, offset);
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
    struct segment *segment;
    struct chunk *chunk = read_find(partition, read->offset, &segment);
    if (!chunk && segment) return cold_read(partition, read);
    if (chunk) read_hot(partition, read, chunk);
    return true;
}
