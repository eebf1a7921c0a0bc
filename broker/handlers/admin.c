#include "broker/handlers/admin.h"

#include "base/clock.h"
#include "base/say.h"

bool admin_count_is_good(struct request *request, int32_t count) {
    if (count <= ADMIN_ITEMS_MAX) return true;
    request_fail(request, ERROR_INVALID_REQUEST,
                 arena_format(&request->arena, "a request may name %d items", ADMIN_ITEMS_MAX));
    return false;
}

uint64_t admin_deadline_ns(const struct request *request, int32_t timeout_ms) {
    uint64_t wait_ms = timeout_ms > 0 ? (uint64_t)timeout_ms : 1;
    return ring_now_ns(request->core->ring) + wait_ms * NS_PER_MS;
}

struct change_result admin_result(const struct catalog_change *change,
                                  struct change_result result) {
    if (result.code || !change->code) return result;
    return (struct change_result){change->code, error_code_message((int16_t)change->code)};
}

int32_t *admin_this_broker(struct request *request) {
    int32_t *id = arena_new(&request->arena, int32_t);
    *id = admin_node_id(request);
    return id;
}

void admin_say_compression(struct request *request, struct bytes topic, const char *value) {
    if (!value || strcmp(value, "producer") == 0 || !core_may_say(request->core)) return;
    say_info(
        "topic %.*s has compression.type=%s, which has no effect here: batches stay as their "
        "producer compressed them",
        BYTES_FORMAT(topic), value);
}
