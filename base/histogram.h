/* Latency histogram: log-linear buckets (32 per power of two, ≤ 3.2 % error) over 1 ns .. 2^40 ns,
 * fixed memory, mergeable. Values above the range count in the last bucket. */
#pragma once

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 37 * 32 };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total, sum, max;
};

void histogram_record(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The upper edge of the bucket that holds this quantile (0..1), but never more than the largest
 * value recorded; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);
