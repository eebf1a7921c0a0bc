/* Subjects and their versions, as they are. What looks at all of them does it on a worker. */
#include "base/check.h"
#include "registry/api_body.h"
#include "registry/api_handlers.h"

enum { SCHEMAS_MAX = 1000 }; /* of one answer; the rest is for another `offset` */

void root_handle(struct http_exchange *exchange) {
    http_answer(exchange, 200, REGISTRY_CONTENT_TYPE, BYTES_OF("{}"));
}

void types_handle(struct http_exchange *exchange) {
    http_answer(exchange, 200, REGISTRY_CONTENT_TYPE, BYTES_OF("[\"JSON\",\"PROTOBUF\",\"AVRO\"]"));
}

/* --- lists --- */

/* Begins and ends an array, with what `limit` and `offset` leave of `count` items. */
static void list_names(struct api_call *call, const struct bytes *names, size_t count) {
    size_t from, to;
    call_page(call, &from, &to, count);
    text_printf(&call->body, "[");
    for (size_t i = from; i < to && body_list_goes_on(call); i++)
        body_print_text(call, i > from ? "," : "", names[i]);
    text_printf(&call->body, "]");
}

static void list_numbers(struct api_call *call, const int32_t *numbers, size_t count) {
    size_t from, to;
    call_page(call, &from, &to, count);
    text_printf(&call->body, "[");
    for (size_t i = from; i < to; i++)
        text_printf(&call->body, "%s%d", i > from ? "," : "", numbers[i]);
    text_printf(&call->body, "]");
}

/* What a list is asked for, read once: it may have a hundred thousand items. */
struct listing {
    bool deleted, deleted_only; /* hidden ones too; no others */
    struct bytes context, prefix;
};

static struct listing listing_read(struct api_call *call) {
    return (struct listing){.deleted = call_flag(call, "deleted"),
                            .deleted_only = call_flag(call, "deletedOnly"),
                            .context = call_context(call),
                            .prefix = call_parameter(call, "subjectPrefix")};
}

static bool is_listed(const struct listing *listing, const struct schema_version *version) {
    if (listing->deleted_only) return version->deleted;
    return !version->deleted || listing->deleted;
}

/* ":*:" is every context. */
static bool has_prefix(const struct listing *listing, struct bytes name) {
    struct bytes prefix = listing->prefix;
    if (!bytes_equal_text(listing->context, ".") &&
        !bytes_equal(subject_context(name), listing->context))
        return false;
    if (bytes_is_null(prefix) || bytes_starts_with(prefix, BYTES_OF(":*:"))) return true;
    if (bytes_starts_with(prefix, BYTES_OF(":.:")))
        return bytes_equal_text(subject_context(name), ".") &&
               bytes_starts_with(name, bytes_make(prefix.at + 3, prefix.len - 3));
    return bytes_starts_with(name, prefix);
}

static bool subject_is_listed(const struct listing *listing, const struct schema_subject *subject) {
    for (size_t i = 0; i < subject->count; i++)
        if (!subject->versions[i].deleted) return !listing->deleted_only;
    return listing->deleted || listing->deleted_only;
}

static void subjects_print(struct api_call *call) {
    const struct schema_view *view = call->view;
    const struct listing listing = listing_read(call);
    struct bytes *names = arena_array(&call->arena, struct bytes, view->subject_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < view->subject_count; i++) {
        const struct schema_subject *subject = &view->subjects[i];
        if (has_prefix(&listing, subject->name) && subject_is_listed(&listing, subject))
            names[count++] = subject->name;
    }
    list_names(call, names, count);
}

void subjects_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, subjects_handle);
    if (call) call_work(call, subjects_print, call_answer);
}

static void versions_print(struct api_call *call) {
    const struct listing listing = listing_read(call);
    bool as_negative = call_flag(call, "deletedAsNegative");
    const struct schema_subject *subject = call_find_subject(
        call, call_subject(call, 0), listing.deleted || listing.deleted_only || as_negative);
    size_t count = 0;
    int32_t *numbers = arena_array(&call->arena, int32_t, subject ? subject->count : 1);
    for (size_t i = 0; subject && i < subject->count; i++) {
        const struct schema_version *version = &subject->versions[i];
        bool negative = version->deleted && as_negative;
        if (negative || is_listed(&listing, version))
            numbers[count++] = negative ? -version->version : version->version;
    }
    if (subject) list_numbers(call, numbers, count);
}

void versions_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, versions_handle);
    if (call) call_work(call, versions_print, call_answer);
}

/* --- one version --- */

/* What the path names, or a refusal. */
static const struct schema_version *path_version(struct api_call *call,
                                                 const struct schema_subject **subject) {
    int32_t number;
    bool deleted_too = call_flag(call, "deleted");
    if (!call_version(call, 1, &number)) return NULL;
    *subject = call_find_subject(call, call_subject(call, 0), deleted_too);
    return *subject ? call_find_version(call, *subject, number, deleted_too) : NULL;
}

static void version_print(struct api_call *call) {
    const struct schema_subject *subject;
    const struct schema_version *version = path_version(call, &subject);
    struct bytes text;
    if (version && body_schema_text(call, version->schema, &text))
        body_print_version(call, subject->name, version, text);
}

void version_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, version_handle);
    if (call) body_answer(call, version_print);
}

static void version_text_print(struct api_call *call) {
    const struct schema_subject *subject;
    const struct schema_version *version = path_version(call, &subject);
    struct bytes text;
    if (version && body_schema_text(call, version->schema, &text)) text_append(&call->body, text);
}

void version_text_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, version_text_handle);
    if (call) body_answer(call, version_text_print);
}

static bool refers_to(const struct schema *schema, struct bytes subject, int32_t version) {
    for (size_t i = 0; i < schema->entry.reference_count; i++) {
        const struct schema_reference *reference = &schema->entry.references[i];
        if (reference->version == version && reference_means(reference, schema->context, subject))
            return true;
    }
    return false;
}

/* Adds those of the subject's schemas that refer to the version and are listed. */
static void referrers_add(const struct listing *listing, const struct schema_subject *from,
                          struct bytes subject, int32_t version, const struct schema **referrers,
                          size_t *count) {
    for (size_t i = 0; i < from->count; i++)
        if (is_listed(listing, &from->versions[i]) &&
            refers_to(from->versions[i].schema, subject, version))
            referrers[(*count)++] = from->versions[i].schema;
}

static int compare_schemas(const void *a, const void *b) {
    const struct schema *one = *(const struct schema *const *)a;
    const struct schema *other = *(const struct schema *const *)b;
    int order = bytes_compare(one->context, other->context);
    return order ? order : (one->entry.id > other->entry.id) - (one->entry.id < other->entry.id);
}

/* A schema once, whatever subjects have it. */
static void referenced_by_print(struct api_call *call) {
    const struct schema_view *view = call->view;
    const struct listing listing = listing_read(call);
    const struct schema_subject *subject;
    const struct schema_version *version = path_version(call, &subject);
    size_t version_count = 0, count = 0, kept = 0;
    if (!version) return;
    for (size_t i = 0; i < view->subject_count; i++) version_count += view->subjects[i].count;
    const struct schema **referrers =
        arena_array(&call->arena, const struct schema *, version_count + 1);
    int32_t *ids = arena_array(&call->arena, int32_t, version_count + 1);
    for (size_t i = 0; i < view->subject_count; i++)
        referrers_add(&listing, &view->subjects[i], subject->name, version->version, referrers,
                      &count);
    qsort(referrers, count, sizeof *referrers, compare_schemas);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || referrers[i] != referrers[i - 1]) ids[kept++] = referrers[i]->entry.id;
    list_numbers(call, ids, kept);
}

void referenced_by_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, referenced_by_handle);
    if (call) call_work(call, referenced_by_print, call_answer);
}

/* --- everything --- */

static void schemas_print(struct api_call *call) {
    const struct listing listing = listing_read(call);
    bool latest_only = call_flag(call, "latestOnly");
    size_t count = 0, from, to;
    call_page(call, &from, &to, SIZE_MAX);
    text_printf(&call->body, "[");
    for (size_t i = 0; i < call->view->subject_count; i++) {
        const struct schema_subject *subject = &call->view->subjects[i];
        if (!has_prefix(&listing, subject->name)) continue;
        const struct schema_version *latest = schema_subject_version(subject, -1, listing.deleted);
        for (size_t j = 0; j < subject->count; j++) {
            const struct schema_version *version = &subject->versions[j];
            if (!is_listed(&listing, version) || (latest_only && version != latest)) continue;
            if (count++ < from || count > to || count > from + SCHEMAS_MAX) continue;
            if (call->body.len > LIST_BYTES_MAX) continue;
            text_printf(&call->body, "%s", count > from + 1 ? "," : "");
            body_print_version(call, subject->name, version, version->schema->entry.schema);
        }
    }
    text_printf(&call->body, "]");
}

void schemas_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, schemas_handle);
    if (call) call_work(call, schemas_print, call_answer);
}

static void contexts_print(struct api_call *call) {
    struct bytes *names = arena_array(&call->arena, struct bytes, call->view->context_count + 1);
    for (size_t i = 0; i < call->view->context_count; i++) names[i] = call->view->contexts[i].name;
    list_names(call, names, call->view->context_count);
}

void contexts_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, contexts_handle);
    if (call) call_work(call, contexts_print, call_answer);
}
