/* Sparse index of one segment: every few KiB one entry that says which offset and which largest
 * timestamp so far a position has. A cache: built while appending, written into the footer when the
 * segment is sealed, rebuilt by walking batch headers when in doubt.
 *
 * Encoded (in a footer): entry count 4 | crc32c 4 | entries of 24 bytes {offset 8, position 8,
 * largest timestamp before the position 8}. */
#pragma once

#include "base/bytes.h"

struct index_entry {
    int64_t offset;           /* a batch with this base offset … */
    uint64_t position;        /* … begins here */
    int64_t timestamp_before; /* the largest in the segment before it, or -1 */
};

struct index {
    struct index_entry *entries;
    size_t count, capacity;
    uint32_t interval; /* bytes from one entry to the next at least; 0 = INDEX_INTERVAL_MIN */
};

/* An entry for every batch would cost memory, one in a gigabyte a walk for every read. */
enum { INDEX_INTERVAL_MIN = 4 << 10, INDEX_INTERVAL_MAX = 1 << 20 };
enum { INDEX_ENTRY_BYTES = 24, INDEX_HEADER_BYTES = 8 };
/* Of what is kept in memory for a segment that has its index in its footer: such a segment is read
 * in windows of that size. */
enum { INDEX_INTERVAL_KEPT = 256 << 10 };

/* What was asked for, within these bounds. */
uint32_t index_interval(int64_t bytes);
void index_deinit(struct index *index);
/* Leaves what index_add() would have taken with today's interval. */
void index_thin(struct index *index);
/* With another interval, giving back the memory; the index's own interval stays. */
void index_thin_to(struct index *index, uint32_t interval);
/* Adds when the last entry is at least the interval before. Offsets and positions rise. */
void index_add(struct index *index, int64_t offset, uint64_t position, int64_t timestamp_before);
/* The last entry at or below the offset / position, or NULL. */
const struct index_entry *index_find_offset(const struct index *index, int64_t offset);
/* The last entry before which every timestamp is < timestamp, or NULL (empty index). */
const struct index_entry *index_find_timestamp(const struct index *index, int64_t timestamp);
size_t index_encoded_size(const struct index *index);
void index_encode(const struct index *index, uint8_t *into);
/* False when damaged or not rising. */
bool index_decode(struct bytes bytes, struct index *index);
