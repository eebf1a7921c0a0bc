#include "cli/record_encode.h"

#include <ctype.h>
#include <errno.h>

#include "protocol/varint.h"
#include "registry/json_read.h"
#include "registry/schema.h"

enum { MEMORY_MAX = 64 << 20, MAGIC_ID = 0, MAGIC_GUID = 1 };

/* --- which message --- */

static void names_print(const struct registry_schema *schema, struct text *out) {
    const struct file_descriptor *file = descriptor_root(&schema->set);
    for (size_t i = 0; i < file->message_count && i < 5; i++)
        text_printf(out, "%s%.*s", i ? ", " : "", BYTES_FORMAT(file->messages[i].full_name));
    if (file->message_count > 5) text_printf(out, ", ...");
}

static bool ask_for_message(const struct record_encode *encode, const char *flag, const char *names,
                            struct error *error) {
    return error_set(error, EINVAL,
                     "topic %s takes several messages as its %s: choose one with %s%s%.120s",
                     encode->contract->topic, contract_part_name(encode->contract->part), flag,
                     *names ? ": " : "", names);
}

/* Without a name, the subject has to be known without one, and to leave no choice. */
static bool message_guess(struct record_encode *encode, const char *flag, struct bytes *name,
                          struct error *error) {
    const struct record_contract *contract = encode->contract;
    struct text names = {0};
    bool by_name = !*contract->config->subject &&
                   contract_config_strategy(contract->config) != CONTRACT_BY_TOPIC;
    if (*contract->config->messages || by_name)
        return ask_for_message(encode, flag, contract->config->messages, error);
    struct bytes subject = record_contract_subject(contract, BYTES_NULL, &encode->arena);
    const struct registry_schema *schema =
        record_contract_version(contract, subject, -1, &encode->arena, error);
    if (!schema) return false;
    *name = schema_only_message(schema);
    if (!bytes_is_null(*name)) return true;
    names_print(schema, &names);
    ask_for_message(encode, flag, names.at ? names.at : "", error);
    text_deinit(&names);
    return false;
}

static bool message_choose(struct record_encode *encode, const char *message, const char *flag,
                           struct error *error) {
    const struct record_contract *contract = encode->contract;
    struct bytes name = message ? bytes_of_text(message) : record_contract_message(contract);
    if (message && !contract_allows_message(contract->config, name))
        return error_set(error, EINVAL, "%s: topic %s does not take %.80s, only %.80s", flag,
                         contract->topic, message, contract->config->messages);
    if (bytes_is_null(name) && !message_guess(encode, flag, &name, error)) return false;
    struct bytes subject = record_contract_subject(contract, name, &encode->arena);
    encode->schema = record_contract_version(contract, subject, -1, &encode->arena, error);
    if (!encode->schema) return false;
    encode->message = json_schema_find(encode->schema->json, name);
    return encode->message ||
           error_set(error, ENOENT, "the latest version of subject \"%.*s\" has no message %.*s",
                     BYTES_FORMAT(subject), BYTES_FORMAT(name));
}

static bool version_check(const struct record_encode *encode, struct error *error) {
    struct contract_versions versions;
    contract_config_versions(encode->contract->config, &versions);
    return encode->schema->version >= versions.minimum ||
           error_set(error, 0, "topic %s takes versions %s of the schema, and the latest is %d",
                     encode->contract->topic, encode->contract->config->versions,
                     encode->schema->version);
}

/* --- the frame --- */

static void varint_append(struct byte_buffer *out, int32_t value) {
    out->len += varint_put_i32(byte_buffer_reserve(out, VARINT_32_MAX), value);
}

static size_t index_of(const struct message_descriptor *message) {
    const struct message_descriptor *first =
        message->parent ? message->parent->messages : message->file->messages;
    return (size_t)(message - first);
}

/* Counted as descriptors do, with the hidden messages of maps. */
static bool indexes_append(const struct record_encode *encode, struct byte_buffer *out,
                           struct error *error) {
    const struct message_descriptor *at = encode->message->descriptor;
    int32_t path[FRAMING_PATH_MAX];
    int32_t count = 0;
    if (at->file != descriptor_root(&encode->schema->set))
        return error_set(error, EINVAL,
                         "message %.*s comes from an import: a schema id cannot name it",
                         BYTES_FORMAT(at->full_name));
    for (; at && count < FRAMING_PATH_MAX; at = at->parent) path[count++] = (int32_t)index_of(at);
    if (at) return error_set(error, EINVAL, "the message is nested too deep");
    bool is_first = count == 1 && path[0] == 0;
    varint_append(out, is_first ? 0 : count);
    for (int32_t i = count; i > 0 && !is_first; i--) varint_append(out, path[i - 1]);
    return true;
}

/* In a header stands the GUID, as serializers write it, where the registry tells one. */
static bool frame_make(struct record_encode *encode, struct error *error) {
    enum contract_framing framing = (enum contract_framing)encode->contract->config->framing;
    struct byte_buffer *out = &encode->frame;
    uint8_t guid[SCHEMA_GUID_SIZE];
    if (framing == CONTRACT_RAW) return true;
    if (framing == CONTRACT_HEADER && schema_guid_parse(encode->schema->guid, guid)) {
        byte_buffer_put_u8(out, MAGIC_GUID);
        byte_buffer_append(out, bytes_make(guid, sizeof guid));
    } else {
        byte_buffer_put_u8(out, MAGIC_ID);
        store_u32(byte_buffer_reserve(out, 4), (uint32_t)encode->schema->id);
        out->len += 4;
    }
    if (!indexes_append(encode, out, error)) return false;
    if (framing != CONTRACT_HEADER) return true;
    bool is_key = encode->contract->part == CONTRACT_OF_KEY;
    encode->header.key = is_key ? BYTES_OF("__key_schema_id") : BYTES_OF("__value_schema_id");
    encode->header.value = byte_buffer_bytes(out);
    return true;
}

/* --- all --- */

bool record_encode_init(struct record_encode *encode, const struct record_contract *contract,
                        const char *message, const char *flag, struct error *error) {
    *encode = (struct record_encode){.contract = contract};
    arena_init(&encode->arena, MEMORY_MAX);
    return message_choose(encode, message, flag, error) && version_check(encode, error) &&
           frame_make(encode, error);
}

void record_encode_deinit(struct record_encode *encode) {
    byte_buffer_deinit(&encode->frame);
    byte_buffer_deinit(&encode->encoded);
    arena_deinit(&encode->arena);
}

static bool is_null(struct bytes json) {
    while (json.len > 0 && isspace(json.at[0])) json = bytes_make(json.at + 1, json.len - 1);
    while (json.len > 0 && isspace(json.at[json.len - 1])) json.len--;
    return bytes_equal_text(json, "null");
}

bool record_encode_json(struct record_encode *encode, struct bytes json, struct bytes *encoded,
                        struct error *error) {
    struct byte_buffer *out = &encode->encoded;
    *encoded = BYTES_NULL;
    if (bytes_is_null(json) || is_null(json)) return true;
    out->len = 0;
    if (encode->contract->config->framing == CONTRACT_CONFLUENT)
        byte_buffer_append(out, byte_buffer_bytes(&encode->frame));
    if (!json_read(encode->schema->json, encode->message, json, out, error)) return false;
    *encoded = byte_buffer_bytes(out);
    return true;
}
