/* Slices of memory that somebody else owns, and big-endian loads and stores (Kafka's byte order).
 * A slice with at == NULL is "null" (Kafka's nullable strings and bytes); len is 0 then. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at;
    size_t len;
};

#define BYTES_NULL ((struct bytes){NULL, 0})
/* A slice over a string literal, without its terminator. */
#define BYTES_OF(literal) ((struct bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})
/* For printf("%.*s"). */
#define BYTES_FORMAT(b) (int)(b).len, (const char *)(b).at

static inline struct bytes bytes_make(const void *at, size_t len) {
    return (struct bytes){at, len};
}

static inline struct bytes bytes_of_text(const char *text) {
    return (struct bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

static inline bool bytes_is_null(struct bytes b) { return b.at == NULL; }

static inline bool bytes_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Order as memcmp, shorter first when one is the other's prefix. */
static inline int bytes_compare(struct bytes a, struct bytes b) {
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.at, b.at, shared) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool bytes_equal_text(struct bytes a, const char *text) {
    return bytes_equal(a, bytes_of_text(text));
}

static inline bool bytes_starts_with(struct bytes a, struct bytes prefix) {
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.at, prefix.at, prefix.len) == 0);
}

static inline uint16_t load_u16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static inline uint32_t load_u32(const uint8_t *at) {
    uint32_t raw;
    memcpy(&raw, at, 4);
    return __builtin_bswap32(raw);
}
static inline uint64_t load_u64(const uint8_t *at) {
    uint64_t raw;
    memcpy(&raw, at, 8);
    return __builtin_bswap64(raw);
}
static inline int16_t load_i16(const uint8_t *at) { return (int16_t)load_u16(at); }
static inline int32_t load_i32(const uint8_t *at) { return (int32_t)load_u32(at); }
static inline int64_t load_i64(const uint8_t *at) { return (int64_t)load_u64(at); }

static inline void store_u16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}
static inline void store_u32(uint8_t *at, uint32_t value) {
    value = __builtin_bswap32(value);
    memcpy(at, &value, 4);
}
static inline void store_u64(uint8_t *at, uint64_t value) {
    value = __builtin_bswap64(value);
    memcpy(at, &value, 8);
}
static inline void store_i16(uint8_t *at, int16_t value) { store_u16(at, (uint16_t)value); }
static inline void store_i32(uint8_t *at, int32_t value) { store_u32(at, (uint32_t)value); }
static inline void store_i64(uint8_t *at, int64_t value) { store_u64(at, (uint64_t)value); }

/* Sizes rounded to a power of two. */
static inline uint64_t round_down(uint64_t value, uint64_t power) { return value & ~(power - 1); }
static inline uint64_t round_up(uint64_t value, uint64_t power) {
    return (value + power - 1) & ~(power - 1);
}
