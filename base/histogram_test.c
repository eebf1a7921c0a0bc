#include "base/histogram.h"

#include <criterion/criterion.h>

#include "base/random.h"

Test(histogram, empty_answers_zero) {
    struct histogram h = {0};
    cr_assert_eq(histogram_quantile(&h, 0.5), 0);
}

Test(histogram, small_values_are_exact) {
    struct histogram h = {0};
    for (uint64_t value = 1; value <= 31; value++) histogram_record(&h, value);
    cr_assert_eq(histogram_quantile(&h, 0), 1);
    cr_assert_eq(histogram_quantile(&h, 0.5), 16);
    cr_assert_eq(histogram_quantile(&h, 1), 31);
    cr_assert_eq(h.total, 31);
    cr_assert_eq(h.sum, 31 * 32 / 2);
}

Test(histogram, every_value_is_within_its_error) {
    struct random random;
    random_init(&random, 7);
    for (int round = 0; round < 20000; round++) {
        uint64_t value = 1 + (random_next(&random) >> (24 + round % 40));
        struct histogram h = {0};
        histogram_record(&h, value);
        h.max = UINT64_MAX; /* shows the bucket's own edge */
        uint64_t edge = histogram_quantile(&h, 0.5);
        cr_assert_geq(edge, value);
        cr_assert_leq((double)edge, (double)value * (1 + 1.0 / 31), "%lu → %lu", value, edge);
    }
}

Test(histogram, quantiles_of_a_line) {
    struct histogram h = {0};
    for (uint64_t value = 1; value <= 100000; value++) histogram_record(&h, value * 1000);
    cr_assert_float_eq((double)histogram_quantile(&h, 0.5), 5e7, 5e7 * 0.033);
    cr_assert_float_eq((double)histogram_quantile(&h, 0.99), 9.9e7, 9.9e7 * 0.033);
    cr_assert_eq(histogram_quantile(&h, 1), 100000000);
}

Test(histogram, beyond_the_range_counts_in_the_last_bucket) {
    struct histogram h = {0};
    histogram_record(&h, UINT64_MAX);
    histogram_record(&h, 1);
    cr_assert_eq(h.counts[HISTOGRAM_BUCKETS - 1], 1);
    cr_assert_eq(histogram_quantile(&h, 1), UINT64_MAX);
    cr_assert_eq(histogram_quantile(&h, 0.5), 1);
}

Test(histogram, merged_is_as_if_recorded_in_one) {
    struct histogram one = {0}, two = {0}, both = {0};
    for (uint64_t value = 0; value < 5000; value++) {
        histogram_record(value % 3 ? &one : &two, value * value);
        histogram_record(&both, value * value);
    }
    histogram_merge(&one, &two);
    cr_assert_arr_eq(&one, &both, sizeof both);
}
