#include "registry/api_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "base/clock.h"

enum { CALL_MEMORY_MAX = 256 << 20 };

/* --- life --- */

/* Old Java clients fail on properties that they do not know; Confluent's own newer ones and those
 * of other languages pass over them. */
static bool takes_more(const struct http_request *request) {
    if (!bytes_is_null(http_request_header(request, "Confluent-Accept-Unknown-Properties")))
        return true;
    if (!bytes_is_null(http_request_header(request, "Confluent-Client-Version"))) return true;
    struct bytes agent = http_request_header(request, "User-Agent");
    return !bytes_starts_with(agent, BYTES_OF("Java/"));
}

struct api_call *call_new(struct http_exchange *exchange) {
    struct api_call *call = new_zero(struct api_call);
    call->exchange = exchange;
    call->api = (struct registry_api *)exchange->context;
    call->view = schema_view_hold(*call->api->view);
    call->content_type = REGISTRY_CONTENT_TYPE;
    call->extended = takes_more(exchange->request);
    arena_init(&call->arena, CALL_MEMORY_MAX);
    return call;
}

static void call_free(struct api_call *call) {
    schema_view_drop(call->view);
    text_deinit(&call->body);
    arena_deinit(&call->arena);
    free(call);
}

static void call_count(const struct api_call *call, int status) {
    struct api_counts *counts = &call->api->counts;
    counts->compiles += call->compiles;
    counts->compile_ns += call->compile_ns;
    api_counts_answer(counts, status);
}

void call_answer(struct api_call *call) {
    int status = call->status ? call->status : 200;
    call_count(call, status);
    if (call->status) {
        call->body.len = 0;
        call->content_type = REGISTRY_CONTENT_TYPE;
        text_printf(&call->body, "{\"error_code\":%d,\"message\":", call->code);
        text_append_json(&call->body, bytes_of_text(call->message));
        text_printf(&call->body, "}");
    }
    http_answer(call->exchange, status, call->content_type, text_bytes(&call->body));
    call_free(call);
}

bool call_refuse(struct api_call *call, int status, int code, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    call->status = status;
    call->code = code;
    call->message = arena_text(&call->arena, bytes_of_text(message));
    return false;
}

/* The clock is for a figure that nothing depends on. */
struct schema *call_prepare(struct api_call *call, struct bytes context,
                            const struct schema_entry *entry, struct error *error) {
    uint64_t began_ns = clock_monotonic_ns();
    struct schema *schema = schema_prepare(call->view, context, entry, error);
    call->compiles++;
    call->compile_ns += clock_monotonic_ns() - began_ns;
    return schema;
}

/* The newest view instead of the one it began with. */
static void call_refresh(struct api_call *call) {
    schema_view_drop(call->view);
    call->view = schema_view_hold(*call->api->view);
}

/* --- before the registry is loaded --- */

struct early_request {
    struct list link;
    struct http_exchange *exchange;
    void (*handle)(struct http_exchange *exchange);
};

static void early_end(struct registry_api *api, bool loaded) {
    struct list early;
    list_init(&early);
    list_move_all(&early, &api->early);
    timer_cancel(api->ring, &api->early_timer);
    for (struct list *node; (node = list_first(&early));) {
        struct early_request request = *list_entry(node, struct early_request, link);
        list_remove(node);
        free(list_entry(node, struct early_request, link));
        if (loaded) {
            request.handle(request.exchange);
            continue;
        }
        api_counts_answer(&api->counts, 503);
        http_answer_error(request.exchange, 503, 50302, "The registry is being loaded; try again");
    }
}

static void on_early_timer(struct timer *timer) {
    early_end(container_of(timer, struct registry_api, early_timer), false);
}

void registry_api_init(struct registry_api *api) {
    list_init(&api->early);
    list_init(&api->for_worker);
    api->early_timer.fire = on_early_timer;
}

void registry_api_view_changed(struct registry_api *api) {
    if ((*api->view)->loaded && !list_is_empty(&api->early)) early_end(api, true);
}

struct api_call *call_begin(struct http_exchange *exchange,
                            void (*handle)(struct http_exchange *exchange)) {
    struct registry_api *api = (struct registry_api *)exchange->context;
    if ((*api->view)->loaded) return call_new(exchange);
    struct early_request *request = new_zero(struct early_request);
    request->exchange = exchange;
    request->handle = handle;
    if (list_is_empty(&api->early))
        timer_arm(api->ring, &api->early_timer,
                  ring_now_ns(api->ring) + LOADING_WAIT_MS * NS_PER_MS);
    list_append(&api->early, &request->link);
    return NULL;
}

/* --- ways --- */

static void on_work(struct work *work) {
    struct api_call *call = container_of(work, struct api_call, work);
    call->run(call);
}

static void on_worked(struct work *work);

/* As many as may at the same time, the others in line. */
static void work_next(struct registry_api *api) {
    while (api->working < REGISTRY_WORKERS_MAX && !list_is_empty(&api->for_worker)) {
        struct list *node = list_first(&api->for_worker);
        struct api_call *call = list_entry(node, struct api_call, waiting);
        list_remove(node);
        api->working++;
        call->work = (struct work){.run = on_work, .done = on_worked};
        ring_work(api->ring, &call->work);
    }
}

static void on_worked(struct work *work) {
    struct api_call *call = container_of(work, struct api_call, work);
    struct registry_api *api = call->api;
    api->working--;
    call->then(call);
    work_next(api);
}

void call_work(struct api_call *call, void (*run)(struct api_call *call),
               void (*then)(struct api_call *call)) {
    call->run = run;
    call->then = then;
    list_init(&call->waiting);
    list_append(&call->api->for_worker, &call->waiting);
    work_next(call->api);
}

static void on_changed(struct schema_change *change) {
    struct api_call *call = container_of(change, struct api_call, change);
    if (change->failed)
        call_refuse(call, 500, 50001, "The change could not be stored");
    else
        call_refresh(call);
    call->changed(call);
}

void call_change(struct api_call *call,
                 void (*make)(struct schema_change *change, struct schema_machine *machine),
                 void (*changed)(struct api_call *call)) {
    call->changed = changed;
    call->change = (struct schema_change){.make = make, .done = on_changed};
    call->api->change(call->api, &call->change);
}

/* --- names --- */

/* ".name" of ".name", ":.name:" and so on. */
static struct bytes context_plain(struct bytes context) {
    while (context.len > 0 && context.at[0] == ':')
        context = bytes_make(context.at + 1, context.len - 1);
    while (context.len > 0 && context.at[context.len - 1] == ':') context.len--;
    return context.len > 0 ? context : BYTES_OF(".");
}

struct bytes call_subject(struct api_call *call, size_t index) {
    check(index < call->exchange->part_count);
    return subject_qualify(context_plain(call->exchange->prefix), call->exchange->parts[index],
                           &call->arena);
}

struct bytes call_context(struct api_call *call) {
    struct bytes subject = call_parameter(call, "subject");
    struct bytes context = context_plain(call->exchange->prefix);
    if (bytes_is_null(subject)) return context;
    return subject_context(subject_qualify(context, subject, &call->arena));
}

/* --- numbers --- */

static bool number_parse(struct bytes text, int64_t *number) {
    bool negative = text.len > 0 && text.at[0] == '-';
    size_t first = negative ? 1 : 0;
    *number = 0;
    if (text.len == first || text.len > first + 10) return false;
    for (size_t i = first; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') return false;
        *number = *number * 10 + (text.at[i] - '0');
    }
    if (negative) *number = -*number;
    return true;
}

bool call_version(struct api_call *call, size_t index, int32_t *version) {
    struct bytes text = call->exchange->parts[index];
    int64_t number = -1;
    bool is_latest = bytes_equal_text(text, "latest");
    if (!is_latest &&
        (!number_parse(text, &number) || number < -1 || number == 0 || number > INT32_MAX))
        return call_refuse(call, 422, 42202,
                           "The specified version '%.*s' is not a valid version id. Allowed values "
                           "are between [1, 2^31-1] and the string \"latest\"",
                           BYTES_FORMAT(text));
    *version = (int32_t)number;
    return true;
}

bool call_id(struct api_call *call, size_t index, int32_t *id) {
    int64_t number;
    if (!number_parse(call->exchange->parts[index], &number) || number < 0 || number > INT32_MAX)
        return call_refuse(call, 404, 404, "HTTP 404 Not Found");
    *id = (int32_t)number;
    return true;
}

struct bytes call_parameter(struct api_call *call, const char *name) {
    struct bytes value;
    struct bytes query = call->exchange->request->query;
    return uri_parameter(&call->arena, query, name, 0, &value) ? value : BYTES_NULL;
}

bool call_flag(struct api_call *call, const char *name) {
    struct bytes value = call_parameter(call, name);
    return value.len == 4 && strncasecmp((const char *)value.at, "true", 4) == 0;
}

void call_page(struct api_call *call, size_t *from, size_t *to, size_t count) {
    int64_t offset = 0, limit = -1;
    (void)number_parse(call_parameter(call, "offset"), &offset);
    if (!number_parse(call_parameter(call, "limit"), &limit)) limit = -1;
    *from = offset > 0 && (size_t)offset < count ? (size_t)offset : offset > 0 ? count : 0;
    *to = limit > 0 && (size_t)limit < count - *from ? *from + (size_t)limit : count;
}

/* --- looking --- */

bool call_check_name(struct api_call *call, struct bytes name) {
    return subject_name_is_valid(name) ||
           call_refuse(call, 422, 42208, "The specified subject is not a valid subject.");
}

const struct schema_subject *call_find_subject(struct api_call *call, struct bytes name,
                                               bool deleted_too) {
    const struct schema_subject *subject = schema_view_subject(call->view, name);
    if (subject && schema_subject_version(subject, -1, deleted_too)) return subject;
    call_refuse(call, 404, 40401, "Subject '%.*s' not found.", BYTES_FORMAT(name));
    return NULL;
}

const struct schema_version *call_find_version(struct api_call *call,
                                               const struct schema_subject *subject,
                                               int32_t version, bool deleted_too) {
    const struct schema_version *found = schema_subject_version(subject, version, deleted_too);
    if (!found) call_refuse(call, 404, 40402, "Version %d not found.", version);
    return found;
}
