#include "cli/record_decode.h"

#include <jansson.h>

#include "base/clock.h"
#include "registry/json_write.h"
#include "registry/schema.h"
#include "registry/subjects.h"

enum { MEMORY_MAX = 64 << 20, VERSIONS_AGAIN_MS = 2000 };

/* --- framed --- */

static const struct registry_schema *schema_of_frame(const struct record_decode *decode,
                                                     const struct framed *framed,
                                                     struct arena *arena, struct error *error) {
    struct bytes context = subject_context(bytes_of_text(decode->contract->config->subject));
    const char *path;
    if (framed->form == FRAMING_GUID) {
        char guid[SCHEMA_GUID_TEXT_SIZE];
        schema_guid_format(framed->guid, guid);
        path = arena_format(arena, "/schemas/guids/%s", guid);
    } else if (bytes_equal_text(context, ".")) {
        path = arena_format(arena, "/schemas/ids/%u", framed->id);
    } else {
        path = arena_format(arena, "/contexts/%s/schemas/ids/%u",
                            registry_path_segment(arena, context), framed->id);
    }
    return registry_schemas_find(decode->contract->schemas, path, context, error);
}

/* An index path may name two messages (registry/contract.h): the one that the payload is. */
static bool payload_write(const struct json_schema *schema, const struct framed *framed,
                          struct text *out, struct error *error) {
    uint32_t found[CONTRACT_PATHS_MAX];
    struct error ignored;
    size_t count = contract_resolve(schema->contract, framed->path, framed->path_length, found);
    if (count == 0) return error_set(error, 0, "the message indexes name no message of the schema");
    for (size_t i = 0; i < count; i++) {
        const struct json_message *message =
            json_schema_find(schema, contract_message_name(schema->contract, found[i]));
        if (json_write(schema, message, framed->payload, false, out, i ? &ignored : error))
            return true;
    }
    return false;
}

static bool framed_write(const struct record_decode *decode, const struct record *record,
                         struct bytes value, struct text *out, struct arena *arena,
                         struct error *error) {
    bool is_key = decode->contract->part == CONTRACT_OF_KEY;
    const char *name = is_key ? "__key_schema_id" : "__value_schema_id", *problem;
    struct bytes header = framing_find_header(record->headers, name);
    struct bytes rest = bytes_is_null(header) ? value : header;
    struct framed framed;
    if (bytes_is_null(header) && decode->contract->config->framing == CONTRACT_HEADER)
        return error_set(error, 0, "there is no header %s", name);
    if (!framing_take_schema(&rest, &framed, &problem)) return error_set(error, 0, "%s", problem);
    const struct registry_schema *schema = schema_of_frame(decode, &framed, arena, error);
    if (!schema) return false;
    if (!framing_take_path(&rest, &framed, &problem)) return error_set(error, 0, "%s", problem);
    framed.payload = bytes_is_null(header) ? rest : value;
    return payload_write(schema->json, &framed, out, error);
}

/* --- raw --- */

/* Newest first; the registry lists them oldest first. */
static void versions_take(struct record_decode *decode, const json_t *list) {
    struct contract_versions wanted;
    contract_config_versions(decode->contract->config, &wanted);
    size_t most = wanted.latest ? 1 : TOPIC_CONTRACT_VERSIONS_MAX;
    decode->version_count = 0;
    for (size_t i = json_array_size(list); i > 0 && decode->version_count < most; i--) {
        int32_t version = (int32_t)json_integer_value(json_array_get(list, i - 1));
        if (version >= wanted.minimum) decode->versions[decode->version_count++] = version;
    }
}

static bool versions_ask(struct record_decode *decode, struct bytes subject, struct arena *arena,
                         struct error *error) {
    bool latest = strcmp(decode->contract->config->versions, "latest") == 0;
    struct registry_answer answer;
    const char *path =
        arena_format(arena, "/subjects/%s/versions%s", registry_path_segment(arena, subject),
                     latest ? "" : "?deleted=true");
    decode->versions_ns = clock_monotonic_ns();
    if (!registry_client_ask(&decode->contract->schemas->client, "GET", path, BYTES_NULL, arena,
                             &answer, error))
        return false;
    json_t *list = json_loadb((const char *)answer.body.at, answer.body.len, 0, NULL);
    versions_take(decode, list);
    json_decref(list);
    return decode->version_count > 0 ||
           error_set(error, 0, "subject \"%.*s\" has no version", BYTES_FORMAT(subject));
}

static bool version_write(const struct record_decode *decode, struct bytes subject,
                          struct bytes payload, size_t index, bool all_known, struct text *out,
                          struct arena *arena, struct error *error) {
    const struct registry_schema *schema =
        record_contract_version(decode->contract, subject, decode->versions[index], arena, error);
    if (!schema) return false;
    struct bytes name = record_contract_message(decode->contract);
    if (bytes_is_null(name)) name = schema_only_message(schema);
    const struct json_message *message = json_schema_find(schema->json, name);
    if (!message)
        return error_set(error, 0, "version %d has no message %.*s", schema->version,
                         BYTES_FORMAT(name));
    return json_write(schema->json, message, payload, all_known, out, error);
}

/* The newest that reads the payload; it may have to know every field. */
static bool versions_try(const struct record_decode *decode, struct bytes subject,
                         struct bytes payload, bool all_known, struct text *out,
                         struct arena *arena, struct error *error) {
    struct error ignored;
    for (size_t i = 0; i < decode->version_count; i++)
        if (version_write(decode, subject, payload, i, all_known, out, arena,
                          i == 0 ? error : &ignored))
            return true;
    return false;
}

static bool versions_are_old(const struct record_decode *decode) {
    return clock_monotonic_ns() - decode->versions_ns > VERSIONS_AGAIN_MS * (uint64_t)NS_PER_MS;
}

/* What no version knows all fields of may be of one that is newer than the list. */
static bool raw_write(struct record_decode *decode, struct bytes payload, struct text *out,
                      struct arena *arena, struct error *error) {
    struct bytes message = record_contract_message(decode->contract);
    struct bytes subject = record_contract_subject(decode->contract, message, arena);
    bool is_first = decode->versions_ns == 0;
    if (is_first && !versions_ask(decode, subject, arena, error)) return false;
    if (versions_try(decode, subject, payload, true, out, arena, error)) return true;
    if (!is_first && versions_are_old(decode) && versions_ask(decode, subject, arena, error) &&
        versions_try(decode, subject, payload, true, out, arena, error))
        return true;
    if (decode->version_count == 0)
        return error_set(error, 0, "the versions of subject \"%.*s\" are not known",
                         BYTES_FORMAT(subject));
    return versions_try(decode, subject, payload, false, out, arena, error);
}

/* --- all --- */

void record_decode_init(struct record_decode *decode, const struct record_contract *contract) {
    *decode = (struct record_decode){.contract = contract};
}

bool record_decode_json(struct record_decode *decode, const struct record *record, struct text *out,
                        struct error *error) {
    struct bytes value = decode->contract->part == CONTRACT_OF_KEY ? record->key : record->value;
    struct arena arena;
    if (bytes_is_null(value)) {
        text_append(out, BYTES_OF("null"));
        return true;
    }
    arena_init(&arena, MEMORY_MAX);
    bool good = decode->contract->config->framing == CONTRACT_RAW
                    ? raw_write(decode, value, out, &arena, error)
                    : framed_write(decode, record, value, out, &arena, error);
    arena_deinit(&arena);
    return good;
}
