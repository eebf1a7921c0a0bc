/* A message is read into its parts first: on the wire, fields may come in any order and more than
 * once. The last of several scalars counts, several occurrences of a message are one (their bytes
 * in a row), and of a oneof the last member counts, with what came of it since another one did.
 *
 * The checker has accepted the payload before. It does not look into an Any, whose content is
 * checked where it is met. */
#include "registry/json_write.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "registry/contract_table.h"
#include "registry/json_path.h"
#include "registry/well_known.h"

enum { MEMORY_MAX = 512 << 20 };

struct writer {
    const struct json_schema *schema;
    struct text *out;
    struct error *error;
    struct json_path path;
    struct arena arena; /* of one call */
};

static bool fail(struct writer *writer, const char *why) {
    return error_set(writer->error, 0, "%s: %s", json_path_show(&writer->path), why);
}

static void put(struct writer *writer, const char *text) {
    text_append(writer->out, bytes_of_text(text));
}

/* --- parts --- */

/* One occurrence of a field: a number as it is on the wire, or bytes. */
struct part {
    const struct json_field *field;
    size_t order;
    enum wire_type type;
    uint64_t value;
    struct bytes bytes;
};

struct parts {
    struct part *at; /* by field number, then as they came */
    size_t count;
};

/* Behind the tag of a group: its content, up to the end tag. */
static bool group_take(struct bytes *rest, const uint8_t *start, struct bytes *content) {
    const uint8_t *end = rest->at + rest->len, *at = start;
    while (at && at < end) {
        uint32_t tag = 0, number;
        const uint8_t *after = varint_read_u32(at, end, &tag);
        if (after && (tag & 7) == WIRE_END_GROUP) {
            *content = bytes_make(start, (size_t)(at - start));
            *rest = bytes_make(after, (size_t)(end - after));
            return true;
        }
        at = after ? contract_field_skip(at, end, &number) : NULL;
    }
    return false;
}

/* As wire_field_next(), and groups: their content is in `bytes`. */
static bool field_next(struct bytes *rest, struct wire_field *field, bool *broken) {
    uint32_t tag = 0;
    const uint8_t *start = rest->len ? varint_read_u32(rest->at, rest->at + rest->len, &tag) : NULL;
    if (!start || (tag & 7) != WIRE_GROUP) return wire_field_next(rest, field, broken);
    *field = (struct wire_field){.number = tag >> 3, .type = WIRE_GROUP};
    bool taken = group_take(rest, start, &field->bytes);
    *broken = !taken;
    return taken;
}

static bool is_packable(const struct json_field *field) {
    enum wire_type type = json_wire_type(field->field->type);
    return field->repeated && type != WIRE_BYTES && type != WIRE_GROUP;
}

/* The checker refuses what does not. */
static bool part_fits(const struct json_field *field, enum wire_type type) {
    return type == json_wire_type(field->field->type) || (type == WIRE_BYTES && is_packable(field));
}

static int parts_order(const void *a, const void *b) {
    const struct part *first = (const struct part *)a, *second = (const struct part *)b;
    if (first->field != second->field) return first->field < second->field ? -1 : 1;
    return (first->order > second->order) - (first->order < second->order);
}

/* The member of a oneof that counts, and since which part. */
struct run {
    const struct json_field *field;
    size_t order;
};

static bool is_overwritten(const struct run *runs, const struct part *part) {
    int oneof = part->field->oneof;
    return oneof >= 0 && (runs[oneof].field != part->field || runs[oneof].order > part->order);
}

static void oneofs_settle(const struct json_message *message, struct parts *parts) {
    size_t kept = 0;
    if (parts->count < 2 || message->descriptor->oneof_count == 0) return;
    struct run *runs =
        (struct run *)memory_zero(message->descriptor->oneof_count, sizeof(struct run));
    for (size_t i = 0; i < parts->count; i++) {
        const struct part *part = &parts->at[i];
        int oneof = part->field->oneof;
        if (oneof >= 0 && runs[oneof].field != part->field)
            runs[oneof] = (struct run){part->field, part->order};
    }
    for (size_t i = 0; i < parts->count; i++)
        if (!is_overwritten(runs, &parts->at[i])) parts->at[kept++] = parts->at[i];
    parts->count = kept;
    free(runs);
}

static bool parts_read(struct writer *writer, const struct json_message *message,
                       struct bytes payload, struct parts *parts) {
    struct wire_field field;
    struct bytes rest = payload;
    bool broken = false;
    size_t count = 0;
    while (field_next(&rest, &field, &broken)) count++;
    *parts = (struct parts){0};
    if (broken) return fail(writer, "not a valid message");
    if (count == 0) return true;
    parts->at = (struct part *)arena_try(&writer->arena, count * sizeof *parts->at);
    if (!parts->at) return fail(writer, "too large to be shown");
    while (field_next(&payload, &field, &broken)) {
        const struct json_field *known = json_field_find(message, field.number);
        if (!known || !part_fits(known, field.type)) continue;
        parts->at[parts->count] =
            (struct part){known, parts->count, field.type, field.value, field.bytes};
        parts->count++;
    }
    oneofs_settle(message, parts);
    if (parts->count > 1) qsort(parts->at, parts->count, sizeof *parts->at, parts_order);
    return true;
}

/* Takes the parts of the first field. */
static struct parts parts_take(struct parts *rest) {
    struct parts taken = {.at = rest->at};
    while (taken.count < rest->count && taken.at[taken.count].field == taken.at->field)
        taken.count++;
    rest->at += taken.count;
    rest->count -= taken.count;
    return taken;
}

static const struct part *part_last(const struct parts *parts) {
    return &parts->at[parts->count - 1];
}

/* The last occurrence of the field with that number; `none`, a part with value 0, without one. */
static const struct part *part_numbered(const struct parts *parts, uint32_t number,
                                        const struct part *none) {
    const struct part *found = none;
    for (size_t i = 0; i < parts->count; i++)
        if (parts->at[i].field->field->number == number) found = &parts->at[i];
    return found;
}

/* All occurrences of a message as one. */
static bool parts_merge(struct writer *writer, const struct parts *parts, struct bytes *payload) {
    size_t len = 0;
    *payload = part_last(parts)->bytes;
    if (parts->count == 1) return true;
    for (size_t i = 0; i < parts->count; i++) len += parts->at[i].bytes.len;
    uint8_t *whole = (uint8_t *)arena_try(&writer->arena, len + 1);
    if (!whole) return fail(writer, "too large to be shown");
    *payload = bytes_make(whole, len);
    for (size_t i = 0; i < parts->count; i++) {
        struct bytes one = parts->at[i].bytes;
        if (one.len) memcpy(whole, one.at, one.len);
        whole += one.len;
    }
    return true;
}

/* --- scalars --- */

/* As few digits as bring the same number back. */
static void real_write(struct text *out, double value, bool single) {
    char digits[40];
    if (isnan(value) || isinf(value)) {
        text_printf(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    for (int count = single ? FLT_DIG : DBL_DIG;; count++) {
        snprintf(digits, sizeof digits, "%.*g", count, value);
        bool same = single ? strtof(digits, NULL) == (float)value : strtod(digits, NULL) == value;
        if (same || count == (single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG)) break;
    }
    text_printf(out, "%s%s", digits, strcmp(digits, "-0") == 0 ? ".0" : ""); /* no integer */
}

static double real_of(const struct part *part, enum proto_type type) {
    uint32_t low = (uint32_t)part->value;
    float single;
    double value;
    memcpy(&single, &low, sizeof single);
    memcpy(&value, &part->value, sizeof value);
    return type == PROTO_FLOAT ? (double)single : value;
}

/* The number that the wire means, sign-extended. */
static int64_t number_of(enum proto_type type, uint64_t raw) {
    switch (type) {
        case PROTO_INT32:
        case PROTO_SFIXED32:
        case PROTO_ENUM: return (int32_t)raw;
        case PROTO_UINT32:
        case PROTO_FIXED32: return (uint32_t)raw;
        case PROTO_SINT32: return zigzag_32_back((uint32_t)raw);
        case PROTO_SINT64: return zigzag_64_back(raw);
        case PROTO_BOOL: return raw != 0;
        default: return (int64_t)raw;
    }
}

static void enum_write(struct text *out, const struct json_field *field, int64_t number) {
    const struct enum_descriptor *from = field->field->enumeration;
    if (json_field_takes_null(field)) {
        text_printf(out, "null");
        return;
    }
    for (size_t i = 0; from && i < from->value_count; i++)
        if (from->values[i].number == number) {
            text_append_json(out, from->values[i].name);
            return;
        }
    text_printf(out, "%lld", (long long)number);
}

static bool text_write(struct writer *writer, struct text *out, struct bytes text) {
    if (utf8_valid_length(text) < text.len) return fail(writer, "not UTF-8");
    text_append_json(out, text);
    return true;
}

static bool scalar_write(struct writer *writer, struct text *out, const struct json_field *field,
                         const struct part *part) {
    enum proto_type type = field->field->type;
    int64_t number = number_of(type, part->value);
    switch (type) {
        case PROTO_STRING: return text_write(writer, out, part->bytes);
        case PROTO_BYTES:
            text_printf(out, "\"");
            base64_encode(part->bytes, out);
            text_printf(out, "\"");
            break;
        case PROTO_DOUBLE:
        case PROTO_FLOAT: real_write(out, real_of(part, type), type == PROTO_FLOAT); break;
        case PROTO_BOOL: text_printf(out, number ? "true" : "false"); break;
        case PROTO_ENUM: enum_write(out, field, number); break;
        case PROTO_UINT64:
        case PROTO_FIXED64: text_printf(out, "\"%llu\"", (unsigned long long)number); break;
        case PROTO_INT64:
        case PROTO_SINT64:
        case PROTO_SFIXED64: text_printf(out, "\"%lld\"", (long long)number); break;
        default: text_printf(out, "%lld", (long long)number);
    }
    return true;
}

/* --- repeated fields --- */

static bool message_write(struct writer *writer, const struct json_message *message,
                          struct bytes payload);

static bool element_write(struct writer *writer, const struct json_field *field,
                          const struct part *part, size_t *index) {
    size_t before = json_path_enter_index(&writer->path, *index);
    if ((*index)++ > 0) put(writer, ",");
    bool good = field->message ? message_write(writer, field->message, part->bytes)
                               : scalar_write(writer, writer->out, field, part);
    json_path_leave(&writer->path, before);
    return good;
}

static bool packed_write(struct writer *writer, const struct json_field *field, struct bytes rest,
                         size_t *index) {
    enum wire_type type = json_wire_type(field->field->type);
    while (rest.len > 0) {
        struct part part = {.field = field, .type = type};
        bool taken = type == WIRE_VARINT
                         ? varint_take_u64(&rest, &part.value)
                         : wire_take_fixed(&rest, type == WIRE_FIXED64 ? 8 : 4, &part.value);
        if (!taken) return fail(writer, "a packed element is cut off");
        if (!element_write(writer, field, &part, index)) return false;
    }
    return true;
}

static bool array_write(struct writer *writer, const struct json_field *field,
                        const struct parts *parts) {
    size_t index = 0;
    put(writer, "[");
    for (size_t i = 0; i < parts->count; i++) {
        const struct part *part = &parts->at[i];
        bool packed = part->type == WIRE_BYTES && is_packable(field);
        if (!(packed ? packed_write(writer, field, part->bytes, &index)
                     : element_write(writer, field, part, &index)))
            return false;
    }
    put(writer, "]");
    return true;
}

static bool array_is_empty(const struct json_field *field, const struct parts *parts) {
    for (size_t i = 0; i < parts->count; i++)
        if (!is_packable(field) || parts->at[i].type != WIRE_BYTES || parts->at[i].bytes.len > 0)
            return false;
    return true;
}

/* --- maps --- */

struct entry {
    struct bytes key; /* JSON */
    size_t order;
    struct parts parts;
};

/* Keys are strings in JSON. */
static bool key_write(struct writer *writer, const struct json_field *field,
                      const struct part *part, struct bytes *key) {
    struct text text = {0}, quoted = {0};
    bool good = scalar_write(writer, &text, field, part);
    bool is_string = good && text.len > 0 && text.at[0] == '"';
    const char *quote = is_string ? "" : "\"";
    if (good) text_printf(&quoted, "%s%s%s", quote, text.at, quote);
    uint8_t *copy = good ? (uint8_t *)arena_try(&writer->arena, quoted.len + 1) : NULL;
    if (copy) memcpy(copy, quoted.at, quoted.len);
    *key = bytes_make(copy, quoted.len);
    text_deinit(&text);
    text_deinit(&quoted);
    return good && (copy || fail(writer, "too large to be shown"));
}

static int entries_order(const void *a, const void *b) {
    const struct entry *first = (const struct entry *)a, *second = (const struct entry *)b;
    int order = bytes_compare(first->key, second->key);
    return order ? order : (first->order > second->order) - (first->order < second->order);
}

/* A key or a value that is not there has its default. */
static bool entry_value_write(struct writer *writer, const struct json_field *field,
                              struct parts *parts) {
    const struct part none = {.bytes = BYTES_OF("")};
    struct bytes payload = BYTES_OF("");
    while (parts->count > 0 && parts->at->field != field) (void)parts_take(parts);
    if (!field->message)
        return scalar_write(writer, writer->out, field,
                            part_numbered(parts, field->field->number, &none));
    return (parts->count == 0 || parts_merge(writer, parts, &payload)) &&
           message_write(writer, field->message, payload);
}

static bool entry_read(struct writer *writer, const struct json_message *message,
                       const struct part *part, struct entry *entry) {
    const struct part none = {.bytes = BYTES_OF("")};
    return parts_read(writer, message, part->bytes, &entry->parts) &&
           key_write(writer, &message->fields[0], part_numbered(&entry->parts, 1, &none),
                     &entry->key);
}

static bool entries_write(struct writer *writer, const struct json_message *message,
                          struct entry *entries, size_t count) {
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = &entries[i];
        if (i + 1 < count && bytes_equal(entry->key, entries[i + 1].key)) continue;
        size_t before = json_path_enter_key(&writer->path, entry->key);
        if (!first) put(writer, ",");
        first = false;
        text_append(writer->out, entry->key);
        put(writer, ":");
        if (!entry_value_write(writer, &message->fields[1], &entry->parts)) return false;
        json_path_leave(&writer->path, before);
    }
    return true;
}

static bool map_write(struct writer *writer, const struct json_field *field,
                      const struct parts *parts) {
    const struct json_message *message = field->message;
    struct entry *entries =
        (struct entry *)arena_try(&writer->arena, (parts->count + 1) * sizeof *entries);
    if (!entries) return fail(writer, "too large to be shown");
    for (size_t i = 0; i < parts->count; i++) {
        entries[i].order = i;
        if (!entry_read(writer, message, &parts->at[i], &entries[i])) return false;
    }
    qsort(entries, parts->count, sizeof *entries, entries_order);
    put(writer, "{");
    if (!entries_write(writer, message, entries, parts->count)) return false;
    put(writer, "}");
    return true;
}

/* --- fields --- */

static bool repeated_write(struct writer *writer, const struct json_field *field,
                           const struct parts *parts) {
    return field->is_map ? map_write(writer, field, parts) : array_write(writer, field, parts);
}

static bool field_write(struct writer *writer, const struct json_field *field,
                        const struct parts *parts) {
    struct bytes payload;
    if (field->repeated) return repeated_write(writer, field, parts);
    if (!field->message) return scalar_write(writer, writer->out, field, part_last(parts));
    return parts_merge(writer, parts, &payload) && message_write(writer, field->message, payload);
}

/* What is not written: empty lists, and what proto3 does not tell from nothing. */
static bool is_nothing(const struct json_field *field, const struct parts *parts) {
    const struct part *last = part_last(parts);
    if (field->repeated) return array_is_empty(field, parts);
    if (!field->implicit) return false;
    enum proto_type type = field->field->type;
    bool text = type == PROTO_STRING || type == PROTO_BYTES;
    return text ? last->bytes.len == 0 : number_of(type, last->value) == 0;
}

static bool members_write(struct writer *writer, const struct json_message *message,
                          struct bytes payload, bool first) {
    struct parts rest;
    if (!parts_read(writer, message, payload, &rest)) return false;
    while (rest.count > 0) {
        struct parts parts = parts_take(&rest);
        const struct json_field *field = parts.at->field;
        if (is_nothing(field, &parts)) continue;
        size_t before = json_path_enter(&writer->path, field->field->name);
        if (!first) put(writer, ",");
        first = false;
        text_append_json(writer->out, field->name);
        put(writer, ":");
        if (!field_write(writer, field, &parts)) return false;
        json_path_leave(&writer->path, before);
    }
    return true;
}

/* --- well-known types --- */

static bool any_content_write(struct writer *writer, struct bytes url, struct bytes payload) {
    const struct json_message *message = json_schema_find_url(writer->schema, url);
    struct violation violation;
    if (!message)
        return error_set(writer->error, 0, "%s: the schema has no message for \"%.*s\"",
                         json_path_show(&writer->path), (int)(url.len < 80 ? url.len : 80),
                         (const char *)url.at);
    if (!contract_check(writer->schema->contract, message->contract_message, payload, false,
                        &violation))
        return error_set(writer->error, 0, "%s: %.80s: %s", json_path_show(&writer->path),
                         violation.path, violation.reason);
    if (message->form == JSON_FORM_OBJECT) {
        writer->path.depth++;
        bool good = members_write(writer, message, payload, false);
        writer->path.depth--;
        return good;
    }
    put(writer, ",\"value\":");
    return message_write(writer, message, payload);
}

static bool any_write(struct writer *writer, const struct parts *parts) {
    const struct part none = {.bytes = BYTES_OF("")};
    struct bytes url = part_numbered(parts, 1, &none)->bytes;
    struct bytes payload = part_numbered(parts, 2, &none)->bytes;
    put(writer, "{");
    if (url.len > 0 || payload.len > 0) {
        put(writer, "\"@type\":");
        if (!text_write(writer, writer->out, url) || !any_content_write(writer, url, payload))
            return false;
    }
    put(writer, "}");
    return true;
}

static bool time_write(struct writer *writer, const struct parts *parts, bool is_duration) {
    const struct part none = {0};
    int64_t seconds = (int64_t)part_numbered(parts, 1, &none)->value;
    int32_t nanos = (int32_t)part_numbered(parts, 2, &none)->value;
    put(writer, "\"");
    if (!(is_duration ? well_known_duration_print : well_known_timestamp_print)(seconds, nanos,
                                                                                writer->out))
        return fail(writer, is_duration ? "not a duration of at most 10,000 years"
                                        : "not a time of the years 1 to 9999");
    put(writer, "\"");
    return true;
}

static bool mask_write(struct writer *writer, const struct parts *parts) {
    struct text paths = {0};
    bool good = true;
    for (size_t i = 0; good && i < parts->count; i++) {
        if (i > 0) text_printf(&paths, ",");
        good = well_known_mask_print(parts->at[i].bytes, &paths) ||
               fail(writer, "a path of the mask has no form in JSON");
    }
    good = good && text_write(writer, writer->out, text_bytes(&paths));
    text_deinit(&paths);
    return good;
}

static bool inner_write(struct writer *writer, const struct json_message *message,
                        const struct parts *parts) {
    const struct json_field *field = &message->fields[0];
    const struct part none = {.field = field, .bytes = BYTES_OF("")};
    if (field->repeated) return field_write(writer, field, parts);
    return scalar_write(writer, writer->out, field, parts->count ? part_last(parts) : &none);
}

/* A number that is none has no form in JSON but a string, which would come back as one. */
static bool value_write(struct writer *writer, const struct parts *parts) {
    if (parts->count == 0) {
        put(writer, "null");
        return true;
    }
    const struct part *last = part_last(parts);
    if (last->field->field->type == PROTO_DOUBLE && !isfinite(real_of(last, PROTO_DOUBLE)))
        return fail(writer, "a google.protobuf.Value has to be a finite number");
    return field_write(writer, last->field, parts);
}

static bool form_write(struct writer *writer, const struct json_message *message,
                       struct bytes payload) {
    struct parts parts;
    if (!parts_read(writer, message, payload, &parts)) return false;
    switch (message->form) {
        case JSON_FORM_ANY: return any_write(writer, &parts);
        case JSON_FORM_TIMESTAMP: return time_write(writer, &parts, false);
        case JSON_FORM_DURATION: return time_write(writer, &parts, true);
        case JSON_FORM_MASK: return mask_write(writer, &parts);
        case JSON_FORM_INNER: return inner_write(writer, message, &parts);
        case JSON_FORM_VALUE: return value_write(writer, &parts);
        case JSON_FORM_OBJECT: break;
    }
    return false; /* has its own function */
}

static bool message_write(struct writer *writer, const struct json_message *message,
                          struct bytes payload) {
    if (writer->path.depth++ > CONTRACT_NESTING_MAX) return fail(writer, "nested too deep");
    bool is_object = message->form == JSON_FORM_OBJECT, good;
    if (is_object) put(writer, "{");
    good = is_object ? members_write(writer, message, payload, true)
                     : form_write(writer, message, payload);
    if (is_object) put(writer, "}");
    writer->path.depth--;
    return good;
}

/* --- all --- */

bool json_write(const struct json_schema *schema, const struct json_message *message,
                struct bytes payload, bool reject_unknown, struct text *out, struct error *error) {
    struct writer writer = {.schema = schema, .out = out, .error = error};
    struct violation violation;
    size_t before = out->len;
    if (!contract_check(schema->contract, message->contract_message, payload, reject_unknown,
                        &violation))
        return error_set(error, 0, "%.120s: %s", violation.path, violation.reason);
    arena_init(&writer.arena, MEMORY_MAX);
    json_path_enter(&writer.path, message->descriptor->name);
    bool good = message_write(&writer, message, payload);
    if (!good) {
        out->len = before;
        if (out->at) out->at[before] = 0;
    }
    text_deinit(&writer.path.text);
    arena_deinit(&writer.arena);
    return good;
}
