/* JSON as messages: the proto3 JSON mapping, as a person or a program writes it. Members may have
 * their JSON name or the field's own; 64-bit numbers may be numbers or strings, bytes in either
 * alphabet of base64, enums names or numbers; null is as if the member were not there. Refused are
 * members that the message does not have, fields that are given twice or beside another of their
 * oneof, numbers that do not fit, and required fields that are missing. A key of a map cannot
 * contain \u0000. */
#pragma once

#include "base/byte_buffer.h"
#include "registry/json_schema.h"

enum { JSON_BYTES_MAX = 64 << 20 };

/* Appends the message. False with the field, what was expected and what was found; `out` is then as
 * it was. */
bool json_read(const struct json_schema *schema, const struct json_message *message,
               struct bytes json, struct byte_buffer *out, struct error *error);
