/* DeleteGroups, one group's part: a group without members is forgotten with its offsets. */
#include "consumer-groups/offsets.h"
#include "protocol/delete_groups.h"

typedef struct delete_groups_response_deletable_group_result result_type;

static enum error_code check(const struct group *group, struct bytes name) {
    if (name.len == 0) return ERROR_INVALID_GROUP_ID;
    if (!group) return ERROR_GROUP_ID_NOT_FOUND;
    return group->kind->check_delete(group);
}

static void refuse(struct group_call *call, enum error_code code) {
    result_type *result = call->response;
    result->group_id = *(const struct bytes *)call->request;
    result->error_code = (int16_t)code;
    if (code) result->error_message = bytes_of_text(error_code_message((int16_t)code));
}

static void start(struct groups *groups, struct group_call *call) {
    const struct bytes *name = call->request;
    struct group *group = groups_find(groups, *name);
    enum error_code code = check(group, *name);
    refuse(call, code); /* or says that it went well */
    if (code == ERROR_NONE) {
        offsets_erase_all(group);
        group->kind->erase(group);
        groups_remove(groups, group);
        group = NULL;
    }
    group_call_finish(call, group);
}

const struct group_api group_delete_api = {.start = start, .refuse = refuse, .writes = true};
