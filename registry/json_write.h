/* Messages as JSON: the canonical form of the proto3 JSON mapping, in one line without blanks.
 * Members come by field number, those of maps by key; what proto3 does not tell from nothing is
 * left out, and so are fields that the schema does not have. An Any has to be of a type of the
 * schema's files. */
#pragma once

#include "base/text.h"
#include "registry/json_schema.h"

/* Appends `payload`, which may come from anywhere. False with the field and the reason when it is
 * not a valid `message` (registry/contract.h; unknown fields on demand), or has no form in JSON;
 * `out` is then as it was. */
bool json_write(const struct json_schema *schema, const struct json_message *message,
                struct bytes payload, bool reject_unknown, struct text *out, struct error *error);
