/* Options as they stand in a .proto file, from their wire format: names and types come from
 * google/protobuf/descriptor.proto and from the extensions in the schema's own imports. */
#pragma once

#include "base/text.h"
#include "registry/descriptor.h"

struct option_scope {
    const struct descriptor_set *linked;
    struct descriptor_set builtin; /* descriptor.proto */
    struct arena *arena;
    bool sorted;
};

struct option_texts {
    const char **at; /* "deprecated = true", "(my.option).x = 3" */
    size_t count;
};

void option_scope_init(struct option_scope *scope, const struct descriptor_set *linked, bool sorted,
                       struct arena *arena);
/* The options of a message like "google.protobuf.FieldOptions", in their order or sorted. */
struct option_texts option_texts_of(const struct option_scope *scope, struct bytes options,
                                    const char *type);
/* "..." with escapes. */
void option_print_string(struct bytes value, struct text *text);
