/* millrace group reset: shows where a group's offsets would be moved, and with --yes moves them.
 * The group must have no members: those would go on where they are, and commit over it. */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/partition_choice.h"
#include "cli/reset_goal.h"
#include "protocol/offset_commit.h"

enum { OFFSET_COMMIT_VERSION = 8 /* topics by name */ };

struct reset {
    struct session *session;
    struct reset_goal goal;
    struct group group;
    struct group_offsets offsets; /* those that are to be moved, once chosen */
    int64_t *targets;             /* -1: this one stays, its partition is gone */
};

/* ---- which partitions ---- */

static bool check_choice(const struct reset *reset, const struct partition_choice *choice,
                         int32_t partition_count) {
    return choice->largest < partition_count ||
           error_set(reset->session->error, ENOENT,
                     "topic %.*s has no partition %lld, only 0 to %d", BYTES_FORMAT(choice->topic),
                     (long long)choice->largest, partition_count - 1);
}

/* Marks the partitions of one --topic. */
static bool choose_topic(struct reset *reset, const char *text) {
    struct session *session = reset->session;
    struct partition_choice choice;
    const struct metadata_response_metadata_response_topic *topic;
    if (!partition_choice_parse(text, &choice, session->error)) return false;
    const char *name = arena_text(&session->arena, choice.topic);
    if (!cluster_topic(session->cluster, name, false, &session->arena, &topic, session->error) ||
        !check_choice(reset, &choice, topic->partitions_count))
        return false;
    for (int32_t at = 0; at < topic->partitions_count; at++)
        if (partition_choice_has(&choice, topic->partitions[at].partition_index))
            group_offsets_add(session, &reset->offsets, choice.topic,
                              topic->partitions[at].partition_index)
                ->chosen = true;
    return true;
}

static void keep_chosen(struct group_offsets *offsets) {
    size_t kept = 0;
    for (size_t at = 0; at < offsets->count; at++)
        if (offsets->items[at].chosen) offsets->items[kept++] = offsets->items[at];
    offsets->count = kept;
}

/* Those of --topic, or all that the group has committed. */
static bool choose(struct reset *reset) {
    const struct settings *settings = reset->session->settings;
    if (!group_offsets_read(reset->session, &reset->group, &reset->offsets)) return false;
    if (!settings->topics.count && !reset->offsets.count)
        return error_set(reset->session->error, ENOENT,
                         "group %.120s has committed nothing; say what it is to read with --topic",
                         reset->group.name);
    for (size_t at = 0; at < settings->topics.count; at++)
        if (!choose_topic(reset, settings->topics.items[at])) return false;
    group_offsets_join(&reset->offsets);
    if (settings->topics.count) keep_chosen(&reset->offsets);
    return group_offsets_locate(reset->session, &reset->offsets);
}

/* ---- where to ---- */

static bool check_shift(const struct reset *reset, const struct group_offset *from) {
    return !reset->goal.by_shift || from->committed >= 0 ||
           error_set(reset->session->error, ENOENT,
                     "topic %.100s, partition %d has no committed offset to shift; use --to, or "
                     "name others with --topic",
                     arena_text(&reset->session->arena, from->topic), from->partition);
}

static bool aim(struct reset *reset) {
    struct session *session = reset->session;
    bool by_time = !reset->goal.by_shift && reset->goal.start.kind == START_TIME;
    const int64_t *times = NULL;
    if (by_time) {
        times = group_offsets_at(session, &reset->offsets, reset->goal.start.value);
        if (!times) return false;
    }
    reset->targets = arena_array(&session->arena, int64_t, reset->offsets.count);
    for (size_t at = 0; at < reset->offsets.count; at++) {
        const struct group_offset *from = &reset->offsets.items[at];
        if (!check_shift(reset, from)) return false;
        reset->targets[at] =
            from->leader < 0 ? -1 : reset_goal_offset(&reset->goal, from, times ? times[at] : -1);
    }
    return true;
}

/* ---- the commit ---- */

/* The targets as a request's topics; the items are in order of topic. */
static void take_targets(struct reset *reset, struct offset_commit_request *request) {
    struct arena *arena = &reset->session->arena;
    size_t count = reset->offsets.count;
    struct offset_commit_request_offset_commit_request_partition *partitions =
        arena_array(arena, struct offset_commit_request_offset_commit_request_partition, count);
    request->topics =
        arena_array(arena, struct offset_commit_request_offset_commit_request_topic, count);
    for (size_t at = 0; at < count; at++) {
        const struct group_offset *from = &reset->offsets.items[at];
        int32_t topics = request->topics_count;
        if (reset->targets[at] < 0) continue;
        if (!topics || !bytes_equal(request->topics[topics - 1].name, from->topic)) {
            request->topics[topics] = (struct offset_commit_request_offset_commit_request_topic){
                .name = from->topic, .partitions = &partitions[at]};
            request->topics_count = ++topics;
        }
        struct offset_commit_request_offset_commit_request_topic *topic =
            &request->topics[topics - 1];
        topic->partitions[topic->partitions_count++] =
            (struct offset_commit_request_offset_commit_request_partition){
                .partition_index = from->partition,
                .committed_offset = reset->targets[at],
                .committed_leader_epoch = -1,
                .committed_metadata = BYTES_OF("")};
    }
}

static bool check_commit(const struct reset *reset, const struct offset_commit_response *response) {
    for (int32_t t = 0; t < response->topics_count; t++)
        for (int32_t p = 0; p < response->topics[t].partitions_count; p++) {
            int16_t code = response->topics[t].partitions[p].error_code;
            if (code == ERROR_UNKNOWN_MEMBER_ID)
                return error_set(
                    reset->session->error, EBUSY,
                    "cannot reset group %.120s: a member has joined meanwhile; stop it "
                    "and try again",
                    reset->group.name);
            if (code)
                return cluster_refused(reset->session->error, code, BYTES_NULL,
                                       "cannot reset group %s, topic %.*s, partition %d",
                                       reset->group.name, BYTES_FORMAT(response->topics[t].name),
                                       response->topics[t].partitions[p].partition_index);
        }
    return true;
}

static bool commit(struct reset *reset) {
    struct session *session = reset->session;
    struct offset_commit_request request;
    struct offset_commit_response response;
    message_defaults(&offset_commit_request_message, &request);
    request.group_id = bytes_of_text(reset->group.name);
    take_targets(reset, &request);
    return group_call(session, &reset->group, API_OFFSET_COMMIT, OFFSET_COMMIT_VERSION, &request,
                      &response) &&
           check_commit(reset, &response);
}

/* ---- the table ---- */

static void print_number(int64_t number, struct text *out) {
    if (number < 0)
        text_printf(out, "  %14s", "-");
    else
        text_printf(out, "  %14lld", (long long)number);
}

static void print_text(const struct reset *reset, struct text *out) {
    bool done = reset->session->settings->yes;
    int width = group_offsets_width(&reset->offsets, (int)strlen("topic"));
    text_printf(out, "%s group %s\n", done ? "reset" : "would reset", reset->group.name);
    text_printf(out, "  %-*s  %9s  %14s  %14s\n", width, "topic", "partition", "committed",
                done ? "is now" : "would be");
    for (size_t at = 0; at < reset->offsets.count; at++) {
        const struct group_offset *from = &reset->offsets.items[at];
        text_printf(out, "  %-*.*s  %9d", width, BYTES_FORMAT(from->topic), from->partition);
        print_number(from->committed, out);
        print_number(reset->targets[at], out);
        text_append(out, bytes_of_text(from->leader < 0 ? "  is gone, stays\n" : "\n"));
    }
    if (!done) text_append(out, BYTES_OF("Nothing was changed; the same with --yes does it.\n"));
}

static void print_json(const struct reset *reset, struct text *out) {
    for (size_t at = 0; at < reset->offsets.count; at++) {
        const struct group_offset *from = &reset->offsets.items[at];
        group_json_field("{\"group\": ", bytes_of_text(reset->group.name), out);
        group_json_field(", \"topic\": ", from->topic, out);
        text_printf(out, ", \"partition\": %d, \"committed\": %lld, \"offset\": %lld",
                    from->partition, (long long)from->committed, (long long)reset->targets[at]);
        text_printf(out, ", \"done\": %s}\n",
                    reset->session->settings->yes && reset->targets[at] >= 0 ? "true" : "false");
    }
}

static bool work(struct session *session) {
    const struct settings *settings = session->settings;
    struct reset reset = {.session = session};
    struct text out = {0};
    if (!reset_goal_parse(settings, clock_wall_ms(), &reset.goal, session->error) ||
        !group_read(session, settings->positional[0], &reset.group) ||
        !group_check_empty(session, &reset.group, "reset") || !choose(&reset) || !aim(&reset))
        return false;
    if (settings->yes && !commit(&reset)) return false;
    if (settings->json)
        print_json(&reset, &out);
    else
        print_text(&reset, &out);
    return command_print(&out, session->error);
}

/* What is wrong with the command line is said before a broker is asked. */
static enum cli_exit run(const struct settings *settings, struct error *error) {
    struct reset_goal goal;
    struct partition_choice choice;
    if (!reset_goal_parse(settings, clock_wall_ms(), &goal, error)) return CLI_USAGE;
    for (size_t at = 0; at < settings->topics.count; at++)
        if (!partition_choice_parse(settings->topics.items[at], &choice, error)) return CLI_USAGE;
    return session_run(settings, error, work);
}

static const struct flag flags[] = {
    {"to", 0, FLAG_TEXT, SETTING(to), "WHERE",
     "earliest, latest, N, -N (the last N of each), or @TIME as in `millrace consume`.", 0},
    {"shift", 0, FLAG_TEXT, SETTING(shift), "N",
     "By N records from what is committed: -100 back, +100 ahead.", 0},
    {"topic", 't', FLAG_LIST, SETTING(topics), "TOPIC[:0,3-5]",
     "Only this topic, or these partitions of it; several times for several. Default: all that the "
     "group has committed.",
     0},
    {"yes", 'y', FLAG_SWITCH, SETTING(yes), NULL, "Do it. Without, only a table is printed.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each partition.", 0},
};

const struct command command_group_reset = {
    .name = "group reset",
    .usage = "NAME --to WHERE | --shift N [FLAGS]",
    .summary = "Move a group's offsets; shows first what it would do.",
    .text =
        "  millrace group reset order-workers --to earliest --topic orders\n"
        "  millrace group reset order-workers --to @-1h --yes\n"
        "  millrace group reset order-workers --shift -100 --topic orders:0,3-5 --yes\n\n"
        "The group must have no members. Offsets stay within what the log has. A group that does\n"
        "not exist yet is made, if topics are named.\n",
    .flags = FLAGS(flags),
    .names_min = 1,
    .names_max = 1,
    .names = "a group's name",
    .run = run,
};
