/* The tables behind registry/contract.h, shared by the code that makes them, walks with them and
 * explains with them. */
#pragma once

#include "base/arena.h"
#include "registry/contract.h"

/* What to do with a field, by the wire type that it comes with. */
enum contract_action {
    ACTION_MISMATCH, /* the field is known, with another wire type */
    ACTION_BAD_TAG,  /* field 0 */
    ACTION_BAD_WIRE, /* wire types 6 and 7 */
    ACTION_UNKNOWN,  /* a field that is not known, and that is refused */
    ACTION_VARINT,
    ACTION_FIXED32,
    ACTION_FIXED64,
    ACTION_BYTES,
    ACTION_STRING, /* has to be UTF-8 */
    ACTION_ENUM,   /* closed */
    ACTION_MESSAGE,
    ACTION_GROUP,
    ACTION_END_GROUP,
    ACTION_PACKED_VARINT,
    ACTION_PACKED_FIXED32,
    ACTION_PACKED_FIXED64,
    ACTION_PACKED_ENUM
};

/* 16 bytes, so that a typical schema stays in the first cache level. */
struct contract_field {
    uint8_t actions[8];
    uint32_t sub;         /* message or enum; the unknown message for groups that are not known */
    uint8_t required_bit; /* 0 is everybody's who is not required */
};

/* The cold side of a field, for texts. */
struct contract_name {
    uint32_t number;
    bool repeated;
    uint8_t type; /* enum proto_type */
    struct bytes name;
};

struct contract_range {
    uint32_t first, last;
};

struct contract_message {
    const struct contract_field *dense; /* by number */
    uint32_t dense_count;
    uint32_t sparse_count;
    const uint32_t *sparse_numbers; /* ascending */
    const struct contract_field *sparse;
    uint64_t required;             /* bits that have to be seen */
    const uint32_t *required_more; /* numbers of required fields that have no bit */
    uint32_t required_more_count;
    uint32_t range_count;
    const struct contract_range *ranges; /* of extensions */

    /* Cold. */
    const struct contract_name *names; /* by number, ascending */
    uint32_t name_count;
    uint32_t nested_count;
    const uint32_t *nested; /* messages, in order of the file */
    bool is_map_entry;
    struct bytes full_name;
};

struct contract_enum {
    uint64_t low;        /* bit n: value n exists */
    const int32_t *rest; /* the other values, ascending */
    uint32_t rest_count;
};

struct contract {
    struct arena arena; /* owns everything below */
    const struct contract_message *messages;
    const struct contract_enum *enums;
    uint32_t message_count;
    uint32_t unknown; /* a message without fields, for groups that are not known */
    const uint32_t *top;
    uint32_t top_count;
    const uint32_t *by_name; /* messages, ordered by full name */
};

/* Fields that no table has: allowed, or refused. */
extern const struct contract_field contract_unknown_allowed, contract_unknown_refused;

enum contract_problem {
    PROBLEM_TRUNCATED,
    PROBLEM_VARINT,
    PROBLEM_LENGTH,
    PROBLEM_TAG,
    PROBLEM_WIRE_TYPE,
    PROBLEM_MISMATCH,
    PROBLEM_UTF8,
    PROBLEM_ENUM,
    PROBLEM_PACKED,
    PROBLEM_NESTING,
    PROBLEM_END_GROUP,
    PROBLEM_OPEN_GROUP,
    PROBLEM_REQUIRED,
    PROBLEM_UNKNOWN
};

/* A message that is being walked. */
struct contract_frame {
    const uint8_t *start, *end; /* a group ends with its parent, or before */
    const struct contract_message *message;
    const uint8_t *field; /* tag of the field of the parent that began this frame */
    uint64_t seen;        /* required fields */
    uint32_t group;       /* field number of the group, or 0 */
};

struct contract_walk {
    const struct contract *contract;
    const uint8_t *payload, *limit;
    const struct contract_field *unknown;
    unsigned depth;
    enum contract_problem problem;
    const uint8_t *where; /* the byte */
    const uint8_t *field; /* tag of the field in the innermost frame; NULL: the frame itself */
    uint32_t number;      /* for PROBLEM_REQUIRED: the missing field */
    struct contract_frame frames[CONTRACT_NESTING_MAX + 1];
};

/* Turns a stopped walk into words. */
void contract_explain(const struct contract_walk *walk, struct violation *violation);
/* The number of a required field without a bit that is not in the message; 0 when all are. */
uint32_t contract_required_missing(const struct contract_message *message, const uint8_t *at,
                                   const uint8_t *end);
/* The field behind the one at `at`, which was walked before or is broken (NULL then). */
const uint8_t *contract_field_skip(const uint8_t *at, const uint8_t *end, uint32_t *number);
