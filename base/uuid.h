/* 16-byte ids as Kafka prints them: 22 characters of URL-safe base64 without padding. The zero id
 * means "none" on the wire. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct uuid {
    uint8_t raw[16];
};

enum { UUID_TEXT_SIZE = 23 }; /* with the terminator */

static inline bool uuid_is_zero(const struct uuid *id) {
    static const struct uuid zero;
    return memcmp(id, &zero, sizeof zero) == 0;
}
static inline bool uuid_equal(const struct uuid *a, const struct uuid *b) {
    return memcmp(a, b, sizeof *a) == 0;
}
/* A random version 4 id whose text never begins with '-' (command lines would misread it). */
void uuid_make(struct uuid *id);
void uuid_format(const struct uuid *id, char text[UUID_TEXT_SIZE]);
bool uuid_parse(struct bytes text, struct uuid *id);
