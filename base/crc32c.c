/* Three kernels, the fastest one that the processor has:
 *
 *   fold   32 bytes per two carry-less multiplications, eight 256-bit accumulators (VPCLMULQDQ)
 *   ways   three independent streams of the CRC32 instruction, joined by multiplication (SSE 4.2)
 *   table  eight tables of 256 entries, any processor
 *
 * Method: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ" (Intel,
 * 2009) and "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction" (Intel, 2011).
 * Polynomials are bit-reflected: the lowest bit of a word is the highest power of x. A product of
 * reflected words comes out shifted by one, which the constants below already contain. */
#include "base/crc32c.h"

/* A table is linear over its index, so its 256 entries follow from the eight of single bits:
 * TABLE[k][1 << b] is the state 2^b followed by k + 1 zero bytes. */
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                        \
    (((i)&1 ? a : 0) ^ ((i)&2 ? b : 0) ^ ((i)&4 ? c : 0) ^ ((i)&8 ? d : 0) ^ ((i)&16 ? e : 0) ^ \
     ((i)&32 ? f : 0) ^ ((i)&64 ? g : 0) ^ ((i)&128 ? h : 0))
#define FOUR(i, ...)                                                                   \
    ENTRY((i), __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__), \
        ENTRY((i) + 3, __VA_ARGS__)
#define SIXTEEN(i, ...)                                                             \
    FOUR((i), __VA_ARGS__), FOUR((i) + 4, __VA_ARGS__), FOUR((i) + 8, __VA_ARGS__), \
        FOUR((i) + 12, __VA_ARGS__)
#define SIXTY_FOUR(i, ...)                                                                     \
    SIXTEEN((i), __VA_ARGS__), SIXTEEN((i) + 16, __VA_ARGS__), SIXTEEN((i) + 32, __VA_ARGS__), \
        SIXTEEN((i) + 48, __VA_ARGS__)
#define TABLE_OF(...)                                                                          \
    {                                                                                          \
        SIXTY_FOUR(0, __VA_ARGS__), SIXTY_FOUR(64, __VA_ARGS__), SIXTY_FOUR(128, __VA_ARGS__), \
            SIXTY_FOUR(192, __VA_ARGS__)                                                       \
    }

static const uint32_t TABLE[8][256] = {
    TABLE_OF(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
             0x82f63b78),
    TABLE_OF(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
             0xfbc3faf9),
    TABLE_OF(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
             0x8b277743),
    TABLE_OF(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
             0x52a0c93f),
    TABLE_OF(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
             0x6ea2d55c),
    TABLE_OF(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
             0x1c08b7d6),
    TABLE_OF(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
             0xf56e0ef4),
    TABLE_OF(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
             0x34019664),
};

static uint32_t extend_table(uint32_t state, const uint8_t *at, size_t len) {
    for (; len >= 8; at += 8, len -= 8) {
        uint32_t low = __builtin_bswap32(load_u32(at)) ^ state;
        uint32_t high = __builtin_bswap32(load_u32(at + 4));
        state = TABLE[7][low & 255] ^ TABLE[6][low >> 8 & 255] ^ TABLE[5][low >> 16 & 255] ^
                TABLE[4][low >> 24] ^ TABLE[3][high & 255] ^ TABLE[2][high >> 8 & 255] ^
                TABLE[1][high >> 16 & 255] ^ TABLE[0][high >> 24];
    }
    while (len--) state = TABLE[0][(state ^ *at++) & 255] ^ state >> 8;
    return state;
}

#ifdef __x86_64__
#include <immintrin.h>

enum {
    WAY = 512,            /* bytes per stream; three streams make one step */
    STRIDE = 256,         /* bytes per step of the folding kernel */
    FOLD_MIN = 2 * STRIDE /* below this the plain instruction is as fast */
};

/* x^(8n - 33) mod P, reflected, for n = WAY and 2 * WAY: moves a state over n bytes. */
#define SHIFT_ONE_WAY 0xdd7e3b0cul
#define SHIFT_TWO_WAYS 0x170076faul

static inline uint64_t word_at(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t extend_plain(uint32_t state, const uint8_t *at,
                                                               size_t len) {
    uint64_t wide = state;
    for (; len >= 8; at += 8, len -= 8) wide = _mm_crc32_u64(wide, word_at(at));
    state = (uint32_t)wide;
    while (len--) state = _mm_crc32_u8(state, *at++);
    return state;
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t state_shift(uint64_t state,
                                                                            uint64_t shift) {
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)state),
                                           _mm_cvtsi64_si128((long long)shift), 0);
    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t extend_ways(uint32_t state,
                                                                     const uint8_t *at,
                                                                     size_t len) {
    uint64_t first = state;
    for (; len >= 3 * WAY; at += 3 * WAY, len -= 3 * WAY) {
        uint64_t second = 0, third = 0;
        for (size_t i = 0; i < WAY; i += 8) {
            first = _mm_crc32_u64(first, word_at(at + i));
            second = _mm_crc32_u64(second, word_at(at + WAY + i));
            third = _mm_crc32_u64(third, word_at(at + 2 * WAY + i));
        }
        first = state_shift(first, SHIFT_TWO_WAYS) ^ state_shift(second, SHIFT_ONE_WAY) ^ third;
    }
    return extend_plain((uint32_t)first, at, len);
}

#define FOLD_TARGET __attribute__((target("avx2,sse4.2,pclmul,vpclmulqdq")))
/* {x^(D + 32), x^(D - 32)} mod P, reflected and shifted by one: moves an accumulator D bits on. */
#define FOLD_2048 0xdcb17aa4ll, 0xb9e02b86ll
#define FOLD_1024 0x6992cea2ll, 0x0d3b6092ll
#define FOLD_512 0x740eef02ll, 0x9e4addf8ll
#define FOLD_256 0x1384aa63all, 0xba4fc28ell
#define FOLD_128 0xf20c0dfell, 0x14cd00bd6ll

/* Arguments in memory order: the multiplier of the low half first. */
FOLD_TARGET static inline __m256i fold_pair(long long low, long long high) {
    return _mm256_set_epi64x(high, low, high, low);
}

FOLD_TARGET static inline __m256i fold(__m256i sum, __m256i multiplier, __m256i next) {
    __m256i low = _mm256_clmulepi64_epi128(sum, multiplier, 0x00);
    __m256i high = _mm256_clmulepi64_epi128(sum, multiplier, 0x11);
    return _mm256_xor_si256(_mm256_xor_si256(low, high), next);
}

/* Eight accumulators to one 128-bit value that stands for the same message, and its state. */
FOLD_TARGET static uint32_t fold_end(__m256i sum[8]) {
#pragma GCC unroll 8
    for (int i = 0; i < 4; i++) sum[i + 4] = fold(sum[i], fold_pair(FOLD_1024), sum[i + 4]);
#pragma GCC unroll 8
    for (int i = 4; i < 6; i++) sum[i + 2] = fold(sum[i], fold_pair(FOLD_512), sum[i + 2]);
    sum[7] = fold(sum[6], fold_pair(FOLD_256), sum[7]);
    __m128i first = _mm256_castsi256_si128(sum[7]);
    __m128i multiplier = _mm256_castsi256_si128(fold_pair(FOLD_128));
    __m128i last = _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(first, multiplier, 0x00),
                                               _mm_clmulepi64_si128(first, multiplier, 0x11)),
                                 _mm256_extracti128_si256(sum[7], 1));
    uint64_t state = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(last));
    return (uint32_t)_mm_crc32_u64(state, (uint64_t)_mm_extract_epi64(last, 1));
}

FOLD_TARGET static uint32_t extend_fold(uint32_t state, const uint8_t *at, size_t len) {
    const __m256i multiplier = fold_pair(FOLD_2048);
    __m256i sum[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) sum[i] = _mm256_loadu_si256((const __m256i *)(at + 32 * i));
    sum[0] = _mm256_xor_si256(sum[0], _mm256_set_epi64x(0, 0, 0, (long long)state));
    at += STRIDE, len -= STRIDE;
    for (; len >= STRIDE; at += STRIDE, len -= STRIDE) {
#pragma GCC unroll 8 /* keeps the sums in registers */
        for (int i = 0; i < 8; i++) {
            sum[i] = fold(sum[i], multiplier, _mm256_loadu_si256((const __m256i *)(at + 32 * i)));
        }
    }
    return extend_plain(fold_end(sum), at, len);
}

static uint32_t extend_fastest(uint32_t state, const uint8_t *at, size_t len) {
    if (!__builtin_cpu_supports("sse4.2")) return extend_table(state, at, len);
    if (len < FOLD_MIN) return extend_plain(state, at, len);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq")) {
        return extend_fold(state, at, len);
    }
    if (!__builtin_cpu_supports("pclmul")) return extend_plain(state, at, len);
    return extend_ways(state, at, len);
}
#else
#define extend_fastest extend_table
#endif

uint32_t crc32c_extend(uint32_t crc, const void *at, size_t len) {
    return ~extend_fastest(~crc, at, len);
}
