/* One schema: what was registered, and what was made of it. All subjects of a context that have the
 * same schema, and thereby the same id, share it; all cores read it.
 *
 *   PENDING ──► COMPILED      Protobuf; records can be checked with `contract`
 *          ├──► NOT_COMPILED  AVRO or JSON: stored, served, never looked into
 *          └──► QUARANTINED   Protobuf that does not compile: its records are violations
 *
 * The state is set once, by the worker that compiles (registry/prepare.h), before anybody else sees
 * the schema; from then on it is immutable. Freed with its last user. */
#pragma once

#include <stdatomic.h>

#include "base/map.h"
#include "registry/contract.h"
#include "registry/schema_record.h"

enum schema_state { SCHEMA_PENDING, SCHEMA_COMPILED, SCHEMA_NOT_COMPILED, SCHEMA_QUARANTINED };

enum { SCHEMA_GUID_SIZE = 16, SCHEMA_GUID_TEXT_SIZE = 37 };

struct schema {
    atomic_uint users;
    struct arena memory;
    struct bytes context;      /* "." or ".name" */
    struct schema_entry entry; /* its version and `deleted` mean nothing here */
    uint8_t guid[SCHEMA_GUID_SIZE];
    /* What makes two schemas of a context the same, beside references, metadata and rules: the
     * normalised text's hash, the plain text's until it is compiled. */
    struct hash_wide identity;
    enum schema_state state;
    struct contract *contract; /* COMPILED */
    const char *problem;       /* QUARANTINED: why */
};

/* A copy of the entry, PENDING for Protobuf, else NOT_COMPILED. An entry without a GUID gets the
 * one that Confluent's registry derives: MD5 of text, references, metadata and rules. */
struct schema *schema_new(struct bytes context, const struct schema_entry *entry);
struct schema *schema_hold(struct schema *schema);
void schema_drop(struct schema *schema);

/* Takes the contract. */
void schema_set_compiled(struct schema *schema, struct contract *contract,
                         struct hash_wide identity);
void schema_set_quarantined(struct schema *schema, const char *problem);

/* Whether both are the same schema, whatever their ids. */
bool schema_equals(const struct schema *a, const struct schema *b);

/* "00112233-4455-6677-8899-aabbccddeeff" */
void schema_guid_format(const uint8_t guid[SCHEMA_GUID_SIZE], char text[SCHEMA_GUID_TEXT_SIZE]);
bool schema_guid_parse(struct bytes text, uint8_t guid[SCHEMA_GUID_SIZE]);
