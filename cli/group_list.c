/* millrace group list: the groups of all brokers, with states and types. */
#include <stdlib.h>
#include <strings.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/group.h"
#include "protocol/list_groups.h"

enum { LIST_GROUPS_VERSION = 5, NAME_WIDTH_MAX = 60 };

struct listing {
    const struct list_groups_response_listed_group **items;
    size_t count;
};

static int compare_groups(const void *a, const void *b) {
    const struct list_groups_response_listed_group *left = *(void *const *)a,
                                                   *right = *(void *const *)b;
    return bytes_compare(left->group_id, right->group_id);
}

/* Whether the list names the word, in any case; all words of an empty list. */
static bool is_wanted(const struct settings_list *list, struct bytes word) {
    for (size_t at = 0; at < list->count; at++)
        if (strlen(list->items[at]) == word.len &&
            strncasecmp(list->items[at], (const char *)word.at, word.len) == 0)
            return true;
    return list->count == 0;
}

static bool ask(struct session *session, int32_t node_id, struct list_groups_response *response) {
    uint64_t deadline_ns = cluster_deadline_ns(session->cluster);
    struct list_groups_request request;
    message_defaults(&list_groups_request_message, &request);
    do {
        if (!cluster_call(session->cluster, node_id, API_LIST_GROUPS, LIST_GROUPS_VERSION, &request,
                          &session->arena, response, session->error))
            return false;
    } while ((response->error_code == ERROR_COORDINATOR_LOAD_IN_PROGRESS ||
              response->error_code == ERROR_COORDINATOR_NOT_AVAILABLE) &&
             cluster_pause(deadline_ns));
    return !response->error_code ||
           cluster_refused(session->error, response->error_code, BYTES_NULL, "cannot list groups");
}

/* Each broker knows the groups that it coordinates. */
static bool collect(struct session *session, struct listing *listing) {
    const struct settings *settings = session->settings;
    const int32_t *brokers;
    int32_t count;
    if (!cluster_brokers(session->cluster, &session->arena, &brokers, &count, session->error))
        return false;
    for (int32_t at = 0; at < count; at++) {
        struct list_groups_response response;
        if (!ask(session, brokers[at], &response)) return false;
        size_t most = listing->count + (size_t)response.groups_count;
        listing->items = memory_resize(listing->items, (most + 1) * sizeof *listing->items);
        for (int32_t i = 0; i < response.groups_count; i++)
            if (is_wanted(&settings->states, response.groups[i].group_state) &&
                is_wanted(&settings->types, response.groups[i].group_type))
                listing->items[listing->count++] = &response.groups[i];
    }
    if (listing->count)
        qsort(listing->items, listing->count, sizeof *listing->items, compare_groups);
    return true;
}

static void print_text(const struct listing *listing, struct text *out) {
    size_t width = 0;
    for (size_t at = 0; at < listing->count; at++)
        if (listing->items[at]->group_id.len > width) width = listing->items[at]->group_id.len;
    if (width > NAME_WIDTH_MAX) width = NAME_WIDTH_MAX;
    for (size_t at = 0; at < listing->count; at++) {
        const struct list_groups_response_listed_group *one = listing->items[at];
        text_printf(out, "%.*s%*s", BYTES_FORMAT(one->group_id),
                    one->group_id.len < width ? (int)(width - one->group_id.len) : 0, "");
        text_printf(out, "  %-8.*s  %.*s\n", BYTES_FORMAT(one->group_type),
                    BYTES_FORMAT(one->group_state));
    }
}

static void print_json(const struct listing *listing, struct text *out) {
    for (size_t at = 0; at < listing->count; at++) {
        const struct list_groups_response_listed_group *one = listing->items[at];
        group_json_field("{\"group\": ", one->group_id, out);
        group_json_field(", \"type\": ", one->group_type, out);
        group_json_field(", \"state\": ", one->group_state, out);
        group_json_field(", \"protocol_type\": ", one->protocol_type, out);
        text_append(out, BYTES_OF("}\n"));
    }
}

static bool list(struct session *session) {
    struct listing listing = {0};
    struct text out = {0};
    bool good = collect(session, &listing);
    if (good && session->settings->json) print_json(&listing, &out);
    if (good && !session->settings->json) print_text(&listing, &out);
    free(listing.items);
    return good && command_print(&out, session->error);
}

static const struct flag flags[] = {
    {"state", 0, FLAG_LIST, SETTING(states), "STATE",
     "Only groups in this state, as Stable or Empty; several times for several.", 0},
    {"type", 0, FLAG_LIST, SETTING(types), "TYPE",
     "Only groups of this type: classic or consumer; several times for several.", 0},
    {"json", 0, FLAG_SWITCH, SETTING(json), NULL, "One JSON object for each group.", 0},
};

const struct command command_group_list = {
    .name = "group list",
    .usage = "[FLAGS]",
    .summary = "List groups with their types and states.",
    .text = "  millrace group list --state Stable\n\nOne in a line: name, type, state.\n",
    .flags = FLAGS(flags),
    .names_max = 0,
    .work = list,
};
