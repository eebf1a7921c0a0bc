#include "http/parse.h"

#include <http_parser.h>
#include <strings.h>

#include "base/check.h"

/* Names and values as offsets while the head grows, because growing moves it. */
struct span {
    size_t at, len;
};

struct http_parse {
    struct http_parser parser;
    struct byte_buffer head, body;
    struct span target, names[HTTP_HEADERS_MAX], values[HTTP_HEADERS_MAX];
    size_t count;  /* headers begun */
    bool in_value; /* the last callback was one for a value */
    bool begun, head_done, complete, expects_continue;
    size_t body_max;
    struct http_budget *budget; /* or NULL */
    size_t held;                /* of it */
    int status;                 /* of a refusal */
    struct http_request request;
};

static struct http_parse *parse_of(struct http_parser *parser) {
    return (struct http_parse *)parser->data;
}

static int refuse(struct http_parse *parse, int status) {
    parse->status = status;
    return -1;
}

static int head_append(struct http_parse *parse, struct span *span, const char *at, size_t len) {
    if (len > HTTP_HEAD_MAX - parse->head.len)
        return refuse(parse, HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE);
    if (span->len == 0) span->at = parse->head.len;
    check(span->at + span->len == parse->head.len);
    byte_buffer_append(&parse->head, bytes_make(at, len));
    span->len += len;
    return 0;
}

static int on_begin(struct http_parser *parser) {
    parse_of(parser)->begun = true;
    return 0;
}

static int on_target(struct http_parser *parser, const char *at, size_t len) {
    struct http_parse *parse = parse_of(parser);
    return head_append(parse, &parse->target, at, len);
}

static int on_name(struct http_parser *parser, const char *at, size_t len) {
    struct http_parse *parse = parse_of(parser);
    if (parse->head_done) return 0; /* trailers are dropped */
    if (parse->count == 0 || parse->in_value) {
        if (parse->count == HTTP_HEADERS_MAX)
            return refuse(parse, HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE);
        parse->names[parse->count] = parse->values[parse->count] = (struct span){0, 0};
        parse->count++;
        parse->in_value = false;
    }
    return head_append(parse, &parse->names[parse->count - 1], at, len);
}

static int on_value(struct http_parser *parser, const char *at, size_t len) {
    struct http_parse *parse = parse_of(parser);
    if (parse->head_done) return 0;
    parse->in_value = true;
    if (len == 0) return 0;
    return head_append(parse, &parse->values[parse->count - 1], at, len);
}

static struct bytes span_bytes(const struct http_parse *parse, struct span span) {
    return span.len ? bytes_make(parse->head.at + span.at, span.len) : BYTES_OF("");
}

static enum http_verb verb_of(unsigned method) {
    switch (method) {
        case HTTP_GET: return VERB_GET;
        case HTTP_HEAD: return VERB_HEAD;
        case HTTP_POST: return VERB_POST;
        case HTTP_PUT: return VERB_PUT;
        case HTTP_DELETE: return VERB_DELETE;
        case HTTP_OPTIONS: return VERB_OPTIONS;
        default: return VERB_OTHER;
    }
}

/* The path of "/path?query", or of "http://host/path?query" as a proxy gets it. */
static void target_split(struct http_request *request) {
    struct bytes target = request->target;
    if (bytes_starts_with(target, BYTES_OF("http://"))) {
        const uint8_t *slash = (const uint8_t *)memchr(target.at + 7, '/', target.len - 7);
        size_t skip = slash ? (size_t)(slash - target.at) : target.len;
        target = bytes_make(target.at + skip, target.len - skip);
    }
    const uint8_t *mark = target.len ? (const uint8_t *)memchr(target.at, '?', target.len) : NULL;
    request->path = mark ? bytes_make(target.at, (size_t)(mark - target.at)) : target;
    request->query = mark ? bytes_make(mark + 1, target.len - request->path.len - 1) : BYTES_NULL;
}

static int on_head(struct http_parser *parser) {
    struct http_parse *parse = parse_of(parser);
    struct http_request *request = &parse->request;
    parse->head_done = true;
    parser->upgrade = 0; /* offers of other protocols are passed over */
    *request = (struct http_request){.verb = verb_of(parser->method),
                                     .target = span_bytes(parse, parse->target),
                                     .header_count = parse->count,
                                     .keep_alive = http_should_keep_alive(parser) != 0,
                                     .version_1_1 = parser->http_minor >= 1};
    for (size_t i = 0; i < parse->count; i++) {
        request->headers[i].name = span_bytes(parse, parse->names[i]);
        request->headers[i].value = span_bytes(parse, parse->values[i]);
    }
    target_split(request);
    if (parser->method == HTTP_CONNECT) return refuse(parse, HTTP_STATUS_NOT_IMPLEMENTED);
    if (parser->http_major != 1) return refuse(parse, HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED);
    if ((parser->flags & F_CONTENTLENGTH) && parser->content_length > parse->body_max)
        return refuse(parse, HTTP_STATUS_PAYLOAD_TOO_LARGE);
    struct bytes expect = http_request_header(request, "expect");
    parse->expects_continue =
        expect.len == 12 && strncasecmp((const char *)expect.at, "100-continue", 12) == 0;
    return 0;
}

static int on_body(struct http_parser *parser, const char *at, size_t len) {
    struct http_parse *parse = parse_of(parser);
    if (len > parse->body_max - parse->body.len)
        return refuse(parse, HTTP_STATUS_PAYLOAD_TOO_LARGE);
    if (parse->budget && !http_budget_hold(parse->budget, &parse->held, parse->body.len + len))
        return refuse(parse, HTTP_STATUS_SERVICE_UNAVAILABLE);
    byte_buffer_append(&parse->body, bytes_make(at, len));
    parse->expects_continue = false;
    return 0;
}

static int on_complete(struct http_parser *parser) {
    struct http_parse *parse = parse_of(parser);
    parse->complete = true;
    parse->request.body = byte_buffer_bytes(&parse->body);
    http_parser_pause(parser, 1); /* a pipelined request waits for its turn */
    return 0;
}

static const struct http_parser_settings settings = {.on_message_begin = on_begin,
                                                     .on_url = on_target,
                                                     .on_header_field = on_name,
                                                     .on_header_value = on_value,
                                                     .on_headers_complete = on_head,
                                                     .on_body = on_body,
                                                     .on_message_complete = on_complete};

struct http_parse *http_parse_new(size_t body_max, struct http_budget *budget) {
    struct http_parse *parse = new_zero(struct http_parse);
    parse->body_max = body_max;
    parse->budget = budget;
    http_parse_reset(parse);
    return parse;
}

void http_parse_free(struct http_parse *parse) {
    if (parse->budget) http_budget_drop(parse->budget, &parse->held);
    byte_buffer_deinit(&parse->head);
    byte_buffer_deinit(&parse->body);
    free(parse);
}

void http_parse_reset(struct http_parse *parse) {
    if (parse->body.capacity > HTTP_SMALL_BYTES) byte_buffer_deinit(&parse->body);
    if (parse->budget) http_budget_drop(parse->budget, &parse->held);
    parse->head.len = parse->body.len = parse->count = 0;
    parse->target = (struct span){0, 0};
    parse->in_value = parse->begun = parse->head_done = parse->complete = false;
    parse->expects_continue = false;
    parse->status = 0;
    http_parser_init(&parse->parser, HTTP_REQUEST);
    parse->parser.data = parse;
}

enum http_parse_result http_parse_feed(struct http_parse *parse, struct bytes *from) {
    check(!parse->complete);
    if (from->len == 0) return HTTP_PARSE_MORE;
    size_t used = http_parser_execute(&parse->parser, &settings, (const char *)from->at, from->len);
    enum http_errno problem = HTTP_PARSER_ERRNO(&parse->parser);
    *from = bytes_make(from->at + used, from->len - used);
    if (parse->complete) return HTTP_PARSE_COMPLETE;
    if (problem == HPE_OK) return HTTP_PARSE_MORE;
    if (parse->status == 0) {
        parse->status = problem == HPE_INVALID_VERSION ? HTTP_STATUS_HTTP_VERSION_NOT_SUPPORTED
                                                       : HTTP_STATUS_BAD_REQUEST;
    }
    return HTTP_PARSE_BROKEN;
}

const struct http_request *http_parse_request(const struct http_parse *parse) {
    check(parse->complete);
    return &parse->request;
}

int http_parse_status(const struct http_parse *parse) { return parse->status; }

bool http_parse_expects_continue(struct http_parse *parse) {
    bool expects = parse->head_done && !parse->complete && parse->expects_continue;
    if (expects) parse->expects_continue = false;
    return expects;
}

bool http_parse_has_begun(const struct http_parse *parse) { return parse->begun; }

static bool name_is(struct bytes name, const char *wanted) {
    return name.len == strlen(wanted) && strncasecmp((const char *)name.at, wanted, name.len) == 0;
}

struct bytes http_request_header(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->header_count; i++) {
        if (name_is(request->headers[i].name, name)) return request->headers[i].value;
    }
    return BYTES_NULL;
}

size_t http_request_header_count(const struct http_request *request, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        count += name_is(request->headers[i].name, name);
    }
    return count;
}
