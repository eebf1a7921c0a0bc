/* From a frame to its handler: header, version, body. What cannot be understood ends the
 * connection with one log line, as in Kafka, with two exceptions that clients rely on:
 *   - ApiVersions in a version that is not served is answered in version 0 (KIP-511);
 *   - Produce 0 to 2 is advertised and not served: an answer in its own shape says so. */
#include "base/say.h"
#include "broker/connection.h"
#include "broker/core.h"
#include "broker/request.h"
#include "protocol/api_versions.h"
#include "protocol/header.h"

static void dispatch_refuse(struct request *request, const char *why) {
    if (core_may_say(request->core))
        say_info("closed the connection of %s: %s", request->connection->ticket->peer, why);
    request_answer_silently(request, true);
}

/* The client tries again with the range that it sees here. */
static void dispatch_unknown_api_versions(struct request *request) {
    struct api_versions_response *response = request_response(request);
    struct api_versions_response_api_version *own =
        arena_new(&request->arena, struct api_versions_response_api_version);
    own->api_key = API_API_VERSIONS;
    own->min_version = request->api->min_version;
    own->max_version = request->api->max_version;
    response->error_code = ERROR_UNSUPPORTED_VERSION;
    response->api_keys_count = 1;
    response->api_keys = own;
    request->version = 0;
    request_answer(request, response);
}

/* Produce 0-2: topics [name, partitions [index, record set size, record set]]. The answer repeats
 * names and indexes: topics [name, partitions [index, error, base offset, (2: timestamp)]],
 * (1: throttle time). Not in the definitions, because nothing else is ever done with them. */
struct old_produce {
    struct bytes in;
    uint8_t *out;
    size_t len;
    bool broken;
};

static struct bytes old_take(struct old_produce *old, size_t len) {
    if (old->broken || len > old->in.len) {
        old->broken = true;
        return BYTES_OF("\0\0\0\0\0\0\0\0");
    }
    struct bytes taken = bytes_make(old->in.at, len);
    old->in.at += len;
    old->in.len -= len;
    return taken;
}

static void old_put(struct old_produce *old, struct bytes more) {
    memcpy(old->out + old->len, more.at, more.len);
    old->len += more.len;
}

/* A number that is also part of the answer. */
static int32_t old_copy_count(struct old_produce *old) {
    struct bytes raw = old_take(old, 4);
    int32_t count = load_i32(raw.at);
    if (count < 0 || (size_t)count > old->in.len) old->broken = true;
    if (old->broken) return 0;
    old_put(old, raw);
    return count;
}

static void old_partition(struct old_produce *old, int version) {
    struct bytes index = old_take(old, 4);
    int32_t size = load_i32(old_take(old, 4).at);
    if (size > 0) old_take(old, (size_t)size);
    if (old->broken) return;
    uint8_t result[18];
    store_i16(result, ERROR_UNSUPPORTED_VERSION);
    store_i64(result + 2, -1);
    store_i64(result + 10, -1);
    old_put(old, index);
    old_put(old, bytes_make(result, version >= 2 ? 18 : 10));
}

static void old_topic(struct old_produce *old, int version) {
    struct bytes raw = old_take(old, 2);
    int16_t len = load_i16(raw.at);
    if (len < 0) old->broken = true;
    struct bytes name = old_take(old, old->broken ? 0 : (size_t)len);
    if (old->broken) return;
    old_put(old, raw);
    old_put(old, name);
    for (int32_t count = old_copy_count(old); count > 0 && !old->broken; count--)
        old_partition(old, version);
}

static void dispatch_old_produce(struct request *request, struct bytes body) {
    struct old_produce old = {.in = body};
    bool silent = load_i16(old_take(&old, 2).at) == 0; /* acks */
    old_take(&old, 4);
    old.out = arena_zero(&request->arena, 1, body.len * 3 + 64); /* 22 bytes for 8 at most */
    store_i32(old.out + 4, request->correlation_id);
    old.len = 8;
    for (int32_t count = old_copy_count(&old); count > 0 && !old.broken; count--)
        old_topic(&old, request->version);
    if (old.broken || silent) {
        dispatch_refuse(request, "Produce 0 to 2 is not served");
        return;
    }
    if (request->version >= 1) old_put(&old, BYTES_OF("\0\0\0\0"));
    store_i32(old.out, (int32_t)(old.len - 4));
    request_answer_raw(request, bytes_make(old.out, old.len));
}

static void dispatch_unsupported(struct request *request, struct bytes body) {
    if (request->api->key == API_API_VERSIONS) {
        dispatch_unknown_api_versions(request);
        return;
    }
    if (request->api->key == API_PRODUCE && request->version >= 0 && request->version <= 2) {
        dispatch_old_produce(request, body);
        return;
    }
    dispatch_refuse(request, arena_format(&request->arena, "%s has no version %d here",
                                          request->api->name, request->version));
}

/* The client id is a classic string in every version of the header; the tags behind it are not
 * there in version 1. */
static bool dispatch_header(struct request *request, struct bytes *in, struct error *error) {
    struct request_header header;
    int version = api_request_header_version(request->api, request->version);
    if (!wire_decode_part(&request_header_message, version, in, &request->arena, &header, error))
        return false;
    request->client_id = header.client_id;
    return true;
}

/* Bytes behind the body are ignored, as Kafka does: librdkafka's Metadata 13 has three. */
static bool dispatch_body(struct request *request, struct bytes in, struct error *error) {
    const struct message *message = request->api->request;
    request->body = arena_try(&request->arena, message->layout->size);
    if (!request->body) return error_set(error, 0, "%s is too large", request->api->name);
    return wire_decode_part(message, request->version, &in, &request->arena, request->body, error);
}

void request_dispatch(struct request *request) {
    struct bytes in = bytes_make(request->frame, request->frame_size);
    int16_t key = load_i16(in.at);
    struct error error;
    request->version = load_i16(in.at + 2);
    request->correlation_id = load_i32(in.at + 4);
    request->started_ns = ring_now_ns(request->core->ring);
    request->api = api_find(key);
    request->handler = handler_find(key);
    if (!request->api || !request->handler) {
        dispatch_refuse(request,
                        arena_format(&request->arena, "API key %d is not served here", key));
        return;
    }
    bool is_known = api_has_version(request->api, request->version);
    bool has_header = dispatch_header(request, &in, &error);
    if (!is_known && (has_header || key == API_API_VERSIONS)) {
        request->arena.limit = SIZE_MAX;
        dispatch_unsupported(request, in);
        return;
    }
    if (!has_header || !dispatch_body(request, in, &error)) {
        request->arena.limit = SIZE_MAX;
        dispatch_refuse(request, error.text);
        return;
    }
    request->arena.limit = SIZE_MAX;
    request_count_memory(request);
    request->handler->start(request);
}
