/* The groups of one partition of __consumer_offsets: the state of a coordinator
 * (coordinator/coordinator.h), its records, and the calls that clients make to it. A group belongs
 * to the partition that Kafka's hash of its name gives.
 *
 *   call (decoded request) ─► start(groups, call) ─► group (classic or consumer) ─► records
 *                                                                      │
 *   done(call) ◄──────────── group_call_finish(call, group) ◄──────────┘
 *
 * Records are Kafka's own (protocol/messages/group_records.msg, consumer_group_records.msg), so
 * whoever reads the topic sees what he knows. Everything here runs on the core of the partition's
 * shard and does no I/O. */
#pragma once

#include "consumer-groups/group.h"
#include "coordinator/coordinator.h"
#include "metadata/catalog.h"

struct groups {
    struct coordinator *coordinator;
    const struct catalog *catalog; /* this core's copy; its options are the broker's */
    struct map by_id;
    struct list all;                  /* struct group */
    struct list imaged;               /* those that the image under way has, or need not have */
    struct coordinator_timer cleanup; /* expired offsets */
    uint64_t random_seed;             /* member ids of tests are repeatable; 0: really random */
};

/* For coordinator_open(); `context` is the core's struct catalog. */
extern const struct coordinator_kind groups_kind;

/* Kafka's: Java's hash of the name, over the number of partitions. */
int32_t groups_partition_of(struct bytes group_id, int32_t partition_count);

/* NULL when there is none. */
struct group *groups_find(const struct groups *groups, struct bytes id);
/* A new group without members and offsets; there must be none of that name. */
struct group *groups_add(struct groups *groups, struct bytes id, const struct group_kind *kind);
/* Frees it; its records are the caller's. */
void groups_remove(struct groups *groups, struct group *group);

/* --- calls --- */

/* One client's request to one group, or to all groups of a partition. The owner keeps request,
 * arena and strings alive until `done`. */
struct group_call {
    struct coordinator_call
        call; /* the owner sets `done` and `writes`; begin with group_call_init() */
    /* One of the functions below. */
    void (*start)(struct groups *groups, struct group_call *call);
    /* Of the API, or of its part that concerns one group. */
    const void *request;
    void *response; /* with Kafka's defaults; texts and lists go to the arena */
    struct arena *arena;
    int16_t version;
    struct bytes client_id;
    struct bytes client_host; /* "/127.0.0.1", as Kafka writes it */
    /* --- the machine's, once it runs --- */
    struct groups *groups;
    struct group_member_call *waiting; /* what a member holds of a call that waits */
};

/* Sets run and hurry of call->call. */
void group_call_init(struct group_call *call);
/* The answer is in call->response. It leaves when the group's records are durable; group NULL: at
 * once. */
void group_call_finish(struct group_call *call, const struct group *group);

/* --- replay --- */

/* One function per kind of record, by its key's number; each decodes and applies. The arena is
 * emptied behind each record. */
struct group_record_row {
    int16_t type;
    bool (*replay)(struct groups *groups, const struct coordinator_record *record,
                   struct arena *arena, struct error *error);
};
/* In consumer_record.c: the rows of consumer groups (keys 3-8 and 16). */
extern const struct group_record_row consumer_record_rows[];
extern const size_t consumer_record_row_count;

/* Marks that records of the group were added just now: answers about it wait for them. Called
 * behind every coordinator_write() and coordinator_erase(). */
void group_wrote(struct group *group);
