/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): Kafka's batch checksum and ours for every block on
 * disk. Chooses the fastest kernel that the processor has, once. */
#pragma once

#include "base/bytes.h"

/* Continues `crc` over more bytes; begin with 0. */
uint32_t crc32c_extend(uint32_t crc, const void *at, size_t len);
static inline uint32_t crc32c(const void *at, size_t len) { return crc32c_extend(0, at, len); }
