/* The beginning of a request frame, read before the rest has arrived:
 *
 *      0         4          6          8               12
 *      | length  | API key  | version  | correlation   | client id …
 *
 * The length counts what follows it. From these eight bytes a broker decides whether and where the
 * frame is read; a peer that does not speak Kafka is told from them too, so that the log can say
 * what it was. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
    FRAME_LENGTH_SIZE = 4,
    FRAME_PREFIX_SIZE = 8, /* length, key, version */
    FRAME_LENGTH_MIN = 8,  /* key, version, correlation id: less is no request */
};

enum frame_state {
    FRAME_PARTIAL, /* fewer than eight bytes so far, and nothing wrong with them */
    FRAME_READY,
    FRAME_BAD, /* the error says why; the connection cannot go on */
};

struct frame_prefix {
    uint32_t length; /* of the frame without its length field */
    int16_t api_key, api_version;
};

/* Reads the prefix of a request frame; `length_max` bounds the length. */
enum frame_state frame_peek(struct bytes in, uint32_t length_max, struct frame_prefix *prefix,
                            struct error *error);
