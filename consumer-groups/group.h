/* One group: its name, its committed offsets, and what its kind makes of members.
 *
 *   classic   the members' leader assigns (JoinGroup, SyncGroup): classic_group.h. Also a group
 *             that has only offsets, of consumers that manage themselves ("simple").
 *   consumer  the coordinator assigns (KIP-848): consumer_group.h
 *
 * A group exists while it has members, records of its own, or offsets. An empty group of one kind
 * becomes the other when a member of the other kind joins (group_convert()); offsets stay. A group
 * with members does not change its kind.
 *
 * What both kinds must be able to say about themselves is struct group_kind; offsets, expiration,
 * listing and deleting work with that alone. */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "protocol/error_code.h"

struct groups;
struct group;

/* As ListGroups and logs name them. */
enum group_type { GROUP_CLASSIC, GROUP_CONSUMER };

/* Who commits, fetches or deletes offsets. */
struct offset_caller {
    struct bytes member_id;   /* empty: a consumer that manages itself, or an admin */
    struct bytes instance_id; /* null: none */
    int32_t epoch;            /* generation or member epoch; negative: none */
    int16_t version;          /* of the API */
    bool transactional;
};

struct group_kind {
    enum group_type type;
    /* Makes group->state. */
    void (*make)(struct group *group);
    /* Frees group->state. Timers are disarmed, calls that wait are finished before. */
    void (*free)(struct group *group);
    /* "Stable", "Empty", "Reconciling" …, as Kafka writes them. */
    const char *(*state_name)(const struct group *group);
    /* "consumer" for consumer groups; what members say for classic ones, empty if nobody did. */
    struct bytes (*protocol_type)(const struct group *group);
    bool (*has_members)(const struct group *group);
    /* No members, nobody who is about to join, and no record of its own in the log. */
    bool (*is_gone)(const struct group *group);
    /* Whether a live member subscribes to the topic; what cannot be read counts as yes. */
    bool (*subscribes)(const struct group *group, struct bytes topic);
    /* When the group lost its last member, wall clock ms; -1: not known, or it has members. */
    int64_t (*empty_since_ms)(const struct group *group);
    /* The rules for OffsetCommit and TxnOffsetCommit, for OffsetFetch, for OffsetDelete and for
     * DeleteGroups. A commit of a member counts as a sign of life where the kind has it so. */
    enum error_code (*check_commit)(struct group *group, const struct offset_caller *caller);
    /* Of a commit that the former lets pass, for each of its partitions; an error is the whole
     * commit's. NULL: all may be committed. */
    enum error_code (*check_commit_partition)(const struct group *group,
                                              const struct offset_caller *caller,
                                              const struct uuid *topic_id, int32_t index);
    enum error_code (*check_fetch)(struct group *group, const struct offset_caller *caller);
    enum error_code (*check_offset_delete)(const struct group *group);
    enum error_code (*check_delete)(const struct group *group);
    /* Adds tombstones for all records of its own (not for offsets). */
    void (*erase)(struct group *group);
    /* Adds all records of its own, for the image; and about how many bytes they are. */
    void (*image)(struct group *group);
    size_t (*image_bytes)(const struct group *group);
    /* Replay is complete: arms timers. May add records. */
    void (*loaded)(struct group *group);
    /* The core's catalog has changed: topics were created or deleted, or got partitions. May add
     * records. NULL: does not matter. */
    void (*catalog_changed)(struct group *group);
};

extern const struct group_kind classic_kind;  /* classic_group.c */
extern const struct group_kind consumer_kind; /* consumer_group.c */

struct group {
    struct map_node by_id; /* in groups->by_id */
    struct list link;      /* in groups->all or groups->image_left */
    struct groups *groups;
    struct bytes id; /* behind this struct */
    const struct group_kind *kind;
    void *state;                   /* the kind's: struct classic_group, struct consumer_group */
    struct group_offsets *offsets; /* offsets.h; NULL while there are none */
    int64_t release_at;            /* answers about it wait until the log is durable up to here */
};

/* An empty group becomes one of another kind, without state; records of the old kind are erased. */
void group_convert(struct group *group, const struct group_kind *kind);
/* Removes the group when nothing is left of it: no members, no records of its own, no offsets. */
void group_drop_if_gone(struct group *group);
