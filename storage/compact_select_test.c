#include "storage/compact_select.h"

#include <criterion/criterion.h>

#include "storage/replace.h"

enum { NOW_MS = 1000000, SEGMENTS = 6, SEGMENT_BYTES = 1000 };

/* A log without a store: segments of ten offsets and 1000 bytes, the last one active and empty,
 * settled up to there. */
struct bench {
    struct shard shard;
    struct partition *partition;
};

static void bench_init(struct bench *bench) {
    struct partition_definition definition = {
        .id = 1, .rules = {.compacted = true, .segment_ms = INT64_MAX, .dirty_ratio_min = 0.5}};
    *bench = (struct bench){0};
    list_init(&bench->shard.partitions);
    bench->partition = partition_new(&definition, &bench->shard, NULL);
    for (uint32_t at = 0; at < SEGMENTS; at++) {
        struct segment *segment =
            partition_add_segment(bench->partition, at, at * 10, NOW_MS - 600 + at * 100);
        if (at + 1 == SEGMENTS) break;
        segment->end += SEGMENT_BYTES;
        segment->next_offset += 10;
        segment->timestamp_max = NOW_MS - 550 + at * 100;
    }
    bench->partition->next_offset = bench->partition->high_watermark = (SEGMENTS - 1) * 10;
    bench->partition->settled = (struct place){SEGMENTS - 1, SEGMENT_START};
}

static struct compact_range range_of(struct bench *bench) {
    struct compact_range range;
    compact_range(bench->partition, NOW_MS, &range);
    return range;
}

static void expect(struct bench *bench, int64_t first_dirty, int64_t end, unsigned clean,
                   unsigned dirty) {
    struct compact_range range = range_of(bench);
    cr_assert_eq(range.first_dirty, first_dirty);
    cr_assert_eq(range.end, end, "%lld", (long long)range.end);
    cr_assert_eq(range.clean_bytes, clean * SEGMENT_BYTES);
    cr_assert_eq(range.dirty_bytes, dirty * SEGMENT_BYTES);
    cr_assert_eq(range.segment_count, clean + dirty);
}

Test(compact_select, all_closed_segments_are_dirty_at_first) {
    struct bench bench;
    bench_init(&bench);
    expect(&bench, 0, 50, 0, 5);
    bench.partition->compacted_offset = 20;
    expect(&bench, 20, 50, 2, 3);
    bench.partition->compacted_offset = 25; /* a pass ended within a segment */
    expect(&bench, 25, 50, 2, 3);
    bench.partition->compacted_offset = 50;
    expect(&bench, 50, 50, 5, 0);
    bench.partition->compacted_offset = 0;
    bench.partition->log_start = 30; /* what is left behind it is of no interest */
    expect(&bench, 30, 50, 3, 2);
    partition_unpin(bench.partition);
}

Test(compact_select, what_is_not_in_its_file_stays) {
    struct bench bench;
    bench_init(&bench);
    bench.partition->settled = (struct place){3, 9000};
    expect(&bench, 0, 30, 0, 3);
    bench.partition->settled = (struct place){0, 9000};
    expect(&bench, 0, 0, 0, 0);
    partition_unpin(bench.partition);
}

/* By the newest record of a segment, and where records have no time by the segment's beginning. */
Test(compact_select, what_is_young_stays) {
    struct bench bench;
    bench_init(&bench);
    bench.partition->definition.rules.compaction_lag_ms_min = 300;
    expect(&bench, 0, 30, 0, 3);
    bench.partition->segments[1].timestamp_max = NOW_MS - 299;
    expect(&bench, 0, 10, 0, 1);
    bench.partition->compacted_offset = 20; /* what was compacted before may be younger now */
    expect(&bench, 20, 30, 2, 1);
    bench.partition->segments[2].timestamp_max = -1;
    expect(&bench, 20, 30, 2, 1);
    bench.partition->segments[2].created_ms = NOW_MS - 299;
    expect(&bench, 20, 20, 2, 0);
    partition_unpin(bench.partition);
}

Test(compact_select, the_dirty_share_decides) {
    struct bench bench;
    bench_init(&bench);
    bench.partition->compacted_offset = 20;
    struct compact_range range = range_of(&bench);
    cr_assert_float_eq(compact_ratio(&range), 0.6, 1e-9);
    cr_assert(compact_is_due(bench.partition, &range));
    bench.partition->definition.rules.dirty_ratio_min = 0.6;
    cr_assert_not(compact_is_due(bench.partition, &range), "more than that");
    bench.partition->definition.rules.dirty_ratio_min = 0;
    cr_assert(compact_is_due(bench.partition, &range));
    bench.partition->compacted_offset = 50;
    range = range_of(&bench);
    cr_assert_not(compact_is_due(bench.partition, &range), "nothing is dirty");
    partition_unpin(bench.partition);
}

Test(compact_select, who_waited_too_long_waits_no_more) {
    struct bench bench;
    bench_init(&bench);
    bench.partition->compacted_offset = 30;
    bench.partition->definition.rules.dirty_ratio_min = 1;
    bench.partition->definition.rules.compaction_lag_ms_max = 300;
    struct compact_range range = range_of(&bench);
    cr_assert_not(compact_is_due(bench.partition, &range));
    bench.partition->definition.rules.compaction_lag_ms_max = 299;
    range = range_of(&bench);
    cr_assert(range.overdue);
    cr_assert(compact_is_due(bench.partition, &range));
    bench.partition->compacted_offset = 50;
    range = range_of(&bench);
    cr_assert_not(compact_is_due(bench.partition, &range), "what is clean does not wait");
    partition_unpin(bench.partition);
}

Test(compact_select, neighbours_become_one_up_to_the_size_of_a_segment) {
    struct compact_part parts[REPLACE_OLD_MAX + 10];
    for (size_t at = 0; at < array_count(parts); at++)
        parts[at] = (struct compact_part){.end = SEGMENT_START + 100};
    cr_assert_eq(compact_group(parts, 10, 1000), 10);
    cr_assert_eq(compact_group(parts, 11, 1000), 10);
    cr_assert_eq(compact_group(parts, 3, 1000), 3);
    cr_assert_eq(compact_group(parts, 3, 50), 1, "one that is larger stays alone");
    parts[1].end = SEGMENT_START + 901;
    cr_assert_eq(compact_group(parts, 3, 1000), 1);
    parts[1].end = SEGMENT_START;
    cr_assert_eq(compact_group(parts, array_count(parts), INT64_MAX), REPLACE_OLD_MAX);
}
