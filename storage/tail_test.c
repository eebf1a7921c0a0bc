#include "storage/tail.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "storage/segment.h"

enum { FLAT_BYTES = 6 << 20, BATCHES = 400, SLICES = 2000 };

/* The same bytes in one flat array per segment. */
struct flat {
    struct tail tail;
    struct chunk_pool pool;
    struct random random;
    uint8_t *bytes[3];
    uint64_t ends[3];
    struct {
        struct place place;
        size_t len;
        int64_t offset;
    } batches[BATCHES];
    unsigned count;
    struct place start; /* what is still in the tail begins here */
};

static void flat_append(struct flat *flat, uint32_t segment, size_t len) {
    uint64_t at = flat->ends[segment];
    for (size_t byte = 0; byte < len; byte++)
        flat->bytes[segment][at + byte] = (uint8_t)random_below(&flat->random, 256);
    struct place place = {segment, at};
    int64_t offset = flat->count * 3;
    tail_append(&flat->tail, place, offset, bytes_make(flat->bytes[segment] + at, len));
    flat->batches[flat->count].place = place;
    flat->batches[flat->count].len = len;
    flat->batches[flat->count++].offset = offset;
    flat->ends[segment] += len;
}

static void flat_init(struct flat *flat, uint64_t seed) {
    *flat = (struct flat){.start = {0, SEGMENT_START}};
    chunk_pool_init(&flat->pool, 1 << 20);
    tail_init(&flat->tail, &flat->pool, NULL);
    random_init(&flat->random, seed);
    for (int segment = 0; segment < 3; segment++) {
        flat->bytes[segment] = memory_zero(1, FLAT_BYTES);
        flat->ends[segment] = SEGMENT_START;
    }
}

static void flat_deinit(struct flat *flat) {
    tail_deinit(&flat->tail);
    cr_assert_eq(flat->pool.used_bytes, 0);
    chunk_pool_deinit(&flat->pool);
    for (int segment = 0; segment < 3; segment++) free(flat->bytes[segment]);
}

static size_t random_size(struct flat *flat) {
    static const uint64_t limits[] = {100, 100, 5000, 5000, 70000, 300000};
    return 61 + random_below(&flat->random, limits[random_below(&flat->random, 6)]);
}

static void flat_fill(struct flat *flat) {
    for (uint32_t segment = 0; segment < 3; segment++) {
        while (flat->count < BATCHES * (segment + 1) / 3) {
            size_t len = random_size(flat);
            if (flat->ends[segment] + len > FLAT_BYTES) break;
            flat_append(flat, segment, len);
        }
        tail_pad(&flat->tail, segment);
    }
}

static void flat_drop(struct flat *flat) {
    const struct chunk *chunk = tail_chunk(&flat->tail, 0);
    flat->start = (struct place){chunk->segment, chunk->position + chunk->used};
    tail_drop_oldest(&flat->tail);
}

static bool flat_has(const struct flat *flat, struct place place) {
    return place_compare(place, flat->start) >= 0;
}

static void check_copies(struct flat *flat) {
    for (unsigned at = 0; at < flat->count; at++) {
        struct place place = flat->batches[at].place;
        if (!flat_has(flat, place)) continue;
        cr_assert(tail_has(&flat->tail, place));
        size_t len = flat->batches[at].len;
        uint8_t *copy = memory_new(len);
        tail_copy(&flat->tail, place, copy, len);
        cr_assert_eq(memcmp(copy, flat->bytes[place.segment] + place.position, len), 0);
        free(copy);
    }
}

static void check_slices(struct flat *flat) {
    static struct bytes slices[SLICES];
    static void *pins[SLICES];
    for (int round = 0; round < 300; round++) {
        uint32_t segment = (uint32_t)random_below(&flat->random, 3);
        if (segment < flat->start.segment) continue;
        uint64_t from = segment == flat->start.segment ? flat->start.position : SEGMENT_START;
        if (from >= flat->ends[segment]) continue;
        uint64_t at = from + random_below(&flat->random, flat->ends[segment] - from);
        size_t len = random_below(&flat->random, flat->ends[segment] - at + 1), covered = 0;
        size_t max = 1 + random_below(&flat->random, SLICES - 1);
        size_t count =
            tail_slices(&flat->tail, (struct place){segment, at}, len, slices, pins, max, &covered);
        cr_assert(count <= max && covered <= len);
        cr_assert(covered == len || count == max);
        for (size_t slice = 0; slice < count; slice++) {
            const struct chunk *chunk = pins[slice];
            cr_assert_eq(memcmp(slices[slice].at, flat->bytes[segment] + at, slices[slice].len), 0);
            cr_assert(chunk->position <= at && at < chunk->position + chunk->used);
            at += slices[slice].len;
        }
    }
}

/* The newest chunk in which a batch with first offset <= offset begins. */
static void check_finds(struct flat *flat) {
    for (int64_t offset = -1; offset <= (int64_t)flat->count * 3; offset++) {
        const struct chunk *chunk = tail_find(&flat->tail, offset), *walked = NULL;
        for (size_t at = 0; at < flat->tail.count; at++) {
            const struct chunk *probe = tail_chunk(&flat->tail, at);
            if (probe->first_position != UINT64_MAX && probe->first_offset <= offset)
                walked = probe;
        }
        cr_assert_eq(chunk, walked, "offset %lld", (long long)offset);
    }
}

/* Chunks follow each other, aligned, and know the batches that begin in them. */
static void check_layout(struct flat *flat) {
    for (size_t at = 0; at < flat->tail.count; at++) {
        const struct chunk *chunk = tail_chunk(&flat->tail, at);
        cr_assert_eq(chunk->position % CHUNK_MIN, 0);
        uint64_t first = UINT64_MAX, end = 0;
        for (unsigned batch = 0; batch < flat->count; batch++) {
            struct place place = flat->batches[batch].place;
            if (place.segment != chunk->segment || place.position < chunk->position ||
                place.position >= chunk->position + chunk->used)
                continue;
            if (first == UINT64_MAX) first = place.position;
            end = place.position + flat->batches[batch].len;
        }
        cr_assert_eq(chunk->first_position, first);
        if (first != UINT64_MAX) cr_assert_eq(chunk->batches_end, end);
    }
}

Test(tail, is_what_a_flat_array_would_be) {
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct flat flat;
        flat_init(&flat, seed);
        flat_fill(&flat);
        for (int round = 0; round < 8 && flat.tail.count > 1; round++) {
            check_copies(&flat);
            check_slices(&flat);
            check_finds(&flat);
            check_layout(&flat);
            struct place first;
            int64_t offset;
            cr_assert(tail_first(&flat.tail, &first, &offset));
            cr_assert(flat_has(&flat, first));
            size_t drop = 1 + random_below(&flat.random, flat.tail.count - 1);
            while (drop--) flat_drop(&flat);
        }
        flat_deinit(&flat);
    }
}

Test(tail, padding_is_zero) {
    struct flat flat;
    flat_init(&flat, 1);
    flat_append(&flat, 0, 5000);
    struct chunk *chunk = tail_chunk(&flat.tail, flat.tail.count - 1);
    memset(chunk->at + chunk->used, 0xee, chunk->capacity - chunk->used);
    tail_pad(&flat.tail, 0);
    for (uint64_t at = chunk->used; at < round_up(chunk->used, CHUNK_MIN); at++)
        cr_assert_eq(chunk->at[at], 0);
    flat_deinit(&flat);
}

/* Chunks double up to the size that is usual in their pool. */
Test(tail, chunks_grow_to_the_usual_size) {
    static const uint32_t usual[] = {CHUNK_SMALL, CHUNK_USUAL};
    for (size_t which = 0; which < array_count(usual); which++) {
        struct flat flat;
        flat_init(&flat, 4);
        flat.pool.usual_bytes = usual[which];
        uint32_t expected = CHUNK_MIN;
        for (int batch = 0; batch < 200; batch++) flat_append(&flat, 0, 1000);
        for (size_t at = 0; at < flat.tail.count; at++) {
            cr_assert_eq(tail_chunk(&flat.tail, at)->capacity, expected);
            if (expected < usual[which]) expected *= 2;
        }
        cr_assert_eq(expected, usual[which]);
        flat_append(&flat, 0, 300000);
        cr_assert_geq(tail_chunk(&flat.tail, flat.tail.count - 1)->capacity, 256 << 10);
        check_copies(&flat);
        flat_deinit(&flat);
    }
}

/* A reader's slice outlives the tail's interest. */
Test(tail, a_pinned_chunk_stays) {
    struct flat flat;
    flat_init(&flat, 2);
    flat_append(&flat, 0, 3000);
    flat_append(&flat, 0, 100000);
    struct bytes slice;
    void *pin;
    size_t covered;
    tail_slices(&flat.tail, (struct place){0, SEGMENT_START}, 3000, &slice, &pin, 1, &covered);
    chunk_pin(pin);
    while (flat.tail.count) flat_drop(&flat);
    cr_assert_eq(memcmp(slice.at, flat.bytes[0] + SEGMENT_START, slice.len), 0);
    chunk_release(pin);
    flat_deinit(&flat);
}

/* What recovery puts back: the rest of a batch, then batches. */
Test(tail, restored_bytes_come_first) {
    struct flat flat;
    flat_init(&flat, 3);
    struct place place = {0, 8192};
    tail_restore(&flat.tail, place, BYTES_OF("the end of a batch"));
    place.position += strlen("the end of a batch");
    tail_append(&flat.tail, place, 7, BYTES_OF("the next one"));
    cr_assert_null(tail_find(&flat.tail, 6));
    cr_assert_eq(tail_find(&flat.tail, 7)->first_position, place.position);
    char all[30];
    tail_copy(&flat.tail, (struct place){0, 8192}, all, 30);
    cr_assert_eq(memcmp(all, "the end of a batchthe next one", 30), 0);
    flat_deinit(&flat);
}
