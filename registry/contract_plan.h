/* What a folder of schemas comes to, judged by one view of the registry before anything of it is
 * done: the records that are missing in _schemas, and the configs that bind topics. All is tried on
 * a copy of the subjects first, in the order in which it will be written, so that a plan without
 * problems is carried out without any.
 *
 *   folder, manifest, view ─► contract_plan_make() ─► problems, or:
 *        records ─► contract_plan_write(), inside changes of the registry
 *        bindings ─► change_bind_topics()
 *
 * A file is registered under its path, where another file imports it or no topic is bound to it,
 * and under the subject of each topic that is bound to it. What is there already is left alone: a
 * plan that was carried out comes to nothing the next time. Subjects that are READONLY are written
 * to all the same: the lock is there for serializers, the folder is the operator's word. */
#pragma once

#include "metadata/change.h"
#include "registry/contract_folder.h"
#include "registry/contract_manifest.h"
#include "registry/schema_machine.h"
#include "registry/schema_view.h"

/* A record to be written; `schema` NULL: a setting. */
struct planned_record {
    struct schema_record record;
    struct schema *schema;
};

struct contract_plan {
    struct planned_record *records;
    size_t count, capacity;
    size_t written;       /* of them, so far */
    size_t version_count; /* records of schemas */
    uint64_t generation;  /* of the subjects that it was made by, then of those it has written to */
    struct topic_bindings bindings;
    /* ---- the making ---- */
    const struct contract_folder *folder;
    const struct contract_manifest *manifest;
    const struct topic_config *defaults;
    struct arena *arena;
    struct text *problems;
    size_t problem_count;
    struct subjects staged;   /* with what is planned */
    struct schema_view *view; /* of them, for looking and comparing; NULL: none yet */
    struct map level_wishes;  /* one per subject that is to have a level */
    struct schema **schemas;  /* of the files; NULL: has a problem */
    int32_t *versions;        /* of the files under their paths; 0: not registered there */
    bool *bound;              /* whether a topic is bound to the file */
};

/* Compiles and compares, for as long as that takes. `defaults`: what holds for a topic that sets
 * nothing. Bindings go to the arena and point into the manifest's texts; folder, manifest and arena
 * outlive the plan. False when a line was added to `problems`; contract_plan_deinit() either way.
 */
bool contract_plan_make(struct contract_plan *plan, const struct contract_folder *folder,
                        const struct contract_manifest *manifest, const struct schema_view *view,
                        const struct topic_config *defaults, struct arena *arena,
                        struct text *problems);
void contract_plan_deinit(struct contract_plan *plan);

/* Inside a change of the registry: writes what is left, or as much as one batch of the log should
 * have; again until plan->written is plan->count. False when the registry is not the one that the
 * plan was made by: nothing is written then. */
bool contract_plan_write(struct contract_plan *plan, struct schema_machine *machine);
