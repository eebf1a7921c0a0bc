/* Bytes that grow: for output whose length is known only when it is complete (encoded batches,
 * inflated records, snapshots). Growth doubles, so that appending stays linear. */
#pragma once

#include "base/bytes.h"
#include "base/memory.h"

struct byte_buffer {
    uint8_t *at; /* NULL while nothing was reserved */
    size_t len, capacity;
};

static inline void byte_buffer_deinit(struct byte_buffer *buffer) {
    free(buffer->at);
    *buffer = (struct byte_buffer){0};
}

/* Room for `more` bytes behind the content; returns where they go. The caller raises `len`. */
static inline uint8_t *byte_buffer_reserve(struct byte_buffer *buffer, size_t more) {
    if (more > buffer->capacity - buffer->len) {
        size_t capacity = buffer->capacity ? buffer->capacity * 2 : 256;
        while (capacity - buffer->len < more) capacity *= 2;
        buffer->at = (uint8_t *)memory_resize(buffer->at, capacity);
        buffer->capacity = capacity;
    }
    return buffer->at + buffer->len;
}

static inline void byte_buffer_append(struct byte_buffer *buffer, struct bytes more) {
    if (!more.len) return;
    memcpy(byte_buffer_reserve(buffer, more.len), more.at, more.len);
    buffer->len += more.len;
}

/* Numbers, little-endian (base/bytes.h). */
static inline void byte_buffer_put_u8(struct byte_buffer *buffer, uint8_t value) {
    *byte_buffer_reserve(buffer, 1) = value;
    buffer->len++;
}
static inline void byte_buffer_put_u32(struct byte_buffer *buffer, uint32_t value) {
    store_u32(byte_buffer_reserve(buffer, 4), value);
    buffer->len += 4;
}
static inline void byte_buffer_put_u64(struct byte_buffer *buffer, uint64_t value) {
    store_u64(byte_buffer_reserve(buffer, 8), value);
    buffer->len += 8;
}
static inline void byte_buffer_put_i64(struct byte_buffer *buffer, int64_t value) {
    byte_buffer_put_u64(buffer, (uint64_t)value);
}

/* Valid until the next reserve or append. */
static inline struct bytes byte_buffer_bytes(const struct byte_buffer *buffer) {
    return bytes_make(buffer->at ? buffer->at : (const uint8_t *)"", buffer->len);
}
