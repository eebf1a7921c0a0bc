/* Compaction of one record batch: which of its records stay, and the batch that is left. The rules
 * are Kafka's (Cleaner, MemoryRecords.filterTo; KIP-534), so that a log is read alike:
 *
 *   a record stays        when no newer one with its key is mapped, and it is no tombstone whose
 * time has come; above what is mapped everything stays; without a key it goes a tombstone (null
 * value) stays until its batch's delete horizon: the time at which compaction first kept it plus
 * delete.retention.ms. The horizon is written into the batch then: attribute bit 6, and
 * base_timestamp, to which the records' timestamps are shifted an emptied batch      goes; but as
 * 61 bytes without records it stays when it is its producer's last (its sequence must be known), or
 * the last of all that is compacted (a consumer must get to see where the log goes on) control
 * batches       stay as they are
 *
 * Offsets never change: base offset, last offset delta, sequence and the records' offset deltas are
 * kept, and records lie in their order with gaps between them. What is left is compressed with the
 * batch's own codec. A batch that cannot be decoded stays as it is: to keep is always right.
 *
 * Pure functions over memory, for a worker. */
#pragma once

#include "protocol/batch.h"
#include "protocol/compress.h"
#include "storage/compact_map.h"

/* The newest batch of a producer ends at this offset. */
struct compact_producer {
    int64_t id, last_offset;
};

/* Decodes batches; one thread's. */
struct compact_reader {
    struct inflater *inflater;
    struct compress_limits limits;
    uint64_t unreadable; /* batches that could not be decoded */
};

struct compact_filter {
    const struct compact_map *map;
    int64_t mapped_end;  /* the map knows the records below it */
    int64_t last_offset; /* of all that is compacted */
    int64_t now_ms, delete_retention_ms;
    const struct compact_producer *producers; /* by id */
    size_t producer_count;
    struct byte_buffer kept, shifted; /* scratch */
    uint64_t records_dropped;
};

enum compact_verdict { COMPACT_KEEP, COMPACT_REPLACE, COMPACT_DROP };

void compact_filter_deinit(struct compact_filter *filter);

/* Puts the keys of a whole batch into the map, from `first` on. False when the map is full:
 * *mapped_end is then the offset up to which it knows all, else the one after the batch. */
bool compact_map_batch(struct compact_map *map, struct compact_reader *reader, struct bytes batch,
                       int64_t first, int64_t *mapped_end);
/* The verdict on a whole batch; what replaces it is appended to `out`. */
enum compact_verdict compact_batch(struct compact_filter *filter, struct compact_reader *reader,
                                   struct bytes batch, struct byte_buffer *out);
