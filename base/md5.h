/* MD5 (RFC 1321), where a format of others asks for it: the registry's ids of schemas. Not for
 * anything that has to withstand an attacker. */
#pragma once

#include "base/bytes.h"

enum { MD5_SIZE = 16, MD5_BLOCK_SIZE = 64 };

struct md5 {
    uint32_t state[4];
    uint64_t total;
    uint8_t block[MD5_BLOCK_SIZE];
};

void md5_init(struct md5 *md5);
void md5_add(struct md5 *md5, struct bytes more);
void md5_finish(struct md5 *md5, uint8_t digest[MD5_SIZE]);
