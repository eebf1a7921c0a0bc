/* Whether a contract can be set: what it names has to exist, and the refusal says what does. */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "registry/topic_contract.h"

enum { NAMES_SHOWN = 5 };

/* Names in the order given, and how many more there are. */
struct naming {
    struct text text;
    size_t count;
};

static void name_add(struct naming *naming, struct bytes name) {
    if (naming->count++ < NAMES_SHOWN)
        text_printf(&naming->text, "%s%.*s", naming->count > 1 ? ", " : "", BYTES_FORMAT(name));
}

static bool refuse_naming(struct error *error, const char *what, const char *is,
                          struct naming *naming) {
    if (naming->count > NAMES_SHOWN)
        text_printf(&naming->text, " and %zu more", naming->count - NAMES_SHOWN);
    if (naming->count == 0) text_printf(&naming->text, "none");
    error_set(error, EINVAL, "%.120s; %s: %.*s", what, is, BYTES_FORMAT(text_bytes(&naming->text)));
    text_deinit(&naming->text);
    return false;
}

static bool refuse_subject(const struct topic_contract *contract, struct error *error) {
    struct naming naming = {0};
    char what[128];
    for (size_t i = 0; i < contract->view->subject_count; i++)
        name_add(&naming, contract->view->subjects[i].name);
    snprintf(what, sizeof what, "there is no subject \"%.*s\"",
             BYTES_FORMAT(contract->subject_name));
    return refuse_naming(error, what, "the registry has", &naming);
}

static bool refuse_message(const struct contract *schema, const char *what, struct error *error) {
    struct naming naming = {0};
    uint32_t found[CONTRACT_PATHS_MAX];
    for (int32_t i = 0; (size_t)i < contract_top_count(schema); i++)
        if (contract_resolve(schema, &i, 1, found) > 0)
            name_add(&naming, contract_message_name(schema, found[0]));
    return refuse_naming(error, what, "it has", &naming);
}

/* Every message that is named is in the newest version; raw payloads have one to be checked as. */
static bool judge_messages(const struct topic_contract *contract,
                           const struct schema_version *newest, struct error *error) {
    const struct contract *schema = newest->schema->contract;
    const char *rest = contract->config->messages;
    struct bytes name;
    uint32_t message;
    char what[160];
    while (contract_names_next(&rest, &name)) {
        if (contract_find(schema, name, &message)) continue;
        snprintf(what, sizeof what, "version %d of \"%.*s\" has no message \"%.*s\"",
                 newest->version, BYTES_FORMAT(contract->subject_name), BYTES_FORMAT(name));
        return refuse_message(schema, what, error);
    }
    if (contract->config->framing != CONTRACT_RAW || *contract->config->messages ||
        contract_top_count(schema) == 1)
        return true;
    snprintf(what, sizeof what, "name the message of raw payloads in millrace.%s.message",
             contract_part_name(contract->part));
    return refuse_message(schema, what, error);
}

static bool judge_newest(const struct topic_contract *contract, const struct schema_version *newest,
                         struct error *error) {
    const struct schema *schema = newest->schema;
    if (schema->state == SCHEMA_COMPILED) return judge_messages(contract, newest, error);
    if (contract->level != CONTRACT_PAYLOAD) return true;
    if (schema->state == SCHEMA_QUARANTINED)
        return error_set(error, EINVAL, "version %d of \"%.*s\" does not compile: %.100s",
                         newest->version, BYTES_FORMAT(contract->subject_name), schema->problem);
    return error_set(error, EINVAL,
                     "\"%.*s\" is %s, and only PROTOBUF payloads can be checked; "
                     "millrace.%s.contract=schema-id checks the schema id alone",
                     BYTES_FORMAT(contract->subject_name), schema_type_name(schema->entry.type),
                     contract_part_name(contract->part));
}

static bool judge_part(const struct topic_contract *contract, struct error *error) {
    bool is_named = *contract->config->subject != 0;
    const struct schema_version *newest =
        contract->subject ? schema_subject_version(contract->subject, -1, false) : NULL;
    if (newest) return judge_newest(contract, newest, error);
    return is_named ? refuse_subject(contract, error) : true;
}

bool topic_contract_judge(const struct topic_config *config, struct bytes topic,
                          const struct schema_view *view, struct error *error) {
    struct topic_contract contract;
    for (enum contract_part part = 0; part < CONTRACT_PARTS; part++) {
        if (contract_config_level(&config->contracts[part]) == CONTRACT_OFF) continue;
        if (!view->loaded)
            return error_set(error, EAGAIN,
                             "there is no registry to look in: it is still being loaded, or off "
                             "(registry-listen)");
        topic_contract_open(&contract, part, &config->contracts[part], topic, view);
        if (!judge_part(&contract, error)) return false;
    }
    return true;
}
