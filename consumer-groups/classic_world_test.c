#include "consumer-groups/classic_world.h"

#include "base/clock.h"
#include "consumer-groups/offsets.h"

static void on_done(struct group_call *call) { container_of(call, struct ask, call)->done = true; }

static void begin(struct ask *ask, struct world *world, const struct group_api *api,
                  int16_t version) {
    *ask = (struct ask){.world = world};
    arena_init(&ask->arena, 64 << 20);
    ask->call = (struct group_call){.api = api,
                                    .request = &ask->request,
                                    .response = &ask->response,
                                    .arena = &ask->arena,
                                    .version = version,
                                    .client_id = BYTES_OF("client"),
                                    .client_host = BYTES_OF("/127.0.0.1"),
                                    .done = on_done};
}

static struct bytes text_of(struct ask *ask, const char *text) {
    return text ? arena_copy(&ask->arena, bytes_of_text(text)) : BYTES_NULL;
}

/* The next "NAME=VALUE" of a list, or false. */
static bool next_pair(const char **rest, struct bytes *name, struct bytes *value) {
    if (!**rest) return false;
    size_t len = strcspn(*rest, ",");
    const char *equals = memchr(*rest, '=', len);
    cr_assert(equals, "no '=' in \"%s\"", *rest);
    size_t name_len = (size_t)(equals - *rest);
    *name = bytes_make(*rest, name_len);
    *value = bytes_make(equals + 1, len - name_len - 1);
    *rest += len + ((*rest)[len] == ',');
    return true;
}

/* --- members --- */

void ask_join(struct ask *ask, struct world *world, const char *member, const char *instance,
              const char *protocols) {
    begin(ask, world, &group_join_api, instance ? 5 : 3);
    message_defaults(&join_group_response_message, &ask->response.join);
    struct join_group_request *request = &ask->request.join;
    *request = (struct join_group_request){.group_id = BYTES_OF("g"),
                                           .session_timeout_ms = ASK_SESSION_MS,
                                           .rebalance_timeout_ms = ASK_REBALANCE_MS,
                                           .member_id = text_of(ask, member),
                                           .group_instance_id = text_of(ask, instance),
                                           .protocol_type = BYTES_OF("consumer"),
                                           .reason = BYTES_NULL};
    const char *rest = arena_text(&ask->arena, bytes_of_text(protocols));
    request->protocols = arena_array(
        &ask->arena, struct join_group_request_join_group_request_protocol, strlen(protocols));
    struct join_group_request_join_group_request_protocol one;
    while (next_pair(&rest, &one.name, &one.metadata))
        request->protocols[request->protocols_count++] = one;
}

void ask_sync(struct ask *ask, struct world *world, const char *member, int32_t generation,
              const char *assignments) {
    begin(ask, world, &group_sync_api, 3);
    message_defaults(&sync_group_response_message, &ask->response.sync);
    struct sync_group_request *request = &ask->request.sync;
    *request = (struct sync_group_request){.group_id = BYTES_OF("g"),
                                           .generation_id = generation,
                                           .member_id = text_of(ask, member),
                                           .group_instance_id = BYTES_NULL,
                                           .protocol_type = BYTES_NULL,
                                           .protocol_name = BYTES_NULL};
    const char *rest = arena_text(&ask->arena, bytes_of_text(assignments));
    request->assignments = arena_array(
        &ask->arena, struct sync_group_request_sync_group_request_assignment, strlen(assignments));
    struct sync_group_request_sync_group_request_assignment one;
    while (next_pair(&rest, &one.member_id, &one.assignment))
        request->assignments[request->assignments_count++] = one;
}

void ask_heartbeat(struct ask *ask, struct world *world, const char *member, int32_t generation) {
    begin(ask, world, &group_heartbeat_api, 3);
    message_defaults(&heartbeat_response_message, &ask->response.heartbeat);
    ask->request.heartbeat = (struct heartbeat_request){.group_id = BYTES_OF("g"),
                                                        .generation_id = generation,
                                                        .member_id = text_of(ask, member),
                                                        .group_instance_id = BYTES_NULL};
}

void ask_leave(struct ask *ask, struct world *world, const char *member, const char *instance) {
    begin(ask, world, &group_leave_api, instance ? 3 : 0);
    message_defaults(&leave_group_response_message, &ask->response.leave);
    struct leave_group_request *request = &ask->request.leave;
    *request =
        (struct leave_group_request){.group_id = BYTES_OF("g"), .member_id = text_of(ask, member)};
    if (!instance) return;
    request->members = arena_new(&ask->arena, struct leave_group_request_member_identity);
    request->members_count = 1;
    request->members[0] = (struct leave_group_request_member_identity){
        text_of(ask, member), text_of(ask, instance), BYTES_NULL};
}

/* --- offsets --- */

void ask_commit(struct ask *ask, struct world *world, const char *member, int32_t generation,
                int64_t offset) {
    typedef struct offset_commit_request_offset_commit_request_topic topic_type;
    typedef struct offset_commit_request_offset_commit_request_partition partition_type;
    begin(ask, world, &offset_commit_api, 8);
    message_defaults(&offset_commit_response_message, &ask->response.commit);
    topic_type *topic = arena_new(&ask->arena, topic_type);
    *topic = (topic_type){.name = BYTES_OF("t"),
                          .partitions_count = 1,
                          .partitions = arena_new(&ask->arena, partition_type)};
    topic->partitions[0] = (partition_type){
        .committed_offset = offset, .committed_leader_epoch = -1, .committed_metadata = BYTES_NULL};
    ask->request.commit =
        (struct offset_commit_request){.group_id = BYTES_OF("g"),
                                       .generation_id_or_member_epoch = generation,
                                       .member_id = text_of(ask, member),
                                       .group_instance_id = BYTES_NULL,
                                       .retention_time_ms = -1,
                                       .topics_count = 1,
                                       .topics = topic};
}

void ask_fetch(struct ask *ask, struct world *world) {
    begin(ask, world, &offset_fetch_api, 8);
    ask->request.fetch = (struct offset_fetch_request_offset_fetch_request_group){
        .group_id = BYTES_OF("g"), .member_id = BYTES_NULL, .member_epoch = -1, .topics_count = -1};
}

void ask_forget(struct ask *ask, struct world *world) {
    typedef struct offset_delete_request_offset_delete_request_topic topic_type;
    typedef struct offset_delete_request_offset_delete_request_partition partition_type;
    begin(ask, world, &offset_delete_api, 0);
    topic_type *topic = arena_new(&ask->arena, topic_type);
    *topic = (topic_type){.name = BYTES_OF("t"),
                          .partitions_count = 1,
                          .partitions = arena_new(&ask->arena, partition_type)};
    ask->request.forget = (struct offset_delete_request){
        .group_id = BYTES_OF("g"), .topics_count = 1, .topics = topic};
}

/* --- admins --- */

void ask_describe(struct ask *ask, struct world *world) {
    begin(ask, world, &group_describe_api, 6);
    ask->request.name = BYTES_OF("g");
}

void ask_list(struct ask *ask, struct world *world) { begin(ask, world, &group_list_api, 5); }

void ask_delete(struct ask *ask, struct world *world) {
    begin(ask, world, &group_delete_api, 2);
    ask->request.name = BYTES_OF("g");
}

/* --- answers --- */

void ask_send(struct ask *ask) { group_call_submit(ask->world->coordinator, &ask->call); }

static int16_t leave_code(const struct ask *ask) {
    const struct leave_group_response *response = &ask->response.leave;
    return response->error_code || !response->members_count ? response->error_code
                                                            : response->members[0].error_code;
}

static int16_t forget_code(const struct ask *ask) {
    const struct offset_delete_response *response = &ask->response.forget;
    return response->error_code ? response->error_code
                                : response->topics[0].partitions[0].error_code;
}

static int16_t code_of(const struct ask *ask) {
    const struct group_api *api = ask->call.api;
    if (api == &group_join_api) return ask->response.join.error_code;
    if (api == &group_sync_api) return ask->response.sync.error_code;
    if (api == &group_heartbeat_api) return ask->response.heartbeat.error_code;
    if (api == &group_leave_api) return leave_code(ask);
    if (api == &offset_commit_api) return ask->response.commit.topics[0].partitions[0].error_code;
    if (api == &offset_delete_api) return forget_code(ask);
    if (api == &offset_fetch_api) return ask->response.fetch.error_code;
    if (api == &group_describe_api) return ask->response.described.error_code;
    if (api == &group_list_api) return (int16_t)ask->response.list.code;
    return ask->response.deleted.error_code;
}

enum error_code ask_code(const struct ask *ask) {
    cr_assert(ask->done);
    return (enum error_code)code_of(ask);
}

enum error_code ask_wait(struct ask *ask) {
    for (int i = 0; !ask->done; i++) {
        cr_assert(i < 200000, "no answer");
        sim_step(ask->world->sim, sim_now_ns(ask->world->sim) + NS_PER_MS);
    }
    return ask_code(ask);
}

void ask_deinit(struct ask *ask) { arena_deinit(&ask->arena); }

/* --- the group --- */

static struct group *find(const struct world *world) {
    return groups_find(coordinator_state(world->coordinator), BYTES_OF("g"));
}

struct classic_group *world_classic(const struct world *world) {
    const struct group *group = find(world);
    return group ? classic_of(group) : NULL;
}

const char *world_state(const struct world *world) {
    const struct group *group = find(world);
    return group ? group->kind->state_name(group) : "Dead";
}

int64_t world_offset(const struct world *world) {
    const struct group *group = find(world);
    const struct committed_offset *offset = group ? offsets_find(group, BYTES_OF("t"), 0) : NULL;
    return offset ? offset->offset : -1;
}
