/* millrace group lag: how far a group is behind, partition by partition. */
#include "cli/command.h"
#include "cli/group_offsets.h"

struct lag {
    struct group group;
    struct group_offsets offsets;
    int64_t total;
};

static void add_owned(struct session *session, struct lag *lag) {
    for (int32_t m = 0; m < lag->group.member_count; m++) {
        const struct group_member *member = &lag->group.members[m];
        for (int32_t t = 0; t < member->owned.count; t++)
            for (int32_t p = 0; p < member->owned.topics[t].count; p++)
                group_offsets_add(session, &lag->offsets, member->owned.topics[t].name,
                                  member->owned.topics[t].partitions[p])
                    ->member = member;
    }
}

static void sum(struct lag *lag) {
    for (size_t at = 0; at < lag->offsets.count; at++) {
        int64_t one = group_offset_lag(&lag->offsets.items[at]);
        if (one > 0) lag->total += one;
    }
}

/* ---- text ---- */

static void print_number(int64_t number, struct text *out) {
    if (number < 0)
        text_printf(out, "  %14s", "-");
    else
        text_printf(out, "  %14lld", (long long)number);
}

static void print_row(const struct group_offset *one, int width, struct text *out) {
    const struct group_member *member = one->member;
    text_printf(out, "  %-*.*s  %9d", width, BYTES_FORMAT(one->topic), one->partition);
    print_number(one->committed, out);
    print_number(one->end, out);
    print_number(group_offset_lag(one), out);
    if (member)
        text_printf(out, "  %.*s (%.*s at %.*s)\n", BYTES_FORMAT(member->id),
                    BYTES_FORMAT(member->client_id), BYTES_FORMAT(member->host));
    else
        text_append(out, BYTES_OF("  -\n"));
}

static void print_text(const struct lag *lag, struct text *out) {
    int width = group_offsets_width(&lag->offsets, (int)strlen("topic"));
    text_printf(out, "%s  %.*s  lag %lld\n", lag->group.name, BYTES_FORMAT(lag->group.state),
                (long long)lag->total);
    if (lag->offsets.count)
        text_printf(out, "  %-*s  %9s  %14s  %14s  %14s  %s\n", width, "topic", "partition",
                    "committed", "end", "lag", "member");
    for (size_t at = 0; at < lag->offsets.count; at++)
        print_row(&lag->offsets.items[at], width, out);
}

/* ---- JSON ---- */

static void json_number(const char *name, int64_t number, struct text *out) {
    if (number < 0)
        text_printf(out, ", \"%s\": null", name);
    else
        text_printf(out, ", \"%s\": %lld", name, (long long)number);
}

static void json_row(const struct group_offset *one, struct text *out) {
    group_json_field("{\"topic\": ", one->topic, out);
    text_printf(out, ", \"partition\": %d", one->partition);
    json_number("committed", one->committed, out);
    json_number("end", one->end, out);
    json_number("lag", group_offset_lag(one), out);
    if (one->member) {
        group_json_field(", \"member\": ", one->member->id, out);
        group_json_field(", \"client_id\": ", one->member->client_id, out);
        group_json_field(", \"host\": ", one->member->host, out);
    }
    text_append(out, BYTES_OF("}"));
}

static void print_json(const struct lag *lag, struct text *out) {
    group_json_field("{\"group\": ", bytes_of_text(lag->group.name), out);
    group_json_field(", \"state\": ", lag->group.state, out);
    text_printf(out, ", \"lag\": %lld, \"partitions\": [", (long long)lag->total);
    for (size_t at = 0; at < lag->offsets.count; at++) {
        if (at) text_append(out, BYTES_OF(", "));
        json_row(&lag->offsets.items[at], out);
    }
    text_append(out, BYTES_OF("]}\n"));
}

static bool show(struct session *session, const char *name) {
    struct lag lag = {0};
    struct text out = {0};
    if (!group_read(session, name, &lag.group) || !group_check_exists(session, &lag.group) ||
        !group_offsets_read(session, &lag.group, &lag.offsets))
        return false;
    add_owned(session, &lag);
    group_offsets_join(&lag.offsets);
    if (!group_offsets_locate(session, &lag.offsets)) return false;
    sum(&lag);
    if (session->settings->json)
        print_json(&lag, &out);
    else
        print_text(&lag, &out);
    return command_print(&out, session->error);
}

static bool work(struct session *session) { return session_each_name(session, show); }

static const struct flag flags[] = {
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each group.", 0},
};

const struct command command_group_lag = {
    .name = "group lag",
    .usage = "NAME... [FLAGS]",
    .summary = "Show how far a group is behind, partition by partition.",
    .text =
        "  millrace group lag order-workers\n\n"
        "Each partition that the group has committed or that a member owns: the committed\n"
        "offset, the end of the log, and their difference. \"-\" where nothing was committed, or\n"
        "the partition is gone.\n",
    .flags = FLAGS(flags),
    .names_min = 1,
    .names_max = SETTINGS_LIST_MAX,
    .names = "a group's name",
    .work = work,
};
