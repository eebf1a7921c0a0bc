#include "base/uuid.h"

#include <sys/random.h>

#include "base/check.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void uuid_make(struct uuid *id) {
    char text[UUID_TEXT_SIZE];
    do {
        check(getrandom(id->raw, sizeof id->raw, 0) == (ssize_t)sizeof id->raw);
        id->raw[6] = (uint8_t)((id->raw[6] & 0x0f) | 0x40);
        id->raw[8] = (uint8_t)((id->raw[8] & 0x3f) | 0x80);
        uuid_format(id, text);
    } while (text[0] == '-');
}

void uuid_format(const struct uuid *id, char text[UUID_TEXT_SIZE]) {
    unsigned bits = 0, held = 0, at = 0;
    for (unsigned byte = 0; byte < 16; byte++) {
        bits = bits << 8 | id->raw[byte];
        for (held += 8; held >= 6; held -= 6) text[at++] = digits[bits >> (held - 6) & 63];
    }
    text[at++] = digits[bits << (6 - held) & 63];
    text[at] = 0;
}

bool uuid_parse(struct bytes text, struct uuid *id) {
    if (text.len != UUID_TEXT_SIZE - 1) return false;
    unsigned bits = 0, held = 0, byte = 0;
    for (size_t at = 0; at < text.len; at++) {
        const char *digit = text.at[at] ? strchr(digits, text.at[at]) : NULL;
        if (!digit) return false;
        bits = bits << 6 | (unsigned)(digit - digits);
        held += 6;
        if (held >= 8 && byte < 16) {
            held -= 8;
            id->raw[byte++] = (uint8_t)(bits >> held);
        }
    }
    return byte == 16;
}
