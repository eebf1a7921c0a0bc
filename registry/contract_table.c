#include "registry/contract_table.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "registry/descriptor.h"
#include "registry/wire_field.h"

enum { TABLE_BYTES_MAX = 64 << 20, REQUIRED_BITS = 63, DENSE_MAX = 64, DENSE_FACTOR = 4 };

#define ACTIONS_ALWAYS \
    [WIRE_END_GROUP] = ACTION_END_GROUP, [6] = ACTION_BAD_WIRE, [7] = ACTION_BAD_WIRE

/* `sub` of a group is the unknown message, which is number 0 in every contract. */
const struct contract_field contract_unknown_allowed = {.actions = {[WIRE_VARINT] = ACTION_VARINT,
                                                                    [WIRE_FIXED64] = ACTION_FIXED64,
                                                                    [WIRE_BYTES] = ACTION_BYTES,
                                                                    [WIRE_GROUP] = ACTION_GROUP,
                                                                    [WIRE_FIXED32] = ACTION_FIXED32,
                                                                    ACTIONS_ALWAYS}};
const struct contract_field contract_unknown_refused = {.actions = {[WIRE_VARINT] = ACTION_UNKNOWN,
                                                                    [WIRE_FIXED64] = ACTION_UNKNOWN,
                                                                    [WIRE_BYTES] = ACTION_UNKNOWN,
                                                                    [WIRE_GROUP] = ACTION_UNKNOWN,
                                                                    [WIRE_FIXED32] = ACTION_UNKNOWN,
                                                                    ACTIONS_ALWAYS}};
/* A dense table is filled with the refused one where it has no field; the walk looks at its action
 * for a varint, and decides by its own setting. */

struct field_kind {
    enum wire_type wire;
    enum contract_action action, packed;
};

static const struct field_kind field_kinds[PROTO_TYPE_COUNT] = {
    [PROTO_DOUBLE] = {WIRE_FIXED64, ACTION_FIXED64, ACTION_PACKED_FIXED64},
    [PROTO_FLOAT] = {WIRE_FIXED32, ACTION_FIXED32, ACTION_PACKED_FIXED32},
    [PROTO_INT64] = {WIRE_VARINT, ACTION_VARINT, ACTION_PACKED_VARINT},
    [PROTO_UINT64] = {WIRE_VARINT, ACTION_VARINT, ACTION_PACKED_VARINT},
    [PROTO_INT32] = {WIRE_VARINT, ACTION_VARINT, ACTION_PACKED_VARINT},
    [PROTO_FIXED64] = {WIRE_FIXED64, ACTION_FIXED64, ACTION_PACKED_FIXED64},
    [PROTO_FIXED32] = {WIRE_FIXED32, ACTION_FIXED32, ACTION_PACKED_FIXED32},
    [PROTO_BOOL] = {WIRE_VARINT, ACTION_VARINT, ACTION_PACKED_VARINT},
    [PROTO_STRING] = {WIRE_BYTES, ACTION_STRING, ACTION_MISMATCH},
    [PROTO_GROUP] = {WIRE_GROUP, ACTION_GROUP, ACTION_MISMATCH},
    [PROTO_MESSAGE] = {WIRE_BYTES, ACTION_MESSAGE, ACTION_MISMATCH},
    [PROTO_BYTES] = {WIRE_BYTES, ACTION_BYTES, ACTION_MISMATCH},
    [PROTO_UINT32] = {WIRE_VARINT, ACTION_VARINT, ACTION_PACKED_VARINT},
    [PROTO_ENUM] = {WIRE_VARINT, ACTION_VARINT, ACTION_PACKED_VARINT},
    [PROTO_SFIXED32] = {WIRE_FIXED32, ACTION_FIXED32, ACTION_PACKED_FIXED32},
    [PROTO_SFIXED64] = {WIRE_FIXED64, ACTION_FIXED64, ACTION_PACKED_FIXED64},
    [PROTO_SINT32] = {WIRE_VARINT, ACTION_VARINT, ACTION_PACKED_VARINT},
    [PROTO_SINT64] = {WIRE_VARINT, ACTION_VARINT, ACTION_PACKED_VARINT},
};

/* A field of a message together with the file whose syntax it follows; extensions are fields of the
 * message that they extend. */
struct table_field {
    const struct field_descriptor *field;
    const struct file_descriptor *file;
};

struct builder {
    struct arena *arena;
    const struct descriptor_set *set;
    struct contract *contract;
    struct contract_message *messages;
    struct table_field **fields; /* by message number; extensions included */
    uint32_t *field_counts;
    bool failed;
};

static void *table_new(struct builder *builder, size_t count, size_t size) {
    void *at = builder->failed ? NULL : arena_try(builder->arena, count * size + 1);
    if (at)
        memset(at, 0, count * size);
    else
        builder->failed = true;
    return at;
}
#define table_array(builder, type, count) (type *)table_new(builder, count, sizeof(type))

static struct bytes table_text(struct builder *builder, struct bytes text) {
    uint8_t *at = table_array(builder, uint8_t, text.len);
    if (at && text.len) memcpy(at, text.at, text.len);
    return bytes_make(at, at ? text.len : 0);
}

/* Messages of a set are numbered from 0, those of a contract from 1. */
static uint32_t number_of(const struct message_descriptor *message) { return message->number + 1; }

static bool enum_is_closed(const struct enum_descriptor *enumeration) {
    return enumeration && !enumeration->file->proto3;
}

/* An entry without a value stands for a value without fields. */
static bool entry_needs_value(const struct field_descriptor *field) {
    if (field->number != 2 || !field->message) return false;
    for (size_t i = 0; i < field->message->field_count; i++) {
        if (field->message->fields[i].label == LABEL_REQUIRED) return true;
    }
    return false;
}

static bool field_is_required(const struct message_descriptor *message,
                              const struct field_descriptor *field) {
    return field->label == LABEL_REQUIRED || (message->is_map_entry && entry_needs_value(field));
}

static struct contract_field field_entry(const struct table_field *source) {
    const struct field_descriptor *field = source->field;
    struct field_kind kind = field_kinds[field->type];
    struct contract_field entry = {.actions = {ACTIONS_ALWAYS}};
    bool is_string = field->type == PROTO_STRING, is_enum = field->type == PROTO_ENUM;
    if (is_string && !source->file->proto3) kind.action = ACTION_BYTES;
    if (is_enum && enum_is_closed(field->enumeration)) {
        kind.action = ACTION_ENUM;
        kind.packed = ACTION_PACKED_ENUM;
    }
    if (field->label == LABEL_REPEATED) entry.actions[WIRE_BYTES] = (uint8_t)kind.packed;
    entry.actions[kind.wire] = (uint8_t)kind.action;
    if (field->message) entry.sub = number_of(field->message);
    if (is_enum && field->enumeration) entry.sub = field->enumeration->number;
    return entry;
}

static int fields_order(const void *a, const void *b) {
    uint32_t first = ((const struct table_field *)a)->field->number;
    uint32_t second = ((const struct table_field *)b)->field->number;
    return (first > second) - (first < second);
}

static void message_lookup(struct builder *builder, struct contract_message *message,
                           const struct table_field *fields, uint32_t count,
                           const struct contract_field *entries) {
    uint32_t dense = 0;
    while (dense < count && (fields[dense].field->number <= DENSE_MAX ||
                             fields[dense].field->number <= DENSE_FACTOR * (dense + 1)))
        dense++;
    message->dense_count = dense ? fields[dense - 1].field->number + 1 : 1;
    struct contract_field *table =
        table_array(builder, struct contract_field, message->dense_count);
    uint32_t *numbers = table_array(builder, uint32_t, count - dense);
    if (builder->failed) return;
    for (uint32_t i = 0; i < message->dense_count; i++) table[i] = contract_unknown_refused;
    memset(table[0].actions, ACTION_BAD_TAG, sizeof table[0].actions);
    for (uint32_t i = 0; i < dense; i++) table[fields[i].field->number] = entries[i];
    for (uint32_t i = dense; i < count; i++) numbers[i - dense] = fields[i].field->number;
    message->dense = table;
    message->sparse = entries ? entries + dense : NULL;
    message->sparse_numbers = numbers;
    message->sparse_count = count - dense;
}

static void message_required(struct builder *builder, const struct message_descriptor *source,
                             struct contract_message *message, const struct table_field *fields,
                             uint32_t count, struct contract_field *entries) {
    uint32_t *more = table_array(builder, uint32_t, count), bits = 0;
    if (builder->failed) return;
    for (uint32_t i = 0; i < count; i++) {
        if (!field_is_required(source, fields[i].field)) continue;
        if (bits < REQUIRED_BITS) {
            entries[i].required_bit = (uint8_t)++bits;
            message->required |= 1ull << bits;
        } else {
            more[message->required_more_count++] = fields[i].field->number;
        }
    }
    message->required_more = more;
}

static void message_names(struct builder *builder, const struct message_descriptor *source,
                          struct contract_message *message, const struct table_field *fields,
                          uint32_t count) {
    struct contract_name *names = table_array(builder, struct contract_name, count);
    struct contract_range *ranges =
        table_array(builder, struct contract_range, source->extension_range_count);
    uint32_t *nested = table_array(builder, uint32_t, source->message_count);
    message->full_name = table_text(builder, source->full_name);
    if (builder->failed) return;
    for (uint32_t i = 0; i < count; i++) {
        const struct field_descriptor *field = fields[i].field;
        names[i] = (struct contract_name){.number = field->number,
                                          .repeated = field->label == LABEL_REPEATED,
                                          .type = (uint8_t)field->type,
                                          .name = table_text(builder, field->name)};
    }
    for (size_t i = 0; i < source->extension_range_count; i++) {
        ranges[i] = (struct contract_range){(uint32_t)source->extension_ranges[i].first,
                                            (uint32_t)source->extension_ranges[i].last};
    }
    for (size_t i = 0; i < source->message_count; i++) nested[i] = number_of(&source->messages[i]);
    message->names = names;
    message->name_count = count;
    message->ranges = ranges;
    message->range_count = (uint32_t)source->extension_range_count;
    message->nested = nested;
    message->nested_count = (uint32_t)source->message_count;
    message->is_map_entry = source->is_map_entry;
}

static void message_build(struct builder *builder, const struct message_descriptor *source) {
    struct contract_message *message = &builder->messages[number_of(source)];
    struct table_field *fields = builder->fields[source->number];
    uint32_t count = builder->field_counts[source->number];
    struct contract_field *entries = table_array(builder, struct contract_field, count);
    if (builder->failed) return;
    if (count) qsort(fields, count, sizeof *fields, fields_order);
    for (uint32_t i = 0; i < count; i++) entries[i] = field_entry(&fields[i]);
    message_required(builder, source, message, fields, count, entries);
    message_lookup(builder, message, fields, count, entries);
    message_names(builder, source, message, fields, count);
}

/* Calls `one` for every extension of the set, wherever it is declared. */
static void extensions_each(struct builder *builder,
                            void (*one)(struct builder *, const struct field_descriptor *,
                                        const struct file_descriptor *)) {
    const struct descriptor_set *set = builder->set;
    for (size_t i = 0; i < set->file_count; i++) {
        const struct file_descriptor *file = &set->files[i];
        for (size_t j = 0; j < file->extension_count; j++) one(builder, &file->extensions[j], file);
    }
    for (size_t i = 0; i < set->message_count; i++) {
        const struct message_descriptor *message = set->messages[i];
        for (size_t j = 0; j < message->extension_count; j++) {
            one(builder, &message->extensions[j], message->file);
        }
    }
}

static void extension_count(struct builder *builder, const struct field_descriptor *field,
                            const struct file_descriptor *file) {
    const struct message_descriptor *of = descriptor_find_message(builder->set, field->extendee);
    (void)file;
    if (of) builder->field_counts[of->number]++;
}

static void extension_add(struct builder *builder, const struct field_descriptor *field,
                          const struct file_descriptor *file) {
    const struct message_descriptor *of = descriptor_find_message(builder->set, field->extendee);
    if (!of) return;
    builder->fields[of->number][builder->field_counts[of->number]++] =
        (struct table_field){field, file};
}

/* Fields of each message in one array with the extensions of it. */
static void fields_collect(struct builder *builder, struct arena *scratch) {
    const struct descriptor_set *set = builder->set;
    builder->fields = arena_array(scratch, struct table_field *, set->message_count + 1);
    builder->field_counts = arena_array(scratch, uint32_t, set->message_count + 1);
    extensions_each(builder, extension_count);
    for (size_t i = 0; i < set->message_count; i++) {
        const struct message_descriptor *message = set->messages[i];
        size_t count = message->field_count + builder->field_counts[i];
        builder->fields[i] = arena_array(scratch, struct table_field, count + 1);
        builder->field_counts[i] = (uint32_t)message->field_count;
        for (size_t j = 0; j < message->field_count; j++) {
            builder->fields[i][j] = (struct table_field){&message->fields[j], message->file};
        }
    }
    extensions_each(builder, extension_add);
}

static int values_order(const void *a, const void *b) {
    int32_t first = *(const int32_t *)a, second = *(const int32_t *)b;
    return (first > second) - (first < second);
}

static void enum_build(struct builder *builder, const struct enum_descriptor *source,
                       struct contract_enum *target) {
    int32_t *rest = table_array(builder, int32_t, source->value_count);
    if (builder->failed) return;
    for (size_t i = 0; i < source->value_count; i++) {
        int32_t value = source->values[i].number;
        if (value >= 0 && value < 64)
            target->low |= 1ull << value;
        else
            rest[target->rest_count++] = value;
    }
    if (target->rest_count) qsort(rest, target->rest_count, sizeof *rest, values_order);
    target->rest = rest;
}

static void contract_fill(struct builder *builder) {
    const struct descriptor_set *set = builder->set;
    const struct file_descriptor *root = descriptor_root(set);
    struct contract *contract = builder->contract;
    struct contract_enum *enums = table_array(builder, struct contract_enum, set->enum_count);
    uint32_t *top = table_array(builder, uint32_t, root->message_count);
    uint32_t *by_name = table_array(builder, uint32_t, set->message_count);
    builder->messages = table_array(builder, struct contract_message, set->message_count + 1);
    if (builder->failed) return;
    message_lookup(builder, &builder->messages[0], NULL, 0, NULL);
    for (size_t i = 0; i < set->message_count; i++) {
        message_build(builder, set->messages[i]);
        by_name[i] = number_of(set->messages_by_name[i]);
    }
    for (size_t i = 0; i < set->enum_count; i++) {
        enum_build(builder, set->enums_by_name[i], &enums[set->enums_by_name[i]->number]);
    }
    for (size_t i = 0; i < root->message_count; i++) top[i] = number_of(&root->messages[i]);
    contract->messages = builder->messages;
    contract->message_count = (uint32_t)set->message_count + 1;
    contract->enums = enums;
    contract->top = top;
    contract->top_count = (uint32_t)root->message_count;
    contract->by_name = by_name;
}

struct contract *contract_new(const struct descriptor_set *set, struct error *error) {
    struct contract *contract = new_zero(struct contract);
    struct arena scratch;
    arena_init(&contract->arena, TABLE_BYTES_MAX);
    arena_init(&scratch, (size_t)4 * TABLE_BYTES_MAX);
    struct builder builder = {.arena = &contract->arena, .set = set, .contract = contract};
    fields_collect(&builder, &scratch);
    contract_fill(&builder);
    arena_deinit(&scratch);
    if (!builder.failed) return contract;
    contract_free(contract);
    error_set(error, 0, "the schema is too large to be compiled: its tables would pass %d MiB",
              TABLE_BYTES_MAX >> 20);
    return NULL;
}

void contract_free(struct contract *contract) {
    if (!contract) return;
    arena_deinit(&contract->arena);
    free(contract);
}

bool contract_find(const struct contract *contract, struct bytes full_name, uint32_t *message) {
    uint32_t from = 0, to = contract->message_count - 1;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        *message = contract->by_name[middle];
        int order = bytes_compare(full_name, contract->messages[*message].full_name);
        if (order == 0) return true;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return false;
}

struct bytes contract_message_name(const struct contract *contract, uint32_t message) {
    check(message < contract->message_count);
    return contract->messages[message].full_name;
}

size_t contract_top_count(const struct contract *contract) { return contract->top_count; }

/* The index-th of `count` messages, map entries counted or passed over; 0 when there is none. */
static uint32_t message_at(const struct contract *contract, const uint32_t *messages,
                           uint32_t count, int32_t index, bool entries_count) {
    for (uint32_t i = 0; i < count; i++) {
        bool is_entry = contract->messages[messages[i]].is_map_entry;
        if (is_entry && !entries_count) continue;
        if (index-- == 0) return is_entry ? 0 : messages[i];
    }
    return 0;
}

size_t contract_resolve(const struct contract *contract, const int32_t *path, size_t length,
                        uint32_t messages[CONTRACT_PATHS_MAX]) {
    size_t found = 0;
    for (int entries_count = 1; entries_count >= 0; entries_count--) {
        const uint32_t *level = contract->top;
        uint32_t count = contract->top_count, message = 0;
        for (size_t i = 0; i < length; i++) {
            message = message_at(contract, level, count, path[i], entries_count);
            if (!message) break;
            level = contract->messages[message].nested;
            count = contract->messages[message].nested_count;
        }
        if (message && (found == 0 || messages[0] != message)) messages[found++] = message;
    }
    return found;
}
