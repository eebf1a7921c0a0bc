/* Variable-length integers as Kafka's messages (unsigned) and records (zigzag) carry them: seven
 * bits a byte, the lowest first, the top bit set on all but the last byte (Protobuf's base 128).
 * Take functions consume from the front of a slice and answer false, with the slice untouched, when
 * it ends too early or the value does not fit its type. Put functions need VARINT_*_MAX bytes of
 * room and return how many they wrote. */
#pragma once

#include "base/bytes.h"

enum { VARINT_32_MAX = 5, VARINT_64_MAX = 10 };

static inline bool varint_take_u64(struct bytes *from, uint64_t *value) {
    uint64_t sum = 0;
    size_t limit = from->len < VARINT_64_MAX ? from->len : VARINT_64_MAX;
    for (size_t i = 0; i < limit; i++) {
        uint8_t byte = from->at[i];
        if (i == VARINT_64_MAX - 1 && byte > 1) return false;
        sum |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        *value = sum;
        *from = bytes_make(from->at + i + 1, from->len - i - 1);
        return true;
    }
    return false;
}

static inline bool varint_take_u32(struct bytes *from, uint32_t *value) {
    if (__builtin_expect(from->len && from->at[0] < 0x80, 1)) {
        *value = from->at[0];
        *from = bytes_make(from->at + 1, from->len - 1);
        return true;
    }
    struct bytes rest = from->len > VARINT_32_MAX ? bytes_make(from->at, VARINT_32_MAX) : *from;
    uint64_t wide;
    if (!varint_take_u64(&rest, &wide) || wide > UINT32_MAX) return false;
    size_t taken = (size_t)(rest.at - from->at);
    *from = bytes_make(from->at + taken, from->len - taken);
    *value = (uint32_t)wide;
    return true;
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
    *value = (int32_t)(raw >> 1 ^ (raw & 1 ? UINT32_MAX : 0));
    return true;
}

static inline bool varint_take_i64(struct bytes *from, int64_t *value) {
    uint64_t raw;
    if (!varint_take_u64(from, &raw)) return false;
    *value = (int64_t)(raw >> 1 ^ (raw & 1 ? UINT64_MAX : 0));
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
