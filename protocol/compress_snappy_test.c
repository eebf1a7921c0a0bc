#include "protocol/compress_snappy.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/random.h"
#include "protocol/varint.h"

/* In memory of exactly its size, so that the sanitizer sees a read behind it. */
static enum inflate_result inflate_copy(struct bytes from, size_t max, struct byte_buffer *out) {
    uint8_t *exact = malloc(from.len ? from.len : 1);
    if (from.len) memcpy(exact, from.at, from.len);
    out->len = 0;
    enum inflate_result result = snappy_inflate(bytes_make(exact, from.len), max, out);
    free(exact);
    return result;
}

static void expect(struct bytes from, enum inflate_result result, const char *output) {
    struct byte_buffer out = {0};
    cr_assert_eq(inflate_copy(from, 1000, &out), result, "%zu bytes in", from.len);
    if (output) cr_assert(bytes_equal_text(byte_buffer_bytes(&out), output));
    byte_buffer_deinit(&out);
}

Test(snappy, elements) {
    expect(BYTES_OF("\x00"), INFLATE_DONE, "");
    expect(BYTES_OF("\x03\x08"
                    "abc"),
           INFLATE_DONE, "abc");
    expect(BYTES_OF("\x03\xf0\x02"
                    "abc"),
           INFLATE_DONE, "abc");
    expect(BYTES_OF("\x03\xf4\x02\x00"
                    "abc"),
           INFLATE_DONE, "abc");
    expect(BYTES_OF("\x0a\x08"
                    "abc\x0d\x03"),
           INFLATE_DONE, "abcabcabca");
    expect(BYTES_OF("\x06\x08"
                    "abc\x0a\x03\x00"),
           INFLATE_DONE, "abcabc");
    expect(BYTES_OF("\x06\x00"
                    "a\x13\x01\x00\x00\x00"),
           INFLATE_DONE, "aaaaaa");
}

Test(snappy, broken_blocks) {
    expect(BYTES_OF(""), INFLATE_CORRUPT, NULL);
    expect(BYTES_OF("\x03"), INFLATE_CORRUPT, NULL);
    expect(BYTES_OF("\x04\x08"
                    "abc"),
           INFLATE_CORRUPT, NULL);
    expect(BYTES_OF("\x02\x08"
                    "abc"),
           INFLATE_CORRUPT, NULL);
    expect(BYTES_OF("\x03\x08"
                    "ab"),
           INFLATE_CORRUPT, NULL);
    expect(BYTES_OF("\x03\xfc\xff\xff\xff\xff"), INFLATE_CORRUPT, NULL);
    expect(BYTES_OF("\x07\x08"
                    "abc\x01\x04"),
           INFLATE_CORRUPT, "abc");
    expect(BYTES_OF("\x07\x08"
                    "abc\x01\x00"),
           INFLATE_CORRUPT, "abc");
    expect(BYTES_OF("\x07\x08"
                    "abc\x01"),
           INFLATE_CORRUPT, "abc");
    expect(BYTES_OF("\x05\x08"
                    "abc\x01\x03"),
           INFLATE_CORRUPT, "abc");
    expect(BYTES_OF("\xff\xff\xff\xff\x0f\x00z"), INFLATE_TOO_LARGE, "");
}

#define XERIAL "\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"

Test(snappy, xerial_streams) {
    expect(BYTES_OF(XERIAL), INFLATE_DONE, "");
    expect(BYTES_OF(XERIAL "\0\0\0\x05\x03\x08"
                           "abc\0\0\0\x04\x02\x04"
                           "de"),
           INFLATE_DONE, "abcde");
    expect(BYTES_OF(XERIAL "\0\0\0\x06\x03\x08"
                           "abc"),
           INFLATE_CORRUPT, "");
    expect(BYTES_OF(XERIAL "\0\0\0\x05\x03\x08"
                           "abc\0\0"),
           INFLATE_CORRUPT, "abc");
    expect(BYTES_OF(XERIAL "\xff\xff\xff\xff\x03"), INFLATE_CORRUPT, "");
    expect(BYTES_OF(XERIAL "\0\0\0\x05\x03\x08"
                           "abc\0\0\0\x03\x04\x01\x03"),
           INFLATE_CORRUPT, "abc"); /* a copy does not reach into the block before */
}

/* Any sequence of elements, with the output that it means written beside it. */
struct script {
    struct byte_buffer packed, plain;
    struct random random;
};

static void put_literal(struct script *script) {
    size_t len = 1 + random_below(&script->random, 300);
    uint8_t *at = byte_buffer_reserve(&script->packed, 3 + len), *start = at;
    bool wide = random_below(&script->random, 2);
    if (wide) {
        *at++ = 61 << 2, *at++ = (uint8_t)(len - 1), *at++ = (uint8_t)((len - 1) >> 8);
    } else if (len <= 60) {
        *at++ = (uint8_t)((len - 1) << 2);
    } else {
        len = (len - 1) % 256 + 1;
        *at++ = 60 << 2, *at++ = (uint8_t)(len - 1);
    }
    for (size_t i = 0; i < len; i++) at[i] = (uint8_t)random_next(&script->random);
    byte_buffer_append(&script->plain, bytes_make(at, len));
    script->packed.len += (size_t)(at - start) + len;
}

static void put_copy(struct script *script) {
    size_t behind = script->plain.len, kind = 1 + random_below(&script->random, 3);
    size_t reach = kind == 1 && behind > 2047 ? 2047 : behind > 65535 ? 65535 : behind;
    size_t offset = 1 + random_below(&script->random, reach);
    size_t len =
        kind == 1 ? 4 + random_below(&script->random, 8) : 1 + random_below(&script->random, 64);
    uint8_t *at = byte_buffer_reserve(&script->packed, 5), *start = at;
    if (kind == 1) {
        *at++ = (uint8_t)(offset >> 8 << 5 | (len - 4) << 2 | 1);
        *at++ = (uint8_t)offset;
    } else {
        *at++ = (uint8_t)((len - 1) << 2 | kind);
        for (size_t i = 0; i < (kind == 2 ? 2 : 4); i++) *at++ = (uint8_t)(offset >> (8 * i));
    }
    script->packed.len += (size_t)(at - start);
    byte_buffer_reserve(&script->plain, len);
    for (size_t i = 0; i < len; i++) {
        script->plain.at[script->plain.len] = script->plain.at[script->plain.len - offset];
        script->plain.len++;
    }
}

Test(snappy, random_elements_mean_what_they_say) {
    struct script script = {0};
    struct byte_buffer out = {0}, block = {0};
    random_init(&script.random, 11);
    for (int round = 0; round < 200; round++) {
        script.packed.len = script.plain.len = block.len = 0;
        put_literal(&script);
        for (uint64_t n = random_below(&script.random, 100); n; n--) {
            random_below(&script.random, 4) ? put_copy(&script) : put_literal(&script);
        }
        block.len = varint_put_u64(byte_buffer_reserve(&block, 10), script.plain.len);
        byte_buffer_append(&block, byte_buffer_bytes(&script.packed));
        struct bytes from = byte_buffer_bytes(&block);
        cr_assert_eq(inflate_copy(from, script.plain.len, &out), INFLATE_DONE);
        cr_assert(bytes_equal(byte_buffer_bytes(&out), byte_buffer_bytes(&script.plain)));
        cr_assert_eq(inflate_copy(from, script.plain.len - 1, &out), INFLATE_TOO_LARGE);
        cr_assert_eq(inflate_copy(bytes_make(from.at, from.len - 1), 1 << 20, &out),
                     INFLATE_CORRUPT);
    }
    byte_buffer_deinit(&out);
    byte_buffer_deinit(&block);
    byte_buffer_deinit(&script.packed);
    byte_buffer_deinit(&script.plain);
}

static void expect_round_trip(struct bytes plain) {
    struct byte_buffer packed = {0}, out = {0};
    snappy_deflate(plain, &packed);
    cr_assert_eq(inflate_copy(byte_buffer_bytes(&packed), plain.len, &out), INFLATE_DONE, "%zu",
                 plain.len);
    cr_assert(bytes_equal(byte_buffer_bytes(&out), plain));
    cr_assert(packed.len <= plain.len + plain.len / 6 + 64, "%zu became %zu", plain.len,
              packed.len);
    byte_buffer_deinit(&packed);
    byte_buffer_deinit(&out);
}

/* Repeats of every distance and length, and bytes that never repeat. */
Test(snappy, what_is_written_reads_back) {
    struct random random;
    random_init(&random, 4);
    uint8_t *plain = malloc(200000);
    for (int round = 0; round < 300; round++) {
        size_t len = random_below(&random, round % 10 ? 3000 : 200000);
        uint64_t letters = 1 + random_below(&random, round % 3 ? 4 : 256);
        for (size_t at = 0; at < len;) {
            size_t run = 1 + random_below(&random, 100);
            if (run > len - at) run = len - at;
            size_t back = at ? 1 + random_below(&random, at < 40000 ? at : 40000) : 0;
            bool repeats = back && random_below(&random, 2);
            for (size_t each = 0; each < run; each++, at++)
                plain[at] = repeats ? plain[at - back] : (uint8_t)random_below(&random, letters);
        }
        expect_round_trip(bytes_make(plain, len));
    }
    for (size_t len = 0; len < 200; len++) {
        memset(plain, 'a', len);
        expect_round_trip(bytes_make(plain, len));
    }
    free(plain);
}

Test(snappy, repeats_become_small) {
    struct byte_buffer packed = {0};
    uint8_t *zeros = calloc(1, 100000);
    snappy_deflate(bytes_make(zeros, 100000), &packed);
    cr_assert(packed.len < 6000, "%zu", packed.len);
    free(zeros);
    byte_buffer_deinit(&packed);
}
