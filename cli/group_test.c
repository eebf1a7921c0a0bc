#include "cli/group.h"

#include <stdio.h>

#include "cli/fake_broker.h"
#include "protocol/consumer_group_describe.h"
#include "protocol/consumer_protocol.h"
#include "protocol/describe_groups.h"
#include "protocol/find_coordinator.h"

enum { SELF = 7 };

/* What the fake knows: set before it starts, counted by it. */
static struct {
    bool consumer, classic;
    int loading, looked_up; /* answers that say so; FindCoordinator requests */
} fake;

static bool answer_coordinator(struct fake_broker *broker, int fd,
                               const struct request_header *header) {
    struct find_coordinator_response response;
    message_defaults(&find_coordinator_response_message, &response);
    response.node_id = SELF;
    response.host = BYTES_OF("127.0.0.1");
    response.port = broker->port;
    if (fake.looked_up++ == 0) response.error_code = ERROR_COORDINATOR_NOT_AVAILABLE;
    return fake_send(fd, header, header->request_api_version, &response);
}

static bool answer_consumer(int fd, const struct request_header *header) {
    int32_t owned[] = {5, 0, 2, 1}, target[] = {0, 1};
    struct bytes topics[] = {BYTES_OF("b"), BYTES_OF("a")};
    struct consumer_group_describe_response_topic_partitions owned_in[] = {
        {.topic_name = topics[0], .partitions_count = 1, .partitions = owned},
        {.topic_name = topics[1], .partitions_count = 3, .partitions = owned + 1}};
    struct consumer_group_describe_response_topic_partitions target_in = {
        .topic_name = topics[1], .partitions_count = 2, .partitions = target};
    struct consumer_group_describe_response_member member = {.member_id = BYTES_OF("m"),
                                                             .client_id = BYTES_OF("c"),
                                                             .client_host = BYTES_OF("/h"),
                                                             .member_epoch = 3,
                                                             .subscribed_topic_names_count = 2,
                                                             .subscribed_topic_names = topics,
                                                             .assignment = {2, owned_in},
                                                             .target_assignment = {1, &target_in}};
    struct consumer_group_describe_response_described_group group = {
        .error_code = fake.loading-- > 0 ? ERROR_COORDINATOR_LOAD_IN_PROGRESS
                      : fake.consumer    ? ERROR_NONE
                                         : ERROR_GROUP_ID_NOT_FOUND,
        .group_id = BYTES_OF("g"),
        .group_state = BYTES_OF("Reconciling"),
        .group_epoch = 4,
        .assignment_epoch = 4,
        .assignor_name = BYTES_OF("uniform"),
        .members_count = 1,
        .members = &member};
    struct consumer_group_describe_response response = {.groups_count = 1, .groups = &group};
    return fake_send(fd, header, header->request_api_version, &response);
}

/* A part of a member's as it goes through JoinGroup or SyncGroup: its version, then the message. */
static struct bytes member_part(const struct message *message, int version, const void *from,
                                struct arena *arena) {
    struct wire_output out;
    cr_assert(wire_encode(message, version, from, arena, &out));
    struct bytes body = wire_join(&out, arena);
    uint8_t *at = arena_zero(arena, body.len + 2, 1);
    store_i16(at, (int16_t)version);
    memcpy(at + 2, body.at, body.len);
    return bytes_make(at, body.len + 2);
}

static bool answer_classic(int fd, const struct request_header *header) {
    struct arena arena;
    int32_t owned[] = {1, 0};
    struct bytes topic = BYTES_OF("a");
    struct consumer_protocol_assignment_topic_partition in = {topic, 2, owned};
    struct consumer_protocol_assignment assignment = {.assigned_partitions_count = 1,
                                                      .assigned_partitions = &in};
    struct consumer_protocol_subscription subscription = {.topics_count = 1, .topics = &topic};
    arena_init(&arena, 1 << 20);
    struct describe_groups_response_described_group_member member = {
        .member_id = BYTES_OF("m"),
        .group_instance_id = BYTES_OF("i"),
        .client_id = BYTES_OF("c"),
        .client_host = BYTES_OF("/h"),
        .member_metadata =
            member_part(&consumer_protocol_subscription_message, 0, &subscription, &arena),
        .member_assignment =
            member_part(&consumer_protocol_assignment_message, 0, &assignment, &arena)};
    struct describe_groups_response_described_group group = {
        .error_code = fake.classic ? ERROR_NONE : ERROR_GROUP_ID_NOT_FOUND,
        .group_id = BYTES_OF("g"),
        .group_state = BYTES_OF("Stable"),
        .protocol_type = BYTES_OF("consumer"),
        .protocol_data = BYTES_OF("range"),
        .members_count = fake.classic,
        .members = &member};
    struct describe_groups_response response = {.groups_count = 1, .groups = &group};
    bool good = fake_send(fd, header, header->request_api_version, &response);
    arena_deinit(&arena);
    return good;
}

static bool answer(struct fake_broker *broker, int fd, const struct request_header *header,
                   struct bytes body) {
    (void)body;
    switch (header->request_api_key) {
        case API_API_VERSIONS: return fake_send_versions(fd, header);
        case API_FIND_COORDINATOR: return answer_coordinator(broker, fd, header);
        case API_CONSUMER_GROUP_DESCRIBE: return answer_consumer(fd, header);
        default: return answer_classic(fd, header);
    }
}

/* Reads group g of the fake, and gives it to the function. */
static bool with_group(struct error *error, void (*look)(struct session *, const struct group *)) {
    struct fake_broker broker;
    struct settings settings;
    char bootstrap[64];
    struct session session = {.settings = &settings, .error = error};
    struct group group;
    fake.looked_up = 0;
    fake_start(&broker, 1, answer);
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", broker.port);
    settings_init(&settings);
    settings.bootstrap = bootstrap;
    cr_assert(cluster_open(&settings, &session.cluster, error));
    arena_init(&session.arena, 1 << 20);
    bool good = group_read(&session, "g", &group);
    if (good) look(&session, &group);
    arena_deinit(&session.arena);
    cluster_close(session.cluster);
    fake_stop(&broker);
    return good;
}

static void assert_partitions(const struct group_partitions *partitions, const char *expected) {
    struct text text = {0};
    group_partitions_print(partitions, &text);
    cr_assert_str_eq(text.at, expected);
    text_deinit(&text);
}

static void look_at_consumer(struct session *session, const struct group *group) {
    (void)session;
    cr_assert(group->exists && group->consumer);
    cr_assert_eq(group->coordinator, SELF);
    cr_assert_eq(group->epoch, 4);
    cr_assert_eq(group->member_count, 1);
    const struct group_member *member = &group->members[0];
    cr_assert_eq(member->epoch, 3);
    assert_partitions(&member->owned, "a 0-2; b 5");
    assert_partitions(&member->target, "a 0-1");
    cr_assert_not(group_partitions_equal(&member->owned, &member->target));
    cr_assert(group_partitions_equal(&member->owned, &member->owned));
}

Test(group, of_the_consumer_protocol, .timeout = 300) {
    struct error error = {0};
    fake.consumer = true;
    cr_assert(with_group(&error, look_at_consumer), "%s", error.text);
    cr_assert_eq(fake.looked_up, 2); /* the first answer was: not yet */
}

Test(group, a_loading_coordinator_is_waited_for, .timeout = 300) {
    struct error error = {0};
    fake.consumer = true;
    fake.loading = 2;
    cr_assert(with_group(&error, look_at_consumer), "%s", error.text);
}

static void look_at_classic(struct session *session, const struct group *group) {
    cr_assert(group->exists && !group->consumer);
    cr_assert_eq(group->epoch, -1);
    cr_assert(bytes_equal_text(group->assignor, "range"));
    const struct group_member *member = &group->members[0];
    cr_assert(bytes_equal_text(member->instance_id, "i"));
    cr_assert_eq(member->subscribed_count, 1);
    cr_assert(bytes_equal_text(member->subscribed[0], "a"));
    assert_partitions(&member->owned, "a 0-1");
    assert_partitions(&member->target, "-");
    cr_assert_not(group_check_empty(session, group, "reset"));
    cr_assert_str_eq(
        session->error->text,
        "cannot reset group g: it has 1 active member; stop what is named above first");
}

Test(group, of_the_classic_protocol, .timeout = 300) {
    struct error error = {0};
    fake.classic = true;
    cr_assert(with_group(&error, look_at_classic), "%s", error.text);
}

static void look_at_nothing(struct session *session, const struct group *group) {
    cr_assert_not(group->exists);
    cr_assert(group_check_empty(session, group, "reset"));
    cr_assert_not(group_check_exists(session, group));
    cr_assert_not_null(strstr(session->error->text, "group g does not exist"));
}

Test(group, that_is_not_there, .timeout = 300) {
    struct error error = {0};
    cr_assert(with_group(&error, look_at_nothing), "%s", error.text);
}
