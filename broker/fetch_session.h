/* A fetch session (KIP-227): what a consumer wants to fetch, kept between its requests, so that
 * each names only what has changed and is answered only what has changed.
 *
 *   client                                 broker
 *   epoch 0, all partitions         ─────► a new session
 *                    session id, all ◄─────
 *   id, epoch 1, changes            ─────► fetch_session_go_on(): the whole list again
 *                      what changed ◄───── session_partition_changed()
 *   id, epoch 2 …, id, epoch -1     ─────► closed
 *
 * It belongs to its connection, one each, and dies with it; its memory is admission's (ADMIT_KEPT).
 * Where that does not suffice there is no session: the answer says id 0, and the client sends all
 * each time. A live one is never taken away for another. Topics go by name up to Fetch 12 and by id
 * from 13 on; one session cannot mix them. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "broker/admission.h"
#include "protocol/error_code.h"
#include "protocol/fetch.h"

enum {
    FETCH_SESSION_VERSION = 7, /* the first that knows sessions */
    FETCH_SESSION_OPEN = 0,    /* epoch of a request that wants a new one */
    FETCH_SESSION_NONE = -1,   /* that wants none */
};

struct session_topic;

struct session_partition {
    struct list link; /* in its topic, next to be served first */
    struct map_node by_index;
    struct session_topic *topic;
    struct fetch_request_fetch_partition wanted;
    int64_t high_watermark, log_start_offset; /* as last answered; -1: to be answered */
};

struct fetch_session {
    int32_t id, epoch; /* the epoch that the next request must have */
    bool by_id;
    struct admission *admission;
    struct admission_share share; /* what it holds */
    struct list topics;           /* struct session_topic */
    struct map topics_by_key, partitions_by_index;
    int32_t topic_count, partition_count;
};

/* From a request that wants one; NULL when there is no memory for it. `number` is any that was not
 * given before. */
struct fetch_session *fetch_session_new(struct admission *admission, uint8_t party, uint64_t number,
                                        const struct fetch_request *body, bool by_id);
/* NULL is harmless. */
void fetch_session_free(struct fetch_session *session);
/* Whether a request that goes on with a session may: `session` is the connection's, or NULL. */
enum error_code fetch_session_check(const struct fetch_session *session,
                                    const struct fetch_request *body, bool by_id);
/* Takes what it adds, changes and forgets, and moves to the next epoch. False: no memory for what
 * it adds; the session is to be closed. */
bool fetch_session_go_on(struct fetch_session *session, const struct fetch_request *body);

/* All that is wanted now, as a request would name it, in the arena; texts are the session's. With
 * the partitions behind it, in the same order. */
struct fetch_request_fetch_topic *fetch_session_topics(const struct fetch_session *session,
                                                       struct arena *arena,
                                                       struct session_partition ***partitions);
/* The partition of that name or id, or NULL. */
struct session_partition *fetch_session_find(const struct fetch_session *session,
                                             const struct fetch_request_fetch_topic *topic,
                                             int32_t index);
/* Whether the client has to see this part of an answer; remembers what it sees. */
bool session_partition_changed(struct session_partition *partition,
                               const struct fetch_response_partition_data *data);
/* It has got records: all others come before it in the next answer. */
void session_partition_served(struct fetch_session *session, struct session_partition *partition);
