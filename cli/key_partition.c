#include "cli/key_partition.h"

/* MurmurHash2 by Austin Appleby, public domain: little-endian words, seed 0x9747b28c. */
uint32_t murmur2(struct bytes key) {
    const uint32_t factor = 0x5bd1e995;
    uint32_t hash = 0x9747b28c ^ (uint32_t)key.len;
    const uint8_t *at = key.at;
    size_t left = key.len;
    for (; left >= 4; at += 4, left -= 4) {
        uint32_t word =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        word *= factor;
        word ^= word >> 24;
        hash = (hash * factor) ^ (word * factor);
    }
    for (size_t tail = left; tail > 0; tail--) hash ^= (uint32_t)at[tail - 1] << (8 * (tail - 1));
    if (left) hash *= factor;
    hash ^= hash >> 13;
    hash *= factor;
    return hash ^ hash >> 15;
}

int32_t key_partition(struct bytes key, int32_t partition_count) {
    return (int32_t)(murmur2(key) & 0x7fffffff) % partition_count;
}
