#include "registry/descriptor.h"

#include <stdlib.h>

#include "registry/wire_field.h"

/* Each reader goes over its message twice: first it counts the parts, then it fills arrays of that
 * size. A part takes at least two bytes of input, which bounds the arrays by the input. */
struct reader {
    struct arena *arena;
    struct error *error;
    bool failed;
    uint32_t message_count, enum_count;
};

static void fail(struct reader *reader, const char *why) {
    if (!reader->failed) error_set(reader->error, 0, "descriptor: %s", why);
    reader->failed = true;
}

enum { PART_KINDS_MAX = 12 };

/* How often each field number below PART_KINDS_MAX occurs. */
static void parts_count(struct reader *reader, struct bytes from, size_t counts[PART_KINDS_MAX]) {
    struct wire_field field;
    bool broken = false;
    memset(counts, 0, PART_KINDS_MAX * sizeof *counts);
    while (wire_field_next(&from, &field, &broken)) {
        if (field.number < PART_KINDS_MAX && field.type == WIRE_BYTES) counts[field.number]++;
    }
    if (broken) fail(reader, "malformed");
}

static void *parts_new(struct reader *reader, size_t count, size_t size) {
    void *parts = count && !reader->failed ? arena_try(reader->arena, count * size) : NULL;
    if (parts) memset(parts, 0, count * size);
    if (count && !parts) fail(reader, "too large");
    return parts;
}
#define parts_array(reader, type, count) (type *)parts_new(reader, count, sizeof(type))

static struct bytes name_join(struct reader *reader, struct bytes scope, struct bytes name) {
    if (scope.len == 0 || reader->failed) return name;
    uint8_t *whole = (uint8_t *)arena_try(reader->arena, scope.len + 1 + name.len);
    if (!whole) {
        fail(reader, "too large");
        return name;
    }
    memcpy(whole, scope.at, scope.len);
    whole[scope.len] = '.';
    if (name.len) memcpy(whole + scope.len + 1, name.at, name.len);
    return bytes_make(whole, scope.len + 1 + name.len);
}

/* Calls `one` for every part, as long as nothing failed. */
#define parts_each(reader, from, part) \
    struct wire_field part;            \
    bool part##_broken = false;        \
    struct bytes part##_rest = (from); \
    while (!(reader)->failed && wire_field_next(&part##_rest, &part, &part##_broken))

/* The value of a bool or enum inside options; `otherwise` when it is not set. */
static uint64_t option_value(struct bytes options, uint32_t number, uint64_t otherwise) {
    struct wire_field field;
    bool broken = false;
    while (wire_field_next(&options, &field, &broken)) {
        if (field.number == number && field.type == WIRE_VARINT) otherwise = field.value;
    }
    return otherwise;
}

static void field_read(struct reader *reader, struct bytes from, struct field_descriptor *field) {
    field->oneof = -1;
    parts_each(reader, from, part) {
        switch (part.number) {
            case 1: field->name = part.bytes; break;
            case 2: field->extendee = part.bytes; break;
            case 3: field->number = (uint32_t)part.value; break;
            case 4: field->label = part.value <= 3 ? (enum field_label)part.value : 0; break;
            case 5:
                field->type = part.value < PROTO_TYPE_COUNT ? (enum proto_type)part.value : 0;
                break;
            case 6: field->type_name = part.bytes; break;
            case 7: field->default_value = bytes_make(part.bytes.at, part.bytes.len); break;
            case 8: field->options = part.bytes; break;
            case 9: field->oneof = (int)part.value; break;
            case 10: field->json_name = part.bytes; break;
            case 17: field->proto3_optional = part.value; break;
            default: break;
        }
    }
    if (part_broken || field->number == 0 || field->number >= 1u << 29) fail(reader, "bad field");
    uint64_t packed = option_value(field->options, 2, 2);
    field->packing = packed == 2 ? PACKING_UNSET : packed ? PACKING_ON : PACKING_OFF;
}

/* Ranges of messages exclude their end, those of enums include it. */
static void range_read(struct reader *reader, struct bytes from, bool end_excluded,
                       struct number_range *range) {
    parts_each(reader, from, part) {
        if (part.number == 1) range->first = (int32_t)part.value;
        if (part.number == 2) range->last = (int32_t)part.value - end_excluded;
        if (part.number == 3) range->options = part.bytes;
    }
    if (part_broken) fail(reader, "bad range");
}

static void enum_value_read(struct reader *reader, struct bytes from, struct enum_value *value) {
    parts_each(reader, from, part) {
        if (part.number == 1) value->name = part.bytes;
        if (part.number == 2) value->number = (int32_t)part.value;
        if (part.number == 3) value->options = part.bytes;
    }
    if (part_broken) fail(reader, "bad enum value");
}

static void enum_read(struct reader *reader, struct bytes from, struct bytes scope,
                      const struct file_descriptor *file, struct enum_descriptor *target) {
    size_t counts[PART_KINDS_MAX];
    parts_count(reader, from, counts);
    target->values = parts_array(reader, struct enum_value, counts[2]);
    target->reserved = parts_array(reader, struct number_range, counts[4]);
    target->reserved_names = parts_array(reader, struct bytes, counts[5]);
    target->file = file;
    parts_each(reader, from, part) {
        if (part.type != WIRE_BYTES) continue;
        switch (part.number) {
            case 1: target->name = part.bytes; break;
            case 2:
                enum_value_read(reader, part.bytes, &target->values[target->value_count++]);
                break;
            case 3: target->options = part.bytes; break;
            case 4:
                range_read(reader, part.bytes, false, &target->reserved[target->reserved_count++]);
                break;
            case 5: target->reserved_names[target->reserved_name_count++] = part.bytes; break;
            default: break;
        }
    }
    target->full_name = name_join(reader, scope, target->name);
    target->number = reader->enum_count++;
}

static void oneof_read(struct reader *reader, struct bytes from, struct oneof_descriptor *oneof) {
    parts_each(reader, from, part) {
        if (part.number == 1) oneof->name = part.bytes;
        if (part.number == 2) oneof->options = part.bytes;
    }
    if (part_broken) fail(reader, "bad oneof");
}

static void message_arrays(struct reader *reader, struct bytes from,
                           struct message_descriptor *message) {
    size_t counts[PART_KINDS_MAX];
    parts_count(reader, from, counts);
    message->fields = parts_array(reader, struct field_descriptor, counts[2]);
    message->messages = parts_array(reader, struct message_descriptor, counts[3]);
    message->enums = parts_array(reader, struct enum_descriptor, counts[4]);
    message->extension_ranges = parts_array(reader, struct number_range, counts[5]);
    message->extensions = parts_array(reader, struct field_descriptor, counts[6]);
    message->oneofs = parts_array(reader, struct oneof_descriptor, counts[8]);
    message->reserved = parts_array(reader, struct number_range, counts[9]);
    message->reserved_names = parts_array(reader, struct bytes, counts[10]);
}

/* The name comes first in what libprotobuf writes, but need not: it is looked for beforehand. */
static struct bytes name_of(struct bytes from) {
    struct wire_field field;
    struct bytes name = BYTES_NULL;
    bool broken = false;
    while (wire_field_next(&from, &field, &broken)) {
        if (field.number == 1 && field.type == WIRE_BYTES) name = field.bytes;
    }
    return name;
}

static void message_read(struct reader *reader, struct bytes from, struct bytes scope,
                         const struct file_descriptor *file, int depth,
                         struct message_descriptor *message) {
    if (depth > DESCRIPTOR_NESTING_MAX) return fail(reader, "nested too deep");
    message_arrays(reader, from, message);
    message->file = file;
    message->name = name_of(from);
    message->full_name = name_join(reader, scope, message->name);
    message->number = reader->message_count++;
    parts_each(reader, from, part) {
        if (part.type != WIRE_BYTES) continue;
        struct bytes bytes = part.bytes;
        switch (part.number) {
            case 2: field_read(reader, bytes, &message->fields[message->field_count++]); break;
            case 3: {
                struct message_descriptor *inner = &message->messages[message->message_count++];
                inner->parent = message;
                message_read(reader, bytes, message->full_name, file, depth + 1, inner);
                break;
            }
            case 4:
                enum_read(reader, bytes, message->full_name, file,
                          &message->enums[message->enum_count++]);
                break;
            case 5:
                range_read(reader, bytes, true,
                           &message->extension_ranges[message->extension_range_count++]);
                break;
            case 6:
                field_read(reader, bytes, &message->extensions[message->extension_count++]);
                break;
            case 7: message->options = bytes; break;
            case 8: oneof_read(reader, bytes, &message->oneofs[message->oneof_count++]); break;
            case 9:
                range_read(reader, bytes, true, &message->reserved[message->reserved_count++]);
                break;
            case 10: message->reserved_names[message->reserved_name_count++] = bytes; break;
            default: break;
        }
    }
    message->is_map_entry = option_value(message->options, 7, 0) != 0;
    for (size_t i = 0; i < message->field_count && !reader->failed; i++) {
        if (message->fields[i].oneof >= (int)message->oneof_count) fail(reader, "bad oneof index");
    }
}

static void method_read(struct reader *reader, struct bytes from,
                        struct method_descriptor *method) {
    parts_each(reader, from, part) {
        switch (part.number) {
            case 1: method->name = part.bytes; break;
            case 2: method->input = part.bytes; break;
            case 3: method->output = part.bytes; break;
            case 4: method->options = part.bytes; break;
            case 5: method->client_streaming = part.value; break;
            case 6: method->server_streaming = part.value; break;
            default: break;
        }
    }
    if (part_broken) fail(reader, "bad method");
}

static void service_read(struct reader *reader, struct bytes from,
                         struct service_descriptor *service) {
    size_t counts[PART_KINDS_MAX];
    parts_count(reader, from, counts);
    service->methods = parts_array(reader, struct method_descriptor, counts[2]);
    parts_each(reader, from, part) {
        if (part.type != WIRE_BYTES) continue;
        if (part.number == 1) service->name = part.bytes;
        if (part.number == 2)
            method_read(reader, part.bytes, &service->methods[service->method_count++]);
        if (part.number == 3) service->options = part.bytes;
    }
}

static void file_arrays(struct reader *reader, struct bytes from, struct file_descriptor *file) {
    size_t counts[PART_KINDS_MAX];
    parts_count(reader, from, counts);
    file->imports = parts_array(reader, struct import, counts[3]);
    file->messages = parts_array(reader, struct message_descriptor, counts[4]);
    file->enums = parts_array(reader, struct enum_descriptor, counts[5]);
    file->services = parts_array(reader, struct service_descriptor, counts[6]);
    file->extensions = parts_array(reader, struct field_descriptor, counts[7]);
}

/* Everything that the names below need: name, package, syntax. */
static void file_head_read(struct reader *reader, struct bytes from, struct file_descriptor *file) {
    parts_each(reader, from, part) {
        if (part.number == 1) file->name = part.bytes;
        if (part.number == 2) file->package = part.bytes;
        if (part.number == 12) file->proto3 = bytes_equal_text(part.bytes, "proto3");
    }
    if (part_broken) fail(reader, "malformed");
}

static void file_read(struct reader *reader, struct bytes from, struct file_descriptor *file) {
    file_head_read(reader, from, file);
    file_arrays(reader, from, file);
    parts_each(reader, from, part) {
        struct bytes bytes = part.bytes;
        size_t index = (size_t)part.value;
        bool is_index = part.type == WIRE_VARINT && index < file->import_count;
        if (part.number == 10 && is_index) file->imports[index].is_public = true;
        if (part.number == 11 && is_index) file->imports[index].is_weak = true;
        if (part.type != WIRE_BYTES) continue;
        switch (part.number) {
            case 3: file->imports[file->import_count++].name = bytes; break;
            case 4:
                message_read(reader, bytes, file->package, file, 1,
                             &file->messages[file->message_count++]);
                break;
            case 5:
                enum_read(reader, bytes, file->package, file, &file->enums[file->enum_count++]);
                break;
            case 6: service_read(reader, bytes, &file->services[file->service_count++]); break;
            case 7: field_read(reader, bytes, &file->extensions[file->extension_count++]); break;
            case 8: file->options = bytes; break;
            default: break;
        }
    }
}

/* From here on: names to things. Messages are collected parents first, by number. */

static void message_collect(struct descriptor_set *set, const struct message_descriptor *message) {
    set->messages[message->number] = message;
    for (size_t i = 0; i < message->enum_count; i++) {
        set->enums_by_name[set->enum_count++] = &message->enums[i];
    }
    for (size_t i = 0; i < message->message_count; i++) {
        message_collect(set, &message->messages[i]);
    }
}

static int messages_order(const void *a, const void *b) {
    return bytes_compare((*(const struct message_descriptor *const *)a)->full_name,
                         (*(const struct message_descriptor *const *)b)->full_name);
}

static int enums_order(const void *a, const void *b) {
    return bytes_compare((*(const struct enum_descriptor *const *)a)->full_name,
                         (*(const struct enum_descriptor *const *)b)->full_name);
}

static void set_collect(struct reader *reader, struct descriptor_set *set) {
    size_t messages = set->message_count = reader->message_count;
    set->messages = parts_array(reader, const struct message_descriptor *, messages);
    set->messages_by_name = parts_array(reader, const struct message_descriptor *, messages);
    set->enums_by_name = parts_array(reader, const struct enum_descriptor *, reader->enum_count);
    if (reader->failed) return;
    for (size_t i = 0; i < set->file_count; i++) {
        const struct file_descriptor *file = &set->files[i];
        for (size_t j = 0; j < file->message_count; j++) message_collect(set, &file->messages[j]);
        for (size_t j = 0; j < file->enum_count; j++) {
            set->enums_by_name[set->enum_count++] = &file->enums[j];
        }
    }
    if (messages) {
        memcpy(set->messages_by_name, set->messages, messages * sizeof *set->messages);
        qsort(set->messages_by_name, messages, sizeof *set->messages_by_name, messages_order);
    }
    if (set->enum_count) {
        qsort(set->enums_by_name, set->enum_count, sizeof *set->enums_by_name, enums_order);
    }
}

static struct bytes without_dot(struct bytes name) {
    return name.len && name.at[0] == '.' ? bytes_make(name.at + 1, name.len - 1) : name;
}

const struct message_descriptor *descriptor_find_message(const struct descriptor_set *set,
                                                         struct bytes full_name) {
    struct message_descriptor key = {.full_name = without_dot(full_name)};
    const struct message_descriptor *wanted = &key;
    if (!set->message_count) return NULL;
    const struct message_descriptor **found = (const struct message_descriptor **)bsearch(
        &wanted, set->messages_by_name, set->message_count, sizeof wanted, messages_order);
    return found ? *found : NULL;
}

const struct enum_descriptor *descriptor_find_enum(const struct descriptor_set *set,
                                                   struct bytes full_name) {
    struct enum_descriptor key = {.full_name = without_dot(full_name)};
    const struct enum_descriptor *wanted = &key;
    if (!set->enum_count) return NULL;
    const struct enum_descriptor **found = (const struct enum_descriptor **)bsearch(
        &wanted, set->enums_by_name, set->enum_count, sizeof wanted, enums_order);
    return found ? *found : NULL;
}

static void fields_resolve(const struct descriptor_set *set, struct field_descriptor *fields,
                           size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct field_descriptor *field = &fields[i];
        if (!field->type_name.len || field->type_name.at[0] != '.') continue;
        field->message = descriptor_find_message(set, field->type_name);
        field->enumeration = descriptor_find_enum(set, field->type_name);
    }
}

static void message_resolve(const struct descriptor_set *set, struct message_descriptor *message) {
    fields_resolve(set, message->fields, message->field_count);
    fields_resolve(set, message->extensions, message->extension_count);
    for (size_t i = 0; i < message->message_count; i++) {
        message_resolve(set, &message->messages[i]);
    }
}

static bool set_finish(struct reader *reader, struct descriptor_set *set) {
    set_collect(reader, set);
    for (size_t i = 0; i < set->file_count && !reader->failed; i++) {
        struct file_descriptor *file = &set->files[i];
        fields_resolve(set, file->extensions, file->extension_count);
        for (size_t j = 0; j < file->message_count; j++) message_resolve(set, &file->messages[j]);
    }
    return !reader->failed;
}

bool descriptor_set_read(struct bytes from, struct arena *arena, struct descriptor_set *set,
                         struct error *error) {
    struct reader reader = {.arena = arena, .error = error};
    size_t counts[PART_KINDS_MAX];
    *set = (struct descriptor_set){0};
    parts_count(&reader, from, counts);
    set->files = parts_array(&reader, struct file_descriptor, counts[1]);
    parts_each(&reader, from, part) {
        if (part.number == 1 && part.type == WIRE_BYTES)
            file_read(&reader, part.bytes, &set->files[set->file_count++]);
    }
    if (set->file_count == 0) fail(&reader, "no file");
    return set_finish(&reader, set);
}

bool descriptor_file_read(struct bytes from, struct arena *arena, struct descriptor_set *set,
                          struct error *error) {
    struct reader reader = {.arena = arena, .error = error};
    *set = (struct descriptor_set){0};
    set->files = parts_array(&reader, struct file_descriptor, 1);
    set->file_count = 1;
    if (!reader.failed) file_read(&reader, from, set->files);
    return set_finish(&reader, set);
}
