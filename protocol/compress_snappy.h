/* Snappy's block format, from its public format description; used by compress.c only. */
#pragma once

#include "base/byte_buffer.h"
#include "protocol/compress.h"

/* Appends what `from`, one raw block or a xerial stream of blocks, inflates to; at most output_max
 * bytes in all. */
enum inflate_result snappy_inflate(struct bytes from, size_t output_max, struct byte_buffer *out);
/* Appends `from` as a xerial stream, which every Kafka client reads. */
void snappy_deflate(struct bytes from, struct byte_buffer *out);
