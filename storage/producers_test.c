#include "storage/producers.h"

#include <criterion/criterion.h>

#include "base/random.h"

enum { LAST = INT32_MAX };

static struct batch_header batch(int64_t id, int16_t epoch, int32_t sequence, int32_t count) {
    return (struct batch_header){.magic = 2,
                                 .crc = (uint32_t)sequence * 7 + 1,
                                 .max_timestamp = sequence + 5000ll,
                                 .producer_id = id,
                                 .producer_epoch = epoch,
                                 .base_sequence = sequence,
                                 .last_offset_delta = count - 1,
                                 .record_count = count};
}

static struct producer_check checked(struct producers *producers, struct batch_header header) {
    struct producer_check check;
    producers_check(producers, &header, &check);
    return check;
}

static bool appends(struct producers *producers, struct batch_header header) {
    return checked(producers, header).verdict == PRODUCER_APPEND;
}

static enum error_code error_of(struct producers *producers, struct batch_header header) {
    struct producer_check check = checked(producers, header);
    cr_assert_eq(check.verdict == PRODUCER_ERROR, check.code != ERROR_NONE);
    return check.code;
}

static void apply(struct producers *producers, struct batch_header header, int64_t offset) {
    producers_apply(producers, &header, offset, 1000);
}

Test(producers, batches_without_id_pass) {
    struct producers producers;
    producers_init(&producers, 10);
    cr_assert(appends(&producers, batch(-1, -1, -1, 3)));
    apply(&producers, batch(-1, -1, -1, 3), 0);
    struct batch_header header = batch(-1, -1, -1, 3);
    producers_refuse(&producers, &header, 0);
    cr_assert_eq(producers_count(&producers), 0);
    producers_deinit(&producers);
}

Test(producers, an_unknown_one_may_start_anywhere) {
    struct producers producers;
    producers_init(&producers, 10);
    cr_assert(appends(&producers, batch(1, 3, 77, 2)));
    apply(&producers, batch(1, 3, 77, 2), 100);
    cr_assert(appends(&producers, batch(1, 3, 79, 1)));
    cr_assert_eq(error_of(&producers, batch(1, 3, 80, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    cr_assert_eq(error_of(&producers, batch(1, 3, 78, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    producers_deinit(&producers);
}

Test(producers, the_last_five_are_duplicates_and_older_ones_out_of_order) {
    struct producers producers;
    producers_init(&producers, 10);
    for (int32_t i = 0; i < 7; i++) apply(&producers, batch(1, 0, i * 10, 10), 1000 + i * 10);
    for (int32_t i = 2; i < 7; i++) {
        struct producer_check check = checked(&producers, batch(1, 0, i * 10, 10));
        cr_assert_eq(check.verdict, PRODUCER_DUPLICATE);
        cr_assert_eq(check.base_offset, 1000 + i * 10);
        cr_assert_eq(check.max_timestamp, i * 10 + 5000);
        cr_assert_not(check.crc_differs);
    }
    for (int32_t i = 0; i < 2; i++) {
        cr_assert_eq(error_of(&producers, batch(1, 0, i * 10, 10)),
                     ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    cr_assert_eq(error_of(&producers, batch(1, 0, 60, 9)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                 "a part of a known batch is not a duplicate");
    producers_deinit(&producers);
}

Test(producers, a_duplicate_with_other_content_is_told) {
    struct producers producers;
    producers_init(&producers, 10);
    struct batch_header header = batch(1, 0, 0, 1);
    apply(&producers, header, 50);
    header.crc++;
    struct producer_check check = checked(&producers, header);
    cr_assert_eq(check.verdict, PRODUCER_DUPLICATE);
    cr_assert(check.crc_differs);
    struct batch_header stamped = batch(2, 0, 0, 1);
    stamped.attributes = BATCH_APPEND_TIME;
    apply(&producers, stamped, 51);
    stamped.crc++;
    cr_assert_not(checked(&producers, stamped).crc_differs, "the broker has changed that one");
    producers_deinit(&producers);
}

Test(producers, sequences_wrap) {
    struct producers producers;
    producers_init(&producers, 10);
    apply(&producers, batch(1, 0, LAST - 1, 2), 0);
    cr_assert_eq(error_of(&producers, batch(1, 0, 1, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    cr_assert(appends(&producers, batch(1, 0, 0, 1)));
    apply(&producers, batch(2, 0, LAST, 3), 2);
    cr_assert(appends(&producers, batch(2, 0, 2, 1)), "the batch itself wraps");
    cr_assert_eq(checked(&producers, batch(2, 0, LAST, 3)).verdict, PRODUCER_DUPLICATE);
    producers_deinit(&producers);
}

Test(producers, epochs_only_rise_and_start_at_zero) {
    struct producers producers;
    producers_init(&producers, 10);
    apply(&producers, batch(1, 4, 0, 5), 0);
    cr_assert_eq(error_of(&producers, batch(1, 3, 5, 1)), ERROR_INVALID_PRODUCER_EPOCH);
    cr_assert_eq(error_of(&producers, batch(1, 5, 5, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    cr_assert(appends(&producers, batch(1, 5, 0, 1)), "librdkafka after a gap");
    cr_assert(appends(&producers, batch(1, 9, 0, 1)));
    apply(&producers, batch(1, 5, 0, 1), 5);
    cr_assert_eq(error_of(&producers, batch(1, 4, 0, 5)), ERROR_INVALID_PRODUCER_EPOCH,
                 "duplicates of the old epoch are gone");
    cr_assert_eq(checked(&producers, batch(1, 5, 0, 1)).verdict, PRODUCER_DUPLICATE);
    cr_assert(appends(&producers, batch(1, 5, 1, 1)));
    producers_deinit(&producers);
}

Test(producers, a_marker_moves_the_epoch_only) {
    struct producers producers;
    producers_init(&producers, 10);
    apply(&producers, batch(1, 4, 0, 5), 0);
    struct batch_header marker = batch(1, 4, -1, 1);
    marker.attributes = BATCH_CONTROL | BATCH_TRANSACTIONAL;
    apply(&producers, marker, 5);
    cr_assert(appends(&producers, batch(1, 4, 5, 1)), "the same epoch goes on");
    marker.producer_epoch = 5;
    apply(&producers, marker, 6);
    cr_assert_eq(error_of(&producers, batch(1, 4, 5, 1)), ERROR_INVALID_PRODUCER_EPOCH);
    cr_assert_eq(error_of(&producers, batch(1, 5, 5, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    cr_assert(appends(&producers, batch(1, 5, 0, 1)));
    producers_deinit(&producers);
}

Test(producers, replay_may_overlap_a_snapshot) {
    struct producers producers;
    producers_init(&producers, 10);
    for (int32_t i = 0; i < 3; i++) apply(&producers, batch(1, 0, i, 1), i);
    for (int32_t i = 0; i < 3; i++) apply(&producers, batch(1, 0, i, 1), i);
    cr_assert(appends(&producers, batch(1, 0, 3, 1)));
    cr_assert_eq(producers_find(&producers, 1)->batch_count, 3);
    producers_deinit(&producers);
}

static void refuse(struct producers *producers, struct batch_header header) {
    producers_refuse(producers, &header, 1000);
}

/* They waited together, and the last one had the shortest time-out. */
Test(producers, what_precedes_a_refused_batch_goes_on) {
    struct producers producers;
    producers_init(&producers, 10);
    refuse(&producers, batch(1, 0, 3, 1));
    cr_assert(appends(&producers, batch(1, 0, 1, 2)));
    refuse(&producers, batch(1, 0, 1, 2)); /* that one counts now */
    cr_assert_eq(error_of(&producers, batch(1, 0, 3, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    apply(&producers, batch(1, 0, 1, 2), 0);
    cr_assert(appends(&producers, batch(1, 0, 3, 1)));
    refuse(&producers, batch(2, 0, 0, 1));
    cr_assert(appends(&producers, batch(2, 0, LAST, 1)), "sequences wrap");
    producers_deinit(&producers);
}

Test(producers, nothing_overtakes_a_refused_batch) {
    struct producers producers;
    producers_init(&producers, 10);
    refuse(&producers, batch(1, 0, 0, 1)); /* nothing is known of it but that */
    cr_assert_eq(error_of(&producers, batch(1, 0, 1, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    refuse(&producers, batch(1, 0, 1, 1));
    cr_assert_eq(error_of(&producers, batch(1, 0, 1, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                 "the first mark counts");
    cr_assert(appends(&producers, batch(1, 0, 0, 1)));
    cr_assert(appends(&producers, batch(2, 0, 9, 1)), "another producer");
    apply(&producers, batch(1, 0, 0, 1), 0);
    cr_assert(appends(&producers, batch(1, 0, 1, 1)), "settled");
    producers_deinit(&producers);
}

Test(producers, a_mark_ends_when_the_epoch_rises) {
    struct producers producers;
    producers_init(&producers, 10);
    apply(&producers, batch(1, 0, 0, 5), 0);
    refuse(&producers, batch(1, 0, 5, 5));
    cr_assert_eq(checked(&producers, batch(1, 0, 0, 5)).verdict, PRODUCER_DUPLICATE,
                 "what was stored stays stored");
    cr_assert_eq(error_of(&producers, batch(1, 0, 10, 5)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    cr_assert(appends(&producers, batch(1, 1, 0, 1)));
    refuse(&producers, batch(1, 1, 0, 1));
    cr_assert_eq(error_of(&producers, batch(1, 1, 1, 1)), ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    apply(&producers, batch(1, 2, 0, 1), 5);
    cr_assert(appends(&producers, batch(1, 2, 1, 1)));
    cr_assert_eq(producers.refused.count, 0);
    producers_deinit(&producers);
}

Test(producers, the_number_is_bounded_and_the_oldest_goes) {
    struct producers producers;
    producers_init(&producers, 3);
    for (int64_t id = 0; id < 3; id++) apply(&producers, batch(id, 0, 0, 1), id);
    apply(&producers, batch(0, 0, 1, 1), 3);
    apply(&producers, batch(9, 0, 0, 1), 4);
    cr_assert_eq(producers_count(&producers), 3);
    cr_assert_not(producers_find(&producers, 1));
    cr_assert(producers_find(&producers, 0) && producers_find(&producers, 2));
    for (int64_t id = 0; id < 5; id++) refuse(&producers, batch(id, 1, 0, 1));
    cr_assert_eq(producers.refused.count, 3);
    cr_assert_eq(producers_count(&producers), 3, "marks take no producer's place");
    producers_deinit(&producers);
}

Test(producers, old_ones_expire) {
    struct producers producers;
    producers_init(&producers, 10);
    struct batch_header header = batch(1, 0, 0, 1);
    producers_apply(&producers, &header, 0, 100);
    header = batch(2, 0, 0, 1);
    producers_apply(&producers, &header, 1, 200);
    header = batch(3, 0, 0, 1);
    producers_refuse(&producers, &header, 100);
    producers_expire(&producers, 199, 100);
    cr_assert_eq(producers_count(&producers), 2);
    producers_expire(&producers, 200, 100);
    cr_assert(!producers_find(&producers, 1) && producers_find(&producers, 2));
    cr_assert_eq(producers.refused.count, 0);
    cr_assert(appends(&producers, batch(1, 0, 55, 1)), "unknown again");
    producers_expire(&producers, INT64_MIN, 100);
    cr_assert_eq(producers_count(&producers), 1, "a clock that went back forgets nothing");
    producers_deinit(&producers);
}

static void fill(struct producers *producers) {
    int64_t offset = 1ll << 40;
    for (int64_t id = 0; id < 8; id++) {
        for (int32_t i = 0; i < (int32_t)id; i++, offset += 10) {
            struct batch_header header = batch(id * 1000003, (int16_t)id, i * 10, 10);
            producers_apply(producers, &header, offset, 1700000000000 + i);
        }
    }
}

Test(producers, a_snapshot_brings_everything_back) {
    struct producers one, two;
    producers_init(&one, 10);
    producers_init(&two, 10);
    fill(&one);
    struct byte_buffer first = {0}, second = {0};
    producers_encode(&one, &first);
    byte_buffer_append(&first, BYTES_OF("next"));
    struct bytes from = byte_buffer_bytes(&first);
    apply(&two, batch(5, 0, 0, 1), 0); /* goes away */
    cr_assert(producers_decode(&two, &from));
    cr_assert(bytes_equal_text(from, "next"));
    cr_assert_eq(producers_count(&two), 7);
    producers_encode(&two, &second);
    cr_assert(bytes_equal(byte_buffer_bytes(&second), bytes_make(first.at, first.len - 4)));
    cr_assert_eq(checked(&two, batch(6 * 1000003, 6, 50, 10)).verdict, PRODUCER_DUPLICATE);
    cr_assert(appends(&two, batch(6 * 1000003, 6, 60, 10)));
    producers_deinit(&two);
    producers_init(&two, 2);
    from = byte_buffer_bytes(&first);
    cr_assert(producers_decode(&two, &from));
    cr_assert(producers_find(&two, 7 * 1000003) && producers_count(&two) == 2, "the newest");
    byte_buffer_deinit(&first);
    byte_buffer_deinit(&second);
    producers_deinit(&one);
    producers_deinit(&two);
}

Test(producers, a_broken_snapshot_is_refused) {
    struct producers producers;
    producers_init(&producers, 10);
    fill(&producers);
    struct byte_buffer out = {0};
    producers_encode(&producers, &out);
    for (size_t len = 0; len < out.len; len++) {
        struct bytes from = bytes_make(out.at, len);
        cr_assert_not(producers_decode(&producers, &from), "cut at %zu", len);
        cr_assert_eq(producers_count(&producers), 0);
    }
    for (size_t bit = 0; bit < out.len * 8; bit++) { /* any answer, but no harm */
        out.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct bytes from = byte_buffer_bytes(&out);
        producers_decode(&producers, &from);
        producers_expire(&producers, INT64_MAX, 1);
        out.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    out.at[0] = 2;
    struct bytes from = byte_buffer_bytes(&out);
    cr_assert_not(producers_decode(&producers, &from), "a later version");
    byte_buffer_deinit(&out);
    producers_deinit(&producers);
}

/* The rules once more, over the whole history of one producer and without any cleverness. */
struct model {
    struct batch_header history[4096];
    int64_t offsets[4096];
    int count;
    bool refused;
    struct batch_header refusal;
};

static int64_t sequence_behind(const struct batch_header *header) {
    return ((int64_t)header->base_sequence + header->last_offset_delta + 1) % (1ll << 31);
}

static enum error_code model_check(const struct model *model, const struct batch_header *header,
                                   int64_t *duplicate_of) {
    *duplicate_of = -1;
    const struct batch_header *last = model->count ? &model->history[model->count - 1] : NULL;
    for (int i = model->count - 1, seen = 0; i >= 0 && seen < 5; i--, seen++) {
        const struct batch_header *old = &model->history[i];
        if (old->producer_epoch != last->producer_epoch) break;
        if (old->producer_epoch == header->producer_epoch &&
            old->base_sequence == header->base_sequence &&
            old->last_offset_delta == header->last_offset_delta) {
            *duplicate_of = model->offsets[i];
            return ERROR_NONE;
        }
    }
    if (last && header->producer_epoch < last->producer_epoch) return ERROR_INVALID_PRODUCER_EPOCH;
    if (model->refused && model->refusal.producer_epoch == header->producer_epoch &&
        model->refusal.base_sequence != header->base_sequence) {
        return ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    }
    int64_t expected = header->base_sequence;
    if (last && last->producer_epoch == header->producer_epoch) expected = sequence_behind(last);
    if (last && last->producer_epoch < header->producer_epoch) expected = 0;
    return header->base_sequence == expected ? ERROR_NONE : ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

static void model_append(struct model *model, const struct batch_header *header, int64_t offset) {
    model->history[model->count] = *header;
    model->offsets[model->count++] = offset;
    if (!model->refused) return;
    bool same = model->refusal.producer_epoch == header->producer_epoch;
    if (same && model->refusal.base_sequence == header->base_sequence) model->refused = false;
    if (model->refusal.producer_epoch < header->producer_epoch) model->refused = false;
}

static void model_refuse(struct model *model, const struct batch_header *header) {
    if (model->refused && model->refusal.producer_epoch >= header->producer_epoch) return;
    model->refused = true;
    model->refusal = *header;
}

/* Mostly what a producer would send next, sometimes what it should not. */
static struct batch_header random_batch(struct random *random, const struct model *model,
                                        int64_t id) {
    int32_t count = 1 + (int32_t)random_below(random, 3);
    const struct batch_header *last = model->count ? &model->history[model->count - 1] : NULL;
    int16_t epoch = last ? last->producer_epoch : 0;
    uint64_t dice = random_below(random, 100);
    if (!last) return batch(id, 0, LAST - (int32_t)random_below(random, 40), count);
    if (dice < 5) return batch(id, epoch + 1, (int32_t)random_below(random, 2), count);
    if (dice < 8 && epoch > 0) return batch(id, epoch - 1, 0, count);
    if (dice < 25) {
        int back = (int)random_below(random, 8);
        struct batch_header again =
            model->history[back < model->count ? model->count - 1 - back : 0];
        if (dice < 10) again.last_offset_delta++;
        return again;
    }
    int64_t sequence = sequence_behind(last) + (dice < 32 ? (int64_t)random_below(random, 4) : 0);
    return batch(id, epoch, (int32_t)(sequence & LAST), count);
}

Test(producers, random_histories_agree_with_the_model) {
    enum { IDS = 3 };
    struct model *models = memory_zero(IDS, sizeof *models);
    struct producers producers;
    struct random random;
    producers_init(&producers, IDS);
    random_init(&random, 99);
    int64_t offset = 0;
    int seen[4] = {0};
    for (int round = 0; round < 8000; round++) {
        int64_t id = (int64_t)random_below(&random, IDS), duplicate_of;
        struct model *model = &models[id];
        struct batch_header header = random_batch(&random, model, id);
        enum error_code code = model_check(model, &header, &duplicate_of);
        struct producer_check check = checked(&producers, header);
        cr_assert_eq(check.code, code, "round %d", round);
        cr_assert_eq(check.verdict == PRODUCER_DUPLICATE, duplicate_of >= 0, "round %d", round);
        if (duplicate_of >= 0) cr_assert_eq(check.base_offset, duplicate_of, "round %d", round);
        seen[check.verdict]++;
        if (check.verdict != PRODUCER_APPEND) continue;
        if (random_below(&random, 10) == 0) {
            seen[3]++;
            model_refuse(model, &header);
            producers_refuse(&producers, &header, round);
            continue;
        }
        model_append(model, &header, offset);
        producers_apply(&producers, &header, offset, round);
        offset += header.record_count;
    }
    for (int i = 0; i < 4; i++) cr_assert_gt(seen[i], 200, "case %d: %d", i, seen[i]);
    producers_deinit(&producers);
    free(models);
}
