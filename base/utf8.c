#include "base/utf8.h"

size_t utf8_length(const uint8_t *at, size_t left) {
    uint8_t lead = at[0], low = 0x80, high = 0xbf;
    size_t len = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead > 0xf4 || len > left) return 0;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    for (size_t next = 1; next < len; next++) {
        if (at[next] < low || at[next] > high) return 0;
        low = 0x80, high = 0xbf;
    }
    return len;
}

size_t utf8_valid_length(struct bytes text) {
    size_t at = 0;
    while (at < text.len) {
        uint64_t word = UINT64_MAX;
        if (text.len - at >= sizeof word) memcpy(&word, text.at + at, sizeof word);
        if (!(word & 0x8080808080808080ull)) {
            at += sizeof word;
            continue;
        }
        size_t len = utf8_length(text.at + at, text.len - at);
        if (len == 0) return at;
        at += len;
    }
    return at;
}
