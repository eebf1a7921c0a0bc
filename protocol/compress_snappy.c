/* A raw block is the inflated length as a varint, then elements. The low two bits of an element's
 * first byte say what it is:
 *
 *   00 literal   length - 1 in the upper six bits; 60..63 mean 1..4 bytes of it follow (little end)
 *   01 copy      length - 4 in bits 2-4, offset in bits 5-7 (high) and one byte
 *   10 copy      length - 1 in the upper six bits, offset in two bytes
 *   11 copy      the same, offset in four bytes
 *
 * A copy repeats output of the same block, and may overlap what it writes. Xerial's stream
 * (snappy-java) is 82 'S' 'N' 'A' 'P' 'P' 'Y' 00, version i32, oldest reader i32, then raw blocks
 * with their size in front as a big-endian i32. */
#include "protocol/compress_snappy.h"

#include "base/check.h"
#include "protocol/varint.h"

enum { COPY_MAX = 64, XERIAL_MAGIC = 8, XERIAL_HEADER = 16 };

/* One block on its way: input left, output, and where the block began and must end in it. */
struct block {
    struct bytes rest;
    struct byte_buffer *out;
    size_t start, end;
};

static void skip(struct bytes *rest, size_t n) {
    check(n <= rest->len);
    *rest = bytes_make(rest->at + n, rest->len - n);
}

/* A little-endian number of `size` bytes behind the tag. */
static bool take_number(struct bytes *rest, size_t size, uint32_t *value) {
    if (rest->len < size) return false;
    *value = 0;
    for (size_t i = 0; i < size; i++) *value |= (uint32_t)rest->at[i] << (8 * i);
    skip(rest, size);
    return true;
}

static bool literal(struct block *block, uint8_t tag) {
    uint32_t less_one = tag >> 2;
    if (less_one >= 60 && !take_number(&block->rest, less_one - 59, &less_one)) return false;
    size_t len = (size_t)less_one + 1;
    if (len > block->rest.len || len > block->end - block->out->len) return false;
    byte_buffer_append(block->out, bytes_make(block->rest.at, len));
    skip(&block->rest, len);
    return true;
}

static bool copy_from(struct block *block, size_t offset, size_t len) {
    struct byte_buffer *out = block->out;
    if (offset == 0 || offset > out->len - block->start) return false;
    if (len > block->end - out->len) return false;
    uint8_t *to = byte_buffer_reserve(out, COPY_MAX);
    const uint8_t *from = to - offset;
    if (offset >= len) {
        memcpy(to, from, len);
    } else {
        for (size_t i = 0; i < len; i++) to[i] = from[i];
    }
    out->len += len;
    return true;
}

static bool copy(struct block *block, uint8_t tag) {
    static const uint8_t OFFSET_SIZE[4] = {0, 1, 2, 4};
    uint32_t offset;
    if (!take_number(&block->rest, OFFSET_SIZE[tag & 3], &offset)) return false;
    if ((tag & 3) != 1) return copy_from(block, offset, (size_t)(tag >> 2) + 1);
    return copy_from(block, offset | (uint32_t)(tag & 0xe0) << 3, (size_t)(tag >> 2 & 7) + 4);
}

static enum inflate_result inflate_block(struct bytes from, size_t output_max,
                                         struct byte_buffer *out) {
    struct block block = {.rest = from, .out = out, .start = out->len};
    uint32_t declared;
    if (!varint_take_u32(&block.rest, &declared)) return INFLATE_CORRUPT;
    if (declared > output_max - out->len) return INFLATE_TOO_LARGE;
    block.end = block.start + declared;
    while (block.rest.len) {
        uint8_t tag = block.rest.at[0];
        skip(&block.rest, 1);
        if (!(tag & 3 ? copy(&block, tag) : literal(&block, tag))) return INFLATE_CORRUPT;
    }
    return out->len == block.end ? INFLATE_DONE : INFLATE_CORRUPT;
}

static bool is_xerial(struct bytes from) {
    return from.len >= XERIAL_HEADER && memcmp(from.at, "\x82SNAPPY", XERIAL_MAGIC) == 0;
}

enum inflate_result snappy_inflate(struct bytes from, size_t output_max, struct byte_buffer *out) {
    if (!is_xerial(from)) return inflate_block(from, output_max, out);
    skip(&from, XERIAL_HEADER);
    while (from.len) {
        if (from.len < 4 || load_u32(from.at) > from.len - 4) return INFLATE_CORRUPT;
        size_t len = load_u32(from.at);
        skip(&from, 4);
        enum inflate_result result = inflate_block(bytes_make(from.at, len), output_max, out);
        if (result != INFLATE_DONE) return result;
        skip(&from, len);
    }
    return INFLATE_DONE;
}
