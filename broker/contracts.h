/* The contracts of a folder (option `contracts`), brought into force at every start: schemas that
 * are missing are registered, topics of the manifest bound. It happens on the first core after
 * every core's partitions are open and before anybody listens, so that no client ever meets a topic
 * without its contract; whatever is wrong refuses the start before anything is written.
 *
 *   first core   folder ─► registry loaded ─► plan ─► _schemas ─► topics ─► listeners open
 *   other cores  run their rings meanwhile
 *
 * What is durable already is not written again. A crash in between leaves schemas registered and
 * topics unbound, and nobody was served: the next start goes on. Topics of the manifest that come
 * later are created with their contract (metadata/change.h, topic_binding). */
#pragma once

#include "base/error.h"
#include "metadata/change.h"

struct contracts;
struct core;
struct server;

/* NULL where no folder is wanted. Before the cores begin, freed after they ended. */
struct contracts *contracts_new(struct server *server);
void contracts_free(struct contracts *contracts);

/* On each core's own thread, with its services started: returns when all is in place. False on the
 * first core only, with the reason; what is wrong with files was said in the log, line by line. */
bool contracts_begin_core(struct contracts *contracts, struct core *core, struct error *error);
/* What topics have by their name; NULL: nothing. The catalog's core asks. */
const struct topic_bindings *contracts_bindings(const struct contracts *contracts);
