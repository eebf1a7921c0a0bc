#include "storage/index.h"

#include "base/crc32c.h"
#include "base/memory.h"
#include "base/search.h"

uint32_t index_interval(int64_t bytes) {
    if (bytes < INDEX_INTERVAL_MIN) return INDEX_INTERVAL_MIN;
    return bytes > INDEX_INTERVAL_MAX ? INDEX_INTERVAL_MAX : (uint32_t)bytes;
}

void index_deinit(struct index *index) {
    free(index->entries);
    *index = (struct index){0};
}

static void index_push(struct index *index, struct index_entry entry) {
    if (index->count == index->capacity) {
        index->capacity = index->capacity ? index->capacity * 2 : 16;
        index->entries = memory_resize(index->entries, index->capacity * sizeof *index->entries);
    }
    index->entries[index->count++] = entry;
}

/* Whether a position is far enough behind the last of the first `count` entries. */
static bool index_wants(const struct index *index, size_t count, uint64_t position) {
    uint32_t interval = index->interval ? index->interval : INDEX_INTERVAL_MIN;
    return count == 0 || position - index->entries[count - 1].position >= interval;
}

void index_add(struct index *index, int64_t offset, uint64_t position, int64_t timestamp_before) {
    if (index_wants(index, index->count, position))
        index_push(index, (struct index_entry){offset, position, timestamp_before});
}

void index_thin(struct index *index) {
    size_t kept = 0;
    for (size_t at = 0; at < index->count; at++)
        if (index_wants(index, kept, index->entries[at].position))
            index->entries[kept++] = index->entries[at];
    index->count = kept;
}

void index_thin_to(struct index *index, uint32_t interval) {
    uint32_t own = index->interval;
    index->interval = interval;
    index_thin(index);
    index->interval = own;
    if (index->count == 0) return;
    index->capacity = index->count;
    index->entries = memory_resize(index->entries, index->capacity * sizeof *index->entries);
}

struct index_search {
    const struct index_entry *entries;
    int64_t wanted;
};

static bool offset_is_passed(const void *context, size_t at) {
    const struct index_search *search = context;
    return search->entries[at].offset > search->wanted;
}

static bool timestamp_is_reached(const void *context, size_t at) {
    const struct index_search *search = context;
    return search->entries[at].timestamp_before >= search->wanted;
}

const struct index_entry *index_find_offset(const struct index *index, int64_t offset) {
    struct index_search search = {index->entries, offset};
    size_t behind = search_first(index->count, offset_is_passed, &search);
    return behind ? &index->entries[behind - 1] : NULL;
}

const struct index_entry *index_find_timestamp(const struct index *index, int64_t timestamp) {
    struct index_search search = {index->entries, timestamp};
    size_t behind = search_first(index->count, timestamp_is_reached, &search);
    return behind ? &index->entries[behind - 1] : NULL;
}

size_t index_encoded_size(const struct index *index) {
    return INDEX_HEADER_BYTES + index->count * INDEX_ENTRY_BYTES;
}

void index_encode(const struct index *index, uint8_t *into) {
    store_u32(into, (uint32_t)index->count);
    uint8_t *at = into + INDEX_HEADER_BYTES;
    for (size_t entry = 0; entry < index->count; entry++, at += INDEX_ENTRY_BYTES) {
        store_i64(at, index->entries[entry].offset);
        store_u64(at + 8, index->entries[entry].position);
        store_i64(at + 16, index->entries[entry].timestamp_before);
    }
    store_u32(into + 4, crc32c(into + INDEX_HEADER_BYTES, index->count * INDEX_ENTRY_BYTES));
}

bool index_decode(struct bytes bytes, struct index *index) {
    *index = (struct index){0};
    if (bytes.len < INDEX_HEADER_BYTES) return false;
    size_t count = load_u32(bytes.at), room = bytes.len - INDEX_HEADER_BYTES;
    if (count > room / INDEX_ENTRY_BYTES) return false;
    const uint8_t *at = bytes.at + INDEX_HEADER_BYTES;
    if (crc32c(at, count * INDEX_ENTRY_BYTES) != load_u32(bytes.at + 4)) return false;
    for (size_t entry = 0; entry < count; entry++, at += INDEX_ENTRY_BYTES) {
        struct index_entry next = {load_i64(at), load_u64(at + 8), load_i64(at + 16)};
        const struct index_entry *last = index->count ? &index->entries[index->count - 1] : NULL;
        if (last && (next.offset <= last->offset || next.position <= last->position)) {
            index_deinit(index);
            return false;
        }
        index_push(index, next);
    }
    return true;
}
