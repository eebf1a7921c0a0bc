#include "storage/tail.h"

#include "base/check.h"
#include "base/memory.h"

void tail_init(struct tail *tail, struct chunk_pool *pool, struct partition *partition) {
    *tail = (struct tail){.pool = pool, .partition = partition};
}

void tail_deinit(struct tail *tail) {
    while (tail->count) tail_drop_oldest(tail);
    free(tail->chunks);
    tail->chunks = NULL;
    tail->capacity = 0;
}

static struct chunk *tail_last(const struct tail *tail) {
    return tail->count ? tail_chunk(tail, tail->count - 1) : NULL;
}

static void tail_push(struct tail *tail, struct chunk *chunk) {
    if (tail->count == tail->capacity) {
        size_t capacity = tail->capacity ? tail->capacity * 2 : 4;
        struct chunk **chunks = memory_new(capacity * sizeof *chunks);
        for (size_t at = 0; at < tail->count; at++) chunks[at] = tail_chunk(tail, at);
        free(tail->chunks);
        tail->chunks = chunks;
        tail->head = 0;
        tail->capacity = capacity;
    }
    tail->chunks[(tail->head + tail->count++) & (tail->capacity - 1)] = chunk;
}

/* Chunks double up to the usual size; one that must hold a large batch is made for it. */
static uint32_t tail_chunk_size(const struct tail *tail, const struct chunk *last,
                                uint64_t needed) {
    uint64_t size = last ? (uint64_t)last->capacity * 2 : CHUNK_MIN;
    uint64_t usual = tail->pool ? tail->pool->usual_bytes : CHUNK_USUAL;
    if (size > usual) size = usual;
    if (size < needed) size = needed;
    return size > CHUNK_MAX ? CHUNK_MAX : (uint32_t)size;
}

static struct chunk *tail_room(struct tail *tail, struct place place, size_t len) {
    struct chunk *last = tail_last(tail);
    if (last && last->segment == place.segment) {
        check(last->position + last->used == place.position);
        if (last->used < last->capacity) return last;
    }
    uint64_t start = round_down(place.position, CHUNK_MIN);
    check(start == place.position || !last || last->segment != place.segment);
    uint64_t lead = place.position - start;
    struct chunk *chunk = chunk_new(tail->pool, (struct place){place.segment, start},
                                    tail_chunk_size(tail, last, lead + len));
    memset(chunk->at, 0, lead);
    chunk->used = (uint32_t)lead;
    chunk->partition = tail->partition;
    tail_push(tail, chunk);
    return chunk;
}

static void tail_write(struct tail *tail, struct place place, struct bytes bytes) {
    while (bytes.len) {
        struct chunk *chunk = tail_room(tail, place, bytes.len);
        size_t room = chunk->capacity - chunk->used;
        size_t part = bytes.len < room ? bytes.len : room;
        memory_copy(chunk->at + chunk->used, bytes.at, part);
        chunk->used += (uint32_t)part;
        place.position += part;
        bytes = bytes_make(bytes.at + part, bytes.len - part);
    }
}

void tail_append(struct tail *tail, struct place place, int64_t offset, struct bytes batch) {
    struct chunk *first = tail_room(tail, place, batch.len);
    if (first->first_position == UINT64_MAX) {
        first->first_position = place.position;
        first->first_offset = offset;
    }
    first->batches_end = place.position + batch.len;
    tail_write(tail, place, batch);
}

void tail_restore(struct tail *tail, struct place place, struct bytes bytes) {
    tail_write(tail, place, bytes);
}

/* Index of the chunk that holds the place (or ends at it); count when none does. */
static size_t tail_search(const struct tail *tail, struct place place) {
    size_t low = 0, high = tail->count;
    while (low < high) { /* the first chunk that begins after the place */
        size_t middle = (low + high) / 2;
        struct chunk *chunk = tail_chunk(tail, middle);
        if (place_compare((struct place){chunk->segment, chunk->position}, place) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return tail->count;
    struct chunk *chunk = tail_chunk(tail, low - 1);
    bool inside =
        chunk->segment == place.segment && place.position <= chunk->position + chunk->used;
    return inside ? low - 1 : tail->count;
}

bool tail_has(const struct tail *tail, struct place place) {
    return tail_search(tail, place) < tail->count;
}

size_t tail_slices(const struct tail *tail, struct place place, size_t len, struct bytes *slices,
                   void **pins, size_t max, size_t *covered) {
    size_t count = 0, at = tail_search(tail, place);
    *covered = 0;
    for (; len > 0 && at < tail->count && count < max; at++) {
        struct chunk *chunk = tail_chunk(tail, at);
        if (chunk->segment != place.segment) break;
        size_t skip = place.position - chunk->position;
        size_t part = chunk->used - skip;
        if (part > len) part = len;
        if (part == 0) continue;
        slices[count] = bytes_make(chunk->at + skip, part);
        if (pins) pins[count] = chunk;
        count++;
        place.position += part;
        len -= part;
        *covered += part;
    }
    return count;
}

void tail_copy(const struct tail *tail, struct place place, void *into, size_t len) {
    size_t at = tail_search(tail, place);
    uint8_t *to = into;
    while (len > 0) {
        check(at < tail->count);
        struct chunk *chunk = tail_chunk(tail, at++);
        check(chunk->segment == place.segment);
        size_t skip = place.position - chunk->position;
        size_t part = chunk->used - skip;
        if (part > len) part = len;
        memory_copy(to, chunk->at + skip, part);
        to += part;
        place.position += part;
        len -= part;
    }
}

struct chunk *tail_find(const struct tail *tail, int64_t offset) {
    size_t low = 0, high = tail->count;
    while (low < high) {
        /* Chunks in which no batch begins belong to the one before them. */
        size_t middle = (low + high) / 2, probe = middle;
        while (probe > low && tail_chunk(tail, probe)->first_position == UINT64_MAX) probe--;
        struct chunk *chunk = tail_chunk(tail, probe);
        if (chunk->first_position == UINT64_MAX || chunk->first_offset <= offset)
            low = middle + 1;
        else
            high = probe;
    }
    while (low > 0) {
        struct chunk *chunk = tail_chunk(tail, --low);
        if (chunk->first_position != UINT64_MAX)
            return chunk->first_offset <= offset ? chunk : NULL;
    }
    return NULL;
}

bool tail_first(const struct tail *tail, struct place *place, int64_t *offset) {
    for (size_t at = 0; at < tail->count; at++) {
        struct chunk *chunk = tail_chunk(tail, at);
        if (chunk->first_position == UINT64_MAX) continue;
        *place = (struct place){chunk->segment, chunk->first_position};
        *offset = chunk->first_offset;
        return true;
    }
    return false;
}

void tail_drop_oldest(struct tail *tail) {
    check(tail->count > 0);
    struct chunk *chunk = tail_chunk(tail, 0);
    tail->head = (tail->head + 1) & (tail->capacity - 1);
    tail->count--;
    chunk->partition = NULL;
    list_remove(&chunk->cached);
    chunk_release(chunk);
}

void tail_pad(struct tail *tail, uint32_t segment) {
    for (size_t at = tail->count; at-- > 0;) {
        struct chunk *chunk = tail_chunk(tail, at);
        if (chunk->segment != segment) continue;
        uint32_t padded = (uint32_t)round_up(chunk->used, CHUNK_MIN);
        memset(chunk->at + chunk->used, 0, padded - chunk->used);
        return;
    }
}
