#include "http/uri.h"

static int digit_of(uint8_t byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Percent-decoding; false at a malformed escape or a zero byte. */
static bool decode(struct arena *arena, struct bytes raw, bool plus_is_space,
                   struct bytes *decoded) {
    uint8_t *out = (uint8_t *)arena_try(arena, raw.len + 1);
    size_t len = 0;
    if (!out) return false;
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t byte = raw.at[i];
        if (byte == '%') {
            int high = i + 2 < raw.len ? digit_of(raw.at[i + 1]) : -1;
            int low = i + 2 < raw.len ? digit_of(raw.at[i + 2]) : -1;
            if (high < 0 || low < 0) return false;
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (byte == '+' && plus_is_space) {
            byte = ' ';
        }
        if (byte == 0) return false;
        out[len++] = byte;
    }
    *decoded = bytes_make(out, len);
    return true;
}

/* Takes what is before the next `separator` off the front; false at the end. */
static bool take_until(struct bytes *rest, char separator, struct bytes *piece) {
    if (!rest->at) return false;
    const uint8_t *end = rest->len ? (const uint8_t *)memchr(rest->at, separator, rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->at) : rest->len;
    *piece = bytes_make(rest->at, len);
    *rest = end ? bytes_make(end + 1, rest->len - len - 1) : BYTES_NULL;
    return true;
}

bool uri_split(struct arena *arena, struct bytes path, struct bytes segments[URI_SEGMENTS_MAX],
               size_t *count) {
    struct bytes raw;
    *count = 0;
    while (take_until(&path, '/', &raw)) {
        if (raw.len == 0) continue;
        if (*count == URI_SEGMENTS_MAX) return false;
        if (!decode(arena, raw, false, &segments[(*count)++])) return false;
    }
    return true;
}

bool uri_parameter(struct arena *arena, struct bytes query, const char *name, size_t index,
                   struct bytes *value) {
    struct bytes pair, key, decoded;
    while (take_until(&query, '&', &pair)) {
        if (!take_until(&pair, '=', &key)) continue;
        if (!decode(arena, key, true, &decoded) || !bytes_equal_text(decoded, name)) continue;
        if (index-- > 0) continue;
        return decode(arena, pair, true, value);
    }
    return false;
}
