#include "broker/announce.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"
#include "broker/registry_service.h"

void announce_json(const struct server *server, struct text *out) {
    text_printf(out, "{\"kafka\": [");
    for (size_t i = 0; i < server->listeners.count; i++) {
        if (i > 0) text_printf(out, ", ");
        text_append_json(out, bytes_of_text(server->listeners.items[i].bound));
    }
    text_printf(out, "]");
    if (server->admin) text_printf(out, ", \"admin\": \"http://%s\"", admin_bound(server->admin));
    if (server->registry)
        text_printf(out, ", \"schema_registry\": \"http://%s\"",
                    registry_service_bound(server->registry));
    text_printf(out, ", \"version\": \"%s\", \"pid\": %d}\n", MILLRACE_VERSION, (int)getpid());
}

static bool write_all(int fd, struct bytes bytes) {
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.at, bytes.len);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.at += written;
        bytes.len -= (size_t)written;
    }
    return true;
}

/* Appears whole: written beside it and renamed. */
static bool write_ready_file(const char *path, struct bytes line, struct error *error) {
    char beside[4096];
    int len = snprintf(beside, sizeof beside, "%s.%d", path, (int)getpid());
    if (len < 0 || (size_t)len >= sizeof beside)
        return error_set(error, ENAMETOOLONG, "the path of --ready-file is too long");
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write_all(fd, line) && rename(beside, path) == 0;
    int code = errno;
    if (fd >= 0) close(fd);
    if (good) return true;
    if (fd >= 0) unlink(beside);
    return error_set(error, code, "cannot write --ready-file %s: %s", path, strerror(code));
}

bool announce_ready(const struct server *server, struct error *error) {
    const struct options *options = server->options;
    struct text line = {0};
    announce_json(server, &line);
    bool good = true;
    if (options->ready_fd >= 0) {
        good = write_all((int)options->ready_fd, text_bytes(&line)) ||
               error_set(error, errno, "cannot write to --ready-fd %d: %s", (int)options->ready_fd,
                         strerror(errno));
        close((int)options->ready_fd);
    }
    if (good && options->ready_file[0])
        good = write_ready_file(options->ready_file, text_bytes(&line), error);
    text_deinit(&line);
    return good;
}

static const char *durability(const struct server *server) {
    if (!server->store_options.durable) return "none (--ephemeral): records die with the process";
    return disk_is_direct(server->directory.disk)
               ? "an acknowledged record is on disk (O_DIRECT, RWF_DSYNC)"
               : "an acknowledged record is on disk (RWF_DSYNC, through the page cache)";
}

static void announce_block(const struct server *server, const struct text *endpoints,
                           double ready_ms) {
    const char *first = server->listeners.items[0].bound;
    printf("\n  Millrace %s serves Kafka on %s\n\n", MILLRACE_VERSION, endpoints->at);
    printf("    data        %s\n", disk_root(server->directory.disk));
    printf("    durability  %s\n", durability(server));
    if (server->registry)
        printf("    registry    http://%s\n", registry_service_bound(server->registry));
    printf("    I/O         %s, %u core%s, %zu MiB memory, ready in %.1f ms\n\n",
           io_backend_name(ring_backend(server->cores[0].ring)), server->core_count,
           server->core_count > 1 ? "s" : "", server->memory_bytes >> 20, ready_ms);
    printf("  Try, in another terminal:\n\n");
    printf("    echo hello | millrace produce -b %s greetings\n", first);
    printf("    millrace consume -b %s greetings --from-beginning\n\n", first);
    fflush(stdout);
}

void announce_start(const struct server *server, uint64_t started_ns) {
    double ready_ms = (double)(clock_monotonic_ns() - started_ns) / (double)NS_PER_MS;
    struct text endpoints = {0};
    for (size_t i = 0; i < server->listeners.count; i++)
        text_printf(&endpoints, "%s%s", i ? ", " : "", server->listeners.items[i].bound);
    if (isatty(STDOUT_FILENO)) {
        announce_block(server, &endpoints, ready_ms);
    } else {
        say_info("millrace %s serves Kafka on %s; data in %s; %s; %s, %u core%s; ready in %.1f ms",
                 MILLRACE_VERSION, endpoints.at, disk_root(server->directory.disk),
                 durability(server), io_backend_name(ring_backend(server->cores[0].ring)),
                 server->core_count, server->core_count > 1 ? "s" : "", ready_ms);
        say_info("try: echo hello | millrace produce -b %s greetings",
                 server->listeners.items[0].bound);
    }
    text_deinit(&endpoints);
}
