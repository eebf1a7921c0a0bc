/* Base64 with padding (RFC 4648, section 4). */
#pragma once

#include "base/byte_buffer.h"
#include "base/text.h"

void base64_encode(struct bytes from, struct text *out);
/* Appends; padding may be missing, spaces and line ends are passed over. False for anything else;
 * `out` may have grown then. */
bool base64_decode(struct bytes from, struct byte_buffer *out);
