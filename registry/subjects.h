/* What the registry knows: subjects with their versions, ids, settings. State = replay of the
 * records of _schemas (registry/schema_record.h); every change is decided here, becomes records,
 * and is applied by the same function that replays them.
 *
 *   (subjects, request) ─► subjects_prepare_*() ─► record ─► the log; durable: the answer leaves
 *                                                     └─► subjects_apply() at once
 *
 * Contexts: a subject ":.name:rest" belongs to the context ".name", any other to ".". Ids count per
 * context, the same schema has the same id in all subjects of one, and an id is never given again:
 * the highest one ever seen is kept, also when its schema is gone for good.
 *
 * Deleting is soft first (the version is hidden, its id stays readable) and then for good. Nothing
 * here compiles or compares schemas; whoever registers does that before, and names the state that
 * it looked at by `generation`. A version's number is one above the highest that is there, hidden
 * ones counting, as Confluent's registry has it. Belongs to one core. */
#pragma once

#include "base/map.h"
#include "registry/compatibility.h"
#include "registry/schema.h"

enum registry_mode {
    MODE_UNSET,
    MODE_READWRITE,
    MODE_READONLY,
    MODE_READONLY_OVERRIDE,
    MODE_IMPORT
};

struct subject;

/* One version. */
struct subject_version {
    struct subject *subject;
    struct schema_entry entry;  /* its texts are the schema's */
    struct schema *schema;      /* shared by all versions of the context that are the same */
    struct map_node by_id;      /* context and id */
    struct map_node by_content; /* context and what makes two schemas the same */
};

struct subject {
    struct map_node by_name;
    struct bytes name;                 /* qualified, as clients write it */
    struct bytes context;              /* a part of name, or "." */
    struct subject_version **versions; /* ascending; soft-deleted ones included */
    size_t count, capacity;
    uint64_t generation; /* of the last change to it */
    bool level_set;
    enum compatibility_level level;
    enum registry_mode mode;
};

struct subjects {
    struct map by_name, by_id, by_content, contexts;
    bool level_set; /* for all that set nothing themselves */
    enum compatibility_level level;
    enum registry_mode mode;
    uint64_t generation;         /* rises with every change */
    uint64_t setting_generation; /* of the last setting for all, or for a context */
    size_t bytes;     /* that are kept of what clients said; the same schema counts once */
    size_t bytes_max; /* what is there already may have more */
};

struct registry_context {
    struct bytes name;
    int32_t id_highest; /* ever given; 0: none */
};

void subjects_init(struct subjects *subjects);
void subjects_deinit(struct subjects *subjects);

/* Replays or applies one record. Records of kinds that are not known, or that say nothing new,
 * change nothing. */
void subjects_apply(struct subjects *subjects, const struct schema_record *record);
/* The same for a SCHEMA record whose schema was made and compiled before; it gets one more user,
 * unless the context has it already. */
void subjects_apply_compiled(struct subjects *subjects, const struct schema_record *record,
                             struct schema *schema);
/* After schemas were compiled in place: what makes them the same may have changed. */
void subjects_reindex(struct subjects *subjects);

/* --- looking --- */

/* A subject with at least one version, the soft-deleted ones counting or not; or NULL. */
struct subject *subjects_find(const struct subjects *subjects, struct bytes name, bool deleted_too);
/* One that has, or had, versions or settings; or NULL. */
struct subject *subjects_named(const struct subjects *subjects, struct bytes name);
/* "latest" is -1. NULL when there is none. */
struct subject_version *subject_find_version(const struct subject *subject, int32_t version,
                                             bool deleted_too);
/* The index of its first version with that number or a higher one; subject->count: none has. */
size_t subject_version_from(const struct subject *subject, int64_t version);
/* Any version with that id; soft-deleted ones keep their ids readable. */
struct subject_version *subjects_find_id(const struct subjects *subjects, struct bytes context,
                                         int32_t id);
/* The newest version of the same schema in its context; `subject` NULL: of any subject. */
struct subject_version *subjects_find_same(const struct subjects *subjects,
                                           const struct subject *subject,
                                           const struct schema *schema, bool deleted_too);
/* Whether some version refers to that one; soft-deleted ones still do. Answers the first. */
struct subject_version *subjects_find_referrer(const struct subjects *subjects,
                                               const struct subject_version *version);
/* The lowest of a subject's versions that some version refers to, hidden ones to be referred to
 * counting or not; or NULL. Takes no longer than for one of them. */
struct subject_version *subjects_find_referred(const struct subjects *subjects,
                                               const struct subject *subject, bool deleted_too);
/* ".name" of ":.name:rest", else "."; a part of the name. */
struct bytes subject_context(struct bytes name);
/* A name as it is kept: one without a context of its own is of `context`, and ":.:rest", which says
 * the default one, is "rest". Made in the arena where it has to be. */
struct bytes subject_qualify(struct bytes context, struct bytes name, struct arena *arena);
/* Whether a reference of a schema in `context` means the subject of that name, as
 * subject_qualify() has it. */
bool reference_means(const struct schema_reference *reference, struct bytes context,
                     struct bytes name);
/* The highest id ever given in a context; 0 when none was. */
int32_t subjects_id_highest(const struct subjects *subjects, struct bytes context);
/* Fills one entry for each context that ever gave an id (subjects->contexts.count, and "." always);
 * answers how many. The names stay the subjects'. */
size_t subjects_contexts(const struct subjects *subjects, struct registry_context *contexts);
/* Names are printed in logs and kept in records: at most 1,000 bytes of UTF-8 without control
 * characters, in the form of subject_qualify(). */
bool subject_name_is_valid(struct bytes name);

/* What holds for a subject: its own setting, that of its context (":.name:"), that for all, or the
 * default. */
enum compatibility_level subjects_level(const struct subjects *subjects, struct bytes name);
enum registry_mode subjects_mode(const struct subjects *subjects, struct bytes name);
/* "READWRITE" and so on. */
const char *registry_mode_name(enum registry_mode mode);
bool registry_mode_parse(struct bytes text, enum registry_mode *mode);

/* --- deciding: the record for a change; the caller has checked everything else --- */

/* Numbers end, whoever imported the highest, and so does the memory: NULL, or why there can be no
 * further version of the subject with that schema, as a sentence; `schema` NULL: no setting of a
 * name that is new. */
const char *subjects_exhausted(const struct subjects *subjects, struct bytes name,
                               const struct schema *schema);
/* The next version, with an id that the schema has already in the context, or the next one. */
void subjects_prepare_register(const struct subjects *subjects, struct bytes name,
                               const struct schema *schema, struct schema_record *record);
