/* For tests of classic groups, in the world of consumer_world.h: requests of members, that may have
 * to wait. All are about group "g"; a null text is one that is not said. */
#pragma once

#include "consumer-groups/classic_group.h"
#include "consumer-groups/consumer_world.h"
#include "consumer-groups/group_list.h"
#include "protocol/delete_groups.h"
#include "protocol/describe_groups.h"
#include "protocol/heartbeat.h"
#include "protocol/join_group.h"
#include "protocol/leave_group.h"
#include "protocol/offset_commit.h"
#include "protocol/offset_delete.h"
#include "protocol/offset_fetch.h"
#include "protocol/sync_group.h"

/* One request and its answer. It stays where it is until it is answered; begin with ask_KIND(),
 * which fills in what its arguments do not say so that it is a good one. */
struct ask {
    struct world *world;
    struct arena arena;
    union {
        struct join_group_request join;
        struct sync_group_request sync;
        struct heartbeat_request heartbeat;
        struct leave_group_request leave;
        struct offset_commit_request commit;
        struct offset_delete_request forget;
        struct offset_fetch_request_offset_fetch_request_group fetch;
        struct list_groups_request list;
        struct bytes name;
    } request;
    union {
        struct join_group_response join;
        struct sync_group_response sync;
        struct heartbeat_response heartbeat;
        struct leave_group_response leave;
        struct offset_commit_response commit;
        struct offset_delete_response forget;
        struct offset_fetch_response_offset_fetch_response_group fetch;
        struct describe_groups_response_described_group described;
        struct delete_groups_response_deletable_group_result deleted;
        struct group_list list;
    } response;
    struct group_call call;
    bool done;
};

enum { ASK_SESSION_MS = 10000, ASK_REBALANCE_MS = 60000 };

/* Version 3 unless static: a member gets its id at once. Protocols: "range=METADATA", or several
 * with a comma between. */
void ask_join(struct ask *ask, struct world *world, const char *member, const char *instance,
              const char *protocols);
/* Assignments: "MEMBER=BYTES", or several with a comma between; "" hands in none. */
void ask_sync(struct ask *ask, struct world *world, const char *member, int32_t generation,
              const char *assignments);
void ask_heartbeat(struct ask *ask, struct world *world, const char *member, int32_t generation);
/* Version 3 with one member, or version 0 when `instance` is null. */
void ask_leave(struct ask *ask, struct world *world, const char *member, const char *instance);
/* Partition 0 of topic "t". */
void ask_commit(struct ask *ask, struct world *world, const char *member, int32_t generation,
                int64_t offset);
void ask_fetch(struct ask *ask, struct world *world);
void ask_forget(struct ask *ask, struct world *world);
void ask_describe(struct ask *ask, struct world *world);
void ask_list(struct ask *ask, struct world *world);
void ask_delete(struct ask *ask, struct world *world);

void ask_send(struct ask *ask);
/* Waits for the answer, and gives its code: of the whole, or of the one part. */
enum error_code ask_wait(struct ask *ask);
enum error_code ask_code(const struct ask *ask);
static inline enum error_code ask_run(struct ask *ask) {
    ask_send(ask);
    return ask_wait(ask);
}
void ask_deinit(struct ask *ask);

/* NULL when there is no group "g" or it is none. */
struct classic_group *world_classic(const struct world *world);
/* "Stable" …; "Dead" when there is no group. */
const char *world_state(const struct world *world);
/* The offset that the group has for partition 0 of topic "t", or -1. */
int64_t world_offset(const struct world *world);
