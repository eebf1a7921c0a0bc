/* Variable-length integers as Kafka's messages (unsigned) and records (zigzag) carry them: seven
 * bits a byte, the lowest first, the top bit set on all but the last byte (Protobuf's base 128).
 * Take functions consume from the front of a slice and answer false, with the slice untouched, when
 * it ends too early or the value does not fit its type. Put functions need VARINT_*_MAX bytes of
 * room and return how many they wrote. */
#pragma once

#include "base/bytes.h"

enum { VARINT_32_MAX = 5, VARINT_64_MAX = 10 };

/* The core: from `at`, which is before `end`; returns where it stopped, or NULL. Pointers instead
 * of a slice, because record parsing lives on this. */
static inline const uint8_t *varint_read_long(const uint8_t *at, const uint8_t *end,
                                              size_t bytes_max, uint64_t *value) {
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes_max && at < end; i++) {
        uint8_t byte = *at++;
        if (i == VARINT_64_MAX - 1 && byte > 1) return NULL;
        sum |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        *value = sum;
        return at;
    }
    return NULL;
}

static inline const uint8_t *varint_read_u64(const uint8_t *at, const uint8_t *end,
                                             uint64_t *value) {
    if (__builtin_expect(at < end && *at < 0x80, 1)) {
        *value = *at;
        return at + 1;
    }
    return varint_read_long(at, end, VARINT_64_MAX, value);
}

static inline const uint8_t *varint_read_u32(const uint8_t *at, const uint8_t *end,
                                             uint32_t *value) {
    if (__builtin_expect(at < end && *at < 0x80, 1)) {
        *value = *at;
        return at + 1;
    }
    if (__builtin_expect(end - at >= 2 && at[1] < 0x80, 1)) {
        *value = (at[0] & 0x7fu) | (uint32_t)at[1] << 7;
        return at + 2;
    }
    uint64_t wide = 0;
    at = varint_read_long(at, end, VARINT_32_MAX, &wide);
    *value = (uint32_t)wide;
    return wide <= UINT32_MAX ? at : NULL;
}

static inline int32_t zigzag_32_back(uint32_t raw) {
    return (int32_t)(raw >> 1 ^ (raw & 1 ? UINT32_MAX : 0));
}
static inline int64_t zigzag_64_back(uint64_t raw) {
    return (int64_t)(raw >> 1 ^ (raw & 1 ? UINT64_MAX : 0));
}

static inline bool varint_moved(struct bytes *from, const uint8_t *to) {
    if (to) *from = bytes_make(to, from->len - (size_t)(to - from->at));
    return to;
}

static inline bool varint_take_u64(struct bytes *from, uint64_t *value) {
    if (from->len == 0) return false;
    return varint_moved(from, varint_read_u64(from->at, from->at + from->len, value));
}

static inline bool varint_take_u32(struct bytes *from, uint32_t *value) {
    if (from->len == 0) return false;
    return varint_moved(from, varint_read_u32(from->at, from->at + from->len, value));
}

static inline uint32_t zigzag_32(int32_t value) {
    return (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0);
}
static inline uint64_t zigzag_64(int64_t value) {
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static inline bool varint_take_i32(struct bytes *from, int32_t *value) {
    uint32_t raw;
    if (!varint_take_u32(from, &raw)) return false;
    *value = zigzag_32_back(raw);
    return true;
}

static inline bool varint_take_i64(struct bytes *from, int64_t *value) {
    uint64_t raw;
    if (!varint_take_u64(from, &raw)) return false;
    *value = zigzag_64_back(raw);
    return true;
}

static inline size_t varint_put_u64(uint8_t *at, uint64_t value) {
    size_t len = 0;
    for (; value >= 0x80; value >>= 7) at[len++] = (uint8_t)(value | 0x80);
    at[len++] = (uint8_t)value;
    return len;
}
static inline size_t varint_put_u32(uint8_t *at, uint32_t value) {
    return varint_put_u64(at, value);
}
static inline size_t varint_put_i32(uint8_t *at, int32_t value) {
    return varint_put_u64(at, zigzag_32(value));
}
static inline size_t varint_put_i64(uint8_t *at, int64_t value) {
    return varint_put_u64(at, zigzag_64(value));
}

static inline size_t varint_size_u64(uint64_t value) {
    size_t bits = 64 - (size_t)__builtin_clzll(value | 1);
    return (bits + 6) / 7;
}
static inline size_t varint_size_u32(uint32_t value) { return varint_size_u64(value); }
static inline size_t varint_size_i32(int32_t value) { return varint_size_u64(zigzag_32(value)); }
static inline size_t varint_size_i64(int64_t value) { return varint_size_u64(zigzag_64(value)); }
