#include "registry/schema_view.h"

#include <criterion/criterion.h>

static struct schema *registers(struct subjects *subjects, const char *name, const char *text) {
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF, .schema = bytes_of_text(text)};
    struct schema *schema = schema_new(subject_context(bytes_of_text(name)), &entry);
    struct schema_record record;
    subjects_prepare_register(subjects, bytes_of_text(name), schema, &record);
    subjects_apply_compiled(subjects, &record, schema);
    schema_drop(schema);
    return subjects_find_id(subjects, subject_context(bytes_of_text(name)), record.entry.id)
        ->schema;
}

static void applies(struct subjects *subjects, enum schema_record_kind kind, const char *name,
                    int32_t version, const char *setting) {
    struct schema_record record = {.kind = kind,
                                   .subject = bytes_of_text(name),
                                   .version = version,
                                   .tombstone = kind == SCHEMA_RECORD_SCHEMA,
                                   .setting = bytes_of_text(setting)};
    subjects_apply(subjects, &record);
}

Test(schema_view, an_empty_one_is_not_loaded) {
    struct schema_view *view = schema_view_new(NULL);
    cr_expect_not(view->loaded);
    cr_expect_null(schema_view_find(view, BYTES_OF("."), 1));
    cr_expect_null(schema_view_subject(view, BYTES_OF("a")));
    cr_expect_eq(schema_view_level(view, BYTES_OF("a")), COMPATIBILITY_BACKWARD);
    schema_view_drop(view);
}

Test(schema_view, stays_as_it_was) {
    struct subjects subjects;
    subjects_init(&subjects);
    struct schema *one = registers(&subjects, "a", "one");
    registers(&subjects, "a", "two");
    cr_expect_eq(registers(&subjects, "b", "one"), one, "shared by all that have its id");
    registers(&subjects, ":.x:a", "one");
    applies(&subjects, SCHEMA_RECORD_DELETE_SUBJECT, "a", 1, NULL);
    struct schema_view *view = schema_view_new(&subjects);
    for (int32_t version = 1; version <= 2; version++)
        applies(&subjects, SCHEMA_RECORD_SCHEMA, "a", version, NULL);
    struct schema_view *next = schema_view_new(&subjects);
    subjects_deinit(&subjects);

    cr_assert(view->loaded);
    cr_expect_eq(view->schema_count, 3);
    cr_expect_eq(schema_view_find(view, BYTES_OF("."), 1), one);
    cr_expect_eq(schema_view_find(view, BYTES_OF("."), 2)->entry.id, 2);
    cr_expect_null(schema_view_find(view, BYTES_OF("."), 3));
    cr_expect_null(schema_view_find(view, BYTES_OF(".x"), 2));
    cr_expect_neq(schema_view_find(view, BYTES_OF(".x"), 1), one, "ids count per context");
    const struct schema *by_guid = schema_view_find_guid(view, one->guid);
    cr_expect(bytes_equal(by_guid->context, BYTES_OF(".")), "the first context's");
    const struct schema_subject *a = schema_view_subject(view, BYTES_OF("a"));
    cr_assert_eq(a->count, 2);
    cr_expect(a->versions[0].deleted);
    cr_expect_null(schema_subject_with(a, one, false));
    cr_expect_eq(schema_subject_with(a, one, true)->version, 1);
    cr_expect_eq(schema_subject_version(a, -1, false)->version, 2);
    cr_expect_null(schema_subject_version(a, 1, false));

    cr_expect_null(schema_view_subject(next, BYTES_OF("a")));
    cr_expect_not_null(schema_view_find(next, BYTES_OF("."), 1), "b has it");
    cr_expect_null(schema_view_find(next, BYTES_OF("."), 2));
    schema_view_drop(next);
    cr_expect(bytes_equal_text(one->entry.schema, "one"));
    schema_view_drop(view);
}

Test(schema_view, settings_hold_from_the_subject_outwards) {
    struct subjects subjects;
    subjects_init(&subjects);
    applies(&subjects, SCHEMA_RECORD_CONFIG, NULL, 0, "NONE");
    applies(&subjects, SCHEMA_RECORD_CONFIG, ":.x:", 0, "FORWARD");
    applies(&subjects, SCHEMA_RECORD_CONFIG, ":.x:a", 0, "FULL");
    applies(&subjects, SCHEMA_RECORD_MODE, "a", 0, "IMPORT");
    struct schema_view *view = schema_view_new(&subjects);
    static const struct {
        struct bytes name;
        enum compatibility_level level;
        enum registry_mode mode;
    } rows[] = {{BYTES_OF("a"), COMPATIBILITY_NONE, MODE_IMPORT},
                {BYTES_OF("b"), COMPATIBILITY_NONE, MODE_READWRITE},
                {BYTES_OF(":.x:a"), COMPATIBILITY_FULL, MODE_READWRITE},
                {BYTES_OF(":.x:b"), COMPATIBILITY_FORWARD, MODE_READWRITE}};
    for (size_t i = 0; i < array_count(rows); i++) {
        cr_expect_eq(schema_view_level(view, rows[i].name), rows[i].level, "row %zu", i);
        cr_expect_eq(schema_view_mode(view, rows[i].name), rows[i].mode, "row %zu", i);
        cr_expect_eq(subjects_level(&subjects, rows[i].name), rows[i].level, "row %zu", i);
        cr_expect_eq(subjects_mode(&subjects, rows[i].name), rows[i].mode, "row %zu", i);
    }
    cr_expect_null(schema_view_subject(view, BYTES_OF("a")), "settings make no subject");
    schema_view_drop(view);
    subjects_deinit(&subjects);
}

Test(schema_view, what_it_is_made_of_makes_the_same_again) {
    struct subjects subjects, again;
    subjects_init(&subjects);
    struct schema *one = registers(&subjects, "a", "one");
    registers(&subjects, "a", "two");
    registers(&subjects, "b", "one");
    registers(&subjects, ":.x:a", "one");
    applies(&subjects, SCHEMA_RECORD_DELETE_SUBJECT, "a", 1, NULL);
    applies(&subjects, SCHEMA_RECORD_SCHEMA, "a", 2, NULL);
    applies(&subjects, SCHEMA_RECORD_CONFIG, NULL, 0, "NONE");
    applies(&subjects, SCHEMA_RECORD_CONFIG, ":.x:", 0, "FORWARD");
    applies(&subjects, SCHEMA_RECORD_MODE, "c", 0, "READONLY");
    struct schema_view *view = schema_view_new(&subjects);
    schema_view_unfold(view, &again);
    struct schema_view *same = schema_view_new(&again);

    cr_expect_eq(same->schema_count, view->schema_count);
    cr_expect_eq(same->subject_count, view->subject_count);
    cr_expect_eq(schema_view_find(same, BYTES_OF("."), 1), one, "shared");
    const struct schema_subject *a = schema_view_subject(same, BYTES_OF("a"));
    cr_expect(a->count == 1 && a->versions[0].deleted && a->versions[0].version == 1);
    cr_expect_eq(subjects_id_highest(&again, BYTES_OF(".")), 2, "the second schema is gone");
    cr_expect_eq(schema_view_level(same, BYTES_OF("a")), COMPATIBILITY_NONE);
    cr_expect_eq(schema_view_level(same, BYTES_OF(":.x:a")), COMPATIBILITY_FORWARD);
    cr_expect_eq(schema_view_mode(same, BYTES_OF("c")), MODE_READONLY);
    cr_expect_eq(registers(&again, "d", "one"), one, "found by what it says");
    schema_view_drop(same);
    schema_view_drop(view);
    subjects_deinit(&again);
    subjects_deinit(&subjects);
}
