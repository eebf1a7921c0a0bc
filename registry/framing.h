/* How a record says which schema it was written with, in Confluent's wire format:
 *
 *   prefix   00 | id u32 big-endian | indexes | payload
 *            01 | GUID, 16 bytes    | indexes | payload
 *   header   the same without the payload, in the record header __value_schema_id (or
 *            __key_schema_id); the value is then the bare payload
 *
 * `indexes` names the message of the file: a count and as many indexes, zigzag varints; [0], the
 * first message, is the single byte 00. Nothing is looked up or copied here; slices point into the
 * record. On failure `problem` says what is wrong, in words that do not repeat the record's bytes.
 */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

enum { FRAMING_PATH_MAX = 32, FRAMING_GUID_SIZE = 16 };

enum framing_form { FRAMING_ID, FRAMING_GUID };

struct framed {
    enum framing_form form;
    uint32_t id;                     /* FRAMING_ID */
    uint8_t guid[FRAMING_GUID_SIZE]; /* FRAMING_GUID */
    int32_t path[FRAMING_PATH_MAX];
    size_t path_length; /* at least 1 */
    struct bytes payload;
};

/* The two steps of it: schemas that are not Protobuf have no indexes. Both take bytes off the front
 * of `rest`. */
bool framing_take_schema(struct bytes *rest, struct framed *framed, const char **problem);
bool framing_take_path(struct bytes *rest, struct framed *framed, const char **problem);
/* Both steps. */
bool framing_read_prefix(struct bytes value, struct framed *framed, const char **problem);
/* The value of the last header of that name in a record's headers (protocol/record.h); at == NULL
 * when there is none. */
struct bytes framing_find_header(struct bytes headers, const char *name);
