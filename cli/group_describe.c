/* millrace group describe: a group's state, and who its members are and what they own. */
#include "cli/command.h"
#include "cli/group.h"

/* ---- text ---- */

static void print_member(const struct group *group, const struct group_member *member,
                         struct text *out) {
    text_printf(out, "  member %.*s  client %.*s  host %.*s", BYTES_FORMAT(member->id),
                BYTES_FORMAT(member->client_id), BYTES_FORMAT(member->host));
    if (member->instance_id.len)
        text_printf(out, "  instance %.*s", BYTES_FORMAT(member->instance_id));
    if (member->epoch == MEMBER_EXPECTED_BACK)
        text_append(out, BYTES_OF("  has left, is expected back"));
    else if (group->consumer)
        text_printf(out, "  epoch %d", member->epoch);
    text_append(out, BYTES_OF("\n    owns "));
    group_partitions_print(&member->owned, out);
    if (group->consumer && !group_partitions_equal(&member->owned, &member->target)) {
        text_append(out, BYTES_OF("\n    is to own "));
        group_partitions_print(&member->target, out);
    }
    if (member->subscribed_count) text_append(out, BYTES_OF("\n    subscribes to "));
    for (int32_t at = 0; at < member->subscribed_count; at++)
        text_printf(out, "%s%.*s", at ? ", " : "", BYTES_FORMAT(member->subscribed[at]));
    if (member->pattern.len)
        text_printf(out, "\n    subscribes to what matches %.*s", BYTES_FORMAT(member->pattern));
    text_append(out, BYTES_OF("\n"));
}

static void print_text(const struct group *group, struct text *out) {
    text_printf(out, "%s  %s  %.*s", group->name, group->consumer ? "consumer" : "classic",
                BYTES_FORMAT(group->state));
    if (!group->consumer && group->protocol_type.len)
        text_printf(out, "  protocol %.*s", BYTES_FORMAT(group->protocol_type));
    if (group->assignor.len) text_printf(out, "  assignor %.*s", BYTES_FORMAT(group->assignor));
    if (group->consumer)
        text_printf(out, "  epoch %d  assigned %d", group->epoch, group->assignment_epoch);
    text_printf(out, "  coordinator %d  %d member%s\n", group->coordinator, group->member_count,
                group->member_count == 1 ? "" : "s");
    for (int32_t at = 0; at < group->member_count; at++)
        print_member(group, &group->members[at], out);
}

/* ---- JSON ---- */

static void json_partitions(const char *name, const struct group_partitions *partitions,
                            struct text *out) {
    text_printf(out, ", \"%s\": {", name);
    for (int32_t at = 0; at < partitions->count; at++) {
        const struct group_topic *topic = &partitions->topics[at];
        group_json_field(at ? ", " : "", topic->name, out);
        for (int32_t i = 0; i < topic->count; i++)
            text_printf(out, "%s%d", i ? ", " : ": [", topic->partitions[i]);
        text_append(out, BYTES_OF("]"));
    }
    text_append(out, BYTES_OF("}"));
}

static void json_member(const struct group *group, const struct group_member *member,
                        struct text *out) {
    group_json_field("{\"member\": ", member->id, out);
    group_json_field(", \"client_id\": ", member->client_id, out);
    group_json_field(", \"host\": ", member->host, out);
    if (member->instance_id.len) group_json_field(", \"instance_id\": ", member->instance_id, out);
    if (group->consumer) text_printf(out, ", \"epoch\": %d", member->epoch);
    json_partitions("owned", &member->owned, out);
    if (group->consumer) json_partitions("target", &member->target, out);
    text_append(out, BYTES_OF(", \"subscribed\": ["));
    for (int32_t at = 0; at < member->subscribed_count; at++)
        group_json_field(at ? ", " : "", member->subscribed[at], out);
    text_append(out, BYTES_OF("]"));
    if (member->pattern.len) group_json_field(", \"pattern\": ", member->pattern, out);
    text_append(out, BYTES_OF("}"));
}

static void print_json(const struct group *group, struct text *out) {
    group_json_field("{\"group\": ", bytes_of_text(group->name), out);
    text_printf(out, ", \"type\": \"%s\"", group->consumer ? "consumer" : "classic");
    group_json_field(", \"state\": ", group->state, out);
    group_json_field(", \"protocol_type\": ", group->protocol_type, out);
    group_json_field(", \"assignor\": ", group->assignor, out);
    if (group->consumer)
        text_printf(out, ", \"epoch\": %d, \"assignment_epoch\": %d", group->epoch,
                    group->assignment_epoch);
    text_printf(out, ", \"coordinator\": %d, \"members\": [", group->coordinator);
    for (int32_t at = 0; at < group->member_count; at++) {
        if (at) text_append(out, BYTES_OF(", "));
        json_member(group, &group->members[at], out);
    }
    text_append(out, BYTES_OF("]}\n"));
}

static bool describe(struct session *session, const char *name) {
    struct group group;
    struct text out = {0};
    if (!group_read(session, name, &group) || !group_check_exists(session, &group)) return false;
    if (session->settings->json)
        print_json(&group, &out);
    else
        print_text(&group, &out);
    return command_print(&out, session->error);
}

static bool work(struct session *session) { return session_each_name(session, describe); }

static const struct flag flags[] = {
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each group.", 0},
};

const struct command command_group_describe = {
    .name = "group describe",
    .usage = "NAME... [FLAGS]",
    .summary = "Show a group's state, its members and what they own.",
    .text =
        "  millrace group describe order-workers\n\n"
        "Of a group of the consumer protocol it also shows the epochs: the group's, that of its\n"
        "newest assignment, and how far each member has come; and what a member is to own, where\n"
        "that differs from what it owns.\n",
    .flags = FLAGS(flags),
    .names_min = 1,
    .names_max = SETTINGS_LIST_MAX,
    .names = "a group's name",
    .work = work,
};
