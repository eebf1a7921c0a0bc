/* The slow part of the registry, for worker threads: from what a client sends to a schema that can
 * be kept, and whether it may follow those that are there. Everything is judged by one view that
 * the caller holds; who commits the result looks whether that view still says the truth. */
#pragma once

#include "registry/linked_schema.h"

/* A schema of what a client sent, compiled; the caller's. NULL with the error, in words for the one
 * who wrote the schema. References to the latest version become references to its number; a text
 * becomes its canonical form. */
struct schema *schema_prepare(const struct schema_view *view, struct bytes context,
                              const struct schema_entry *entry, struct error *error);

/* Compiles a stored schema in place: COMPILED or QUARANTINED. Before anybody else sees it. */
void schema_prepare_stored(const struct schema_view *view, struct schema *schema);

/* The newest version of the subject that is the same, or NULL. */
const struct schema_version *schema_subject_same(const struct schema_subject *subject,
                                                 const struct schema *schema, bool deleted_too);

enum { COMPARED_VERSIONS_MAX = 1000 };

/* What `candidate` breaks in the versions, oldest first, under that level; the texts are in the
 * arena, `count` of them, 0 when nothing. A schema that is not Protobuf is compatible with itself
 * only. */
struct compatibility_verdict {
    const char **problems;
    size_t count;
    int32_t version; /* the newest that is broken */
    struct bytes schema;
};
void schema_compare(const struct schema_view *view, enum compatibility_level level,
                    const struct schema *candidate, const struct schema_version *const *versions,
                    size_t version_count, struct arena *arena,
                    struct compatibility_verdict *verdict);
/* The same with the subject's versions that are not hidden. */
void schema_subject_compare(const struct schema_view *view, const struct schema_subject *subject,
                            enum compatibility_level level, const struct schema *candidate,
                            struct arena *arena, struct compatibility_verdict *verdict);
