/* ConsumerGroupHeartbeat: a member joins (epoch 0), goes on (its epoch), leaves (-1), or leaves for
 * a while as a static member (-2). What a heartbeat does, in this order, as Kafka's
 * GroupMetadataManager.consumerGroupHeartbeat:
 *
 *   validate ─► find or make group and member ─► take what is new of the member ─► the epoch rises,
 *   an assignment begins ─► reconcile the member ─► answer: its epoch, and what it shall own where
 *   that is new to it
 *
 * Codes are chosen by what clients do with them: UNKNOWN_MEMBER_ID and FENCED_MEMBER_EPOCH make
 * them join again; most others end them. So a member whose group is gone is told the former, where
 * Kafka says GROUP_ID_NOT_FOUND. And a member that joins again with its id, because an answer was
 * lost or it gave up its session, is taken as it says: it owns nothing. */
#include "protocol/consumer_group_heartbeat.h"

#include "base/check.h"
#include "consumer-groups/consumer_group.h"

enum { REPORTED_PARTITIONS_MAX = 1 << 20 };

struct heartbeat {
    struct groups *groups;
    struct group_call *call;
    const struct consumer_group_heartbeat_request *request;
    struct consumer_group_heartbeat_response *response;
    struct consumer_group *group;
    struct consumer_member *member;
    struct consumer_partitions reported;
    bool subscription_changed;
};

static void refuse(struct group_call *call, enum error_code code) {
    struct consumer_group_heartbeat_response *response = call->response;
    response->error_code = (int16_t)code;
    if (bytes_is_null(response->error_message))
        response->error_message = bytes_of_text(error_code_message((int16_t)code));
}

/* With words; returns false. */
static bool refuse_with(struct heartbeat *beat, enum error_code code, const char *words) {
    beat->response->error_message = bytes_of_text(words);
    refuse(beat->call, code);
    return false;
}

/* --- the request alone --- */

static bool joins(const struct heartbeat *beat) { return beat->request->member_epoch == 0; }

static bool leaves(const struct heartbeat *beat) { return beat->request->member_epoch < 0; }

static bool is_empty_text(struct bytes text) { return !bytes_is_null(text) && text.len == 0; }

static bool check_texts(struct heartbeat *beat) {
    enum { VERSION_WITH_CLIENT_IDS = 1 };
    const struct consumer_group_heartbeat_request *request = beat->request;
    bool makes_id = joins(beat) && beat->call->version < VERSION_WITH_CLIENT_IDS;
    if (request->group_id.len == 0)
        return refuse_with(beat, ERROR_INVALID_REQUEST, "the group's name is empty");
    if (request->member_id.len == 0 && !makes_id)
        return refuse_with(beat, ERROR_INVALID_REQUEST, "the member id is empty");
    if (is_empty_text(request->instance_id))
        return refuse_with(beat, ERROR_INVALID_REQUEST, "the instance id is empty");
    if (is_empty_text(request->rack_id))
        return refuse_with(beat, ERROR_INVALID_REQUEST, "the rack is empty");
    return true;
}

static bool check_epoch(struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    if (request->member_epoch < STATIC_LEAVING_EPOCH)
        return refuse_with(beat, ERROR_INVALID_REQUEST, "the member epoch is not valid");
    if (request->member_epoch == STATIC_LEAVING_EPOCH && bytes_is_null(request->instance_id))
        return refuse_with(beat, ERROR_INVALID_REQUEST,
                           "only a member with an instance id leaves for a while");
    return true;
}

static bool check_join(struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    if (!joins(beat)) return true;
    if (request->rebalance_timeout_ms < 0)
        return refuse_with(beat, ERROR_INVALID_REQUEST,
                           "who joins must say its rebalance time-out");
    if (request->topic_partitions_count != 0)
        return refuse_with(beat, ERROR_INVALID_REQUEST, "who joins must own no partitions");
    if (request->subscribed_topic_names_count < 0 && bytes_is_null(request->subscribed_topic_regex))
        return refuse_with(beat, ERROR_INVALID_REQUEST, "who joins must say what it subscribes to");
    return true;
}

static bool check_sizes(struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    size_t bytes = 0, partitions = 0;
    for (int32_t i = 0; i < request->subscribed_topic_names_count; i++)
        bytes += request->subscribed_topic_names[i].len + 2;
    for (int32_t i = 0; i < request->topic_partitions_count; i++)
        partitions += (size_t)request->topic_partitions[i].partitions_count;
    if (bytes > SUBSCRIPTION_BYTES_MAX)
        return refuse_with(beat, ERROR_INVALID_REQUEST, "the names of the topics are too long");
    if (partitions > REPORTED_PARTITIONS_MAX)
        return refuse_with(beat, ERROR_INVALID_REQUEST, "too many partitions");
    return true;
}

static bool check_assignor(struct heartbeat *beat) {
    struct bytes name = beat->request->server_assignor;
    if (bytes_is_null(name) || consumer_offers_assignor(beat->groups, name)) return true;
    const char *offered = beat->groups->catalog->options->consumer_assignors;
    return refuse_with(beat, ERROR_UNSUPPORTED_ASSIGNOR,
                       arena_format(beat->call->arena, "the assignors are: %s", offered));
}

static bool check_pattern(struct heartbeat *beat) {
    struct bytes text = beat->request->subscribed_topic_regex;
    struct error error;
    if (text.len == 0 || (beat->group && consumer_find_pattern(beat->group, text))) return true;
    struct topic_pattern *compiled = topic_pattern_new(text, &error);
    topic_pattern_free(compiled);
    if (compiled) return true;
    return refuse_with(beat, ERROR_INVALID_REGULAR_EXPRESSION,
                       arena_format(beat->call->arena, "%s", error.text));
}

static bool check_request(struct heartbeat *beat) {
    return check_texts(beat) && check_epoch(beat) && check_join(beat) && check_sizes(beat) &&
           check_assignor(beat);
}

/* What the member says it owns. */
static bool read_reported(struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    int32_t count = request->topic_partitions_count > 0 ? request->topic_partitions_count : 0;
    struct consumer_run *runs = arena_array(beat->call->arena, struct consumer_run, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        runs[i] = (struct consumer_run){request->topic_partitions[i].topic_id,
                                        request->topic_partitions[i].partitions_count,
                                        request->topic_partitions[i].partitions, NULL};
    return consumer_partitions_of_runs(runs, count, &beat->reported) ||
           refuse_with(beat, ERROR_INVALID_REQUEST, "a partition cannot be");
}

static bool says_what_it_owns(const struct heartbeat *beat) {
    return beat->request->topic_partitions_count >= 0;
}

/* --- group and member --- */

static bool make_group(struct heartbeat *beat, struct group *group) {
    if (group && group->kind->has_members(group))
        return refuse_with(beat, ERROR_GROUP_ID_NOT_FOUND,
                           "the group has members in the classic protocol");
    if (group)
        group_convert(group, &consumer_kind);
    else if (!groups_have_room(beat->groups))
        return refuse_with(beat, ERROR_COORDINATOR_NOT_AVAILABLE, "too many groups");
    else
        group = groups_add(beat->groups, beat->request->group_id, &consumer_kind);
    beat->group = consumer_of(group);
    return true;
}

static bool find_group(struct heartbeat *beat) {
    struct group *group = groups_find(beat->groups, beat->request->group_id);
    beat->group = group ? consumer_of(group) : NULL;
    if (beat->group || joins(beat)) return true; /* made when nothing speaks against it */
    refuse(beat->call, ERROR_UNKNOWN_MEMBER_ID);
    return false;
}

/* The member that the request means, if it is there. */
static struct consumer_member *find_member(const struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    if (!beat->group) return NULL;
    return bytes_is_null(request->instance_id)
               ? consumer_find_member(beat->group, request->member_id)
               : consumer_find_instance(beat->group, request->instance_id);
}

/* A member that is not the one it says it is: the instance, or the id, belongs to another. */
static bool check_identity(struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    const struct consumer_member *member = beat->member;
    const struct consumer_member *named =
        beat->group ? consumer_find_member(beat->group, request->member_id) : NULL;
    if (named && named != member)
        return refuse_with(beat, ERROR_INVALID_REQUEST, "the member has another instance id");
    if (named) return true;
    if (!joins(beat)) {
        refuse(beat->call, member ? ERROR_FENCED_INSTANCE_ID : ERROR_UNKNOWN_MEMBER_ID);
        return false;
    }
    if (!member || member->current.epoch == STATIC_LEAVING_EPOCH) return true;
    return refuse_with(beat, ERROR_UNRELEASED_INSTANCE_ID, "another member has the instance id");
}

/* Whether all that the member says to own is what it had, or is to give up. */
static bool reports_what_it_holds(const struct heartbeat *beat) {
    const struct consumer_current *current = &beat->member->current;
    for (int32_t i = 0; i < beat->reported.count; i++)
        if (!consumer_partitions_have(&current->assigned, &beat->reported.items[i]) &&
            !consumer_partitions_have(&current->revoking, &beat->reported.items[i]))
            return false;
    return true;
}

/* The epoch before is accepted from a member that has not heard of the newest one: the answer may
 * have been lost. (Kafka fences it if it was to give something up again: that it holds still.) */
static bool check_member_epoch(struct heartbeat *beat) {
    const struct consumer_current *current = &beat->member->current;
    int32_t epoch = beat->request->member_epoch;
    if (epoch == current->epoch) return true;
    if (epoch == current->previous_epoch && epoch < current->epoch && says_what_it_owns(beat) &&
        reports_what_it_holds(beat))
        return true;
    refuse(beat->call, ERROR_FENCED_MEMBER_EPOCH);
    return false;
}

static bool check_room(struct heartbeat *beat) {
    int64_t most = beat->groups->catalog->options->consumer_members_max;
    if (beat->member || !beat->group || beat->group->member_count < most) return true;
    refuse(beat->call, ERROR_GROUP_MAX_SIZE_REACHED);
    return false;
}

/* --- joining --- */

static void add_member(struct heartbeat *beat) {
    struct bytes id = beat->request->member_id;
    if (id.len == 0)
        id = groups_new_member_id(beat->groups, beat->call->arena, beat->call->client_id);
    beat->member = consumer_add_member(beat->group, id);
    consumer_bump(beat->group);
}

/* A static member is back under another id: its target is kept. */
static void replace_member(struct heartbeat *beat) {
    consumer_erase_member(beat->group, beat->member->id);
    consumer_rename_member(beat->member, beat->request->member_id);
    consumer_write_target(beat->member);
}

/* Who joins owns nothing, whatever we thought. */
static void release_all(struct heartbeat *beat) {
    struct consumer_current nothing = {.state = MEMBER_STABLE};
    consumer_set_current(beat->member, &nothing);
}

static bool join(struct heartbeat *beat) {
    bool is_new = !beat->member, is_other = false;
    if (!beat->group) {
        struct group *group = groups_find(beat->groups, beat->request->group_id);
        if (!make_group(beat, group)) return false;
    }
    if (is_new)
        add_member(beat);
    else
        is_other = !bytes_equal(beat->member->id, beat->request->member_id);
    if (is_other) replace_member(beat);
    if (!is_new) release_all(beat);
    return true;
}

/* --- what is new of the member --- */

/* Null stays; true when it was something else. */
static bool set_if_given(struct bytes *field, struct bytes value) {
    if (bytes_is_null(value)) return false;
    bool same = !bytes_is_null(*field) && bytes_equal(*field, value);
    if (!same) group_set_text(field, value);
    return !same;
}

static bool update_subscription(struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    struct consumer_member *member = beat->member;
    const struct consumer_subscription *old = member->subscription;
    bool has_names = request->subscribed_topic_names_count >= 0;
    bool has_pattern = !bytes_is_null(request->subscribed_topic_regex);
    if (old && !has_names && !has_pattern) return false;
    struct bytes pattern = old && old->pattern ? old->pattern->text : BYTES_NULL;
    if (has_pattern) pattern = request->subscribed_topic_regex;
    int32_t count =
        has_names ? request->subscribed_topic_names_count : (old ? old->topics.count : 0);
    struct bytes *names = request->subscribed_topic_names;
    if (!has_names) {
        names = arena_array(beat->call->arena, struct bytes, (size_t)count);
        for (int32_t i = 0; i < count; i++) names[i] = old->topics.items[i]->name;
    }
    return consumer_subscribe(member, names, count, pattern);
}

static void update_member(struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    struct consumer_member *member = beat->member;
    bool changed = joins(beat);
    if (!bytes_is_null(request->instance_id) && bytes_is_null(member->instance_id))
        consumer_set_instance(member, request->instance_id);
    changed = set_if_given(&member->rack_id, request->rack_id) || changed;
    changed = set_if_given(&member->assignor, request->server_assignor) || changed;
    changed = set_if_given(&member->client_id, beat->call->client_id) || changed;
    changed = set_if_given(&member->client_host, beat->call->client_host) || changed;
    if (request->rebalance_timeout_ms >= 0 && member->rebalance_ms != request->rebalance_timeout_ms)
        changed = true;
    if (request->rebalance_timeout_ms >= 0) member->rebalance_ms = request->rebalance_timeout_ms;
    beat->subscription_changed = update_subscription(beat);
    if (!changed && !beat->subscription_changed) return;
    consumer_write_member(member);
    struct consumer_pattern *pattern = member->subscription->pattern;
    if (beat->subscription_changed) consumer_bump(beat->group);
    if (pattern && !pattern->resolved) consumer_resolve_pattern(pattern);
}

/* --- towards the target --- */

static bool subscribes(void *context, const struct uuid *topic_id) {
    const struct heartbeat *beat = context;
    const struct catalog_topic *topic = catalog_find_topic_id(beat->groups->catalog, topic_id);
    return topic && consumer_member_subscribes(beat->member, bytes_of_text(topic->name));
}

static bool is_held(void *context, const struct consumer_partition *partition) {
    const struct heartbeat *beat = context;
    const struct consumer_member *holder = consumer_holder(beat->group, partition);
    return holder && holder != beat->member;
}

/* False: refused. `assigned_changed` tells whether the member is to be told. */
static bool reconcile(struct heartbeat *beat, bool *assigned_changed) {
    struct consumer_member *member = beat->member;
    struct consumer_reconciling reconciling = {
        .target_epoch = beat->group->target_epoch,
        .target = &member->target,
        .reported = says_what_it_owns(beat) ? &beat->reported : NULL,
        .subscription_changed = beat->subscription_changed,
        .context = beat,
        .subscribes = subscribes,
        .is_held = is_held,
    };
    struct consumer_current next;
    *assigned_changed = false;
    switch (consumer_reconcile(&member->current, &reconciling, &next)) {
        case RECONCILE_SAME: return true;
        case RECONCILE_FENCED: refuse(beat->call, ERROR_FENCED_MEMBER_EPOCH); return false;
        case RECONCILE_CHANGED: break;
    }
    *assigned_changed = !consumer_partitions_equal(&member->current.assigned, &next.assigned);
    consumer_set_current(member, &next);
    consumer_write_current(member);
    consumer_watch_rebalance(member);
    return true;
}

/* --- the answer --- */

static void answer_assignment(struct heartbeat *beat) {
    struct arena *arena = beat->call->arena;
    struct consumer_group_heartbeat_response_assignment *assignment =
        arena_new(arena, struct consumer_group_heartbeat_response_assignment);
    int32_t count;
    const struct consumer_run *runs =
        consumer_partitions_to_runs(&beat->member->current.assigned, arena, &count);
    assignment->topic_partitions_count = count;
    assignment->topic_partitions = arena_array(
        arena, struct consumer_group_heartbeat_response_topic_partitions, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        assignment->topic_partitions[i] =
            (struct consumer_group_heartbeat_response_topic_partitions){
                runs[i].topic_id, runs[i].count, runs[i].indexes};
    beat->response->assignment = assignment;
}

/* A request with all of a member's fields is sent when it has lost track. */
static bool is_full(const struct heartbeat *beat) {
    const struct consumer_group_heartbeat_request *request = beat->request;
    bool subscription = request->subscribed_topic_names_count >= 0 ||
                        !bytes_is_null(request->subscribed_topic_regex);
    return joins(beat) ||
           (request->rebalance_timeout_ms >= 0 && subscription && says_what_it_owns(beat));
}

/* Members learn of changes by their heartbeats, so while a group changes they are asked for more of
 * them: who waits for partitions or an assignment, and everybody for one interval after a change,
 * because members of a group mostly come and go together. All those of a large group not more than
 * some thousand times a second. */
static int32_t interval_ms(const struct heartbeat *beat) {
    enum { SOON_MS = 500, MEMBERS_PER_MS = 2 };
    const struct consumer_group *group = beat->group;
    const struct consumer_current *current = &beat->member->current;
    int64_t interval = consumer_heartbeat_ms(group), soon = group->member_count / MEMBERS_PER_MS;
    if (soon < SOON_MS) soon = SOON_MS;
    if (soon >= interval) return (int32_t)interval;
    bool waits = current->state != MEMBER_STABLE || current->epoch != group->epoch;
    int64_t since =
        (int64_t)(coordinator_now_ms(consumer_coordinator(group)) - group->changed_at_ms);
    bool changes = group->changed_at_ms && since < interval;
    return (int32_t)(waits || changes ? soon : interval);
}

static void answer(struct heartbeat *beat, bool assigned_changed) {
    struct consumer_group_heartbeat_response *response = beat->response;
    const struct consumer_member *member = beat->member;
    response->member_id = arena_copy(beat->call->arena, member->id);
    response->member_epoch = member->current.epoch;
    response->heartbeat_interval_ms = interval_ms(beat);
    if (is_full(beat) || assigned_changed) answer_assignment(beat);
}

/* --- the whole --- */

static void leave(struct heartbeat *beat) {
    struct consumer_member *member = beat->member;
    beat->response->member_id = beat->request->member_id;
    beat->response->member_epoch = beat->request->member_epoch;
    if (beat->request->member_epoch == LEAVING_EPOCH) {
        consumer_fence_member(member);
        consumer_settle(beat->group);
        return;
    }
    struct consumer_current current = {.state = MEMBER_STABLE,
                                       .epoch = STATIC_LEAVING_EPOCH,
                                       .previous_epoch = member->current.epoch};
    current.assigned = consumer_partitions_copy(&member->current.assigned);
    consumer_set_current(member, &current);
    consumer_write_current(member);
    consumer_watch_rebalance(member);
}

static void go_on(struct heartbeat *beat) {
    bool assigned_changed;
    update_member(beat);
    if (beat->group->epoch_dirty || beat->subscription_changed)
        consumer_settle(beat->group);
    else
        consumer_assign(beat->group); /* what failed before is tried again */
    if (!reconcile(beat, &assigned_changed)) return;
    consumer_hear_member(beat->member);
    answer(beat, assigned_changed);
}

static void run(struct heartbeat *beat) {
    if (!check_request(beat) || !find_group(beat)) return;
    beat->member = find_member(beat);
    if (!check_identity(beat) || !check_pattern(beat)) return;
    if (leaves(beat)) {
        leave(beat);
        return;
    }
    if (!read_reported(beat)) return;
    if (joins(beat) ? !check_room(beat) || !join(beat) : !check_member_epoch(beat)) return;
    go_on(beat);
}

static void start(struct groups *groups, struct group_call *call) {
    struct heartbeat beat = {
        .groups = groups, .call = call, .request = call->request, .response = call->response};
    run(&beat);
    consumer_partitions_deinit(&beat.reported);
    group_call_finish(call, beat.group ? beat.group->group : NULL);
}

const struct group_api consumer_heartbeat_api = {.start = start, .refuse = refuse, .writes = true};
