/* One request to the REST interface while it is worked on: what it asks for, a view that does not
 * change meanwhile, and the place for its answer.
 *
 *   route ─► handler ─► call_new() ─┬─────────────────────────────────────────► call_answer*()
 *                                   ├─► call_work(): run on a worker, then back ─►    ⋮
 *                                   └─► call_change(): to the registry and back ─►    ⋮
 *
 * Ends with exactly one answer, which frees it. */
#pragma once

#include "registry/api.h"
#include "registry/prepare.h"

struct api_call {
    struct http_exchange *exchange;
    struct registry_api *api;
    struct schema_view *view; /* held */
    struct arena arena;
    bool extended; /* the client takes properties that old ones stumble over */

    struct work work;
    struct list waiting;                 /* for a worker */
    void (*run)(struct api_call *call);  /* on a worker */
    void (*then)(struct api_call *call); /* back on the thread */
    struct schema_change change;
    void (*changed)(struct api_call *call);

    /* An answer that is ready when status is not 0: set by workers and changes. */
    int status, code;
    const char *message;
    struct text body;
    const char *content_type;
    uint64_t compiles, compile_ns; /* what it has taken */
    void *detail;                  /* of the handler, in the arena */
};

struct api_call *call_new(struct http_exchange *exchange);
/* The handler's work on a worker thread; it may read the call, its request and its view, and write
 * what belongs to the call. */
void call_work(struct api_call *call, void (*run)(struct api_call *call),
               void (*then)(struct api_call *call));
/* `make` on the registry's core, then `changed` here; a change that could not be stored is refused
 * with 50001 by then. */
void call_change(struct api_call *call,
                 void (*make)(struct schema_change *change, struct schema_machine *machine),
                 void (*changed)(struct api_call *call));
/* As schema_prepare(), by the call's view; on a worker. */
struct schema *call_prepare(struct api_call *call, struct bytes context,
                            const struct schema_entry *entry, struct error *error);

/* Notes a refusal; false, so that `return call_refuse(...)` reads well. */
bool call_refuse(struct api_call *call, int status, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Sends the body, or what was refused. */
void call_answer(struct api_call *call);

/* --- what was asked for --- */

/* The path's index-th part as the qualified name of a subject: contexts in the path or in the name.
 */
struct bytes call_subject(struct api_call *call, size_t index);
/* "." or that of the path, or of the parameter `subject`. */
struct bytes call_context(struct api_call *call);
/* "latest" is -1. Refuses what is no version. */
bool call_version(struct api_call *call, size_t index, int32_t *version);
/* A number in the path; refuses what is none with 404. */
bool call_id(struct api_call *call, size_t index, int32_t *id);
/* A parameter; null when there is none. */
struct bytes call_parameter(struct api_call *call, const char *name);
/* "true" in any case of letters. */
bool call_flag(struct api_call *call, const char *name);
/* The part of a list of `count` that `offset` and `limit` ask for. */
void call_page(struct api_call *call, size_t *from, size_t *to, size_t count);

/* Whether it can be a subject's name, or a refusal 42208. */
bool call_check_name(struct api_call *call, struct bytes name);
/* The subject with at least one version (hidden ones counting on demand), or a refusal 40401. */
const struct schema_subject *call_find_subject(struct api_call *call, struct bytes name,
                                               bool deleted_too);
/* One of its versions, or a refusal 40402. */
const struct schema_version *call_find_version(struct api_call *call,
                                               const struct schema_subject *subject,
                                               int32_t version, bool deleted_too);
/* The start of each handler: a call that may go on. NULL while the registry is being loaded: then
 * `handle` begins again when it is, or the request is answered with 503 after LOADING_WAIT_MS. */
struct api_call *call_begin(struct http_exchange *exchange,
                            void (*handle)(struct http_exchange *exchange));
