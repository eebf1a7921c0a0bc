/* The admin listener (`admin-listen`): health, readiness and metrics over HTTP, so that probes and
 * scrapers need neither a Kafka client nor a way to anything else. Served by the first core.
 *
 *   GET /health    200 while the process answers at all
 *   GET /ready     200 when Kafka clients are served
 *   GET /metrics   Prometheus' text format; docs/metrics.md names them all
 */
#pragma once

#include "base/error.h"

struct admin;
struct server;

/* On the first core's thread. True with *admin == NULL when the option is empty. The default
 * address gives way to a free port when another process has it; an address that was chosen does
 * not. */
bool admin_open(struct server *server, struct admin **admin, struct error *error);
/* HOST:PORT; NULL when there is no listener. */
const char *admin_bound(const struct admin *admin);
/* `stopped` runs when the last answer has left; at once when there is no listener. */
void admin_stop(struct admin *admin, struct server *server, void (*stopped)(struct server *server));
void admin_free(struct admin *admin);
