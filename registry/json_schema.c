#include "registry/json_schema.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

enum { MEMORY_MAX = 256 << 20, FORM_FIELDS_MAX = 6 };

/* --- forms --- */

/* A well-known type: the types of its fields, which are numbered from 1. */
struct form_row {
    const char *name;
    enum json_form form;
    bool repeated; /* the first field */
    uint8_t types[FORM_FIELDS_MAX];
};

#define WELL_KNOWN "google.protobuf."

static const struct form_row form_rows[] = {
    {WELL_KNOWN "Any", JSON_FORM_ANY, false, {PROTO_STRING, PROTO_BYTES}},
    {WELL_KNOWN "Timestamp", JSON_FORM_TIMESTAMP, false, {PROTO_INT64, PROTO_INT32}},
    {WELL_KNOWN "Duration", JSON_FORM_DURATION, false, {PROTO_INT64, PROTO_INT32}},
    {WELL_KNOWN "FieldMask", JSON_FORM_MASK, true, {PROTO_STRING}},
    {WELL_KNOWN "Struct", JSON_FORM_INNER, true, {PROTO_MESSAGE}},
    {WELL_KNOWN "ListValue", JSON_FORM_INNER, true, {PROTO_MESSAGE}},
    {WELL_KNOWN "Value",
     JSON_FORM_VALUE,
     false,
     {PROTO_ENUM, PROTO_DOUBLE, PROTO_STRING, PROTO_BOOL, PROTO_MESSAGE, PROTO_MESSAGE}},
    {WELL_KNOWN "DoubleValue", JSON_FORM_INNER, false, {PROTO_DOUBLE}},
    {WELL_KNOWN "FloatValue", JSON_FORM_INNER, false, {PROTO_FLOAT}},
    {WELL_KNOWN "Int64Value", JSON_FORM_INNER, false, {PROTO_INT64}},
    {WELL_KNOWN "UInt64Value", JSON_FORM_INNER, false, {PROTO_UINT64}},
    {WELL_KNOWN "Int32Value", JSON_FORM_INNER, false, {PROTO_INT32}},
    {WELL_KNOWN "UInt32Value", JSON_FORM_INNER, false, {PROTO_UINT32}},
    {WELL_KNOWN "BoolValue", JSON_FORM_INNER, false, {PROTO_BOOL}},
    {WELL_KNOWN "StringValue", JSON_FORM_INNER, false, {PROTO_STRING}},
    {WELL_KNOWN "BytesValue", JSON_FORM_INNER, false, {PROTO_BYTES}},
};

static bool row_fits(const struct form_row *row, const struct json_message *message) {
    for (size_t i = 0; i < FORM_FIELDS_MAX; i++) {
        bool wanted = row->types[i] != PROTO_UNSET;
        if (wanted != (i < message->field_count)) return false;
        if (!wanted) return true;
        const struct field_descriptor *field = message->fields[i].field;
        bool repeated = i == 0 && row->repeated;
        if (field->number != i + 1 || field->type != row->types[i] ||
            message->fields[i].repeated != repeated)
            return false;
    }
    return message->field_count == FORM_FIELDS_MAX;
}

static enum json_form form_of(const struct json_message *message) {
    for (size_t i = 0; i < array_count(form_rows); i++)
        if (bytes_equal_text(message->descriptor->full_name, form_rows[i].name))
            return row_fits(&form_rows[i], message) ? form_rows[i].form : JSON_FORM_OBJECT;
    return JSON_FORM_OBJECT;
}

/* --- fields --- */

static bool is_numeric(enum proto_type type) {
    return type != PROTO_STRING && type != PROTO_BYTES && type != PROTO_MESSAGE &&
           type != PROTO_GROUP;
}

static void field_fill(const struct json_schema *schema, const struct field_descriptor *from,
                       const struct file_descriptor *file, struct json_field *field) {
    *field = (struct json_field){.field = from, .name = from->json_name, .alias = from->name};
    if (field->name.len == 0) field->name = from->name;
    field->oneof = from->oneof;
    field->repeated = from->label == LABEL_REPEATED;
    field->packed =
        field->repeated && is_numeric(from->type) &&
        (from->packing == PACKING_ON || (from->packing == PACKING_UNSET && file->proto3));
    if (!from->message) return;
    field->message = &schema->messages[from->message->number];
    field->is_map = field->repeated && from->message->is_map_entry;
}

static void own_fields_fill(const struct json_schema *schema, struct json_message *message) {
    const struct message_descriptor *from = message->descriptor;
    for (size_t i = 0; i < from->field_count; i++) {
        struct json_field *field = &message->fields[message->field_count++];
        field_fill(schema, &from->fields[i], from->file, field);
        field->implicit = from->file->proto3 && !from->is_map_entry && !field->repeated &&
                          !field->message && from->fields[i].oneof < 0;
    }
}

/* Calls `one` for every extension of the set, with the scope that its name is in. */
static void extensions_each(struct json_schema *schema,
                            void (*one)(struct json_schema *schema,
                                        const struct field_descriptor *extension,
                                        const struct file_descriptor *file, struct bytes scope)) {
    const struct descriptor_set *set = schema->set;
    for (size_t i = 0; i < set->file_count; i++)
        for (size_t j = 0; j < set->files[i].extension_count; j++)
            one(schema, &set->files[i].extensions[j], &set->files[i], set->files[i].package);
    for (size_t i = 0; i < set->message_count; i++)
        for (size_t j = 0; j < set->messages[i]->extension_count; j++)
            one(schema, &set->messages[i]->extensions[j], set->messages[i]->file,
                set->messages[i]->full_name);
}

static struct json_message *extended(struct json_schema *schema,
                                     const struct field_descriptor *extension) {
    const struct message_descriptor *of = descriptor_find_message(schema->set, extension->extendee);
    return of ? &schema->messages[of->number] : NULL;
}

/* First they are counted, where the fields go later. */
static void extension_count(struct json_schema *schema, const struct field_descriptor *extension,
                            const struct file_descriptor *file, struct bytes scope) {
    struct json_message *message = extended(schema, extension);
    (void)file;
    (void)scope;
    if (message) message->field_count++;
}

static void extension_fill(struct json_schema *schema, const struct field_descriptor *extension,
                           const struct file_descriptor *file, struct bytes scope) {
    struct json_message *message = extended(schema, extension);
    if (!message) return;
    struct json_field *field = &message->fields[message->field_count++];
    field_fill(schema, extension, file, field);
    field->name = bytes_of_text(arena_format(&schema->arena, "[%.*s%s%.*s]", BYTES_FORMAT(scope),
                                             scope.len ? "." : "", BYTES_FORMAT(extension->name)));
    field->alias = BYTES_NULL;
    field->oneof = -1;
}

static int fields_order(const void *a, const void *b) {
    uint32_t first = ((const struct json_field *)a)->field->number;
    uint32_t second = ((const struct json_field *)b)->field->number;
    return (first > second) - (first < second);
}

/* --- life --- */

static void messages_fill(struct json_schema *schema) {
    size_t count = schema->set->message_count;
    extensions_each(schema, extension_count);
    for (size_t i = 0; i < count; i++) {
        struct json_message *message = &schema->messages[i];
        message->descriptor = schema->set->messages[i];
        size_t fields = message->descriptor->field_count + message->field_count;
        message->fields = arena_array(&schema->arena, struct json_field, fields + 1);
        message->field_count = 0;
    }
    for (size_t i = 0; i < count; i++) own_fields_fill(schema, &schema->messages[i]);
    extensions_each(schema, extension_fill);
    for (size_t i = 0; i < count; i++) {
        struct json_message *message = &schema->messages[i];
        qsort(message->fields, message->field_count, sizeof *message->fields, fields_order);
        message->form = form_of(message);
        bool found = contract_find(schema->contract, message->descriptor->full_name,
                                   &message->contract_message);
        check(found); /* both are of one set */
    }
}

struct json_schema *json_schema_new(const struct descriptor_set *set, struct error *error) {
    struct contract *contract = contract_new(set, error);
    if (!contract) return NULL;
    struct json_schema *schema = new_zero(struct json_schema);
    arena_init(&schema->arena, MEMORY_MAX);
    schema->set = set;
    schema->contract = contract;
    schema->messages = arena_array(&schema->arena, struct json_message, set->message_count + 1);
    messages_fill(schema);
    return schema;
}

void json_schema_free(struct json_schema *schema) {
    if (!schema) return;
    contract_free(schema->contract);
    arena_deinit(&schema->arena);
    free(schema);
}

/* --- finding --- */

const struct json_message *json_schema_find(const struct json_schema *schema,
                                            struct bytes full_name) {
    const struct message_descriptor *found = descriptor_find_message(schema->set, full_name);
    return found ? &schema->messages[found->number] : NULL;
}

const struct json_message *json_schema_find_url(const struct json_schema *schema,
                                                struct bytes url) {
    const uint8_t *slash = url.len ? (const uint8_t *)memrchr(url.at, '/', url.len) : NULL;
    if (!slash) return NULL;
    return json_schema_find(schema, bytes_make(slash + 1, url.len - (size_t)(slash + 1 - url.at)));
}

const struct json_field *json_field_find(const struct json_message *message, uint32_t number) {
    const struct field_descriptor wanted = {.number = number};
    const struct json_field key = {.field = &wanted};
    if (message->field_count == 0) return NULL;
    return (const struct json_field *)bsearch(&key, message->fields, message->field_count,
                                              sizeof key, fields_order);
}

enum wire_type json_wire_type(enum proto_type type) {
    switch (type) {
        case PROTO_DOUBLE:
        case PROTO_FIXED64:
        case PROTO_SFIXED64: return WIRE_FIXED64;
        case PROTO_FLOAT:
        case PROTO_FIXED32:
        case PROTO_SFIXED32: return WIRE_FIXED32;
        case PROTO_STRING:
        case PROTO_BYTES:
        case PROTO_MESSAGE: return WIRE_BYTES;
        case PROTO_GROUP: return WIRE_GROUP;
        default: return WIRE_VARINT;
    }
}

bool json_field_takes_null(const struct json_field *field) {
    if (field->message) return field->message->form == JSON_FORM_VALUE;
    const struct enum_descriptor *named = field->field->enumeration;
    return named && bytes_equal_text(named->full_name, WELL_KNOWN "NullValue");
}
