#include "protocol/record.h"

#include "base/check.h"
#include "protocol/varint.h"

/* Each read function goes on from `at` and returns where it stopped, or NULL; `end` is the end of
 * the record. Plain pointers, because a broker walks every record of every batch. */

static inline const uint8_t *read_i32(const uint8_t *at, const uint8_t *end, int32_t *value) {
    uint32_t raw = 0;
    at = varint_read_u32(at, end, &raw);
    *value = zigzag_32_back(raw);
    return at;
}

static inline const uint8_t *read_i64(const uint8_t *at, const uint8_t *end, int64_t *value) {
    uint64_t raw = 0;
    at = varint_read_u64(at, end, &raw);
    *value = zigzag_64_back(raw);
    return at;
}

/* A length and that many bytes; -1 is null where that is allowed. */
static inline const uint8_t *read_bytes(const uint8_t *at, const uint8_t *end, bool nullable,
                                        struct bytes *value) {
    int32_t len;
    *value = BYTES_NULL;
    if (!(at = read_i32(at, end, &len))) return NULL;
    if (len < 0) return nullable && len == -1 ? at : NULL;
    if (len > end - at) return NULL;
    *value = bytes_make(at, (size_t)len);
    return at + len;
}

/* The headers must fill the record to its end. */
static bool headers_are_sound(const uint8_t *at, const uint8_t *end, int32_t count) {
    struct bytes part;
    if (count < 0) return false;
    for (int32_t i = 0; i < count; i++) {
        if (!(at = read_bytes(at, end, false, &part))) return false;
        if (!(at = read_bytes(at, end, true, &part))) return false;
    }
    return at == end;
}

static inline bool read_body(const uint8_t *at, const uint8_t *end, struct record *record) {
    if (at == end) return false;
    record->attributes = (int8_t)*at++;
    if (!(at = read_i64(at, end, &record->timestamp_delta))) return false;
    if (!(at = read_i32(at, end, &record->offset_delta))) return false;
    if (!(at = read_bytes(at, end, true, &record->key))) return false;
    if (!(at = read_bytes(at, end, true, &record->value))) return false;
    if (!(at = read_i32(at, end, &record->header_count))) return false;
    record->headers = bytes_make(at, (size_t)(end - at));
    return headers_are_sound(at, end, record->header_count);
}

enum record_result record_next(struct bytes *rest, struct record *record) {
    if (rest->len == 0) return RECORD_END;
    const uint8_t *at = rest->at, *end = at + rest->len;
    int32_t len;
    at = read_i32(at, end, &len);
    if (!at || len < 0 || len > end - at) return RECORD_BROKEN;
    if (!read_body(at, at + len, record)) return RECORD_BROKEN;
    rest->at = at + len;
    rest->len = (size_t)(end - rest->at);
    return RECORD_READ;
}

bool record_header_next(struct bytes *rest, struct record_header *header) {
    if (rest->len == 0) return false;
    const uint8_t *at = rest->at, *end = at + rest->len;
    at = read_bytes(at, end, false, &header->key);
    check(at && "record_next() has checked the headers");
    at = read_bytes(at, end, true, &header->value);
    check(at && "record_next() has checked the headers");
    *rest = bytes_make(at, (size_t)(end - at));
    return true;
}

static size_t size_bytes(struct bytes value) {
    return varint_size_i32(bytes_is_null(value) ? -1 : (int32_t)value.len) + value.len;
}

/* Without the length in front. */
static size_t size_body(const struct record *record, const struct record_header *headers) {
    size_t size = 1 + varint_size_i64(record->timestamp_delta) +
                  varint_size_i32(record->offset_delta) + size_bytes(record->key) +
                  size_bytes(record->value) + varint_size_i32(record->header_count);
    for (int32_t i = 0; i < record->header_count; i++) {
        size += size_bytes(headers[i].key) + size_bytes(headers[i].value);
    }
    check(size <= INT32_MAX);
    return size;
}

size_t record_size(const struct record *record, const struct record_header *headers) {
    size_t body = size_body(record, headers);
    return varint_size_i32((int32_t)body) + body;
}

static uint8_t *put_bytes(uint8_t *at, struct bytes value) {
    at += varint_put_i32(at, bytes_is_null(value) ? -1 : (int32_t)value.len);
    if (value.len) memcpy(at, value.at, value.len);
    return at + value.len;
}

size_t record_write(uint8_t *at, const struct record *record, const struct record_header *headers) {
    uint8_t *start = at;
    at += varint_put_i32(at, (int32_t)size_body(record, headers));
    *at++ = (uint8_t)record->attributes;
    at += varint_put_i64(at, record->timestamp_delta);
    at += varint_put_i32(at, record->offset_delta);
    at = put_bytes(at, record->key);
    at = put_bytes(at, record->value);
    at += varint_put_i32(at, record->header_count);
    for (int32_t i = 0; i < record->header_count; i++) {
        check(!bytes_is_null(headers[i].key));
        at = put_bytes(put_bytes(at, headers[i].key), headers[i].value);
    }
    return (size_t)(at - start);
}
