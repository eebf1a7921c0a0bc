#include "registry/schema_machine.h"

#include "base/check.h"
#include "base/say.h"

enum { RECORD_MEMORY_MAX = 64 << 20, IMAGE_STEP_BYTES = 64 << 10 };

struct schema_machine {
    struct coordinator *coordinator;
    struct schema_machine_owner *owner;
    struct subjects subjects;
    struct text key, value; /* of the record that is being written */
    /* The image: the subjects, the next that is to be written, and its versions from which on. */
    struct subject **image;
    size_t image_count, image_next;
    int64_t image_version; /* 0: nothing of it was written */
};

struct subjects *schema_machine_subjects(struct schema_machine *machine) {
    return &machine->subjects;
}

/* --- life --- */

static void *state_new(struct coordinator *coordinator, void *context) {
    struct schema_machine *machine = new_zero(struct schema_machine);
    machine->coordinator = coordinator;
    machine->owner = (struct schema_machine_owner *)context;
    subjects_init(&machine->subjects);
    return machine;
}

static void state_free(void *state) {
    struct schema_machine *machine = (struct schema_machine *)state;
    subjects_deinit(&machine->subjects);
    text_deinit(&machine->key);
    text_deinit(&machine->value);
    free(machine->image);
    free(machine);
}

static bool replay(void *state, const struct coordinator_record *record, struct error *error) {
    struct schema_machine *machine = (struct schema_machine *)state;
    struct schema_record read;
    struct arena arena;
    (void)error;
    arena_init(&arena, RECORD_MEMORY_MAX);
    struct error why;
    if (schema_record_read(record->key, record->value, &arena, &read, &why))
        subjects_apply(&machine->subjects, &read);
    else
        say_warning("registry: offset %lld of " SCHEMAS_TOPIC " is passed over: %s",
                    (long long)record->offset, why.text);
    arena_deinit(&arena);
    return true;
}

static void loaded(void *state) {
    struct schema_machine *machine = (struct schema_machine *)state;
    machine->owner->loaded(machine->owner, &machine->subjects);
}

/* --- records --- */

static void record_add(struct schema_machine *machine, const struct schema_record *record) {
    machine->key.len = machine->value.len = 0;
    schema_record_write(record, &machine->key, &machine->value);
    bool is_null = record->tombstone || record->kind == SCHEMA_RECORD_NOOP;
    coordinator_write_raw(machine->coordinator, text_bytes(&machine->key),
                          is_null ? BYTES_NULL : text_bytes(&machine->value));
}

void schema_machine_write(struct schema_machine *machine, const struct schema_record *record,
                          struct schema *schema) {
    if (schema)
        subjects_apply_compiled(&machine->subjects, record, schema);
    else
        subjects_apply(&machine->subjects, record);
    record_add(machine, record);
}

void schema_machine_register(struct schema_machine *machine, const struct schema_record *record,
                             struct schema *schema) {
    schema_machine_write(machine, record, schema);
    const struct subject *subject = subjects_named(&machine->subjects, record->subject);
    for (size_t i = subject->count; i > 0; i--) {
        const struct subject_version *version = subject->versions[i - 1];
        if (!version->entry.deleted || version->entry.id != record->entry.id ||
            subjects_find_referrer(&machine->subjects, version))
            continue;
        const struct schema_record tombstone = {.kind = SCHEMA_RECORD_SCHEMA,
                                                .subject = subject->name,
                                                .version = version->entry.version,
                                                .tombstone = true};
        schema_machine_write(machine, &tombstone, NULL);
    }
}

/* --- the image --- */

static size_t image_bytes(void *state) {
    struct schema_machine *machine = (struct schema_machine *)state;
    size_t bytes = 0;
    struct map_node *node = map_first(&machine->subjects.by_id);
    for (; node; node = map_next(&machine->subjects.by_id, node)) {
        const struct subject_version *version = map_entry(node, struct subject_version, by_id);
        bytes += 2 * version->subject->name.len + version->entry.schema.len + 256;
    }
    return bytes;
}

static void setting_add(struct schema_machine *machine, enum schema_record_kind kind,
                        struct bytes subject, const char *setting) {
    const struct schema_record record = {
        .kind = kind, .subject = subject, .setting = bytes_of_text(setting)};
    record_add(machine, &record);
}

static void image_globals(struct schema_machine *machine) {
    const struct subjects *subjects = &machine->subjects;
    struct registry_context *contexts =
        (struct registry_context *)memory_zero(subjects->contexts.count + 1, sizeof *contexts);
    size_t count = subjects_contexts(subjects, contexts);
    for (size_t i = 0; i < count; i++) {
        const struct schema_record record = {.kind = SCHEMA_RECORD_HIGHEST_ID,
                                             .context = contexts[i].name,
                                             .id_highest = contexts[i].id_highest};
        record_add(machine, &record);
    }
    free(contexts);
    if (subjects->level_set)
        setting_add(machine, SCHEMA_RECORD_CONFIG, BYTES_NULL,
                    compatibility_level_name(subjects->level));
    if (subjects->mode)
        setting_add(machine, SCHEMA_RECORD_MODE, BYTES_NULL, registry_mode_name(subjects->mode));
}

/* Subjects are never freed before the end, so that pointers to them are good. */
static void image_begin(void *state) {
    struct schema_machine *machine = (struct schema_machine *)state;
    struct map *subjects = &machine->subjects.by_name;
    free(machine->image);
    machine->image = (struct subject **)memory_zero(subjects->count + 1, sizeof(struct subject *));
    machine->image_count = machine->image_next = 0;
    machine->image_version = 0;
    for (struct map_node *node = map_first(subjects); node; node = map_next(subjects, node))
        machine->image[machine->image_count++] = map_entry(node, struct subject, by_name);
}

static void image_settings(struct schema_machine *machine, const struct subject *subject) {
    if (subject->level_set)
        setting_add(machine, SCHEMA_RECORD_CONFIG, subject->name,
                    compatibility_level_name(subject->level));
    if (subject->mode)
        setting_add(machine, SCHEMA_RECORD_MODE, subject->name, registry_mode_name(subject->mode));
}

static size_t version_add(struct schema_machine *machine, const struct subject_version *version) {
    const struct schema_record record = {.kind = SCHEMA_RECORD_SCHEMA,
                                         .subject = version->subject->name,
                                         .version = version->entry.version,
                                         .entry = version->entry};
    record_add(machine, &record);
    machine->image_version = (int64_t)version->entry.version + 1;
    return version->entry.schema.len + 256;
}

/* Of the next subject, as much as a step has room for. Versions may go and come between two steps,
 * so that it goes on by number. */
static size_t image_subject(struct schema_machine *machine, size_t room) {
    const struct subject *subject = machine->image[machine->image_next];
    size_t bytes = 256, at = subject_version_from(subject, machine->image_version);
    if (machine->image_version == 0) image_settings(machine, subject);
    while (at < subject->count && bytes < room)
        bytes += version_add(machine, subject->versions[at++]);
    if (at < subject->count) return room;
    machine->image_next++;
    machine->image_version = 0;
    return bytes;
}

static bool image_step(void *state) {
    struct schema_machine *machine = (struct schema_machine *)state;
    size_t bytes = 0;
    if (machine->image_next == 0 && machine->image_version == 0) image_globals(machine);
    while (machine->image_next < machine->image_count && bytes < IMAGE_STEP_BYTES)
        bytes += image_subject(machine, IMAGE_STEP_BYTES - bytes);
    return machine->image_next < machine->image_count;
}

const struct coordinator_kind schema_machine_kind = {
    .name = "registry",
    .raw = true,
    .state_new = state_new,
    .state_free = state_free,
    .replay = replay,
    .loaded = loaded,
    .image_bytes = image_bytes,
    .image_begin = image_begin,
    .image_step = image_step,
};
