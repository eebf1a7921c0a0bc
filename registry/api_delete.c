/* Deleting versions and subjects: hidden first, then for good. What somebody refers to stays, and
 * so does what a topic's contract admits. */
#include "base/check.h"
#include "registry/api_body.h"
#include "registry/api_handlers.h"

struct deletion {
    struct api_call *call;
    struct contracts_wait wait;
    struct bytes subject;
    int32_t version; /* 0: all */
    bool for_good;
    int32_t *versions; /* what was deleted */
    size_t count;
};

/* --- checks; each refuses and is false --- */

static bool may_write(struct api_call *call, const struct subjects *subjects, struct bytes name) {
    enum registry_mode mode = subjects_mode(subjects, name);
    struct bytes context = subject_context(name);
    if (mode != MODE_READONLY && mode != MODE_READONLY_OVERRIDE) return true;
    return call_refuse(call, 422, 42205, "Subject %.*s in context %.*s is in read-only mode",
                       BYTES_FORMAT(name), BYTES_FORMAT(context));
}

static bool refuse_referred(struct api_call *call, const struct subject_version *version) {
    return call_refuse(call, 422, 42206,
                       "One or more references exist to the schema {magic=1,keytype=SCHEMA,"
                       "subject=%.*s,version=%d}.",
                       BYTES_FORMAT(version->subject->name), version->entry.version);
}

/* No topic's contract admits it. What admits a version admits all above it. */
static bool is_unbound(struct api_call *call, const struct subject_version *version) {
    const struct deletion *deletion = (const struct deletion *)call->detail;
    struct bytes name = version->subject->name;
    struct text topics = {0};
    if (!deletion->for_good) return true;
    call->api->topics_bound(call->api, name, version->entry.version, &topics);
    bool bound = topics.len > 0;
    if (bound)
        call_refuse(call, 422, 42206,
                    "Version %d of subject '%.*s' belongs to the contract of topic %s",
                    version->entry.version, BYTES_FORMAT(name), topics.at);
    text_deinit(&topics);
    return !bound;
}

static bool is_free(struct api_call *call, const struct subjects *subjects,
                    const struct subject_version *version) {
    if (subjects_find_referrer(subjects, version)) return refuse_referred(call, version);
    return is_unbound(call, version);
}

/* All of them at once: a subject may have as many versions as there are. */
static bool all_are_free(struct api_call *call, const struct subjects *subjects,
                         const struct subject *subject) {
    const struct deletion *deletion = (const struct deletion *)call->detail;
    const struct subject_version *referred =
        subjects_find_referred(subjects, subject, deletion->for_good);
    if (referred) return refuse_referred(call, referred);
    return is_unbound(call, subject->versions[subject->count - 1]);
}

static bool check_subject(struct api_call *call, const struct deletion *deletion,
                          const struct subject *subject) {
    struct bytes name = deletion->subject;
    bool hidden = subject && subject_find_version(subject, -1, true) &&
                  !subject_find_version(subject, -1, false);
    if (!subject || !subject_find_version(subject, -1, true))
        return call_refuse(call, 404, 40401, "Subject '%.*s' not found.", BYTES_FORMAT(name));
    if (deletion->version) return true;
    if (hidden && !deletion->for_good)
        return call_refuse(call, 404, 40404,
                           "Subject '%.*s' was soft deleted. Set permanent=true to delete "
                           "permanently",
                           BYTES_FORMAT(name));
    if (!hidden && deletion->for_good)
        return call_refuse(call, 404, 40405,
                           "Subject '%.*s' was not deleted first before being permanently deleted",
                           BYTES_FORMAT(name));
    return true;
}

static bool check_version(struct api_call *call, const struct deletion *deletion,
                          const struct subject_version *version) {
    struct bytes name = deletion->subject;
    if (!version) return call_refuse(call, 404, 40402, "Version %d not found.", deletion->version);
    if (version->entry.deleted && !deletion->for_good)
        return call_refuse(call, 404, 40406,
                           "Subject '%.*s' Version %d was soft deleted. Set permanent=true to "
                           "delete permanently",
                           BYTES_FORMAT(name), version->entry.version);
    if (!version->entry.deleted && deletion->for_good)
        return call_refuse(call, 404, 40407,
                           "Subject '%.*s' Version %d was not deleted first before being "
                           "permanently deleted",
                           BYTES_FORMAT(name), version->entry.version);
    return true;
}

/* The subject that is to lose something; NULL with a refusal. */
static const struct subject *find_subject(struct api_call *call, const struct subjects *subjects) {
    const struct deletion *deletion = (const struct deletion *)call->detail;
    const struct subject *subject = subjects_named(subjects, deletion->subject);
    bool may =
        may_write(call, subjects, deletion->subject) && check_subject(call, deletion, subject);
    return may ? subject : NULL;
}

/* --- on the registry's core --- */

/* The highest id is kept, whatever goes. */
static void highest_write(struct schema_machine *machine, struct bytes context) {
    const struct subjects *subjects = schema_machine_subjects(machine);
    const struct schema_record record = {.kind = SCHEMA_RECORD_HIGHEST_ID,
                                         .context = context,
                                         .id_highest = subjects_id_highest(subjects, context)};
    schema_machine_write(machine, &record, NULL);
}

static void version_erase(struct schema_machine *machine, struct bytes subject, int32_t version) {
    const struct schema_record record = {
        .kind = SCHEMA_RECORD_SCHEMA, .subject = subject, .version = version, .tombstone = true};
    schema_machine_write(machine, &record, NULL);
}

/* The same record again, with the flag. The schema is held: its version is replaced meanwhile. */
static void version_hide(struct schema_machine *machine, const struct subject_version *version) {
    struct schema *schema = schema_hold(version->schema);
    struct schema_record record = {.kind = SCHEMA_RECORD_SCHEMA,
                                   .subject = version->subject->name,
                                   .version = version->entry.version,
                                   .entry = version->entry};
    record.entry.deleted = true;
    schema_machine_write(machine, &record, schema);
    schema_drop(schema);
}

static void version_make(struct schema_change *change, struct schema_machine *machine) {
    struct api_call *call = container_of(change, struct api_call, change);
    struct deletion *deletion = (struct deletion *)call->detail;
    const struct subjects *subjects = schema_machine_subjects(machine);
    const struct subject *subject = find_subject(call, subjects);
    if (!subject) return;
    const struct subject_version *version =
        subject_find_version(subject, deletion->version, deletion->version != -1);
    if (!check_version(call, deletion, version) || !is_free(call, subjects, version)) return;
    deletion->version = version->entry.version;
    if (!deletion->for_good) {
        version_hide(machine, version);
        return;
    }
    version_erase(machine, subject->name, deletion->version);
    highest_write(machine, subject->context);
}

/* One record hides all versions up to the newest, as Confluent's registry writes it. */
static void subject_hide(struct schema_machine *machine, const struct subject *subject) {
    const struct schema_record record = {
        .kind = SCHEMA_RECORD_DELETE_SUBJECT,
        .subject = subject->name,
        .version = subject->versions[subject->count - 1]->entry.version};
    schema_machine_write(machine, &record, NULL);
}

static void subject_erase(struct schema_machine *machine, const struct subject *subject) {
    const struct schema_record deleted = {
        .kind = SCHEMA_RECORD_DELETE_SUBJECT, .subject = subject->name, .tombstone = true};
    while (subject->count > 0) /* the others stay where they are */
        version_erase(machine, subject->name, subject->versions[subject->count - 1]->entry.version);
    schema_machine_write(machine, &deleted, NULL);
    highest_write(machine, subject->context);
}

static void subject_make(struct schema_change *change, struct schema_machine *machine) {
    struct api_call *call = container_of(change, struct api_call, change);
    struct deletion *deletion = (struct deletion *)call->detail;
    const struct subjects *subjects = schema_machine_subjects(machine);
    const struct subject *subject = find_subject(call, subjects);
    if (!subject || !all_are_free(call, subjects, subject)) return;
    deletion->versions = arena_array(&call->arena, int32_t, subject->count);
    for (size_t i = 0; i < subject->count; i++) {
        const struct subject_version *version = subject->versions[i];
        if (version->entry.deleted && !deletion->for_good) continue;
        deletion->versions[deletion->count++] = version->entry.version;
    }
    if (deletion->for_good)
        subject_erase(machine, subject);
    else
        subject_hide(machine, subject);
}

/* --- there and back --- */

static void version_deleted(struct api_call *call) {
    const struct deletion *deletion = (const struct deletion *)call->detail;
    if (!call->status) text_printf(&call->body, "%d", deletion->version);
    call_answer(call);
}

static void subject_deleted(struct api_call *call) {
    const struct deletion *deletion = (const struct deletion *)call->detail;
    text_printf(&call->body, "[");
    for (size_t i = 0; i < deletion->count; i++)
        text_printf(&call->body, "%s%d", i ? "," : "", deletion->versions[i]);
    text_printf(&call->body, "]");
    call_answer(call);
}

static struct deletion *deletion_new(struct api_call *call) {
    struct deletion *deletion = arena_new(&call->arena, struct deletion);
    deletion->call = call;
    deletion->subject = call_subject(call, 0);
    deletion->for_good = call_flag(call, "permanent");
    call->detail = deletion;
    return deletion;
}

static void deletion_go(struct deletion *deletion) {
    if (deletion->version)
        call_change(deletion->call, version_make, version_deleted);
    else
        call_change(deletion->call, subject_make, subject_deleted);
}

static void on_settled(struct contracts_wait *wait) {
    deletion_go(container_of(wait, struct deletion, wait));
}

/* A contract may have been judged before the version was hidden, and not be known to the registry's
 * core yet. One that is set from now on is judged by what is left. */
static void deletion_begin(struct deletion *deletion) {
    struct registry_api *api = deletion->call->api;
    deletion->wait.done = on_settled;
    if (deletion->for_good)
        api->settle(api, &deletion->wait);
    else
        deletion_go(deletion);
}

void subject_delete_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, subject_delete_handle);
    if (call) deletion_begin(deletion_new(call));
}

void version_delete_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, version_delete_handle);
    if (!call) return;
    struct deletion *deletion = deletion_new(call);
    if (call_version(call, 1, &deletion->version))
        deletion_begin(deletion);
    else
        call_answer(call);
}
