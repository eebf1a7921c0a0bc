#include "broker/admin.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "base/say.h"
#include "broker/metrics.h"
#include "broker/server.h"
#include "http/service.h"

#define ADMIN_DEFAULT_HOST "127.0.0.1"
enum { ADMIN_DEFAULT_PORT = 9644, ADMIN_BODY_MAX = 1024, ADMIN_BYTES_MAX = 4 << 20 };

struct admin {
    struct http_service service;
    struct server *server;
    void (*stopped)(struct server *server);
};

/* One scrape: a probe visits every core and brings its numbers back to the first. */
struct probe {
    struct mail mail;
    struct scrape *scrape;
    struct core *core;
};

struct scrape {
    struct http_exchange *exchange;
    struct server *server;
    struct core_metrics *metrics;
    struct probe *probes;
    unsigned missing;
};

static void scrape_finish(struct scrape *scrape) {
    struct text text = {0};
    metrics_print(scrape->server, scrape->metrics, &text);
    http_answer(scrape->exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                text_bytes(&text));
    text_deinit(&text);
    free(scrape->metrics);
    free(scrape->probes);
    free(scrape);
}

static void probe_return(struct mail *mail) {
    struct scrape *scrape = container_of(mail, struct probe, mail)->scrape;
    check(scrape->missing > 0);
    if (--scrape->missing == 0) scrape_finish(scrape);
}

static void probe_visit(struct mail *mail) {
    struct probe *probe = container_of(mail, struct probe, mail);
    metrics_read(probe->core, &probe->scrape->metrics[probe->core->index]);
    mail->deliver = probe_return;
    ring_post(probe->core->server->cores[0].ring, mail);
}

static void metrics_handle(struct http_exchange *exchange) {
    struct server *server = ((struct admin *)exchange->context)->server;
    struct scrape *scrape = new_zero(struct scrape);
    scrape->exchange = exchange;
    scrape->server = server;
    scrape->missing = server->core_count;
    scrape->metrics =
        (struct core_metrics *)memory_zero(server->core_count, sizeof *scrape->metrics);
    scrape->probes = (struct probe *)memory_zero(server->core_count, sizeof *scrape->probes);
    for (unsigned i = 0; i < server->core_count; i++) {
        scrape->probes[i] = (struct probe){
            .mail.deliver = probe_visit, .scrape = scrape, .core = &server->cores[i]};
        ring_post(server->cores[i].ring, &scrape->probes[i].mail);
    }
}

/* The listener opens last and closes first, so that whoever gets an answer is served. */
static void ok_handle(struct http_exchange *exchange) {
    http_answer(exchange, 200, "text/plain; charset=utf-8", BYTES_OF("ok\n"));
}

static const struct http_route routes[] = {
    {VERB_GET, "/health", ok_handle},
    {VERB_GET, "/ready", ok_handle},
    {VERB_GET, "/metrics", metrics_handle},
};

static bool service_open(struct http_service *service, const struct endpoint *endpoint,
                         struct error *error) {
    char address[300];
    const char *form = strchr(endpoint->host, ':') ? "[%s]:%d" : "%s:%d";
    bool is_default =
        endpoint->port == ADMIN_DEFAULT_PORT && strcmp(endpoint->host, ADMIN_DEFAULT_HOST) == 0;
    snprintf(address, sizeof address, form, endpoint->host, endpoint->port);
    if (http_service_open(service, address, error)) return true;
    if (!is_default || error->code != EADDRINUSE) return false;
    if (!http_service_open(service, ADMIN_DEFAULT_HOST ":0", error)) return false;
    say_info("admin: %s is taken, listening on %s instead", address, service->bound);
    return true;
}

bool admin_open(struct server *server, struct admin **admin, struct error *error) {
    const struct endpoints *wanted = &server->options->admin_listen;
    *admin = NULL;
    if (wanted->count == 0) return true;
    if (wanted->count > 1) return error_set(error, 0, "admin-listen takes one address");
    *admin = new_zero(struct admin);
    (*admin)->server = server;
    (*admin)->service = (struct http_service){.ring = server->cores[0].ring,
                                              .routes = routes,
                                              .route_count = array_count(routes),
                                              .context = *admin,
                                              .body_max = ADMIN_BODY_MAX,
                                              .budget.bytes_max = ADMIN_BYTES_MAX,
                                              .content_type = "application/json"};
    if (service_open(&(*admin)->service, &wanted->items[0], error)) return true;
    free(*admin);
    *admin = NULL;
    return false;
}

const char *admin_bound(const struct admin *admin) { return admin ? admin->service.bound : NULL; }

static void service_stopped(struct http_service *service) {
    struct admin *admin = container_of(service, struct admin, service);
    admin->stopped(admin->server);
}

void admin_stop(struct admin *admin, struct server *server,
                void (*stopped)(struct server *server)) {
    if (!admin) {
        stopped(server);
        return;
    }
    admin->stopped = stopped;
    http_service_stop(&admin->service, service_stopped);
}

void admin_free(struct admin *admin) { free(admin); }
