#include "consumer-groups/group_list.h"

#include <strings.h>

#include "base/check.h"

static const char *const type_names[] = {
    [GROUP_CLASSIC] = "classic", [GROUP_CONSUMER] = "consumer"};

/* Filters do not look at case (KIP-518, KIP-848); an empty one lets all through. */
static bool is_named(const struct bytes *names, int32_t count, const char *name) {
    for (int32_t i = 0; i < count; i++)
        if (names[i].len == strlen(name) &&
            strncasecmp((const char *)names[i].at, name, names[i].len) == 0)
            return true;
    return count <= 0;
}

static bool is_wanted(const struct list_groups_request *request, const struct group *group) {
    return is_named(request->states_filter, request->states_filter_count,
                    group->kind->state_name(group)) &&
           is_named(request->types_filter, request->types_filter_count,
                    type_names[group->kind->type]);
}

static void add_from(struct group_call *call, struct list *from, int64_t *release_at) {
    struct group_list *list = call->response;
    list_each(node, from) {
        const struct group *group = list_entry(node, struct group, link);
        if (!is_wanted(call->request, group)) continue;
        if (group->release_at > *release_at) *release_at = group->release_at;
        list->items[list->count++] = (struct list_groups_response_listed_group){
            .group_id = arena_copy(call->arena, group->id),
            .protocol_type = arena_copy(call->arena, group->kind->protocol_type(group)),
            .group_state = bytes_of_text(group->kind->state_name(group)),
            .group_type = bytes_of_text(type_names[group->kind->type]),
        };
    }
}

static void start(struct groups *groups, struct group_call *call) {
    struct group_list *list = call->response;
    int64_t release_at = groups->gone_at;
    list->items =
        arena_array(call->arena, struct list_groups_response_listed_group, groups->by_id.count);
    add_from(call, &groups->all, &release_at);
    add_from(call, &groups->image_left, &release_at);
    coordinator_finish(&call->call, release_at);
}

static void refuse(struct group_call *call, enum error_code code) {
    ((struct group_list *)call->response)->code = code;
}

const struct group_api group_list_api = {.start = start, .refuse = refuse};
