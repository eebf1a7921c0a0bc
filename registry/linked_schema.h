/* A Protobuf schema with its references, compiled and read: what is compared, printed and served,
 * made from texts when it is needed. References are looked up in a view, so that any thread which
 * holds that view may do it; it belongs on a worker. */
#pragma once

#include "base/text.h"
#include "registry/compile.h"
#include "registry/descriptor.h"
#include "registry/schema_view.h"

enum { LINKED_MEMORY_MAX = 128 << 20 };

struct linked_schema {
    struct schema_compiled compiled;
    struct descriptor_set parsed, linked; /* as written; with names resolved */
    bool is_descriptor;                   /* not a text, as it came */
    struct arena arena;
};

/* The entry's text may be a .proto file or a descriptor in base64. A reference without a context of
 * its own is looked for in `context`. False with the error; linked_schema_deinit() either way. */
bool linked_schema_init(struct linked_schema *schema, const struct schema_view *view,
                        struct bytes context, const struct schema_entry *entry,
                        struct error *error);
void linked_schema_deinit(struct linked_schema *schema);

/* The schema as .proto text (registry/canonical.h). */
void linked_schema_print(struct linked_schema *schema, bool normalize, struct text *text);
/* Its own file, serialized, names resolved: what `format=serialized` answers. */
struct bytes linked_schema_file(const struct linked_schema *schema);

/* The version that a reference of a schema in `context` means, hidden ones counting, -1 being the
 * latest; or NULL. */
const struct schema_version *reference_find(const struct schema_view *view, struct bytes context,
                                            const struct schema_reference *reference,
                                            struct arena *arena);
