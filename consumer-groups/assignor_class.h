/* Topics with the same subscribers: what assignors balance as one (consumer-groups/assignor.h). */
#pragma once

#include "consumer-groups/assignor.h"

struct assignor_class {
    int32_t topic_count;
    const int32_t *topics;  /* ascending */
    int32_t member_count;   /* of all members of its subscriptions */
    const int32_t *members; /* ascending */
};

struct assignor_classes {
    int32_t count;
    struct assignor_class *classes; /* fewest members first, then by their first topic */
    int32_t *topics, *members;      /* what the classes point into */
};

/* Topics without subscribers, or without partitions, are in no class. With `by_partition_count`,
 * topics of one class have equally many partitions. */
void assignor_classes_init(struct assignor_classes *classes, const struct assignor_input *input,
                           bool by_partition_count);
void assignor_classes_deinit(struct assignor_classes *classes);

/* How many of `partition_count` partitions each of `member_count` members should have, so that with
 * `others` (by member: what it has besides) they are as even as can be. `has` in: what each has of
 * them now; `share` out. Among members that could have one more, those go first that have it
 * already, then in order. */
void assignor_level(int32_t member_count, const int32_t *others, const int32_t *has,
                    int32_t partition_count, int32_t *share);
