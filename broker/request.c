#include "broker/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/say.h"
#include "broker/chore.h"
#include "broker/connection.h"
#include "broker/core.h"
#include "broker/server.h"

enum {
    REQUEST_OVERHEAD = 4096, /* what decoding and answering an ordinary request takes */
    DECODE_BASE = 64 * 1024, /* a decoded body takes at most this … */
    DECODE_FACTOR = 32, /* … and so many times its frame (16 is the worst that is legal), … */
    DECODE_SHARE = 8,   /* … but no more than this part of the budget */
    ANSWER_HERE_BYTES = 512 << 10, /* in the arena; what is longer is encoded on a worker */
};

static size_t decode_limit(const struct core *core, size_t length) {
    size_t most = core->admission.total / DECODE_SHARE;
    return DECODE_BASE + (length < most / DECODE_FACTOR ? length * DECODE_FACTOR : most);
}

/* --- memory: the request, its frame, and the beginning of its arena in one piece --- */

/* Most requests are small and come all the time: the memory of some that have ended is kept. Not
 * under a sanitizer, which would no longer see a use after the end. */
enum {
    ORDINARY_BYTES = 8192,
    ARENA_BYTES = 2048, /* what most requests need */
#ifdef __SANITIZE_ADDRESS__
    SPARES_MAX = 0,
#else
    SPARES_MAX = 128,
#endif
};
static_assert((int)ARENA_BYTES <= (int)REQUEST_OVERHEAD, "admission counts it");

static size_t request_used(size_t length) { return round_up(sizeof(struct request) + length, 16); }

static size_t request_size(size_t length) {
    size_t size = request_used(length) + ARENA_BYTES;
    return size < ORDINARY_BYTES ? ORDINARY_BYTES : size;
}

size_t request_cost(uint32_t length) {
    return request_size(length) - (size_t)ARENA_BYTES + (size_t)REQUEST_OVERHEAD;
}

static struct request *request_allocate(struct core *core, size_t length) {
    struct list *spare = list_first(&core->spare_requests);
    if (!spare || request_size(length) > ORDINARY_BYTES) return memory_new(request_size(length));
    list_remove(spare);
    core->spare_request_count--;
    return list_entry(spare, struct request, link);
}

static void request_keep(struct core *core, struct request *request) {
    if (core->spare_request_count >= SPARES_MAX ||
        request_size(request->frame_size) > ORDINARY_BYTES) {
        free(request);
        return;
    }
    list_remove(&request->link);
    list_prepend(&core->spare_requests, &request->link);
    core->spare_request_count++;
}

void request_forget_spares(struct core *core) {
    for (struct list *node; (node = list_first(&core->spare_requests));) {
        list_remove(node);
        free(list_entry(node, struct request, link));
    }
    core->spare_request_count = 0;
}

/* --- life --- */

struct request *request_new(struct connection *connection, uint32_t length,
                            struct admission_share budget) {
    struct request *request = request_allocate(connection->core, length);
    *request = (struct request){
        .connection = connection,
        .core = connection->core,
        .budget = budget,
        .frame = (uint8_t *)(request + 1),
        .frame_size = length,
    };
    list_init(&request->link);
    list_init(&request->woken);
    list_init(&request->produce_order);
    arena_init(&request->arena, decode_limit(request->core, length));
    size_t used = request_used(length);
    arena_lend(&request->arena, (uint8_t *)request + used, request_size(length) - used);
    return request;
}

/* False: other cores still have something to give back. */
static bool request_release(struct request *request) {
    bool (*release)(struct request *) = request->release;
    request->release = NULL;
    request->releasing = !release(request);
    if (request->releasing) request->core->releasing_count++;
    return !request->releasing;
}

void request_free(struct request *request) {
    struct core *core = request->core;
    if (request->release && !request_release(request)) return;
    if (request->releasing) core->releasing_count--;
    check(!request->parked && !list_is_linked(&request->produce_order));
    timer_cancel(core->ring, &request->deadline);
    list_remove(&request->woken);
    arena_deinit(&request->arena);
    struct admission_share budget = request->budget;
    request_keep(core, request);
    admission_give(&core->admission, budget);
    core_check_drained(core);
}

/* --- answers --- */

void *request_response(struct request *request) {
    const struct message *message = request->api->response;
    void *response = arena_zero(&request->arena, 1, message->layout->size);
    message_defaults(message, response);
    return response;
}

static void request_end(struct request *request) {
    check(request->started && !request->answered && !request->parked);
    request->answered = true;
    connection_answered(request->connection, request);
}

void request_count_memory(struct request *request) {
    size_t counted = request->counted_bytes > 0 ? request->counted_bytes : REQUEST_OVERHEAD;
    if (request->arena.used <= counted) return;
    struct admission_share more = request->budget;
    more.bytes = request->arena.used - counted;
    admission_force(&request->core->admission, more);
    request->budget.bytes += more.bytes;
    request->counted_bytes = request->arena.used;
}

void request_encode(struct request *request, const void *response) {
    request->arena.limit = SIZE_MAX;
    bool encoded = api_encode_response(request->api, request->version, request->correlation_id,
                                       response, &request->arena, &request->output);
    check(encoded);
}

void request_send(struct request *request) {
    request_count_memory(request);
    request_end(request);
}

void request_answer(struct request *request, const void *response) {
    request_encode(request, response);
    request_send(request);
}

/* --- answers from a worker --- */

struct large_answer {
    struct chore chore;
    struct request *request;
    const void *response;
};

static void large_answer_run(struct chore *chore) {
    struct large_answer *answer = container_of(chore, struct large_answer, chore);
    request_encode(answer->request, answer->response);
}

static void large_answer_done(struct chore *chore) {
    request_send(container_of(chore, struct large_answer, chore)->request);
}

void request_answer_large(struct request *request, const void *response) {
    if (request->arena.used < ANSWER_HERE_BYTES) {
        request_answer(request, response);
        return;
    }
    struct large_answer *answer = arena_new(&request->arena, struct large_answer);
    answer->chore.run = large_answer_run;
    answer->chore.done = large_answer_done;
    answer->request = request;
    answer->response = response;
    chore_begin(&answer->chore, request->core);
}

/* --- other answers --- */

void request_answer_raw(struct request *request, struct bytes frame) {
    struct bytes *piece = arena_new(&request->arena, struct bytes);
    *piece = frame;
    request->output = (struct wire_output){.pieces = piece, .count = 1, .total = frame.len};
    request_count_memory(request);
    request_end(request);
}

void request_answer_silently(struct request *request, bool close) {
    request->silent = true;
    request->closes = close;
    request_end(request);
}

static const struct field *field_find(const struct layout *layout, const char *name) {
    for (uint8_t i = 0; i < layout->field_count; i++)
        if (strcmp(layout->fields[i].name, name) == 0) return &layout->fields[i];
    return NULL;
}

static bool field_has_version(const struct field *field, int version) {
    return version >= field->first && version <= field->last;
}

void request_fail(struct request *request, int16_t code, const char *message) {
    const struct layout *layout = request->api->response->layout;
    const struct field *code_field = field_find(layout, "error_code");
    if (!code_field || code_field->type != FIELD_INT16 ||
        !field_has_version(code_field, request->version)) {
        if (core_may_say(request->core))
            say_info("closed the connection of %s: %s: %s", request->connection->ticket->peer,
                     request->api->name, message ? message : error_code_message(code));
        request_answer_silently(request, true);
        return;
    }
    char *response = request_response(request);
    memcpy(response + code_field->offset, &code, sizeof code);
    const struct field *text_field = field_find(layout, "error_message");
    struct bytes text = bytes_of_text(message ? message : error_code_message(code));
    if (text_field) memcpy(response + text_field->offset, &text, sizeof text);
    request_answer(request, response);
}

/* --- waiting --- */

static void request_expire(struct timer *timer) {
    struct request *request = container_of(timer, struct request, deadline);
    request->expired = true;
    core_wake(request->core, &request->woken);
}

void request_park(struct request *request, uint64_t deadline_ns) {
    check(request->started && !request->answered && request->handler->expire);
    request->parked = true;
    request_count_memory(request);
    request->deadline.fire = request_expire;
    if (request->connection->state != CONNECTION_OPEN)
        request_hurry(request);
    else if (deadline_ns > 0)
        timer_arm(request->core->ring, &request->deadline, deadline_ns);
}

void request_wake(struct request *request) {
    if (request->parked) core_wake(request->core, &request->woken);
}

void request_hurry(struct request *request) {
    if (!request->parked) return;
    request->expired = true;
    core_wake(request->core, &request->woken);
}

void request_look(struct request *request) {
    if (!request->parked) return;
    request->parked = false;
    timer_cancel(request->core->ring, &request->deadline);
    if (request->expired)
        request->handler->expire(request);
    else
        request->handler->retry(request);
}

bool request_is_dead(const struct request *request) {
    return request->connection->state == CONNECTION_CLOSING;
}

/* --- what handlers ask --- */

size_t request_take_some(struct request *request, size_t wanted, size_t minimum) {
    struct admission_share share = request->budget;
    share.bytes = wanted;
    size_t some = admission_take_some(&request->core->admission, share, minimum);
    request->budget.bytes += some;
    return some;
}

void request_endpoint(struct request *request, struct bytes *host, int32_t *port) {
    const struct listener *listener = request->connection->ticket->listener;
    const struct endpoint *advertised =
        endpoints_find(&request->core->options->advertise, listener->name);
    char local[ADDRESS_TEXT_SIZE], local_host[ADDRESS_TEXT_SIZE];
    const char *local_port = NULL;
    if (!ring_local_address(request->core->ring, request->connection->fd, local, sizeof local) ||
        !address_split(local, local_host, sizeof local_host, &local_port)) {
        snprintf(local, sizeof local, "%s", listener->bound);
        if (!address_split(local, local_host, sizeof local_host, &local_port)) local_port = "0";
    }
    *host = bytes_of_text(
        arena_text(&request->arena, bytes_of_text(advertised ? advertised->host : local_host)));
    *port = advertised && advertised->port ? advertised->port : (int32_t)atoi(local_port);
}
