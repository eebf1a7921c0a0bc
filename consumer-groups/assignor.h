/* Who reads which partition: the server side assignors of KIP-848. A pure function over numbers, so
 * that it may run on any thread and gives the same result everywhere.
 *
 *   uniform   every member gets as many partitions as any other, within one, where all subscribe to
 *             the same topics; else no hand-over of one partition would make it more even
 *   range     the same for each topic alone, and topics with equal subscribers and equal partition
 *             counts go together: who reads partition 3 of one reads partition 3 of the others, so
 *             that a join sees both sides
 *
 * Both keep what members have, as far as the balance allows, and give what is free in order:
 * uniform deals it around, range in runs. Racks are not looked at.
 *
 * Partitions of all topics are numbered through: partition p of topic t is
 * topic_first[t] + p, and topic_first[topic_count] is their count. Members and topics are numbered
 * by the caller; of two members that could have one more partition, the one with the lower number
 * has it, so the order of members should be one that stays. Cost: with the same subscriptions, some
 * steps per member and per partition; else that, for every set of subscribers, at most
 * ASSIGNOR_ROUNDS_MAX times. */
#pragma once

#include "base/bytes.h"

enum { ASSIGNOR_NOBODY = -1, ASSIGNOR_ROUNDS_MAX = 16 };

/* A set of topics that members subscribe to; members with equal sets should share one. */
struct assignor_subscription {
    int32_t topic_count;
    const int32_t *topics; /* ascending, each once */
};

struct assignor_input {
    int32_t topic_count;
    const int32_t *topic_first; /* topic_count + 1, ascending, from 0 */
    int32_t subscription_count;
    const struct assignor_subscription *subscriptions;
    int32_t member_count;
    const int32_t *member_subscription; /* by member: an index, or ASSIGNOR_NOBODY for none */
};

struct assignor {
    const char *name;
    /* `owner` by partition: a member, or ASSIGNOR_NOBODY. In: who has it now (who must not have it
     * any more is overruled). Out: who shall have it: somebody, wherever anybody subscribes. */
    void (*assign)(const struct assignor_input *input, int32_t *owner);
};

extern const struct assignor uniform_assignor, range_assignor;

/* By the name that clients ask for; NULL when there is none. */
const struct assignor *assignor_find(struct bytes name);
