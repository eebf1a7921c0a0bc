/* A group in the classic protocol: members join, one of them, the leader, gets the list and hands
 * in everybody's assignment, each fetches its own part (JoinGroup, SyncGroup). What members say
 * about themselves and what they are assigned is opaque here, for any protocol type.
 *
 *             ┌────────────────────── last member is gone ◄──────────┐
 *             ▼                                                      │
 *          EMPTY ─ a member joins ─► PREPARING ─ all joined, or ─► COMPLETING
 *                                        ▲       time is up          │   │
 *                                        │                           │   │ the leader's SyncGroup
 *                                        └── joins, leaves, fails ───┘   ▼
 *                                        └───────────────────────────── STABLE
 *
 * EMPTY: no members; offsets may be there ("simple" when nobody ever joined: no protocol type).
 * PREPARING: members (re)join; heartbeats are answered REBALANCE_IN_PROGRESS, commits accepted.
 * COMPLETING: a new generation waits for its assignment; heartbeats succeed, commits are answered
 * REBALANCE_IN_PROGRESS. STABLE: everybody has, or can fetch, an assignment.
 *
 * States and transitions are those of Kafka's ClassicGroup and GroupMetadataManager. Persisted is
 * the group as of its last assignment (GroupMetadataValue): a restart brings back the generation
 * that was stable then. A rebalance that was under way is forgotten; its members learn that by
 * ILLEGAL_GENERATION or UNKNOWN_MEMBER_ID and join again. */
#pragma once

#include "consumer-groups/groups.h"

enum classic_state { CLASSIC_EMPTY, CLASSIC_PREPARING, CLASSIC_COMPLETING, CLASSIC_STABLE };

enum {
    /* What one member may say about itself in JoinGroup, all protocols together, and the leader in
     * SyncGroup about all: beyond, records could not be stored. */
    MEMBER_METADATA_BYTES_MAX = 1 << 20,
    ASSIGNMENT_BYTES_MAX = 16 << 20,
    MEMBER_PROTOCOLS_MAX = 100,
    /* A new member whose JoinGroup waits cannot send heartbeats; it is given so long. */
    NEW_MEMBER_JOIN_MS = 5 * 60 * 1000,
};

struct member_protocol {
    struct bytes name, metadata;
};

struct classic_member {
    struct map_node by_id;       /* in group->members */
    struct map_node by_instance; /* in group->instances, if static */
    struct list link;            /* in group->order */
    struct group *group;

    /* --- persisted with the group --- */
    struct bytes id, client_id, client_host; /* heap, as all slices of a member */
    struct bytes instance_id;                /* null: a dynamic member */
    int32_t rebalance_ms, session_ms;
    struct member_protocol *protocols; /* in order of preference; persisted: the chosen one */
    int32_t protocol_count;
    struct bytes assignment;

    /* --- of this life --- */
    bool is_new;       /* has joined and not been in a generation yet */
    bool joins, syncs; /* waits for JoinGroup's or SyncGroup's answer, heard or not */
    bool owes_sync;    /* was told the generation and has not sent SyncGroup */
    struct group_call *join_call, *sync_call; /* who is to be answered; NULL: nobody */
    struct coordinator_timer session;
};

/* An id that was given and not joined with yet (KIP-394). */
struct pending_member {
    struct map_node by_id; /* in group->pending */
    struct bytes id;       /* behind this struct */
    struct group *group;
    struct coordinator_timer session;
};

struct classic_group {
    struct group *group;
    enum classic_state state;
    bool was_empty; /* PREPARING began from EMPTY: the first rebalance */

    /* --- persisted --- */
    int32_t generation;
    struct bytes protocol_type; /* heap; null: nobody ever joined */
    struct bytes protocol;      /* the chosen one's name; null: none */
    struct bytes leader_id;     /* null: none */
    int64_t state_since_ms;     /* wall clock; -1: not known */
    bool recorded;              /* the log has a record of it */

    /* --- of this life --- */
    struct map members, instances, pending;
    struct map supported; /* protocols that some member has (classic_protocol.c) */
    struct list order;    /* members as they came */
    int32_t member_count, joining_count, pending_count, owing_count;
    bool member_added; /* since the initial delay began */
    int64_t initial_left_ms;
    struct coordinator_timer join_timer; /* the end of PREPARING */
    struct coordinator_timer sync_timer; /* members that owe SyncGroup go */
    /* Topics that members subscribe to, sorted; known when the type is "consumer" and all of them
     * could be read. */
    struct bytes *topics;
    int32_t topic_count;
    bool topics_known;
};

/* The type whose members' subscriptions we look at. */
#define CLASSIC_CONSUMER_TYPE BYTES_OF("consumer")

static inline struct classic_group *classic_of(const struct group *group) {
    return group->kind == &classic_kind ? group->state : NULL;
}

/* --- classic_group.c --- */

/* A new, empty state for a group of this kind. */
struct classic_group *classic_group_new(struct group *group);
void classic_set_state(struct classic_group *group, enum classic_state state);
bool classic_is_leader(const struct classic_group *group, const struct classic_member *member);
/* The longest rebalance time-out of its members. */
int32_t classic_rebalance_ms(const struct classic_group *group);

/* --- classic_protocol.c --- */

/* Whether a member with these protocols fits: of the group's type, and one is everybody's. */
bool classic_supports(const struct classic_group *group, struct bytes protocol_type,
                      const struct member_protocol *protocols, int32_t count);
/* The protocol that most members like best among those that all have. There are members. */
struct bytes classic_select_protocol(const struct classic_group *group);
/* Reads the subscriptions of all members in the chosen protocol. */
void classic_read_topics(struct classic_group *group);
void classic_forget_topics(struct classic_group *group);
int classic_compare_topics(const void *a, const void *b);
/* Counts the member's protocols in or out of those that the group's members have. */
void classic_count_protocols(struct classic_member *member, int32_t by);

/* --- classic_member.c --- */

struct classic_member *classic_find_member(const struct classic_group *group, struct bytes id);
struct classic_member *classic_find_instance(const struct classic_group *group, struct bytes id);
struct pending_member *classic_find_pending(const struct classic_group *group, struct bytes id);
/* Adds; the first one becomes the leader and sets the type. `instance_id` null: dynamic. */
struct classic_member *classic_add_member(struct classic_group *group, struct bytes id,
                                          struct bytes instance_id, struct bytes protocol_type);
/* Its calls were answered; the next member becomes the leader if it was it. */
void classic_remove_member(struct classic_group *group, struct classic_member *member);
void classic_set_protocols(struct classic_member *member, const struct member_protocol *protocols,
                           int32_t count);
bool classic_has_protocols(const struct classic_member *member,
                           const struct member_protocol *protocols, int32_t count);
/* What the member says in that protocol; empty when it has none of the name. */
struct bytes classic_member_metadata(const struct classic_member *member, struct bytes protocol);
void classic_rename_member(struct classic_member *member, struct bytes id);
struct pending_member *classic_add_pending(struct classic_group *group, struct bytes id);
void classic_remove_pending(struct classic_group *group, struct pending_member *pending);
/* The rules for requests that name a member: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID or NONE. */
enum error_code classic_check_member(const struct classic_group *group, struct bytes member_id,
                                     struct bytes instance_id);
/* Its session begins anew. */
void classic_hear_member(struct classic_member *member);

/* --- classic_rebalance.c --- */

/* A rebalance begins where it can, else one that is under way may be complete now. */
void classic_rebalance(struct classic_group *group, const char *why);
/* Where the group must go through PREPARING whatever its state is. */
void classic_prepare(struct classic_group *group, const char *why);
/* In PREPARING: the generation begins if all members have joined. Not in a first rebalance, which
 * its timer ends. */
void classic_complete_if_joined(struct classic_group *group);
/* A member is gone for a reason of ours: answers what waits with UNKNOWN_MEMBER_ID. */
void classic_drop_member(struct classic_group *group, struct classic_member *member);
/* Nobody has joined with an id in time. */
void classic_drop_pending(struct classic_group *group, struct pending_member *pending);

/* --- classic_answer.c --- */

/* The member waits for its generation (JoinGroup) or assignment (SyncGroup); an earlier call of it
 * that still waits, which its client has given up, is refused. */
void classic_wait_join(struct classic_member *member, struct group_call *call);
void classic_wait_sync(struct classic_member *member, struct group_call *call);
/* End that waiting and answer, if anybody listens: with the group as it is, or with an error. */
void classic_answer_join(struct classic_member *member, bool skip_assignment);
void classic_refuse_join(struct classic_member *member, struct bytes member_id,
                         enum error_code code);
void classic_answer_sync(struct classic_member *member, enum error_code code);
/* Answer a call that did not wait. */
void classic_answer_join_call(struct group_call *call, const struct classic_member *member,
                              bool skip_assignment);
void classic_refuse_join_call(struct group_call *call, const struct group *group,
                              struct bytes member_id, enum error_code code);
void classic_answer_sync_call(struct group_call *call, const struct classic_member *member);

/* --- classic_record.c --- */

/* Adds the group's record as it is now; without its members unless it is stable. */
void classic_write(struct classic_group *group);
bool classic_replay_record(struct groups *groups, const struct coordinator_record *record,
                           struct arena *arena, struct error *error);
