#include "registry/canonical.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "registry/canonical_option.h"

/* Two trees are walked side by side: `parsed` has types as they were spelled, `linked` has full
 * names and options as values. libprotobuf keeps the order of everything, so equal places are equal
 * things. */
struct printer {
    struct text *text;
    struct arena *arena;
    struct option_scope options;
    bool normalize;
    int indent;
};

enum { NUMBER_MAX = (1 << 29) - 1 };

static void line_begin(struct printer *printer) {
    for (int i = 0; i < printer->indent; i++) text_append(printer->text, BYTES_OF("  "));
}

#define line_print(printer, ...)                   \
    do {                                           \
        line_begin(printer);                       \
        text_printf((printer)->text, __VA_ARGS__); \
    } while (0)

static void block_begin(struct printer *printer, const char *word, struct bytes name) {
    line_print(printer, "%s %.*s {\n", word, BYTES_FORMAT(name));
    printer->indent++;
}

static void block_end(struct printer *printer) {
    printer->indent--;
    line_print(printer, "}\n");
}

/* Pointers to the elements of an array, in their order or in another one. */
static const void **view_of(struct printer *printer, const void *items, size_t count, size_t size,
                            int (*order)(const void *a, const void *b)) {
    const void **view = arena_array(printer->arena, const void *, count + 1);
    for (size_t i = 0; i < count; i++) view[i] = (const char *)items + i * size;
    if (printer->normalize && count) qsort(view, count, sizeof *view, order);
    return view;
}

static void options_print(struct printer *printer, struct bytes options, const char *type) {
    struct option_texts texts = option_texts_of(&printer->options, options, type);
    for (size_t i = 0; i < texts.count; i++) line_print(printer, "option %s;\n", texts.at[i]);
}

/* --- ranges and reserved names --- */

static int ranges_order(const void *a, const void *b) {
    const struct number_range *first = *(const void *const *)a;
    const struct number_range *second = *(const void *const *)b;
    return (first->first > second->first) - (first->first < second->first);
}

static int names_order(const void *a, const void *b) {
    return bytes_compare(*(const struct bytes *)*(const void *const *)a,
                         *(const struct bytes *)*(const void *const *)b);
}

static void ranges_print(struct printer *printer, const char *word,
                         const struct number_range *ranges, size_t count, int64_t max) {
    const void **view = view_of(printer, ranges, count, sizeof *ranges, ranges_order);
    if (count) line_print(printer, "%s ", word);
    for (size_t i = 0; i < count; i++) {
        const struct number_range *range = view[i];
        text_printf(printer->text, "%s%lld", i ? ", " : "", (long long)range->first);
        if (range->last >= max)
            text_printf(printer->text, " to max");
        else if (range->last != range->first)
            text_printf(printer->text, " to %lld", (long long)range->last);
    }
    if (count) text_printf(printer->text, ";\n");
}

static void names_print(struct printer *printer, const struct bytes *names, size_t count) {
    const void **view = view_of(printer, names, count, sizeof *names, names_order);
    if (count) line_print(printer, "reserved ");
    for (size_t i = 0; i < count; i++) {
        text_printf(printer->text, i ? ", " : "");
        option_print_string(*(const struct bytes *)view[i], printer->text);
    }
    if (count) text_printf(printer->text, ";\n");
}

/* --- fields --- */

static const char *const type_words[PROTO_TYPE_COUNT] = {
    [PROTO_DOUBLE] = "double",     [PROTO_FLOAT] = "float",   [PROTO_INT64] = "int64",
    [PROTO_UINT64] = "uint64",     [PROTO_INT32] = "int32",   [PROTO_FIXED64] = "fixed64",
    [PROTO_FIXED32] = "fixed32",   [PROTO_BOOL] = "bool",     [PROTO_STRING] = "string",
    [PROTO_BYTES] = "bytes",       [PROTO_UINT32] = "uint32", [PROTO_SFIXED32] = "sfixed32",
    [PROTO_SFIXED64] = "sfixed64", [PROTO_SINT32] = "sint32", [PROTO_SINT64] = "sint64",
};

/* A place in both trees. */
struct pair {
    const struct message_descriptor *parsed, *linked; /* the message around */
    bool proto3;
};

struct field_pair {
    const struct field_descriptor *parsed, *linked;
};

static void type_print(struct printer *printer, struct field_pair field) {
    const char *word = type_words[field.linked->type];
    struct bytes name = printer->normalize ? field.linked->type_name : field.parsed->type_name;
    if (word)
        text_printf(printer->text, "%s", word);
    else
        text_append(printer->text, name);
}

/* A map's key and value, in the entry message that libprotobuf made of it. */
static bool map_entry_of(const struct pair *in, const struct field_descriptor *linked,
                         struct field_pair pairs[2]) {
    if (!linked->message || !linked->message->is_map_entry || !in->linked) return false;
    for (size_t i = 0; i < in->linked->message_count; i++) {
        if (&in->linked->messages[i] != linked->message) continue;
        const struct message_descriptor *parsed = &in->parsed->messages[i];
        if (parsed->field_count != 2 || linked->message->field_count != 2) return false;
        for (size_t j = 0; j < 2; j++)
            pairs[j] = (struct field_pair){&parsed->fields[j], &linked->message->fields[j]};
        return true;
    }
    return false;
}

/* Lower camel case, as libprotobuf derives it. */
static bool json_name_is_derived(struct bytes name, struct bytes json_name) {
    size_t at = 0;
    bool capital = false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        if (byte == '_') {
            capital = true;
            continue;
        }
        if (capital && byte >= 'a' && byte <= 'z') byte = (uint8_t)(byte - 'a' + 'A');
        capital = false;
        if (at == json_name.len || json_name.at[at++] != byte) return false;
    }
    return at == json_name.len;
}

static void default_print(const struct field_descriptor *field, struct text *text) {
    text_printf(text, "default = ");
    if (field->type == PROTO_STRING)
        option_print_string(field->default_value, text);
    else if (field->type == PROTO_BYTES) /* escaped already */
        text_printf(text, "\"%.*s\"", BYTES_FORMAT(field->default_value));
    else
        text_append(text, field->default_value);
}

static void field_options_print(struct printer *printer, struct field_pair field) {
    struct option_texts texts =
        option_texts_of(&printer->options, field.linked->options, "google.protobuf.FieldOptions");
    const char *before = " [";
    if (!bytes_is_null(field.parsed->default_value)) {
        text_printf(printer->text, "%s", before);
        default_print(field.linked, printer->text);
        before = ", ";
    }
    if (field.parsed->json_name.len &&
        !json_name_is_derived(field.parsed->name, field.parsed->json_name)) {
        text_printf(printer->text, "%sjson_name = ", before);
        option_print_string(field.parsed->json_name, printer->text);
        before = ", ";
    }
    for (size_t i = 0; i < texts.count; i++) {
        text_printf(printer->text, "%s%s", before, texts.at[i]);
        before = ", ";
    }
    if (before[0] == ',') text_printf(printer->text, "]");
}

static const char *label_of(const struct pair *in, const struct field_descriptor *field) {
    if (field->label == LABEL_REPEATED) return "repeated ";
    if (field->label == LABEL_REQUIRED) return "required ";
    if (field->oneof >= 0 && !field->proto3_optional) return "";
    return in->proto3 && !field->proto3_optional ? "" : "optional ";
}

static void message_body_print(struct printer *printer, const struct message_descriptor *parsed,
                               const struct message_descriptor *linked);

static const struct message_descriptor *group_parsed(const struct pair *in,
                                                     const struct message_descriptor *linked) {
    for (size_t i = 0; in->linked && i < in->linked->message_count; i++) {
        if (&in->linked->messages[i] == linked) return &in->parsed->messages[i];
    }
    return NULL;
}

static void field_print(struct printer *printer, const struct pair *in, struct field_pair field) {
    struct field_pair entry[2];
    if (map_entry_of(in, field.linked, entry)) {
        line_print(printer, "map<");
        type_print(printer, entry[0]);
        text_printf(printer->text, ", ");
        type_print(printer, entry[1]);
        text_printf(printer->text, ">");
    } else {
        line_print(printer, "%s", label_of(in, field.linked));
        if (field.linked->type == PROTO_GROUP)
            text_printf(printer->text, "group");
        else
            type_print(printer, field);
    }
    bool is_group = field.linked->type == PROTO_GROUP && field.linked->message;
    struct bytes name = is_group ? field.linked->message->name : field.linked->name;
    text_printf(printer->text, " %.*s = %u", BYTES_FORMAT(name), field.linked->number);
    field_options_print(printer, field);
    const struct message_descriptor *group =
        is_group ? group_parsed(in, field.linked->message) : NULL;
    if (!group) {
        text_printf(printer->text, ";\n");
        return;
    }
    text_printf(printer->text, " {\n");
    printer->indent++;
    message_body_print(printer, group, field.linked->message);
    block_end(printer);
}

static int field_numbers_order(const void *a, const void *b) {
    const struct field_descriptor *first = *(const void *const *)a;
    const struct field_descriptor *second = *(const void *const *)b;
    return (first->number > second->number) - (first->number < second->number);
}

static int oneof_of(const struct field_descriptor *field) {
    return field->proto3_optional ? -1 : field->oneof;
}

/* Those of one oneof, or with -1 those of none. */
static void fields_print(struct printer *printer, const struct pair *in, int oneof) {
    const struct field_descriptor *fields = in->linked->fields;
    const void **view =
        view_of(printer, fields, in->linked->field_count, sizeof *fields, field_numbers_order);
    for (size_t i = 0; i < in->linked->field_count; i++) {
        const struct field_descriptor *field = view[i];
        struct field_pair pair = {&in->parsed->fields[field - fields], field};
        if (oneof_of(field) == oneof) field_print(printer, in, pair);
    }
}

/* The lowest number of a oneof's fields; 0 for the ones that stand for optional fields. */
static uint32_t oneof_first(const struct message_descriptor *message, int oneof) {
    uint32_t first = 0;
    for (size_t i = 0; i < message->field_count; i++) {
        uint32_t number = message->fields[i].number;
        if (oneof_of(&message->fields[i]) == oneof && (!first || number < first)) first = number;
    }
    return first;
}

static void oneof_print(struct printer *printer, const struct pair *in, int oneof) {
    block_begin(printer, "oneof", in->linked->oneofs[oneof].name);
    options_print(printer, in->linked->oneofs[oneof].options, "google.protobuf.OneofOptions");
    fields_print(printer, in, oneof);
    block_end(printer);
}

static void oneofs_print(struct printer *printer, const struct pair *in) {
    uint32_t after = 0;
    for (size_t i = 0; i < in->linked->oneof_count; i++) {
        int next = (int)i;
        if (printer->normalize) { /* the one with the lowest number that was not printed yet */
            uint32_t best = 0;
            for (size_t j = 0; j < in->linked->oneof_count; j++) {
                uint32_t first = oneof_first(in->linked, (int)j);
                if (first <= after || (best && first >= best)) continue;
                best = first;
                next = (int)j;
            }
            if (!best) return;
            after = best;
        }
        if (oneof_first(in->linked, next)) oneof_print(printer, in, next);
    }
}

/* Extensions stand together by what they extend, as long as they do so in the file. */
static void extensions_print(struct printer *printer, const struct pair *in,
                             const struct field_descriptor *parsed,
                             const struct field_descriptor *linked, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool begins = i == 0 || !bytes_equal(linked[i].extendee, linked[i - 1].extendee);
        bool ends = i + 1 == count || !bytes_equal(linked[i].extendee, linked[i + 1].extendee);
        struct bytes of = printer->normalize ? linked[i].extendee : parsed[i].extendee;
        if (begins) block_begin(printer, "extend", of);
        field_print(printer, in, (struct field_pair){&parsed[i], &linked[i]});
        if (ends) block_end(printer);
    }
}

/* --- enums, messages, services --- */

/* By number, but zero first: proto3 wants it there. */
static int values_order(const void *a, const void *b) {
    const struct enum_value *first = *(const void *const *)a;
    const struct enum_value *second = *(const void *const *)b;
    if (first->number == second->number) return bytes_compare(first->name, second->name);
    if (first->number == 0 || second->number == 0) return first->number == 0 ? -1 : 1;
    return first->number > second->number ? 1 : -1;
}

static void enum_print(struct printer *printer, const struct enum_descriptor *linked) {
    const void **view =
        view_of(printer, linked->values, linked->value_count, sizeof *linked->values, values_order);
    block_begin(printer, "enum", linked->name);
    ranges_print(printer, "reserved", linked->reserved, linked->reserved_count, INT32_MAX);
    names_print(printer, linked->reserved_names, linked->reserved_name_count);
    options_print(printer, linked->options, "google.protobuf.EnumOptions");
    for (size_t i = 0; i < linked->value_count; i++) {
        const struct enum_value *value = view[i];
        struct option_texts texts =
            option_texts_of(&printer->options, value->options, "google.protobuf.EnumValueOptions");
        line_print(printer, "%.*s = %d", BYTES_FORMAT(value->name), value->number);
        for (size_t j = 0; j < texts.count; j++)
            text_printf(printer->text, "%s%s", j ? ", " : " [", texts.at[j]);
        text_printf(printer->text, texts.count ? "];\n" : ";\n");
    }
    block_end(printer);
}

static bool is_own_block(const struct message_descriptor *scope,
                         const struct message_descriptor *message) {
    if (message->is_map_entry) return false;
    for (size_t i = 0; scope && i < scope->field_count; i++) {
        if (scope->fields[i].type == PROTO_GROUP && scope->fields[i].message == message)
            return false;
    }
    for (size_t i = 0; scope && i < scope->extension_count; i++) {
        if (scope->extensions[i].type == PROTO_GROUP && scope->extensions[i].message == message)
            return false;
    }
    return true;
}

static void message_print(struct printer *printer, const struct message_descriptor *parsed,
                          const struct message_descriptor *linked) {
    block_begin(printer, "message", linked->name);
    message_body_print(printer, parsed, linked);
    block_end(printer);
}

static void message_body_print(struct printer *printer, const struct message_descriptor *parsed,
                               const struct message_descriptor *linked) {
    struct pair in = {parsed, linked, linked->file->proto3};
    ranges_print(printer, "reserved", linked->reserved, linked->reserved_count, NUMBER_MAX);
    names_print(printer, linked->reserved_names, linked->reserved_name_count);
    options_print(printer, linked->options, "google.protobuf.MessageOptions");
    fields_print(printer, &in, -1);
    oneofs_print(printer, &in);
    ranges_print(printer, "extensions", linked->extension_ranges, linked->extension_range_count,
                 NUMBER_MAX);
    extensions_print(printer, &in, parsed->extensions, linked->extensions, linked->extension_count);
    for (size_t i = 0; i < linked->message_count; i++) {
        if (is_own_block(linked, &linked->messages[i]))
            message_print(printer, &parsed->messages[i], &linked->messages[i]);
    }
    for (size_t i = 0; i < linked->enum_count; i++) enum_print(printer, &linked->enums[i]);
}

static void method_print(struct printer *printer, const struct method_descriptor *parsed,
                         const struct method_descriptor *linked) {
    const struct method_descriptor *types = printer->normalize ? linked : parsed;
    line_print(printer, "rpc %.*s (%s%.*s) returns (%s%.*s)", BYTES_FORMAT(linked->name),
               linked->client_streaming ? "stream " : "", BYTES_FORMAT(types->input),
               linked->server_streaming ? "stream " : "", BYTES_FORMAT(types->output));
    if (linked->options.len == 0) {
        text_printf(printer->text, ";\n");
        return;
    }
    text_printf(printer->text, " {\n");
    printer->indent++;
    options_print(printer, linked->options, "google.protobuf.MethodOptions");
    block_end(printer);
}

static void service_print(struct printer *printer, const struct service_descriptor *parsed,
                          const struct service_descriptor *linked) {
    block_begin(printer, "service", linked->name);
    options_print(printer, linked->options, "google.protobuf.ServiceOptions");
    for (size_t i = 0; i < linked->method_count; i++)
        method_print(printer, &parsed->methods[i], &linked->methods[i]);
    block_end(printer);
}

/* --- files --- */

static int imports_order(const void *a, const void *b) {
    return bytes_compare(((const struct import *)*(const void *const *)a)->name,
                         ((const struct import *)*(const void *const *)b)->name);
}

static void imports_print(struct printer *printer, const struct file_descriptor *file,
                          bool is_public) {
    const void **view =
        view_of(printer, file->imports, file->import_count, sizeof *file->imports, imports_order);
    for (size_t i = 0; i < file->import_count; i++) {
        const struct import *import = view[i];
        if (import->is_public != is_public) continue;
        line_print(printer, "import %s", is_public ? "public " : import->is_weak ? "weak " : "");
        option_print_string(import->name, printer->text);
        text_printf(printer->text, ";\n");
    }
}

static void file_head_print(struct printer *printer, const struct file_descriptor *parsed,
                            const struct file_descriptor *linked) {
    if (linked->proto3) line_print(printer, "syntax = \"proto3\";\n");
    if (linked->package.len) line_print(printer, "package %.*s;\n", BYTES_FORMAT(linked->package));
    imports_print(printer, parsed, false);
    imports_print(printer, parsed, true);
    options_print(printer, linked->options, "google.protobuf.FileOptions");
}

void canonical_print(const struct descriptor_set *parsed_set,
                     const struct descriptor_set *linked_set, bool normalize, struct arena *arena,
                     struct text *text) {
    const struct file_descriptor *parsed = descriptor_root(parsed_set);
    const struct file_descriptor *linked = descriptor_root(linked_set);
    struct printer printer = {.text = text, .arena = arena, .normalize = normalize};
    struct pair top = {.proto3 = linked->proto3};
    check(parsed->message_count == linked->message_count);
    option_scope_init(&printer.options, linked_set, normalize, arena);
    file_head_print(&printer, parsed, linked);
    for (size_t i = 0; i < linked->message_count; i++)
        message_print(&printer, &parsed->messages[i], &linked->messages[i]);
    for (size_t i = 0; i < linked->enum_count; i++) enum_print(&printer, &linked->enums[i]);
    extensions_print(&printer, &top, parsed->extensions, linked->extensions,
                     linked->extension_count);
    for (size_t i = 0; i < linked->service_count; i++)
        service_print(&printer, &parsed->services[i], &linked->services[i]);
}
