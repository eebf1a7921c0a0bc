/* The walk. Everything that a field of a valid message needs is inlined into one loop over locals;
 * what happens only once per record, or only to bad ones, is elsewhere.
 *
 * A frame is a message that is being walked. Its fields end at `end`; a length-delimited message
 * pushes a frame, a group too, and the frame's end or the group's end tag pops it. */
#include "registry/contract_table.h"

#include "base/check.h"
#include "base/utf8.h"
#include "registry/wire_field.h"

#define INLINE static inline __attribute__((always_inline))
#define likely(condition) __builtin_expect(!!(condition), 1)
/* Five kilobytes that are written before they are read: release builds would zero them each time.
 */
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif
#define TOP_BITS 0x8080808080808080ull

static bool stop(struct contract_walk *walk, enum contract_problem problem, const uint8_t *where) {
    walk->problem = problem;
    walk->where = where;
    return false;
}

INLINE uint64_t load_raw_u64(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

static const uint8_t *varint_skip_slow(const uint8_t *at, const uint8_t *end) {
    uint64_t value;
    return varint_read_u64(at, end, &value);
}

/* NULL when the varint is cut off or too long. Words are read up to the end of the payload: the
 * last fields of small messages would all be slow otherwise. */
INLINE const uint8_t *varint_skip(const uint8_t *at, const uint8_t *end, const uint8_t *limit) {
    uint64_t stops = limit - at >= 8 ? ~load_raw_u64(at) & TOP_BITS : 0;
    if (!likely(stops)) return varint_skip_slow(at, end);
    at += (__builtin_ctzll(stops) >> 3) + 1;
    return at <= end ? at : NULL;
}

/* A length of at most five bytes that fits what is left; NULL otherwise. */
INLINE const uint8_t *length_read(const uint8_t *at, const uint8_t *end, size_t *length) {
    uint32_t raw = 0;
    at = at < end ? varint_read_u32(at, end, &raw) : NULL;
    if (!at || raw > (size_t)(end - at)) return NULL;
    *length = raw;
    return at;
}

INLINE const struct contract_field *field_find(const struct contract_walk *walk,
                                               const struct contract_message *message,
                                               uint32_t number) {
    if (likely(number < message->dense_count)) {
        const struct contract_field *field = &message->dense[number];
        if (likely(field->actions[WIRE_VARINT] != ACTION_UNKNOWN)) return field;
    } else if (message->sparse_count) {
        uint32_t from = 0, to = message->sparse_count;
        while (from < to) {
            uint32_t middle = from + (to - from) / 2;
            if (message->sparse_numbers[middle] == number) return &message->sparse[middle];
            if (message->sparse_numbers[middle] < number)
                from = middle + 1;
            else
                to = middle;
        }
    }
    for (uint32_t i = 0; i < message->range_count; i++) {
        const struct contract_range *range = &message->ranges[i];
        if (number >= range->first && number <= range->last) return &contract_unknown_allowed;
    }
    /* Inside a group that is not known, everything is: it was allowed as a whole. */
    if (message == &walk->contract->messages[0]) return &contract_unknown_allowed;
    return walk->unknown;
}

static bool enum_has(const struct contract_enum *values, uint64_t raw) {
    int32_t value = (int32_t)raw;
    if (value >= 0 && value < 64) return values->low >> value & 1;
    uint32_t from = 0, to = values->rest_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (values->rest[middle] == value) return true;
        if (values->rest[middle] < value)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

static const uint8_t *enum_check(struct contract_walk *walk, const struct contract_field *field,
                                 const uint8_t *at, const uint8_t *end) {
    uint64_t value;
    const uint8_t *after = varint_read_u64(at, end, &value);
    if (!after) {
        stop(walk, PROBLEM_VARINT, at);
        return NULL;
    }
    if (enum_has(&walk->contract->enums[field->sub], value)) return after;
    stop(walk, PROBLEM_ENUM, at);
    return NULL;
}

/* Whole words in which every varint has fewer than ten bytes; where the first other one, or the
 * last word's unfinished one, begins. `run` counts the bytes of a varint that reach into a word. */
static const uint8_t *packed_skip(const uint8_t *at, const uint8_t *end) {
    size_t run = 0;
    for (; end - at >= 8; at += 8) {
        uint64_t stops = ~load_raw_u64(at) & TOP_BITS;
        if (!stops || run + (size_t)(__builtin_ctzll(stops) >> 3) >= 9) break;
        run = (size_t)(__builtin_clzll(stops) >> 3);
    }
    return at - run;
}

static const uint8_t *packed_check(struct contract_walk *walk, const struct contract_field *field,
                                   enum contract_action action, const uint8_t *at,
                                   const uint8_t *end) {
    size_t size = action == ACTION_PACKED_FIXED32 ? 4 : action == ACTION_PACKED_FIXED64 ? 8 : 0;
    if (size) {
        if ((size_t)(end - at) % size == 0) return end;
        stop(walk, PROBLEM_PACKED, at);
        return NULL;
    }
    if (action == ACTION_PACKED_VARINT) at = packed_skip(at, end);
    while (at < end) {
        const uint8_t *element = at;
        if (action == ACTION_PACKED_ENUM) {
            at = enum_check(walk, field, at, end);
            if (!at) return NULL;
        } else {
            at = varint_skip(at, end, walk->limit);
            if (at) continue;
            stop(walk, PROBLEM_PACKED, element);
            return NULL;
        }
    }
    return end;
}

/* Short strings are the rule: one load answers for up to eight bytes of ASCII. */
INLINE bool string_is_ascii(const uint8_t *at, size_t length, const uint8_t *limit) {
    if (length >= 8) {
        uint64_t all = load_raw_u64(at + length - 8);
        for (size_t i = 0; i + 8 < length; i += 8) all |= load_raw_u64(at + i);
        return !(all & TOP_BITS);
    }
    if (length == 0) return true;
    if (likely(limit - at >= 8)) return !(load_raw_u64(at) << (64 - 8 * length) & TOP_BITS);
    uint8_t all = 0;
    for (size_t i = 0; i < length; i++) all |= at[i];
    return all < 0x80;
}

INLINE bool string_check(struct contract_walk *walk, const uint8_t *at, size_t length) {
    if (likely(string_is_ascii(at, length, walk->limit))) return true;
    size_t valid = utf8_valid_length(bytes_make(at, length));
    return valid == length || stop(walk, PROBLEM_UTF8, at + valid);
}

/* What has to hold when a message is over; `end` is behind its last field. */
INLINE bool frame_check(struct contract_walk *walk, const struct contract_message *message,
                        uint64_t seen, const uint8_t *end) {
    uint64_t missing = message->required & ~seen;
    if (likely(!missing && !message->required_more_count)) return true;
    walk->field = NULL;
    walk->number = 0;
    if (missing) {
        unsigned bit = (unsigned)__builtin_ctzll(missing);
        for (uint32_t i = 0; i < message->name_count && !walk->number; i++) {
            uint32_t number = message->names[i].number;
            if (field_find(walk, message, number)->required_bit == bit) walk->number = number;
        }
    } else {
        walk->number = contract_required_missing(message, walk->frames[walk->depth].start, end);
        if (!walk->number) return true;
    }
    return stop(walk, PROBLEM_REQUIRED, end);
}

/* The innermost message: locals of the loop once everything is inlined. */
struct cursor {
    const uint8_t *at, *end;
    const struct contract_message *message;
    uint64_t seen;
};

INLINE bool frame_push(struct contract_walk *walk, struct cursor *now, uint32_t message,
                       const uint8_t *end, uint32_t group) {
    if (walk->depth == CONTRACT_NESTING_MAX) return stop(walk, PROBLEM_NESTING, now->at);
    walk->frames[walk->depth].seen = now->seen;
    now->message = &walk->contract->messages[message];
    now->seen = 0;
    now->end = end;
    walk->frames[++walk->depth] = (struct contract_frame){.start = now->at,
                                                          .end = end,
                                                          .message = now->message,
                                                          .field = walk->field,
                                                          .group = group};
    return true;
}

INLINE void frame_pop(struct contract_walk *walk, struct cursor *now) {
    const struct contract_frame *parent = &walk->frames[--walk->depth];
    now->end = parent->end;
    now->message = parent->message;
    now->seen = parent->seen;
}

/* Leaves every message that ends here; false as well when the last one did. */
INLINE bool frames_end(struct contract_walk *walk, struct cursor *now, bool *valid) {
    while (now->at == now->end) {
        if (!frame_check(walk, now->message, now->seen, now->at)) return false;
        if (walk->depth == 0) {
            *valid = true;
            return false;
        }
        if (walk->frames[walk->depth].group) {
            walk->field = NULL;
            return stop(walk, PROBLEM_OPEN_GROUP, now->at);
        }
        frame_pop(walk, now);
    }
    return true;
}

INLINE bool delimited_check(struct contract_walk *walk, struct cursor *now,
                            const struct contract_field *field, enum contract_action action) {
    size_t length;
    now->at = length_read(now->at, now->end, &length);
    if (!now->at) return stop(walk, PROBLEM_LENGTH, walk->field);
    if (action == ACTION_MESSAGE) return frame_push(walk, now, field->sub, now->at + length, 0);
    if (action == ACTION_STRING) {
        if (!string_check(walk, now->at, length)) return false;
    } else if (action != ACTION_BYTES) {
        if (!packed_check(walk, field, action, now->at, now->at + length)) return false;
    }
    now->at += length;
    return true;
}

static const enum contract_problem action_problems[] = {[ACTION_MISMATCH] = PROBLEM_MISMATCH,
                                                        [ACTION_BAD_TAG] = PROBLEM_TAG,
                                                        [ACTION_BAD_WIRE] = PROBLEM_WIRE_TYPE,
                                                        [ACTION_UNKNOWN] = PROBLEM_UNKNOWN};

INLINE bool group_end(struct contract_walk *walk, struct cursor *now, uint32_t group) {
    if (walk->depth == 0 || walk->frames[walk->depth].group != group)
        return stop(walk, PROBLEM_END_GROUP, walk->field);
    if (!frame_check(walk, now->message, now->seen, walk->field)) return false;
    frame_pop(walk, now);
    return true;
}

static bool payload_walk(struct contract_walk *walk, struct cursor now) {
    bool valid = false;
    uint32_t tag;
    while (frames_end(walk, &now, &valid)) {
        walk->field = now.at;
        now.at = varint_read_u32(now.at, now.end, &tag);
        if (!now.at) return stop(walk, PROBLEM_TAG, walk->field);
        const struct contract_field *field = field_find(walk, now.message, tag >> 3);
        enum contract_action action = (enum contract_action)field->actions[tag & 7];
        now.seen |= 1ull << field->required_bit;
        switch (action) {
            case ACTION_VARINT:
                now.at = varint_skip(now.at, now.end, walk->limit);
                if (!now.at) return stop(walk, PROBLEM_VARINT, walk->field);
                break;
            case ACTION_FIXED32:
                if (now.end - now.at < 4) return stop(walk, PROBLEM_TRUNCATED, walk->field);
                now.at += 4;
                break;
            case ACTION_FIXED64:
                if (now.end - now.at < 8) return stop(walk, PROBLEM_TRUNCATED, walk->field);
                now.at += 8;
                break;
            case ACTION_ENUM:
                now.at = enum_check(walk, field, now.at, now.end);
                if (!now.at) return false;
                break;
            case ACTION_BYTES:
            case ACTION_STRING:
            case ACTION_MESSAGE:
            case ACTION_PACKED_VARINT:
            case ACTION_PACKED_FIXED32:
            case ACTION_PACKED_FIXED64:
            case ACTION_PACKED_ENUM:
                if (!delimited_check(walk, &now, field, action)) return false;
                break;
            case ACTION_GROUP:
                if (!frame_push(walk, &now, field->sub, now.end, tag >> 3)) return false;
                break;
            case ACTION_END_GROUP:
                if (!group_end(walk, &now, tag >> 3)) return false;
                break;
            default: return stop(walk, action_problems[action], walk->field);
        }
    }
    return valid;
}

bool contract_check(const struct contract *contract, uint32_t message, struct bytes payload,
                    bool reject_unknown, struct violation *violation) {
    static const uint8_t nothing[1];
    struct contract_walk walk UNINITIALIZED;
    check(message < contract->message_count);
    walk.contract = contract;
    walk.payload = payload.at ? payload.at : nothing;
    walk.limit = walk.payload + payload.len;
    walk.unknown = reject_unknown ? &contract_unknown_refused : &contract_unknown_allowed;
    walk.depth = 0;
    walk.field = NULL;
    walk.number = 0;
    walk.frames[0] = (struct contract_frame){
        .start = walk.payload, .end = walk.limit, .message = &contract->messages[message]};
    struct cursor start = {walk.payload, walk.limit, walk.frames[0].message, 0};
    if (likely(payload_walk(&walk, start))) return true;
    contract_explain(&walk, violation);
    return false;
}
