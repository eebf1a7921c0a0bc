/* From a stopped walk to words. Nothing here is quick: to number the elements of repeated fields,
 * each message on the way is gone through again from its start. */
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"
#include "registry/contract_table.h"
#include "registry/descriptor.h"
#include "registry/wire_field.h"

static const char *const wire_names[8] = {"varint",      "8 fixed bytes", "length-delimited",
                                          "group",       "end group",     "4 fixed bytes",
                                          "wire type 6", "wire type 7"};

static const char *const type_names[PROTO_TYPE_COUNT] = {
    [PROTO_DOUBLE] = "8 fixed bytes (double)",
    [PROTO_FLOAT] = "4 fixed bytes (float)",
    [PROTO_INT64] = "varint (int64)",
    [PROTO_UINT64] = "varint (uint64)",
    [PROTO_INT32] = "varint (int32)",
    [PROTO_FIXED64] = "8 fixed bytes (fixed64)",
    [PROTO_FIXED32] = "4 fixed bytes (fixed32)",
    [PROTO_BOOL] = "varint (bool)",
    [PROTO_STRING] = "length-delimited (string)",
    [PROTO_GROUP] = "group",
    [PROTO_MESSAGE] = "length-delimited (message)",
    [PROTO_BYTES] = "length-delimited (bytes)",
    [PROTO_UINT32] = "varint (uint32)",
    [PROTO_ENUM] = "varint (enum)",
    [PROTO_SFIXED32] = "4 fixed bytes (sfixed32)",
    [PROTO_SFIXED64] = "8 fixed bytes (sfixed64)",
    [PROTO_SINT32] = "varint (sint32)",
    [PROTO_SINT64] = "varint (sint64)",
};

/* Behind one tag and its value; groups are only entered, their end is a field of its own. */
static const uint8_t *flat_skip(const uint8_t *at, const uint8_t *end, uint32_t *tag) {
    uint64_t length = 0;
    at = at < end ? varint_read_u32(at, end, tag) : NULL;
    if (!at) return NULL;
    switch (*tag & 7) {
        case WIRE_VARINT: return at < end ? varint_read_u64(at, end, &length) : NULL;
        case WIRE_FIXED64: return end - at >= 8 ? at + 8 : NULL;
        case WIRE_FIXED32: return end - at >= 4 ? at + 4 : NULL;
        case WIRE_BYTES:
            at = at < end ? varint_read_u64(at, end, &length) : NULL;
            return at && length <= (uint64_t)(end - at) ? at + length : NULL;
        case WIRE_GROUP:
        case WIRE_END_GROUP: return at;
        default: return NULL;
    }
}

const uint8_t *contract_field_skip(const uint8_t *at, const uint8_t *end, uint32_t *number) {
    uint32_t tag = 0;
    size_t open = 0;
    at = flat_skip(at, end, &tag);
    *number = tag >> 3;
    open += at && (tag & 7) == WIRE_GROUP;
    while (at && open) {
        at = flat_skip(at, end, &tag);
        if (!at) break;
        if ((tag & 7) == WIRE_GROUP) open++;
        if ((tag & 7) == WIRE_END_GROUP) open--;
    }
    return at;
}

enum { MISSING_BITS = 64 };

uint32_t contract_required_missing(const struct contract_message *message, const uint8_t *start,
                                   const uint8_t *end) {
    for (uint32_t from = 0; from < message->required_more_count; from += MISSING_BITS) {
        uint32_t count = message->required_more_count - from, number = 0;
        uint64_t seen = 0;
        if (count > MISSING_BITS) count = MISSING_BITS;
        for (const uint8_t *at = start; at && at < end;) {
            at = contract_field_skip(at, end, &number);
            for (uint32_t i = 0; at && i < count; i++) {
                if (message->required_more[from + i] == number) seen |= 1ull << i;
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            if (!(seen >> i & 1)) return message->required_more[from + i];
        }
    }
    return 0;
}

struct sentence {
    char *at;
    size_t len, capacity;
};

static void __attribute__((format(printf, 2, 3)))
sentence_add(struct sentence *sentence, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(sentence->at + sentence->len, sentence->capacity - sentence->len, format,
                        arguments);
    va_end(arguments);
    check(len >= 0);
    sentence->len += (size_t)len;
    if (sentence->len >= sentence->capacity) sentence->len = sentence->capacity - 1;
}

static const struct contract_name *name_find(const struct contract_message *message,
                                             uint32_t number) {
    for (uint32_t i = 0; i < message->name_count; i++) {
        if (message->names[i].number == number) return &message->names[i];
    }
    return NULL;
}

static uint32_t number_at(const uint8_t *field, const uint8_t *end) {
    uint32_t tag = 0;
    return field < end && varint_read_u32(field, end, &tag) ? tag >> 3 : 0;
}

static void path_add_number(struct sentence *path, const struct contract_message *message,
                            uint32_t number) {
    const struct contract_name *name = name_find(message, number);
    if (name)
        sentence_add(path, ".%.*s", BYTES_FORMAT(name->name));
    else
        sentence_add(path, ".#%u", number);
}

/* The field at `field` of the frame, with its index among those of the same number. */
static void path_add(struct sentence *path, const struct contract_frame *frame,
                     const uint8_t *field) {
    uint32_t number = number_at(field, frame->end), other, index = 0;
    const struct contract_name *name = name_find(frame->message, number);
    path_add_number(path, frame->message, number);
    if (!name || !name->repeated) return;
    for (const uint8_t *at = frame->start; at && at < field;) {
        at = contract_field_skip(at, frame->end, &other);
        index += at && other == number;
    }
    sentence_add(path, "[%u]", index);
}

static struct bytes name_local(struct bytes full_name) {
    for (size_t i = full_name.len; i > 0; i--) {
        if (full_name.at[i - 1] == '.') return bytes_make(full_name.at + i, full_name.len - i);
    }
    return full_name;
}

static void path_write(const struct contract_walk *walk, struct sentence *path) {
    sentence_add(path, "%.*s", BYTES_FORMAT(name_local(walk->frames[0].message->full_name)));
    for (unsigned i = 1; i <= walk->depth; i++) {
        path_add(path, &walk->frames[i - 1], walk->frames[i].field);
    }
    const struct contract_frame *frame = &walk->frames[walk->depth];
    if (walk->field && walk->problem != PROBLEM_TAG && walk->problem != PROBLEM_END_GROUP) {
        path_add(path, frame, walk->field);
    } else if (walk->problem == PROBLEM_REQUIRED) {
        path_add_number(path, frame->message, walk->number);
    }
}

/* "expected varint (int32), found 2 bytes length-delimited" */
static void mismatch_write(const struct contract_walk *walk, struct sentence *reason) {
    const struct contract_frame *frame = &walk->frames[walk->depth];
    uint32_t tag = 0;
    uint64_t length = 0;
    const uint8_t *at = varint_read_u32(walk->field, frame->end, &tag);
    const struct contract_name *name = name_find(frame->message, tag >> 3);
    sentence_add(reason, "expected %s, found ", name ? type_names[name->type] : "another type");
    if ((tag & 7) == WIRE_BYTES && at && at < frame->end &&
        varint_read_u64(at, frame->end, &length)) {
        sentence_add(reason, "%llu bytes ", (unsigned long long)length);
    }
    sentence_add(reason, "%s", wire_names[tag & 7]);
}

static void enum_write(const struct contract_walk *walk, struct sentence *reason) {
    uint64_t value = 0;
    varint_read_u64(walk->where, walk->limit, &value);
    sentence_add(reason, "its enum has no value %d", (int32_t)value);
}

static void reason_write(const struct contract_walk *walk, struct sentence *reason) {
    unsigned long position = (unsigned long)(walk->where - walk->payload);
    uint32_t number = walk->field ? number_at(walk->field, walk->limit) : 0;
    switch (walk->problem) {
        case PROBLEM_TRUNCATED: sentence_add(reason, "cut off at byte %lu", position); break;
        case PROBLEM_VARINT:
            sentence_add(reason, "varint cut off or too long at byte %lu", position);
            break;
        case PROBLEM_LENGTH:
            sentence_add(reason, "length goes past the end at byte %lu", position);
            break;
        case PROBLEM_TAG:
            sentence_add(reason, "no valid field begins at byte %lu", position);
            break;
        case PROBLEM_WIRE_TYPE:
            sentence_add(reason, "invalid wire type at byte %lu", position);
            break;
        case PROBLEM_MISMATCH: mismatch_write(walk, reason); break;
        case PROBLEM_UTF8: sentence_add(reason, "invalid UTF-8 at byte %lu", position); break;
        case PROBLEM_ENUM: enum_write(walk, reason); break;
        case PROBLEM_PACKED:
            sentence_add(reason, "a packed element is cut off at byte %lu", position);
            break;
        case PROBLEM_NESTING:
            sentence_add(reason, "nested deeper than %d levels", CONTRACT_NESTING_MAX);
            break;
        case PROBLEM_END_GROUP:
            sentence_add(reason, "group %u ends at byte %lu but is not open", number, position);
            break;
        case PROBLEM_OPEN_GROUP: sentence_add(reason, "the group is not closed"); break;
        case PROBLEM_REQUIRED: sentence_add(reason, "required, but missing"); break;
        case PROBLEM_UNKNOWN: sentence_add(reason, "field %u is not in the schema", number); break;
    }
}

void contract_explain(const struct contract_walk *walk, struct violation *violation) {
    struct sentence path = {.at = violation->path, .capacity = sizeof violation->path};
    struct sentence reason = {.at = violation->reason, .capacity = sizeof violation->reason};
    violation->position = (size_t)(walk->where - walk->payload);
    path_write(walk, &path);
    reason_write(walk, &reason);
}
