/* For unit tests: a view of the registry with the schemas that a test registers. */
#pragma once

#include "registry/schema_fixture.h"
#include "registry/schema_view.h"

struct view_fixture {
    struct subjects subjects;
    struct schema_view *view; /* the newest; its schemas are alive as long as it is */
};

static inline void view_fixture_init(struct view_fixture *fixture) {
    subjects_init(&fixture->subjects);
    fixture->view = schema_view_new(&fixture->subjects);
}

static inline void view_fixture_deinit(struct view_fixture *fixture) {
    schema_view_drop(fixture->view);
    subjects_deinit(&fixture->subjects);
}

static inline void view_fixture_renew(struct view_fixture *fixture) {
    schema_view_drop(fixture->view);
    fixture->view = schema_view_new(&fixture->subjects);
}

/* Takes the schema; returns its id. */
static inline int32_t view_fixture_add(struct view_fixture *fixture, const char *subject,
                                       struct schema *schema) {
    struct schema_record record;
    subjects_prepare_register(&fixture->subjects, bytes_of_text(subject), schema, &record);
    subjects_apply_compiled(&fixture->subjects, &record, schema);
    schema_drop(schema);
    view_fixture_renew(fixture);
    return record.entry.id;
}

/* A new version of the subject from .proto text. */
static inline int32_t view_fixture_register(struct view_fixture *fixture, const char *subject,
                                            const char *text) {
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF, .schema = bytes_of_text(text)};
    struct schema *schema = schema_new(subject_context(bytes_of_text(subject)), &entry);
    struct schema_fixture source;
    struct error error;
    schema_fixture_init(&source, text);
    struct contract *contract = contract_new(&source.set, &error);
    cr_assert(contract, "%s", error.text);
    schema_set_compiled(schema, contract, hash_bytes_wide(bytes_of_text(text)));
    schema_fixture_deinit(&source);
    return view_fixture_add(fixture, subject, schema);
}

/* One that is not Protobuf. */
static inline int32_t view_fixture_register_avro(struct view_fixture *fixture, const char *subject,
                                                 const char *text) {
    struct schema_entry entry = {.type = SCHEMA_TYPE_AVRO, .schema = bytes_of_text(text)};
    return view_fixture_add(fixture, subject,
                            schema_new(subject_context(bytes_of_text(subject)), &entry));
}

/* One that does not compile. */
static inline int32_t view_fixture_register_broken(struct view_fixture *fixture,
                                                   const char *subject, const char *problem) {
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF, .schema = BYTES_OF("broken")};
    struct schema *schema = schema_new(subject_context(bytes_of_text(subject)), &entry);
    schema_set_quarantined(schema, problem);
    return view_fixture_add(fixture, subject, schema);
}

/* Hides versions up to and with that one. */
static inline void view_fixture_hide(struct view_fixture *fixture, const char *subject,
                                     int32_t version) {
    struct schema_record record = {.kind = SCHEMA_RECORD_DELETE_SUBJECT,
                                   .subject = bytes_of_text(subject),
                                   .version = version};
    subjects_apply(&fixture->subjects, &record);
    view_fixture_renew(fixture);
}
