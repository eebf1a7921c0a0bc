/* What one partition knows about its idempotent producers (KIP-98), so that a batch sent twice is
 * stored once and a gap is seen. Owned by the partition, touched by its shard's core only.
 *
 * Per producer id: the epoch, and the last five batches by sequence, because a producer may have
 * five in flight. For a batch with producer id P, epoch E and first sequence S:
 *
 *   P is not known                              append: any S (state may have expired)
 *   E below the known epoch                     INVALID_PRODUCER_EPOCH
 *   E equal, S..last is one of the five         duplicate: answer the offset it got then
 *   E equal, S follows the newest last          append; 2147483647 is followed by 0
 *   E above, S = 0                              append (librdkafka raises its epoch by itself)
 *   all else                                    OUT_OF_ORDER_SEQUENCE_NUMBER
 *
 * DUPLICATE_SEQUENCE_NUMBER is never answered: clients take it for success without an offset.
 *
 * Refusals: a batch that was next but was refused in a way that its producer will retry (no space,
 * a contract that loads) is marked with its first sequence. Until that sequence is appended or the
 * epoch rises, any later sequence of that epoch is out of order, even where nothing else is known
 * of the producer: the batches behind the refused one in flight must not overtake it. Those before
 * it may still wait, with longer time-outs, and go on.
 *
 * Only producers_apply(), producers_expire() and decoding change what is known, in log order and by
 * times that the caller takes from the log, so that replay arrives at the same state. Refusals live
 * in memory only and change nothing but verdicts. Bounded: above `producers_max` the producer that
 * has not appended for longest is forgotten. */
#pragma once

#include "base/byte_buffer.h"
#include "base/list.h"
#include "base/map.h"
#include "protocol/batch.h"
#include "protocol/error_code.h"

enum { PRODUCER_BATCHES = 5 };

struct producer_batch {
    int64_t base_offset;
    int64_t max_timestamp;
    int32_t base_sequence;
    int32_t last_offset_delta; /* the last sequence is as far from the first */
    uint32_t crc;              /* 0: not comparable, the broker has changed the batch */
};

struct producer {
    struct map_node by_id;
    struct list by_age;
    /* Written to snapshots */
    int64_t id;
    int64_t last_append_ms; /* the log's time of the last append */
    int64_t last_offset;    /* of the newest batch or marker */
    int16_t epoch;
    uint8_t batch_count;
    struct producer_batch batches[PRODUCER_BATCHES]; /* oldest first */
};

struct producers {
    struct map by_id;
    struct list by_age; /* struct producer, the oldest append first */
    struct map refused;
    struct list refused_by_age;
    uint32_t producers_max;
};

void producers_init(struct producers *producers, uint32_t producers_max);
void producers_deinit(struct producers *producers);
static inline size_t producers_count(const struct producers *producers) {
    return producers->by_id.count;
}
/* NULL when it is not known. */
const struct producer *producers_find(const struct producers *producers, int64_t id);

enum producer_verdict { PRODUCER_APPEND, PRODUCER_DUPLICATE, PRODUCER_ERROR };

struct producer_check {
    enum producer_verdict verdict;
    enum error_code code; /* of PRODUCER_ERROR */
    /* Of PRODUCER_DUPLICATE: what the first answer said. */
    int64_t base_offset;
    int64_t max_timestamp;
    bool crc_differs; /* same sequences, other content: log and count it */
};

/* The verdict on a validated batch. A batch without producer id is always appended. */
void producers_check(const struct producers *producers, const struct batch_header *header,
                     struct producer_check *check);
/* Takes over a batch that was appended or replayed, or a transaction marker, which moves the epoch
 * only. One at or below the producer's last offset changes nothing: replay may overlap a snapshot.
 */
void producers_apply(struct producers *producers, const struct batch_header *header,
                     int64_t base_offset, int64_t now_ms);
/* Marks a batch that producers_check() would append but the caller refuses for now. While a mark of
 * the same epoch stands, the lowest one counts. */
void producers_refuse(struct producers *producers, const struct batch_header *header,
                      int64_t now_ms);
/* Forgets producers and marks that are expiration_ms old or older. */
void producers_expire(struct producers *producers, int64_t now_ms, int64_t expiration_ms);

/* Appends all producers, oldest first, in this form (varints as in protocol/varint.h, the signed
 * ones zigzag):
 *   u8 version = 1, varint count, then per producer: id, last_append_ms, last_offset, epoch (all
 *   signed), u8 batches, then per batch: base_offset, max_timestamp (signed), base_sequence,
 *   last_offset_delta (unsigned), crc u32 big-endian */
void producers_encode(const struct producers *producers, struct byte_buffer *out);
/* Replaces everything with what producers_encode() wrote, taken off the front of `from`. False when
 * it was not that; nothing is known then. The newest producers_max are kept. */
bool producers_decode(struct producers *producers, struct bytes *from);
