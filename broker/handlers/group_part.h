/* A request's calls to the coordinators of groups: each goes to the core that has its partition of
 * __consumer_offsets, waits there as long as it takes, and comes back with its response. When all
 * are back, `done` runs.
 *
 *   group_parts_begin() ─► group_parts_add() per group ─► group_parts_send() ─► done(request)
 *
 * Each part has an arena of its own, because parts of one request may be at work on several cores.
 * Their responses must be encoded in `done`; they go with the request.
 *
 * Parts may wait inside the coordinator (a member waits for others). When the connection ends, or
 * the broker drains, they are called back; so `done` runs soon, whatever happens. */
#pragma once

#include "broker/errand.h"
#include "broker/request.h"
#include "consumer-groups/groups.h"

struct group_parts;

struct group_part {
    struct group_call call; /* call.response is the part's */
    struct errand errand;
    struct arena arena;
    struct group_parts *parts;
    int32_t partition;
    bool submitted; /* to a coordinator: it can be hurried */
    /* Calling it back. */
    struct errand hurry;
};

struct group_parts {
    struct request *request;
    void (*done)(struct request *request);
    int32_t capacity, count;
    struct group_part *items;
    struct bytes client_host;
    _Atomic int64_t
        room;     /* for long answers: half of the memory budget, as they are encoded, too */
    int32_t away; /* parts and hurries */
    bool sending, hurried;
};

/* In the request's arena, as its state. */
struct group_parts *group_parts_begin(struct request *request, int32_t capacity,
                                      void (*done)(struct request *request));
/* `body` is what the API takes as its request; `response` its zeroed or default response. */
struct group_part *group_parts_add(struct group_parts *parts, const struct group_api *api,
                                   int32_t partition, const void *body, void *response);
/* `done` may run inside, or has to wait for parts. */
void group_parts_send(struct group_parts *parts);

/* The `retry` and `expire` of every handler that uses parts. */
void group_parts_retry(struct request *request);
void group_parts_expire(struct request *request);
