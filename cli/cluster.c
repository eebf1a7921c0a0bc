#include "cli/cluster.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "protocol/find_coordinator.h"

enum { METADATA_VERSION = 12, FIND_COORDINATOR_VERSION = 3, KEY_GROUP = 0, RETRY_MS = 100 };

struct broker {
    int32_t node_id;
    char host[256];
    int port;
    struct client *client; /* NULL until used; may be the first one */
};

struct cluster {
    const struct settings *settings;
    struct client *first;
    struct broker *brokers;
    size_t broker_count;
};

/* "a:1,b:2": opens the first that answers. With several, the last error is kept. */
static bool open_first(struct cluster *cluster, struct error *error) {
    const char *at = cluster->settings->bootstrap;
    char host[256];
    int port;
    error_set(error, EINVAL, "no broker is named; give one with -b HOST:PORT");
    while (*at) {
        size_t len = strcspn(at, ", ");
        if (len && !client_split_address(at, len, host, &port))
            return error_set(error, EINVAL,
                             "\"%.*s\" is not an address; give HOST:PORT, IPv6 in brackets",
                             (int)len, at);
        if (len && client_open(host, port, cluster->settings->timeout_ms, &cluster->first, error))
            return true;
        at += len + (at[len] != 0);
    }
    return false;
}

bool cluster_open(const struct settings *settings, struct cluster **cluster, struct error *error) {
    struct cluster *fresh = new_zero(struct cluster);
    fresh->settings = settings;
    if (!open_first(fresh, error)) {
        cluster_close(fresh);
        return false;
    }
    *cluster = fresh;
    return true;
}

void cluster_close(struct cluster *cluster) {
    if (!cluster) return;
    for (size_t at = 0; at < cluster->broker_count; at++)
        if (cluster->brokers[at].client != cluster->first)
            client_close(cluster->brokers[at].client);
    client_close(cluster->first);
    free(cluster->brokers);
    free(cluster);
}

/* ---- brokers ---- */

static struct broker *broker_find(struct cluster *cluster, int32_t node_id) {
    for (size_t at = 0; at < cluster->broker_count; at++)
        if (cluster->brokers[at].node_id == node_id) return &cluster->brokers[at];
    return NULL;
}

static bool broker_connect(struct cluster *cluster, struct broker *broker, struct error *error) {
    struct error inner;
    if (broker->client) return true;
    if (client_is_at(cluster->first, broker->host, broker->port)) {
        broker->client = cluster->first;
        return true;
    }
    if (client_open(broker->host, broker->port, cluster->settings->timeout_ms, &broker->client,
                    &inner))
        return true;
    return error_set(error, inner.code,
                     "%s says that broker %d is at %s:%d, but: %.100s (the broker's --advertise "
                     "sets what it says)",
                     client_address(cluster->first), broker->node_id, broker->host, broker->port,
                     inner.text);
}

bool cluster_call(struct cluster *cluster, int32_t node_id, enum api_key key, int version_max,
                  const void *request, struct arena *arena, void *response, struct error *error) {
    struct client *client = cluster->first;
    if (node_id != CLUSTER_ANY) {
        struct broker *broker = broker_find(cluster, node_id);
        if (!broker)
            return error_set(error, ENOENT, "%s names broker %d but no address for it",
                             client_address(cluster->first), node_id);
        if (!broker_connect(cluster, broker, error)) return false;
        client = broker->client;
    }
    return client_call(client, key, version_max, request, arena, response, error);
}

static void remember_broker(struct cluster *cluster, int32_t node_id, struct bytes host, int port) {
    struct broker *broker = broker_find(cluster, node_id);
    if (!broker) {
        cluster->brokers =
            memory_resize(cluster->brokers, (cluster->broker_count + 1) * sizeof *cluster->brokers);
        broker = &cluster->brokers[cluster->broker_count++];
        *broker = (struct broker){.node_id = node_id};
    }
    if (broker->client) return; /* a connection that works is kept */
    snprintf(broker->host, sizeof broker->host, "%.*s", BYTES_FORMAT(host));
    broker->port = port;
}

/* ---- waiting ---- */

uint64_t cluster_deadline_ns(const struct cluster *cluster) {
    return clock_monotonic_ns() + (uint64_t)cluster->settings->timeout_ms * NS_PER_MS;
}

bool cluster_pause(uint64_t deadline_ns) {
    if (clock_monotonic_ns() > deadline_ns) return false;
    nanosleep(&(struct timespec){0, RETRY_MS * (long)NS_PER_MS}, NULL);
    return true;
}

/* ---- metadata ---- */

bool cluster_metadata(struct cluster *cluster, const struct bytes *names, int32_t count,
                      bool auto_create, struct arena *arena, struct metadata_response *response,
                      struct error *error) {
    struct metadata_request request;
    message_defaults(&metadata_request_message, &request);
    request.topics_count = names ? count : -1;
    request.topics = arena_array(arena, struct metadata_request_metadata_request_topic,
                                 (size_t)(names ? count : 0));
    for (int32_t at = 0; at < request.topics_count; at++) request.topics[at].name = names[at];
    request.allow_auto_topic_creation = auto_create;
    if (!cluster_call(cluster, CLUSTER_ANY, API_METADATA, METADATA_VERSION, &request, arena,
                      response, error))
        return false;
    for (int32_t at = 0; at < response->brokers_count; at++)
        remember_broker(cluster, response->brokers[at].node_id, response->brokers[at].host,
                        response->brokers[at].port);
    return true;
}

bool cluster_brokers(struct cluster *cluster, struct arena *arena, const int32_t **node_ids,
                     int32_t *count, struct error *error) {
    struct metadata_response response;
    struct bytes none = BYTES_NULL;
    if (!cluster_metadata(cluster, &none, 0, false, arena, &response, error)) return false;
    int32_t *ids = arena_array(arena, int32_t, (size_t)response.brokers_count);
    for (int32_t at = 0; at < response.brokers_count; at++) ids[at] = response.brokers[at].node_id;
    *node_ids = ids;
    *count = response.brokers_count;
    return true;
}

/* What may pass by itself. */
static bool topic_is_coming(const struct metadata_response_metadata_response_topic *topic,
                            bool auto_create) {
    if (topic->error_code == ERROR_UNKNOWN_TOPIC_OR_PARTITION) return auto_create;
    if (topic->error_code) return topic->error_code == ERROR_LEADER_NOT_AVAILABLE;
    for (int32_t at = 0; at < topic->partitions_count; at++)
        if (topic->partitions[at].leader_id < 0) return true;
    return false;
}

static bool topic_check(const struct metadata_response_metadata_response_topic *topic,
                        const char *name, bool auto_create, struct error *error) {
    if (topic->error_code == ERROR_UNKNOWN_TOPIC_OR_PARTITION)
        return error_set(error, ENOENT,
                         "topic %.120s does not exist; make it with: millrace topic create "
                         "%.60s%s",
                         name, name,
                         auto_create ? " (the broker does not make topics by itself)" : "");
    if (topic->error_code)
        return cluster_refused(error, topic->error_code, BYTES_NULL, "topic %s", name);
    if (topic_is_coming(topic, auto_create) || topic->partitions_count == 0)
        return error_set(error, EAGAIN, "topic %s has partitions without a leader", name);
    return true;
}

bool cluster_topic(struct cluster *cluster, const char *name, bool auto_create, struct arena *arena,
                   const struct metadata_response_metadata_response_topic **topic,
                   struct error *error) {
    uint64_t deadline_ns = cluster_deadline_ns(cluster);
    struct bytes wanted = bytes_of_text(name);
    for (;;) {
        struct metadata_response response;
        if (!cluster_metadata(cluster, &wanted, 1, auto_create, arena, &response, error))
            return false;
        if (response.topics_count != 1)
            return error_set(error, EPROTO, "the broker's metadata leaves out topic %s", name);
        *topic = &response.topics[0];
        if (!topic_is_coming(*topic, auto_create) || !cluster_pause(deadline_ns))
            return topic_check(*topic, name, auto_create, error);
    }
}

/* ---- coordinators ---- */

bool cluster_coordinator(struct cluster *cluster, const char *group, struct arena *arena,
                         int32_t *node_id, struct error *error) {
    uint64_t deadline_ns = cluster_deadline_ns(cluster);
    struct find_coordinator_request request;
    struct find_coordinator_response response;
    message_defaults(&find_coordinator_request_message, &request);
    request.key = bytes_of_text(group);
    request.key_type = KEY_GROUP;
    do {
        if (!cluster_call(cluster, CLUSTER_ANY, API_FIND_COORDINATOR, FIND_COORDINATOR_VERSION,
                          &request, arena, &response, error))
            return false;
    } while ((response.error_code == ERROR_COORDINATOR_NOT_AVAILABLE ||
              response.error_code == ERROR_COORDINATOR_LOAD_IN_PROGRESS) &&
             cluster_pause(deadline_ns));
    if (response.error_code)
        return cluster_refused(error, response.error_code, response.error_message,
                               "cannot find the coordinator of group %s", group);
    remember_broker(cluster, response.node_id, response.host, response.port);
    *node_id = response.node_id;
    return true;
}

bool cluster_refused(struct error *error, int16_t code, struct bytes said, const char *format,
                     ...) {
    char what[160];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    const char *text = error_code_message(code);
    if (said.len && said.at[said.len - 1] == '.') said.len--; /* the name follows */
    if (said.len)
        return error_set(error, EREMOTEIO, "%s: %.*s (%s)", what, BYTES_FORMAT(said),
                         error_code_name(code));
    return error_set(error, EREMOTEIO, "%s: %s (%s)", what, text, error_code_name(code));
}
