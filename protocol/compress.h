/* Record sections in and out of Kafka's four compression codecs.
 *
 * What comes in was chosen by a peer, so inflating is bounded twice, by the bytes that come out and
 * by their ratio to those that went in; memory grows as output is produced, never by a length that
 * the input declares.
 *
 *   gzip    RFC 1952, members one behind another            zlib
 *   snappy  the raw block format, or xerial's framing        compress_snappy.c
 *           (Java and librdkafka send one or the other)
 *   lz4     LZ4 frames                                       liblz4
 *   zstd    RFC 8878 frames, windows up to 8 MiB             libzstd
 *
 * An inflater keeps the libraries' state and the output between calls; each thread has its own. */
#pragma once

#include "base/byte_buffer.h"
#include "base/error.h"
#include "protocol/codec.h"

enum {
    /* Outputs up to here may have any ratio: short inputs of equal bytes are legal and common. */
    COMPRESS_RATIO_FREE = 1024 * 1024,
    /* An inflater gives back a larger output buffer when it is used next. */
    INFLATER_KEEP = 1024 * 1024,
    COMPRESS_ZSTD_WINDOW_LOG_MAX = 23
};

struct compress_limits {
    size_t output_max;
    uint32_t ratio_max; /* output bytes per input byte, above COMPRESS_RATIO_FREE */
};

enum inflate_result {
    INFLATE_DONE,
    INFLATE_CORRUPT,  /* not that codec's format, or cut short */
    INFLATE_TOO_LARGE /* a limit was passed */
};

struct inflater;

/* "none", "gzip", "snappy", "lz4", "zstd"; "unknown" for others. */
const char *codec_name(enum codec codec);
/* The codec with that name; CODEC_COUNT when there is none. */
enum codec codec_named(struct bytes name);

struct inflater *inflater_new(void);
void inflater_free(struct inflater *inflater);
/* Inflates all of `from`; the result stays the inflater's until its next use. CODEC_NONE and
 * unknown codecs are the caller's mistake. */
enum inflate_result inflater_run(struct inflater *inflater, enum codec codec, struct bytes from,
                                 struct compress_limits limits, struct bytes *output);
/* Gives back an output buffer above INFLATER_KEEP; `output` of the last run is gone then. */
void inflater_trim(struct inflater *inflater);

/* Appends `from`, compressed at the library's default level, to `out`. False for CODEC_NONE and
 * unknown codecs. */
bool compress_deflate(enum codec codec, struct bytes from, struct byte_buffer *out,
                      struct error *error);
