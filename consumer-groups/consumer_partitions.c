#include "consumer-groups/consumer_partitions.h"

#include "base/memory.h"

int consumer_partition_compare(const struct consumer_partition *a,
                               const struct consumer_partition *b) {
    int order = memcmp(&a->topic_id, &b->topic_id, sizeof a->topic_id);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int compare(const void *a, const void *b) { return consumer_partition_compare(a, b); }

void consumer_partitions_deinit(struct consumer_partitions *set) {
    free(set->items);
    *set = (struct consumer_partitions){0};
}

const struct consumer_partition *consumer_partitions_find(
    const struct consumer_partitions *set, const struct consumer_partition *partition) {
    if (!set->count) return NULL;
    return bsearch(partition, set->items, (size_t)set->count, sizeof *set->items, compare);
}

bool consumer_partitions_equal(const struct consumer_partitions *a,
                               const struct consumer_partitions *b) {
    if (a->count != b->count) return false;
    for (int32_t i = 0; i < a->count; i++)
        if (consumer_partition_compare(&a->items[i], &b->items[i]) != 0) return false;
    return true;
}

bool consumer_partitions_meet(const struct consumer_partitions *a,
                              const struct consumer_partitions *b) {
    int32_t i = 0, j = 0;
    while (i < a->count && j < b->count) {
        int order = consumer_partition_compare(&a->items[i], &b->items[j]);
        if (order == 0) return true;
        i += order < 0;
        j += order > 0;
    }
    return false;
}

struct consumer_partitions consumer_partitions_copy(const struct consumer_partitions *set) {
    struct consumer_partitions copy = consumer_partitions_open((size_t)set->count);
    if (set->count) memcpy(copy.items, set->items, (size_t)set->count * sizeof *set->items);
    copy.count = set->count;
    return copy;
}

struct consumer_partitions consumer_partitions_open(size_t count) {
    return (struct consumer_partitions){
        .items = count ? memory_zero(count, sizeof(struct consumer_partition)) : NULL};
}

void consumer_partitions_close(struct consumer_partitions *set) {
    if (!set->count) {
        consumer_partitions_deinit(set);
        return;
    }
    qsort(set->items, (size_t)set->count, sizeof *set->items, compare);
    int32_t kept = 1;
    for (int32_t i = 1; i < set->count; i++)
        if (compare(&set->items[i], &set->items[kept - 1]) != 0) set->items[kept++] = set->items[i];
    set->count = kept;
    set->items = memory_resize(set->items, (size_t)kept * sizeof *set->items);
}

int32_t consumer_partitions_run(const struct consumer_partitions *set, int32_t at) {
    int32_t end = at;
    while (end < set->count && uuid_equal(&set->items[end].topic_id, &set->items[at].topic_id))
        end++;
    return end - at;
}

struct consumer_run *consumer_partitions_to_runs(const struct consumer_partitions *set,
                                                 struct arena *arena, int32_t *count) {
    int32_t topics = 0;
    for (int32_t i = 0; i < set->count; i += consumer_partitions_run(set, i)) topics++;
    struct consumer_run *runs = arena_array(arena, struct consumer_run, (size_t)topics);
    int32_t *indexes = arena_array(arena, int32_t, (size_t)set->count);
    int32_t *epochs = arena_array(arena, int32_t, (size_t)set->count);
    for (int32_t i = 0; i < set->count; i++) {
        indexes[i] = set->items[i].index;
        epochs[i] = set->items[i].epoch;
    }
    *count = 0;
    for (int32_t i = 0; i < set->count;) {
        int32_t run = consumer_partitions_run(set, i);
        runs[(*count)++] =
            (struct consumer_run){set->items[i].topic_id, run, indexes + i, epochs + i};
        i += run;
    }
    return runs;
}

bool consumer_partitions_of_runs(const struct consumer_run *runs, int32_t count,
                                 struct consumer_partitions *set) {
    size_t total = 0;
    bool valid = true;
    for (int32_t i = 0; i < count; i++) total += (size_t)runs[i].count;
    *set = consumer_partitions_open(total);
    for (int32_t i = 0; i < count; i++)
        for (int32_t j = 0; j < runs[i].count; j++) {
            valid = valid && runs[i].indexes[j] >= 0 && runs[i].indexes[j] <= PARTITION_INDEX_MAX;
            const struct consumer_partition one = {runs[i].topic_id, runs[i].indexes[j],
                                                   runs[i].epochs ? runs[i].epochs[j] : 0};
            consumer_partitions_put(set, &one);
        }
    consumer_partitions_close(set);
    if (!valid) consumer_partitions_deinit(set);
    return valid;
}
