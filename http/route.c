#include "http/service.h"

/* Takes the next segment off a pattern; false at its end. */
static bool pattern_next(const char **pattern, struct bytes *segment) {
    while (**pattern == '/') (*pattern)++;
    size_t len = strcspn(*pattern, "/");
    *segment = bytes_make(*pattern, len);
    *pattern += len;
    return len > 0;
}

static bool route_matches(const struct http_route *route, struct http_exchange *exchange,
                          const struct bytes *segments, size_t count) {
    const char *pattern = route->pattern;
    struct bytes wanted;
    size_t at = 0;
    exchange->part_count = 0;
    for (; pattern_next(&pattern, &wanted); at++) {
        if (at == count) return false;
        if (bytes_equal_text(wanted, "{}"))
            exchange->parts[exchange->part_count++] = segments[at];
        else if (!bytes_equal(wanted, segments[at]))
            return false;
    }
    return at == count;
}

/* Takes the service's prefix off the front; false when it is not there. */
static bool prefix_take(const struct http_service *service, struct http_exchange *exchange,
                        struct bytes *segments, size_t *count) {
    exchange->prefix = BYTES_NULL;
    if (!service->prefix || *count < 2 || !bytes_equal_text(segments[0], service->prefix))
        return false;
    exchange->prefix = segments[1];
    *count -= 2;
    memmove(segments, segments + 2, *count * sizeof *segments);
    return true;
}

static enum http_route_result find(const struct http_service *service,
                                   struct http_exchange *exchange, const struct bytes *segments,
                                   size_t count, const struct http_route **route) {
    bool other_verb = false;
    enum http_verb verb = exchange->request->verb == VERB_HEAD ? VERB_GET : exchange->request->verb;
    for (size_t i = 0; i < service->route_count; i++) {
        *route = &service->routes[i];
        if (!route_matches(*route, exchange, segments, count)) continue;
        if ((*route)->verb == verb) return HTTP_ROUTE_FOUND;
        other_verb = true;
    }
    return other_verb ? HTTP_ROUTE_OTHER_VERB : HTTP_ROUTE_UNKNOWN;
}

enum http_route_result http_route_find(const struct http_service *service,
                                       struct http_exchange *exchange,
                                       const struct http_route **route) {
    struct bytes segments[URI_SEGMENTS_MAX];
    size_t count;
    exchange->prefix = BYTES_NULL;
    if (!uri_split(&exchange->arena, exchange->request->path, segments, &count))
        return HTTP_ROUTE_UNKNOWN;
    enum http_route_result result = find(service, exchange, segments, count, route);
    if (result == HTTP_ROUTE_UNKNOWN && prefix_take(service, exchange, segments, &count))
        result = find(service, exchange, segments, count, route);
    return result;
}
