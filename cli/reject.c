/* millrace reject list, show, tail: the batches that were refused, from the topic that the broker
 * keeps of them. */
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/consume.h"
#include "registry/reject_print.h"

enum { LOOK_AGAIN_MS = 200 };

/* ---- printing ---- */

static void print_time(int64_t time_ms, struct text *out) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    char day[32];
    gmtime_r(&seconds, &parts);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    text_printf(out, "%s.%03dZ", day, (int)(time_ms % 1000));
}

static void print_violation(const struct reject_violation *violation, struct text *out) {
    text_printf(out, "record %d: %s%.*s%s%.*s", violation->record_index,
                violation->in_key ? "key: " : "", BYTES_FORMAT(violation->path),
                violation->path.len ? ": " : "", BYTES_FORMAT(violation->reason));
    if (violation->schema_id > 0) text_printf(out, " (schema id %d)", violation->schema_id);
}

static void print_head(const struct reject *reject, struct text *out) {
    print_time(reject->time_ms, out);
    text_printf(out, "  %.*s", BYTES_FORMAT(reject->topic));
    if (reject->bad_count > 0) text_printf(out, ":%d", reject->partition);
    text_printf(out, "  client %.*s", BYTES_FORMAT(reject->client_id));
    if (reject->bad_count > 0)
        text_printf(out, " at %.*s  %s, %d of %d records", BYTES_FORMAT(reject->peer),
                    reject->observed ? "stored" : "refused", reject->bad_count,
                    reject->record_count);
    if (reject->left_out > 0)
        text_printf(out, "  (%lld batches before are not listed)", (long long)reject->left_out);
}

static void print_line(const struct reject *reject, struct text *out) {
    print_head(reject, out);
    if (reject->violation_count > 0) {
        text_printf(out, "  ");
        print_violation(&reject->violations[0], out);
    }
    text_printf(out, "\n");
}

static bool is_text(struct bytes payload) {
    for (size_t i = 0; i < payload.len; i++)
        if (payload.at[i] < ' ' || payload.at[i] == 0x7f) return false;
    return utf8_valid_length(payload) == payload.len;
}

static void print_payload(const struct reject_violation *violation, struct text *out) {
    struct bytes payload = violation->payload;
    if (payload.len == 0) return;
    text_printf(out, "    ");
    if (payload.len < (size_t)violation->payload_size) text_printf(out, "%zu of ", payload.len);
    text_printf(out, "%d bytes: ", violation->payload_size);
    if (is_text(payload))
        text_append_json(out, payload);
    else
        reject_print_hex(payload, out);
    text_printf(out, "\n");
}

static void print_all(const struct reject *reject, struct text *out) {
    print_head(reject, out);
    if (reject->producer_id >= 0 && reject->bad_count > 0)
        text_printf(out, "  producer %lld, epoch %d, sequence %d", (long long)reject->producer_id,
                    reject->producer_epoch, reject->base_sequence);
    text_printf(out, "\n");
    for (size_t i = 0; i < reject->violation_count; i++) {
        text_printf(out, "  ");
        print_violation(&reject->violations[i], out);
        text_printf(out, "\n");
        print_payload(&reject->violations[i], out);
    }
    if ((size_t)reject->bad_count > reject->violation_count)
        text_printf(out, "  and %zu more\n", (size_t)reject->bad_count - reject->violation_count);
}

static bool print_by(const struct consumed *consumed, const struct settings *settings,
                     struct text *out, void (*print)(const struct reject *, struct text *)) {
    struct reject reject;
    if (!reject_read(consumed->record->value, &reject)) return false;
    if (settings->positional_count > 0 && !bytes_equal_text(reject.topic, settings->positional[0]))
        return false;
    if (settings->json) {
        reject_print_json(&reject, consumed->offset, out);
        text_printf(out, "\n");
    } else {
        print(&reject, out);
    }
    return true;
}

static bool print_listed(const struct consumed *consumed, const struct settings *settings,
                         struct text *out) {
    return print_by(consumed, settings, out, print_line);
}

static bool print_shown(const struct consumed *consumed, const struct settings *settings,
                        struct text *out) {
    return print_by(consumed, settings, out, print_all);
}

/* ---- the commands ---- */

/* The topic comes with the first reject. */
static enum cli_exit topic_look(const struct settings *settings, bool *there, struct error *error) {
    struct cluster *cluster;
    struct metadata_response response;
    struct bytes name = BYTES_OF(REJECTS_TOPIC);
    struct arena arena;
    if (!cluster_open(settings, &cluster, error)) return CLI_UNREACHABLE;
    arena_init(&arena, CLUSTER_ARENA_BYTES);
    bool good = cluster_metadata(cluster, &name, 1, false, &arena, &response, error);
    *there = good && response.topics_count == 1 && response.topics[0].error_code == ERROR_NONE;
    arena_deinit(&arena);
    cluster_close(cluster);
    return good ? CLI_DONE : CLI_FAILED;
}

static enum cli_exit read_rejects(const struct settings *settings, consume_printer *printer,
                                  struct error *error) {
    bool there = false;
    enum cli_exit status = topic_look(settings, &there, error);
    while (status == CLI_DONE && !there && settings->follow) {
        nanosleep(&(struct timespec){0, LOOK_AGAIN_MS * (long)NS_PER_MS}, NULL);
        status = topic_look(settings, &there, error);
    }
    if (status != CLI_DONE || !there) return status;
    return consume_topic(settings, REJECTS_TOPIC, printer, error);
}

static enum cli_exit list_run(const struct settings *settings, struct error *error) {
    return read_rejects(settings, print_listed, error);
}

static enum cli_exit show_run(const struct settings *settings, struct error *error) {
    return read_rejects(settings, print_shown, error);
}

/* Where there is no topic yet, its first reject is new as well. */
static enum cli_exit tail_run(const struct settings *settings, struct error *error) {
    struct settings following = *settings;
    bool there = false;
    enum cli_exit status = topic_look(settings, &there, error);
    if (status != CLI_DONE) return status;
    following.follow = true;
    if (there && !following.offset) following.offset = "latest";
    return read_rejects(&following, print_listed, error);
}

static const struct flag reject_flags[] = {
    {"offset", 'o', FLAG_TEXT, SETTING(offset), "WHERE",
     "Where to begin, as for `consume`: -N (the last N), @-1h. Default: all, for `tail` none.", 0},
    {"count", 'n', FLAG_NUMBER, SETTING(count), "N", "Stop after N of them.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each.", 0},
};

#define REJECT_COMMAND(verb, words, more, function)                                              \
    {                                                                                            \
        .name = "reject " verb, .usage = "[TOPIC] [FLAGS]", .summary = words,                    \
        .text = more                                                                             \
            "The broker keeps about 64 MiB of them, at most ten a second for each client and "   \
            "topic\nonce a burst is over, and counts the others. Bytes of payloads are in them " \
            "where the topic's\nmillrace.contract.rejects.bytes allows it.\n",                   \
        .flags = FLAGS(reject_flags), .names_max = 1, .run = function,                           \
    }

const struct command command_reject_list =
    REJECT_COMMAND("list", "List batches that broke their topic's contract.",
                   "One line for each batch, with its first violation.\n\n", list_run);

const struct command command_reject_show =
    REJECT_COMMAND("show", "Show them with their first sixteen violations.",
                   "  millrace reject show orders -o -1\n\n", show_run);

const struct command command_reject_tail =
    REJECT_COMMAND("tail", "List them as they come, until it is stopped.", "", tail_run);
