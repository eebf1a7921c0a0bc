#include "registry/schema_view.h"

#include "base/check.h"

/* --- making --- */

static int compare_subjects(const void *a, const void *b) {
    return bytes_compare(((const struct schema_subject *)a)->name,
                         ((const struct schema_subject *)b)->name);
}

static int compare_settings(const void *a, const void *b) {
    return bytes_compare(((const struct schema_setting *)a)->name,
                         ((const struct schema_setting *)b)->name);
}

static int compare_contexts(const void *a, const void *b) {
    return bytes_compare(((const struct registry_context *)a)->name,
                         ((const struct registry_context *)b)->name);
}

static int compare_id(struct bytes context, int32_t id, const struct schema *schema) {
    int order = bytes_compare(context, schema->context);
    return order ? order : (id > schema->entry.id) - (id < schema->entry.id);
}

static int compare_ids(const void *a, const void *b) {
    const struct schema *one = *(struct schema *const *)a;
    return compare_id(one->context, one->entry.id, *(struct schema *const *)b);
}

/* Equal GUIDs, of several contexts, in the order of contexts and ids. */
static int compare_guids(const void *a, const void *b) {
    const struct schema *one = *(struct schema *const *)a, *other = *(struct schema *const *)b;
    int order = memcmp(one->guid, other->guid, SCHEMA_GUID_SIZE);
    return order ? order : compare_ids(a, b);
}

struct making {
    struct schema_view *view;
    struct schema_subject *subjects;
    struct schema_setting *settings;
    struct schema **schemas;
};

static void versions_copy(struct making *making, const struct subject *from,
                          struct schema_subject *to) {
    struct arena *arena = &making->view->memory;
    struct schema_version *versions = arena_array(arena, struct schema_version, from->count);
    to->versions = versions;
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        const struct subject_version *version = from->versions[i];
        versions[i] = (struct schema_version){version->entry.version, version->entry.deleted,
                                              version->schema};
        making->schemas[making->view->schema_count++] = version->schema;
    }
}

static void subject_copy(struct making *making, const struct subject *from) {
    struct schema_view *view = making->view;
    struct bytes name = arena_copy(&view->memory, from->name);
    if (from->count > 0) {
        struct schema_subject *to = &making->subjects[view->subject_count++];
        *to = (struct schema_subject){.name = name, .context = subject_context(name)};
        versions_copy(making, from, to);
    }
    if (!from->level_set && !from->mode) return;
    making->settings[view->setting_count++] =
        (struct schema_setting){name, from->level_set, from->level, from->mode};
}

/* Each schema once, with one hold. */
static void schemas_sort(struct making *making) {
    struct schema_view *view = making->view;
    struct schema **schemas = making->schemas;
    size_t kept = 0;
    qsort(schemas, view->schema_count, sizeof *schemas, compare_ids);
    for (size_t i = 0; i < view->schema_count; i++) {
        if (kept > 0 && schemas[kept - 1] == schemas[i]) continue;
        schemas[kept++] = schema_hold(schemas[i]);
    }
    struct schema **by_guid = arena_array(&view->memory, struct schema *, kept + 1);
    memcpy(by_guid, schemas, kept * sizeof *schemas);
    qsort(by_guid, kept, sizeof *by_guid, compare_guids);
    view->schema_count = kept;
    view->by_id = schemas;
    view->by_guid = by_guid;
}

static void contexts_copy(struct schema_view *view, const struct subjects *subjects) {
    struct registry_context *contexts =
        arena_array(&view->memory, struct registry_context, subjects->contexts.count + 1);
    size_t count = subjects_contexts(subjects, contexts);
    for (size_t i = 0; i < count; i++)
        contexts[i].name = arena_copy(&view->memory, contexts[i].name);
    qsort(contexts, count, sizeof *contexts, compare_contexts);
    view->contexts = contexts;
    view->context_count = count;
}

static size_t count_versions(const struct subjects *subjects) { return subjects->by_id.count; }

struct schema_view *schema_view_new(const struct subjects *subjects) {
    struct schema_view *view = new_zero(struct schema_view);
    struct arena *arena = &view->memory;
    atomic_init(&view->users, 1);
    arena_init(arena, SIZE_MAX);
    if (!subjects) return view;
    struct making making = {
        .view = view,
        .subjects = arena_array(arena, struct schema_subject, subjects->by_name.count + 1),
        .settings = arena_array(arena, struct schema_setting, subjects->by_name.count + 1),
        .schemas = arena_array(arena, struct schema *, count_versions(subjects) + 1)};
    struct map_node *node = map_first(&subjects->by_name);
    for (; node; node = map_next(&subjects->by_name, node))
        subject_copy(&making, map_entry(node, struct subject, by_name));
    qsort(making.subjects, view->subject_count, sizeof *making.subjects, compare_subjects);
    qsort(making.settings, view->setting_count, sizeof *making.settings, compare_settings);
    view->subjects = making.subjects;
    view->settings = making.settings;
    schemas_sort(&making);
    contexts_copy(view, subjects);
    view->loaded = true;
    view->generation = subjects->generation;
    view->bytes = subjects->bytes;
    view->bytes_max = subjects->bytes_max;
    view->level_set = subjects->level_set;
    view->level = subjects->level;
    view->mode = subjects->mode;
    return view;
}

struct schema_view *schema_view_hold(struct schema_view *view) {
    atomic_fetch_add_explicit(&view->users, 1, memory_order_relaxed);
    return view;
}

void schema_view_drop(struct schema_view *view) {
    if (atomic_fetch_sub_explicit(&view->users, 1, memory_order_acq_rel) > 1) return;
    for (size_t i = 0; i < view->schema_count; i++) schema_drop(view->by_id[i]);
    arena_deinit(&view->memory);
    free(view);
}

/* --- the way back --- */

static void setting_unfold(struct subjects *subjects, struct bytes name, bool level_set,
                           enum compatibility_level level, enum registry_mode mode) {
    struct schema_record record = {.subject = name};
    if (level_set) {
        record.kind = SCHEMA_RECORD_CONFIG;
        record.setting = bytes_of_text(compatibility_level_name(level));
        subjects_apply(subjects, &record);
    }
    if (mode) {
        record.kind = SCHEMA_RECORD_MODE;
        record.setting = bytes_of_text(registry_mode_name(mode));
        subjects_apply(subjects, &record);
    }
}

static void subject_unfold(struct subjects *subjects, const struct schema_subject *subject) {
    for (size_t i = 0; i < subject->count; i++) {
        const struct schema_version *version = &subject->versions[i];
        struct schema_record record = {.kind = SCHEMA_RECORD_SCHEMA,
                                       .subject = subject->name,
                                       .version = version->version,
                                       .entry = version->schema->entry};
        record.entry.version = version->version;
        record.entry.deleted = version->deleted;
        subjects_apply_compiled(subjects, &record, version->schema);
    }
}

void schema_view_unfold(const struct schema_view *view, struct subjects *subjects) {
    subjects_init(subjects);
    subjects->bytes_max = view->bytes_max;
    for (size_t i = 0; i < view->context_count; i++) {
        const struct schema_record record = {.kind = SCHEMA_RECORD_HIGHEST_ID,
                                             .context = view->contexts[i].name,
                                             .id_highest = view->contexts[i].id_highest};
        subjects_apply(subjects, &record);
    }
    setting_unfold(subjects, BYTES_NULL, view->level_set, view->level, view->mode);
    for (size_t i = 0; i < view->subject_count; i++) subject_unfold(subjects, &view->subjects[i]);
    for (size_t i = 0; i < view->setting_count; i++) {
        const struct schema_setting *setting = &view->settings[i];
        setting_unfold(subjects, setting->name, setting->level_set, setting->level, setting->mode);
    }
}

/* --- looking --- */

const struct schema *schema_view_find(const struct schema_view *view, struct bytes context,
                                      int32_t id) {
    size_t from = 0, to = view->schema_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = compare_id(context, id, view->by_id[middle]);
        if (order == 0) return view->by_id[middle];
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

const struct schema *schema_view_find_guid(const struct schema_view *view,
                                           const uint8_t guid[SCHEMA_GUID_SIZE]) {
    size_t from = 0, to = view->schema_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (memcmp(view->by_guid[middle]->guid, guid, SCHEMA_GUID_SIZE) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    if (from == view->schema_count) return NULL;
    const struct schema *found = view->by_guid[from];
    return memcmp(found->guid, guid, SCHEMA_GUID_SIZE) == 0 ? found : NULL;
}

const struct schema_subject *schema_view_subject(const struct schema_view *view,
                                                 struct bytes name) {
    const struct schema_subject key = {.name = name};
    if (view->subject_count == 0) return NULL;
    return (const struct schema_subject *)bsearch(&key, view->subjects, view->subject_count,
                                                  sizeof key, compare_subjects);
}

const struct schema_version *schema_subject_with(const struct schema_subject *subject,
                                                 const struct schema *schema, bool deleted_too) {
    for (size_t i = subject->count; i > 0; i--) {
        const struct schema_version *version = &subject->versions[i - 1];
        if (version->schema == schema && (deleted_too || !version->deleted)) return version;
    }
    return NULL;
}

const struct schema_version *schema_subject_version(const struct schema_subject *subject,
                                                    int32_t version, bool deleted_too) {
    for (size_t i = subject->count; i > 0; i--) {
        const struct schema_version *found = &subject->versions[i - 1];
        if (found->deleted && !deleted_too) continue;
        if (version == -1 || found->version == version) return found;
    }
    return NULL;
}

const struct schema_setting *schema_view_setting(const struct schema_view *view,
                                                 struct bytes name) {
    const struct schema_setting key = {.name = name};
    if (view->setting_count == 0) return NULL;
    return (const struct schema_setting *)bsearch(&key, view->settings, view->setting_count,
                                                  sizeof key, compare_settings);
}

static const struct schema_setting *context_setting(const struct schema_view *view,
                                                    struct bytes name) {
    struct bytes context = subject_context(name);
    if (name.len == 0 || name.at[0] != ':' || context.len + 2 > name.len) return NULL;
    return schema_view_setting(view, bytes_make(name.at, context.len + 2));
}

enum compatibility_level schema_view_level(const struct schema_view *view, struct bytes name) {
    const struct schema_setting *setting = schema_view_setting(view, name);
    if (setting && setting->level_set) return setting->level;
    setting = context_setting(view, name);
    if (setting && setting->level_set) return setting->level;
    return view->level_set ? view->level : COMPATIBILITY_BACKWARD;
}

enum registry_mode schema_view_mode(const struct schema_view *view, struct bytes name) {
    enum registry_mode for_all = view->mode ? view->mode : MODE_READWRITE;
    if (for_all == MODE_READONLY_OVERRIDE) return for_all;
    const struct schema_setting *setting = schema_view_setting(view, name);
    if (setting && setting->mode) return setting->mode;
    setting = context_setting(view, name);
    return setting && setting->mode ? setting->mode : for_all;
}
