#include "base/md5.h"

/* floor(2^32 * abs(sin(i + 1))) */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
static const uint8_t shifts[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotate(uint32_t value, unsigned by) { return value << by | value >> (32 - by); }

static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d) {
    switch (round) {
        case 0: return (b & c) | (~b & d);
        case 1: return (d & b) | (~d & c);
        case 2: return b ^ c ^ d;
        default: return c ^ (b | ~d);
    }
}

static unsigned word_of(unsigned round, unsigned step) {
    switch (round) {
        case 0: return step;
        case 1: return (5 * step + 1) % 16;
        case 2: return (3 * step + 5) % 16;
        default: return 7 * step % 16;
    }
}

static void block_add(struct md5 *md5) {
    uint32_t words[16], a = md5->state[0], b = md5->state[1], c = md5->state[2], d = md5->state[3];
    memcpy(words, md5->block, sizeof words); /* little-endian, and so is this */
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16;
        uint32_t sum = a + mix(round, b, c, d) + sines[i] + words[word_of(round, i % 16)];
        a = d;
        d = c;
        c = b;
        b += rotate(sum, shifts[round][i % 4]);
    }
    md5->state[0] += a;
    md5->state[1] += b;
    md5->state[2] += c;
    md5->state[3] += d;
}

void md5_init(struct md5 *md5) {
    *md5 = (struct md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_add(struct md5 *md5, struct bytes more) {
    while (more.len > 0) {
        size_t used = md5->total % MD5_BLOCK_SIZE, room = MD5_BLOCK_SIZE - used;
        size_t len = more.len < room ? more.len : room;
        memcpy(md5->block + used, more.at, len);
        md5->total += len;
        more = bytes_make(more.at + len, more.len - len);
        if (len == room) block_add(md5);
    }
}

void md5_finish(struct md5 *md5, uint8_t digest[MD5_SIZE]) {
    static const uint8_t padding[MD5_BLOCK_SIZE] = {0x80};
    uint64_t bits = md5->total * 8;
    size_t used = md5->total % MD5_BLOCK_SIZE;
    md5_add(md5, bytes_make(padding, used < 56 ? 56 - used : 120 - used));
    md5_add(md5, bytes_make(&bits, sizeof bits));
    memcpy(digest, md5->state, MD5_SIZE);
}
