#include "registry/api_body.h"

#include "base/base64.h"
#include "registry/json_tree.h"

/* A Protobuf schema that has more of them cannot be compiled; others have none, as a rule. */
enum { REFERENCES_MAX = SCHEMA_FILES_MAX - 1 };

/* --- reading --- */

static json_t *body_parse(struct api_call *call) {
    json_error_t problem;
    json_t *object =
        json_tree_load(call->exchange->request->body, JSON_DISABLE_EOF_CHECK, &problem);
    if (json_is_object(object)) return object;
    json_decref(object);
    call_refuse(call, 400, 400, "The body is not a JSON object: %s", object ? "" : problem.text);
    return NULL;
}

static struct bytes text_of(struct api_call *call, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) return BYTES_NULL;
    return arena_copy(&call->arena,
                      bytes_make(json_string_value(value), json_string_length(value)));
}

static int32_t number_of(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    return number > INT32_MAX || number < INT32_MIN ? 0 : (int32_t)number;
}

static struct bytes json_of(struct api_call *call, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!value || json_is_null(value)) return BYTES_NULL;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    struct bytes copy = arena_copy(&call->arena, bytes_of_text(text));
    free(text);
    return copy;
}

static bool references_read(struct api_call *call, const json_t *object,
                            struct schema_entry *entry) {
    const json_t *list = json_object_get(object, "references");
    size_t count = json_array_size(list);
    if (count > REFERENCES_MAX)
        return call_refuse(call, 422, 42201, "More than %d references", REFERENCES_MAX);
    struct schema_reference *references =
        arena_array(&call->arena, struct schema_reference, count + 1);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        references[i] =
            (struct schema_reference){text_of(call, item, "name"), text_of(call, item, "subject"),
                                      number_of(item, "version")};
        if (!references[i].name.at || !references[i].subject.at)
            return call_refuse(call, 422, 42201,
                               "Invalid schema: a reference needs a name, a "
                               "subject and a version");
        if (references[i].version == 0) references[i].version = -1;
    }
    entry->references = references;
    entry->reference_count = count;
    return true;
}

static bool wish_read(struct api_call *call, const json_t *object, struct schema_wish *wish) {
    struct schema_entry *entry = &wish->entry;
    struct bytes type = text_of(call, object, "schemaType");
    *wish = (struct schema_wish){0};
    entry->schema = text_of(call, object, "schema");
    entry->id = number_of(object, "id");
    entry->version = number_of(object, "version");
    entry->guid = text_of(call, object, "guid");
    entry->metadata = json_of(call, object, "metadata");
    entry->rule_set = json_of(call, object, "ruleSet");
    if (entry->id < 0) entry->id = 0;
    if (entry->version < 0) entry->version = 0;
    if (type.at && !schema_type_parse(type, &entry->type))
        return call_refuse(call, 422, 42201, "Invalid schema type %.*s", BYTES_FORMAT(type));
    if (!entry->schema.at || entry->schema.len == 0)
        return call_refuse(call, 422, 42201, "Empty schema");
    if (entry->schema.len > SCHEMA_SIZE_MAX)
        return call_refuse(call, 422, 42209, "The schema is larger than %d bytes", SCHEMA_SIZE_MAX);
    return references_read(call, object, entry);
}

bool body_read_schema(struct api_call *call, struct schema_wish *wish) {
    json_t *object = body_parse(call);
    bool read = object && wish_read(call, object, wish);
    json_decref(object);
    return read;
}

bool body_read_text(struct api_call *call, const char *name, struct bytes *value) {
    if (call->exchange->request->body.len > HTTP_SMALL_BYTES)
        return call_refuse(call, 422, 42209, "The body is larger than %d bytes", HTTP_SMALL_BYTES);
    json_t *object = body_parse(call);
    if (object) *value = text_of(call, object, name);
    json_decref(object);
    return object != NULL;
}

/* --- printing --- */

static bool wants_serialized(struct api_call *call) {
    return bytes_equal_text(call_parameter(call, "format"), "serialized");
}

bool body_schema_text(struct api_call *call, const struct schema *schema, struct bytes *text) {
    struct linked_schema linked;
    struct text encoded = {0};
    struct error error;
    *text = schema->entry.schema;
    if (schema->entry.type != SCHEMA_TYPE_PROTOBUF || !wants_serialized(call)) return true;
    bool good = linked_schema_init(&linked, call->view, schema->context, &schema->entry, &error) ||
                call_refuse(call, 422, 42201, "The schema does not compile: %s", error.text);
    if (good) {
        base64_encode(linked_schema_file(&linked), &encoded);
        *text = arena_copy(&call->arena, text_bytes(&encoded));
    }
    text_deinit(&encoded);
    linked_schema_deinit(&linked);
    return good;
}

void body_answer(struct api_call *call, void (*print)(struct api_call *call)) {
    if (wants_serialized(call)) {
        call_work(call, print, call_answer);
        return;
    }
    print(call);
    call_answer(call);
}

void body_print_text(struct api_call *call, const char *before, struct bytes value) {
    text_printf(&call->body, "%s", before);
    text_append_json(&call->body, value);
}

bool body_list_goes_on(struct api_call *call) {
    return call->body.len <= LIST_BYTES_MAX ||
           call_refuse(
               call, 422, 42209,
               "The list is larger than %d bytes; ask for parts of it, with offset and limit",
               LIST_BYTES_MAX);
}

static void references_print(struct api_call *call, const struct schema_entry *entry) {
    text_printf(&call->body, ",\"references\":[");
    for (size_t i = 0; i < entry->reference_count; i++) {
        const struct schema_reference *reference = &entry->references[i];
        body_print_text(call, i ? ",{\"name\":" : "{\"name\":", reference->name);
        body_print_text(call, ",\"subject\":", reference->subject);
        text_printf(&call->body, ",\"version\":%d}", reference->version);
    }
    text_printf(&call->body, "]");
}

void body_print_more(struct api_call *call, const struct schema *schema) {
    const struct schema_entry *entry = &schema->entry;
    struct text *body = &call->body;
    if (entry->type != SCHEMA_TYPE_AVRO)
        text_printf(body, ",\"schemaType\":\"%s\"", schema_type_name(entry->type));
    if (entry->reference_count > 0) references_print(call, entry);
    if (!call->extended) return;
    if (entry->metadata.at) {
        text_printf(body, ",\"metadata\":");
        text_append(body, entry->metadata);
    }
    if (entry->rule_set.at) {
        text_printf(body, ",\"ruleSet\":");
        text_append(body, entry->rule_set);
    }
}

void body_print_version(struct api_call *call, struct bytes subject,
                        const struct schema_version *version, struct bytes text) {
    body_print_text(call, "{\"subject\":", subject);
    text_printf(&call->body, ",\"version\":%d,\"id\":%d", version->version,
                version->schema->entry.id);
    if (call->extended) body_print_text(call, ",\"guid\":", version->schema->entry.guid);
    body_print_more(call, version->schema);
    body_print_text(call, ",\"schema\":", text);
    text_printf(&call->body, "}");
}
