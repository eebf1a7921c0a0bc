/* The messages of a schema as JSON has them (the proto3 JSON mapping, protobuf.dev): which member
 * of an object a field is, and which messages have a form of their own. Made once from a linked
 * set, then only read, by registry/json_read.h and registry/json_write.h. */
#pragma once

#include "registry/contract.h"
#include "registry/descriptor.h"
#include "registry/wire_field.h"

/* What a message looks like. A well-known type has its form only where its fields are those that
 * everybody knows: a schema may bring a file of that name of its own. */
enum json_form {
    JSON_FORM_OBJECT,
    JSON_FORM_ANY,
    JSON_FORM_TIMESTAMP,
    JSON_FORM_DURATION,
    JSON_FORM_MASK,
    JSON_FORM_INNER, /* as its first field: wrappers, Struct, ListValue */
    JSON_FORM_VALUE  /* as the one field that is set */
};

struct json_field {
    const struct field_descriptor *field;
    struct bytes name;                  /* as it is written: "itemCount", "[shop.extension]" */
    struct bytes alias;                 /* understood too: "item_count"; null for extensions */
    const struct json_message *message; /* of messages, groups and maps */
    int oneof;                          /* of its message; -1: none */
    bool repeated, is_map;
    bool packed;   /* as it is written; both are read */
    bool implicit; /* its default is the same as nothing (proto3) */
};

struct json_message {
    const struct message_descriptor *descriptor;
    enum json_form form;
    uint32_t contract_message;
    struct json_field *fields; /* by number, ascending; extensions too */
    size_t field_count;
};

struct json_schema {
    struct arena arena;
    const struct descriptor_set *set;
    struct contract *contract;
    struct json_message *messages; /* by the descriptor's number */
};

/* The set has to outlive the schema. NULL with the error; free with json_schema_free(). */
struct json_schema *json_schema_new(const struct descriptor_set *set, struct error *error);
void json_schema_free(struct json_schema *schema);

/* By full name, of any file; NULL when there is none. */
const struct json_message *json_schema_find(const struct json_schema *schema,
                                            struct bytes full_name);
const struct json_field *json_field_find(const struct json_message *message, uint32_t number);

/* Of a field that is not packed. */
enum wire_type json_wire_type(enum proto_type type);
/* The message that an Any's URL names; NULL when the schema has none. */
const struct json_message *json_schema_find_url(const struct json_schema *schema, struct bytes url);
/* Whether null is a value of the field: of google.protobuf.Value and NullValue. */
bool json_field_takes_null(const struct json_field *field);
