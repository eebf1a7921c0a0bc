#include "storage/replace.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/memory.h"

enum { SEGMENTS = 6 };

/* A log without a store: segments 0 … 5 of ten offsets, the last one active. */
struct bench {
    struct shard shard;
    struct partition *partition;
};

static void bench_init(struct bench *bench) {
    struct partition_definition definition = {.id = 1};
    *bench = (struct bench){0};
    list_init(&bench->shard.partitions);
    bench->partition = partition_new(&definition, &bench->shard, NULL);
    for (uint32_t at = 0; at < SEGMENTS; at++) {
        struct segment *segment = partition_add_segment(bench->partition, at, at * 10, 0);
        segment->end += 1000;
        segment->next_offset += 10;
    }
    bench->partition->next_offset = bench->partition->high_watermark = SEGMENTS * 10;
    bench->partition->settled = bench->partition->durable = (struct place){SEGMENTS - 1, 4096};
    bench->partition->begun = SEGMENTS - 1;
}

static void bench_deinit(struct bench *bench) { partition_unpin(bench->partition); }

/* Segments [first, last] become one with this revision. */
static struct replacement merge(struct segment_name *old, uint32_t first, uint32_t last,
                                uint32_t revision) {
    struct replacement replacement = {
        .old = old, .old_count = last - first + 1, .begun = SEGMENTS - 1, .has_new = true};
    for (uint32_t at = first; at <= last; at++) old[at - first] = (struct segment_name){at, 0};
    replacement.new_segment = (struct segment){.number = first,
                                               .revision = revision,
                                               .base_offset = first * 10,
                                               .next_offset = last * 10 + 7,
                                               .end = SEGMENT_START + 500,
                                               .timestamp_max = 77,
                                               .timestamp_max_offset = first * 10,
                                               .created_ms = 5};
    return replacement;
}

static void expect_table(const struct bench *bench, const char *wanted) {
    char text[100] = "";
    size_t len = 0;
    for (size_t at = 0; at < bench->partition->segment_count; at++) {
        const struct segment *segment = &bench->partition->segments[at];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u.%u", len ? " " : "",
                                segment->number, segment->revision);
    }
    cr_assert_str_eq(text, wanted);
}

static void apply(struct bench *bench, struct replacement *replacement, bool is_taken) {
    cr_assert(replacement_fits(bench->partition, replacement));
    replacement_apply(bench->partition, replacement);
    cr_assert_eq(replacement->is_taken, is_taken);
}

Test(replace, several_become_one_once) {
    struct bench bench;
    struct segment_name old[SEGMENTS];
    bench_init(&bench);
    struct replacement replacement = merge(old, 1, 3, 1);
    replacement.compacted_offset = 40;
    apply(&bench, &replacement, true);
    expect_table(&bench, "0.0 1.1 4.0 5.0");
    const struct segment *segment = &bench.partition->segments[1];
    cr_assert_eq(segment->next_offset, 37);
    cr_assert_eq(segment->durable_timestamp_max, 77);
    cr_assert(segment->sealed && !segment->file && !segment->index_whole);
    cr_assert_eq(bench.partition->compacted_offset, 40);
    /* Replay may bring it again. */
    replacement.compacted_offset = 30;
    apply(&bench, &replacement, false);
    expect_table(&bench, "0.0 1.1 4.0 5.0");
    cr_assert_eq(bench.partition->compacted_offset, 40);
    bench_deinit(&bench);
}

Test(replace, offsets_lead_to_the_segment_that_has_what_follows) {
    struct bench bench;
    struct segment_name old[SEGMENTS];
    bench_init(&bench);
    struct replacement replacement = merge(old, 1, 3, 1);
    apply(&bench, &replacement, true);
    static const struct {
        int64_t offset;
        uint32_t number;
    } cases[] = {{0, 0}, {9, 0}, {10, 1}, {36, 1}, {37, 4}, {39, 4}, {40, 4}, {59, 5}};
    for (size_t at = 0; at < array_count(cases); at++)
        cr_assert_eq(partition_segment_of_offset(bench.partition, cases[at].offset)->number,
                     cases[at].number, "%lld", (long long)cases[at].offset);
    cr_assert_null(partition_segment_of_offset(bench.partition, 60));
    cr_assert_null(partition_segment(bench.partition, 2));
    cr_assert_eq(partition_segment(bench.partition, 4)->base_offset, 40);
    bench_deinit(&bench);
}

Test(replace, nothing_may_be_left) {
    struct bench bench;
    struct segment_name old[SEGMENTS];
    bench_init(&bench);
    struct replacement replacement = merge(old, 0, 4, 1);
    replacement.has_new = false;
    apply(&bench, &replacement, true);
    expect_table(&bench, "5.0");
    bench_deinit(&bench);
}

Test(replace, what_was_trimmed_is_not_missed) {
    struct bench bench;
    struct segment_name old[SEGMENTS];
    bench_init(&bench);
    partition_trimmed(bench.partition, 25);
    expect_table(&bench, "2.0 3.0 4.0 5.0");
    struct replacement replacement = merge(old, 1, 3, 1);
    apply(&bench, &replacement, true);
    expect_table(&bench, "1.1 4.0 5.0");
    partition_trimmed(bench.partition, 40);
    expect_table(&bench, "4.0 5.0");
    struct replacement late = merge(old, 2, 3, 1);
    apply(&bench, &late, false);
    expect_table(&bench, "4.0 5.0");
    bench_deinit(&bench);
}

Test(replace, what_does_not_fit_is_seen) {
    struct bench bench;
    struct segment_name old[SEGMENTS];
    bench_init(&bench);
    struct replacement replacement = merge(old, 1, 3, 1);
    replacement.compacted_offset = 61;
    cr_assert_not(replacement_fits(bench.partition, &replacement), "behind the end");
    replacement = merge(old, 1, 3, 1);
    replacement.new_segment.next_offset = 41;
    cr_assert_not(replacement_fits(bench.partition, &replacement), "into the next segment");
    replacement = merge(old, 1, 3, 1);
    replacement.new_segment.base_offset = 9;
    cr_assert_not(replacement_fits(bench.partition, &replacement), "into the one before");
    replacement = merge(old, 4, 5, 1);
    cr_assert_not(replacement_fits(bench.partition, &replacement), "the active one");
    replacement = merge(old, 1, 3, 1);
    old[2].revision = 1;
    cr_assert_not(replacement_fits(bench.partition, &replacement), "the last one is another");
    bench_deinit(&bench);
}

Test(replace, the_payload_round_trips_and_is_judged) {
    struct segment_name old[SEGMENTS];
    struct replacement replacement = merge(old, 1, 3, 4), again;
    replacement.compacted_offset = 33;
    uint8_t bytes[200];
    size_t size = replacement_size(&replacement);
    cr_assert(size < sizeof bytes);
    replacement_encode(&replacement, bytes);
    cr_assert(replacement_decode(bytes_make(bytes, size), &again));
    cr_assert_eq(again.old_count, 3);
    cr_assert_eq(again.begun, SEGMENTS - 1);
    cr_assert_eq(again.compacted_offset, 33);
    cr_assert_eq(again.new_segment.revision, 4);
    cr_assert_eq(again.new_segment.next_offset, 37);
    cr_assert_eq(again.new_segment.created_ms, 5);
    free(again.old);
    for (size_t len = 0; len < size; len++)
        cr_assert_not(replacement_decode(bytes_make(bytes, len), &again), "%zu bytes", len);
    static const struct {
        size_t at;
        uint32_t value;
        const char *why;
    } wrong[] = {
        {0, 3, "begun before the last old one"},
        {4, 0x80000000, "a negative offset"},
        {12, 4, "more old ones than bytes"},
        {12, REPLACE_OLD_MAX + 1, "too many"},
        {16, 2, "two new ones"},
        {20, 2, "old ones not rising"},
        {44, 2, "another number"},
        {48, 0, "not a newer revision"},
    };
    for (size_t at = 0; at < array_count(wrong); at++) {
        uint32_t right = load_u32(bytes + wrong[at].at);
        store_u32(bytes + wrong[at].at, wrong[at].value);
        cr_assert_not(replacement_decode(bytes_make(bytes, size), &again), "%s", wrong[at].why);
        store_u32(bytes + wrong[at].at, right);
    }
}
