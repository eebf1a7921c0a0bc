#include "storage/compact_source.h"

#include <errno.h>

#include "base/check.h"
#include "base/memory.h"
#include "protocol/batch.h"

enum { READ_BYTES = 256 << 10 };

int compact_source_open(struct compact_source *source, struct disk *disk,
                        const struct segment_identity *identity, uint64_t end) {
    *source = (struct compact_source){.end = end,
                                      .position = SEGMENT_START,
                                      .next_offset = identity->base_offset,
                                      .has_gaps = identity->revision > 0};
    return segment_open_read(disk, identity, &source->file);
}

void compact_source_close(struct compact_source *source) {
    if (source->file) file_close(source->file);
    free(source->window);
    *source = (struct compact_source){0};
}

/* Makes the window begin at the position and hold `len` bytes, which are there. */
static int source_fill(struct compact_source *source, size_t len) {
    uint64_t left = source->end - source->position;
    check(len <= left);
    size_t wanted = len > READ_BYTES ? len : READ_BYTES;
    if (wanted > left) wanted = (size_t)left;
    if (wanted > source->window_capacity) {
        free(source->window);
        source->window = memory_new(wanted);
        source->window_capacity = wanted;
    }
    source->window_len = 0;
    int64_t got = file_read_at(source->file, source->window, wanted, source->position);
    if (got < 0) return (int)got;
    if ((size_t)got < wanted) return -EBADMSG; /* the file is shorter than its extent */
    source->window_at = source->position;
    source->window_len = wanted;
    return 0;
}

static int source_hold(struct compact_source *source, size_t len) {
    bool inside = source->window_len > 0 && source->position >= source->window_at &&
                  source->position + len <= source->window_at + source->window_len;
    return inside ? 0 : source_fill(source, len);
}

static struct bytes source_bytes(const struct compact_source *source) {
    size_t skip = source->position - source->window_at;
    return bytes_make(source->window + skip, source->window_len - skip);
}

int compact_source_next(struct compact_source *source, struct bytes *batch) {
    struct batch_header header;
    uint64_t left = source->end - source->position;
    if (left == 0) return 0;
    if (left < BATCH_HEADER_SIZE) return -EBADMSG;
    int result = source_hold(source, BATCH_HEADER_SIZE);
    if (result < 0) return result;
    if (!batch_header_read(source_bytes(source), &header) || batch_size(&header) > left)
        return -EBADMSG;
    result = source_hold(source, batch_size(&header));
    if (result < 0) return result;
    *batch = bytes_make(source_bytes(source).at, batch_size(&header));
    bool fits = header.base_offset == source->next_offset ||
                (source->has_gaps && header.base_offset > source->next_offset);
    if (!fits || !batch_crc_valid(*batch) || header.last_offset_delta < 0) return -EBADMSG;
    source->position += batch->len;
    source->next_offset = batch_last_offset(&header) + 1;
    return 1;
}
