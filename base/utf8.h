/* UTF-8 as Unicode defines it (table 3-7): no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
#pragma once

#include "base/bytes.h"

/* The length of the well-formed character at `at`, of which `left` bytes are there; or 0. */
size_t utf8_length(const uint8_t *at, size_t left);
/* How many bytes at the front are well-formed, in whole characters; text.len when all are. */
size_t utf8_valid_length(struct bytes text);
