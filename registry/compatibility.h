/* Whether readers and writers of two versions of a schema understand each other, by the rules of
 * Confluent's registry for Protobuf (ProtobufSchema, SchemaDiff): eleven kinds of differences break
 * them, everything else is allowed. Not looked at: reserved names and numbers, extensions,
 * services, groups, options, defaults, JSON names and the syntax.
 *
 * "Backward" means that a reader with the new schema reads what was written with the old one, and
 * is the comparison old -> new; "forward" is the same with the roles exchanged. */
#pragma once

#include "base/arena.h"
#include "base/text.h"
#include "registry/descriptor.h"

enum compatibility_level {
    COMPATIBILITY_NONE,
    COMPATIBILITY_BACKWARD,
    COMPATIBILITY_BACKWARD_TRANSITIVE,
    COMPATIBILITY_FORWARD,
    COMPATIBILITY_FORWARD_TRANSITIVE,
    COMPATIBILITY_FULL,
    COMPATIBILITY_FULL_TRANSITIVE,
    COMPATIBILITY_LEVEL_COUNT
};

enum difference_kind {
    PACKAGE_CHANGED,
    MESSAGE_REMOVED,
    FIELD_KIND_CHANGED,
    FIELD_SCALAR_KIND_CHANGED,
    FIELD_NAMED_TYPE_CHANGED,
    FIELD_NUMERIC_LABEL_CHANGED,
    REQUIRED_FIELD_ADDED,
    REQUIRED_FIELD_REMOVED,
    ONEOF_FIELD_REMOVED,
    MULTIPLE_FIELDS_MOVED_TO_ONEOF,
    FIELD_MOVED_TO_EXISTING_ONEOF,
    DIFFERENCE_KIND_COUNT
};

struct difference {
    enum difference_kind kind;
    bool roles_exchanged; /* found while looking forward */
    size_t version;       /* index of the previous version that it was found with */
    const char *path;     /* "#/Order/Item/3": messages, then a field's number or a oneof's name */
};

enum { DIFFERENCES_MAX = 100 }; /* told; more are only counted */

struct differences {
    struct difference *at; /* in the arena */
    size_t count, told;
};

/* "BACKWARD" and so on; reading ignores case. */
const char *compatibility_level_name(enum compatibility_level level);
bool compatibility_level_parse(struct bytes text, enum compatibility_level *level);
const char *difference_kind_name(enum difference_kind kind);

/* Every breaking difference of `candidate` to the live versions, oldest first, that its level asks
 * for; none means compatible. The sets are linked ones. */
void compatibility_check(enum compatibility_level level, const struct descriptor_set *candidate,
                         const struct descriptor_set *const *versions, size_t version_count,
                         struct arena *arena, struct differences *differences);

/* {errorType:"FIELD_KIND_CHANGED", description:"..."} as the registry's verbose answers have it. */
void difference_print(const struct difference *difference, struct text *text);
