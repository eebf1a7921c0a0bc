#include "protocol/compress.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include "base/check.h"
#include "protocol/compress_snappy.h"

enum {
    STEP_MIN = 16 * 1024, /* output is produced in steps of this size and growing */
    STEP_MAX = 1024 * 1024,
    GZIP_WINDOW_BITS = 15 + 16 /* zlib: the largest window, with a gzip header */
};

/* The libraries' states are made at first use and kept; one thread uses them. */
struct inflater {
    struct byte_buffer output;
    size_t output_max;
    ZSTD_DCtx *zstd;
    LZ4F_dctx *lz4;
    z_stream gzip;
    bool gzip_ready;
};

static const char *const CODEC_NAMES[CODEC_COUNT] = {
    [CODEC_NONE] = "none", [CODEC_GZIP] = "gzip", [CODEC_SNAPPY] = "snappy",
    [CODEC_LZ4] = "lz4",   [CODEC_ZSTD] = "zstd",
};

const char *codec_name(enum codec codec) {
    return (unsigned)codec < CODEC_COUNT ? CODEC_NAMES[codec] : "unknown";
}

enum codec codec_named(struct bytes name) {
    int codec = 0;
    while (codec < CODEC_COUNT && !bytes_equal_text(name, CODEC_NAMES[codec])) codec++;
    return (enum codec)codec;
}

struct inflater *inflater_new(void) {
    return new_zero(struct inflater);
}

void inflater_free(struct inflater *inflater) {
    if (!inflater) return;
    byte_buffer_deinit(&inflater->output);
    ZSTD_freeDCtx(inflater->zstd);
    LZ4F_freeDecompressionContext(inflater->lz4);
    if (inflater->gzip_ready) inflateEnd(&inflater->gzip);
    free(inflater);
}

void inflater_trim(struct inflater *inflater) {
    inflater->output.len = 0;
    if (inflater->output.capacity > INFLATER_KEEP) byte_buffer_deinit(&inflater->output);
}

/* Room for the next piece of output: at least one byte, so that a library that has more to say can
 * say it and the limit is seen. */
static uint8_t *output_room(struct inflater *inflater, size_t *room) {
    struct byte_buffer *output = &inflater->output;
    size_t step = output->len < STEP_MIN ? STEP_MIN : output->len;
    if (step > STEP_MAX) step = STEP_MAX;
    size_t left = inflater->output_max - output->len + 1;
    *room = step < left ? step : left;
    return byte_buffer_reserve(output, *room);
}

static bool output_take(struct inflater *inflater, size_t produced) {
    inflater->output.len += produced;
    return inflater->output.len <= inflater->output_max;
}

static enum inflate_result run_gzip(struct inflater *inflater, struct bytes from) {
    z_stream *stream = &inflater->gzip;
    if (!inflater->gzip_ready) check(inflateInit2(stream, GZIP_WINDOW_BITS) == Z_OK);
    inflater->gzip_ready = true;
    if (from.len == 0 || from.len > UINT32_MAX) return INFLATE_CORRUPT;
    check(inflateReset(stream) == Z_OK);
    stream->next_in = (Bytef *)(uintptr_t)from.at;
    stream->avail_in = (uInt)from.len;
    for (;;) {
        size_t room;
        stream->next_out = output_room(inflater, &room);
        stream->avail_out = (uInt)room;
        int state = inflate(stream, Z_NO_FLUSH);
        check(state != Z_STREAM_ERROR && state != Z_MEM_ERROR);
        if (!output_take(inflater, room - stream->avail_out)) return INFLATE_TOO_LARGE;
        if (state == Z_STREAM_END) {
            if (stream->avail_in == 0) return INFLATE_DONE;
            check(inflateReset(stream) == Z_OK); /* the next member */
        } else if (state != Z_OK) {
            return INFLATE_CORRUPT;
        }
    }
}

static enum inflate_result run_lz4(struct inflater *inflater, struct bytes from) {
    if (!inflater->lz4) {
        check(!LZ4F_isError(LZ4F_createDecompressionContext(&inflater->lz4, LZ4F_VERSION)));
    }
    LZ4F_resetDecompressionContext(inflater->lz4);
    size_t hint = 1, produced = 1, room = 0;
    while (from.len || (hint && produced == room)) {
        uint8_t *to = output_room(inflater, &room);
        size_t taken = from.len;
        produced = room;
        hint = LZ4F_decompress(inflater->lz4, to, &produced, from.at, &taken, NULL);
        if (LZ4F_isError(hint)) return INFLATE_CORRUPT;
        if (!output_take(inflater, produced)) return INFLATE_TOO_LARGE;
        if (taken == 0 && produced == 0) return INFLATE_CORRUPT;
        from = bytes_make(from.at + taken, from.len - taken);
    }
    return hint == 0 ? INFLATE_DONE : INFLATE_CORRUPT;
}

static enum inflate_result run_zstd(struct inflater *inflater, struct bytes from) {
    if (!inflater->zstd) check((inflater->zstd = ZSTD_createDCtx()));
    ZSTD_DCtx_reset(inflater->zstd, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(inflater->zstd, ZSTD_d_windowLogMax, COMPRESS_ZSTD_WINDOW_LOG_MAX);
    ZSTD_inBuffer in = {from.at, from.len, 0};
    size_t hint = 1;
    bool full = true;
    while (in.pos < in.size || (hint && full)) {
        ZSTD_outBuffer out = {0};
        size_t before = in.pos;
        out.dst = output_room(inflater, &out.size);
        hint = ZSTD_decompressStream(inflater->zstd, &out, &in);
        if (ZSTD_isError(hint)) return INFLATE_CORRUPT;
        if (!output_take(inflater, out.pos)) return INFLATE_TOO_LARGE;
        full = out.pos == out.size;
        if (out.pos == 0 && in.pos == before) return INFLATE_CORRUPT;
    }
    return hint == 0 ? INFLATE_DONE : INFLATE_CORRUPT;
}

static size_t output_limit(struct bytes from, struct compress_limits limits) {
    size_t by_ratio;
    if (__builtin_mul_overflow(from.len, (size_t)limits.ratio_max, &by_ratio)) by_ratio = SIZE_MAX;
    if (by_ratio < COMPRESS_RATIO_FREE) by_ratio = COMPRESS_RATIO_FREE;
    size_t limit = by_ratio < limits.output_max ? by_ratio : limits.output_max;
    return limit < SIZE_MAX / 4 ? limit : SIZE_MAX / 4;
}

enum inflate_result inflater_run(struct inflater *inflater, enum codec codec, struct bytes from,
                                 struct compress_limits limits, struct bytes *output) {
    inflater_trim(inflater);
    inflater->output_max = output_limit(from, limits);
    enum inflate_result result = INFLATE_CORRUPT;
    switch (codec) {
        case CODEC_GZIP: result = run_gzip(inflater, from); break;
        case CODEC_SNAPPY:
            result = snappy_inflate(from, inflater->output_max, &inflater->output);
            break;
        case CODEC_LZ4: result = run_lz4(inflater, from); break;
        case CODEC_ZSTD: result = run_zstd(inflater, from); break;
        case CODEC_NONE:
        case CODEC_COUNT: unreachable();
    }
    *output = result == INFLATE_DONE ? byte_buffer_bytes(&inflater->output) : BYTES_NULL;
    return result;
}

static size_t deflate_gzip(struct bytes from, struct byte_buffer *out) {
    z_stream stream = {0};
    check(from.len <= UINT32_MAX / 2);
    check(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, 8,
                       Z_DEFAULT_STRATEGY) == Z_OK);
    size_t bound = deflateBound(&stream, from.len);
    stream.next_in = (Bytef *)(uintptr_t)from.at;
    stream.avail_in = (uInt)from.len;
    stream.next_out = byte_buffer_reserve(out, bound);
    stream.avail_out = (uInt)bound;
    check(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&stream);
    return bound - stream.avail_out;
}

/* The defaults of Kafka's own producer: independent 64 KiB blocks, no content checksum. */
static size_t deflate_lz4(struct bytes from, struct byte_buffer *out) {
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};
    size_t bound = LZ4F_compressFrameBound(from.len, &preferences);
    uint8_t *to = byte_buffer_reserve(out, bound);
    size_t size = LZ4F_compressFrame(to, bound, from.at, from.len, &preferences);
    check(!LZ4F_isError(size));
    return size;
}

static size_t deflate_zstd(struct bytes from, struct byte_buffer *out) {
    size_t bound = ZSTD_compressBound(from.len);
    uint8_t *to = byte_buffer_reserve(out, bound);
    size_t size = ZSTD_compress(to, bound, from.at, from.len, ZSTD_CLEVEL_DEFAULT);
    check(!ZSTD_isError(size));
    return size;
}

bool compress_deflate(enum codec codec, struct bytes from, struct byte_buffer *out,
                      struct error *error) {
    switch (codec) {
        case CODEC_GZIP: out->len += deflate_gzip(from, out); return true;
        case CODEC_SNAPPY: snappy_deflate(from, out); return true;
        case CODEC_LZ4: out->len += deflate_lz4(from, out); return true;
        case CODEC_ZSTD: out->len += deflate_zstd(from, out); return true;
        default: break;
    }
    return error_set(error, 0, "cannot compress with %s; choose gzip, snappy, lz4 or zstd",
                     codec_name(codec));
}
