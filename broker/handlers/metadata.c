/* Metadata: this broker, and the topics that were asked for. A topic that is not there is made
 * first where client and broker allow it (auto-creation is Metadata's alone, as in Kafka), and the
 * answer leaves when it is usable.
 *
 *   version 0: no topics = all. 1+: null = all, none = none. 10+: topics have ids; 12+: a topic may
 *   be asked for by its id. */
#include "protocol/metadata.h"

#include "broker/handlers/admin.h"
#include "broker/handlers/handlers.h"

enum { AUTO_CREATE_MAX = 1000 }; /* in one request; clients ask again for the rest */

struct metadata {
    struct request *request;
    struct metadata_response *response;
    struct auto_create create;
    bool created; /* the change is over */
    int32_t next; /* of its names, which are in the request's order: the first not answered */
};

/* --- a topic --- */

static void fill_partitions(struct request *request, const struct catalog_topic *topic,
                            struct metadata_response_metadata_response_topic *to) {
    int32_t *broker = admin_this_broker(request);
    to->partitions_count = topic->partition_count;
    to->partitions =
        arena_array(&request->arena, struct metadata_response_metadata_response_partition,
                    (size_t)topic->partition_count);
    for (int32_t i = 0; i < topic->partition_count; i++) {
        /* As Kafka shows one whose only replica is in a failed log directory. */
        bool offline = topic->partitions[i].offline;
        to->partitions[i] = (struct metadata_response_metadata_response_partition){
            .error_code = offline ? ERROR_LEADER_NOT_AVAILABLE : ERROR_NONE,
            .partition_index = i,
            .leader_id = offline ? -1 : *broker,
            .leader_epoch = topic->partitions[i].leader_epoch,
            .replica_nodes_count = 1,
            .replica_nodes = broker,
            .isr_nodes_count = 1,
            .isr_nodes = broker,
            .offline_replicas_count = offline,
            .offline_replicas = broker,
        };
    }
}

static void fill_topic(struct request *request, const struct catalog_topic *topic,
                       struct metadata_response_metadata_response_topic *to) {
    const struct metadata_request *body = request->body;
    to->name = arena_copy(&request->arena, bytes_of_text(topic->name));
    to->topic_id = topic->id;
    to->is_internal = topic->internal;
    to->topic_authorized_operations =
        body->include_topic_authorized_operations ? OPERATIONS_OF_TOPIC : OPERATIONS_NOT_ASKED;
    fill_partitions(request, topic, to);
}

static void fill_all(struct request *request, struct metadata_response *response) {
    size_t count;
    struct catalog_topic **topics = catalog_topics_sorted(&request->core->catalog, &count);
    response->topics_count = (int32_t)count;
    response->topics =
        arena_array(&request->arena, struct metadata_response_metadata_response_topic, count);
    for (size_t i = 0; i < count; i++) fill_topic(request, topics[i], &response->topics[i]);
    free(topics);
}

/* --- the topics that were named --- */

static bool is_by_id(const struct metadata_request_metadata_request_topic *wanted) {
    return bytes_is_null(wanted->name) || !uuid_is_zero(&wanted->topic_id);
}

static const struct catalog_topic *find_topic(
    const struct request *request, const struct metadata_request_metadata_request_topic *wanted) {
    const struct catalog *catalog = &request->core->catalog;
    return is_by_id(wanted) ? catalog_find_topic_id(catalog, &wanted->topic_id)
                            : catalog_find_topic(catalog, wanted->name);
}

/* What became of the name when it was to be created; NULL when it was not. Asked once for every
 * name, in the request's order. */
static const struct change_result *creation_of(struct metadata *state, struct bytes name) {
    if (!state->created || state->next == state->create.count) return NULL;
    if (state->create.names[state->next].at != name.at) return NULL;
    return &state->create.results[state->next++];
}

/* What the change said of the name, or why there was none. */
static enum error_code missing_code(struct metadata *state, struct bytes name,
                                    const struct change_result *creation) {
    struct error error;
    if (!catalog_name_is_valid(name, &error)) return ERROR_INVALID_TOPIC_EXCEPTION;
    if (!creation) return ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    struct change_result result = admin_result(&state->create.change, *creation);
    return result.code ? result.code : ERROR_LEADER_NOT_AVAILABLE;
}

static void fill_wanted(struct metadata *state,
                        const struct metadata_request_metadata_request_topic *wanted,
                        struct metadata_response_metadata_response_topic *to) {
    const struct catalog_topic *topic = find_topic(state->request, wanted);
    const struct change_result *creation = creation_of(state, wanted->name);
    to->topic_authorized_operations = OPERATIONS_NOT_ASKED;
    if (is_by_id(wanted) && state->request->version < 12) {
        to->error_code = ERROR_INVALID_REQUEST;
        to->name = bytes_is_null(wanted->name) ? BYTES_OF("") : wanted->name;
    } else if (topic) {
        fill_topic(state->request, topic, to);
    } else if (is_by_id(wanted)) {
        to->error_code = ERROR_UNKNOWN_TOPIC_ID;
        to->topic_id = wanted->topic_id;
    } else {
        to->error_code = (int16_t)missing_code(state, wanted->name, creation);
        to->name = wanted->name;
    }
}

/* Topics that were named before, so that a short request cannot ask for one long answer many times
 * over. */
struct seen {
    struct map_node node;
    const struct metadata_request_metadata_request_topic *wanted;
};

static bool is_same(const struct metadata_request_metadata_request_topic *a,
                    const struct metadata_request_metadata_request_topic *b) {
    return uuid_equal(&a->topic_id, &b->topic_id) &&
           bytes_is_null(a->name) == bytes_is_null(b->name) && bytes_equal(a->name, b->name);
}

static bool see(struct map *map, struct seen *seen) {
    uint64_t hash = hash_bytes(seen->wanted->name) ^
                    hash_bytes(bytes_make(seen->wanted->topic_id.raw, sizeof(struct uuid)));
    struct map_node *node = map_find(map, hash);
    for (; node; node = map_find_next(node))
        if (is_same(map_entry(node, struct seen, node)->wanted, seen->wanted)) return false;
    map_insert(map, &seen->node, hash);
    return true;
}

static void fill_named(struct metadata *state) {
    struct request *request = state->request;
    const struct metadata_request *body = request->body;
    struct metadata_response *response = state->response;
    size_t count = (size_t)body->topics_count;
    struct seen *seen = arena_array(&request->arena, struct seen, count);
    struct map map;
    map_init(&map);
    response->topics =
        arena_array(&request->arena, struct metadata_response_metadata_response_topic, count);
    for (size_t i = 0; i < count; i++) {
        seen[i].wanted = &body->topics[i];
        if (see(&map, &seen[i]))
            fill_wanted(state, seen[i].wanted, &response->topics[response->topics_count++]);
    }
    map_deinit(&map);
}

/* --- the answer --- */

static void fill_cluster(struct request *request, struct metadata_response *response) {
    const struct metadata_request *body = request->body;
    struct server *server = request->core->server;
    response->brokers =
        arena_new(&request->arena, struct metadata_response_metadata_response_broker);
    response->brokers_count = 1;
    response->brokers->node_id = server->directory.node_id;
    request_endpoint(request, &response->brokers->host, &response->brokers->port);
    response->cluster_id = bytes_of_text(server->cluster_id);
    response->controller_id = server->directory.node_id;
    if (body->include_cluster_authorized_operations)
        response->cluster_authorized_operations = OPERATIONS_OF_CLUSTER;
}

static bool wants_all(const struct request *request) {
    const struct metadata_request *body = request->body;
    return request->version == 0 ? body->topics_count == 0 : body->topics_count < 0;
}

static void answer(struct metadata *state) {
    struct request *request = state->request;
    state->response = request_response(request);
    fill_cluster(request, state->response);
    if (wants_all(request))
        fill_all(request, state->response);
    else
        fill_named(state);
    request_answer_large(request, state->response);
}

/* --- auto-creation --- */

/* Collects the valid names that are not there, each once and in order. */
static void collect_missing(struct metadata *state, const struct metadata_request *body) {
    struct request *request = state->request;
    struct bytes *names = arena_array(&request->arena, struct bytes, (size_t)body->topics_count);
    struct seen *seen = arena_array(&request->arena, struct seen, (size_t)body->topics_count);
    struct map map;
    struct error error;
    map_init(&map);
    for (int32_t i = 0; i < body->topics_count && state->create.count < AUTO_CREATE_MAX; i++) {
        seen[i].wanted = &body->topics[i];
        if (is_by_id(&body->topics[i]) || find_topic(request, &body->topics[i]) ||
            !catalog_name_is_valid(body->topics[i].name, &error) || !see(&map, &seen[i]))
            continue;
        names[state->create.count++] = body->topics[i].name;
    }
    map_deinit(&map);
    state->create.names = names;
}

static void created(struct catalog_change *change) {
    struct auto_create *create = container_of(change, struct auto_create, change);
    struct metadata *state = container_of(create, struct metadata, create);
    state->created = true;
    answer(state);
}

static void start(struct request *request) {
    const struct metadata_request *body = request->body;
    struct metadata *state = arena_new(&request->arena, struct metadata);
    state->request = request;
    bool may_create = body->allow_auto_topic_creation && request->core->options->auto_create_topics;
    if (may_create && body->topics_count > 0) collect_missing(state, body);
    if (state->create.count == 0) {
        answer(state);
        return;
    }
    state->create.change.arena = &request->arena;
    state->create.change.done = created;
    catalog_service_auto_create(&state->create, request->core);
}

const struct handler metadata_handler = {.key = API_METADATA, .start = start};
