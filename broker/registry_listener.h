/* The address that the registry's REST interface (registry/api.h) is served on, by the first core,
 * and what that interface asks the broker. Belongs to the registry service. */
#pragma once

#include "broker/rejects_page.h"
#include "registry/api.h"

struct server;
struct registry_service;

struct registry_listener {
    struct http_service http;
    struct registry_api api;
    struct rejects_pages rejects;
    struct registry_service *service;
    struct server *server;
    void (*stopped)(struct server *server);
};

bool registry_listener_open(struct registry_listener *listener, struct registry_service *service,
                            struct server *server, struct error *error);
void registry_listener_stop(struct registry_listener *listener,
                            void (*stopped)(struct server *server));
