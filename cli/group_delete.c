/* millrace group delete: forgets groups that have no members. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/group.h"
#include "protocol/delete_groups.h"

enum { DELETE_GROUPS_VERSION = 2 };

static void say_done(const struct settings *settings, const char *name) {
    struct text out = {0};
    if (settings->json) {
        group_json_field("{\"group\": ", bytes_of_text(name), &out);
        text_append(&out, BYTES_OF(", \"deleted\": true}\n"));
    } else {
        text_printf(&out, "deleted group %s\n", name);
    }
    fputs(out.at, stdout);
    text_deinit(&out);
}

static bool send(struct session *session, const struct group *group) {
    struct bytes name = bytes_of_text(group->name);
    struct delete_groups_request request;
    struct delete_groups_response response;
    message_defaults(&delete_groups_request_message, &request);
    request.groups_names_count = 1;
    request.groups_names = &name;
    if (!group_call(session, group, API_DELETE_GROUPS, DELETE_GROUPS_VERSION, &request, &response))
        return false;
    for (int32_t at = 0; at < response.results_count; at++)
        if (response.results[at].error_code)
            return cluster_refused(session->error, response.results[at].error_code, BYTES_NULL,
                                   "cannot delete group %s", group->name);
    return true;
}

static bool delete (struct session *session, const char *name) {
    struct group group;
    if (!group_read(session, name, &group)) return false;
    if (!group.exists && session->settings->if_exists) return true;
    if (!group_check_exists(session, &group) || !group_check_empty(session, &group, "delete") ||
        !send(session, &group))
        return false;
    say_done(session->settings, name);
    return true;
}

static bool work(struct session *session) { return session_each_name(session, delete); }

static const struct flag flags[] = {
    {"if-exists", 0, FLAG_SWITCH, SETTING(if_exists), NULL, "A group that is not there is fine.",
     0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each group.", 0},
};

const struct command command_group_delete = {
    .name = "group delete",
    .usage = "NAME... [FLAGS]",
    .summary = "Delete groups that have no members, with their offsets.",
    .text = "  millrace group delete order-workers\n",
    .flags = FLAGS(flags),
    .names_min = 1,
    .names_max = SETTINGS_LIST_MAX,
    .names = "a group's name",
    .work = work,
};
