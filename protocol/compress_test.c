#include "protocol/compress.h"

#include <criterion/criterion.h>
#include <zstd.h>

#include "base/random.h"

static const struct compress_limits WIDE = {.output_max = 64 << 20, .ratio_max = 100};

/* Text-like bytes: compressible, but not to nothing. */
static struct byte_buffer sample(size_t len, uint64_t seed) {
    struct byte_buffer sample = {0};
    struct random random;
    random_init(&random, seed);
    uint8_t *at = byte_buffer_reserve(&sample, len);
    for (size_t i = 0; i < len; i++) at[i] = (uint8_t)("abcdefgh"[random_below(&random, 8)]);
    sample.len = len;
    return sample;
}

static const enum codec WRITABLE[] = {CODEC_GZIP, CODEC_LZ4, CODEC_ZSTD};

Test(compress, what_goes_in_comes_out) {
    struct inflater *inflater = inflater_new();
    static const size_t SIZES[] = {0, 1, 100, 16 * 1024, 16 * 1024 + 1, 300000, 3000000};
    for (size_t c = 0; c < 3; c++) {
        for (size_t s = 0; s < 7; s++) {
            struct byte_buffer plain = sample(SIZES[s], s), packed = {0};
            struct bytes output;
            struct error error;
            cr_assert(compress_deflate(WRITABLE[c], byte_buffer_bytes(&plain), &packed, &error));
            cr_assert_eq(
                inflater_run(inflater, WRITABLE[c], byte_buffer_bytes(&packed), WIDE, &output),
                INFLATE_DONE, "%s, %zu bytes", codec_name(WRITABLE[c]), SIZES[s]);
            cr_assert(bytes_equal(output, byte_buffer_bytes(&plain)));
            byte_buffer_deinit(&plain);
            byte_buffer_deinit(&packed);
        }
    }
    inflater_free(inflater);
}

Test(compress, frames_behind_each_other_are_one_output) {
    struct inflater *inflater = inflater_new();
    for (size_t c = 0; c < 3; c++) {
        struct byte_buffer packed = {0};
        struct bytes output;
        struct error error;
        cr_assert(compress_deflate(WRITABLE[c], BYTES_OF("first "), &packed, &error));
        cr_assert(compress_deflate(WRITABLE[c], BYTES_OF("second"), &packed, &error));
        cr_assert_eq(inflater_run(inflater, WRITABLE[c], byte_buffer_bytes(&packed), WIDE, &output),
                     INFLATE_DONE, "%s", codec_name(WRITABLE[c]));
        cr_assert(bytes_equal_text(output, "first second"));
        byte_buffer_deinit(&packed);
    }
    inflater_free(inflater);
}

Test(compress, every_cut_is_corrupt) {
    struct inflater *inflater = inflater_new();
    for (size_t c = 0; c < 3; c++) {
        struct byte_buffer plain = sample(300, c), packed = {0};
        struct bytes output;
        struct error error;
        cr_assert(compress_deflate(WRITABLE[c], byte_buffer_bytes(&plain), &packed, &error));
        for (size_t len = 0; len < packed.len; len++) {
            cr_assert_eq(
                inflater_run(inflater, WRITABLE[c], bytes_make(packed.at, len), WIDE, &output),
                INFLATE_CORRUPT, "%s cut at %zu", codec_name(WRITABLE[c]), len);
        }
        byte_buffer_append(&packed, BYTES_OF("x"));
        cr_assert_eq(inflater_run(inflater, WRITABLE[c], byte_buffer_bytes(&packed), WIDE, &output),
                     INFLATE_CORRUPT, "%s with a byte behind it", codec_name(WRITABLE[c]));
        byte_buffer_deinit(&plain);
        byte_buffer_deinit(&packed);
    }
    inflater_free(inflater);
}

Test(compress, limits_hold_to_the_byte) {
    struct inflater *inflater = inflater_new();
    for (size_t c = 0; c < 3; c++) {
        struct byte_buffer plain = sample(100000, c), packed = {0};
        struct bytes output;
        struct error error;
        cr_assert(compress_deflate(WRITABLE[c], byte_buffer_bytes(&plain), &packed, &error));
        struct compress_limits exact = {.output_max = 100000, .ratio_max = 100};
        struct compress_limits less = {.output_max = 99999, .ratio_max = 100};
        struct bytes from = byte_buffer_bytes(&packed);
        cr_assert_eq(inflater_run(inflater, WRITABLE[c], from, exact, &output), INFLATE_DONE);
        cr_assert_eq(inflater_run(inflater, WRITABLE[c], from, less, &output), INFLATE_TOO_LARGE);
        cr_assert(bytes_is_null(output));
        byte_buffer_deinit(&plain);
        byte_buffer_deinit(&packed);
    }
    inflater_free(inflater);
}

Test(compress, a_bomb_is_stopped_by_its_ratio) {
    struct inflater *inflater = inflater_new();
    uint8_t *zeros = memory_zero(1, 32 << 20);
    for (size_t c = 0; c < 3; c++) {
        struct byte_buffer packed = {0};
        struct bytes output;
        struct error error;
        cr_assert(compress_deflate(WRITABLE[c], bytes_make(zeros, 32 << 20), &packed, &error));
        cr_assert_eq(inflater_run(inflater, WRITABLE[c], byte_buffer_bytes(&packed), WIDE, &output),
                     INFLATE_TOO_LARGE, "%s: %zu bytes", codec_name(WRITABLE[c]), packed.len);
        packed.len = 0;
        cr_assert(
            compress_deflate(WRITABLE[c], bytes_make(zeros, COMPRESS_RATIO_FREE), &packed, &error));
        cr_assert_eq(inflater_run(inflater, WRITABLE[c], byte_buffer_bytes(&packed), WIDE, &output),
                     INFLATE_DONE, "%s: a small one may", codec_name(WRITABLE[c]));
        byte_buffer_deinit(&packed);
    }
    free(zeros);
    inflater_free(inflater);
}

Test(compress, zstd_windows_are_bounded) {
    struct inflater *inflater = inflater_new();
    ZSTD_CCtx *context = ZSTD_createCCtx();
    struct byte_buffer plain = sample(1000, 1);
    for (int log = COMPRESS_ZSTD_WINDOW_LOG_MAX; log < COMPRESS_ZSTD_WINDOW_LOG_MAX + 2; log++) {
        uint8_t packed[2000];
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, log);
        ZSTD_inBuffer in = {plain.at, plain.len, 0};
        ZSTD_outBuffer out = {packed, sizeof packed, 0};
        ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue); /* the size is not declared */
        cr_assert_eq(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0);
        struct bytes output;
        bool fits = log == COMPRESS_ZSTD_WINDOW_LOG_MAX;
        cr_assert_eq(inflater_run(inflater, CODEC_ZSTD, bytes_make(packed, out.pos), WIDE, &output),
                     fits ? INFLATE_DONE : INFLATE_CORRUPT);
    }
    ZSTD_freeCCtx(context);
    byte_buffer_deinit(&plain);
    inflater_free(inflater);
}

Test(compress, names) {
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        cr_assert(codec_named(bytes_of_text(codec_name((enum codec)codec))) == (enum codec)codec);
    }
    cr_assert_eq(codec_named(BYTES_OF("brotli")), CODEC_COUNT);
    cr_assert_str_eq(codec_name((enum codec)7), "unknown");
}
