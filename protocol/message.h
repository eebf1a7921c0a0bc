/* The shape of what generate.py writes from protocol/messages: for each message a plain struct and
 * the tables that lead the codec (wire.h) through it. A table row says where a field lies in the
 * struct, how it looks on the wire, and in which versions it is there. All tables are constant.
 *
 * How Kafka's types look in a struct:
 *   string, bytes, records of a request   struct bytes, null = BYTES_NULL
 *   records of a response                 struct record_slices, null = count -1
 *   array                                 int32_t x_count (-1 = null), then a pointer x
 *   nullable struct                       a pointer
 *   uuid, bool, float64, integers         struct uuid, bool, double, intN_t / uintN_t */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/uuid.h"

/* Record batches that a response sends from where they lie; `total` is the sum of the pieces. */
struct record_slices {
    int32_t count; /* of pieces; -1 = null */
    const struct bytes *pieces;
    size_t total;
};

enum field_type {
    FIELD_BOOL,
    FIELD_INT8,
    FIELD_INT16,
    FIELD_INT32,
    FIELD_INT64,
    FIELD_UINT16,
    FIELD_UINT32,
    FIELD_FLOAT64,
    FIELD_UUID,
    FIELD_STRING, /* at most 32,767 bytes */
    FIELD_BYTES,
    FIELD_SLICES,
    FIELD_STRUCT,
};

enum field_shape { SHAPE_ONE, SHAPE_ARRAY, SHAPE_POINTER };

struct field {
    const char *name;
    const struct layout *layout; /* of FIELD_STRUCT */
    uint16_t offset;             /* in the struct; of an array: its pointer */
    uint16_t count_offset;       /* of an array */
    uint8_t type;                /* enum field_type; of an array: its elements' */
    uint8_t shape;               /* enum field_shape */
    int8_t tag;                  /* -1: not tagged */
    int8_t first, last;          /* versions that have it */
    int8_t null_first, null_last;
    bool classic; /* never in the compact form, whatever the version */
};

struct layout {
    const char *name;
    const struct field *fields, *tagged; /* in wire order; tagged ones by ascending tag */
    const void *defaults;                /* a struct with Kafka's default values */
    const uint16_t *minimum_size;        /* on the wire, by version - message.first_version */
    uint16_t size;                       /* of the struct in memory */
    uint8_t field_count, tagged_count;
};

struct message {
    const char *name;
    const struct layout *layout;
    int16_t key; /* the API's, or -1 */
    int8_t first_version, last_version;
    int8_t flexible_version; /* the first; INT8_MAX: none */
};

/* Fills `out`, the message's struct, with Kafka's default values (0, -1, empty, null). */
static inline void message_defaults(const struct message *message, void *out) {
    memcpy(out, message->layout->defaults, message->layout->size);
}

static inline bool message_is_flexible(const struct message *message, int version) {
    return version >= message->flexible_version;
}
