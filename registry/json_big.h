/* Whole numbers beyond 64 signed bits, which jansson has no room for: they are marked, as strings
 * that begin with a character which is none (U+FFFF), before jansson sees the text. */
#pragma once

#include "base/byte_buffer.h"

#define JSON_BIG_MARK "\xef\xbf\xbf"

/* Appends the text with its large numbers marked. False when there are none, or when the mark is in
 * the text already. */
bool json_big_mark(struct bytes json, struct byte_buffer *out);
