#include "protocol/record.h"

#include "base/check.h"
#include "protocol/varint.h"

/* A length and that many bytes; -1 is null where that is allowed. */
static bool take_bytes(struct bytes *rest, bool nullable, struct bytes *value) {
    int32_t len;
    if (!varint_take_i32(rest, &len)) return false;
    if (len < 0) {
        *value = BYTES_NULL;
        return nullable && len == -1;
    }
    if ((size_t)len > rest->len) return false;
    *value = bytes_make(rest->at, (size_t)len);
    *rest = bytes_make(rest->at + len, rest->len - (size_t)len);
    return true;
}

/* The headers must fill the record to its end. */
static bool take_headers(struct bytes body, struct record *record) {
    record->headers = body;
    if (record->header_count < 0) return false;
    for (int32_t i = 0; i < record->header_count; i++) {
        struct bytes key, value;
        if (!take_bytes(&body, false, &key) || !take_bytes(&body, true, &value)) return false;
    }
    return body.len == 0;
}

enum record_result record_next(struct bytes *rest, struct record *record) {
    if (rest->len == 0) return RECORD_END;
    struct bytes after = *rest, body;
    if (!take_bytes(&after, false, &body) || body.len == 0) return RECORD_BROKEN;
    record->attributes = (int8_t)body.at[0];
    body = bytes_make(body.at + 1, body.len - 1);
    if (!varint_take_i64(&body, &record->timestamp_delta)) return RECORD_BROKEN;
    if (!varint_take_i32(&body, &record->offset_delta)) return RECORD_BROKEN;
    if (!take_bytes(&body, true, &record->key)) return RECORD_BROKEN;
    if (!take_bytes(&body, true, &record->value)) return RECORD_BROKEN;
    if (!varint_take_i32(&body, &record->header_count)) return RECORD_BROKEN;
    if (!take_headers(body, record)) return RECORD_BROKEN;
    *rest = after;
    return RECORD_READ;
}

bool record_header_next(struct bytes *rest, struct record_header *header) {
    if (rest->len == 0) return false;
    bool read = take_bytes(rest, false, &header->key) && take_bytes(rest, true, &header->value);
    check(read && "record_next() has checked the headers");
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
