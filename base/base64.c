#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes from, struct text *out) {
    char piece[4 * 192];
    size_t len = 0;
    for (size_t i = 0; i < from.len; i += 3) {
        size_t left = from.len - i;
        uint32_t value = (uint32_t)from.at[i] << 16;
        if (left > 1) value |= (uint32_t)from.at[i + 1] << 8;
        if (left > 2) value |= from.at[i + 2];
        piece[len++] = digits[value >> 18];
        piece[len++] = digits[value >> 12 & 63];
        piece[len++] = left > 1 ? digits[value >> 6 & 63] : '=';
        piece[len++] = left > 2 ? digits[value & 63] : '=';
        if (len < sizeof piece && left > 3) continue;
        text_append(out, bytes_make(piece, len));
        len = 0;
    }
}

static int value_of(uint8_t byte) {
    if (byte >= 'A' && byte <= 'Z') return byte - 'A';
    if (byte >= 'a' && byte <= 'z') return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9') return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

bool base64_decode(struct bytes from, struct byte_buffer *out) {
    uint32_t value = 0;
    size_t count = 0, padding = 0;
    for (size_t i = 0; i < from.len; i++) {
        uint8_t byte = from.at[i];
        if (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') continue;
        int digit = value_of(byte);
        if (byte == '=' && ++padding <= 2) continue;
        if (digit < 0 || padding > 0) return false;
        value = value << 6 | (uint32_t)digit;
        if (++count % 4 != 0) continue;
        uint8_t three[] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
        byte_buffer_append(out, bytes_make(three, 3));
        value = 0;
    }
    size_t rest = count % 4;
    if (rest == 1 || (padding > 0 && (count + padding) % 4 != 0)) return false;
    value <<= 6 * (4 - rest);
    uint8_t three[] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    if (rest > 1) byte_buffer_append(out, bytes_make(three, rest - 1));
    return true;
}
