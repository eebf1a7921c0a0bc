/* The groups of one partition of __consumer_offsets: the state of a coordinator
 * (coordinator/coordinator.h), its records, and the calls that clients make to it. A group belongs
 * to the partition that Kafka's hash of its name gives.
 *
 *   group_call_submit() ─► api->start(groups, call) ─► group (classic or consumer) ─► records
 *                                                                          │
 *   done(call) ◄────────────── group_call_finish(call, group) ◄────────────┘
 *
 * Records are Kafka's own (protocol/messages/group_records.msg, consumer_group_records.msg), so
 * whoever reads the topic sees what he knows. Everything here runs on the core of the partition's
 * shard and does no I/O. */
#pragma once

#include "base/random.h"
#include "consumer-groups/group.h"
#include "coordinator/coordinator.h"
#include "metadata/catalog.h"

struct groups {
    struct coordinator *coordinator;
    const struct catalog *catalog; /* this core's copy; its options are the broker's */
    struct map by_id;
    struct list all;                  /* struct group, but for those in image_left */
    struct list image_left;           /* groups that the image under way has still to write */
    struct coordinator_timer cleanup; /* expired offsets */
    struct arena arena;               /* of replay; emptied behind each record */
    uint64_t catalog_version;         /* when the log began to be read */
    int64_t gone_at; /* as a group's release_at, for those that are not there any more */
    struct coordinator_call catalog_call; /* tells groups of a change */
    bool catalog_call_waits;
    struct random *random; /* member ids of a test repeat; NULL: really random */
};

/* For coordinator_open(); `context` is the core's struct catalog. */
extern const struct coordinator_kind groups_kind;

/* Kafka's: Java's hash of the name, over the number of partitions. */
int32_t groups_partition_of(struct bytes group_id, int32_t partition_count);

/* NULL when there is none. */
struct group *groups_find(const struct groups *groups, struct bytes id);
/* A new group without members and offsets; there must be none of that name. The state is made by
 * the kind. */
struct group *groups_add(struct groups *groups, struct bytes id, const struct group_kind *kind);
/* Whether groups-max allows another one. */
bool groups_have_room(const struct groups *groups);
/* Frees it; its records are the caller's. */
void groups_remove(struct groups *groups, struct group *group);
/* A new member id: the prefix, '-' and a random UUID, in the arena. */
struct bytes groups_new_member_id(struct groups *groups, struct arena *arena, struct bytes prefix);

/* --- calls --- */

struct group_call;

/* One API, or the part of it that one group answers. */
struct group_api {
    /* Leads to exactly one group_call_finish(), now or later. */
    void (*start)(struct groups *groups, struct group_call *call);
    /* Fills the response for a code that concerns the whole call. */
    void (*refuse)(struct group_call *call, enum error_code code);
    bool writes; /* may add records */
};

/* Their requests and responses are those of the messages, or the parts named here. */
extern const struct group_api group_join_api;         /* classic_join.c */
extern const struct group_api group_sync_api;         /* classic_sync.c */
extern const struct group_api group_heartbeat_api;    /* classic_heartbeat.c */
extern const struct group_api group_leave_api;        /* classic_leave.c */
extern const struct group_api offset_commit_api;      /* offset_commit.c */
extern const struct group_api offset_fetch_api;       /* offset_fetch.c; one group's part of v8+ */
extern const struct group_api offset_delete_api;      /* offset_delete.c */
extern const struct group_api group_describe_api;     /* group_describe.c; a group's name */
extern const struct group_api group_list_api;         /* group_list.c; the groups of a partition */
extern const struct group_api group_delete_api;       /* group_delete.c; a group's name */
extern const struct group_api consumer_heartbeat_api; /* consumer_heartbeat.c */
extern const struct group_api consumer_describe_api;  /* consumer_describe.c; a group's name */

/* One client's request to one group, or to all groups of a partition. Its owner fills the first
 * part, and keeps everything alive until `done`. */
struct group_call {
    const struct group_api *api;
    const void *request;
    void *response;      /* with Kafka's defaults; texts and lists go to the arena */
    struct arena *arena; /* nobody else uses it until `done` */
    int16_t version;     /* of the API */
    struct bytes client_id;
    struct bytes client_host; /* "/127.0.0.1", as Kafka writes it */
    /* Bytes that answers may still take, of all calls of a request, which may run on several cores.
     * Only what multiplies what the groups hold asks for it. NULL: no bound. */
    _Atomic int64_t *room;
    /* The response may leave, whatever it says. */
    void (*done)(struct group_call *call);
    /* --- the machine's --- */
    struct coordinator_call call;
    struct groups *groups;
    struct group_call **held; /* where a member holds a call that waits for others */
};

/* To a coordinator of groups_kind. `done` may run inside. */
void group_call_submit(struct coordinator *coordinator, struct group_call *call);
/* The answer is in call->response. It leaves when the group's records are durable; group NULL (it
 * is not there): when those are that removed any. */
void group_call_finish(struct group_call *call, const struct group *group);
void group_call_refuse(struct group_call *call, const struct group *group, enum error_code code);
/* The call waits, held by *place (a member's field, NULL so far), until group_call_take(). If the
 * one who asked waits no more, it is refused, and *place is NULL again. */
void group_call_hold(struct group_call *call, struct group_call **place);
/* The call held there, to be answered, or NULL. */
struct group_call *group_call_take(struct group_call **place);

/* The core's catalog has changed: tells every group, if the coordinator is active. */
void groups_catalog_changed(struct coordinator *coordinator);

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

/* --- for the kinds --- */

/* Marks that records of the group were added just now: answers about it wait for them. Called
 * behind every coordinator_write() and coordinator_erase(). */
void group_wrote(struct group *group);
/* Replaces a text on the heap by a copy; null stays null. */
void group_set_text(struct bytes *field, struct bytes value);
