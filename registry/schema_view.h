/* What a core knows of the registry: everything, as of one moment, and it never changes. After each
 * durable change the registry's core makes a new view and every core takes it up; the change is
 * answered when all have, so that an id that is not in a loaded view does not exist.
 *
 *   subjects ──► schema_view_new() ──► core 0 … core n: core->schemas
 *                                      (each gives up the one before)
 *
 * A core reads its own view without asking. Whoever needs it longer than until the loop's next
 * round, or on another thread, holds it (any thread may); schemas and their contracts live as long
 * as a view has them. While `loaded` is false the view is empty: nothing can be said yet. */
#pragma once

#include "registry/schema.h"
#include "registry/subjects.h"

/* One version of a subject. */
struct schema_version {
    int32_t version;
    bool deleted; /* softly: hidden, its id stays readable */
    struct schema *schema;
};

struct schema_subject {
    struct bytes name; /* qualified: ":.context:subject" outside of the default context */
    struct bytes context;
    const struct schema_version *versions; /* ascending, never empty */
    size_t count;
};

/* What is set for a subject that may have no versions. */
struct schema_setting {
    struct bytes name;
    bool level_set;
    enum compatibility_level level;
    enum registry_mode mode; /* MODE_UNSET: not set */
};

struct schema_view {
    atomic_uint users;
    bool loaded;
    uint64_t generation;
    const struct schema_subject *subjects; /* by name */
    size_t subject_count;
    const struct schema_setting *settings; /* by name */
    size_t setting_count;
    struct schema *const *by_id; /* by context and id */
    struct schema *const *by_guid;
    size_t schema_count;
    const struct registry_context *contexts; /* by name; "." always */
    size_t context_count;
    bool level_set; /* for all */
    enum compatibility_level level;
    enum registry_mode mode;
    size_t bytes, bytes_max; /* as the subjects have them */
    struct arena memory;
};

/* `subjects` NULL: empty, not loaded. One user: the caller. */
struct schema_view *schema_view_new(const struct subjects *subjects);
struct schema_view *schema_view_hold(struct schema_view *view);
void schema_view_drop(struct schema_view *view);

/* The subjects that such a view is made of, to try changes on; generations begin anew. Schemas are
 * shared. */
void schema_view_unfold(const struct schema_view *view, struct subjects *subjects);

/* By id, in a context ("." is the default one); NULL when there is none. */
const struct schema *schema_view_find(const struct schema_view *view, struct bytes context,
                                      int32_t id);
/* By GUID, in any context: the first, or NULL. */
const struct schema *schema_view_find_guid(const struct schema_view *view,
                                           const uint8_t guid[SCHEMA_GUID_SIZE]);
/* A subject with at least one version, hidden ones counting; or NULL. */
const struct schema_subject *schema_view_subject(const struct schema_view *view, struct bytes name);

/* The newest version with that schema, hidden ones counting or not; NULL when it has none. */
const struct schema_version *schema_subject_with(const struct schema_subject *subject,
                                                 const struct schema *schema, bool deleted_too);
/* -1 is the latest. */
const struct schema_version *schema_subject_version(const struct schema_subject *subject,
                                                    int32_t version, bool deleted_too);

/* What is set for just that subject, or NULL. */
const struct schema_setting *schema_view_setting(const struct schema_view *view, struct bytes name);
/* What holds for it: its own, its context's (":.context:"), that for all, the default. */
enum compatibility_level schema_view_level(const struct schema_view *view, struct bytes name);
enum registry_mode schema_view_mode(const struct schema_view *view, struct bytes name);
