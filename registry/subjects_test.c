#include "registry/subjects.h"

#include <criterion/criterion.h>

/* Registers as a caller would who has checked everything; answers the id. */
static int32_t registers_entry(struct subjects *subjects, const char *name,
                               const struct schema_entry *entry) {
    struct schema_record record;
    struct schema *schema = schema_new(subject_context(bytes_of_text(name)), entry);
    subjects_prepare_register(subjects, bytes_of_text(name), schema, &record);
    subjects_apply_compiled(subjects, &record, schema);
    schema_drop(schema);
    return record.entry.id;
}

static int32_t registers(struct subjects *subjects, const char *name, const char *schema) {
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF, .schema = bytes_of_text(schema)};
    return registers_entry(subjects, name, &entry);
}

static void applies(struct subjects *subjects, enum schema_record_kind kind, const char *name,
                    int32_t version, const char *setting) {
    struct schema_record record = {.kind = kind,
                                   .subject = bytes_of_text(name),
                                   .version = version,
                                   .tombstone = kind == SCHEMA_RECORD_SCHEMA || !setting,
                                   .setting = bytes_of_text(setting)};
    subjects_apply(subjects, &record);
}

static const struct subject_version *version_of(const struct subjects *subjects, const char *name,
                                                int32_t version, bool deleted_too) {
    struct subject *subject = subjects_find(subjects, bytes_of_text(name), deleted_too);
    return subject ? subject_find_version(subject, version, deleted_too) : NULL;
}

Test(subjects, a_schema_has_one_id_in_its_context) {
    struct subjects subjects;
    subjects_init(&subjects);
    cr_expect_eq(registers(&subjects, "a", "one"), 1);
    cr_expect_eq(registers(&subjects, "a", "two"), 2);
    cr_expect_eq(registers(&subjects, "b", "two"), 2);
    cr_expect_eq(registers(&subjects, "b", "three"), 3);
    cr_expect_eq(registers(&subjects, ":.other:a", "three"), 1);
    cr_expect_eq(version_of(&subjects, "b", -1, false)->entry.version, 2);
    cr_expect_eq(version_of(&subjects, "b", 1, false)->entry.id, 2);
    cr_expect_null(version_of(&subjects, "b", 3, true));
    cr_expect_null(version_of(&subjects, "c", -1, true));
    const struct subject_version *found = subjects_find_id(&subjects, BYTES_OF(".other"), 1);
    cr_expect(bytes_equal_text(found->entry.schema, "three"));
    cr_expect_null(subjects_find_id(&subjects, BYTES_OF(".other"), 2));
    subjects_deinit(&subjects);
}

Test(subjects, deleting_is_soft_first_and_ids_are_never_given_again) {
    struct subjects subjects;
    subjects_init(&subjects);
    registers(&subjects, "a", "one");
    registers(&subjects, "a", "two");
    applies(&subjects, SCHEMA_RECORD_DELETE_SUBJECT, "a", 2, "");
    cr_expect_null(subjects_find(&subjects, BYTES_OF("a"), false));
    cr_expect_eq(version_of(&subjects, "a", -1, true)->entry.version, 2);
    cr_expect_not_null(subjects_find_id(&subjects, BYTES_OF("."), 2), "soft: readable by id");
    cr_expect_eq(registers(&subjects, "a", "one"), 1, "the same id");
    cr_expect_eq(version_of(&subjects, "a", -1, false)->entry.version, 3, "a new version");
    for (int32_t version = 1; version <= 3; version++)
        applies(&subjects, SCHEMA_RECORD_SCHEMA, "a", version, NULL);
    cr_expect_null(subjects_find(&subjects, BYTES_OF("a"), true));
    cr_expect_null(subjects_find_id(&subjects, BYTES_OF("."), 2));
    cr_expect_eq(registers(&subjects, "a", "one"), 3, "gone for good: a new id");
    cr_expect_eq(version_of(&subjects, "a", -1, false)->entry.version, 1, "as a new subject");
    struct schema_record highest = {
        .kind = SCHEMA_RECORD_HIGHEST_ID, .context = BYTES_OF("."), .id_highest = 17};
    subjects_apply(&subjects, &highest);
    cr_expect_eq(registers(&subjects, "a", "two"), 18);
    subjects_deinit(&subjects);
}

Test(subjects, clearing_removes_what_was_deleted) {
    struct subjects subjects;
    subjects_init(&subjects);
    registers(&subjects, "a", "one");
    applies(&subjects, SCHEMA_RECORD_DELETE_SUBJECT, "a", 1, "");
    registers(&subjects, "a", "two");
    applies(&subjects, SCHEMA_RECORD_CLEAR_SUBJECT, "a", 0, "");
    cr_expect_null(version_of(&subjects, "a", 1, true));
    cr_expect_not_null(version_of(&subjects, "a", 2, false));
    subjects_deinit(&subjects);
}

static const struct subject_version *same(const struct subjects *subjects, const char *context,
                                          const struct subject *subject,
                                          const struct schema_entry *entry, bool deleted_too) {
    struct schema *schema = schema_new(bytes_of_text(context), entry);
    const struct subject_version *found =
        subjects_find_same(subjects, subject, schema, deleted_too);
    schema_drop(schema);
    return found;
}

Test(subjects, the_same_schema_is_found_in_a_subject_or_in_any) {
    struct subjects subjects;
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF, .schema = BYTES_OF("one")};
    subjects_init(&subjects);
    registers(&subjects, "a", "one");
    registers(&subjects, "b", "two");
    const struct subject *b = subjects_find(&subjects, BYTES_OF("b"), false);
    cr_expect_not_null(same(&subjects, ".", NULL, &entry, false));
    cr_expect_null(same(&subjects, ".", b, &entry, false));
    cr_expect_null(same(&subjects, ".x", NULL, &entry, false));
    struct schema_entry other = entry;
    other.type = SCHEMA_TYPE_AVRO;
    cr_expect_null(same(&subjects, ".", NULL, &other, false));
    other = entry;
    other.metadata = BYTES_OF("{}");
    cr_expect_null(same(&subjects, ".", NULL, &other, false));
    applies(&subjects, SCHEMA_RECORD_DELETE_SUBJECT, "a", 1, "");
    cr_expect_null(same(&subjects, ".", NULL, &entry, false));
    cr_expect_not_null(same(&subjects, ".", NULL, &entry, true));
    subjects_deinit(&subjects);
}

Test(subjects, references_hold_what_they_refer_to) {
    struct subjects subjects;
    struct schema_reference reference = {BYTES_OF("b.proto"), BYTES_OF("b"), 1};
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF,
                                 .schema = BYTES_OF("uses b"),
                                 .references = &reference,
                                 .reference_count = 1};
    subjects_init(&subjects);
    registers(&subjects, "b", "b");
    registers(&subjects, "b", "b2");
    registers_entry(&subjects, "a", &entry);
    cr_expect_not_null(subjects_find_referrer(&subjects, version_of(&subjects, "b", 1, false)));
    cr_expect_null(subjects_find_referrer(&subjects, version_of(&subjects, "b", 2, false)));
    const struct subject *referred = subjects_named(&subjects, BYTES_OF("b"));
    cr_expect_eq(subjects_find_referred(&subjects, referred, false),
                 version_of(&subjects, "b", 1, false));
    cr_expect_null(
        subjects_find_referred(&subjects, subjects_named(&subjects, BYTES_OF("a")), true));
    applies(&subjects, SCHEMA_RECORD_DELETE_SUBJECT, "a", 1, "");
    cr_expect_not_null(subjects_find_referrer(&subjects, version_of(&subjects, "b", 1, false)),
                       "also while it is only hidden");
    cr_expect_not_null(subjects_find_referred(&subjects, referred, false));
    applies(&subjects, SCHEMA_RECORD_DELETE_SUBJECT, "b", 2, "");
    cr_expect_null(subjects_find_referred(&subjects, referred, false), "it is hidden itself");
    cr_expect_not_null(subjects_find_referred(&subjects, referred, true));
    subjects_deinit(&subjects);
}

Test(subjects, references_without_a_context_stay_in_their_own) {
    struct schema_reference reference = {BYTES_OF("b.proto"), BYTES_OF("b"), 1};
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF,
                                 .schema = BYTES_OF("uses b"),
                                 .references = &reference,
                                 .reference_count = 1};
    struct subjects subjects;
    subjects_init(&subjects);
    registers(&subjects, "b", "b");
    registers(&subjects, ":.x:b", "b");
    registers_entry(&subjects, ":.x:a", &entry);
    cr_expect_null(subjects_find_referrer(&subjects, version_of(&subjects, "b", 1, false)));
    cr_expect_not_null(subjects_find_referrer(&subjects, version_of(&subjects, ":.x:b", 1, false)));
    reference.subject = BYTES_OF(":.x:b");
    registers_entry(&subjects, ":.y:a", &entry);
    applies(&subjects, SCHEMA_RECORD_SCHEMA, ":.x:a", 1, NULL);
    cr_expect_not_null(subjects_find_referrer(&subjects, version_of(&subjects, ":.x:b", 1, false)));
    subjects_deinit(&subjects);
}

static bool means(const char *reference, const char *context, const char *name) {
    const struct schema_reference written = {.subject = bytes_of_text(reference)};
    return reference_means(&written, bytes_of_text(context), bytes_of_text(name));
}

Test(subjects, a_reference_means_one_subject) {
    cr_expect(means("b", ".", "b"));
    cr_expect_not(means("b", ".", "bb"));
    cr_expect_not(means("b", ".", ":.x:b"));
    cr_expect(means("b", ".x", ":.x:b"));
    cr_expect_not(means("b", ".x", "b"));
    cr_expect_not(means("b", ".x", ":.y:b"));
    cr_expect_not(means("b", ".x", ":.x:bb"));
    cr_expect(means(":.y:b", ".x", ":.y:b"));
    cr_expect_not(means(":.y:b", ".x", ":.x::.y:b"));
    cr_expect_not(means("b", ".x", ":.x"));
    cr_expect(means(":.:b", ".x", "b"));
    cr_expect(means(":.:b", ".", "b"));
    cr_expect_not(means(":.:b", ".x", ":.x:b"));
}

Test(subjects, settings_of_a_subject_come_before_those_for_all) {
    struct subjects subjects;
    struct bytes a = BYTES_OF("a"), b = BYTES_OF("b");
    subjects_init(&subjects);
    cr_expect_eq(subjects_level(&subjects, a), COMPATIBILITY_BACKWARD);
    cr_expect_eq(subjects_mode(&subjects, a), MODE_READWRITE);
    applies(&subjects, SCHEMA_RECORD_CONFIG, NULL, 0, "NONE");
    applies(&subjects, SCHEMA_RECORD_CONFIG, "a", 0, "FULL");
    cr_expect_eq(subjects_level(&subjects, a), COMPATIBILITY_FULL);
    cr_expect_eq(subjects_level(&subjects, b), COMPATIBILITY_NONE);
    applies(&subjects, SCHEMA_RECORD_CONFIG, "a", 0, NULL);
    cr_expect_eq(subjects_level(&subjects, a), COMPATIBILITY_NONE);
    applies(&subjects, SCHEMA_RECORD_MODE, NULL, 0, "READONLY");
    applies(&subjects, SCHEMA_RECORD_MODE, "a", 0, "IMPORT");
    cr_expect_eq(subjects_mode(&subjects, a), MODE_IMPORT);
    cr_expect_eq(subjects_mode(&subjects, b), MODE_READONLY);
    applies(&subjects, SCHEMA_RECORD_MODE, NULL, 0, "READONLY_OVERRIDE");
    cr_expect_eq(subjects_mode(&subjects, a), MODE_READONLY_OVERRIDE);
    cr_expect_null(subjects_find(&subjects, a, true), "settings alone make no subject");
    subjects_deinit(&subjects);
}

/* Who registers in one subject need not begin again for a setting of another. */
Test(subjects, settings_are_noted_where_they_count) {
    static const struct {
        const char *name;
        bool for_several;
    } rows[] = {{NULL, true}, {"a", false}, {":.x:", true}, {":.x:a", false}, {":.x", false}};
    for (int kind = SCHEMA_RECORD_CONFIG; kind <= SCHEMA_RECORD_MODE; kind++) {
        struct subjects subjects;
        subjects_init(&subjects);
        for (size_t i = 0; i < array_count(rows); i++) {
            applies(&subjects, (enum schema_record_kind)kind, rows[i].name, 0, "NONE");
            const struct subject *subject =
                rows[i].name ? subjects_named(&subjects, bytes_of_text(rows[i].name)) : NULL;
            cr_expect_eq(subjects.setting_generation == subjects.generation, rows[i].for_several,
                         "row %zu", i);
            cr_expect(!subject || subject->generation == subjects.generation, "row %zu", i);
        }
        subjects_deinit(&subjects);
    }
}

Test(subjects, names_as_they_are_kept) {
    static const struct {
        const char *context, *name, *kept;
    } rows[] = {{".", "a", "a"},         {".x", "a", ":.x:a"}, {".x", ":.y:a", ":.y:a"},
                {".", ":.y:a", ":.y:a"}, {".x", ":.:a", "a"},  {".", ":.:a", "a"},
                {".x", "", ":.x:"},      {".x", ":.:", ""}};
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < array_count(rows); i++) {
        struct bytes kept =
            subject_qualify(bytes_of_text(rows[i].context), bytes_of_text(rows[i].name), &arena);
        cr_expect(bytes_equal_text(kept, rows[i].kept), "%s %s", rows[i].context, rows[i].name);
    }
    arena_deinit(&arena);
    cr_expect_not(subject_name_is_valid(BYTES_OF(":.:a")), "it is kept as \"a\"");
    cr_expect(subject_name_is_valid(BYTES_OF(":.x:a")));
}

/* What an operation adds, its opposite takes away. */
Test(subjects, bytes_are_counted) {
    struct subjects subjects;
    subjects_init(&subjects);
    registers(&subjects, "a", "one");
    registers(&subjects, "b", "one");
    size_t before = subjects.bytes;
    registers(&subjects, "a", "another schema");
    size_t alone = subjects.bytes - before;
    applies(&subjects, SCHEMA_RECORD_DELETE_SUBJECT, "a", 2, "");
    cr_expect_eq(subjects.bytes, before + alone, "it is hidden, not gone");
    registers(&subjects, "b", "another schema");
    size_t shared = subjects.bytes - before - alone;
    cr_expect(shared > 0 && shared + strlen("another schema") <= alone, "%zu of %zu", shared,
              alone);
    applies(&subjects, SCHEMA_RECORD_SCHEMA, "a", 2, NULL);
    cr_expect_eq(subjects.bytes, before + alone, "the other subject has it still");
    applies(&subjects, SCHEMA_RECORD_SCHEMA, "b", 2, NULL);
    cr_expect_eq(subjects.bytes, before);
    applies(&subjects, SCHEMA_RECORD_CONFIG, "b", 0, "NONE");
    cr_expect_eq(subjects.bytes, before);
    applies(&subjects, SCHEMA_RECORD_CONFIG, "c", 0, "NONE");
    cr_expect_gt(subjects.bytes, before);
    subjects_deinit(&subjects);
}

static bool fits(const struct subjects *subjects, const char *name, size_t schema_len) {
    static char text[1000];
    memset(text, ' ', sizeof text);
    const struct schema_entry entry = {.schema = bytes_make(text, schema_len)};
    struct schema *schema = schema_len ? schema_new(BYTES_OF("."), &entry) : NULL;
    const char *why = subjects_exhausted(subjects, bytes_of_text(name), schema);
    if (schema) schema_drop(schema);
    return !why;
}

Test(subjects, bytes_are_bounded) {
    struct subjects subjects;
    subjects_init(&subjects);
    registers(&subjects, "a", "one");
    cr_expect(fits(&subjects, "new", 1000));
    subjects.bytes_max = subjects.bytes + 1000;
    cr_expect(fits(&subjects, "new", 100) && fits(&subjects, "new", 0));
    cr_expect_not(fits(&subjects, "new", 1000));
    cr_expect_not(fits(&subjects, "a", 1000));
    subjects.bytes_max = subjects.bytes;
    cr_expect(fits(&subjects, "a", 0), "a name that is there");
    cr_expect_not(fits(&subjects, "new", 0));
    subjects.bytes_max = 1;
    cr_expect(fits(&subjects, "a", 0));
    cr_expect_not(fits(&subjects, "a", 1), "there is more than is allowed now");
    subjects_deinit(&subjects);
}

Test(subjects, contexts_of_names) {
    cr_expect(bytes_equal_text(subject_context(BYTES_OF("a")), "."));
    cr_expect(bytes_equal_text(subject_context(BYTES_OF(":.x:a")), ".x"));
    cr_expect(bytes_equal_text(subject_context(BYTES_OF(":.x:")), ".x"));
    cr_expect(bytes_equal_text(subject_context(BYTES_OF(":.x")), "."));
    cr_expect(bytes_equal_text(subject_context(BYTES_OF(":a:b")), "."));
    cr_expect(bytes_equal_text(subject_context(BYTES_OF("")), "."));
}
