#include "tests/sim/client.h"

#include "base/byte_buffer.h"
#include "base/clock.h"
#include "protocol/header.h"
#include "tests/sim/seeds.h"

enum { ARENA_MAX = 64 << 20, RECEIVE_BYTES = 64 << 10 };
#define ANSWER_NS_MAX (60 * NS_PER_S)

struct client {
    struct sim *sim;
    char address[64];
    int socket; /* -1: not connected */
    int32_t correlation_id;
    struct list calls; /* in order */
    struct byte_buffer received;
};

struct client *client_new(struct sim *sim, const char *address) {
    struct client *client = new_zero(struct client);
    client->sim = sim;
    client->socket = -1;
    strncpy(client->address, address, sizeof client->address - 1);
    list_init(&client->calls);
    return client;
}

void client_free(struct client *client) {
    client_disconnect(client);
    byte_buffer_deinit(&client->received);
    free(client);
}

bool client_connect(struct client *client) {
    seed_expect(client->socket < 0, "connected already");
    client->socket = sim_connect(client->sim, client->address);
    return client->socket >= 0;
}

bool client_is_connected(const struct client *client) { return client->socket >= 0; }

void client_disconnect(struct client *client) {
    if (client->socket >= 0) sim_disconnect(client->sim, client->socket);
    client->socket = -1;
    client->received.len = 0;
    for (struct list *node; (node = list_first(&client->calls));) {
        list_remove(node);
        struct call *call = list_entry(node, struct call, link);
        call->answer(call, NULL);
    }
}

/* --- requests --- */

static const struct api *client_encode(struct client *client, enum api_key key, int version,
                                       const void *request) {
    const struct api *api = api_find((int16_t)key);
    seed_expect(api && api_has_version(api, version), "API %d has no version %d", key, version);
    struct arena arena;
    struct wire_output output = {0};
    arena_init(&arena, ARENA_MAX);
    bool fits = api_encode_request(api, version, ++client->correlation_id, BYTES_OF("sim"), request,
                                   &arena, &output);
    seed_expect(fits, "request too large");
    sim_send(client->sim, client->socket, wire_join(&output, &arena));
    arena_deinit(&arena);
    return api;
}

void client_send(struct client *client, struct call *call, enum api_key key, int version,
                 const void *request) {
    call->api = client_encode(client, key, version, request);
    call->version = (int16_t)version;
    call->correlation_id = client->correlation_id;
    call->sent_ns = sim_now_ns(client->sim);
    list_init(&call->link);
    list_append(&client->calls, &call->link);
}

void client_send_silently(struct client *client, enum api_key key, int version,
                          const void *request) {
    client_encode(client, key, version, request);
}

/* --- answers --- */

static void client_take(struct client *client, struct bytes frame) {
    struct list *node = list_first(&client->calls);
    seed_expect(node != NULL, "an answer that nobody asked for");
    list_remove(node);
    struct call *call = list_entry(node, struct call, link);
    struct arena arena;
    struct error error;
    arena_init(&arena, ARENA_MAX);
    struct response_header header;
    int header_version = api_response_header_version(call->api, call->version);
    bool good =
        wire_decode_part(&response_header_message, header_version, &frame, &arena, &header, &error);
    seed_expect(good, "%s", error.text);
    seed_expect(header.correlation_id == call->correlation_id, "%s: answer %d to request %d",
                call->api->name, header.correlation_id, call->correlation_id);
    void *response = arena_zero(&arena, 1, call->api->response->layout->size);
    good = wire_decode(call->api->response, call->version, frame, &arena, response, &error);
    seed_expect(good, "%s", error.text);
    call->answer(call, response);
    arena_deinit(&arena);
}

static void client_take_frames(struct client *client) {
    size_t at = 0;
    while (client->received.len - at >= 4) {
        size_t length = load_u32(client->received.at + at);
        if (client->received.len - at - 4 < length) break;
        client_take(client, bytes_make(client->received.at + at + 4, length));
        at += 4 + length;
    }
    if (at == 0) return;
    memmove(client->received.at, client->received.at + at, client->received.len - at);
    client->received.len -= at;
}

void client_poll(struct client *client) {
    if (client->socket < 0) return;
    int64_t got;
    bool any = false;
    while ((got = sim_receive(client->sim, client->socket,
                              byte_buffer_reserve(&client->received, RECEIVE_BYTES),
                              RECEIVE_BYTES)) > 0) {
        client->received.len += (size_t)got;
        any = true;
    }
    if (any) client_take_frames(client);
    if (got < 0) client_disconnect(client);
    struct list *oldest = list_first(&client->calls);
    if (!oldest) return;
    const struct call *call = list_entry(oldest, struct call, link);
    seed_expect(sim_now_ns(client->sim) - call->sent_ns < ANSWER_NS_MAX, "%s: no answer",
                call->api->name);
}
