#include "registry/contract_plan.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/check.h"
#include "registry/prepare.h"
#include "registry/topic_contract.h"

enum {
    NAMES_SHOWN = 8,
    PROBLEMS_MAX = 100, /* then no further topic is looked at */
    WRITE_BYTES_MAX = 1 << 20,
    COMPARE_MEMORY_MAX = 64 << 20
};

__attribute__((format(printf, 3, 4))) static bool problem(struct contract_plan *plan,
                                                          const char *place, const char *format,
                                                          ...) {
    char words[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    plan->problem_count++;
    text_printf(plan->problems, "%s: %s\n", place, words);
    return false;
}

/* The staged subjects as they are now. */
static const struct schema_view *view_now(struct contract_plan *plan) {
    if (plan->view && plan->view->generation == plan->staged.generation) return plan->view;
    if (plan->view) schema_view_drop(plan->view);
    return plan->view = schema_view_new(&plan->staged);
}

/* One that knows all of the subject: making a view takes as long as the registry is large, and most
 * subjects are there or not, whatever became of the others. What a file refers to is known since
 * the file was prepared. */
static const struct schema_view *view_with(struct contract_plan *plan,
                                           const struct subject *subject) {
    bool is_known = plan->view && subject->generation <= plan->view->generation;
    return is_known ? plan->view : view_now(plan);
}

static void record_add(struct contract_plan *plan, const struct schema_record *record,
                       struct schema *schema) {
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? plan->capacity * 2 : 16;
        plan->records = (struct planned_record *)memory_resize(
            plan->records, plan->capacity * sizeof *plan->records);
    }
    plan->records[plan->count++] = (struct planned_record){*record, schema};
    plan->version_count += schema != NULL;
}

/* --- schemas --- */

/* What each import is registered as; false when one is not, which has told why. */
static bool references_fill(struct contract_plan *plan, const struct contract_file *file,
                            struct schema_reference *references) {
    for (size_t i = 0; i < file->import_count; i++) {
        struct bytes name = plan->folder->files[file->imports[i]].name;
        references[i] = (struct schema_reference){name, name, plan->versions[file->imports[i]]};
        if (references[i].version == 0) return false;
    }
    return true;
}

static void file_prepare(struct contract_plan *plan, size_t index) {
    const struct contract_file *file = &plan->folder->files[index];
    struct schema_reference *references = (struct schema_reference *)memory_zero(
        file->import_count + 1, sizeof(struct schema_reference));
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF,
                                 .schema = file->content,
                                 .references = references,
                                 .reference_count = file->import_count};
    struct text encoded = {0};
    struct error error;
    if (file->is_descriptor) base64_encode(file->content, &encoded);
    if (file->is_descriptor) entry.schema = text_bytes(&encoded);
    if (references_fill(plan, file, references)) {
        plan->schemas[index] = schema_prepare(view_now(plan), BYTES_OF("."), &entry, &error);
        if (!plan->schemas[index]) problem(plan, file->place, "%s", error.text);
    }
    text_deinit(&encoded);
    free(references);
}

static bool is_compatible(struct contract_plan *plan, size_t index, const struct schema_view *view,
                          const struct schema_subject *subject) {
    enum compatibility_level level = subjects_level(&plan->staged, subject->name);
    struct compatibility_verdict verdict;
    struct arena arena;
    arena_init(&arena, COMPARE_MEMORY_MAX);
    schema_subject_compare(view, subject, level, plan->schemas[index], &arena, &verdict);
    bool good = verdict.count == 0;
    if (!good)
        problem(
            plan, plan->folder->files[index].place,
            "not compatible (%s) with version %d of subject \"%.*s\": %.400s (%zu differences); "
            "undo them, or give the subject another level with `compatibility:` in " MANIFEST_NAME,
            compatibility_level_name(level), verdict.version, BYTES_FORMAT(subject->name),
            verdict.problems[0], verdict.count);
    arena_deinit(&arena);
    return good;
}

/* Schemas are prepared in the default context: in another one ids are counted by themselves, and
 * what the file imports is not there. */
static bool may_register(struct contract_plan *plan, size_t index, struct bytes subject) {
    const char *place = plan->folder->files[index].place;
    struct bytes context = subject_context(subject);
    enum registry_mode mode = subjects_mode(&plan->staged, subject);
    const char *why = subjects_exhausted(&plan->staged, subject, plan->schemas[index]);
    if (mode == MODE_IMPORT || mode == MODE_READONLY_OVERRIDE)
        return problem(plan, place,
                       "subject \"%.*s\" is in mode %s and takes no new version: PUT /mode sets "
                       "another, on a broker that runs without this folder",
                       BYTES_FORMAT(subject), registry_mode_name(mode));
    if (why) return problem(plan, place, "%s", why);
    if (!bytes_equal(context, plan->schemas[index]->context))
        return problem(plan, place,
                       "subject \"%.*s\" is of the context \"%.*s\"; those of a folder are of the "
                       "default one",
                       BYTES_FORMAT(subject), BYTES_FORMAT(context));
    if (!subject_name_is_valid(subject))
        return problem(plan, place, "this can be no subject's name: %.*s", BYTES_FORMAT(subject));
    return true;
}

/* The version of the subject that is the file; a new one where there is none. 0 with a problem. */
static int32_t version_have(struct contract_plan *plan, size_t index, struct bytes name) {
    struct schema *schema = plan->schemas[index];
    struct schema_record record;
    const struct subject *staged = subjects_find(&plan->staged, name, true);
    const struct schema_view *view = staged ? view_with(plan, staged) : NULL;
    const struct schema_subject *subject = view ? schema_view_subject(view, name) : NULL;
    const struct schema_version *same =
        subject ? schema_subject_same(subject, schema, false) : NULL;
    if (same) return same->version;
    if (!may_register(plan, index, name)) return 0;
    if (subject && !is_compatible(plan, index, view, subject)) return 0;
    subjects_prepare_register(&plan->staged, name, schema, &record);
    subjects_apply_compiled(&plan->staged, &record, schema);
    record_add(plan, &record, schema);
    return record.version;
}

/* --- settings --- */

static void setting_add(struct contract_plan *plan, enum schema_record_kind kind,
                        struct bytes subject, const char *setting) {
    const struct schema_record record = {
        .kind = kind, .subject = subject, .setting = bytes_of_text(setting)};
    subjects_apply(&plan->staged, &record);
    record_add(plan, &record, NULL);
}

struct level_wish {
    struct map_node node;
    struct bytes subject;
    enum compatibility_level level;
    const char *place;
};

/* False with a problem where another level was wanted before: each start would write both. */
static bool level_wish_add(struct contract_plan *plan, struct bytes name,
                           enum compatibility_level level, const char *place) {
    uint64_t hash = hash_bytes(name);
    struct map_node *node = map_find(&plan->level_wishes, hash);
    for (; node; node = map_find_next(node)) {
        const struct level_wish *wish = map_entry(node, struct level_wish, node);
        if (!bytes_equal(wish->subject, name)) continue;
        return wish->level == level ||
               problem(plan, place, "subject \"%.*s\" has compatibility %s by %s, %s here",
                       BYTES_FORMAT(name), compatibility_level_name(wish->level), wish->place,
                       compatibility_level_name(level));
    }
    struct level_wish *wish = arena_new(plan->arena, struct level_wish);
    *wish = (struct level_wish){.subject = name, .level = level, .place = place};
    map_insert(&plan->level_wishes, &wish->node, hash);
    return true;
}

/* The part's own level, or that for the whole folder. */
static void level_have(struct contract_plan *plan, struct bytes name, const char *own,
                       const char *place) {
    const char *wanted = own ? own : plan->manifest->compatibility;
    const struct subject *subject = subjects_named(&plan->staged, name);
    enum compatibility_level level;
    if (!wanted || !compatibility_level_parse(bytes_of_text(wanted), &level)) return;
    if (!level_wish_add(plan, name, level, place)) return;
    if (subject && subject->level_set && subject->level == level) return;
    setting_add(plan, SCHEMA_RECORD_CONFIG, name, compatibility_level_name(level));
}

static void lock_have(struct contract_plan *plan, struct bytes name) {
    const struct subject *subject = subjects_named(&plan->staged, name);
    if (subject && subject->mode == MODE_READONLY) return;
    setting_add(plan, SCHEMA_RECORD_MODE, name, registry_mode_name(MODE_READONLY));
}

static void path_have(struct contract_plan *plan, size_t index) {
    struct bytes name = plan->folder->files[index].name;
    level_have(plan, name, NULL, plan->folder->files[index].place);
    plan->versions[index] = version_have(plan, index, name);
}

/* --- which file --- */

/* The file that has the message; imports come first, so it is the one that defines it. */
static size_t file_with(const struct contract_plan *plan, struct bytes message) {
    size_t i = 0;
    uint32_t found;
    while (i < plan->folder->count &&
           !(plan->schemas[i] && contract_find(plan->schemas[i]->contract, message, &found)))
        i++;
    return i;
}

static void names_add(const struct contract *contract, struct text *names, size_t *count) {
    uint32_t found[CONTRACT_PATHS_MAX];
    for (int32_t top = 0; (size_t)top < contract_top_count(contract); top++) {
        if (contract_resolve(contract, &top, 1, found) == 0 || (*count)++ >= NAMES_SHOWN) continue;
        struct bytes name = contract_message_name(contract, found[0]);
        text_printf(names, "%s%.*s", names->len ? ", " : "", BYTES_FORMAT(name));
    }
}

/* Unless it may be in a file that has a problem of its own. */
static bool refuse_message(struct contract_plan *plan, const struct manifest_part *part,
                           struct bytes message) {
    struct text names = {0};
    size_t count = 0;
    for (size_t i = 0; i < plan->folder->count; i++)
        if (!plan->schemas[i]) return false;
    for (size_t i = 0; i < plan->folder->count; i++)
        names_add(plan->schemas[i]->contract, &names, &count);
    if (count > NAMES_SHOWN) text_printf(&names, " and %zu more", count - NAMES_SHOWN);
    problem(plan, part->place, "no file has the message \"%.*s\"; there are: %s",
            BYTES_FORMAT(message), names.at ? names.at : "none");
    text_deinit(&names);
    return false;
}

/* The one that the part names, or the one that has the message (null: the only one). */
static bool file_choose(struct contract_plan *plan, const struct manifest_part *part,
                        struct bytes message, size_t *index) {
    const struct contract_folder *folder = plan->folder;
    const char *wanted = part->values[MANIFEST_FILE];
    uint32_t found;
    *index = folder->count;
    if (wanted)
        *index = contract_folder_find(folder, bytes_of_text(wanted));
    else if (!bytes_is_null(message))
        *index = file_with(plan, message);
    else if (folder->count == 1)
        *index = 0;
    if (*index < folder->count && !plan->schemas[*index]) return false; /* it has told why */
    if (*index == folder->count && wanted)
        return problem(plan, part->place, "there is no file \"%.200s\"", wanted);
    if (*index == folder->count && bytes_is_null(message))
        return problem(plan, part->place, "say which: `file: PATH`, with any-message");
    if (bytes_is_null(message)) return true;
    return (*index < folder->count &&
            contract_find(plan->schemas[*index]->contract, message, &found)) ||
           refuse_message(plan, part, message);
}

/* --- contracts --- */

static bool is_by_record(const struct manifest_part *part) {
    const char *subject = part->values[MANIFEST_SUBJECT];
    const char *strategy = part->values[MANIFEST_STRATEGY];
    return !(subject && *subject) && strategy && strcmp(strategy, "topic") != 0;
}

/* The text lives as long as the plan: subjects and records point to it. */
static struct bytes subject_of(struct contract_plan *plan, const struct manifest_topic *topic,
                               enum contract_part which, struct bytes message) {
    const struct manifest_part *part = topic->parts[which];
    const char *subject = part->values[MANIFEST_SUBJECT];
    if (subject && *subject) return bytes_of_text(subject);
    if (!is_by_record(part))
        return bytes_of_text(arena_format(plan->arena, "%.*s-%s", BYTES_FORMAT(topic->name),
                                          contract_part_name(which)));
    if (strcmp(part->values[MANIFEST_STRATEGY], "record") == 0)
        return arena_copy(plan->arena, message);
    return bytes_of_text(
        arena_format(plan->arena, "%.*s-%.*s", BYTES_FORMAT(topic->name), BYTES_FORMAT(message)));
}

static void file_bind(struct contract_plan *plan, const struct manifest_part *part, size_t index,
                      struct bytes subject) {
    level_have(plan, subject, part->values[MANIFEST_COMPATIBILITY], part->place);
    plan->bound[index] = true;
    if (version_have(plan, index, subject) && manifest_part_has(part, MANIFEST_LOCK))
        lock_have(plan, subject);
}

/* Each message under a subject of its own, or all of them, of one file, under one. */
static void messages_bind(struct contract_plan *plan, const struct manifest_topic *topic,
                          enum contract_part which) {
    const struct manifest_part *part = topic->parts[which];
    const char *rest = part->values[MANIFEST_MESSAGE];
    const struct contract_folder *folder = plan->folder;
    struct bytes message;
    size_t file, first = folder->count;
    while (contract_names_next(&rest, &message)) {
        if (!file_choose(plan, part, message, &file)) continue;
        if (!is_by_record(part) && first < folder->count) {
            if (file == first) continue;
            problem(plan, part->place,
                    "messages of one subject are of one file: \"%.*s\" is in %s, others in %s; "
                    "`file: PATH` names one that imports both, `strategy: record` gives each "
                    "message its subject",
                    BYTES_FORMAT(message), folder->files[file].place, folder->files[first].place);
            continue;
        }
        first = file;
        file_bind(plan, part, file, subject_of(plan, topic, which, message));
    }
}

static void part_bind(struct contract_plan *plan, const struct manifest_topic *topic,
                      enum contract_part which) {
    const struct manifest_part *part = topic->parts[which];
    const char *level = part->values[MANIFEST_LEVEL];
    size_t file;
    if (level && strcmp(level, "off") == 0) return;
    if (!manifest_part_has(part, MANIFEST_ANY_MESSAGE))
        messages_bind(plan, topic, which);
    else if (is_by_record(part))
        problem(plan, part->place, "with a subject for each message, messages have to be named");
    else if (file_choose(plan, part, BYTES_NULL, &file))
        file_bind(plan, part, file, subject_of(plan, topic, which, BYTES_NULL));
}

/* --- configs --- */

/* What is not said gets its default, as with `millrace contract set`. */
static void edits_add(struct contract_plan *plan, const struct manifest_topic *topic,
                      enum contract_part which, struct topic_binding *binding) {
    const struct manifest_part *part = topic->parts[which];
    struct config_edit *edits = (struct config_edit *)(uintptr_t)binding->edits;
    for (size_t key = 0; part && key < MANIFEST_CONFIGS; key++) {
        const char *value = part->values[key];
        if (key == MANIFEST_LEVEL && !value) value = "payload";
        edits[binding->edit_count++] = (struct config_edit){
            .name =
                bytes_of_text(arena_format(plan->arena, "millrace.%s.%s", contract_part_name(which),
                                           manifest_keys[key].config)),
            .value = bytes_of_text(value),
            .operation = value ? CONFIG_OPERATION_SET : CONFIG_OPERATION_DELETE};
    }
}

/* As the catalog will judge it. */
static void binding_judge(struct contract_plan *plan, const struct manifest_topic *topic,
                          const struct topic_binding *binding) {
    struct catalog_config items[CONTRACT_PARTS * MANIFEST_CONFIGS];
    struct catalog_configs configs = {.items = items};
    struct topic_config config;
    struct error error;
    for (int32_t i = 0; i < binding->edit_count; i++) {
        const struct config_edit *edit = &binding->edits[i];
        if (edit->operation != CONFIG_OPERATION_SET) continue;
        items[configs.count++] = (struct catalog_config){arena_text(plan->arena, edit->name),
                                                         arena_text(plan->arena, edit->value)};
    }
    topic_config_resolve(&configs, plan->defaults, &config);
    if (!topic_config_validate_set(&configs, plan->defaults, &error) ||
        !topic_contract_judge(&config, topic->name, view_now(plan), &error))
        problem(plan, topic->place, "%s", error.text);
}

/* Judged when all of them are bound, by one view. */
static void topics_bind(struct contract_plan *plan) {
    size_t count = plan->manifest->count;
    struct topic_binding *bindings = arena_array(plan->arena, struct topic_binding, count + 1);
    bool *good = arena_array(plan->arena, bool, count + 1);
    plan->bindings = (struct topic_bindings){bindings, count};
    for (size_t i = 0; i < count && plan->problem_count < PROBLEMS_MAX; i++) {
        const struct manifest_topic *topic = &plan->manifest->topics[i];
        size_t problems = plan->problem_count;
        bindings[i].topic = topic->name;
        bindings[i].edits =
            arena_array(plan->arena, struct config_edit, CONTRACT_PARTS * MANIFEST_CONFIGS);
        for (enum contract_part which = 0; which < CONTRACT_PARTS; which++) {
            if (topic->parts[which]) part_bind(plan, topic, which);
            edits_add(plan, topic, which, &bindings[i]);
        }
        good[i] = plan->problem_count == problems;
    }
    for (size_t i = 0; i < count && plan->problem_count < PROBLEMS_MAX; i++)
        if (good[i]) binding_judge(plan, &plan->manifest->topics[i], &bindings[i]);
}

/* --- the whole --- */

bool contract_plan_make(struct contract_plan *plan, const struct contract_folder *folder,
                        const struct contract_manifest *manifest, const struct schema_view *view,
                        const struct topic_config *defaults, struct arena *arena,
                        struct text *problems) {
    check(view->loaded);
    *plan = (struct contract_plan){.generation = view->generation,
                                   .folder = folder,
                                   .manifest = manifest,
                                   .defaults = defaults,
                                   .arena = arena,
                                   .problems = problems};
    plan->schemas = (struct schema **)memory_zero(folder->count + 1, sizeof(struct schema *));
    plan->versions = (int32_t *)memory_zero(folder->count + 1, sizeof(int32_t));
    plan->bound = (bool *)memory_zero(folder->count + 1, sizeof(bool));
    schema_view_unfold(view, &plan->staged);
    map_init(&plan->level_wishes);
    for (size_t i = 0; i < folder->count; i++) {
        file_prepare(plan, i);
        if (plan->schemas[i] && folder->files[i].is_imported) path_have(plan, i);
    }
    topics_bind(plan);
    for (size_t i = 0; i < folder->count; i++)
        if (plan->schemas[i] && !folder->files[i].is_imported && !plan->bound[i])
            path_have(plan, i);
    return plan->problem_count == 0;
}

void contract_plan_deinit(struct contract_plan *plan) {
    for (size_t i = 0; plan->schemas && i < plan->folder->count; i++)
        if (plan->schemas[i]) schema_drop(plan->schemas[i]);
    if (plan->view) schema_view_drop(plan->view);
    if (plan->schemas) subjects_deinit(&plan->staged);
    map_deinit(&plan->level_wishes);
    free(plan->schemas);
    free(plan->versions);
    free(plan->bound);
    free(plan->records);
}

bool contract_plan_write(struct contract_plan *plan, struct schema_machine *machine) {
    const struct subjects *subjects = schema_machine_subjects(machine);
    size_t bytes = 0;
    if (subjects->generation != plan->generation) return false;
    for (; plan->written < plan->count && bytes < WRITE_BYTES_MAX; plan->written++) {
        const struct planned_record *planned = &plan->records[plan->written];
        bytes += planned->record.entry.schema.len;
        if (planned->schema)
            schema_machine_register(machine, &planned->record, planned->schema);
        else
            schema_machine_write(machine, &planned->record, NULL);
    }
    plan->generation = subjects->generation;
    return true;
}
