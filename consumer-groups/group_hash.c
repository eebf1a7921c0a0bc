/* Which partition of __consumer_offsets a group belongs to: Java's String.hashCode() without its
 * sign, over the number of partitions. The hash is over UTF-16 code units, so the name is taken
 * apart into code points first; bytes that are no UTF-8 become U+FFFD, as Java decodes them. */
#include "base/check.h"
#include "consumer-groups/groups.h"

enum { REPLACEMENT = 0xfffd };

/* How many bytes the sequence that begins so has; 0: none begins so. */
static size_t sequence_length(uint8_t first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return 2;
    if (first >= 0xe0 && first < 0xf0) return 3;
    if (first >= 0xf0 && first < 0xf5) return 4;
    return 0;
}

static uint32_t take_code_point(struct bytes *rest) {
    size_t length = sequence_length(rest->at[0]);
    uint32_t point = length > 1 ? rest->at[0] & (0x7fu >> length) : rest->at[0];
    size_t taken = 1;
    while (taken < length && taken < rest->len && (rest->at[taken] & 0xc0) == 0x80)
        point = point << 6 | (rest->at[taken++] & 0x3fu);
    bool is_whole = length > 0 && taken == length;
    bool is_long = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    bool is_none = is_long || point > 0x10ffff || (point >= 0xd800 && point < 0xe000);
    if (!is_whole || is_none) {
        *rest = bytes_make(rest->at + 1, rest->len - 1);
        return REPLACEMENT;
    }
    *rest = bytes_make(rest->at + taken, rest->len - taken);
    return point;
}

static uint32_t java_hash(struct bytes text) {
    uint32_t hash = 0;
    while (text.len > 0) {
        uint32_t point = take_code_point(&text);
        if (point >= 0x10000) {
            hash = hash * 31 + (0xd800 + ((point - 0x10000) >> 10));
            point = 0xdc00 + ((point - 0x10000) & 0x3ff);
        }
        hash = hash * 31 + point;
    }
    return hash;
}

int32_t groups_partition_of(struct bytes group_id, int32_t partition_count) {
    check(partition_count > 0);
    return (int32_t)(java_hash(group_id) & 0x7fffffff) % partition_count;
}
