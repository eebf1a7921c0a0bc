/* Leads one member from what it has to what it shall have: the state machine of KIP-848, as Kafka's
 * CurrentAssignmentBuilder has it. A pure function: sets in, sets out.
 *
 *                        target moved, something to give up
 *             ┌────────────────────────────────────────────────┐
 *             │                                                ▼
 *         ┌────────┐   target moved, something      ┌─────────────────────┐
 *    ───► │ STABLE │   not free yet                 │ UNREVOKED           │
 *         └────────┘ ──────────────┐                │ waits until the     │
 *             ▲                    ▼                │ member reports that │
 *             │           ┌────────────────┐        │ it has given up     │
 *             └────────── │ UNRELEASED     │ ◄───── └─────────────────────┘
 *               all free  │ waits until    │                   │
 *                         │ others have    │   ──► UNREVOKED   │
 *                         │ given up       │                   ▼
 *                         └────────────────┘       STABLE or UNRELEASED
 *
 * A member gives up before it moves to the target's epoch, and gets a partition only when nobody
 * else holds it: what is assigned to a member or being revoked from it is held by it. */
#pragma once

#include "consumer-groups/consumer_partitions.h"

/* Kafka's numbers: they are stored. */
enum consumer_member_state {
    MEMBER_STABLE = 0,
    MEMBER_UNREVOKED = 1,
    MEMBER_UNRELEASED = 2,
    /* Of a version to come: whoever is in it is fenced unless it owns nothing. */
    MEMBER_UNKNOWN = 127,
};

/* What is stored of a member's assignment (ConsumerGroupCurrentMemberAssignment). */
struct consumer_current {
    enum consumer_member_state state;
    int32_t epoch, previous_epoch;
    struct consumer_partitions assigned; /* the member may use these */
    struct consumer_partitions revoking; /* it was asked to give these up */
};

struct consumer_reconciling {
    int32_t target_epoch;
    const struct consumer_partitions *target;   /* may be older than the subscription */
    const struct consumer_partitions *reported; /* what the member says it owns; NULL: not said */
    bool subscription_changed;                  /* just now */
    void *context;
    /* Whether the member's newest subscription has the topic. */
    bool (*subscribes)(void *context, const struct uuid *topic_id);
    /* Whether another member holds the partition. */
    bool (*is_held)(void *context, const struct consumer_partition *partition);
};

enum reconcile_result {
    RECONCILE_SAME,    /* `next` is empty */
    RECONCILE_CHANGED, /* `next` is what comes next; the caller owns its sets */
    RECONCILE_FENCED,  /* the member must rejoin */
};

enum reconcile_result consumer_reconcile(const struct consumer_current *current,
                                         const struct consumer_reconciling *reconciling,
                                         struct consumer_current *next);
void consumer_current_deinit(struct consumer_current *current);
