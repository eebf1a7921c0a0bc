#include "registry/subjects.h"

#include "base/check.h"
#include "base/utf8.h"

#define DEFAULT_CONTEXT BYTES_OF(".")
#define SAYS_DEFAULT BYTES_OF(":.:")

enum { NAME_BYTES_MAX = 1000, VERSIONS_MAX = 100000 };

/* The ids of one context. */
struct context {
    struct map_node by_name;
    int32_t id_highest;
    size_t len;
    uint8_t name[];
};

static const struct {
    const char *name;
    enum registry_mode mode;
} modes[] = {{"READWRITE", MODE_READWRITE},
             {"READONLY", MODE_READONLY},
             {"READONLY_OVERRIDE", MODE_READONLY_OVERRIDE},
             {"IMPORT", MODE_IMPORT}};

/* --- keys --- */

struct bytes subject_context(struct bytes name) {
    const uint8_t *end = NULL;
    if (name.len > 2 && name.at[0] == ':' && name.at[1] == '.')
        end = (const uint8_t *)memchr(name.at + 1, ':', name.len - 1);
    return end ? bytes_make(name.at + 1, (size_t)(end - name.at - 1)) : DEFAULT_CONTEXT;
}

static bool is_qualified(struct bytes name) { return bytes_starts_with(name, BYTES_OF(":.")); }

static bool says_default(struct bytes name) { return bytes_starts_with(name, SAYS_DEFAULT); }

static struct bytes behind_default(struct bytes name) {
    return bytes_make(name.at + SAYS_DEFAULT.len, name.len - SAYS_DEFAULT.len);
}

struct bytes subject_qualify(struct bytes context, struct bytes name, struct arena *arena) {
    if (says_default(name)) return behind_default(name);
    if (is_qualified(name) || bytes_equal(context, DEFAULT_CONTEXT)) return name;
    return bytes_of_text(
        arena_format(arena, ":%.*s:%.*s", BYTES_FORMAT(context), BYTES_FORMAT(name)));
}

bool subject_name_is_valid(struct bytes name) {
    if (name.len == 0 || name.len > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] < ' ' || name.at[i] == 0x7f) return false;
    return !says_default(name) && utf8_valid_length(name) == name.len;
}

static uint64_t id_hash(struct bytes context, int32_t id) {
    return hash_u64(hash_bytes(context) ^ (uint64_t)id);
}

/* Collisions are sorted out by comparing. */
static uint64_t content_hash(const struct schema *schema) {
    return hash_u64(hash_bytes(schema->context) ^ schema->identity.low ^
                    (uint64_t)schema->entry.type);
}

/* --- bytes --- */

static size_t schema_bytes(const struct schema *schema) {
    const struct schema_entry *entry = &schema->entry;
    size_t bytes = sizeof *schema + entry->schema.len + entry->metadata.len + entry->rule_set.len;
    for (size_t i = 0; i < entry->reference_count; i++)
        bytes += sizeof *entry->references + entry->references[i].name.len +
                 entry->references[i].subject.len;
    return bytes;
}

static size_t name_bytes(struct bytes name) { return sizeof(struct subject) + name.len; }

/* Whether a version has that very schema. */
static bool has_schema(const struct subjects *subjects, const struct schema *schema, int32_t id) {
    struct map_node *node = map_find(&subjects->by_id, id_hash(schema->context, id));
    for (; node; node = map_find_next(node))
        if (map_entry(node, struct subject_version, by_id)->schema == schema) return true;
    return false;
}

/* Of a version that is not in the maps: alone, or with its schema. */
static size_t version_bytes(const struct subjects *subjects,
                            const struct subject_version *version) {
    bool shared = has_schema(subjects, version->schema, version->entry.id);
    return sizeof *version + (shared ? 0 : schema_bytes(version->schema));
}

/* --- parts --- */

static struct context *context_find(const struct subjects *subjects, struct bytes name) {
    struct map_node *node = map_find(&subjects->contexts, hash_bytes(name));
    for (; node; node = map_find_next(node)) {
        struct context *context = map_entry(node, struct context, by_name);
        if (bytes_equal(bytes_make(context->name, context->len), name)) return context;
    }
    return NULL;
}

static struct context *context_have(struct subjects *subjects, struct bytes name) {
    struct context *context = context_find(subjects, name);
    if (context) return context;
    context = (struct context *)memory_zero(1, sizeof *context + name.len);
    context->len = name.len;
    memcpy(context->name, name.at, name.len);
    map_insert(&subjects->contexts, &context->by_name, hash_bytes(name));
    subjects->bytes += sizeof *context + name.len;
    return context;
}

struct subject *subjects_named(const struct subjects *subjects, struct bytes name) {
    struct map_node *node = map_find(&subjects->by_name, hash_bytes(name));
    for (; node; node = map_find_next(node)) {
        struct subject *subject = map_entry(node, struct subject, by_name);
        if (bytes_equal(subject->name, name)) return subject;
    }
    return NULL;
}

/* For a change. */
static struct subject *subject_have(struct subjects *subjects, struct bytes name) {
    struct subject *subject = subjects_named(subjects, name);
    if (subject) subject->generation = subjects->generation;
    if (subject) return subject;
    subject = new_zero(struct subject);
    uint8_t *copy = (uint8_t *)memory_new(name.len);
    if (name.len) memcpy(copy, name.at, name.len);
    subject->name = bytes_make(copy, name.len);
    subject->context = subject_context(subject->name);
    subject->generation = subjects->generation;
    map_insert(&subjects->by_name, &subject->by_name, hash_bytes(name));
    subjects->bytes += name_bytes(name);
    return subject;
}

size_t subject_version_from(const struct subject *subject, int64_t version) {
    size_t from = 0, to = subject->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (subject->versions[middle]->entry.version < version)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static struct subject_version *version_at(const struct subject *subject, int32_t version) {
    size_t place = subject_version_from(subject, version);
    bool found = place < subject->count && subject->versions[place]->entry.version == version;
    return found ? subject->versions[place] : NULL;
}

static void version_free(struct subject_version *version) {
    schema_drop(version->schema);
    free(version);
}

static void version_remove(struct subjects *subjects, struct subject *subject, int32_t number) {
    struct subject_version *version = version_at(subject, number);
    if (!version) return;
    size_t place = subject_version_from(subject, number);
    map_remove(&subjects->by_id, &version->by_id);
    map_remove(&subjects->by_content, &version->by_content);
    subjects->bytes -= version_bytes(subjects, version);
    memmove(&subject->versions[place], &subject->versions[place + 1],
            (subject->count - place - 1) * sizeof(struct subject_version *));
    subject->count--;
    version_free(version);
}

static void version_make_room(struct subject *subject) {
    if (subject->count < subject->capacity) return;
    subject->capacity = subject->capacity ? subject->capacity * 2 : 4;
    subject->versions = (struct subject_version **)memory_resize(
        subject->versions, subject->capacity * sizeof(struct subject_version *));
}

/* The context's schema of that id where it is the same, else the new one. */
static struct schema *schema_shared(struct subjects *subjects, const struct schema_entry *entry,
                                    struct schema *schema) {
    struct subject_version *known = subjects_find_id(subjects, schema->context, entry->id);
    return known && schema_equals(known->schema, schema) ? known->schema : schema;
}

static void version_add(struct subjects *subjects, struct subject *subject,
                        const struct schema_entry *entry, struct schema *schema) {
    struct subject_version *version = new_zero(struct subject_version);
    struct context *context = context_have(subjects, subject->context);
    version->subject = subject;
    version->schema = schema_hold(schema_shared(subjects, entry, schema));
    version->entry = version->schema->entry;
    version->entry.id = entry->id;
    version->entry.version = entry->version;
    version->entry.deleted = entry->deleted;
    version_make_room(subject);
    size_t place = subject_version_from(subject, entry->version);
    memmove(&subject->versions[place + 1], &subject->versions[place],
            (subject->count - place) * sizeof(struct subject_version *));
    subject->versions[place] = version;
    subject->count++;
    subjects->bytes += version_bytes(subjects, version);
    map_insert(&subjects->by_id, &version->by_id, id_hash(subject->context, entry->id));
    map_insert(&subjects->by_content, &version->by_content, content_hash(version->schema));
    if (entry->id > context->id_highest) context->id_highest = entry->id;
}

/* --- applying --- */

static void schema_apply(struct subjects *subjects, const struct schema_record *record) {
    struct subject *subject = subject_have(subjects, record->subject);
    struct schema *schema = record->tombstone ? NULL : schema_new(subject->context, &record->entry);
    version_remove(subjects, subject, record->version);
    if (!schema) return;
    version_add(subjects, subject, &record->entry, schema);
    schema_drop(schema);
}

void subjects_apply_compiled(struct subjects *subjects, const struct schema_record *record,
                             struct schema *schema) {
    check(record->kind == SCHEMA_RECORD_SCHEMA && !record->tombstone);
    subjects->generation++;
    struct subject *subject = subject_have(subjects, record->subject);
    if (schema->entry.id != record->entry.id) schema->entry.id = record->entry.id; /* still ours */
    version_remove(subjects, subject, record->version);
    version_add(subjects, subject, &record->entry, schema);
}

/* Made anew: taking one out costs as much as there are subjects with the same schema. */
void subjects_reindex(struct subjects *subjects) {
    struct map_node *node = map_first(&subjects->by_id);
    map_deinit(&subjects->by_content);
    map_init(&subjects->by_content);
    for (; node; node = map_next(&subjects->by_id, node)) {
        struct subject_version *version = map_entry(node, struct subject_version, by_id);
        map_insert(&subjects->by_content, &version->by_content, content_hash(version->schema));
    }
}

/* Never downwards. */
static void highest_apply(struct subjects *subjects, const struct schema_record *record) {
    struct context *context = context_have(subjects, record->context);
    if (record->id_highest > context->id_highest) context->id_highest = record->id_highest;
}

/* A subject's own changes the subject, which is seen there. */
static void setting_note(struct subjects *subjects, struct bytes name) {
    struct bytes context = subject_context(name);
    bool is_context = name.len == context.len + 2 && name.at[name.len - 1] == ':';
    if (!name.at || is_context) subjects->setting_generation = subjects->generation;
}

static void config_apply(struct subjects *subjects, const struct schema_record *record) {
    enum compatibility_level level = COMPATIBILITY_BACKWARD;
    setting_note(subjects, record->subject);
    bool set = record->setting.at && compatibility_level_parse(record->setting, &level);
    if (record->subject.at) {
        struct subject *subject = subject_have(subjects, record->subject);
        subject->level_set = set;
        subject->level = level;
    } else {
        subjects->level_set = set;
        subjects->level = level;
    }
}

static void mode_apply(struct subjects *subjects, const struct schema_record *record) {
    enum registry_mode mode = MODE_UNSET;
    setting_note(subjects, record->subject);
    if (record->setting.at) (void)registry_mode_parse(record->setting, &mode);
    if (record->subject.at)
        subject_have(subjects, record->subject)->mode = mode;
    else
        subjects->mode = mode;
}

static void delete_apply(struct subjects *subjects, const struct schema_record *record) {
    struct subject *subject = subjects_named(subjects, record->subject);
    if (subject) subject->generation = subjects->generation;
    for (size_t i = 0; subject && i < subject->count; i++) {
        struct schema_entry *entry = &subject->versions[i]->entry;
        if (entry->version <= record->version) entry->deleted = true;
    }
}

static void clear_apply(struct subjects *subjects, const struct schema_record *record) {
    struct subject *subject = subjects_named(subjects, record->subject);
    if (subject) subject->generation = subjects->generation;
    for (size_t i = subject ? subject->count : 0; i > 0; i--) {
        const struct schema_entry *entry = &subject->versions[i - 1]->entry;
        if (entry->deleted) version_remove(subjects, subject, entry->version);
    }
}

void subjects_apply(struct subjects *subjects, const struct schema_record *record) {
    subjects->generation++;
    switch (record->kind) {
        case SCHEMA_RECORD_SCHEMA: return schema_apply(subjects, record);
        case SCHEMA_RECORD_CONFIG: return config_apply(subjects, record);
        case SCHEMA_RECORD_MODE: return mode_apply(subjects, record);
        case SCHEMA_RECORD_DELETE_SUBJECT: return delete_apply(subjects, record);
        case SCHEMA_RECORD_CLEAR_SUBJECT: return clear_apply(subjects, record);
        case SCHEMA_RECORD_HIGHEST_ID: return highest_apply(subjects, record);
        default: return;
    }
}

/* --- looking --- */

struct subject_version *subject_find_version(const struct subject *subject, int32_t version,
                                             bool deleted_too) {
    if (version != -1) {
        struct subject_version *found = version_at(subject, version);
        return found && (deleted_too || !found->entry.deleted) ? found : NULL;
    }
    for (size_t i = subject->count; i > 0; i--) {
        if (deleted_too || !subject->versions[i - 1]->entry.deleted)
            return subject->versions[i - 1];
    }
    return NULL;
}

struct subject *subjects_find(const struct subjects *subjects, struct bytes name,
                              bool deleted_too) {
    struct subject *subject = subjects_named(subjects, name);
    return subject && subject_find_version(subject, -1, deleted_too) ? subject : NULL;
}

struct subject_version *subjects_find_id(const struct subjects *subjects, struct bytes context,
                                         int32_t id) {
    struct map_node *node = map_find(&subjects->by_id, id_hash(context, id));
    for (; node; node = map_find_next(node)) {
        struct subject_version *version = map_entry(node, struct subject_version, by_id);
        if (version->entry.id == id && bytes_equal(version->subject->context, context))
            return version;
    }
    return NULL;
}

struct subject_version *subjects_find_same(const struct subjects *subjects,
                                           const struct subject *subject,
                                           const struct schema *schema, bool deleted_too) {
    struct map_node *node = map_find(&subjects->by_content, content_hash(schema));
    struct subject_version *newest = NULL;
    for (; node; node = map_find_next(node)) {
        struct subject_version *version = map_entry(node, struct subject_version, by_content);
        if ((subject && version->subject != subject) || (version->entry.deleted && !deleted_too) ||
            (newest && version->entry.version <= newest->entry.version))
            continue;
        if (schema_equals(version->schema, schema)) newest = version;
    }
    return newest;
}

bool reference_means(const struct schema_reference *reference, struct bytes context,
                     struct bytes name) {
    struct bytes said = reference->subject;
    if (says_default(said)) return bytes_equal(behind_default(said), name);
    if (is_qualified(said) || bytes_equal(context, DEFAULT_CONTEXT)) return bytes_equal(said, name);
    if (!bytes_equal(context, subject_context(name))) return false;
    size_t prefix = context.len + 2; /* ":.name:" */
    return bytes_equal(said, bytes_make(name.at + prefix, name.len - prefix));
}

static bool refers_to(const struct subject_version *from, const struct subject_version *version) {
    for (size_t i = 0; i < from->entry.reference_count; i++) {
        const struct schema_reference *reference = &from->entry.references[i];
        if (reference->version == version->entry.version &&
            reference_means(reference, from->subject->context, version->subject->name))
            return true;
    }
    return false;
}

struct subject_version *subjects_find_referrer(const struct subjects *subjects,
                                               const struct subject_version *version) {
    struct map_node *node = map_first(&subjects->by_id);
    for (; node; node = map_next(&subjects->by_id, node)) {
        struct subject_version *other = map_entry(node, struct subject_version, by_id);
        if (refers_to(other, version)) return other;
    }
    return NULL;
}

/* "latest" holds nothing, as in refers_to(). */
static struct subject_version *lowest_referred(const struct subject_version *from,
                                               const struct subject *subject, bool deleted_too,
                                               struct subject_version *lowest) {
    for (size_t i = 0; i < from->entry.reference_count; i++) {
        const struct schema_reference *reference = &from->entry.references[i];
        if (reference->version < 1 ||
            !reference_means(reference, from->subject->context, subject->name))
            continue;
        struct subject_version *found =
            subject_find_version(subject, reference->version, deleted_too);
        if (found && (!lowest || found->entry.version < lowest->entry.version)) lowest = found;
    }
    return lowest;
}

struct subject_version *subjects_find_referred(const struct subjects *subjects,
                                               const struct subject *subject, bool deleted_too) {
    struct subject_version *lowest = NULL;
    struct map_node *node = map_first(&subjects->by_id);
    for (; node; node = map_next(&subjects->by_id, node))
        lowest = lowest_referred(map_entry(node, struct subject_version, by_id), subject,
                                 deleted_too, lowest);
    return lowest;
}

int32_t subjects_id_highest(const struct subjects *subjects, struct bytes context) {
    const struct context *found = context_find(subjects, context);
    return found ? found->id_highest : 0;
}

size_t subjects_contexts(const struct subjects *subjects, struct registry_context *contexts) {
    struct map_node *node = map_first(&subjects->contexts);
    size_t count = 0;
    if (!context_find(subjects, DEFAULT_CONTEXT))
        contexts[count++] = (struct registry_context){.name = DEFAULT_CONTEXT};
    for (; node; node = map_next(&subjects->contexts, node)) {
        const struct context *context = map_entry(node, struct context, by_name);
        contexts[count++] =
            (struct registry_context){bytes_make(context->name, context->len), context->id_highest};
    }
    return count;
}

/* The name under which a context's own settings are kept: ":.name:". */
static const struct subject *context_subject(const struct subjects *subjects, struct bytes name) {
    struct bytes context = subject_context(name);
    if (name.len == 0 || name.at[0] != ':' || context.len + 2 > name.len) return NULL;
    return subjects_named(subjects, bytes_make(name.at, context.len + 2));
}

enum compatibility_level subjects_level(const struct subjects *subjects, struct bytes name) {
    const struct subject *subject = subjects_named(subjects, name);
    if (subject && subject->level_set) return subject->level;
    subject = context_subject(subjects, name);
    if (subject && subject->level_set) return subject->level;
    return subjects->level_set ? subjects->level : COMPATIBILITY_BACKWARD;
}

enum registry_mode subjects_mode(const struct subjects *subjects, struct bytes name) {
    const struct subject *subject = subjects_named(subjects, name);
    enum registry_mode for_all = subjects->mode ? subjects->mode : MODE_READWRITE;
    if (for_all == MODE_READONLY_OVERRIDE) return for_all;
    if (subject && subject->mode) return subject->mode;
    subject = context_subject(subjects, name);
    return subject && subject->mode ? subject->mode : for_all;
}

const char *registry_mode_name(enum registry_mode mode) {
    check(mode > MODE_UNSET && mode <= MODE_IMPORT);
    return modes[mode - MODE_READWRITE].name;
}

bool registry_mode_parse(struct bytes text, enum registry_mode *mode) {
    for (size_t i = 0; i < array_count(modes); i++) {
        if (!bytes_equal_text(text, modes[i].name)) continue;
        *mode = modes[i].mode;
        return true;
    }
    return false;
}

/* --- deciding --- */

const char *subjects_exhausted(const struct subjects *subjects, struct bytes name,
                               const struct schema *schema) {
    const struct subject *subject = subjects_named(subjects, name);
    size_t bytes = (subject ? 0 : name_bytes(name)) + (schema ? schema_bytes(schema) : 0);
    if (bytes > 0 &&
        (subjects->bytes > subjects->bytes_max || bytes > subjects->bytes_max - subjects->bytes))
        return "The registry has all the bytes that registry-bytes-max gives it";
    if (!schema) return NULL;
    if (subjects_id_highest(subjects, schema->context) == INT32_MAX &&
        !subjects_find_same(subjects, NULL, schema, true))
        return "No further id can be given";
    if (subject && subject->count > 0 &&
        subject->versions[subject->count - 1]->entry.version == INT32_MAX)
        return "The subject can have no further version";
    return subjects->by_id.count < VERSIONS_MAX ? NULL : "The registry can have no further version";
}

void subjects_prepare_register(const struct subjects *subjects, struct bytes name,
                               const struct schema *schema, struct schema_record *record) {
    const struct context *context = context_find(subjects, schema->context);
    const struct subject *subject = subjects_named(subjects, name);
    const struct subject_version *same = subjects_find_same(subjects, NULL, schema, true);
    size_t count = subject ? subject->count : 0;
    check(same || !context || context->id_highest < INT32_MAX);
    *record = (struct schema_record){
        .kind = SCHEMA_RECORD_SCHEMA, .subject = name, .entry = same ? same->entry : schema->entry};
    record->version = count ? subject->versions[count - 1]->entry.version + 1 : 1;
    record->entry.version = record->version;
    record->entry.id = same ? same->entry.id : (context ? context->id_highest : 0) + 1;
    record->entry.deleted = false;
}

/* --- life --- */

void subjects_init(struct subjects *subjects) {
    *subjects = (struct subjects){.bytes_max = SIZE_MAX};
    map_init(&subjects->by_name);
    map_init(&subjects->by_id);
    map_init(&subjects->by_content);
    map_init(&subjects->contexts);
}

static void subject_free(struct subject *subject) {
    for (size_t i = 0; i < subject->count; i++) version_free(subject->versions[i]);
    free(subject->versions);
    free((void *)(uintptr_t)subject->name.at);
    free(subject);
}

void subjects_deinit(struct subjects *subjects) {
    for (struct map_node *node; (node = map_first(&subjects->by_name));) {
        map_remove(&subjects->by_name, node);
        subject_free(map_entry(node, struct subject, by_name));
    }
    for (struct map_node *node; (node = map_first(&subjects->contexts));) {
        map_remove(&subjects->contexts, node);
        free(map_entry(node, struct context, by_name));
    }
    map_deinit(&subjects->by_name);
    map_deinit(&subjects->by_id);
    map_deinit(&subjects->by_content);
    map_deinit(&subjects->contexts);
}
