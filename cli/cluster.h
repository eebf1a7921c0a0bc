/* The brokers behind -b: the one that answered first, and those that lead partitions. Reads the
 * metadata and keeps one connection to each broker that is used. */
#pragma once

#include "cli/client.h"
#include "cli/settings.h"
#include "protocol/error_code.h"
#include "protocol/metadata.h"

enum {
    CLUSTER_ANY = -1, /* the broker that answered first */
    /* Messages are read into an arena of this limit. */
    CLUSTER_ARENA_BYTES = 1 << 30
};

struct cluster;

/* Tries the addresses of settings->bootstrap in order. */
bool cluster_open(const struct settings *settings, struct cluster **cluster, struct error *error);
void cluster_close(struct cluster *cluster);

/* One call to one broker: client_call() on its connection. */
bool cluster_call(struct cluster *cluster, int32_t node_id, enum api_key key, int version_max,
                  const void *request, struct arena *arena, void *response, struct error *error);

/* Metadata of all topics (names == NULL) or of these; brokers are remembered. */
bool cluster_metadata(struct cluster *cluster, const struct bytes *names, int32_t count,
                      bool auto_create, struct arena *arena, struct metadata_response *response,
                      struct error *error);

/* One topic with a leader for each partition: waits for both until the time-out. With auto_create
 * the broker may make the topic. The result is in the arena. */
bool cluster_topic(struct cluster *cluster, const char *name, bool auto_create, struct arena *arena,
                   const struct metadata_response_metadata_response_topic **topic,
                   struct error *error);

/* All brokers of the cluster, in the arena; they are remembered. */
bool cluster_brokers(struct cluster *cluster, struct arena *arena, const int32_t **node_ids,
                     int32_t *count, struct error *error);

/* The broker that coordinates a group (FindCoordinator); waits for one until the time-out. */
bool cluster_coordinator(struct cluster *cluster, const char *group, struct arena *arena,
                         int32_t *node_id, struct error *error);

/* For what may pass by itself: when to give up, and a pause before the next try, which is false
 * once that time is over. */
uint64_t cluster_deadline_ns(const struct cluster *cluster);
bool cluster_pause(uint64_t deadline_ns);

/* "cannot create topic x: the topic exists already (TOPIC_ALREADY_EXISTS)"; `said` is the broker's
 * own text or null. Always false. */
bool cluster_refused(struct error *error, int16_t code, struct bytes said, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
