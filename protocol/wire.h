/* The codec: one for all messages, led by the tables of message.h.
 *
 * Decoding copies no text: strings, bytes and records point into the input, which has to live as
 * long as the struct; arrays come from the arena. Fields that a version does not have get Kafka's
 * defaults. What a peer declares is never believed:
 *   - the count of an array is at most WIRE_ARRAY_MAX, at most what the bytes that are left can
 *     hold, and its memory must fit under the arena's limit;
 *   - a struct has at most WIRE_TAGS_MAX tagged fields, in ascending order (KIP-482); unknown ones
 *     are skipped and cost no memory;
 *   - a variable-length number has at most 5 bytes; nesting is bounded by the tables;
 *   - null where the version has no null, a length past the end, and bytes left over are errors.
 * Kafka itself ignores bytes after the body, and librdkafka sends some: for those, and for a
 * header, which the body follows, there is wire_decode_part().
 *
 * Encoding writes the fields that the version has and leaves out the others; a tagged field is
 * written when its value is not the default. The result is a list of pieces to send: memory of the
 * arena, and the record batches of responses where they lie, which must stay until they are sent.
 * Where a version has no null, null is written as empty; a string is cut at 32,767 bytes.
 *
 * Formats: the Kafka protocol guide, KIP-482 (flexible versions, tagged fields). */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "protocol/message.h"

enum { WIRE_ARRAY_MAX = 1000000, WIRE_TAGS_MAX = 64 };

/* What to send, in order. */
struct wire_output {
    struct bytes *pieces;
    uint32_t count;
    size_t total; /* of all pieces */

    /* Of the encoder. */
    uint32_t capacity;
    struct arena *arena;
    uint8_t *start, *next, *end; /* the chunk being written; start: what is not in a piece yet */
    size_t chunk_size;
    bool measuring, failed;
    size_t measured;
};

/* Reads a whole message into `out`, the struct of the message. On false, the error names message,
 * field and problem; `out` is then not to be used. A version outside the definition is an error. */
bool wire_decode(const struct message *message, int version, struct bytes in, struct arena *arena,
                 void *out, struct error *error);
/* As wire_decode, of the beginning of `in`, which is moved behind what was read. */
bool wire_decode_part(const struct message *message, int version, struct bytes *in,
                      struct arena *arena, void *out, struct error *error);

/* Writes one message. False only when the arena's limit is reached. */
bool wire_encode(const struct message *message, int version, const void *in, struct arena *arena,
                 struct wire_output *out);
/* Writes a frame: four bytes of length, a header, a body. Either message may be NULL. */
bool wire_encode_frame(const struct message *header_message, int header_version, const void *header,
                       const struct message *body_message, int body_version, const void *body,
                       struct arena *arena, struct wire_output *out);
/* The pieces copied into one, for tests and clients. */
struct bytes wire_join(const struct wire_output *out, struct arena *arena);
