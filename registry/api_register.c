/* Registering a schema, and looking one up in its subject. The slow part, parsing and compiling and
 * comparing, is done on a worker by the call's view; the registry's core commits it only if what it
 * rests on is still so: the subject, the settings, and the subjects that are referred to. Otherwise
 * the worker begins again with the newest view, REPEATS_MAX times. */
#include <stdio.h>

#include "base/check.h"
#include "registry/api_body.h"
#include "registry/api_handlers.h"

enum { REPEATS_MAX = 8 };

struct registration {
    struct api_call *call;
    struct bytes subject;
    struct schema_wish wish;
    struct schema *schema; /* prepared */
    unsigned repeats;
    bool stale;          /* the commit found something else than the worker */
    int32_t id, version; /* the result */
};

static void registration_end(struct registration *registration) {
    if (registration->schema) schema_drop(registration->schema);
    registration->schema = NULL;
    call_answer(registration->call);
}

/* --- on a worker --- */

static bool prepare(struct registration *registration) {
    struct api_call *call = registration->call;
    struct error error;
    registration->schema = call_prepare(call, subject_context(registration->subject),
                                        &registration->wish.entry, &error);
    if (registration->schema) return true;
    return call_refuse(call, 422, 42201,
                       "Invalid schema of type %s for subject \"%.*s\", "
                       "details: %s",
                       schema_type_name(registration->wish.entry.type),
                       BYTES_FORMAT(registration->subject), error.text);
}

static bool refuse_incompatible(struct registration *registration, enum compatibility_level level,
                                const struct compatibility_verdict *verdict) {
    struct api_call *call = registration->call;
    struct text text = {0};
    text_printf(&text,
                "Schema being registered is incompatible with an earlier schema for subject "
                "\"%.*s\", details: [",
                BYTES_FORMAT(registration->subject));
    for (size_t i = 0; i < verdict->count; i++)
        text_printf(&text, "%s%s", i ? ", " : "", verdict->problems[i]);
    text_printf(&text, ", {oldSchemaVersion: %d}, {oldSchema: '%.*s'}, {compatibility: '%s'}]",
                verdict->version, BYTES_FORMAT(verdict->schema), compatibility_level_name(level));
    call_refuse(call, 409, 409, "-");
    call->message = arena_text(&call->arena, text_bytes(&text));
    text_deinit(&text);
    return false;
}

static bool compare(struct registration *registration) {
    struct api_call *call = registration->call;
    const struct schema_subject *subject = schema_view_subject(call->view, registration->subject);
    enum compatibility_level level = schema_view_level(call->view, registration->subject);
    struct compatibility_verdict verdict;
    if (!subject || schema_view_mode(call->view, registration->subject) == MODE_IMPORT) return true;
    schema_subject_compare(call->view, subject, level, registration->schema, &call->arena,
                           &verdict);
    return verdict.count == 0 || refuse_incompatible(registration, level, &verdict);
}

/* A version that is there already needs no further look. */
static bool find_live(struct registration *registration) {
    const struct schema_subject *subject =
        schema_view_subject(registration->call->view, registration->subject);
    const struct schema_version *same =
        subject ? schema_subject_same(subject, registration->schema, false) : NULL;
    if (!same || registration->wish.entry.id > 0) return false;
    registration->id = same->schema->entry.id;
    registration->version = same->version;
    return true;
}

static void register_run(struct api_call *call) {
    struct registration *registration = (struct registration *)call->detail;
    if (registration->repeats == 0 && !body_read_schema(call, &registration->wish)) return;
    if (registration->wish.entry.id == 0) registration->wish.entry.guid = BYTES_NULL;
    if (!prepare(registration) || find_live(registration)) return;
    (void)compare(registration);
}

/* --- on the registry's core --- */

static bool may_register(struct registration *registration, const struct subjects *subjects) {
    struct api_call *call = registration->call;
    struct bytes name = registration->subject, context = subject_context(name);
    enum registry_mode mode = subjects_mode(subjects, name);
    bool has_id = registration->wish.entry.id > 0;
    if (mode == MODE_READONLY || mode == MODE_READONLY_OVERRIDE)
        return call_refuse(call, 422, 42205, "Subject %.*s in context %.*s is in read-only mode",
                           BYTES_FORMAT(name), BYTES_FORMAT(context));
    if (has_id != (mode == MODE_IMPORT))
        return call_refuse(call, 422, 42205, "Subject %.*s in context %.*s is not in %s mode",
                           BYTES_FORMAT(name), BYTES_FORMAT(context),
                           has_id ? "import" : "read-write");
    return true;
}

static bool has_room(struct registration *registration, const struct subjects *subjects) {
    const char *why = subjects_exhausted(subjects, registration->subject, registration->schema);
    return !why || call_refuse(registration->call, 422, 42205, "%s", why);
}

static bool is_newer(const struct subjects *subjects, struct bytes name, uint64_t generation) {
    const struct subject *subject = subjects_named(subjects, name);
    return subject && subject->generation > generation;
}

/* Whether something that the worker looked at has changed since. */
static bool is_stale(const struct registration *registration, const struct subjects *subjects) {
    const struct schema_entry *entry = &registration->schema->entry;
    uint64_t seen = registration->call->view->generation;
    if (subjects->setting_generation > seen || is_newer(subjects, registration->subject, seen))
        return true;
    for (size_t i = 0; i < entry->reference_count; i++) {
        struct bytes name =
            subject_qualify(registration->schema->context, entry->references[i].subject,
                            &registration->call->arena);
        if (is_newer(subjects, name, seen)) return true;
    }
    return false;
}

/* IMPORT: the id and the version that the client names. */
static bool prepare_import(struct registration *registration, const struct subjects *subjects,
                           struct schema_record *record) {
    struct api_call *call = registration->call;
    const struct schema_entry *wish = &registration->wish.entry;
    const struct subject_version *holder =
        subjects_find_id(subjects, registration->schema->context, wish->id);
    if (holder && !schema_equals(holder->schema, registration->schema))
        return call_refuse(call, 422, 42207, "Overwrite new schema with id %d is not permitted.",
                           wish->id);
    const struct subject *subject = subjects_named(subjects, registration->subject);
    const struct subject_version *there =
        subject && wish->version ? subject_find_version(subject, wish->version, true) : NULL;
    if (there && there->entry.id != wish->id)
        return call_refuse(call, 422, 42207, "Version %d of the subject has another id, %d",
                           wish->version, there->entry.id);
    if (wish->version) record->version = wish->version;
    record->entry.version = record->version;
    record->entry.id = wish->id;
    record->entry.guid = registration->schema->entry.guid;
    return true;
}

/* Imported before, as it is asked for again. */
static bool is_imported(struct registration *registration, const struct subjects *subjects) {
    const struct schema_entry *wish = &registration->wish.entry;
    const struct subject *subject = subjects_named(subjects, registration->subject);
    const struct subject_version *same =
        subject ? subjects_find_same(subjects, subject, registration->schema, false) : NULL;
    if (!same || same->entry.id != wish->id) return false;
    if (wish->version && wish->version != same->entry.version) return false;
    registration->id = same->entry.id;
    registration->version = same->entry.version;
    return true;
}

static void register_make(struct schema_change *change, struct schema_machine *machine) {
    struct api_call *call = container_of(change, struct api_call, change);
    struct registration *registration = (struct registration *)call->detail;
    struct subjects *subjects = schema_machine_subjects(machine);
    struct schema_record record;
    registration->stale = is_stale(registration, subjects);
    if (registration->stale || !may_register(registration, subjects)) return;
    if (is_imported(registration, subjects)) return;
    if (!has_room(registration, subjects)) return;
    subjects_prepare_register(subjects, registration->subject, registration->schema, &record);
    if (registration->wish.entry.id > 0 && !prepare_import(registration, subjects, &record)) return;
    registration->id = record.entry.id;
    registration->version = record.version;
    schema_machine_register(machine, &record, registration->schema);
}

/* --- back --- */

static void register_print(struct registration *registration) {
    struct api_call *call = registration->call;
    const struct schema_subject *subject = schema_view_subject(call->view, registration->subject);
    const struct schema_version *version =
        subject ? schema_subject_version(subject, registration->version, true) : NULL;
    call->api->counts.registrations++;
    if (call->extended && version)
        body_print_version(call, registration->subject, version, version->schema->entry.schema);
    else
        text_printf(&call->body, "{\"id\":%d}", registration->id);
}

static void register_worked(struct api_call *call);

static void register_changed(struct api_call *call) {
    struct registration *registration = (struct registration *)call->detail;
    bool again = !call->status && registration->stale;
    if (again && registration->repeats++ < REPEATS_MAX) {
        schema_drop(registration->schema);
        registration->schema = NULL;
        call_work(call, register_run, register_worked);
        return;
    }
    if (again) call_refuse(call, 503, 50301, "The subject changes all the time; try again");
    if (!call->status) register_print(registration);
    registration_end(registration);
}

static void register_worked(struct api_call *call) {
    struct registration *registration = (struct registration *)call->detail;
    if (!call->status && registration->id == 0) {
        call_change(call, register_make, register_changed);
        return;
    }
    if (!call->status) register_print(registration);
    registration_end(registration);
}

static struct registration *registration_new(struct api_call *call) {
    struct registration *registration = arena_new(&call->arena, struct registration);
    registration->call = call;
    registration->subject = call_subject(call, 0);
    call->detail = registration;
    return registration;
}

void register_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, register_handle);
    if (!call) return;
    if (!call_check_name(call, registration_new(call)->subject)) {
        call_answer(call);
        return;
    }
    call_work(call, register_run, register_worked);
}

/* --- lookup --- */

static void lookup_run(struct api_call *call) {
    struct registration *registration = (struct registration *)call->detail;
    bool deleted_too = call_flag(call, "deleted");
    if (!body_read_schema(call, &registration->wish)) return;
    const struct schema_subject *subject =
        call_find_subject(call, registration->subject, deleted_too);
    if (!subject || !prepare(registration)) return;
    const struct schema_version *same =
        schema_subject_same(subject, registration->schema, deleted_too);
    if (same)
        body_print_version(call, registration->subject, same, same->schema->entry.schema);
    else
        call_refuse(call, 404, 40403, "Schema not found");
}

static void lookup_worked(struct api_call *call) {
    if (!call->status) call->api->counts.lookups++;
    registration_end((struct registration *)call->detail);
}

void lookup_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, lookup_handle);
    if (!call) return;
    registration_new(call);
    call_work(call, lookup_run, lookup_worked);
}
