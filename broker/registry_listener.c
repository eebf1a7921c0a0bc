#include "broker/registry_listener.h"

#include <errno.h>
#include <stdio.h>

#include "broker/catalog_service.h"
#include "broker/registry_bindings.h"
#include "broker/registry_service.h"
#include "broker/server.h"

/* A schema of SCHEMA_SIZE_MAX, however it is escaped, fits in as a rule. */
enum { BODY_MAX = 4 << 20 };

static void api_change(struct registry_api *api, struct schema_change *change) {
    registry_service_change(container_of(api, struct registry_listener, api)->service, change);
}

static size_t api_associations(struct registry_api *api, struct bytes topic, struct arena *arena,
                               struct registry_association found[CONTRACTS_OF_TOPIC_MAX]) {
    struct registry_listener *listener = container_of(api, struct registry_listener, api);
    return registry_bindings_of(&listener->server->cores[0].catalog, topic, arena, found);
}

static void api_topics_bound(struct registry_api *api, struct bytes subject, int32_t version,
                             struct text *names) {
    struct registry_listener *listener = container_of(api, struct registry_listener, api);
    const struct core *home = registry_service_home(listener->service);
    registry_bindings_print(&home->catalog, subject, version, names);
}

/* A change of the catalog that changes nothing: when its turn comes, those before it are done. */
struct settling {
    struct catalog_change change;
    struct arena arena;
    struct contracts_wait *wait;
};

static void settle_make(struct catalog_change *self, struct change *change) {
    (void)self;
    (void)change;
}

static void settle_done(struct catalog_change *self) {
    struct settling *settling = container_of(self, struct settling, change);
    struct contracts_wait *wait = settling->wait;
    free(settling);
    wait->done(wait);
}

static void api_settle(struct registry_api *api, struct contracts_wait *wait) {
    struct registry_listener *listener = container_of(api, struct registry_listener, api);
    struct settling *settling = new_zero(struct settling);
    settling->wait = wait;
    settling->change = (struct catalog_change){
        .make = settle_make, .done = settle_done, .arena = &settling->arena};
    catalog_service_change(&settling->change, &listener->server->cores[0]);
}

static void api_rejects(struct registry_api *api, struct http_exchange *exchange) {
    struct registry_listener *listener = container_of(api, struct registry_listener, api);
    rejects_pages_answer(&listener->rejects, exchange);
}

/* At least one request passes, however small the broker is. */
static size_t budget_of(const struct server *server) {
    return server->registry_bytes > BODY_MAX ? server->registry_bytes : BODY_MAX;
}

static bool open_at(struct http_service *http, const struct endpoint *endpoint,
                    struct error *error) {
    char address[300];
    const char *form = strchr(endpoint->host, ':') ? "[%s]:%d" : "%s:%d";
    snprintf(address, sizeof address, form, endpoint->host, endpoint->port);
    if (http_service_open(http, address, error)) return true;
    if (error->code == EADDRINUSE)
        error_set(error, EADDRINUSE,
                  "registry-listen: %s is taken by another process; choose another address with "
                  "--registry-listen HOST:PORT (port 0 takes a free one), or none with "
                  "--registry-listen \"\"",
                  address);
    return false;
}

bool registry_listener_open(struct registry_listener *listener, struct registry_service *service,
                            struct server *server, struct error *error) {
    const struct endpoints *wanted = &server->options->registry_listen;
    struct core *first = &server->cores[0];
    if (wanted->count > 1) return error_set(error, 0, "registry-listen takes one address");
    listener->service = service;
    listener->server = server;
    listener->api = (struct registry_api){.ring = first->ring,
                                          .view = &first->schemas,
                                          .cluster_id = server->cluster_id,
                                          .change = api_change,
                                          .associations = api_associations,
                                          .settle = api_settle,
                                          .topics_bound = api_topics_bound,
                                          .rejects = api_rejects};
    registry_api_init(&listener->api);
    rejects_pages_init(&listener->rejects, first);
    listener->http = (struct http_service){.ring = first->ring,
                                           .routes = registry_routes,
                                           .route_count = registry_route_count,
                                           .context = &listener->api,
                                           .body_max = BODY_MAX,
                                           .budget.bytes_max = budget_of(server),
                                           .prefix = REGISTRY_PREFIX,
                                           .content_type = REGISTRY_CONTENT_TYPE};
    return open_at(&listener->http, &wanted->items[0], error);
}

static void on_stopped(struct http_service *http) {
    struct registry_listener *listener = container_of(http, struct registry_listener, http);
    listener->stopped(listener->server);
}

void registry_listener_stop(struct registry_listener *listener,
                            void (*stopped)(struct server *server)) {
    listener->stopped = stopped;
    http_service_stop(&listener->http, on_stopped);
}
