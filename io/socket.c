#include "io/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/memory.h"

enum { LISTEN_BACKLOG = 4096, KEEP_IDLE_S = 15, KEEP_INTERVAL_S = 5, KEEP_COUNT = 3 };

bool address_split(const char *address, char *host, size_t host_size, const char **port) {
    const char *colon = strrchr(address, ':');
    if (!colon || !colon[1]) return false;
    size_t len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    } else if (memchr(address, ':', len)) {
        return false; /* an IPv6 address without brackets */
    }
    if (len >= host_size) return false;
    memcpy(host, address, len);
    host[len] = '\0';
    *port = colon + 1;
    return true;
}

bool socket_format(const struct sockaddr *address, char *text, size_t size) {
    char host[INET6_ADDRSTRLEN];
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        if (!inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host)) return false;
        snprintf(text, size, "%s:%u", host, ntohs(v4->sin_port));
        return true;
    }
    if (address->sa_family != AF_INET6) return false;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    bool is_v4 = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
    const void *raw = is_v4 ? &v6->sin6_addr.s6_addr[12] : &v6->sin6_addr.s6_addr[0];
    if (!inet_ntop(is_v4 ? AF_INET : AF_INET6, raw, host, sizeof host)) return false;
    snprintf(text, size, is_v4 ? "%s:%u" : "[%s]:%u", host, ntohs(v6->sin6_port));
    return true;
}

bool socket_address(int fd, bool of_peer, char *text, size_t size) {
    struct sockaddr_storage storage;
    struct sockaddr *address = (struct sockaddr *)&storage;
    socklen_t len = sizeof storage;
    int failed = of_peer ? getpeername(fd, address, &len) : getsockname(fd, address, &len);
    return failed == 0 && socket_format(address, text, size);
}

/* An accepted socket inherits these from its listener: nothing is left to do per connection. */
static void socket_set_options(int fd) {
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT},
    };
    for (size_t at = 0; at < array_count(options); at++)
        setsockopt(fd, options[at].level, options[at].name, &options[at].value, sizeof(int));
}

static int socket_listen_on(const struct addrinfo *choice) {
    int fd = socket(choice->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    socket_set_options(fd);
    if (bind(fd, choice->ai_addr, choice->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    int failed = -errno;
    close(fd);
    return failed;
}

int socket_listen(const char *address, char *bound, size_t bound_size, struct error *error) {
    char host[256];
    const char *port;
    if (!address_split(address, host, sizeof host, &port)) {
        error_set(error, EINVAL, "cannot listen on \"%s\": write it as HOST:PORT", address);
        return -1;
    }
    struct addrinfo *choices = NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    bool any = !host[0] || strcmp(host, "*") == 0;
    int unknown = getaddrinfo(any ? NULL : host, port, &hints, &choices);
    if (unknown) {
        error_set(error, EINVAL, "cannot listen on %s: %s", address, gai_strerror(unknown));
        return -1;
    }
    int fd = -EADDRNOTAVAIL;
    for (struct addrinfo *choice = choices; choice && fd < 0; choice = choice->ai_next)
        fd = socket_listen_on(choice);
    freeaddrinfo(choices);
    if (fd < 0) {
        error_set(error, -fd, "cannot listen on %s: %s%s", address, strerror(-fd),
                  fd == -EADDRINUSE ? " (does another server run there?)" : "");
        return -1;
    }
    socket_address(fd, false, bound, bound_size);
    return fd;
}
