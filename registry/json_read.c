#include "registry/json_read.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "protocol/varint.h"
#include "registry/json_big.h"
#include "registry/json_path.h"
#include "registry/well_known.h"

struct reader {
    const struct json_schema *schema;
    struct byte_buffer *out;
    struct error *error;
    struct json_path path;
    bool has_big; /* numbers that are marked strings (registry/json_big.h) */
};

static const char *const type_names[PROTO_TYPE_COUNT] = {
    [PROTO_DOUBLE] = "a number",   [PROTO_FLOAT] = "a number",     [PROTO_INT64] = "int64",
    [PROTO_UINT64] = "uint64",     [PROTO_INT32] = "int32",        [PROTO_FIXED64] = "fixed64",
    [PROTO_FIXED32] = "fixed32",   [PROTO_BOOL] = "true or false", [PROTO_STRING] = "a string",
    [PROTO_BYTES] = "base64",      [PROTO_UINT32] = "uint32",      [PROTO_ENUM] = "enum",
    [PROTO_SFIXED32] = "sfixed32", [PROTO_SFIXED64] = "sfixed64",  [PROTO_SINT32] = "sint32",
    [PROTO_SINT64] = "sint64",
};

/* --- words --- */

static struct bytes text_of(const json_t *value) {
    return bytes_make(json_string_value(value), json_string_length(value));
}

/* The digits of a number that jansson has no room for; null when it is none. */
static struct bytes big_of(const struct reader *reader, const json_t *value) {
    const size_t mark = sizeof JSON_BIG_MARK - 1;
    if (!reader->has_big || !json_is_string(value)) return BYTES_NULL;
    struct bytes text = text_of(value);
    if (!bytes_starts_with(text, BYTES_OF(JSON_BIG_MARK))) return BYTES_NULL;
    return bytes_make(text.at + mark, text.len - mark);
}

static bool is_string(const struct reader *reader, const json_t *value) {
    return json_is_string(value) && bytes_is_null(big_of(reader, value));
}

/* A string as far as it can be shown in a line. */
static void string_describe(struct bytes text, struct text *out) {
    enum { SHOWN = 40 };
    size_t len = text.len < SHOWN ? text.len : SHOWN;
    text_append_json(out, bytes_make(text.at, utf8_valid_length(bytes_make(text.at, len))));
    if (len < text.len) text_printf(out, "...");
}

static void describe(const json_t *value, struct text *out) {
    switch (json_typeof(value)) {
        case JSON_OBJECT: text_printf(out, "an object"); break;
        case JSON_ARRAY: text_printf(out, "an array"); break;
        case JSON_STRING: string_describe(text_of(value), out); break;
        case JSON_INTEGER: text_printf(out, "%lld", (long long)json_integer_value(value)); break;
        case JSON_REAL: text_printf(out, "%g", json_real_value(value)); break;
        case JSON_TRUE: text_printf(out, "true"); break;
        case JSON_FALSE: text_printf(out, "false"); break;
        case JSON_NULL: text_printf(out, "null"); break;
    }
}

static bool fail(struct reader *reader, const char *why) {
    return error_set(reader->error, EINVAL, "%s: %s", json_path_show(&reader->path), why);
}

static bool mismatch(struct reader *reader, const char *expected, const json_t *value) {
    struct text found = {0};
    struct bytes big = big_of(reader, value);
    if (bytes_is_null(big))
        describe(value, &found);
    else
        text_append(&found, big);
    error_set(reader->error, EINVAL, "%s: expected %s, found %s", json_path_show(&reader->path),
              expected, found.at);
    text_deinit(&found);
    return false;
}

/* --- the wire --- */

static void varint_put(struct byte_buffer *out, uint64_t value) {
    out->len += varint_put_u64(byte_buffer_reserve(out, VARINT_64_MAX), value);
}

static void tag_put(struct byte_buffer *out, uint32_t number, enum wire_type type) {
    varint_put(out, (uint64_t)number << 3 | type);
}

static void number_put(struct byte_buffer *out, enum wire_type type, uint64_t value) {
    size_t size = type == WIRE_FIXED64 ? 8 : 4;
    if (type == WIRE_VARINT) return varint_put(out, value);
    memcpy(byte_buffer_reserve(out, size), &value, size); /* little-endian, both */
    out->len += size;
}

static void bytes_put(struct byte_buffer *out, uint32_t number, struct bytes bytes) {
    tag_put(out, number, WIRE_BYTES);
    varint_put(out, bytes.len);
    byte_buffer_append(out, bytes);
}

/* What was written since `start` gets its length in front. */
static void length_insert(struct byte_buffer *out, size_t start) {
    size_t len = out->len - start, size = varint_size_u64(len);
    byte_buffer_reserve(out, size);
    memmove(out->at + start + size, out->at + start, len);
    varint_put_u64(out->at + start, len);
    out->len += size;
}

/* --- numbers --- */

/* A whole number that fits 64 bits, one way or the other. */
struct whole {
    bool negative;
    uint64_t magnitude;
};

static bool whole_parse(struct bytes text, struct whole *whole) {
    size_t at = text.len > 0 && text.at[0] == '-';
    *whole = (struct whole){.negative = at > 0};
    if (at == text.len || (text.at[at] == '0' && at + 1 < text.len)) return false;
    for (; at < text.len; at++) {
        if (!isdigit(text.at[at]) ||
            __builtin_mul_overflow(whole->magnitude, 10, &whole->magnitude) ||
            __builtin_add_overflow(whole->magnitude, text.at[at] - '0', &whole->magnitude))
            return false;
    }
    return true;
}

/* 1.5e3 is a whole number too, as far as a double is exact. */
static bool whole_of(const struct reader *reader, const json_t *value, struct whole *whole) {
    static const double exact = 9007199254740992.0;
    struct bytes big = big_of(reader, value);
    if (!bytes_is_null(big)) return whole_parse(big, whole);
    if (json_is_string(value)) return whole_parse(text_of(value), whole);
    if (json_is_integer(value)) {
        json_int_t number = json_integer_value(value);
        *whole = (struct whole){number < 0, number < 0 ? -(uint64_t)number : (uint64_t)number};
        return true;
    }
    double real = json_real_value(value);
    if (!json_is_real(value) || real != trunc(real) || fabs(real) > exact) return false;
    *whole = (struct whole){real < 0, (uint64_t)fabs(real)};
    return true;
}

static bool whole_fits(struct whole whole, unsigned bits, bool with_sign) {
    uint64_t most = UINT64_MAX >> (64 - bits);
    if (!with_sign) return whole.magnitude <= most && (!whole.negative || whole.magnitude == 0);
    return whole.magnitude <= most / 2 + (whole.negative ? 1 : 0);
}

static bool is_signed(enum proto_type type) {
    return type != PROTO_UINT32 && type != PROTO_UINT64 && type != PROTO_FIXED32 &&
           type != PROTO_FIXED64;
}

static bool is_64_bits(enum proto_type type) {
    return type == PROTO_INT64 || type == PROTO_UINT64 || type == PROTO_FIXED64 ||
           type == PROTO_SFIXED64 || type == PROTO_SINT64;
}

/* As it goes on the wire. */
static bool whole_read(struct reader *reader, enum proto_type type, const json_t *value,
                       uint64_t *raw) {
    struct whole whole;
    if (!whole_of(reader, value, &whole) ||
        !whole_fits(whole, is_64_bits(type) ? 64 : 32, is_signed(type)))
        return mismatch(reader, type_names[type], value);
    *raw = whole.negative ? -whole.magnitude : whole.magnitude;
    if (type == PROTO_SINT32) *raw = zigzag_32((int32_t)*raw);
    if (type == PROTO_SINT64) *raw = zigzag_64((int64_t)*raw);
    return true;
}

/* A number in quotes, or one of the three that JSON has no numbers for. */
static bool real_parse(const struct reader *reader, const json_t *value, double *real) {
    struct bytes big = big_of(reader, value);
    const char *text = bytes_is_null(big) ? json_string_value(value) : (const char *)big.at;
    size_t len = bytes_is_null(big) ? json_string_length(value) : big.len;
    char *end;
    *real = bytes_equal_text(text_of(value), "NaN")         ? (double)NAN
            : bytes_equal_text(text_of(value), "Infinity")  ? (double)INFINITY
            : bytes_equal_text(text_of(value), "-Infinity") ? -(double)INFINITY
                                                            : 0;
    if (*real != 0) return true;
    if (len == 0 || strspn(text, "0123456789+-.eE") != len) return false;
    *real = strtod(text, &end);
    return *end == 0 && isfinite(*real);
}

static bool real_read(struct reader *reader, enum proto_type type, const json_t *value,
                      uint64_t *raw) {
    double real;
    if (json_is_string(value)) {
        if (!real_parse(reader, value, &real)) return mismatch(reader, type_names[type], value);
    } else if (json_is_number(value)) {
        real = json_number_value(value);
    } else {
        return mismatch(reader, type_names[type], value);
    }
    float single = (float)real;
    if (type == PROTO_DOUBLE) {
        memcpy(raw, &real, sizeof real);
        return true;
    }
    if (isinf(single) && !isinf(real)) return mismatch(reader, "a number that fits float", value);
    *raw = 0;
    memcpy(raw, &single, sizeof single);
    return true;
}

static bool enum_mismatch(struct reader *reader, const struct enum_descriptor *from,
                          const json_t *value) {
    struct text expected = {0};
    text_printf(&expected, "a value of enum %.*s (", BYTES_FORMAT(from->name));
    for (size_t i = 0; i < from->value_count && i < 4; i++)
        text_printf(&expected, "%s%.*s", i ? ", " : "", BYTES_FORMAT(from->values[i].name));
    text_printf(&expected, from->value_count > 4 ? ", ...)" : ")");
    mismatch(reader, expected.at, value);
    text_deinit(&expected);
    return false;
}

/* A closed enum has no values but those of the schema. */
static bool enum_read(struct reader *reader, const struct json_field *field, const json_t *value,
                      uint64_t *raw) {
    const struct enum_descriptor *from = field->field->enumeration;
    struct whole whole;
    if (!from) return fail(reader, "its enum is not in the schema");
    *raw = 0;
    if (json_is_null(value)) return true; /* NullValue; others do not come here */
    bool is_number =
        json_is_number(value) && whole_of(reader, value, &whole) && whole_fits(whole, 32, true);
    int32_t number = is_number ? (int32_t)(whole.negative ? -whole.magnitude : whole.magnitude) : 0;
    if (is_number && from->file->proto3) {
        *raw = (uint64_t)(int64_t)number;
        return true;
    }
    for (size_t i = 0; i < from->value_count; i++) {
        bool found =
            is_number ? from->values[i].number == number
                      : json_is_string(value) && bytes_equal(from->values[i].name, text_of(value));
        if (!found) continue;
        *raw = (uint64_t)(int64_t)from->values[i].number;
        return true;
    }
    return enum_mismatch(reader, from, value);
}

static bool number_read(struct reader *reader, const struct json_field *field, const json_t *value,
                        uint64_t *raw) {
    enum proto_type type = field->field->type;
    switch (type) {
        case PROTO_DOUBLE:
        case PROTO_FLOAT: return real_read(reader, type, value, raw);
        case PROTO_ENUM: return enum_read(reader, field, value, raw);
        case PROTO_BOOL:
            *raw = json_is_true(value);
            return json_is_boolean(value) || mismatch(reader, type_names[type], value);
        default: return whole_read(reader, type, value, raw);
    }
}

/* --- strings and bytes --- */

/* The alphabet for URLs becomes the plain one. */
static bool base64_read(struct bytes text, struct byte_buffer *out) {
    struct byte_buffer plain = {0};
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        byte_buffer_put_u8(&plain, c == '-' ? '+' : c == '_' ? '/' : isspace(c) ? '!' : c);
    }
    bool good = base64_decode(byte_buffer_bytes(&plain), out);
    byte_buffer_deinit(&plain);
    return good;
}

static bool text_field_read(struct reader *reader, const struct json_field *field,
                            const json_t *value) {
    struct byte_buffer decoded = {0};
    bool is_bytes = field->field->type == PROTO_BYTES;
    if (!is_string(reader, value) || (is_bytes && !base64_read(text_of(value), &decoded))) {
        byte_buffer_deinit(&decoded);
        return mismatch(reader, type_names[field->field->type], value);
    }
    struct bytes content = is_bytes ? byte_buffer_bytes(&decoded) : text_of(value);
    if (content.len > 0 || !field->implicit) bytes_put(reader->out, field->field->number, content);
    byte_buffer_deinit(&decoded);
    return true;
}

/* --- fields --- */

static bool message_read(struct reader *reader, const struct json_message *message,
                         const json_t *value);

static bool message_field_read(struct reader *reader, const struct json_field *field,
                               const json_t *value) {
    uint32_t number = field->field->number;
    bool group = field->field->type == PROTO_GROUP;
    tag_put(reader->out, number, group ? WIRE_GROUP : WIRE_BYTES);
    size_t start = reader->out->len;
    if (!message_read(reader, field->message, value)) return false;
    if (group)
        tag_put(reader->out, number, WIRE_END_GROUP);
    else
        length_insert(reader->out, start);
    return true;
}

/* With its tag. */
static bool element_read(struct reader *reader, const struct json_field *field,
                         const json_t *value) {
    enum wire_type type = json_wire_type(field->field->type);
    uint64_t raw;
    if (field->message) return message_field_read(reader, field, value);
    if (type == WIRE_BYTES) return text_field_read(reader, field, value);
    if (!number_read(reader, field, value, &raw)) return false;
    if (raw == 0 && field->implicit) return true;
    tag_put(reader->out, field->field->number, type);
    number_put(reader->out, type, raw);
    return true;
}

static bool item_read(struct reader *reader, const struct json_field *field, const json_t *value) {
    uint64_t raw;
    if (json_is_null(value) && !json_field_takes_null(field))
        return fail(reader, "null cannot be an element of a list");
    if (!field->packed) return element_read(reader, field, value);
    if (!number_read(reader, field, value, &raw)) return false;
    number_put(reader->out, json_wire_type(field->field->type), raw);
    return true;
}

static bool array_read(struct reader *reader, const struct json_field *field, const json_t *value) {
    size_t i, start = 0;
    json_t *item;
    if (!json_is_array(value)) return mismatch(reader, "an array", value);
    if (json_array_size(value) == 0) return true;
    if (field->packed) {
        tag_put(reader->out, field->field->number, WIRE_BYTES);
        start = reader->out->len;
    }
    json_array_foreach(value, i, item) {
        size_t before = json_path_enter_index(&reader->path, i);
        if (!item_read(reader, field, item)) return false;
        json_path_leave(&reader->path, before);
    }
    if (field->packed) length_insert(reader->out, start);
    return true;
}

/* --- maps --- */

/* Keys are strings in JSON, whatever they are. */
static bool key_read(struct reader *reader, const struct json_field *field, const char *key,
                     size_t len) {
    bool is_true = strcmp(key, "true") == 0;
    bool is_bool = field->field->type == PROTO_BOOL && (is_true || strcmp(key, "false") == 0);
    json_t *value = is_bool ? json_boolean(is_true) : json_stringn(key, len);
    bool good = value && element_read(reader, field, value);
    json_decref(value);
    return good;
}

static bool entry_read(struct reader *reader, const struct json_field *field, const char *key,
                       size_t key_len, const json_t *value) {
    const struct json_message *entry = field->message;
    tag_put(reader->out, field->field->number, WIRE_BYTES);
    size_t start = reader->out->len;
    if (!key_read(reader, &entry->fields[0], key, key_len)) return false;
    if (json_is_null(value) && !json_field_takes_null(&entry->fields[1]))
        return fail(reader, "null cannot be a value of a map");
    if (!element_read(reader, &entry->fields[1], value)) return false;
    length_insert(reader->out, start);
    return true;
}

static bool map_read(struct reader *reader, const struct json_field *field, const json_t *value) {
    if (!json_is_object(value)) return mismatch(reader, "an object", value);
    if (reader->path.depth > CONTRACT_NESTING_MAX) return fail(reader, "nested too deep");
    reader->path.depth++; /* an entry is a message */
    for (void *at = json_object_iter((json_t *)value); at;
         at = json_object_iter_next((json_t *)value, at)) {
        struct text shown = {0};
        const char *key = json_object_iter_key(at);
        size_t len = json_object_iter_key_len(at);
        string_describe(bytes_make(key, len), &shown);
        size_t before = json_path_enter_key(&reader->path, text_bytes(&shown));
        text_deinit(&shown);
        if (!entry_read(reader, field, key, len, json_object_iter_value(at))) return false;
        json_path_leave(&reader->path, before);
    }
    reader->path.depth--;
    return true;
}

/* --- objects --- */

/* The member that is the field, by either name; NULL when it is not there, also with an error. */
static json_t *member_find(struct reader *reader, const struct json_field *field,
                           const json_t *object, size_t *seen, bool *twice) {
    struct bytes name = field->name, alias = field->alias;
    json_t *first = json_object_getn(object, (const char *)name.at, name.len), *second = NULL;
    if (!bytes_is_null(alias) && !bytes_equal(alias, name))
        second = json_object_getn(object, (const char *)alias.at, alias.len);
    *twice = first && second;
    if (*twice) fail(reader, "given twice, under both of its names");
    *seen += (first || second) ? 1 : 0;
    return first ? first : second;
}

static bool field_read(struct reader *reader, const struct json_field *field, const json_t *value) {
    if (field->is_map) return map_read(reader, field, value);
    if (field->repeated) return array_read(reader, field, value);
    return element_read(reader, field, value);
}

/* `taken`, by number of the oneof: the member that was given. */
static bool oneof_take(struct reader *reader, const struct json_field *field,
                       const struct json_field **taken) {
    int oneof = field->oneof;
    if (oneof < 0) return true;
    const struct json_field *other = taken[oneof];
    taken[oneof] = field;
    if (!other) return true;
    return error_set(reader->error, EINVAL,
                     "%s: \"%.*s\" is given too, and only one of them can be",
                     json_path_show(&reader->path), BYTES_FORMAT(other->name));
}

static bool member_read(struct reader *reader, const struct json_field *field, const json_t *object,
                        size_t *seen, const struct json_field **taken) {
    bool twice, good = true;
    size_t before = json_path_enter(&reader->path, field->field->name);
    const json_t *value = member_find(reader, field, object, seen, &twice);
    if (twice) return false;
    if (json_is_null(value) && (field->repeated || !json_field_takes_null(field))) value = NULL;
    if (value)
        good = oneof_take(reader, field, taken) && field_read(reader, field, value);
    else if (field->field->label == LABEL_REQUIRED)
        good = fail(reader, "required, but missing");
    if (good) json_path_leave(&reader->path, before);
    return good;
}

static bool is_member(const struct json_message *message, struct bytes name) {
    for (size_t i = 0; i < message->field_count; i++)
        if (bytes_equal(name, message->fields[i].name) ||
            (!bytes_is_null(message->fields[i].alias) &&
             bytes_equal(name, message->fields[i].alias)))
            return true;
    return false;
}

static bool unknown_fail(struct reader *reader, const struct json_message *message,
                         const json_t *object, bool is_any) {
    for (void *at = json_object_iter((json_t *)object); at;
         at = json_object_iter_next((json_t *)object, at)) {
        struct bytes name = bytes_make(json_object_iter_key(at), json_object_iter_key_len(at));
        struct text shown = {0};
        if (is_member(message, name) || (is_any && bytes_equal_text(name, "@type"))) continue;
        string_describe(name, &shown);
        error_set(reader->error, EINVAL, "%s: %.*s has no field %s", json_path_show(&reader->path),
                  BYTES_FORMAT(message->descriptor->full_name), shown.at);
        text_deinit(&shown);
        return false;
    }
    return fail(reader, "has a field that is not in the schema");
}

static bool members_read(struct reader *reader, const struct json_message *message,
                         const json_t *object, bool is_any) {
    size_t seen = is_any ? 1 : 0;
    bool good = true;
    const struct json_field **taken = (const struct json_field **)memory_zero(
        message->descriptor->oneof_count + 1, sizeof(struct json_field *));
    for (size_t i = 0; good && i < message->field_count; i++)
        good = member_read(reader, &message->fields[i], object, &seen, taken);
    free(taken);
    if (!good || seen == json_object_size(object)) return good;
    return unknown_fail(reader, message, object, is_any);
}

/* --- well-known types --- */

static bool any_content_read(struct reader *reader, const struct json_message *message,
                             const json_t *object) {
    if (message->form == JSON_FORM_OBJECT) {
        reader->path.depth++;
        bool good = members_read(reader, message, object, true);
        reader->path.depth--;
        return good;
    }
    const json_t *value = json_object_get(object, "value");
    if (!value || json_object_size(object) != 2)
        return fail(reader, "an Any of this type has \"@type\" and \"value\", and nothing else");
    return message_read(reader, message, value);
}

static bool any_read(struct reader *reader, const json_t *value) {
    const json_t *url = json_object_get(value, "@type");
    if (!json_is_object(value)) return mismatch(reader, "an object", value);
    if (json_object_size(value) == 0) return true;
    if (!url || !json_is_string(url)) return fail(reader, "an Any needs \"@type\", a string");
    const struct json_message *message = json_schema_find_url(reader->schema, text_of(url));
    if (!message)
        return mismatch(reader, "the URL of a message of the schema's files in \"@type\"", url);
    bytes_put(reader->out, 1, text_of(url));
    tag_put(reader->out, 2, WIRE_BYTES);
    size_t start = reader->out->len;
    if (!any_content_read(reader, message, value)) return false;
    length_insert(reader->out, start);
    return true;
}

static void part_put(struct reader *reader, uint32_t number, int64_t value) {
    if (value == 0) return;
    tag_put(reader->out, number, WIRE_VARINT);
    varint_put(reader->out, (uint64_t)value);
}

static bool time_read(struct reader *reader, const json_t *value, bool is_duration) {
    int64_t seconds;
    int32_t nanos;
    if (!json_is_string(value) ||
        !(is_duration ? well_known_duration_parse : well_known_timestamp_parse)(text_of(value),
                                                                                &seconds, &nanos))
        return mismatch(
            reader, is_duration ? "a duration as \"1.5s\"" : "a time as \"2024-01-31T12:00:00.5Z\"",
            value);
    part_put(reader, 1, seconds);
    part_put(reader, 2, nanos);
    return true;
}

static bool mask_read(struct reader *reader, const json_t *value) {
    static const char expected[] = "paths in lowerCamelCase between commas";
    if (!is_string(reader, value)) return mismatch(reader, expected, value);
    struct bytes rest = text_of(value);
    bool good = true;
    while (good && rest.len > 0) {
        struct text path = {0};
        const uint8_t *comma = (const uint8_t *)memchr(rest.at, ',', rest.len);
        size_t len = comma ? (size_t)(comma - rest.at) : rest.len;
        good = well_known_mask_parse(bytes_make(rest.at, len), &path);
        if (good) bytes_put(reader->out, 1, text_bytes(&path));
        rest = bytes_make(rest.at + len + (comma != NULL), rest.len - len - (comma != NULL));
        text_deinit(&path);
    }
    return good || mismatch(reader, expected, value);
}

/* The field of google.protobuf.Value for each type of JSON. */
static const struct json_field *value_field(const struct reader *reader,
                                            const struct json_message *message,
                                            const json_t *value) {
    if (!bytes_is_null(big_of(reader, value))) return &message->fields[1];
    switch (json_typeof(value)) {
        case JSON_NULL: return &message->fields[0];
        case JSON_INTEGER:
        case JSON_REAL: return &message->fields[1];
        case JSON_STRING: return &message->fields[2];
        case JSON_TRUE:
        case JSON_FALSE: return &message->fields[3];
        case JSON_OBJECT: return &message->fields[4];
        default: return &message->fields[5];
    }
}

static bool form_read(struct reader *reader, const struct json_message *message,
                      const json_t *value) {
    switch (message->form) {
        case JSON_FORM_ANY: return any_read(reader, value);
        case JSON_FORM_TIMESTAMP: return time_read(reader, value, false);
        case JSON_FORM_DURATION: return time_read(reader, value, true);
        case JSON_FORM_MASK: return mask_read(reader, value);
        case JSON_FORM_INNER: return field_read(reader, &message->fields[0], value);
        case JSON_FORM_VALUE: return field_read(reader, value_field(reader, message, value), value);
        case JSON_FORM_OBJECT: break;
    }
    if (!json_is_object(value)) return mismatch(reader, "an object", value);
    return members_read(reader, message, value, false);
}

static bool message_read(struct reader *reader, const struct json_message *message,
                         const json_t *value) {
    if (reader->path.depth > CONTRACT_NESTING_MAX) return fail(reader, "nested too deep");
    reader->path.depth++;
    if (!form_read(reader, message, value)) return false;
    reader->path.depth--;
    return true;
}

/* --- all --- */

static json_t *text_parse(struct bytes json, json_error_t *problem) {
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    return json_loadb(json.at ? (const char *)json.at : "", json.len, flags, problem);
}

static json_t *json_parse(struct bytes json, bool *has_big, struct error *error) {
    json_error_t problem;
    struct byte_buffer marked = {0};
    json_t *value = text_parse(json, &problem);
    *has_big = !value && json_error_code(&problem) == json_error_numeric_overflow &&
               json_big_mark(json, &marked);
    if (*has_big) value = text_parse(byte_buffer_bytes(&marked), &problem);
    byte_buffer_deinit(&marked);
    if (!value && json_error_code(&problem) == json_error_numeric_overflow)
        error_set(error, EINVAL, "column %d: a number that is too large", problem.column);
    else if (!value)
        error_set(error, EINVAL, "column %d: not JSON: %.120s", problem.column, problem.text);
    return value;
}

bool json_read(const struct json_schema *schema, const struct json_message *message,
               struct bytes json, struct byte_buffer *out, struct error *error) {
    struct reader reader = {.schema = schema, .out = out, .error = error};
    size_t before = out->len;
    if (json.len > JSON_BYTES_MAX)
        return error_set(error, EINVAL, "larger than %d bytes", JSON_BYTES_MAX);
    json_t *value = json_parse(json, &reader.has_big, error);
    if (!value) return false;
    json_path_enter(&reader.path, message->descriptor->name);
    bool good = message_read(&reader, message, value);
    if (!good) out->len = before;
    json_decref(value);
    text_deinit(&reader.path.text);
    return good;
}
