/* What the broker says once it serves: to the program that waits for it (--ready-fd, --ready-file:
 * one line of JSON), and to the person who started it (endpoints, backend, durability, what to try
 * next). */
#pragma once

#include "broker/server.h"

/* {"kafka": ["127.0.0.1:41234"], "admin": "http://127.0.0.1:9644",
 *  "schema_registry": "http://127.0.0.1:8081", "version": "0.1.0", "pid": 4711}
 * and a newline. */
void announce_json(const struct server *server, struct text *out);
/* False and `error` when the one who waits cannot be told. */
bool announce_ready(const struct server *server, struct error *error);
/* A block on a terminal, log lines elsewhere. */
void announce_start(const struct server *server, uint64_t started_ns);
