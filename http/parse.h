/* HTTP/1.1 requests from a stream of bytes (RFC 9112), by libhttp-parser, which is strict about
 * what request smuggling lives on: Content-Length beside chunked, doubled lengths, bare line feeds.
 * The head and the body are collected here within limits; memory grows with what has arrived, never
 * with what was announced. */
#pragma once

#include "base/byte_buffer.h"
#include "http/budget.h"

enum {
    HTTP_HEAD_MAX = 16 << 10, /* target and headers */
    HTTP_HEADERS_MAX = 64,
    HTTP_BODY_MAX = 16 << 20
};

enum http_verb { VERB_GET, VERB_HEAD, VERB_POST, VERB_PUT, VERB_DELETE, VERB_OPTIONS, VERB_OTHER };

struct http_header {
    struct bytes name, value;
};

/* Slices into the parse, valid until it is reset. */
struct http_request {
    enum http_verb verb;
    struct bytes target, path, query; /* raw; query without '?', null when there is none */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct bytes body;
    bool keep_alive;
    bool version_1_1;
};

/* The value of the only or first header of that name, in any case of letters; null when there is
 * none. */
struct bytes http_request_header(const struct http_request *request, const char *name);
/* How many headers have that name. */
size_t http_request_header_count(const struct http_request *request, const char *name);

enum http_parse_result {
    HTTP_PARSE_MORE,     /* all was consumed, the request goes on */
    HTTP_PARSE_COMPLETE, /* one request is whole; bytes behind it were not consumed */
    HTTP_PARSE_BROKEN    /* answer `status` and close */
};

struct http_parse;

/* Bodies draw on the budget, which outlives the parse; NULL: they do not. */
struct http_parse *http_parse_new(size_t body_max, struct http_budget *budget);
void http_parse_free(struct http_parse *parse);
/* Before each further request. Gives the memory of a large body back. */
void http_parse_reset(struct http_parse *parse);
/* Consumes from the front of `from`. */
enum http_parse_result http_parse_feed(struct http_parse *parse, struct bytes *from);
/* Of a complete request. */
const struct http_request *http_parse_request(const struct http_parse *parse);
/* Of a broken one: 400, 413, 431, 501, 503 or 505. */
int http_parse_status(const struct http_parse *parse);
/* The head is whole and asks for "100 Continue" before the body comes; true once per request. */
bool http_parse_expects_continue(struct http_parse *parse);
/* Whether any byte of the current request has come. */
bool http_parse_has_begun(const struct http_parse *parse);
