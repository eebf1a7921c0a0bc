/* A small Kafka client in the simulated world, one connection at a time: requests by our own
 * message definitions, answers matched in order. It has no thread: whoever runs the world calls
 * client_poll(). */
#pragma once

#include "io/sim.h"
#include "protocol/api.h"

struct client;

/* One request; the caller owns it until `answer` ran, which happens exactly once. */
struct call {
    /* `response` is the API's response struct, valid until it returns; NULL when the connection
     * was lost before the answer. */
    void (*answer)(struct call *call, const void *response);
    struct list link;
    const struct api *api;
    int16_t version;
    int32_t correlation_id;
    uint64_t sent_ns;
};

struct client *client_new(struct sim *sim, const char *address);
/* Drops the connection first. */
void client_free(struct client *client);
/* False when nobody listens. */
bool client_connect(struct client *client);
bool client_is_connected(const struct client *client);
/* Every call is answered with NULL. */
void client_disconnect(struct client *client);
void client_send(struct client *client, struct call *call, enum api_key key, int version,
                 const void *request);
/* A request that gets no answer (acks=0). */
void client_send_silently(struct client *client, enum api_key key, int version,
                          const void *request);
/* Takes what has arrived. Stops the seed when an answer is late by a minute of the world. */
void client_poll(struct client *client);
