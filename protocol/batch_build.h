/* Builds one record batch: the command line's producer, metadata records, markers and tests.
 *
 *   struct batch_build build;
 *   batch_build_init(&build);
 *   batch_build_add(&build, timestamp, key, value, headers, header_count);   once per record
 *   batch_build_finish(&build, CODEC_NONE, &out, &error);                    appends to `out`
 *   batch_build_deinit(&build);
 *
 * The result has base_offset 0 and leader epoch -1, as a producer sends it. */
#pragma once

#include "base/byte_buffer.h"
#include "base/error.h"
#include "protocol/batch.h"
#include "protocol/record.h"

struct batch_build {
    /* The caller may set producer id, epoch, base sequence and attribute flags (not the codec)
     * between init and finish; the rest is derived. */
    struct batch_header header;
    struct byte_buffer records; /* encoded, not compressed */
};

void batch_build_init(struct batch_build *build);
void batch_build_deinit(struct batch_build *build);
/* Forgets the records but keeps the memory and the fields that the caller set. */
void batch_build_restart(struct batch_build *build);
/* Key and value may be null; the bytes are copied. Headers' keys may not be null. */
void batch_build_add(struct batch_build *build, int64_t timestamp, struct bytes key,
                     struct bytes value, const struct record_header *headers, int32_t header_count);
/* The size that finish() gives without compression. */
size_t batch_build_size(const struct batch_build *build);
/* Appends the batch to `out`. False when there is no record, when it would pass 2 GiB, or when the
 * codec cannot compress. `out` is unchanged then. */
bool batch_build_finish(struct batch_build *build, enum codec codec, struct byte_buffer *out,
                        struct error *error);
