/* Includes the source, to compare the kernels that this processor would not choose by itself. */
#include "base/crc32c.c"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/random.h"

/* One bit at a time: the definition. */
static uint32_t naive(uint32_t crc, const uint8_t *at, size_t len) {
    crc = ~crc;
    while (len--) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

/* RFC 3720, appendix B.4, and the usual check value. */
Test(crc32c, known_values) {
    uint8_t bytes[48] = {0};
    cr_assert_eq(crc32c("", 0), 0);
    cr_assert_eq(crc32c("123456789", 9), 0xe3069283);
    cr_assert_eq(crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    cr_assert_eq(crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    cr_assert_eq(crc32c(bytes, 32), 0x46dd794e);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(31 - i);
    cr_assert_eq(crc32c(bytes, 32), 0x113fdb5c);
}

static void kernels_compare(const uint8_t *at, size_t len, uint32_t start) {
    uint32_t expected = naive(start, at, len);
    cr_assert_eq(crc32c_extend(start, at, len), expected, "chosen kernel, %zu bytes", len);
    cr_assert_eq(~extend_table(~start, at, len), expected, "table, %zu bytes", len);
#ifdef __x86_64__
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("pclmul")) return;
    cr_assert_eq(~extend_plain(~start, at, len), expected, "plain, %zu bytes", len);
    cr_assert_eq(~extend_ways(~start, at, len), expected, "ways, %zu bytes", len);
    if (len < STRIDE || !__builtin_cpu_supports("vpclmulqdq")) return;
    cr_assert_eq(~extend_fold(~start, at, len), expected, "fold, %zu bytes", len);
#endif
}

Test(crc32c, kernels_agree_on_any_length_and_alignment) {
    enum { SIZE = 8192 };
    uint8_t *bytes = malloc(SIZE);
    struct random random;
    random_init(&random, 7);
    for (int i = 0; i < SIZE; i++) bytes[i] = (uint8_t)random_next(&random);
    for (size_t len = 0; len < 600; len++) kernels_compare(bytes + len % 33, len, 0);
    for (int round = 0; round < 300; round++) {
        size_t start = random_below(&random, 64), len = random_below(&random, SIZE - 64);
        kernels_compare(bytes + start, len, (uint32_t)random_next(&random));
    }
    free(bytes);
}

Test(crc32c, pieces_equal_the_whole) {
    uint8_t bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 31);
    uint32_t whole = crc32c(bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut += 97) {
        uint32_t crc = crc32c_extend(crc32c(bytes, cut), bytes + cut, sizeof bytes - cut);
        cr_assert_eq(crc, whole, "cut at %zu", cut);
    }
}

Test(crc32c, sees_a_flipped_bit) {
    uint8_t bytes[1024] = {0};
    uint32_t before = crc32c(bytes, sizeof bytes);
    bytes[700] ^= 4;
    cr_assert_neq(crc32c(bytes, sizeof bytes), before);
}
