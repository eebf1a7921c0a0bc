#include "http/guard.h"

#include <strings.h>

static struct bytes without_port(struct bytes host) {
    size_t end = host.len;
    while (end > 0 && host.at[end - 1] >= '0' && host.at[end - 1] <= '9') end--;
    bool has_port = end > 0 && host.at[end - 1] == ':';
    bool is_bare_v6 = has_port && memchr(host.at, ':', end - 1) && host.at[0] != '[';
    return has_port && !is_bare_v6 ? bytes_make(host.at, end - 1) : host;
}

static bool equals(struct bytes text, const char *wanted) {
    return text.len == strlen(wanted) && strncasecmp((const char *)text.at, wanted, text.len) == 0;
}

/* 127.x.y.z: digits and dots only, so that 127.evil.example is none. */
static bool is_loopback_v4(struct bytes host) {
    if (!bytes_starts_with(host, BYTES_OF("127."))) return false;
    for (size_t i = 0; i < host.len; i++) {
        if ((host.at[i] < '0' || host.at[i] > '9') && host.at[i] != '.') return false;
    }
    return true;
}

bool http_address_is_loopback(struct bytes address) {
    if (address.len == 0) return false;
    struct bytes host = without_port(address);
    return equals(host, "localhost") || equals(host, "[::1]") || is_loopback_v4(host);
}

static bool origin_is_host(struct bytes origin, struct bytes host) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(schemes[i]);
        if (origin.len != len + host.len || memcmp(origin.at, schemes[i], len) != 0) continue;
        return strncasecmp((const char *)origin.at + len, (const char *)host.at, host.len) == 0;
    }
    return false;
}

int http_guard(const struct http_request *request, bool loopback_only) {
    size_t hosts = http_request_header_count(request, "host");
    struct bytes host = http_request_header(request, "host");
    if (hosts > 1 || (hosts == 0 && request->version_1_1)) return 400;
    if (loopback_only && hosts && !http_address_is_loopback(host)) return 403;
    if (http_request_header_count(request, "origin") == 0) return 0;
    return origin_is_host(http_request_header(request, "origin"), host) ? 0 : 403;
}
