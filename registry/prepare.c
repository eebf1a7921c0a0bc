#include "registry/prepare.h"

#include "base/check.h"
#include "registry/json_tree.h"

/* --- making --- */

/* Minified, so that spaces make no difference. */
static struct schema *prepare_json(struct bytes context, const struct schema_entry *entry,
                                   struct error *error) {
    struct schema_entry compact = *entry;
    json_error_t problem;
    json_t *value = json_tree_load(entry->schema, JSON_DECODE_ANY, &problem);
    if (!value) {
        error_set(error, 0, "%d:%d: %s", problem.line, problem.column, problem.text);
        return NULL;
    }
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    compact.schema = bytes_of_text(text);
    struct schema *schema = schema_new(context, &compact);
    free(text);
    return schema;
}

/* Hash of the normalised text: the same whoever sent it, as text or as a descriptor. */
static struct hash_wide identity_of(struct linked_schema *linked) {
    struct text normalised = {0};
    linked_schema_print(linked, true, &normalised);
    struct hash_wide identity = hash_bytes_wide(text_bytes(&normalised));
    text_deinit(&normalised);
    return identity;
}

/* The numbers that "latest" stands for now. */
static void references_fix(const struct schema_view *view, struct bytes context,
                           struct schema_entry *entry, struct arena *arena) {
    struct schema_reference *fixed =
        arena_array(arena, struct schema_reference, entry->reference_count + 1);
    for (size_t i = 0; i < entry->reference_count; i++) {
        const struct schema_version *found =
            reference_find(view, context, &entry->references[i], arena);
        fixed[i] = entry->references[i];
        if (found) fixed[i].version = found->version;
    }
    entry->references = fixed;
}

/* What is kept has to compile to the same again, at the next start for one. A descriptor may say
 * what no text can; a text that we would not write well is kept as it came. */
static bool text_choose(const struct schema_view *view, struct bytes context,
                        const struct linked_schema *linked, struct hash_wide identity,
                        struct bytes original, struct schema_entry *entry, struct error *error) {
    struct linked_schema again;
    struct hash_wide now = {0};
    bool good = linked_schema_init(&again, view, context, entry, error);
    if (good) now = identity_of(&again);
    linked_schema_deinit(&again);
    if (good && now.low == identity.low && now.high == identity.high) return true;
    if (linked->is_descriptor)
        return error_set(error, 0, "the descriptor says what no .proto file can say");
    entry->schema = original;
    return true;
}

static struct schema *prepare_linked(const struct schema_view *view, struct bytes context,
                                     const struct schema_entry *entry, struct linked_schema *linked,
                                     struct error *error) {
    struct schema_entry canonical = *entry;
    struct text text = {0};
    struct schema *schema = NULL;
    if (!linked_schema_init(linked, view, context, entry, error)) return NULL;
    struct hash_wide identity = identity_of(linked);
    linked_schema_print(linked, false, &text);
    canonical.schema = text_bytes(&text);
    references_fix(view, context, &canonical, &linked->arena);
    struct contract *contract =
        text_choose(view, context, linked, identity, entry->schema, &canonical, error)
            ? contract_new(&linked->linked, error)
            : NULL;
    if (contract) {
        schema = schema_new(context, &canonical);
        schema_set_compiled(schema, contract, identity);
    }
    text_deinit(&text);
    return schema;
}

struct schema *schema_prepare(const struct schema_view *view, struct bytes context,
                              const struct schema_entry *entry, struct error *error) {
    struct linked_schema linked;
    if (entry->type != SCHEMA_TYPE_PROTOBUF) return prepare_json(context, entry, error);
    struct schema *schema = prepare_linked(view, context, entry, &linked, error);
    linked_schema_deinit(&linked);
    return schema;
}

void schema_prepare_stored(const struct schema_view *view, struct schema *schema) {
    struct linked_schema linked;
    struct error error;
    if (schema->state != SCHEMA_PENDING) return;
    bool good = linked_schema_init(&linked, view, schema->context, &schema->entry, &error);
    struct contract *contract = good ? contract_new(&linked.linked, &error) : NULL;
    if (contract)
        schema_set_compiled(schema, contract, identity_of(&linked));
    else
        schema_set_quarantined(schema, error.text);
    linked_schema_deinit(&linked);
}

/* --- finding --- */

const struct schema_version *schema_subject_same(const struct schema_subject *subject,
                                                 const struct schema *schema, bool deleted_too) {
    for (size_t i = subject->count; i > 0; i--) {
        const struct schema_version *version = &subject->versions[i - 1];
        if (version->deleted && !deleted_too) continue;
        if (schema_equals(version->schema, schema)) return version;
    }
    return NULL;
}

/* --- comparing --- */

static void problem_add(struct compatibility_verdict *verdict, struct arena *arena,
                        struct text *text) {
    verdict->problems[verdict->count++] = arena_text(arena, text_bytes(text));
    text->len = 0;
}

static void blame(struct compatibility_verdict *verdict, const struct schema_version *version) {
    verdict->version = version->version;
    verdict->schema = version->schema->entry.schema;
}

/* Only Protobuf is compared; anything else has to stay as it is. */
static void compare_plain(const struct schema *candidate,
                          const struct schema_version *const *versions, size_t count,
                          struct arena *arena, struct compatibility_verdict *verdict) {
    struct text text = {0};
    const struct schema_version *last = versions[count - 1];
    if (schema_equals(last->schema, candidate)) return;
    enum schema_type was = last->schema->entry.type, is = candidate->entry.type;
    text_printf(&text,
                was == is ? "{errorType:\"NOT_COMPARED\", description:\"only PROTOBUF schemas are "
                            "compared, so that a changed %s schema needs the level NONE\"}"
                          : "{errorType:\"TYPE_CHANGED\", description:\"the schema is %s and was "
                            "%s\"}",
                schema_type_name(is), schema_type_name(was));
    problem_add(verdict, arena, &text);
    blame(verdict, last);
    text_deinit(&text);
}

static bool all_protobuf(const struct schema *candidate,
                         const struct schema_version *const *versions, size_t count) {
    bool all = candidate->entry.type == SCHEMA_TYPE_PROTOBUF;
    for (size_t i = 0; i < count; i++)
        all = all && versions[i]->schema->entry.type == SCHEMA_TYPE_PROTOBUF;
    return all;
}

/* One that does not compile any more cannot be broken. */
static void compare_version(const struct schema_view *view, enum compatibility_level level,
                            const struct linked_schema *candidate,
                            const struct schema_version *version, struct arena *arena,
                            struct compatibility_verdict *verdict) {
    const struct schema *schema = version->schema;
    struct differences differences = {0};
    struct linked_schema linked;
    struct text text = {0};
    struct error error;
    if (linked_schema_init(&linked, view, schema->context, &schema->entry, &error)) {
        const struct descriptor_set *set = &linked.linked;
        compatibility_check(level, &candidate->linked, &set, 1, &linked.arena, &differences);
    }
    if (differences.count > 0 && verdict->count == 0) blame(verdict, version);
    for (size_t i = 0; i < differences.told && verdict->count < DIFFERENCES_MAX; i++) {
        difference_print(&differences.at[i], &text);
        problem_add(verdict, arena, &text);
    }
    text_deinit(&text);
    linked_schema_deinit(&linked);
}

/* Newest first, one in memory at a time. */
static void compare_protobuf(const struct schema_view *view, enum compatibility_level level,
                             const struct schema *candidate,
                             const struct schema_version *const *versions, size_t count,
                             struct arena *arena, struct compatibility_verdict *verdict) {
    struct linked_schema linked;
    struct error error;
    bool good = linked_schema_init(&linked, view, candidate->context, &candidate->entry, &error);
    for (size_t i = count; good && i > 0 && verdict->count < DIFFERENCES_MAX; i--)
        compare_version(view, level, &linked, versions[i - 1], arena, verdict);
    linked_schema_deinit(&linked);
}

static bool is_transitive(enum compatibility_level level) {
    return level == COMPATIBILITY_BACKWARD_TRANSITIVE ||
           level == COMPATIBILITY_FORWARD_TRANSITIVE || level == COMPATIBILITY_FULL_TRANSITIVE;
}

void schema_compare(const struct schema_view *view, enum compatibility_level level,
                    const struct schema *candidate, const struct schema_version *const *versions,
                    size_t version_count, struct arena *arena,
                    struct compatibility_verdict *verdict) {
    *verdict = (struct compatibility_verdict){
        .problems = arena_array(arena, const char *, DIFFERENCES_MAX)};
    size_t wanted = is_transitive(level) ? COMPARED_VERSIONS_MAX : 1;
    if (level == COMPATIBILITY_NONE || version_count == 0) return;
    if (version_count > wanted) versions += version_count - wanted;
    if (version_count > wanted) version_count = wanted;
    if (!all_protobuf(candidate, versions, version_count)) {
        compare_plain(candidate, versions, version_count, arena, verdict);
        return;
    }
    compare_protobuf(view, level, candidate, versions, version_count, arena, verdict);
}

void schema_subject_compare(const struct schema_view *view, const struct schema_subject *subject,
                            enum compatibility_level level, const struct schema *candidate,
                            struct arena *arena, struct compatibility_verdict *verdict) {
    const struct schema_version **versions =
        arena_array(arena, const struct schema_version *, subject->count);
    size_t count = 0;
    for (size_t i = 0; i < subject->count; i++)
        if (!subject->versions[i].deleted) versions[count++] = &subject->versions[i];
    schema_compare(view, level, candidate, versions, count, arena, verdict);
}
