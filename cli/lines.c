#include "cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10 };

void lines_init(struct lines *lines, int fd) { *lines = (struct lines){.fd = fd}; }

void lines_deinit(struct lines *lines) { byte_buffer_deinit(&lines->buffer); }

static bool take_line(struct lines *lines, struct bytes *line) {
    size_t left = lines->buffer.len - lines->scanned;
    if (left == 0) return false; /* nor is there a buffer at first */
    const uint8_t *newline = memchr(lines->buffer.at + lines->scanned, '\n', left);
    lines->scanned = lines->buffer.len;
    if (!newline) return false;
    size_t end = (size_t)(newline - lines->buffer.at);
    *line = bytes_make(lines->buffer.at + lines->start, end - lines->start);
    lines->start = lines->scanned = end + 1;
    lines->number++;
    return true;
}

static enum line_result take_last(struct lines *lines, struct bytes *line) {
    if (lines->start == lines->buffer.len) return LINE_END;
    *line = bytes_make(lines->buffer.at + lines->start, lines->buffer.len - lines->start);
    lines->start = lines->buffer.len;
    lines->number++;
    return LINE_READ;
}

/* Moves the begun line to the front, so that the buffer holds one line and what came with it. */
static void compact(struct lines *lines) {
    if (!lines->start) return;
    lines->buffer.len -= lines->start;
    memmove(lines->buffer.at, lines->buffer.at + lines->start, lines->buffer.len);
    lines->scanned -= lines->start;
    lines->start = 0;
}

static bool is_readable(int fd) {
    struct pollfd poll_fd = {fd, POLLIN, 0};
    return poll(&poll_fd, 1, 0) != 0;
}

static bool read_more(struct lines *lines, struct error *error) {
    compact(lines);
    if (lines->buffer.len > LINE_BYTES_MAX)
        return error_set(error, EMSGSIZE, "line %lld has more than 128MiB",
                         (long long)lines->number + 1);
    uint8_t *at = byte_buffer_reserve(&lines->buffer, READ_BYTES);
    ssize_t got;
    do {
        got = read(lines->fd, at, READ_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return error_set(error, errno, "cannot read the input: %s", strerror(errno));
    lines->buffer.len += (size_t)got;
    lines->end = got == 0;
    return true;
}

enum line_result lines_next(struct lines *lines, struct bytes *line, struct error *error) {
    for (;;) {
        if (take_line(lines, line)) return LINE_READ;
        if (lines->end) return take_last(lines, line);
        if (!lines->may_wait && !is_readable(lines->fd)) {
            lines->may_wait = true;
            return LINE_WOULD_WAIT;
        }
        lines->may_wait = false;
        if (!read_more(lines, error)) return LINE_FAILED;
    }
}
