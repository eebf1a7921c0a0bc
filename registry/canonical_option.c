#include "registry/canonical_option.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "protocol/varint.h"
#include "registry/known.h"
#include "registry/wire_field.h"

enum { OPTION_NESTING_MAX = 32, UNINTERPRETED = 999, MAP_ENTRY = 7 };

/* A field of an options message, or an extension of it; `scope` is what an extension's name needs.
 */
struct option_field {
    const struct field_descriptor *field;
    struct bytes scope;
    bool is_extension;
};

static void value_print(const struct option_scope *scope, const struct field_descriptor *field,
                        const struct wire_field *value, int depth, struct text *text);

void option_scope_init(struct option_scope *scope, const struct descriptor_set *linked, bool sorted,
                       struct arena *arena) {
    struct error error;
    *scope = (struct option_scope){.linked = linked, .arena = arena, .sorted = sorted};
    for (size_t i = 0; i < known_file_count; i++) {
        if (strcmp(known_files[i].name, "google/protobuf/descriptor.proto") != 0) continue;
        bool read = descriptor_file_read(bytes_make(known_files[i].descriptor, known_files[i].len),
                                         arena, &scope->builtin, &error);
        check(read);
    }
    check(scope->builtin.file_count);
}

static bool extends(const struct field_descriptor *extension, struct bytes type) {
    struct bytes extendee = extension->extendee;
    if (extendee.len && extendee.at[0] == '.')
        extendee = bytes_make(extendee.at + 1, extendee.len - 1);
    return bytes_equal(extendee, type);
}

static bool extension_among(const struct field_descriptor *extensions, size_t count,
                            struct bytes scope, struct bytes type, uint32_t number,
                            struct option_field *found) {
    for (size_t i = 0; i < count; i++) {
        if (extensions[i].number != number || !extends(&extensions[i], type)) continue;
        *found = (struct option_field){&extensions[i], scope, true};
        return true;
    }
    return false;
}

static bool extension_find(const struct descriptor_set *set, struct bytes type, uint32_t number,
                           struct option_field *found) {
    for (size_t i = 0; i < set->file_count; i++) {
        const struct file_descriptor *file = &set->files[i];
        if (extension_among(file->extensions, file->extension_count, file->package, type, number,
                            found))
            return true;
    }
    for (size_t i = 0; i < set->message_count; i++) {
        const struct message_descriptor *message = set->messages[i];
        if (extension_among(message->extensions, message->extension_count, message->full_name, type,
                            number, found))
            return true;
    }
    return false;
}

static bool field_find(const struct option_scope *scope, struct bytes type, uint32_t number,
                       struct option_field *found) {
    const struct message_descriptor *message = descriptor_find_message(scope->linked, type);
    if (!message) message = descriptor_find_message(&scope->builtin, type);
    for (size_t i = 0; message && i < message->field_count; i++) {
        if (message->fields[i].number != number) continue;
        *found = (struct option_field){.field = &message->fields[i]};
        return true;
    }
    return extension_find(scope->linked, type, number, found);
}

void option_print_string(struct bytes value, struct text *text) {
    text_append(text, BYTES_OF("\""));
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.at[i];
        if (byte == '"' || byte == '\\')
            text_printf(text, "\\%c", byte);
        else if (byte == '\n')
            text_append(text, BYTES_OF("\\n"));
        else if (byte < 0x20 || byte >= 0x7f)
            text_printf(text, "\\%03o", byte);
        else
            text_append(text, bytes_make(&byte, 1));
    }
    text_append(text, BYTES_OF("\""));
}

static void double_print(double value, bool is_float, struct text *text) {
    if (isnan(value))
        text_append(text, BYTES_OF("nan"));
    else if (isinf(value))
        text_printf(text, "%sinf", value < 0 ? "-" : "");
    else
        text_printf(text, is_float ? "%.9g" : "%.17g", value);
}

static void enum_print(const struct option_scope *scope, const struct field_descriptor *field,
                       int32_t number, struct text *text) {
    const struct enum_descriptor *values = descriptor_find_enum(scope->linked, field->type_name);
    if (!values) values = descriptor_find_enum(&scope->builtin, field->type_name);
    for (size_t i = 0; values && i < values->value_count; i++) {
        if (values->values[i].number != number) continue;
        text_append(text, values->values[i].name);
        return;
    }
    text_printf(text, "%d", number);
}

static void aggregate_print(const struct option_scope *scope, struct bytes type,
                            struct bytes content, int depth, struct text *text) {
    struct wire_field value;
    struct option_field found;
    bool broken = false, first = true;
    if (type.len && type.at[0] == '.') type = bytes_make(type.at + 1, type.len - 1);
    text_append(text, BYTES_OF("{"));
    while (depth < OPTION_NESTING_MAX && wire_field_next(&content, &value, &broken)) {
        if (!field_find(scope, type, value.number, &found)) continue;
        text_append(text, first ? BYTES_OF("") : BYTES_OF(", "));
        first = false;
        if (found.is_extension) {
            text_printf(text, "[%.*s%s%.*s]", BYTES_FORMAT(found.scope), found.scope.len ? "." : "",
                        BYTES_FORMAT(found.field->name));
        } else {
            text_append(text, found.field->name);
        }
        text_append(text, BYTES_OF(": "));
        value_print(scope, found.field, &value, depth + 1, text);
    }
    text_append(text, BYTES_OF("}"));
}

static void value_print(const struct option_scope *scope, const struct field_descriptor *field,
                        const struct wire_field *value, int depth, struct text *text) {
    uint64_t raw = value->value;
    float narrow;
    double wide;
    switch (field->type) {
        case PROTO_BOOL: text_append(text, raw ? BYTES_OF("true") : BYTES_OF("false")); break;
        case PROTO_INT32:
        case PROTO_SFIXED32: text_printf(text, "%d", (int32_t)raw); break;
        case PROTO_INT64:
        case PROTO_SFIXED64: text_printf(text, "%lld", (long long)raw); break;
        case PROTO_SINT32:
        case PROTO_SINT64: text_printf(text, "%lld", (long long)zigzag_64_back(raw)); break;
        case PROTO_UINT32:
        case PROTO_UINT64:
        case PROTO_FIXED32:
        case PROTO_FIXED64: text_printf(text, "%llu", (unsigned long long)raw); break;
        case PROTO_FLOAT:
            memcpy(&narrow, &raw, sizeof narrow);
            double_print(narrow, true, text);
            break;
        case PROTO_DOUBLE:
            memcpy(&wide, &raw, sizeof wide);
            double_print(wide, false, text);
            break;
        case PROTO_STRING:
        case PROTO_BYTES: option_print_string(value->bytes, text); break;
        case PROTO_ENUM: enum_print(scope, field, (int32_t)raw, text); break;
        case PROTO_MESSAGE:
            aggregate_print(scope, field->type_name, value->bytes, depth, text);
            break;
        default: text_append(text, BYTES_OF("0"));
    }
}

/* UninterpretedOption: an option that no import defines, as it was written. */
static void uninterpreted_print(struct bytes option, struct text *text) {
    struct wire_field field, part;
    struct bytes value = BYTES_NULL;
    struct text printed = {0};
    bool broken = false, first = true;
    while (wire_field_next(&option, &field, &broken)) {
        double wide;
        if (field.number ==
            2) { /* a part of the name: 1 the text, 2 whether it is in parentheses */
            struct bytes name = BYTES_NULL;
            bool in_parentheses = false;
            while (wire_field_next(&field.bytes, &part, &broken)) {
                if (part.number == 1) name = part.bytes;
                if (part.number == 2) in_parentheses = part.value;
            }
            text_printf(text, in_parentheses ? "%s(%.*s)" : "%s%.*s", first ? "" : ".",
                        BYTES_FORMAT(name));
            first = false;
        }
        memcpy(&wide, &field.value, sizeof wide);
        switch (field.number) {
            case 3: value = field.bytes; break;
            case 4: text_printf(&printed, "%llu", (unsigned long long)field.value); break;
            case 5: text_printf(&printed, "%lld", (long long)field.value); break;
            case 6: double_print(wide, false, &printed); break;
            case 7: option_print_string(field.bytes, &printed); break;
            case 8: text_printf(&printed, "{%.*s}", BYTES_FORMAT(field.bytes)); break;
            default: break;
        }
    }
    if (!bytes_is_null(value)) text_append(&printed, value);
    text_printf(text, " = %.*s", BYTES_FORMAT(text_bytes(&printed)));
    text_deinit(&printed);
}

static bool option_print(const struct option_scope *scope, struct bytes type,
                         const struct wire_field *value, struct text *text) {
    struct option_field found;
    if (value->number == UNINTERPRETED) {
        uninterpreted_print(value->bytes, text);
        return true;
    }
    if (!field_find(scope, type, value->number, &found)) return false;
    if (found.is_extension)
        text_printf(text, "(%.*s%s%.*s)", BYTES_FORMAT(found.scope), found.scope.len ? "." : "",
                    BYTES_FORMAT(found.field->name));
    else
        text_append(text, found.field->name);
    text_append(text, BYTES_OF(" = "));
    value_print(scope, found.field, value, 1, text);
    return true;
}

static int texts_order(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct option_texts option_texts_of(const struct option_scope *scope, struct bytes options,
                                    const char *type) {
    struct option_texts texts = {arena_array(scope->arena, const char *, options.len / 2 + 1), 0};
    bool is_message = strcmp(type, "google.protobuf.MessageOptions") == 0;
    struct wire_field value;
    bool broken = false;
    while (wire_field_next(&options, &value, &broken)) {
        struct text text = {0};
        if (is_message && value.number == MAP_ENTRY) continue;
        if (option_print(scope, bytes_of_text(type), &value, &text))
            texts.at[texts.count++] = arena_text(scope->arena, text_bytes(&text));
        text_deinit(&text);
    }
    if (scope->sorted && texts.count) qsort(texts.at, texts.count, sizeof *texts.at, texts_order);
    return texts;
}
