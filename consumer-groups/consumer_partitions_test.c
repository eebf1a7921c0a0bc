#include "consumer-groups/consumer_partitions.h"

#include <criterion/criterion.h>

#include "base/random.h"

/* Topic "1" is the id 0…01; bit t * 16 + p of the mask is partition p of topic t. */
static struct consumer_partitions set_of(uint64_t mask) {
    struct consumer_partitions set = consumer_partitions_open(128);
    for (int bit = 63; bit >= 0; bit--)
        for (int twice = 0; twice < 2 && (mask >> bit & 1); twice++) {
            struct uuid id = {.raw = {[15] = (uint8_t)(bit / 16)}};
            consumer_partitions_put(&set, &(struct consumer_partition){id, bit % 16, 0});
        }
    consumer_partitions_close(&set);
    return set;
}

Test(consumer_partitions, a_set_is_sorted_and_has_each_once) {
    struct consumer_partitions set = set_of(0x0003000100000005), empty = set_of(0);
    cr_assert(set.count == 5);
    static const int32_t indexes[] = {0, 2, 0, 0, 1};
    for (int i = 0; i < 5; i++) cr_assert(set.items[i].index == indexes[i]);
    cr_assert(consumer_partitions_run(&set, 0) == 2);
    cr_assert(consumer_partitions_run(&set, 2) == 1);
    cr_assert(consumer_partitions_run(&set, 3) == 2);
    cr_assert(empty.count == 0 && empty.items == NULL);
    cr_assert(consumer_partitions_run(&empty, 0) == 0);
    consumer_partitions_deinit(&set);
}

Test(consumer_partitions, as_bits_do) {
    struct random random;
    random_init(&random, 1);
    for (int round = 0; round < 2000; round++) {
        uint64_t a_mask = random_next(&random) & random_next(&random) & random_next(&random);
        uint64_t b_mask = random_next(&random) & random_next(&random) & random_next(&random);
        if (round % 3 == 0) b_mask |= a_mask;
        if (round % 5 == 0) b_mask = a_mask;
        struct consumer_partitions a = set_of(a_mask), b = set_of(b_mask);
        struct consumer_partitions copy = consumer_partitions_copy(&a);
        cr_assert(consumer_partitions_equal(&a, &b) == (a_mask == b_mask));
        cr_assert(consumer_partitions_equal(&a, &copy));
        cr_assert(consumer_partitions_meet(&a, &b) == ((a_mask & b_mask) != 0));
        for (int32_t i = 0; i < a.count; i++) {
            int bit = a.items[i].topic_id.raw[15] * 16 + a.items[i].index;
            cr_assert(consumer_partitions_have(&b, &a.items[i]) == (b_mask >> bit & 1));
        }
        consumer_partitions_deinit(&a);
        consumer_partitions_deinit(&b);
        consumer_partitions_deinit(&copy);
    }
}

Test(consumer_partitions, to_runs_and_back) {
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct consumer_partitions set = set_of(0x0003000100000005), back, empty = {0};
    int32_t count;
    struct consumer_run *runs = consumer_partitions_to_runs(&set, &arena, &count);
    cr_assert(count == 3 && runs[0].count == 2 && runs[1].count == 1 && runs[2].count == 2);
    cr_assert(runs[0].indexes[1] == 2 && runs[2].topic_id.raw[15] == 3);
    cr_assert(consumer_partitions_of_runs(runs, count, &back));
    cr_assert(consumer_partitions_equal(&set, &back));
    consumer_partitions_deinit(&back);
    runs[1].indexes[0] = PARTITION_INDEX_MAX + 1;
    cr_assert(!consumer_partitions_of_runs(runs, count, &back) && !back.items);
    runs[1].indexes[0] = -1;
    cr_assert(!consumer_partitions_of_runs(runs, count, &back) && !back.items);
    consumer_partitions_to_runs(&empty, &arena, &count);
    cr_assert(count == 0 && consumer_partitions_of_runs(NULL, 0, &back) && back.count == 0);
    consumer_partitions_deinit(&set);
    arena_deinit(&arena);
}
