#include "registry/topic_contract.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

__attribute__((format(printf, 2, 3))) static bool refuse(struct breach *breach, const char *format,
                                                         ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(breach->reason, sizeof breach->reason, format, list);
    va_end(list);
    return false;
}

static struct bytes part_of(const struct topic_contract *contract, const struct record *record) {
    return contract->part == CONTRACT_OF_KEY ? record->key : record->value;
}

static const char *header_name(const struct topic_contract *contract) {
    return contract->part == CONTRACT_OF_KEY ? "__key_schema_id" : "__value_schema_id";
}

/* --- subjects and messages --- */

/* The subject of a message, by the strategy; the text is the contract's until the next. */
static struct bytes subject_of_message(struct topic_contract *contract, struct bytes message) {
    bool with_topic = contract->strategy == CONTRACT_BY_TOPIC_RECORD;
    struct bytes topic = with_topic ? contract->topic : BYTES_NULL;
    int len = snprintf(contract->name, sizeof contract->name, "%.*s%s%.*s", BYTES_FORMAT(topic),
                       with_topic ? "-" : "", BYTES_FORMAT(message));
    if (len < 0 || (size_t)len >= sizeof contract->name) return BYTES_NULL;
    return bytes_make(contract->name, (size_t)len);
}

/* Whether the schema is an admitted version of the subject. */
static bool subject_admits(const struct topic_contract *contract,
                           const struct schema_subject *subject, const struct schema *schema) {
    const struct schema_version *version =
        subject ? schema_subject_with(subject, schema, true) : NULL;
    return version && version->version >= contract->versions.minimum;
}

static bool refuse_version(const struct topic_contract *contract, struct bytes name,
                           const struct schema_subject *subject, const struct schema *schema,
                           struct breach *breach) {
    const struct schema_version *version =
        subject ? schema_subject_with(subject, schema, true) : NULL;
    if (version)
        return refuse(breach, "version %d of subject \"%.*s\" is not allowed: %s", version->version,
                      BYTES_FORMAT(name), contract->config->versions);
    return refuse(breach, "schema id %d is no version of subject \"%.*s\"", schema->entry.id,
                  BYTES_FORMAT(name));
}

static bool message_admitted(struct topic_contract *contract, const struct schema *schema,
                             uint32_t message, struct breach *breach) {
    struct bytes name = contract_message_name(schema->contract, message);
    if (!contract_allows_message(contract->config, name))
        return refuse(breach, "message %.*s is not allowed, only %.120s", BYTES_FORMAT(name),
                      contract->config->messages);
    if (!bytes_is_null(contract->subject_name)) return true;
    struct bytes subject_name = subject_of_message(contract, name);
    const struct schema_subject *subject = schema_view_subject(contract->view, subject_name);
    return subject_admits(contract, subject, schema) ||
           refuse_version(contract, subject_name, subject, schema, breach);
}

/* --- framed --- */

/* What no schema of that state can be checked with. */
static bool schema_usable(const struct topic_contract *contract, const struct schema *schema,
                          struct breach *breach) {
    if (schema->state == SCHEMA_COMPILED) return true;
    if (schema->state == SCHEMA_QUARANTINED)
        return refuse(breach, "schema id %d does not compile: %.150s", schema->entry.id,
                      schema->problem);
    if (contract->level == CONTRACT_PAYLOAD)
        return refuse(breach, "schema id %d is %s, and only PROTOBUF payloads can be checked",
                      schema->entry.id, schema_type_name(schema->entry.type));
    if (bytes_is_null(contract->subject_name))
        return refuse(breach, "schema id %d is %s, which has no subject by message",
                      schema->entry.id, schema_type_name(schema->entry.type));
    return true;
}

static const struct schema *schema_of_frame(const struct topic_contract *contract,
                                            const struct framed *framed, struct breach *breach) {
    const struct schema *schema;
    if (framed->form == FRAMING_GUID) {
        schema = schema_view_find_guid(contract->view, framed->guid);
        if (!schema) refuse(breach, "there is no schema with that GUID");
    } else {
        struct bytes context = subject_context(contract->subject_name);
        bool fits = framed->id <= INT32_MAX;
        schema = fits ? schema_view_find(contract->view, context, (int32_t)framed->id) : NULL;
        if (!schema) refuse(breach, "there is no schema with id %u", framed->id);
    }
    if (schema) breach->schema_id = schema->entry.id;
    return schema;
}

/* Which messages the indexes name, and which of these are allowed. */
static bool admit_messages(struct topic_contract *contract, const struct framed *framed,
                           struct admitted *admitted, struct breach *breach) {
    uint32_t found[CONTRACT_PATHS_MAX];
    const struct schema *schema = admitted->schema;
    size_t count = contract_resolve(schema->contract, framed->path, framed->path_length, found);
    if (count == 0)
        return refuse(breach, "the message indexes name no message of schema id %d",
                      schema->entry.id);
    for (size_t i = 0; i < count; i++)
        if (message_admitted(contract, schema, found[i], breach))
            admitted->messages[admitted->count++] = found[i];
    return admitted->count > 0;
}

/* The schema in front of `rest`, which is left with what follows: the payload, when it is the
 * value. */
static bool admit(struct topic_contract *contract, struct bytes *rest, struct admitted *admitted,
                  struct breach *breach) {
    struct framed framed;
    const char *problem;
    *admitted = (struct admitted){0};
    if (!framing_take_schema(rest, &framed, &problem)) return refuse(breach, "%s", problem);
    const struct schema *schema = admitted->schema = schema_of_frame(contract, &framed, breach);
    if (!schema || !schema_usable(contract, schema, breach)) return false;
    if (!bytes_is_null(contract->subject_name) &&
        !subject_admits(contract, contract->subject, schema))
        return refuse_version(contract, contract->subject_name, contract->subject, schema, breach);
    if (schema->state == SCHEMA_NOT_COMPILED) return true;
    if (!framing_take_path(rest, &framed, &problem)) return refuse(breach, "%s", problem);
    return admit_messages(contract, &framed, admitted, breach);
}

/* Whether the payload is one of the messages. */
static bool payload_valid(struct topic_contract *contract, const struct admitted *admitted,
                          struct bytes payload, struct breach *breach) {
    const struct violation *violation = &contract->violation;
    if (contract->level != CONTRACT_PAYLOAD) return true;
    for (size_t i = 0; i < admitted->count; i++) {
        if (contract_check(admitted->schema->contract, admitted->messages[i], payload,
                           contract->reject_unknown, &contract->violation))
            return true;
        if (i > 0) continue; /* the first reading tells */
        snprintf(breach->path, sizeof breach->path, "%s", violation->path);
        snprintf(breach->reason, sizeof breach->reason, "%s", violation->reason);
    }
    breach->schema_id = admitted->schema->entry.id;
    return false;
}

static void remember(struct topic_contract *contract, const struct admitted *admitted,
                     struct bytes value, struct bytes payload) {
    size_t length = (size_t)(payload.at - value.at);
    contract->prefix_length = 0;
    if (length > TOPIC_CONTRACT_PREFIX_MAX) return;
    memcpy(contract->prefix, value.at, length);
    contract->prefix_length = length;
    contract->last = *admitted;
}

static bool check_prefixed(struct topic_contract *contract, struct bytes value,
                           struct breach *breach) {
    struct admitted admitted;
    struct bytes payload = value;
    size_t known = contract->prefix_length;
    if (known > 0 && value.len >= known && memcmp(value.at, contract->prefix, known) == 0)
        return payload_valid(contract, &contract->last,
                             bytes_make(value.at + known, value.len - known), breach);
    if (!admit(contract, &payload, &admitted, breach)) return false;
    remember(contract, &admitted, value, payload);
    return payload_valid(contract, &admitted, payload, breach);
}

static bool check_framed(struct topic_contract *contract, const struct record *record,
                         struct breach *breach) {
    struct admitted admitted;
    struct bytes value = part_of(contract, record), header = BYTES_NULL;
    if (record->header_count > 0)
        header = framing_find_header(record->headers, header_name(contract));
    if (bytes_is_null(header)) {
        if (contract->config->framing == CONTRACT_CONFLUENT)
            return check_prefixed(contract, value, breach);
        return refuse(breach, "there is no header %s", header_name(contract));
    }
    if (!admit(contract, &header, &admitted, breach)) return false;
    if (header.len > 0)
        return refuse(breach, "bytes behind the schema in the header %s", header_name(contract));
    return payload_valid(contract, &admitted, value, breach);
}

/* --- raw --- */

/* The message of a raw payload: the one that is named, or the only one of the file. */
static bool raw_message(const struct topic_contract *contract, const struct schema *schema,
                        uint32_t *message) {
    const char *rest = contract->config->messages;
    struct bytes name;
    uint32_t found[CONTRACT_PATHS_MAX];
    int32_t first = 0;
    if (contract_names_next(&rest, &name)) return contract_find(schema->contract, name, message);
    if (contract_top_count(schema->contract) != 1) return false;
    if (contract_resolve(schema->contract, &first, 1, found) == 0) return false;
    *message = found[0];
    return true;
}

/* With `latest` there is one, whatever can be done with it. */
static void raw_open(struct topic_contract *contract) {
    const struct schema_subject *subject = contract->subject;
    for (size_t i = subject ? subject->count : 0; i > 0; i--) {
        const struct schema_version *version = &subject->versions[i - 1];
        struct admitted *admitted = &contract->raw[contract->raw_count];
        if (version->version < contract->versions.minimum) return;
        if (contract->versions.latest && version->deleted) continue;
        *admitted = (struct admitted){.schema = version->schema, .count = 1};
        if (version->schema->state == SCHEMA_COMPILED &&
            raw_message(contract, version->schema, &admitted->messages[0]))
            contract->raw_count++;
        if (contract->versions.latest || contract->raw_count == TOPIC_CONTRACT_VERSIONS_MAX) return;
    }
}

static bool check_raw(struct topic_contract *contract, struct bytes payload,
                      struct breach *breach) {
    struct breach ignored;
    if (contract->raw_count == 0)
        return refuse(breach, "subject \"%.*s\" has no version to check it with",
                      BYTES_FORMAT(contract->subject_name));
    size_t last = contract->raw_last;
    if (last > 0 && payload_valid(contract, &contract->raw[last], payload, &ignored)) return true;
    for (size_t i = 0; i < contract->raw_count; i++) {
        if (i > 0 && i == last) continue;
        if (!payload_valid(contract, &contract->raw[i], payload, i == 0 ? breach : &ignored))
            continue;
        contract->raw_last = i;
        return true;
    }
    return false; /* told by the newest */
}

/* --- all --- */

static struct bytes fixed_subject(struct topic_contract *contract) {
    const char *rest = contract->config->messages;
    struct bytes name;
    int len;
    if (*contract->config->subject) return bytes_of_text(contract->config->subject);
    if (contract->strategy == CONTRACT_BY_TOPIC) {
        len = snprintf(contract->name, sizeof contract->name, "%.*s-%s",
                       BYTES_FORMAT(contract->topic), contract_part_name(contract->part));
        check(len > 0 && (size_t)len < sizeof contract->name);
        return bytes_make(contract->name, (size_t)len);
    }
    bool raw = contract->config->framing == CONTRACT_RAW;
    if (!raw || !contract_names_next(&rest, &name)) return BYTES_NULL;
    return subject_of_message(contract, name);
}

void topic_contract_open(struct topic_contract *contract, enum contract_part part,
                         const struct contract_config *config, struct bytes topic,
                         const struct schema_view *view) {
    contract->part = part;
    contract->config = config;
    contract->view = view;
    contract->topic = topic;
    contract->level = contract_config_level(config);
    contract->strategy = contract_config_strategy(config);
    contract->reject_unknown = contract_config_rejects_unknown(config);
    contract_config_versions(config, &contract->versions);
    contract->subject_name = fixed_subject(contract);
    contract->subject = bytes_is_null(contract->subject_name)
                            ? NULL
                            : schema_view_subject(view, contract->subject_name);
    contract->raw_count = contract->raw_last = 0;
    contract->prefix_length = 0;
    if (config->framing == CONTRACT_RAW) raw_open(contract);
}

bool topic_contract_check(struct topic_contract *contract, const struct record *record,
                          struct breach *breach) {
    struct bytes value = part_of(contract, record);
    breach->schema_id = 0;
    breach->path[0] = breach->reason[0] = 0;
    if (bytes_is_null(value)) {
        return contract->config->null == CONTRACT_NULL_ALLOW ||
               refuse(breach, "it is null, and millrace.%s.null=reject",
                      contract_part_name(contract->part));
    }
    if (contract->config->framing == CONTRACT_RAW) return check_raw(contract, value, breach);
    return check_framed(contract, record, breach);
}
