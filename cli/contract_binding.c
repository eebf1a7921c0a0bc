/* millrace contract set, show: which contract a topic's keys and values have. */
#include <errno.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/contract_lock.h"
#include "cli/schema_registry.h"
#include "cli/topic_config_flags.h"
#include "cli/topic_configs.h"

/* What a contract consists of, and the flag for each. */
struct piece {
    const char *name; /* behind millrace.value. */
    size_t setting;   /* a text of struct settings */
};

static const struct piece pieces[] = {
    {"contract", offsetof(struct settings, level)},
    {"framing", offsetof(struct settings, framing)},
    {"message", offsetof(struct settings, message)},
    {"null", offsetof(struct settings, null)},
    {"on.violation", offsetof(struct settings, on_violation)},
    {"subject", offsetof(struct settings, subject)},
    {"subject.strategy", offsetof(struct settings, strategy)},
    {"unknown.fields", offsetof(struct settings, unknown_fields)},
    {"versions", offsetof(struct settings, versions)},
};

/* ---- set ---- */

static const char *part_of(const struct settings *settings) {
    return settings->keys ? "key" : "value";
}

static const char *value_of(const struct settings *settings, const struct piece *piece) {
    const char *value;
    memcpy(&value, (const char *)settings + piece->setting, sizeof value);
    return value;
}

static bool check_flags(const struct settings *settings, struct error *error) {
    bool off = settings->level && strcmp(settings->level, "off") == 0;
    if (settings->lock && off)
        return error_set(error, EINVAL, "--level off leaves nothing to lock");
    if (settings->message && settings->any_message)
        return error_set(error, EINVAL, "give either --message or --any-message");
    if (off || settings->message || settings->any_message) return true;
    return error_set(error, EINVAL,
                     "say which messages are allowed: --message NAME, or --any-message for every "
                     "one of the schema's file");
}

/* What is not given is as if it had never been set: the command says all of a contract. */
static void pieces_take(const struct settings *from, struct arena *arena, struct settings *to) {
    const char *part = part_of(from);
    *to = *from;
    to->configs.count = to->unset.count = to->append.count = to->subtract.count = 0;
    for (size_t at = 0; at < array_count(pieces); at++) {
        const char *value = value_of(from, &pieces[at]);
        if (!value && at == 0) value = "payload";
        if (value)
            to->configs.items[to->configs.count++] =
                arena_format(arena, "millrace.%s.%s=%s", part, pieces[at].name, value);
        else
            to->unset.items[to->unset.count++] =
                arena_format(arena, "millrace.%s.%s", part, pieces[at].name);
    }
}

/* A framed key holds its schema's id: another version writes the same key in other bytes. */
static void warn_of_compaction(struct session *session) {
    const struct settings *settings = session->settings;
    const struct describe_configs_response_describe_configs_result *configs;
    struct error ignored;
    if (!settings->keys || (settings->framing && strcmp(settings->framing, "raw") == 0)) return;
    configs = topic_configs_read(session->cluster, settings->positional[0], "cleanup.policy",
                                 &session->arena, &ignored);
    if (!configs || configs->configs_count != 1) return;
    struct bytes policy = configs->configs[0].value;
    if (!memmem(policy.at, policy.len, "compact", 7)) return;
    fprintf(stderr,
            "millrace: topic %s is compacted and its keys carry schema ids: a key that is written "
            "with another version of its schema is another key to compaction\n",
            settings->positional[0]);
}

/* ---- lock ---- */

/* What --lock works on; looked at before anything is set. */
struct locking {
    struct registry_client client;
    struct settings_list subjects;
};

static bool locking_init(struct session *session, struct locking *locking) {
    const struct settings *settings = session->settings;
    const struct contract_names names = {.topic = settings->positional[0],
                                         .part = part_of(settings),
                                         .subject = settings->subject,
                                         .strategy = settings->strategy,
                                         .messages = settings->message};
    if (!settings->lock) return true;
    if (!contract_subjects(&names, &session->arena, &locking->subjects))
        return error_set(session->error, EINVAL,
                         "with --any-message and --strategy %s nothing says which subjects to "
                         "lock: name the messages with --message, or the subject with --subject",
                         settings->strategy);
    return registry_client_init(&locking->client, settings, session->error);
}

/* The contract stays as it was set, whatever becomes of this. */
static bool lock(struct session *session, const struct locking *locking, struct text *out) {
    struct error why;
    if (!contract_lock(&locking->client, &locking->subjects, &session->arena, &why))
        return error_set(session->error, why.code, "the contract is set, but %s", why.text);
    for (size_t i = 0; i < locking->subjects.count; i++)
        text_printf(out, "locked subject %s: it takes no further version\n",
                    locking->subjects.items[i]);
    return true;
}

static bool set(struct session *session) {
    const struct settings *settings = session->settings;
    struct locking *locking = arena_new(&session->arena, struct locking);
    struct settings edits;
    struct text out = {0};
    if (!check_flags(settings, session->error) || !locking_init(session, locking)) return false;
    pieces_take(settings, &session->arena, &edits);
    if (!config_edits_send(&edits, session->cluster, &session->arena, session->error)) return false;
    warn_of_compaction(session);
    text_printf(&out, "set the contract of %s's %ss\n", edits.positional[0], part_of(settings));
    bool good = !settings->lock || lock(session, locking, &out);
    return command_print(&out, session->error) && good;
}

static const struct flag set_flags[] = {
    {"message", 'm', FLAG_TEXT, SETTING(message), "NAME,...",
     "Full names of the messages that are allowed.", 0},
    {"any-message", 0, FLAG_SWITCH, SETTING(any_message), NULL,
     "Every message of the schema's file is allowed.", 0},
    {"key", 'k', FLAG_SWITCH, SETTING(keys), NULL, "The contract of keys, not of values.", 0},
    {"level", 0, FLAG_TEXT, SETTING(level), "LEVEL",
     "off, schema-id (only the id is looked up) or payload, the default.", 0},
    {"framing", 0, FLAG_TEXT, SETTING(framing), "HOW",
     "confluent, the default; header; raw (payloads without a schema id).", 0},
    {"subject", 's', FLAG_TEXT, SETTING(subject), "NAME",
     "The registry's subject. Default: by --strategy.", 0},
    {"strategy", 0, FLAG_TEXT, SETTING(strategy), "HOW",
     "topic (TOPIC-value), the default; record; topic-record.", 0},
    {"versions", 0, FLAG_TEXT, SETTING(versions), "WHICH",
     "any, the default; >=N; latest (raw framing).", 0},
    {"unknown-fields", 0, FLAG_TEXT, SETTING(unknown_fields), "HOW",
     "allow or reject. Default: reject where the framing is raw.", 0},
    {"null", 0, FLAG_TEXT, SETTING(null), "HOW", "allow, the default, or reject.", 0},
    {"on-violation", 0, FLAG_TEXT, SETTING(on_violation), "HOW",
     "reject, the default, or observe: store and report.", 0},
    {"lock", 0, FLAG_SWITCH, SETTING(lock), NULL,
     "Make the subject READONLY in the registry, so that no serializer adds versions to it.", 0},
    FLAG_REGISTRY,
};

const struct command command_contract_set = {
    .name = "contract set",
    .usage = "TOPIC [FLAGS]",
    .summary = "Bind a topic to a contract in the registry.",
    .text =
        "  millrace contract set orders --message shop.Order\n"
        "  millrace contract set orders --message shop.Order --framing raw --subject orders\n"
        "  millrace contract set orders --message shop.Order --lock\n"
        "  millrace contract set orders --level off\n\n"
        "Says all of a contract: what is not given gets its default. Counts for records that\n"
        "come from then on. Any admin client can do the same with the topic's configs\n"
        "millrace.value.* and millrace.key.*.\n",
    .flags = FLAGS(set_flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a topic's name",
    .work = set,
};

/* ---- show ---- */

static struct bytes find_value(
    const struct describe_configs_response_describe_configs_result *configs, const char *name) {
    for (int32_t at = 0; at < configs->configs_count; at++)
        if (bytes_equal_text(configs->configs[at].name, name)) return configs->configs[at].value;
    return BYTES_NULL;
}

static const char *text_of(const struct describe_configs_response_describe_configs_result *configs,
                           const char *part, const char *piece, struct arena *arena) {
    const char *name = arena_format(arena, "millrace.%s.%s", part, piece);
    struct bytes value = find_value(configs, name);
    return bytes_is_null(value) ? "" : arena_text(arena, value);
}

/* Where the registry answers; it is not the broker's for certain, but the one that was named. */
static void show_lock(struct session *session,
                      const struct describe_configs_response_describe_configs_result *configs,
                      const char *part, struct text *out) {
    struct arena *arena = &session->arena;
    const char *level = text_of(configs, part, "contract", arena);
    const struct contract_names names = {
        .topic = session->settings->positional[0],
        .part = part,
        .subject = text_of(configs, part, "subject", arena),
        .strategy = text_of(configs, part, "subject.strategy", arena),
        .messages = text_of(configs, part, "message", arena)};
    struct settings_list *subjects = arena_new(arena, struct settings_list);
    struct registry_client client;
    struct error ignored;
    bool locked;
    if (!*level || strcmp(level, "off") == 0) return;
    if (!registry_client_init(&client, session->settings, &ignored)) return;
    if (!contract_subjects(&names, arena, subjects) ||
        !contract_lock_read(&client, subjects, arena, &locked))
        return;
    if (session->settings->json)
        text_printf(out, ", \"locked\": %s", locked ? "true" : "false");
    else
        text_printf(out, "  %-16s  %s\n", "locked",
                    locked ? "yes: READONLY in the registry" : "no");
}

static bool show_part(struct session *session,
                      const struct describe_configs_response_describe_configs_result *configs,
                      const char *part, struct text *out) {
    bool json = session->settings->json;
    char name[64];
    text_printf(out, json ? "\"%s\": {" : "%s\n", part);
    for (size_t at = 0; at < array_count(pieces); at++) {
        snprintf(name, sizeof name, "millrace.%s.%s", part, pieces[at].name);
        struct bytes value = find_value(configs, name);
        if (bytes_is_null(value)) return false;
        if (json) {
            text_printf(out, "%s\"%s\": ", at ? ", " : "", pieces[at].name);
            text_append_json(out, value);
        } else {
            text_printf(out, "  %-16s  %.*s\n", pieces[at].name, BYTES_FORMAT(value));
        }
    }
    show_lock(session, configs, part, out);
    if (json) text_printf(out, "}");
    return true;
}

/* Other brokers' names, where they are set. */
static void show_others(const struct describe_configs_response_describe_configs_result *configs,
                        struct text *out) {
    for (int32_t at = 0; at < configs->configs_count; at++) {
        struct bytes name = configs->configs[at].name;
        bool other = memmem(name.at, name.len, ".schema.", 8) ||
                     memmem(name.at, name.len, ".subject.name.", 14);
        if (other && configs->configs[at].config_source == 1)
            text_printf(out, "%.*s  %.*s\n", BYTES_FORMAT(name),
                        BYTES_FORMAT(configs->configs[at].value));
    }
}

static bool show(struct session *session) {
    const struct settings *settings = session->settings;
    struct text out = {0};
    const struct describe_configs_response_describe_configs_result *configs = topic_configs_read(
        session->cluster, settings->positional[0], NULL, &session->arena, session->error);
    if (!configs) return false;
    if (settings->json) text_printf(&out, "{");
    bool good = show_part(session, configs, "key", &out);
    if (settings->json) text_printf(&out, ", ");
    good = good && show_part(session, configs, "value", &out);
    if (settings->json) text_printf(&out, "}\n");
    if (good && !settings->json) show_others(configs, &out);
    if (good) return command_print(&out, session->error);
    text_deinit(&out);
    return error_set(session->error, ENOTSUP, "this broker knows no contracts");
}

static const struct flag show_flags[] = {
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object.", 0},
    FLAG_REGISTRY,
};

const struct command command_contract_show = {
    .name = "contract show",
    .usage = "TOPIC [FLAGS]",
    .summary = "Show the contract of a topic's keys and values.",
    .text = "Says too whether the subject is locked (READONLY), when the registry answers.\n",
    .flags = FLAGS(show_flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a topic's name",
    .work = show,
};
