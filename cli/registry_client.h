/* A schema registry from the command line: one HTTP request after another, JSON in and out. Speaks
 * HTTP/1.0, so that no server answers in pieces. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/settings.h"

struct registry_client {
    char host[256], port[8], base[256]; /* base: the path in front of all, "" as a rule */
    int64_t timeout_ms;
};

struct registry_answer {
    int status;
    int error_code; /* the body's, 0: none */
    struct bytes body;
};

/* --registry, $SCHEMA_REGISTRY_URL, or http://127.0.0.1:8081. */
bool registry_client_init(struct registry_client *client, const struct settings *settings,
                          struct error *error);
/* The answer lives in the arena. False with error.code set to an errno when nobody answered; an
 * answer that refuses is an answer. `body` null: none. */
bool registry_client_call(const struct registry_client *client, const char *verb, const char *path,
                          struct bytes body, struct arena *arena, struct registry_answer *answer,
                          struct error *error);
/* The same; an answer other than 200 becomes the error, in the server's words. */
bool registry_client_ask(const struct registry_client *client, const char *verb, const char *path,
                         struct bytes body, struct arena *arena, struct registry_answer *answer,
                         struct error *error);
/* A name as one segment of a path. */
const char *registry_path_segment(struct arena *arena, struct bytes name);
