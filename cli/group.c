#include "cli/group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/consumer_group_describe.h"
#include "protocol/consumer_protocol.h"
#include "protocol/describe_groups.h"

enum {
    CONSUMER_GROUP_DESCRIBE_VERSION = 1,
    DESCRIBE_GROUPS_VERSION = 6,
    MEMBER_PROTOCOL_VERSION = 3,
    MEMBERS_SAID_MAX = 50
};

/* ---- partitions ---- */

static int compare_numbers(const void *a, const void *b) {
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

static int compare_topics(const void *a, const void *b) {
    const struct group_topic *left = a, *right = b;
    return bytes_compare(left->name, right->name);
}

static struct group_partitions partitions_new(int32_t count, struct arena *arena) {
    return (struct group_partitions){0, arena_array(arena, struct group_topic, (size_t)count)};
}

/* Sorts `numbers` in place. */
static void partitions_add(struct group_partitions *partitions, struct bytes topic,
                           int32_t *numbers, int32_t count) {
    if (!count) return;
    qsort(numbers, (size_t)count, sizeof *numbers, compare_numbers);
    partitions->topics[partitions->count++] = (struct group_topic){topic, count, numbers};
}

static void partitions_sort(struct group_partitions *partitions) {
    if (partitions->count)
        qsort(partitions->topics, (size_t)partitions->count, sizeof *partitions->topics,
              compare_topics);
}

static void print_numbers(const struct group_topic *topic, struct text *out) {
    for (int32_t at = 0; at < topic->count; at++) {
        int32_t first = topic->partitions[at], last = first;
        while (at + 1 < topic->count && topic->partitions[at + 1] == last + 1) last++, at++;
        const char *before = first == topic->partitions[0] ? " " : ",";
        text_printf(out, first == last ? "%s%d" : "%s%d-%d", before, first, last);
    }
}

void group_partitions_print(const struct group_partitions *partitions, struct text *out) {
    if (!partitions->count) text_append(out, BYTES_OF("-"));
    for (int32_t at = 0; at < partitions->count; at++) {
        text_printf(out, "%s%.*s", at ? "; " : "", BYTES_FORMAT(partitions->topics[at].name));
        print_numbers(&partitions->topics[at], out);
    }
}

bool group_partitions_equal(const struct group_partitions *a, const struct group_partitions *b) {
    if (a->count != b->count) return false;
    for (int32_t at = 0; at < a->count; at++) {
        const struct group_topic *left = &a->topics[at], *right = &b->topics[at];
        size_t size = (size_t)left->count * sizeof *left->partitions;
        if (!bytes_equal(left->name, right->name) || left->count != right->count ||
            memcmp(left->partitions, right->partitions, size) != 0)
            return false;
    }
    return true;
}

void group_json_field(const char *lead, struct bytes value, struct text *out) {
    text_append(out, bytes_of_text(lead));
    text_append_json(out, value);
}

bool group_call(struct session *session, const struct group *group, enum api_key key,
                int version_max, const void *request, void *response) {
    return cluster_call(session->cluster, group->coordinator, key, version_max, request,
                        &session->arena, response, session->error);
}

/* ---- the consumer protocol ---- */

static struct group_partitions take_assignment(
    const struct consumer_group_describe_response_assignment *from, struct arena *arena) {
    struct group_partitions partitions = partitions_new(from->topic_partitions_count, arena);
    for (int32_t at = 0; at < from->topic_partitions_count; at++) {
        const struct consumer_group_describe_response_topic_partitions *topic =
            &from->topic_partitions[at];
        partitions_add(&partitions, topic->topic_name, topic->partitions, topic->partitions_count);
    }
    partitions_sort(&partitions);
    return partitions;
}

static void take_consumer(struct session *session, struct group *group,
                          const struct consumer_group_describe_response_described_group *from) {
    group->exists = group->consumer = true;
    group->state = from->group_state;
    group->protocol_type = BYTES_OF("consumer");
    group->assignor = from->assignor_name;
    group->epoch = from->group_epoch;
    group->assignment_epoch = from->assignment_epoch;
    group->member_count = from->members_count;
    group->members = arena_array(&session->arena, struct group_member, (size_t)from->members_count);
    for (int32_t at = 0; at < from->members_count; at++) {
        const struct consumer_group_describe_response_member *one = &from->members[at];
        group->members[at] = (struct group_member){
            .id = one->member_id,
            .instance_id = one->instance_id,
            .client_id = one->client_id,
            .host = one->client_host,
            .epoch = one->member_epoch,
            .owned = take_assignment(&one->assignment, &session->arena),
            .target = take_assignment(&one->target_assignment, &session->arena),
            .subscribed_count = one->subscribed_topic_names_count,
            .subscribed = one->subscribed_topic_names,
            .pattern = one->subscribed_topic_regex.len ? one->subscribed_topic_regex : BYTES_NULL};
    }
}

/* What the coordinator said about a group. */
struct verdict {
    int16_t code;
    struct bytes said;
};

static bool ask_consumer(struct session *session, struct group *group, struct verdict *verdict) {
    struct bytes name = bytes_of_text(group->name);
    struct consumer_group_describe_request request;
    struct consumer_group_describe_response response;
    message_defaults(&consumer_group_describe_request_message, &request);
    request.group_ids_count = 1;
    request.group_ids = &name;
    if (!group_call(session, group, API_CONSUMER_GROUP_DESCRIBE, CONSUMER_GROUP_DESCRIBE_VERSION,
                    &request, &response)) {
        verdict->code = ERROR_UNSUPPORTED_VERSION; /* a broker from before KIP-848 */
        return session->error->code == EPROTONOSUPPORT;
    }
    if (response.groups_count != 1)
        return error_set(session->error, EPROTO, "the broker's answer leaves out group %s",
                         group->name);
    *verdict = (struct verdict){response.groups[0].error_code, response.groups[0].error_message};
    if (!verdict->code) take_consumer(session, group, &response.groups[0]);
    return true;
}

/* ---- the classic protocol ---- */

/* The bytes of a member's part begin with their version; newer ones begin like the newest here. */
static bool member_decode(const struct message *message, struct bytes data, struct arena *arena,
                          void *out) {
    struct error error;
    int version = data.len < 2 ? -1 : load_i16(data.at);
    if (version < 0) return false;
    struct bytes rest = bytes_make(data.at + 2, data.len - 2);
    int known = version < MEMBER_PROTOCOL_VERSION ? version : MEMBER_PROTOCOL_VERSION;
    return wire_decode_part(message, known, &rest, arena, out, &error);
}

static struct group_partitions take_classic_assignment(struct bytes data, struct arena *arena) {
    struct consumer_protocol_assignment assignment;
    if (!member_decode(&consumer_protocol_assignment_message, data, arena, &assignment))
        return (struct group_partitions){0};
    struct group_partitions partitions =
        partitions_new(assignment.assigned_partitions_count, arena);
    for (int32_t at = 0; at < assignment.assigned_partitions_count; at++)
        partitions_add(&partitions, assignment.assigned_partitions[at].topic,
                       assignment.assigned_partitions[at].partitions,
                       assignment.assigned_partitions[at].partitions_count);
    partitions_sort(&partitions);
    return partitions;
}

static void take_classic_member(const struct describe_groups_response_described_group_member *from,
                                bool consumer, struct arena *arena, struct group_member *member) {
    struct consumer_protocol_subscription subscription;
    *member = (struct group_member){.id = from->member_id,
                                    .instance_id = from->group_instance_id,
                                    .client_id = from->client_id,
                                    .host = from->client_host,
                                    .epoch = -1};
    if (!consumer) return; /* Connect's and others' bytes are their own */
    member->owned = take_classic_assignment(from->member_assignment, arena);
    if (member_decode(&consumer_protocol_subscription_message, from->member_metadata, arena,
                      &subscription)) {
        member->subscribed = subscription.topics;
        member->subscribed_count = subscription.topics_count;
    }
}

static void take_classic(struct session *session, struct group *group,
                         const struct describe_groups_response_described_group *from) {
    bool consumer = bytes_equal_text(from->protocol_type, "consumer");
    group->exists = !bytes_equal_text(from->group_state, "Dead");
    group->state = from->group_state;
    group->protocol_type = from->protocol_type;
    group->assignor = from->protocol_data;
    group->epoch = group->assignment_epoch = -1;
    group->member_count = from->members_count;
    group->members = arena_array(&session->arena, struct group_member, (size_t)from->members_count);
    for (int32_t at = 0; at < from->members_count; at++)
        take_classic_member(&from->members[at], consumer, &session->arena, &group->members[at]);
}

static bool ask_classic(struct session *session, struct group *group, struct verdict *verdict) {
    struct bytes name = bytes_of_text(group->name);
    struct describe_groups_request request;
    struct describe_groups_response response;
    message_defaults(&describe_groups_request_message, &request);
    request.groups_count = 1;
    request.groups = &name;
    if (!group_call(session, group, API_DESCRIBE_GROUPS, DESCRIBE_GROUPS_VERSION, &request,
                    &response))
        return false;
    if (response.groups_count != 1)
        return error_set(session->error, EPROTO, "the broker's answer leaves out group %s",
                         group->name);
    *verdict = (struct verdict){response.groups[0].error_code, response.groups[0].error_message};
    if (!verdict->code) take_classic(session, group, &response.groups[0]);
    return true;
}

/* ---- both ---- */

/* What the next try may find done. */
static bool is_coming(int16_t code) {
    return code == ERROR_COORDINATOR_LOAD_IN_PROGRESS || code == ERROR_COORDINATOR_NOT_AVAILABLE ||
           code == ERROR_NOT_COORDINATOR;
}

static bool ask(struct session *session, struct group *group, struct verdict *verdict) {
    if (!cluster_coordinator(session->cluster, group->name, &session->arena, &group->coordinator,
                             session->error) ||
        !ask_consumer(session, group, verdict))
        return false;
    bool other =
        verdict->code == ERROR_GROUP_ID_NOT_FOUND || verdict->code == ERROR_UNSUPPORTED_VERSION;
    return !other || ask_classic(session, group, verdict);
}

bool group_read(struct session *session, const char *name, struct group *group) {
    uint64_t deadline_ns = cluster_deadline_ns(session->cluster);
    struct verdict verdict = {0};
    do {
        *group = (struct group){.name = name};
        if (!ask(session, group, &verdict)) return false;
    } while (is_coming(verdict.code) && cluster_pause(deadline_ns));
    return !verdict.code || verdict.code == ERROR_GROUP_ID_NOT_FOUND ||
           cluster_refused(session->error, verdict.code, verdict.said, "cannot describe group %s",
                           name);
}

bool group_check_exists(struct session *session, const struct group *group) {
    return group->exists || error_set(session->error, ENOENT,
                                      "group %.120s does not exist; millrace group list names "
                                      "those that do",
                                      group->name);
}

static void say_member(const struct group_member *member) {
    fprintf(stderr, "active: member %.*s  client %.*s  host %.*s", BYTES_FORMAT(member->id),
            BYTES_FORMAT(member->client_id), BYTES_FORMAT(member->host));
    if (member->epoch == MEMBER_EXPECTED_BACK)
        fprintf(stderr, "  instance %.*s has left, and is expected back for its session time-out",
                BYTES_FORMAT(member->instance_id));
    fputs("\n", stderr);
}

bool group_check_empty(struct session *session, const struct group *group, const char *doing) {
    int32_t said = group->member_count < MEMBERS_SAID_MAX ? group->member_count : MEMBERS_SAID_MAX;
    if (!group->member_count) return true;
    for (int32_t at = 0; at < said; at++) say_member(&group->members[at]);
    if (said < group->member_count) fprintf(stderr, "and %d more\n", group->member_count - said);
    return error_set(session->error, EBUSY,
                     "cannot %s group %.120s: it has %d active member%s; stop what is named above "
                     "first",
                     doing, group->name, group->member_count, group->member_count == 1 ? "" : "s");
}
