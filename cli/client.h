/* A blocking connection to one broker: one request at a time, with a time-out. Versions are agreed
 * with ApiVersions when it opens (KIP-35, KIP-511). Not for threads. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "protocol/api.h"

struct client;

/* Texts are named in errors: "cannot connect to 127.0.0.1:9092: ...". */
bool client_open(const char *host, int port, int64_t timeout_ms, struct client **client,
                 struct error *error);
void client_close(struct client *client);
/* "127.0.0.1:9092", for messages. */
const char *client_address(const struct client *client);
bool client_is_at(const struct client *client, const char *host, int port);

/* Sends and waits for the answer, in the newest version that both sides know, at most
 * `version_max`. The response points into the arena. After false the connection is of no use. */
bool client_call(struct client *client, enum api_key key, int version_max, const void *request,
                 struct arena *arena, void *response, struct error *error);

/* Splits "host:port", "[::1]:9092" or "host" (port 9092); host needs room for 256 bytes. */
bool client_split_address(const char *text, size_t len, char *host, int *port);
