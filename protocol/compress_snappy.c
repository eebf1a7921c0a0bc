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

/* --- reading --- */

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

/* --- writing --- */

enum {
    BLOCK_MAX = 32 << 10, /* as snappy-java: offsets of copies then take two bytes at most */
    MATCH_MIN = 4,
    LITERAL_SHORT = 60, /* a literal up to this length has it in its tag */
    COPY_SHORT_LEN = 12,
    COPY_SHORT_OFFSET = 1 << 11,
    TABLE_BITS = 12,
    SKIP_BITS = 5, /* where nothing repeats, steps grow by one each 32 bytes */
};

/* Where in the block four bytes with this hash were last seen; 0 also means never. */
struct table {
    uint16_t at[1 << TABLE_BITS];
};

static uint32_t load_any_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint16_t *table_slot(struct table *table, uint32_t four) {
    return &table->at[(four * 0x1e35a7bdu) >> (32 - TABLE_BITS)];
}

static void put_byte(struct byte_buffer *out, size_t value) {
    *byte_buffer_reserve(out, 1) = (uint8_t)value;
    out->len++;
}

static void put_literal(struct byte_buffer *out, struct bytes bytes) {
    if (bytes.len == 0) return;
    size_t less_one = bytes.len - 1;
    if (bytes.len <= LITERAL_SHORT) {
        put_byte(out, less_one << 2);
    } else {
        size_t more = less_one < 256 ? 1 : 2;
        put_byte(out, (LITERAL_SHORT - 1 + more) << 2);
        put_byte(out, less_one & 0xff);
        if (more == 2) put_byte(out, less_one >> 8);
    }
    byte_buffer_append(out, bytes);
}

static void put_copy(struct byte_buffer *out, size_t offset, size_t len) {
    while (len > 0) {
        /* What is left for the next element is never shorter than a match. */
        size_t part = len <= COPY_MAX              ? len
                      : len < COPY_MAX + MATCH_MIN ? COPY_MAX - MATCH_MIN
                                                   : COPY_MAX;
        if (part < COPY_SHORT_LEN && offset < COPY_SHORT_OFFSET) {
            put_byte(out, 1 | (part - 4) << 2 | offset >> 8 << 5);
            put_byte(out, offset & 0xff);
        } else {
            put_byte(out, 2 | (part - 1) << 2);
            put_byte(out, offset & 0xff);
            put_byte(out, offset >> 8);
        }
        len -= part;
    }
}

static size_t match_length(struct bytes from, size_t earlier, size_t at) {
    size_t len = MATCH_MIN;
    while (at + len < from.len && from.at[earlier + len] == from.at[at + len]) len++;
    return len;
}

static void deflate_block(struct bytes from, struct byte_buffer *out) {
    struct table table = {0};
    check(from.len <= BLOCK_MAX);
    out->len += varint_put_u32(byte_buffer_reserve(out, VARINT_32_MAX), (uint32_t)from.len);
    size_t done = 0, at = 1;
    while (at + MATCH_MIN <= from.len) {
        uint32_t four = load_any_u32(from.at + at);
        uint16_t *slot = table_slot(&table, four);
        size_t earlier = *slot;
        *slot = (uint16_t)at;
        if (load_any_u32(from.at + earlier) != four) {
            at += 1 + ((at - done) >> SKIP_BITS);
            continue;
        }
        size_t len = match_length(from, earlier, at);
        put_literal(out, bytes_make(from.at + done, at - done));
        put_copy(out, at - earlier, len);
        done = at += len;
    }
    put_literal(out, bytes_make(from.at + done, from.len - done));
}

void snappy_deflate(struct bytes from, struct byte_buffer *out) {
    static const uint8_t header[XERIAL_HEADER] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                                  0,    0,   0,   1,   0,   0,   0,   1};
    byte_buffer_append(out, bytes_make(header, sizeof header));
    while (from.len) {
        size_t len = from.len < BLOCK_MAX ? from.len : BLOCK_MAX, size_at = out->len;
        byte_buffer_reserve(out, 4);
        out->len += 4;
        deflate_block(bytes_make(from.at, len), out);
        store_u32(out->at + size_at, (uint32_t)(out->len - size_at - 4));
        skip(&from, len);
    }
}
