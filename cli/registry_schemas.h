/* Schemas from a registry, with all that they refer to, compiled for JSON. Each is asked for once
 * and kept; when nobody answered, the registry is asked again a little later. Of more than
 * REGISTRY_SCHEMAS_MAX all are forgotten at once: a schema is good until the next is asked for. */
#pragma once

#include "cli/registry_client.h"
#include "registry/json_schema.h"

struct registry_schema {
    struct registry_schema *next;
    const char *path; /* that it was asked for with */
    /* What the registry says. */
    int32_t id, version; /* 0: not told */
    struct bytes guid;   /* its text, or null */
    /* What was made of it. */
    struct json_schema *json; /* NULL: the problem says why */
    struct error problem;
    uint64_t asked_ns;
    /* Its memory. */
    struct arena arena;
    struct schema_compiled *compiled;
    struct descriptor_set set;
};

enum { REGISTRY_SCHEMAS_MAX = 1000 };

struct registry_schemas {
    struct registry_client client;
    struct registry_schema *newest;
    size_t count;
};

bool registry_schemas_init(struct registry_schemas *schemas, const struct settings *settings,
                           struct error *error);
void registry_schemas_deinit(struct registry_schemas *schemas);

/* The schema that a path of the registry names: /schemas/ids/1, /subjects/s/versions/latest.
 * `context` is that of references without one of their own. NULL with the error. */
const struct registry_schema *registry_schemas_find(struct registry_schemas *schemas,
                                                    const char *path, struct bytes context,
                                                    struct error *error);
