#include "cli/client.h"

#include "cli/fake_broker.h"
#include "protocol/error_code.h"
#include "protocol/metadata.h"

/* ApiVersions in full; Metadata with one broker. */
static bool answer_well(struct fake_broker *broker, int fd, const struct request_header *header,
                        struct bytes body) {
    struct metadata_response_metadata_response_broker one = {7, BYTES_OF("h"), broker->port,
                                                             BYTES_NULL};
    struct metadata_response response;
    (void)body;
    if (header->request_api_key == API_API_VERSIONS) return fake_send_versions(fd, header);
    message_defaults(&metadata_response_message, &response);
    response.brokers_count = 1;
    response.brokers = &one;
    return fake_send(fd, header, header->request_api_version, &response);
}

static bool call_metadata(struct client *client, int version_max, struct error *error,
                          int32_t *node_id) {
    struct arena arena;
    struct metadata_request request;
    struct metadata_response response;
    arena_init(&arena, 1 << 20);
    message_defaults(&metadata_request_message, &request);
    bool good = client_call(client, API_METADATA, version_max, &request, &arena, &response, error);
    if (good && response.brokers_count == 1) *node_id = response.brokers[0].node_id;
    arena_deinit(&arena);
    return good;
}

Test(client, calls, .timeout = 300) {
    struct fake_broker broker;
    struct client *client;
    struct error error = {0};
    int32_t node_id = -1;
    fake_start(&broker, 1, answer_well);
    cr_assert(client_open("127.0.0.1", broker.port, 5000, &client, &error), "%s", error.text);
    cr_assert(client_is_at(client, "127.0.0.1", broker.port));
    for (int version = 1; version < 13; version++)
        cr_assert(call_metadata(client, version, &error, &node_id), "%s", error.text);
    cr_assert_eq(node_id, 7);
    client_close(client);
    fake_stop(&broker);
}

static void assert_open_refused(fake_answer *answer, int64_t timeout_ms, const char *part) {
    struct fake_broker broker;
    struct client *client = NULL;
    struct error error = {0};
    fake_start(&broker, 1, answer);
    cr_assert_not(client_open("127.0.0.1", broker.port, timeout_ms, &client, &error));
    cr_assert_null(client);
    cr_assert_not_null(strstr(error.text, part), "%s", error.text);
    fake_stop(&broker);
}

static bool answer_nothing(struct fake_broker *broker, int fd, const struct request_header *header,
                           struct bytes body) {
    (void)broker, (void)fd, (void)header, (void)body;
    return true;
}
static bool answer_by_closing(struct fake_broker *broker, int fd,
                              const struct request_header *header, struct bytes body) {
    (void)broker, (void)fd, (void)header, (void)body;
    return false;
}
static bool answer_http(struct fake_broker *broker, int fd, const struct request_header *header,
                        struct bytes body) {
    (void)broker, (void)header, (void)body;
    return write(fd, "HTTP/1.1 400\r\n\r\n", 16) == 16;
}
static bool answer_another(struct fake_broker *broker, int fd, const struct request_header *header,
                           struct bytes body) {
    struct request_header other = *header;
    other.correlation_id += 1;
    (void)broker, (void)body;
    return fake_send_versions(fd, &other);
}
static bool answer_half(struct fake_broker *broker, int fd, const struct request_header *header,
                        struct bytes body) {
    uint8_t frame[] = {0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    store_i32(frame + 4, header->correlation_id);
    (void)broker, (void)body;
    return write(fd, frame, sizeof frame) == (ssize_t)sizeof frame;
}

Test(client, answers_that_are_none, .timeout = 300) {
    assert_open_refused(answer_nothing, 100, "did not answer within 100ms (ApiVersions)");
    assert_open_refused(answer_by_closing, 5000, "closed the connection (ApiVersions)");
    assert_open_refused(answer_http, 5000, "an answer of 1213486160 bytes");
    assert_open_refused(answer_another, 5000, "is it a Kafka broker?");
    assert_open_refused(answer_half, 5000, "cannot read the ApiVersions answer");
}

/* An old broker: refuses version 3 in version 0, and knows Metadata up to 1 only. */
static bool answer_old(struct fake_broker *broker, int fd, const struct request_header *header,
                       struct bytes body) {
    struct api_versions_response_api_version keys[] = {{API_API_VERSIONS, 0, 0},
                                                       {API_METADATA, 0, 1}};
    struct api_versions_response response;
    if (header->request_api_key == API_METADATA) {
        cr_assert_eq(header->request_api_version, 1);
        return answer_well(broker, fd, header, body);
    }
    message_defaults(&api_versions_response_message, &response);
    response.error_code = header->request_api_version ? ERROR_UNSUPPORTED_VERSION : 0;
    response.api_keys_count = 2;
    response.api_keys = keys;
    return fake_send(fd, header, 0, &response);
}

Test(client, agrees_with_an_old_broker, .timeout = 300) {
    struct fake_broker broker;
    struct client *client;
    struct error error = {0};
    int32_t node_id = -1;
    fake_start(&broker, 1, answer_old);
    cr_assert(client_open("127.0.0.1", broker.port, 5000, &client, &error), "%s", error.text);
    cr_assert(call_metadata(client, 12, &error, &node_id), "%s", error.text);
    cr_assert_eq(node_id, 7);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    cr_assert_not(client_call(client, API_FETCH, 12, NULL, &arena, NULL, &error));
    cr_assert_not_null(strstr(error.text, "does not speak a version of Fetch"), "%s", error.text);
    arena_deinit(&arena);
    client_close(client);
    fake_stop(&broker);
}

Test(client, nobody_listens) {
    struct fake_broker broker;
    struct client *client;
    struct error error = {0};
    fake_start(&broker, 0, answer_well);
    fake_stop(&broker); /* the port is free again */
    cr_assert_not(client_open("127.0.0.1", broker.port, 1000, &client, &error));
    cr_assert_not_null(strstr(error.text,
                              "Connection refused; is the broker running? start it "
                              "with: millrace serve"),
                       "%s", error.text);
}

static void assert_address(const char *text, const char *host, int port) {
    char got[256];
    int got_port;
    cr_assert(client_split_address(text, strlen(text), got, &got_port), "%s", text);
    cr_assert_str_eq(got, host);
    cr_assert_eq(got_port, port);
}

Test(client, addresses) {
    static const char *const wrong[] = {"",        ":1",  "h:",   "h:x",    "h:0",
                                        "h:65536", "::1", "[::1", "[::1]x", "[]:1"};
    char host[256];
    int port;
    assert_address("h", "h", 9092);
    assert_address("h:1", "h", 1);
    assert_address("[::1]:65535", "::1", 65535);
    assert_address("[::1]", "::1", 9092);
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++)
        cr_assert_not(client_split_address(wrong[at], strlen(wrong[at]), host, &port), "%s",
                      wrong[at]);
}
