/* Lines of an input that may be a terminal or a pipe: says when reading on would wait, so that what
 * was read so far can be sent first. A last line without its newline counts. */
#pragma once

#include "base/byte_buffer.h"
#include "base/error.h"

enum { LINE_BYTES_MAX = 128 << 20 };

enum line_result { LINE_READ, LINE_WOULD_WAIT, LINE_END, LINE_FAILED };

struct lines {
    int fd; /* the caller's */
    struct byte_buffer buffer;
    size_t start, scanned; /* of the current line; what was looked at */
    bool end, may_wait;
    int64_t number; /* of the line returned last, from 1 */
};

void lines_init(struct lines *lines, int fd);
void lines_deinit(struct lines *lines);
/* The line, without its newline, is good until the next call. After LINE_WOULD_WAIT the next call
 * waits. */
enum line_result lines_next(struct lines *lines, struct bytes *line, struct error *error);
