/* The records of the topic _schemas, in the format of Confluent's registry: JSON keys and values,
 * so that its backups can be read and other registries can run on the topic.
 *
 *   key                                                          value (null: gone for good)
 *   {"keytype":"SCHEMA","subject":"s","version":1,"magic":1}     the schema
 *   {"keytype":"CONFIG","subject":null,"magic":0}                {"compatibilityLevel":"FULL"}
 *   {"keytype":"MODE","subject":"s","magic":0}                   {"mode":"READONLY"}
 *   {"keytype":"DELETE_SUBJECT","subject":"s","magic":0}         {"subject":"s","version":3}
 *   {"keytype":"CLEAR_SUBJECT","subject":"s","magic":0}          {"subject":"s"}
 *   {"keytype":"NOOP","magic":0}                                 null
 *   {"keytype":"HIGHEST_ID","context":".","magic":0}             {"id":17}
 *
 * HIGHEST_ID is ours, and others skip it: the highest id that a context ever gave, written with
 * each deletion for good, so that it outlives the compaction of what was deleted.
 *
 * A subject that is null means all of them. What a newer registry adds beside these properties
 * passes through where it is known to matter (metadata, ruleSet) and is dropped otherwise; a key of
 * another type is SCHEMA_RECORD_OTHER and to be left alone. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

enum schema_record_kind {
    SCHEMA_RECORD_SCHEMA,
    SCHEMA_RECORD_CONFIG,
    SCHEMA_RECORD_MODE,
    SCHEMA_RECORD_DELETE_SUBJECT,
    SCHEMA_RECORD_CLEAR_SUBJECT,
    SCHEMA_RECORD_NOOP,
    SCHEMA_RECORD_HIGHEST_ID,
    SCHEMA_RECORD_OTHER
};

enum schema_type { SCHEMA_TYPE_AVRO, SCHEMA_TYPE_PROTOBUF, SCHEMA_TYPE_JSON, SCHEMA_TYPE_COUNT };

struct schema_reference {
    struct bytes name, subject;
    int32_t version;
};

/* One version of a subject. */
struct schema_entry {
    int32_t version, id;
    enum schema_type type;
    struct bytes schema;
    struct schema_reference *references;
    size_t reference_count;
    struct bytes guid;               /* null: derived */
    struct bytes metadata, rule_set; /* JSON as it came; null: none */
    bool deleted;                    /* softly */
};

struct schema_record {
    enum schema_record_kind kind;
    struct bytes subject; /* null: all */
    int32_t version;      /* of SCHEMA's key, and of DELETE_SUBJECT: up to and with it */
    bool tombstone;
    struct schema_entry entry; /* SCHEMA */
    struct bytes setting;      /* CONFIG and MODE: "FULL", "READONLY"; null: nothing is set */
    struct bytes context;      /* HIGHEST_ID */
    int32_t id_highest;        /* HIGHEST_ID */
};

/* "PROTOBUF" and so on. */
const char *schema_type_name(enum schema_type type);
bool schema_type_parse(struct bytes text, enum schema_type *type);

/* Reads a record; everything that it points to is in the arena. One that needs more than the arena
 * may have is not readable. */
bool schema_record_read(struct bytes key, struct bytes value, struct arena *arena,
                        struct schema_record *record, struct error *error);
/* Appends key and value; nothing to `value` for a tombstone. */
void schema_record_write(const struct schema_record *record, struct text *key, struct text *value);
