/* The rows of topic_config_table.c that bind contracts: the same for keys and for values. Included
 * there, and nowhere else. */
#pragma once

static const char *const contract_levels[] = {"off", "schema-id", "payload", NULL};
static const char *const contract_framings[] = {"confluent", "header", "raw", NULL};
static const char *const contract_strategies[] = {"topic", "record", "topic-record", NULL};
static const char *const contract_unknowns[] = {"auto", "allow", "reject", NULL};
static const char *const contract_nulls[] = {"allow", "reject", NULL};
static const char *const contract_violations[] = {"reject", "observe", NULL};
#define CONFLUENT_CLASS "io.confluent.kafka.serializers.subject."
static const char *const confluent_strategies[] = {CONFLUENT_CLASS "TopicNameStrategy",
                                                   CONFLUENT_CLASS "RecordNameStrategy",
                                                   CONFLUENT_CLASS "TopicRecordNameStrategy", NULL};
static const char *const redpanda_strategies[] = {"TopicNameStrategy", "RecordNameStrategy",
                                                  "TopicRecordNameStrategy", NULL};

#define CONTRACT_TO(part, field) TO(contracts[part].field)

#define CONFLUENT_ROWS(name, part)                                                  \
    {"confluent." name ".schema.validation", CONFIG_BOOLEAN, "false",               \
     CONTRACT_TO(part, confluent_validation),                                       \
     .doc = "Confluent Server's name for millrace." name                            \
            ".contract=schema-id; the stricter of both counts."},                   \
    {                                                                               \
        "confluent." name ".subject.name.strategy", CONFIG_STRING,                  \
            CONFLUENT_CLASS "TopicNameStrategy",                                    \
            .choices = confluent_strategies, CONTRACT_TO(part, confluent_strategy), \
            .doc = "Confluent Server's name for millrace." name                     \
                   ".subject.strategy, which is "                                   \
                   "asked first."                                                   \
    }

#define REDPANDA_ROWS(name, part)                                                      \
    {"redpanda." name ".schema.id.validation", CONFIG_BOOLEAN, "false",                \
     CONTRACT_TO(part, redpanda_validation),                                           \
     .doc = "Redpanda's name for millrace." name                                       \
            ".contract=schema-id; the stricter of both counts."},                      \
    {                                                                                  \
        "redpanda." name ".subject.name.strategy", CONFIG_STRING, "TopicNameStrategy", \
            .choices = redpanda_strategies, CONTRACT_TO(part, redpanda_strategy),      \
            .doc = "Redpanda's name for millrace." name                                \
                   ".subject.strategy, which is asked "                                \
                   "first."                                                            \
    }

#define REJECTS_ROW                                                                          \
    {                                                                                        \
        "millrace.contract.rejects.bytes", CONFIG_INT, "0",                                  \
            BETWEEN(0, CONTRACT_REJECTS_BYTES_MAX), TO(rejects_bytes),                       \
            .doc =                                                                           \
                "How many bytes of a key or value that breaks the contract are kept in the " \
                "topic __millrace_rejects, for whoever may read that; 0: none."              \
    }

#define MILLRACE_ROWS(name, part)                                                                  \
    {"millrace." name ".contract",                                                                 \
     CONFIG_STRING,                                                                                \
     "off",                                                                                        \
     .choices = contract_levels,                                                                   \
     CONTRACT_TO(part, own_level),                                                                 \
     .doc = "How much of a record's " name                                                         \
            " is checked before it is stored: nothing, that it names a known schema of its "       \
            "subject (`schema-id`), or every byte of it against that schema (`payload`). "         \
            "Counts for what is appended from then on."},                                          \
        {"millrace." name ".framing",                                                              \
         CONFIG_STRING,                                                                            \
         "confluent",                                                                              \
         .choices = contract_framings,                                                             \
         CONTRACT_TO(part, framing),                                                               \
         .doc = "How the " name                                                                    \
                " says which schema it was written with: `confluent` in the record header __" name \
                "_schema_id or else in front of the payload, `header` in that header only, `raw` " \
                "not at all."},                                                                    \
        {"millrace." name ".message",                                                              \
         CONFIG_LIST,                                                                              \
         "",                                                                                       \
         .is_valid = contract_messages_are_valid,                                                  \
         CONTRACT_TO(part, messages),                                                              \
         .doc =                                                                                    \
             "Full names of the messages that are allowed; empty allows any of the schema's "      \
             "file. `raw` framing needs one, unless the file has one at its top level."},          \
        {"millrace." name ".null",                                                                 \
         CONFIG_STRING,                                                                            \
         "allow",                                                                                  \
         .choices = contract_nulls,                                                                \
         CONTRACT_TO(part, null),                                                                  \
         .doc = "Whether the " name " may be null."},                                              \
        {"millrace." name ".on.violation",                                                         \
         CONFIG_STRING,                                                                            \
         "reject",                                                                                 \
         .choices = contract_violations,                                                           \
         CONTRACT_TO(part, on_violation),                                                          \
         .doc =                                                                                    \
             "What becomes of a batch with a record that breaks the contract: `reject` refuses "   \
             "it, `observe` stores it and reports the violation."},                                \
        {"millrace." name ".subject",                                                              \
         CONFIG_STRING,                                                                            \
         "",                                                                                       \
         .is_valid = contract_subject_is_valid,                                                    \
         CONTRACT_TO(part, subject),                                                               \
         .doc = "The subject that the contract is under; empty: by millrace." name                 \
                ".subject.strategy."},                                                             \
        {"millrace." name ".subject.strategy",                                                     \
         CONFIG_STRING,                                                                            \
         "topic",                                                                                  \
         .choices = contract_strategies,                                                           \
         CONTRACT_TO(part, own_strategy),                                                          \
         .doc =                                                                                    \
             "Which subject a schema has to be of: TOPIC-" name                                    \
             " (`topic`), the message's full name (`record`), or TOPIC-NAME (`topic-record`)."},   \
        {"millrace." name ".unknown.fields",                                                       \
         CONFIG_STRING,                                                                            \
         "auto",                                                                                   \
         .choices = contract_unknowns,                                                             \
         CONTRACT_TO(part, unknown_fields),                                                        \
         .doc =                                                                                    \
             "Whether fields that the schema does not have are fine; `auto` allows them in "       \
             "framed records and refuses them with `raw` framing."},                               \
    {                                                                                              \
        "millrace." name ".versions", CONFIG_STRING, "any",                                        \
            .is_valid = contract_versions_are_valid, CONTRACT_TO(part, versions),                  \
            .doc =                                                                                 \
                "Which versions of the subject are allowed: `any` (hidden ones too), `>=N`, "      \
                "and with `raw` framing `latest`."                                                 \
    }
