/* One field of a Protobuf message after the other, for messages that are read here and not on the
 * path of records: descriptors and options. Groups and broken bytes end the walk with `broken`. */
#pragma once

#include "protocol/varint.h"

enum wire_type { WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES, WIRE_GROUP, WIRE_END_GROUP, WIRE_FIXED32 };

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;     /* varint and fixed, as they are on the wire */
    struct bytes bytes; /* WIRE_BYTES */
};

static inline bool wire_take_fixed(struct bytes *rest, size_t size, uint64_t *value) {
    if (rest->len < size) return false;
    *value = 0;
    memcpy(value, rest->at, size); /* Protobuf is little-endian, and so is this */
    *rest = bytes_make(rest->at + size, rest->len - size);
    return true;
}

/* Takes the next field off `rest`; false at the end, or with *broken set. */
static inline bool wire_field_next(struct bytes *rest, struct wire_field *field, bool *broken) {
    uint32_t tag = 0;
    uint64_t value = 0;
    if (rest->len == 0) return false;
    bool read = varint_take_u32(rest, &tag) && tag >> 3 != 0;
    *field = (struct wire_field){.number = tag >> 3, .type = (enum wire_type)(tag & 7)};
    switch (tag & 7) {
        case WIRE_VARINT: read = read && varint_take_u64(rest, &field->value); break;
        case WIRE_FIXED64: read = read && wire_take_fixed(rest, 8, &field->value); break;
        case WIRE_FIXED32: read = read && wire_take_fixed(rest, 4, &field->value); break;
        case WIRE_BYTES:
            read = read && varint_take_u64(rest, &value) && value <= rest->len;
            if (!read) break;
            field->bytes = bytes_make(rest->at, (size_t)value);
            *rest = bytes_make(rest->at + value, rest->len - (size_t)value);
            break;
        default: read = false;
    }
    if (!read) *broken = true;
    return read;
}
