/* A group in the consumer protocol (KIP-848): members say what they subscribe to, the coordinator
 * assigns, and leads each member there by its heartbeats. Three epochs follow each other:
 *
 *   group epoch    rises when members, subscriptions or the topics subscribed to change
 *   target epoch   the group epoch for which the target assignment was computed
 *   member epoch   the target epoch that a member has reached (consumer_reconcile.h)
 *
 *   EMPTY ─ a member joins ─► ASSIGNING ─ target computed ─► RECONCILING ─ all have it ─► STABLE
 *                                 ▲                               │                        │
 *                                 └──────── something changes ◄───┴────────────────────────┘
 *
 * A state is nothing but a comparison of the three, and the members' own states.
 *
 * One assignment is in flight at a time, on a worker when it is large; its result is applied even
 * when the group epoch has moved on meanwhile, and then the next one begins. Patterns
 * (SubscribedTopicRegex) are resolved to topics once, on a worker when there are many topics; a
 * topic that appears later is tested alone.
 *
 * Records, states and transitions are those of Kafka's ConsumerGroup and GroupMetadataManager.
 * Everything that the log has is on this side of the line in each struct. */
#pragma once

#include "consumer-groups/assignor.h"
#include "consumer-groups/consumer_reconcile.h"
#include "consumer-groups/groups.h"
#include "consumer-groups/topic_pattern.h"

enum {
    /* Beyond, a member's record could not be stored. */
    SUBSCRIPTION_BYTES_MAX = 1 << 20,
    PATTERN_TOPICS_BYTES_MAX = 1 << 20,
    FIRST_EPOCH = 1, /* of a group without members, and of its target */
    LEAVING_EPOCH = -1,
    STATIC_LEAVING_EPOCH = -2, /* the instance will be back: its place is kept */
};

/* A name that somebody subscribes to, whether there is such a topic or not. */
struct consumer_topic {
    struct map_node by_name; /* in group->topics */
    struct bytes name;       /* behind this struct */
    uint32_t references;     /* of subscriptions and patterns */
    int32_t number;          /* while an assignment's input is made */
};

/* Names, sorted, each once. */
struct consumer_topics {
    int32_t count;
    struct consumer_topic **items;
};

struct consumer_pattern {
    struct map_node by_text; /* in group->patterns */
    struct consumer_group *group;
    struct bytes text;   /* behind this struct */
    uint32_t references; /* of subscriptions */
    struct topic_pattern *compiled;
    struct consumer_resolving *resolving; /* on a worker, or NULL */
    /* --- persisted --- */
    bool resolved; /* there is a record */
    struct consumer_topics topics;
    int64_t version, resolved_ms; /* of the catalog; wall clock */
};

/* What one or more members subscribe to. */
struct consumer_subscription {
    struct map_node by_content; /* in group->subscriptions */
    struct consumer_topics topics;
    struct consumer_pattern *pattern; /* or NULL */
    uint32_t members;
    int32_t number; /* while an assignment's input is made */
};

struct consumer_member {
    struct map_node by_id;       /* in group->members */
    struct map_node by_instance; /* in group->instances, if static */
    struct consumer_group *group;
    /* --- persisted --- */
    struct bytes id, client_id, client_host;     /* heap, as all texts of a member */
    struct bytes instance_id, rack_id, assignor; /* null: none */
    int32_t rebalance_ms;
    struct consumer_subscription *subscription; /* NULL: not known yet, in replay only */
    struct consumer_current current;
    struct consumer_partitions target;
    /* --- of this life --- */
    int32_t number; /* in the assignment in flight; -1: not in it */
    struct coordinator_timer session;
    struct coordinator_timer rebalance; /* armed while it is to give up partitions */
};

/* Who holds the partitions of one topic: has them, or has not given them up yet. */
struct consumer_holding {
    struct map_node by_id; /* in group->holdings */
    struct uuid topic_id;
    int32_t count, held;
    struct consumer_member **members; /* by index, or NULL */
};

struct consumer_group {
    struct group *group;
    /* --- persisted --- */
    int32_t epoch, target_epoch;
    int64_t metadata_hash; /* of the topics subscribed to, when the epoch rose last */
    int64_t assigned_ms;   /* wall clock of the target; 0: not known */
    bool recorded;         /* the log has the group's own record */
    struct map members, patterns;
    /* --- derived --- */
    struct map instances, topics, subscriptions, holdings;
    int32_t member_count, unused_patterns;
    /* --- of this life --- */
    uint32_t partition_id_seen; /* of the catalog: topics below it were matched */
    bool epoch_dirty;           /* the epoch rose, and the record is still to be written */
    struct consumer_assignment *assignment; /* in flight, or NULL */
    struct coordinator_timer assign;        /* the next one is due */
    uint64_t assigned_at_ms, changed_at_ms; /* the coordinator's clock; 0: not in this life */
};

static inline struct consumer_group *consumer_of(const struct group *group) {
    return group->kind == &consumer_kind ? group->state : NULL;
}
static inline struct coordinator *consumer_coordinator(const struct consumer_group *group) {
    return group->group->groups->coordinator;
}

/* --- consumer_group.c --- */

enum consumer_group_state {
    CONSUMER_EMPTY,
    CONSUMER_ASSIGNING,
    CONSUMER_RECONCILING,
    CONSUMER_STABLE,
};

enum consumer_group_state consumer_state(const struct consumer_group *group);
/* The epoch rises, once until consumer_settle() writes it. */
void consumer_bump(struct consumer_group *group);
/* At the end of whatever changed members, subscriptions or topics: writes the epoch if it rose, and
 * begins an assignment if one is due. */
void consumer_settle(struct consumer_group *group);

/* --- consumer_member.c --- */

struct consumer_member *consumer_find_member(const struct consumer_group *group, struct bytes id);
struct consumer_member *consumer_find_instance(const struct consumer_group *group,
                                               struct bytes instance_id);
struct consumer_member *consumer_add_member(struct consumer_group *group, struct bytes id);
/* Frees it, without records. */
void consumer_remove_member(struct consumer_member *member);
/* With its records; the epoch rises. The caller settles the group. */
void consumer_fence_member(struct consumer_member *member);
void consumer_set_instance(struct consumer_member *member, struct bytes instance_id);
/* Another member id takes the place. Without records. */
void consumer_rename_member(struct consumer_member *member, struct bytes id);
/* Takes the sets over, keeps the holdings true. */
void consumer_set_current(struct consumer_member *member, struct consumer_current *next);
void consumer_set_target(struct consumer_member *member, struct consumer_partitions *target);
/* Who holds it, or NULL. */
struct consumer_member *consumer_holder(const struct consumer_group *group,
                                        const struct consumer_partition *partition);
/* Its session begins anew. */
void consumer_hear_member(struct consumer_member *member);
/* Arms or disarms the rebalance timer, as its state asks for. */
void consumer_watch_rebalance(struct consumer_member *member);

/* --- consumer_subscription.c --- */

/* What the member subscribes to from now on; `pattern` null or empty: none. False when it is what
 * it was. The pattern must compile. */
bool consumer_subscribe(struct consumer_member *member, const struct bytes *names, int32_t count,
                        struct bytes pattern);
void consumer_unsubscribe(struct consumer_member *member);
bool consumer_topics_have(const struct consumer_topics *topics, struct bytes name);
/* Replaces the set by these names, in any order. */
void consumer_topics_set(struct consumer_group *group, struct consumer_topics *topics,
                         const struct bytes *names, int32_t count);
bool consumer_member_subscribes(const struct consumer_member *member, struct bytes topic);

/* --- consumer_pattern.c --- */

struct consumer_pattern *consumer_find_pattern(const struct consumer_group *group,
                                               struct bytes text);
/* One reference more; made where it is not there, and then NULL with `error` if it is refused. */
struct consumer_pattern *consumer_take_pattern(struct consumer_group *group, struct bytes text,
                                               struct error *error);
/* One reference less; the last one leaves it to consumer_sweep_patterns(). */
void consumer_drop_pattern(struct consumer_pattern *pattern);
/* Removes patterns without references, and their records. */
void consumer_sweep_patterns(struct consumer_group *group);
/* Frees it, without a record. */
void consumer_remove_pattern(struct consumer_pattern *pattern);
/* Looks at all topics of the catalog: now, or on a worker when they are many. */
void consumer_resolve_pattern(struct consumer_pattern *pattern);
/* Looks at the topics that the catalog has got since the last time, those alone. */
void consumer_match_new_topics(struct consumer_group *group);

/* --- consumer_assign.c --- */

/* Begins an assignment where the target is behind: now, when the interval is over, or when the one
 * in flight has come back. */
void consumer_assign(struct consumer_group *group);
/* The member is not there any more: it gets nothing of the assignment in flight. */
void consumer_forget_in_assignment(struct consumer_member *member);
/* The group is not there any more. */
void consumer_forget_assignment(struct consumer_group *group);
/* The assignor that most members ask for, else the broker's first. */
const struct assignor *consumer_choose_assignor(const struct consumer_group *group);
/* Whether the broker offers an assignor of that name. */
bool consumer_offers_assignor(const struct groups *groups, struct bytes name);

/* --- consumer_config.c --- */

int64_t consumer_session_ms(const struct consumer_group *group);
int64_t consumer_heartbeat_ms(const struct consumer_group *group);
int64_t consumer_assignment_interval_ms(const struct consumer_group *group);

/* --- consumer_record.c --- */

void consumer_write_epoch(struct consumer_group *group);
void consumer_write_target_epoch(struct consumer_group *group);
void consumer_write_pattern(struct consumer_pattern *pattern);
void consumer_write_member(struct consumer_member *member);
void consumer_write_target(struct consumer_member *member);
void consumer_write_current(struct consumer_member *member);
/* Tombstones. */
void consumer_erase_group(struct consumer_group *group);
void consumer_erase_pattern(struct consumer_group *group, struct bytes text);
/* Of all three records under this id. */
void consumer_erase_member(struct consumer_group *group, struct bytes member_id);
