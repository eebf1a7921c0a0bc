/* A group as its coordinator describes it, whichever protocol its members speak. Everything is in
 * the session's arena. */
#pragma once

#include "base/text.h"
#include "cli/session.h"

/* Partitions by topic, both in order. */
struct group_topic {
    struct bytes name;
    int32_t count;
    const int32_t *partitions;
};
struct group_partitions {
    int32_t count;
    struct group_topic *topics;
};

/* The epoch of a static member that has left, and whose place is kept for the session time-out. */
enum { MEMBER_EXPECTED_BACK = -2 };

struct group_member {
    struct bytes id, instance_id, client_id, host; /* instance_id: null unless static */
    int32_t epoch; /* -1 in the classic protocol; or MEMBER_EXPECTED_BACK */
    struct group_partitions owned;
    struct group_partitions target; /* what it is to own; in the consumer protocol */
    int32_t subscribed_count;
    const struct bytes *subscribed;
    struct bytes pattern; /* null unless it subscribes by one */
};

struct group {
    const char *name;
    int32_t coordinator;
    bool exists;   /* the rest is empty if not */
    bool consumer; /* speaks the consumer protocol (KIP-848), else the classic one */
    struct bytes state;
    struct bytes protocol_type;      /* "consumer", "connect", ... */
    struct bytes assignor;           /* the members' choice; empty while there is none */
    int32_t epoch, assignment_epoch; /* -1 in the classic protocol */
    int32_t member_count;
    struct group_member *members;
};

/* Waits for a coordinator that is loading, until the time-out. A group that is not there is no
 * error. */
bool group_read(struct session *session, const char *name, struct group *group);
/* cluster_call() to its coordinator. */
bool group_call(struct session *session, const struct group *group, enum api_key key,
                int version_max, const void *request, void *response);
/* True for a group that is there. */
bool group_check_exists(struct session *session, const struct group *group);
/* Says who the members are, and fails with why they are in the way of `doing` ("reset"); true
 * without members. */
bool group_check_empty(struct session *session, const struct group *group, const char *doing);

/* "orders 0-3,5; payments 1"; "-" for none. */
void group_partitions_print(const struct group_partitions *partitions, struct text *out);
bool group_partitions_equal(const struct group_partitions *a, const struct group_partitions *b);
/* `lead` and the value as a JSON string: lead is "{\"group\": " for example. */
void group_json_field(const char *lead, struct bytes value, struct text *out);
