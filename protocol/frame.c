#include "protocol/frame.h"

#include <errno.h>

#include "base/memory.h"

/* What other protocols begin with. Read as a length, each is above a gibibyte or negative, or (TLS)
 * above 300 MiB, so that a frame of a sane size never looks like one. */
static const struct {
    struct bytes start;
    const char *what;
} strangers[] = {
    {BYTES_OF("GET "), "an HTTP request: this is Kafka's port"},
    {BYTES_OF("POST"), "an HTTP request: this is Kafka's port"},
    {BYTES_OF("PUT "), "an HTTP request: this is Kafka's port"},
    {BYTES_OF("HEAD"), "an HTTP request: this is Kafka's port"},
    {BYTES_OF("DELE"), "an HTTP request: this is Kafka's port"},
    {BYTES_OF("OPTI"), "an HTTP request: this is Kafka's port"},
    {BYTES_OF("CONN"), "an HTTP request: this is Kafka's port"},
    {BYTES_OF("PRI "), "an HTTP/2 request: this is Kafka's port"},
    {BYTES_OF("SSH-"), "an SSH client: this is Kafka's port"},
    {BYTES_OF("\x16\x03"), "a TLS handshake: this listener is plain text (security.protocol)"},
};

static bool name_stranger(struct bytes in, struct error *error) {
    for (size_t i = 0; i < array_count(strangers); i++) {
        if (!bytes_starts_with(in, strangers[i].start)) continue;
        return error_set(error, EPROTO, "the peer sent %s", strangers[i].what);
    }
    return true;
}

enum frame_state frame_peek(struct bytes in, uint32_t length_max, struct frame_prefix *prefix,
                            struct error *error) {
    if (in.len < FRAME_LENGTH_SIZE) return FRAME_PARTIAL;
    int32_t length = load_i32(in.at);
    if (length < FRAME_LENGTH_MIN || (uint32_t)length > length_max) {
        if (name_stranger(in, error)) {
            error_set(error, EMSGSIZE, "the frame declares %d bytes (%d to %u are allowed)", length,
                      FRAME_LENGTH_MIN, length_max);
        }
        return FRAME_BAD;
    }
    if (in.len < FRAME_PREFIX_SIZE) return FRAME_PARTIAL;
    *prefix = (struct frame_prefix){
        .length = (uint32_t)length,
        .api_key = load_i16(in.at + 4),
        .api_version = load_i16(in.at + 6),
    };
    return FRAME_READY;
}
