/* The records inside a batch (format 2, KIP-98), once uncompressed. Each is
 *
 *   length           varint   of what follows
 *   attributes       i8       unused
 *   timestamp_delta  varint64 to the batch's base_timestamp
 *   offset_delta     varint   to its base_offset
 *   key              varint length (-1 = null), bytes
 *   value            varint length (-1 = null), bytes
 *   header count     varint, then per header: key (never null), value (nullable)
 *
 * Varints are zigzag (protocol/varint.h). Reading never allocates; the slices point into the
 * section. Every length is checked against the bytes that are left of the record, and the record
 * against those left of the section. */
#pragma once

#include "base/bytes.h"

struct record {
    int64_t timestamp_delta;
    int32_t offset_delta;
    int8_t attributes;
    int32_t header_count;
    struct bytes key, value; /* at == NULL: null */
    struct bytes headers;    /* checked; walk it with record_header_next() */
};

struct record_header {
    struct bytes key, value;
};

enum record_result { RECORD_READ, RECORD_END, RECORD_BROKEN };

/* Takes the next record off the front of `rest`. RECORD_END when nothing is left, RECORD_BROKEN
 * when what is left is not a record; `rest` stays where it was then. */
enum record_result record_next(struct bytes *rest, struct record *record);
/* Takes one header off a copy of record.headers; false after the last one. */
bool record_header_next(struct bytes *rest, struct record_header *header);

/* The bytes that record_write() will produce. `headers` is read for record->header_count entries;
 * record->headers is not used. */
size_t record_size(const struct record *record, const struct record_header *headers);
/* Encodes at `at` and returns the size. */
size_t record_write(uint8_t *at, const struct record *record, const struct record_header *headers);
