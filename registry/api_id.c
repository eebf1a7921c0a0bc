/* Schemas by id and by GUID. */
#include "registry/api_body.h"
#include "registry/api_handlers.h"

/* The path's id in the context that the path or the parameter `subject` names, or a refusal. */
static const struct schema *path_schema(struct api_call *call) {
    int32_t id;
    if (!call_id(call, 0, &id)) return NULL;
    const struct schema *schema = schema_view_find(call->view, call_context(call), id);
    if (!schema) call_refuse(call, 404, 40403, "Schema %d not found", id);
    return schema;
}

static int32_t id_highest(const struct api_call *call, struct bytes context) {
    for (size_t i = 0; i < call->view->context_count; i++)
        if (bytes_equal(call->view->contexts[i].name, context))
            return call->view->contexts[i].id_highest;
    return 0;
}

static void schema_print(struct api_call *call, const struct schema *schema) {
    struct bytes text;
    if (!body_schema_text(call, schema, &text)) return;
    body_print_text(call, "{\"schema\":", text);
    body_print_more(call, schema);
    if (call->extended) body_print_text(call, ",\"guid\":", schema->entry.guid);
    if (call_flag(call, "fetchMaxId"))
        text_printf(&call->body, ",\"maxId\":%d", id_highest(call, schema->context));
    text_printf(&call->body, "}");
}

static void id_print(struct api_call *call) {
    const struct schema *schema = path_schema(call);
    if (schema) schema_print(call, schema);
}

void id_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, id_handle);
    if (call) body_answer(call, id_print);
}

static void id_text_print(struct api_call *call) {
    const struct schema *schema = path_schema(call);
    struct bytes text;
    if (schema && body_schema_text(call, schema, &text)) text_append(&call->body, text);
}

void id_text_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, id_text_handle);
    if (call) body_answer(call, id_text_print);
}

/* --- where it is --- */

/* Calls `print` for each version that has the schema; hidden ones on demand. */
static void each_use(struct api_call *call, const struct schema *schema,
                     void (*print)(struct api_call *call, const struct schema_subject *subject,
                                   const struct schema_version *version, bool first)) {
    bool deleted_too = call_flag(call, "deleted");
    size_t count = 0, from, to;
    call_page(call, &from, &to, SIZE_MAX);
    text_printf(&call->body, "[");
    for (size_t i = 0; i < call->view->subject_count; i++) {
        const struct schema_subject *subject = &call->view->subjects[i];
        const struct schema_version *version = schema_subject_with(subject, schema, deleted_too);
        if (!version || count++ < from || count > to) continue;
        if (!body_list_goes_on(call)) return;
        print(call, subject, version, count == from + 1);
    }
    text_printf(&call->body, "]");
}

static void use_print(struct api_call *call, const struct schema_subject *subject,
                      const struct schema_version *version, bool first) {
    body_print_text(call, first ? "{\"subject\":" : ",{\"subject\":", subject->name);
    text_printf(&call->body, ",\"version\":%d}", version->version);
}

static void subject_print(struct api_call *call, const struct schema_subject *subject,
                          const struct schema_version *version, bool first) {
    (void)version;
    body_print_text(call, first ? "" : ",", subject->name);
}

static void id_versions_print(struct api_call *call) {
    const struct schema *schema = path_schema(call);
    if (schema) each_use(call, schema, use_print);
}

void id_versions_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, id_versions_handle);
    if (call) call_work(call, id_versions_print, call_answer);
}

static void id_subjects_print(struct api_call *call) {
    const struct schema *schema = path_schema(call);
    if (schema) each_use(call, schema, subject_print);
}

void id_subjects_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, id_subjects_handle);
    if (call) call_work(call, id_subjects_print, call_answer);
}

/* --- GUIDs --- */

static bool path_guid(struct api_call *call, uint8_t guid[SCHEMA_GUID_SIZE]) {
    struct bytes text = call->exchange->parts[0];
    return schema_guid_parse(text, guid) ||
           call_refuse(call, 404, 40403, "Schema %.*s not found", BYTES_FORMAT(text));
}

static void guid_print(struct api_call *call) {
    uint8_t guid[SCHEMA_GUID_SIZE];
    if (!path_guid(call, guid)) return;
    const struct schema *schema = schema_view_find_guid(call->view, guid);
    if (schema)
        schema_print(call, schema);
    else
        call_refuse(call, 404, 40403, "Schema %.*s not found",
                    BYTES_FORMAT(call->exchange->parts[0]));
}

void guid_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, guid_handle);
    if (call) body_answer(call, guid_print);
}

/* One for each context that has it. */
static void guid_ids_print(struct api_call *call) {
    uint8_t guid[SCHEMA_GUID_SIZE];
    size_t count = 0, from, to;
    if (!path_guid(call, guid)) return;
    call_page(call, &from, &to, SIZE_MAX);
    text_printf(&call->body, "[");
    for (size_t i = 0; i < call->view->schema_count; i++) {
        const struct schema *schema = call->view->by_guid[i];
        if (memcmp(schema->guid, guid, SCHEMA_GUID_SIZE) != 0) continue;
        if (count++ < from || count > to) continue;
        if (!body_list_goes_on(call)) return;
        body_print_text(call,
                        count > from + 1 ? ",{\"context\":" : "{\"context\":", schema->context);
        text_printf(&call->body, ",\"id\":%d}", schema->entry.id);
    }
    text_printf(&call->body, "]");
    if (count == 0)
        call_refuse(call, 404, 40403, "Schema %.*s not found",
                    BYTES_FORMAT(call->exchange->parts[0]));
}

void guid_ids_handle(struct http_exchange *exchange) {
    struct api_call *call = call_begin(exchange, guid_ids_handle);
    if (call) call_work(call, guid_ids_print, call_answer);
}
