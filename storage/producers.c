#include "storage/producers.h"

#include "base/check.h"
#include "base/mutant.h"
#include "protocol/varint.h"

enum {
    VERSION = 1,
    /* The fewest bytes that a producer takes when encoded: counts are checked against it. */
    ENCODED_MIN = 5,
    ENCODED_PRODUCER_MAX = 4 * VARINT_64_MAX + 1,
    ENCODED_BATCH_MAX = 2 * VARINT_64_MAX + 2 * VARINT_32_MAX + 4
};

/* A batch that must come before any other of its producer's epoch. */
struct refusal {
    struct map_node by_id;
    struct list by_age;
    int64_t id;
    int64_t marked_ms;
    int32_t sequence;
    int16_t epoch;
};

void producers_init(struct producers *producers, uint32_t producers_max) {
    check(producers_max > 0);
    *producers = (struct producers){.producers_max = producers_max};
    map_init(&producers->by_id);
    map_init(&producers->refused);
    list_init(&producers->by_age);
    list_init(&producers->refused_by_age);
}

static void producer_forget(struct producers *producers, struct producer *producer) {
    map_remove(&producers->by_id, &producer->by_id);
    list_remove(&producer->by_age);
    free(producer);
}

static void refusal_forget(struct producers *producers, struct refusal *refusal) {
    map_remove(&producers->refused, &refusal->by_id);
    list_remove(&refusal->by_age);
    free(refusal);
}

static void producers_clear(struct producers *producers) {
    list_each(node, &producers->by_age) {
        producer_forget(producers, list_entry(node, struct producer, by_age));
    }
    list_each(node, &producers->refused_by_age) {
        refusal_forget(producers, list_entry(node, struct refusal, by_age));
    }
}

void producers_deinit(struct producers *producers) {
    producers_clear(producers);
    map_deinit(&producers->by_id);
    map_deinit(&producers->refused);
}

static struct producer *producer_find(const struct producers *producers, int64_t id) {
    struct map_node *node = map_find(&producers->by_id, hash_u64((uint64_t)id));
    for (; node; node = map_find_next(node)) {
        struct producer *producer = map_entry(node, struct producer, by_id);
        if (producer->id == id) return producer;
    }
    return NULL;
}

const struct producer *producers_find(const struct producers *producers, int64_t id) {
    return producer_find(producers, id);
}

static struct refusal *refusal_find(const struct producers *producers, int64_t id) {
    struct map_node *node = map_find(&producers->refused, hash_u64((uint64_t)id));
    for (; node; node = map_find_next(node)) {
        struct refusal *refusal = map_entry(node, struct refusal, by_id);
        if (refusal->id == id) return refusal;
    }
    return NULL;
}

/* --- verdict --- */

/* The sequence that follows the newest batch; 0 in an epoch that has none yet. */
static int32_t producer_next_sequence(const struct producer *producer) {
    if (producer->batch_count == 0) return 0;
    const struct producer_batch *newest = &producer->batches[producer->batch_count - 1];
    return batch_sequence_add(batch_sequence_add(newest->base_sequence, newest->last_offset_delta),
                              1);
}

static const struct producer_batch *producer_duplicate(const struct producer *producer,
                                                       const struct batch_header *header) {
    if (!producer || producer->epoch != header->producer_epoch) return NULL;
    if (MUTANT(duplicate_unknown)) return NULL;
    for (size_t i = 0; i < producer->batch_count; i++) {
        const struct producer_batch *batch = &producer->batches[i];
        if (batch->base_sequence == header->base_sequence &&
            batch->last_offset_delta == header->last_offset_delta) {
            return batch;
        }
    }
    return NULL;
}

/* On a ring of 2^31: half of it lies behind. */
static bool sequence_precedes(int32_t sequence, int32_t other) {
    uint32_t ahead = ((uint32_t)other - (uint32_t)sequence) & INT32_MAX;
    return ahead > 0 && ahead < 1u << 30;
}

static enum error_code sequence_error(const struct producer *producer,
                                      const struct refusal *refusal,
                                      const struct batch_header *header) {
    if (producer && header->producer_epoch < producer->epoch) return ERROR_INVALID_PRODUCER_EPOCH;
    if (refusal && refusal->epoch == header->producer_epoch &&
        refusal->sequence != header->base_sequence &&
        !sequence_precedes(header->base_sequence, refusal->sequence)) {
        return ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    }
    if (!producer) return ERROR_NONE;
    bool same_epoch = producer->epoch == header->producer_epoch;
    int32_t expected = same_epoch ? producer_next_sequence(producer) : 0;
    return header->base_sequence == expected ? ERROR_NONE : ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

void producers_check(const struct producers *producers, const struct batch_header *header,
                     struct producer_check *check) {
    *check = (struct producer_check){.verdict = PRODUCER_APPEND};
    if (!batch_idempotent(header)) return;
    const struct producer *producer = producer_find(producers, header->producer_id);
    const struct producer_batch *duplicate = producer_duplicate(producer, header);
    if (duplicate) {
        check->verdict = PRODUCER_DUPLICATE;
        check->base_offset = duplicate->base_offset;
        check->max_timestamp = duplicate->max_timestamp;
        check->crc_differs = duplicate->crc && duplicate->crc != header->crc;
        return;
    }
    const struct refusal *refusal = refusal_find(producers, header->producer_id);
    check->code = sequence_error(producer, refusal, header);
    if (check->code != ERROR_NONE) check->verdict = PRODUCER_ERROR;
}

/* --- changes --- */

/* Makes room and adds a producer of which nothing is known but its id. */
static struct producer *producer_add(struct producers *producers, int64_t id) {
    if (producers->by_id.count >= producers->producers_max) {
        struct list *oldest = list_first(&producers->by_age);
        producer_forget(producers, list_entry(oldest, struct producer, by_age));
    }
    struct producer *producer = new_zero(struct producer);
    producer->id = id;
    producer->epoch = -1;
    producer->last_offset = -1;
    list_init(&producer->by_age);
    list_append(&producers->by_age, &producer->by_age);
    map_insert(&producers->by_id, &producer->by_id, hash_u64((uint64_t)id));
    return producer;
}

static void producer_remember(struct producer *producer, const struct producer_batch *batch) {
    if (producer->batch_count == PRODUCER_BATCHES) {
        memmove(producer->batches, producer->batches + 1,
                (PRODUCER_BATCHES - 1) * sizeof *producer->batches);
        producer->batch_count--;
    }
    producer->batches[producer->batch_count++] = *batch;
}

static void refusal_settle(struct producers *producers, const struct batch_header *header) {
    struct refusal *refusal = refusal_find(producers, header->producer_id);
    if (!refusal) return;
    bool appended = header->producer_epoch == refusal->epoch && !batch_control(header) &&
                    header->base_sequence == refusal->sequence;
    if (appended || header->producer_epoch > refusal->epoch) refusal_forget(producers, refusal);
}

void producers_apply(struct producers *producers, const struct batch_header *header,
                     int64_t base_offset, int64_t now_ms) {
    if (!batch_idempotent(header)) return;
    struct producer *producer = producer_find(producers, header->producer_id);
    if (producer && base_offset <= producer->last_offset) return;
    if (!producer) producer = producer_add(producers, header->producer_id);
    if (producer->epoch != header->producer_epoch) producer->batch_count = 0;
    producer->epoch = header->producer_epoch;
    producer->last_append_ms = now_ms;
    producer->last_offset = base_offset + header->last_offset_delta;
    list_remove(&producer->by_age);
    list_append(&producers->by_age, &producer->by_age);
    refusal_settle(producers, header);
    if (batch_control(header)) return;
    check(header->base_sequence >= 0 && header->last_offset_delta >= 0 && "validated");
    producer_remember(producer, &(struct producer_batch){
                                    .base_offset = base_offset,
                                    .max_timestamp = header->max_timestamp,
                                    .base_sequence = header->base_sequence,
                                    .last_offset_delta = header->last_offset_delta,
                                    .crc = batch_append_time(header) ? 0 : header->crc,
                                });
}

static struct refusal *refusal_add(struct producers *producers, int64_t id) {
    if (producers->refused.count >= producers->producers_max) {
        struct list *oldest = list_first(&producers->refused_by_age);
        refusal_forget(producers, list_entry(oldest, struct refusal, by_age));
    }
    struct refusal *refusal = new_zero(struct refusal);
    refusal->id = id;
    refusal->epoch = -1;
    list_init(&refusal->by_age);
    list_append(&producers->refused_by_age, &refusal->by_age);
    map_insert(&producers->refused, &refusal->by_id, hash_u64((uint64_t)id));
    return refusal;
}

void producers_refuse(struct producers *producers, const struct batch_header *header,
                      int64_t now_ms) {
    if (!batch_idempotent(header)) return;
    struct refusal *refusal = refusal_find(producers, header->producer_id);
    if (!refusal) refusal = refusal_add(producers, header->producer_id);
    refusal->marked_ms = now_ms;
    list_remove(&refusal->by_age);
    list_append(&producers->refused_by_age, &refusal->by_age);
    bool precedes = header->producer_epoch == refusal->epoch &&
                    sequence_precedes(header->base_sequence, refusal->sequence);
    if (header->producer_epoch <= refusal->epoch && !precedes) return;
    refusal->epoch = header->producer_epoch;
    refusal->sequence = header->base_sequence;
}

static bool is_old(int64_t then_ms, int64_t now_ms, int64_t expiration_ms) {
    int64_t age_ms;
    if (__builtin_sub_overflow(now_ms, then_ms, &age_ms)) return now_ms > then_ms;
    return age_ms >= expiration_ms;
}

/* Both lists are in the order of their times, unless the clock went back; then the rest waits. */
void producers_expire(struct producers *producers, int64_t now_ms, int64_t expiration_ms) {
    list_each(node, &producers->by_age) {
        struct producer *producer = list_entry(node, struct producer, by_age);
        if (!is_old(producer->last_append_ms, now_ms, expiration_ms)) break;
        producer_forget(producers, producer);
    }
    list_each(node, &producers->refused_by_age) {
        struct refusal *refusal = list_entry(node, struct refusal, by_age);
        if (!is_old(refusal->marked_ms, now_ms, expiration_ms)) break;
        refusal_forget(producers, refusal);
    }
}

/* --- snapshots --- */

static void encode_batch(const struct producer_batch *batch, struct byte_buffer *out) {
    uint8_t *start = byte_buffer_reserve(out, ENCODED_BATCH_MAX), *at = start;
    at += varint_put_i64(at, batch->base_offset);
    at += varint_put_i64(at, batch->max_timestamp);
    at += varint_put_u32(at, (uint32_t)batch->base_sequence);
    at += varint_put_u32(at, (uint32_t)batch->last_offset_delta);
    store_u32(at, batch->crc);
    out->len += (size_t)(at + 4 - start);
}

static void encode_producer(const struct producer *producer, struct byte_buffer *out) {
    uint8_t *start = byte_buffer_reserve(out, ENCODED_PRODUCER_MAX), *at = start;
    at += varint_put_i64(at, producer->id);
    at += varint_put_i64(at, producer->last_append_ms);
    at += varint_put_i64(at, producer->last_offset);
    at += varint_put_i32(at, producer->epoch);
    *at++ = producer->batch_count;
    out->len += (size_t)(at - start);
    for (size_t i = 0; i < producer->batch_count; i++) encode_batch(&producer->batches[i], out);
}

void producers_encode(const struct producers *producers, struct byte_buffer *out) {
    uint8_t *at = byte_buffer_reserve(out, 1 + VARINT_64_MAX);
    at[0] = VERSION;
    out->len += 1 + varint_put_u64(at + 1, producers->by_id.count);
    list_each(node, &producers->by_age) {
        encode_producer(list_entry(node, struct producer, by_age), out);
    }
}

static bool take_u8(struct bytes *from, uint8_t *value) {
    if (from->len == 0) return false;
    *value = from->at[0];
    *from = bytes_make(from->at + 1, from->len - 1);
    return true;
}

static bool decode_batch(struct bytes *from, struct producer_batch *batch) {
    uint32_t sequence, delta;
    if (!varint_take_i64(from, &batch->base_offset)) return false;
    if (!varint_take_i64(from, &batch->max_timestamp)) return false;
    if (!varint_take_u32(from, &sequence) || sequence > INT32_MAX) return false;
    if (!varint_take_u32(from, &delta) || delta > INT32_MAX) return false;
    if (from->len < 4) return false;
    batch->base_sequence = (int32_t)sequence;
    batch->last_offset_delta = (int32_t)delta;
    batch->crc = load_u32(from->at);
    *from = bytes_make(from->at + 4, from->len - 4);
    return true;
}

static bool decode_producer(struct producers *producers, struct bytes *from) {
    int64_t id, last_append_ms, last_offset;
    int32_t epoch;
    uint8_t batch_count;
    if (!varint_take_i64(from, &id) || id < 0 || producer_find(producers, id)) return false;
    if (!varint_take_i64(from, &last_append_ms)) return false;
    if (!varint_take_i64(from, &last_offset)) return false;
    if (!varint_take_i32(from, &epoch) || epoch < 0 || epoch > INT16_MAX) return false;
    if (!take_u8(from, &batch_count) || batch_count > PRODUCER_BATCHES) return false;
    struct producer *producer = producer_add(producers, id);
    producer->last_append_ms = last_append_ms;
    producer->last_offset = last_offset;
    producer->epoch = (int16_t)epoch;
    for (; producer->batch_count < batch_count; producer->batch_count++) {
        if (!decode_batch(from, &producer->batches[producer->batch_count])) return false;
    }
    return true;
}

static bool decode_all(struct producers *producers, struct bytes *from) {
    uint8_t version;
    uint64_t count;
    if (!take_u8(from, &version) || version != VERSION) return false;
    if (!varint_take_u64(from, &count) || count > from->len / ENCODED_MIN) return false;
    while (count--) {
        if (!decode_producer(producers, from)) return false;
    }
    return true;
}

bool producers_decode(struct producers *producers, struct bytes *from) {
    producers_clear(producers);
    bool done = decode_all(producers, from);
    if (!done) producers_clear(producers);
    return done;
}
