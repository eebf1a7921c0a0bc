#include "cli/cluster.h"

#include <stdio.h>

#include "cli/fake_broker.h"

/* What the fake's Metadata says; the tests set it before a call. */
static int16_t topic_error;
static int32_t leader;
static int asked;

/* Knows one topic with one partition, led by broker 1, which is itself. */
static bool answer(struct fake_broker *broker, int fd, const struct request_header *header,
                   struct bytes body) {
    bool question = header->request_api_key == API_METADATA;
    if (question && asked++ == 1) topic_error = 0, leader = 1; /* well at the second one */
    struct metadata_response_metadata_response_broker self = {1, BYTES_OF("127.0.0.1"),
                                                              broker->port, BYTES_NULL};
    struct metadata_response_metadata_response_partition partition = {.leader_id = leader};
    struct metadata_response_metadata_response_topic topic = {.error_code = topic_error,
                                                              .name = BYTES_OF("t"),
                                                              .partitions_count = 1,
                                                              .partitions = &partition};
    struct metadata_response response;
    (void)body;
    if (!question) return fake_send_versions(fd, header);
    message_defaults(&metadata_response_message, &response);
    response.brokers_count = 1;
    response.brokers = &self;
    response.topics_count = 1;
    response.topics = &topic;
    return fake_send(fd, header, header->request_api_version, &response);
}

/* Opens with a bootstrap list and asks for topic t. */
static bool ask(const char *bootstrap, int64_t timeout_ms, bool auto_create, struct error *error) {
    struct settings settings;
    struct cluster *cluster;
    struct arena arena;
    const struct metadata_response_metadata_response_topic *topic;
    settings_init(&settings);
    settings.bootstrap = bootstrap;
    settings.timeout_ms = timeout_ms;
    if (!cluster_open(&settings, &cluster, error)) return false;
    arena_init(&arena, 1 << 20);
    bool good = cluster_topic(cluster, "t", auto_create, &arena, &topic, error);
    if (good) cr_assert_eq(topic->partitions_count, 1);
    arena_deinit(&arena);
    cluster_close(cluster);
    return good;
}

static bool ask_fake(int16_t code, int32_t first_leader, bool auto_create, struct error *error) {
    struct fake_broker broker;
    char bootstrap[64];
    topic_error = code;
    leader = first_leader;
    asked = 0;
    fake_start(&broker, 1, answer);
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", broker.port);
    bool good = ask(bootstrap, 5000, auto_create, error);
    fake_stop(&broker);
    return good;
}

Test(cluster, topic_that_is_there, .timeout = 300) {
    struct error error = {0};
    cr_assert(ask_fake(0, 1, false, &error), "%s", error.text);
    cr_assert_eq(asked, 1);
}

Test(cluster, topic_is_waited_for, .timeout = 300) {
    struct error error = {0};
    cr_assert(ask_fake(ERROR_LEADER_NOT_AVAILABLE, 1, false, &error), "%s", error.text);
    cr_assert_eq(asked, 2);
    cr_assert(ask_fake(0, -1, false, &error), "%s", error.text);
    cr_assert_eq(asked, 2);
    cr_assert(ask_fake(ERROR_UNKNOWN_TOPIC_OR_PARTITION, 1, true, &error), "%s", error.text);
    cr_assert_eq(asked, 2);
}

Test(cluster, topic_that_is_not_there, .timeout = 300) {
    struct error error = {0};
    cr_assert_not(ask_fake(ERROR_UNKNOWN_TOPIC_OR_PARTITION, 1, false, &error));
    cr_assert_str_eq(error.text, "topic t does not exist; make it with: millrace topic create t");
    cr_assert_not(ask_fake(ERROR_TOPIC_AUTHORIZATION_FAILED, 1, false, &error));
    cr_assert_str_eq(error.text,
                     "topic t: not authorised for the topic (TOPIC_AUTHORIZATION_FAILED)");
}

Test(cluster, the_first_that_answers_is_taken, .timeout = 300) {
    struct fake_broker gone, broker;
    struct error error = {0};
    char bootstrap[64];
    topic_error = 0;
    leader = 1;
    asked = 0;
    fake_start(&gone, 0, answer);
    fake_start(&broker, 1, answer);
    fake_stop(&gone);
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d, 127.0.0.1:%d", gone.port, broker.port);
    cr_assert(ask(bootstrap, 5000, false, &error), "%s", error.text);
    fake_stop(&broker);
}

Test(cluster, wrong_addresses) {
    struct error error = {0};
    cr_assert_not(ask("", 100, false, &error));
    cr_assert_str_eq(error.text, "no broker is named; give one with -b HOST:PORT");
    cr_assert_not(ask("h:x", 100, false, &error));
    cr_assert_str_eq(error.text, "\"h:x\" is not an address; give HOST:PORT, IPv6 in brackets");
}

Test(cluster, refusals) {
    struct error error;
    cr_assert_not(cluster_refused(&error, ERROR_INVALID_CONFIG, BYTES_OF("It is wrong."), "x"));
    cr_assert_str_eq(error.text, "x: It is wrong (INVALID_CONFIG)");
    cr_assert_not(cluster_refused(&error, ERROR_INVALID_CONFIG, BYTES_NULL, "x %d", 1));
    cr_assert_str_eq(error.text, "x 1: the configuration is not valid (INVALID_CONFIG)");
}
