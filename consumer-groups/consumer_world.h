/* For tests of consumer groups: a coordinator of groups on a log in the simulated world, a catalog
 * with topics, and members that speak to it as clients do. Time passes only when the test says so,
 * or while an answer is waited for. */
#pragma once

#include <criterion/criterion.h>

#include "consumer-groups/consumer_group.h"
#include "io/sim.h"
#include "metadata/change.h"
#include "protocol/consumer_group_heartbeat.h"
#include "storage/recover.h"
#include "storage/store.h"

struct world {
    struct sim *sim;
    struct options *options;
    struct catalog catalog;
    bool quiet;   /* changes of the catalog are not told: they happen while nobody looks */
    bool damaged; /* the next start finds a log that it cannot read */
    /* --- of one life --- */
    struct ring *ring;
    struct data_directory *directory;
    struct store *store;
    struct coordinator_host *host;
    struct coordinator *coordinator;
};

void world_init(struct world *world, uint64_t seed);
void world_deinit(struct world *world);
/* Both keep the catalog. The broker is killed, or loses its power; then it starts and loads. */
void world_restart(struct world *world, bool power_cut);
/* Its log has refused a batch: what is not on its way is dropped, everybody who waits is told, and
 * it loads again. */
void world_refuse(struct world *world);
/* Lets the time pass. */
void world_pass_ms(struct world *world, int64_t ms);
/* As after the catalog's change on this core. */
const struct catalog_topic *world_topic(struct world *world, const char *name, int32_t partitions);
void world_delete_topic(struct world *world, const char *name);
void world_grow_topic(struct world *world, const char *name, int32_t partitions);
struct consumer_group *world_group(struct world *world, const char *id);
/* Runs inside the coordinator, where records may be added. */
void world_do(struct world *world, void (*work)(struct groups *groups, void *context),
              void *context);

/* A heartbeat's fields, and what came of it. Begin with beat_init(). */
struct beat {
    struct world *world;
    struct arena arena;
    struct consumer_group_heartbeat_request request;
    struct consumer_group_heartbeat_response response;
    struct group_call call;
    bool done;
};

void beat_init(struct beat *beat, struct world *world, const char *group, const char *member,
               int32_t epoch);
/* Joins: a rebalance time-out of a minute, no partitions, these topics (comma between them). */
void beat_join(struct beat *beat, const char *topics);
void beat_names(struct beat *beat, const char *topics);
/* "topic:0,1,2;other:3"; "" owns nothing. */
void beat_owns(struct beat *beat, const char *partitions);
/* Sends it without waiting; and waits for the answer. */
void beat_send(struct beat *beat);
enum error_code beat_wait(struct beat *beat);
static inline enum error_code beat_run(struct beat *beat) {
    beat_send(beat);
    return beat_wait(beat);
}
/* The answer's assignment in the same form, "none" when there is none in it; in the arena. */
const char *beat_assignment(struct beat *beat);
void beat_deinit(struct beat *beat);
