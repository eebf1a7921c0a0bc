/* The compression codecs of a record batch, as numbered in its attributes. */
#pragma once

enum codec {
    CODEC_NONE = 0,
    CODEC_GZIP = 1,
    CODEC_SNAPPY = 2,
    CODEC_LZ4 = 3,
    CODEC_ZSTD = 4,
    CODEC_COUNT /* the attribute has room for 5 to 7, which mean nothing */
};
