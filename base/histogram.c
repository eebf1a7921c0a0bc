#include "base/histogram.h"

#include <stddef.h>

#include "base/check.h"

/* Values below 32 have a bucket each. Above, the top bit chooses the row of 32 buckets and the
 * next five bits the bucket in it: row r holds [2^(r+4), 2^(r+5)) in steps of 2^(r-1). */
enum { STEPS = 32, STEP_BITS = 5 };

static size_t histogram_bucket(uint64_t value) {
    if (value < STEPS) return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - STEP_BITS;
    size_t bucket = ((size_t)shift + 1) * STEPS + (size_t)(value >> shift) % STEPS;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t histogram_edge(size_t bucket) {
    if (bucket < STEPS) return bucket;
    size_t shift = bucket / STEPS - 1;
    return ((STEPS + bucket % STEPS + 1ull) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value) {
    histogram->counts[histogram_bucket(value)]++;
    histogram->total++;
    histogram->sum += value;
    if (value > histogram->max) histogram->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from) {
    for (size_t at = 0; at < HISTOGRAM_BUCKETS; at++) into->counts[at] += from->counts[at];
    into->total += from->total;
    into->sum += from->sum;
    if (from->max > into->max) into->max = from->max;
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile) {
    check(quantile >= 0 && quantile <= 1);
    if (!histogram->total) return 0;
    double exact = quantile * (double)histogram->total;
    uint64_t rank = (uint64_t)exact, seen = 0;
    if ((double)rank < exact || rank == 0) rank++;
    for (size_t at = 0; at < HISTOGRAM_BUCKETS - 1; at++) {
        seen += histogram->counts[at];
        if (seen < rank) continue;
        uint64_t edge = histogram_edge(at);
        return edge < histogram->max ? edge : histogram->max;
    }
    return histogram->max;
}
