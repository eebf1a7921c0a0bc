#include "registry/schema_record.h"

#include <jansson.h>

#include "base/check.h"
#include "base/memory.h"

static const char *const kind_names[] = {
    [SCHEMA_RECORD_SCHEMA] = "SCHEMA",
    [SCHEMA_RECORD_CONFIG] = "CONFIG",
    [SCHEMA_RECORD_MODE] = "MODE",
    [SCHEMA_RECORD_DELETE_SUBJECT] = "DELETE_SUBJECT",
    [SCHEMA_RECORD_CLEAR_SUBJECT] = "CLEAR_SUBJECT",
    [SCHEMA_RECORD_NOOP] = "NOOP",
    [SCHEMA_RECORD_HIGHEST_ID] = "HIGHEST_ID",
};

static const char *const type_names[SCHEMA_TYPE_COUNT] = {"AVRO", "PROTOBUF", "JSON"};

const char *schema_type_name(enum schema_type type) {
    check(type < SCHEMA_TYPE_COUNT);
    return type_names[type];
}

bool schema_type_parse(struct bytes text, enum schema_type *type) {
    for (size_t i = 0; i < SCHEMA_TYPE_COUNT; i++) {
        if (!bytes_equal_text(text, type_names[i])) continue;
        *type = (enum schema_type)i;
        return true;
    }
    return false;
}

/* --- reading --- */

struct reader {
    struct arena *arena;
    struct error *error;
};

static bool fail(const struct reader *reader, const char *what) {
    return error_set(reader->error, 0, "a record of _schemas is not readable: %s", what);
}

static json_t *object_parse(struct bytes text) {
    json_error_t problem;
    json_t *object = json_loadb(text.at ? (const char *)text.at : "", text.len, 0, &problem);
    if (json_is_object(object)) return object;
    json_decref(object);
    return NULL;
}

/* Records of others may be of any size. */
static bool copy_take(const struct reader *reader, const char *at, size_t len, struct bytes *copy) {
    uint8_t *room = (uint8_t *)arena_try(reader->arena, len);
    if (!room) return fail(reader, "it is too large");
    memcpy(room, at, len);
    *copy = bytes_make(room, len);
    return true;
}

/* Absent and null are the same: no text. False when it is something else. */
static bool text_take(const struct reader *reader, const json_t *object, const char *name,
                      struct bytes *text) {
    const json_t *value = json_object_get(object, name);
    *text = BYTES_NULL;
    if (!value || json_is_null(value)) return true;
    if (!json_is_string(value)) return fail(reader, name);
    return copy_take(reader, json_string_value(value), json_string_length(value), text);
}

static bool number_take(const struct reader *reader, const json_t *object, const char *name,
                        int32_t *number) {
    const json_t *value = json_object_get(object, name);
    json_int_t wide = json_integer_value(value);
    *number = 0;
    if (!value || json_is_null(value)) return true;
    if (!json_is_integer(value) || wide < INT32_MIN || wide > INT32_MAX) return fail(reader, name);
    *number = (int32_t)wide;
    return true;
}

/* Any value, as compact JSON. */
static bool json_take(const struct reader *reader, const json_t *object, const char *name,
                      struct bytes *copy) {
    const json_t *value = json_object_get(object, name);
    *copy = BYTES_NULL;
    if (!value || json_is_null(value)) return true;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    bool taken = copy_take(reader, text, strlen(text), copy);
    free(text);
    return taken;
}

static bool references_take(const struct reader *reader, const json_t *value,
                            struct schema_entry *entry) {
    const json_t *list = json_object_get(value, "references");
    size_t count = json_array_size(list);
    entry->references = (struct schema_reference *)arena_try(
        reader->arena, (count + 1) * sizeof *entry->references);
    if (!entry->references) return fail(reader, "it is too large");
    for (size_t i = 0; i < count; i++) {
        struct schema_reference *reference = &entry->references[i];
        const json_t *item = json_array_get(list, i);
        if (!text_take(reader, item, "name", &reference->name) ||
            !text_take(reader, item, "subject", &reference->subject) ||
            !number_take(reader, item, "version", &reference->version))
            return false;
        if (!reference->name.at || !reference->subject.at) return fail(reader, "references");
    }
    entry->reference_count = count;
    return true;
}

static bool entry_take(const struct reader *reader, const json_t *value,
                       struct schema_entry *entry) {
    struct bytes type;
    if (!number_take(reader, value, "id", &entry->id) ||
        !number_take(reader, value, "version", &entry->version) ||
        !text_take(reader, value, "schema", &entry->schema) ||
        !text_take(reader, value, "guid", &entry->guid) ||
        !text_take(reader, value, "schemaType", &type) || !references_take(reader, value, entry) ||
        !json_take(reader, value, "metadata", &entry->metadata) ||
        !json_take(reader, value, "ruleSet", &entry->rule_set))
        return false;
    entry->deleted = json_is_true(json_object_get(value, "deleted"));
    if (type.at && !schema_type_parse(type, &entry->type)) return fail(reader, "schemaType");
    if (!entry->schema.at) return fail(reader, "no schema");
    if (entry->id < 1 || entry->version < 1) return fail(reader, "id or version");
    return true;
}

static bool value_take(const struct reader *reader, const json_t *value,
                       struct schema_record *record) {
    struct schema_entry *entry = &record->entry;
    switch (record->kind) {
        case SCHEMA_RECORD_SCHEMA:
            if (!entry_take(reader, value, entry)) return false;
            return entry->version == record->version || fail(reader, "version");
        case SCHEMA_RECORD_CONFIG:
            return text_take(reader, value, "compatibilityLevel", &record->setting);
        case SCHEMA_RECORD_MODE: return text_take(reader, value, "mode", &record->setting);
        case SCHEMA_RECORD_DELETE_SUBJECT:
            return number_take(reader, value, "version", &record->version);
        case SCHEMA_RECORD_HIGHEST_ID: return number_take(reader, value, "id", &record->id_highest);
        default: return true;
    }
}

static bool key_take(const struct reader *reader, const json_t *key, struct schema_record *record) {
    struct bytes kind;
    if (!text_take(reader, key, "keytype", &kind) ||
        !text_take(reader, key, "subject", &record->subject) ||
        !text_take(reader, key, "context", &record->context) ||
        !number_take(reader, key, "version", &record->version))
        return false;
    record->kind = SCHEMA_RECORD_OTHER;
    for (size_t i = 0; i < array_count(kind_names); i++) {
        if (bytes_equal_text(kind, kind_names[i])) record->kind = (enum schema_record_kind)i;
    }
    bool needs_subject = record->kind == SCHEMA_RECORD_SCHEMA ||
                         record->kind == SCHEMA_RECORD_DELETE_SUBJECT ||
                         record->kind == SCHEMA_RECORD_CLEAR_SUBJECT;
    if (record->kind == SCHEMA_RECORD_HIGHEST_ID && !record->context.at)
        return fail(reader, "no context");
    return !needs_subject || record->subject.at || fail(reader, "no subject");
}

bool schema_record_read(struct bytes key, struct bytes value, struct arena *arena,
                        struct schema_record *record, struct error *error) {
    const struct reader reader = {arena, error};
    json_t *key_object = object_parse(key);
    json_t *value_object = value.at ? object_parse(value) : NULL;
    *record = (struct schema_record){.tombstone = !value.at};
    bool read = key_object ? key_take(&reader, key_object, record) : fail(&reader, "the key");
    if (read && value.at && record->kind != SCHEMA_RECORD_OTHER)
        read =
            value_object ? value_take(&reader, value_object, record) : fail(&reader, "the value");
    json_decref(key_object);
    json_decref(value_object);
    return read;
}

/* --- writing --- */

static void property(struct text *text, const char *name, struct bytes value) {
    text_printf(text, ",\"%s\":", name);
    if (value.at)
        text_append_json(text, value);
    else
        text_append(text, BYTES_OF("null"));
}

static void key_write(const struct schema_record *record, struct text *key) {
    bool is_schema = record->kind == SCHEMA_RECORD_SCHEMA;
    check(record->kind < SCHEMA_RECORD_OTHER);
    text_printf(key, "{\"keytype\":\"%s\"", kind_names[record->kind]);
    if (record->kind == SCHEMA_RECORD_HIGHEST_ID)
        property(key, "context", record->context);
    else if (record->kind != SCHEMA_RECORD_NOOP)
        property(key, "subject", record->subject);
    if (is_schema) text_printf(key, ",\"version\":%d", record->version);
    text_printf(key, ",\"magic\":%d}", is_schema);
}

static void references_write(const struct schema_entry *entry, struct text *value) {
    text_printf(value, ",\"references\":[");
    for (size_t i = 0; i < entry->reference_count; i++) {
        const struct schema_reference *reference = &entry->references[i];
        text_printf(value, "%s{\"name\":", i ? "," : "");
        text_append_json(value, reference->name);
        property(value, "subject", reference->subject);
        text_printf(value, ",\"version\":%d}", reference->version);
    }
    text_printf(value, "]");
}

/* AVRO is what a schema without a type is: old readers know no other. */
static void entry_write(const struct schema_record *record, struct text *value) {
    const struct schema_entry *entry = &record->entry;
    text_printf(value, "{\"subject\":");
    text_append_json(value, record->subject);
    text_printf(value, ",\"version\":%d,\"id\":%d", entry->version, entry->id);
    if (entry->guid.at) property(value, "guid", entry->guid);
    if (entry->type != SCHEMA_TYPE_AVRO)
        text_printf(value, ",\"schemaType\":\"%s\"", schema_type_name(entry->type));
    if (entry->reference_count) references_write(entry, value);
    if (entry->metadata.at) text_printf(value, ",\"metadata\":%.*s", BYTES_FORMAT(entry->metadata));
    if (entry->rule_set.at) text_printf(value, ",\"ruleSet\":%.*s", BYTES_FORMAT(entry->rule_set));
    property(value, "schema", entry->schema);
    text_printf(value, ",\"deleted\":%s}", entry->deleted ? "true" : "false");
}

static void setting_write(const char *name, const struct schema_record *record,
                          struct text *value) {
    text_printf(value, "{\"%s\":", name);
    text_append_json(value, record->setting);
    text_printf(value, "}");
}

static void subject_write(const struct schema_record *record, struct text *value) {
    text_printf(value, "{\"subject\":");
    text_append_json(value, record->subject);
    if (record->kind == SCHEMA_RECORD_DELETE_SUBJECT)
        text_printf(value, ",\"version\":%d", record->version);
    text_printf(value, "}");
}

void schema_record_write(const struct schema_record *record, struct text *key, struct text *value) {
    key_write(record, key);
    if (record->tombstone) return;
    switch (record->kind) {
        case SCHEMA_RECORD_SCHEMA: return entry_write(record, value);
        case SCHEMA_RECORD_CONFIG: return setting_write("compatibilityLevel", record, value);
        case SCHEMA_RECORD_MODE: return setting_write("mode", record, value);
        case SCHEMA_RECORD_HIGHEST_ID:
            text_printf(value, "{\"id\":%d}", record->id_highest);
            return;
        case SCHEMA_RECORD_DELETE_SUBJECT:
        case SCHEMA_RECORD_CLEAR_SUBJECT: return subject_write(record, value);
        default: return;
    }
}
