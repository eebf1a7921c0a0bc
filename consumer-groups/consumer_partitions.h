/* A set of partitions, by topic id: what a member owns, shall own, or gives up. Sorted by id and
 * index, each once, so that sets are compared and joined by walking along both. The owner frees the
 * items. */
#pragma once

#include "base/arena.h"
#include "base/uuid.h"

struct consumer_partition {
    struct uuid topic_id;
    int32_t index;
    int32_t epoch; /* since when a member has it (KIP-1251), else 0; sets compare without it */
};

struct consumer_partitions {
    int32_t count;
    struct consumer_partition *items; /* NULL when empty */
};

int consumer_partition_compare(const struct consumer_partition *a,
                               const struct consumer_partition *b);
void consumer_partitions_deinit(struct consumer_partitions *set);
/* NULL when it is not in the set. */
const struct consumer_partition *consumer_partitions_find(
    const struct consumer_partitions *set, const struct consumer_partition *partition);
static inline bool consumer_partitions_have(const struct consumer_partitions *set,
                                            const struct consumer_partition *partition) {
    return consumer_partitions_find(set, partition) != NULL;
}
bool consumer_partitions_equal(const struct consumer_partitions *a,
                               const struct consumer_partitions *b);
/* Whether they have one in common. */
bool consumer_partitions_meet(const struct consumer_partitions *a,
                              const struct consumer_partitions *b);
struct consumer_partitions consumer_partitions_copy(const struct consumer_partitions *set);

/* A set in the making: room for `count`, filled in any order, then consumer_partitions_close()
 * sorts it, drops what came twice, and what room is left over. */
struct consumer_partitions consumer_partitions_open(size_t count);
static inline void consumer_partitions_put(struct consumer_partitions *set,
                                           const struct consumer_partition *partition) {
    set->items[set->count++] = *partition;
}
void consumer_partitions_close(struct consumer_partitions *set);

/* The run of one topic that begins at `at`: how many. */
int32_t consumer_partitions_run(const struct consumer_partitions *set, int32_t at);

/* The partitions of one topic, as messages have them. */
struct consumer_run {
    struct uuid topic_id;
    int32_t count;
    int32_t *indexes;
    int32_t *epochs; /* as many; or NULL: all 0 */
};

/* More than a topic can have. */
enum { PARTITION_INDEX_MAX = 1 << 20 };

/* The set by topics, in the arena. */
struct consumer_run *consumer_partitions_to_runs(const struct consumer_partitions *set,
                                                 struct arena *arena, int32_t *count);
/* False, and an empty set, when an index is negative or above PARTITION_INDEX_MAX. */
bool consumer_partitions_of_runs(const struct consumer_run *runs, int32_t count,
                                 struct consumer_partitions *set);
