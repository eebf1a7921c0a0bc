/* A compiled schema as .proto text again: what the registry stores, serves and compares. Comments
 * and layout are gone, the parts stand in one order, so that two texts that say the same in the
 * same order become the same text.
 *
 * As written: fields keep their order and types their spelling. Normalised: imports, options,
 * fields, oneofs, enum values and ranges are sorted and every type has its full name, so that text
 * and descriptor of the same .proto agree, whichever client sent them. Messages and services never
 * change their order: the wire format counts messages. The text compiles to the same descriptor. */
#pragma once

#include "base/text.h"
#include "registry/descriptor.h"

/* `parsed` is the one file as written, `linked` the set of the same compilation
 * (schema_compiled). Memory that is needed meanwhile comes from `arena`. */
void canonical_print(const struct descriptor_set *parsed, const struct descriptor_set *linked,
                     bool normalize, struct arena *arena, struct text *text);
