/* millrace contract test: payloads from files against a message, with the broker's own checker. */
#include <errno.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/schema_source.h"
#include "registry/contract.h"
#include "registry/framing.h"

enum { PAYLOAD_BYTES_MAX = 64 << 20 };

static const struct flag test_flags[] = {
    {"message", 'm', FLAG_TEXT, SETTING(message), "NAME",
     "Full name of the message; not needed where the file has one at its top level, or the framing "
     "names it.",
     0},
    {"framed", 0, FLAG_SWITCH, SETTING(framed), NULL,
     "The payloads begin as serializers write them: magic byte, schema id, message indexes. The id "
     "itself is not looked up.",
     0},
    {"allow-unknown", 0, FLAG_SWITCH, SETTING(allow_unknown), NULL,
     "Fields that are not in the schema are no violation.", 0},
    {"proto-path", 'I', FLAG_LIST, SETTING(proto_paths), "FOLDER",
     "Where imports are looked for, before the file's own folder. May be repeated.", 0},
};

struct trial {
    const struct settings *settings;
    const struct contract *contract;
    uint32_t message; /* when it is named */
    bool named;
    struct text out;
    size_t broken;
};

static bool payload_read(const char *path, struct byte_buffer *payload, struct error *error) {
    FILE *file = fopen(path, "re");
    if (!file) return error_set(error, errno, "cannot read %.200s: %s", path, strerror(errno));
    size_t got = 1;
    while (got > 0 && payload->len <= PAYLOAD_BYTES_MAX) {
        got = fread(byte_buffer_reserve(payload, 1 << 16), 1, 1 << 16, file);
        payload->len += got;
    }
    bool good = !ferror(file) || error_set(error, EIO, "cannot read %.200s", path);
    fclose(file);
    if (good && payload->len > PAYLOAD_BYTES_MAX)
        return error_set(error, EFBIG, "%.200s has more than 64MiB", path);
    return good;
}

/* An index path may name two messages (registry/contract.h): either may validate. */
static bool payload_valid(const struct trial *trial, struct bytes payload, const uint32_t *messages,
                          size_t count, struct violation *violation) {
    for (size_t i = 0; i < count; i++) {
        bool reject = !trial->settings->allow_unknown;
        if (contract_check(trial->contract, messages[i], payload, reject, violation)) return true;
    }
    return false;
}

static void payload_try(struct trial *trial, const char *path, struct bytes payload) {
    uint32_t messages[CONTRACT_PATHS_MAX] = {trial->message};
    struct framed framed = {.payload = payload};
    struct violation violation = {0};
    const char *problem = NULL;
    size_t count = trial->named;
    bool framing = !trial->settings->framed || framing_read_prefix(payload, &framed, &problem);
    if (framing && !trial->named)
        count = contract_resolve(trial->contract, framed.path, framed.path_length, messages);
    if (framing && count == 0) problem = "the message indexes name no message of the schema";
    if (!problem && payload_valid(trial, framed.payload, messages, count, &violation)) {
        text_printf(&trial->out, "%s: valid\n", path);
        return;
    }
    trial->broken++;
    if (problem)
        text_printf(&trial->out, "%s: %s\n", path, problem);
    else
        text_printf(&trial->out, "%s: %s: %s\n", path, violation.path, violation.reason);
}

static bool message_choose(struct trial *trial, struct error *error) {
    const char *name = trial->settings->message;
    uint32_t found[CONTRACT_PATHS_MAX];
    int32_t first = 0;
    trial->named = name || !trial->settings->framed;
    if (name)
        return contract_find(trial->contract, bytes_of_text(name), &trial->message) ||
               error_set(error, EINVAL, "the schema has no message \"%.150s\"", name);
    if (!trial->named) return true;
    if (contract_top_count(trial->contract) != 1)
        return error_set(error, EINVAL, "the schema has several messages: name one with --message");
    size_t count = contract_resolve(trial->contract, &first, 1, found);
    trial->message = found[0];
    return count == 1;
}

static bool payloads_try(struct trial *trial, struct error *error) {
    const struct settings *settings = trial->settings;
    for (size_t i = 1; i < settings->positional_count; i++) {
        struct byte_buffer payload = {0};
        bool good = payload_read(settings->positional[i], &payload, error);
        if (good) payload_try(trial, settings->positional[i], byte_buffer_bytes(&payload));
        byte_buffer_deinit(&payload);
        if (!good) return false;
    }
    return true;
}

static enum cli_exit test_run(const struct settings *settings, struct error *error) {
    struct schema_source *source =
        schema_source_open(settings->positional[0], &settings->proto_paths, error);
    struct contract *contract = source ? contract_new(&source->linked, error) : NULL;
    struct trial trial = {.settings = settings, .contract = contract};
    bool good = contract && message_choose(&trial, error) && payloads_try(&trial, error);
    good = command_print(&trial.out, error) && good;
    if (good && trial.broken)
        good = error_set(error, 0, "%zu of %zu payloads break the contract", trial.broken,
                         settings->positional_count - 1);
    contract_free(contract);
    if (source) schema_source_close(source);
    return good ? CLI_DONE : CLI_FAILED;
}

const struct command command_contract_test = {
    .name = "contract test",
    .usage = "FILE.proto PAYLOAD... [FLAGS]",
    .summary = "Check payloads in files against a message.",
    .text =
        "Each file is one payload. Says for each that it is valid, or which field is not and\n"
        "why; status 1 when one is not:\n\n"
        "  protoc --encode=shop.Order order.proto < order.txt > order.bin\n"
        "  millrace contract test order.proto order.bin --message shop.Order\n",
    .flags = FLAGS(test_flags),
    .names_min = 2,
    .names_max = SETTINGS_LIST_MAX,
    .names = "the .proto file or a payload",
    .offline = true,
    .run = test_run,
};
