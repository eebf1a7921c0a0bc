/* A stream of HTTP requests in pieces (the first byte says how large), with what is done to each
 * before a handler sees it. */
#include "base/check.h"
#include "http/guard.h"
#include "http/uri.h"

enum { BODY_MAX = 4096, MEMORY_LIMIT = 1 << 20 };

static void request_use(const struct http_request *request) {
    struct bytes segments[URI_SEGMENTS_MAX], value;
    struct arena arena;
    size_t count;
    arena_init(&arena, MEMORY_LIMIT);
    check(request->header_count <= HTTP_HEADERS_MAX && request->body.len <= BODY_MAX);
    check(request->target.len <= HTTP_HEAD_MAX);
    if (uri_split(&arena, request->path, segments, &count)) check(count <= URI_SEGMENTS_MAX);
    uri_parameter(&arena, request->query, "normalize", 0, &value);
    http_guard(request, true);
    http_guard(request, false);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    size_t step = (size_t)data[0] + 1;
    struct bytes rest = bytes_make(data + 1, size - 1);
    struct http_parse *parse = http_parse_new(BODY_MAX, NULL);
    enum http_parse_result result = HTTP_PARSE_MORE;
    while (rest.len && result != HTTP_PARSE_BROKEN) {
        struct bytes piece = bytes_make(rest.at, rest.len < step ? rest.len : step);
        size_t before = piece.len;
        result = http_parse_feed(parse, &piece);
        check(piece.len <= before);
        rest = bytes_make(rest.at + (before - piece.len), rest.len - (before - piece.len));
        http_parse_expects_continue(parse);
        if (result != HTTP_PARSE_COMPLETE) continue;
        request_use(http_parse_request(parse));
        http_parse_reset(parse);
    }
    check(result != HTTP_PARSE_BROKEN || http_parse_status(parse) >= 400);
    http_parse_free(parse);
    return 0;
}
