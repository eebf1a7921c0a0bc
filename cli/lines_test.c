#include "cli/lines.h"

#include <criterion/criterion.h>
#include <unistd.h>

struct pipe_lines {
    int read_fd, write_fd;
    struct lines lines;
};

static struct pipe_lines pipe_make(void) {
    struct pipe_lines made;
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    made.read_fd = fds[0];
    made.write_fd = fds[1];
    lines_init(&made.lines, made.read_fd);
    return made;
}

static void put(const struct pipe_lines *pipe, const char *text) {
    cr_assert_eq(write(pipe->write_fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void assert_line(struct pipe_lines *pipe, const char *expected) {
    struct bytes line;
    struct error error;
    cr_assert_eq(lines_next(&pipe->lines, &line, &error), LINE_READ);
    cr_assert(bytes_equal_text(line, expected), "%.*s", BYTES_FORMAT(line));
}

static void assert_result(struct pipe_lines *pipe, enum line_result expected) {
    struct bytes line;
    struct error error;
    cr_assert_eq(lines_next(&pipe->lines, &line, &error), expected);
}

static void pipe_end(struct pipe_lines *pipe) {
    lines_deinit(&pipe->lines);
    close(pipe->read_fd);
}

Test(lines, whole_and_last_without_newline) {
    struct pipe_lines pipe = pipe_make();
    put(&pipe, "one\n\nthree\r\nlast");
    close(pipe.write_fd);
    assert_line(&pipe, "one");
    assert_line(&pipe, "");
    assert_line(&pipe, "three\r");
    cr_assert_eq(pipe.lines.number, 3);
    assert_line(&pipe, "last");
    assert_result(&pipe, LINE_END);
    assert_result(&pipe, LINE_END);
    pipe_end(&pipe);
}

Test(lines, says_when_it_would_wait) {
    struct pipe_lines pipe = pipe_make();
    put(&pipe, "a\nb");
    assert_line(&pipe, "a");
    assert_result(&pipe, LINE_WOULD_WAIT);
    put(&pipe, "c\n");
    assert_line(&pipe, "bc");
    assert_result(&pipe, LINE_WOULD_WAIT);
    close(pipe.write_fd);
    assert_result(&pipe, LINE_END);
    pipe_end(&pipe);
}

Test(lines, longer_than_a_read) {
    struct pipe_lines pipe = pipe_make();
    char long_line[40001];
    memset(long_line, 'x', 40000);
    long_line[40000] = 0;
    put(&pipe, "a\n");
    put(&pipe, long_line);
    assert_line(&pipe, "a");
    assert_result(&pipe, LINE_WOULD_WAIT);
    for (int at = 0; at < 4; at++) {
        put(&pipe, long_line + 39990);
        cr_assert_eq(pipe.lines.number, 1);
        assert_result(&pipe, LINE_WOULD_WAIT);
    }
    put(&pipe, "\nb\n");
    struct bytes line;
    struct error error;
    cr_assert_eq(lines_next(&pipe.lines, &line, &error), LINE_READ);
    cr_assert_eq(line.len, 40040);
    assert_line(&pipe, "b");
    close(pipe.write_fd);
    pipe_end(&pipe);
}

Test(lines, errors_are_told) {
    struct lines lines;
    struct bytes line;
    struct error error = {0};
    lines_init(&lines, -1);
    lines.may_wait = true;
    cr_assert_eq(lines_next(&lines, &line, &error), LINE_FAILED);
    cr_assert_not_null(strstr(error.text, "cannot read the input"));
    lines_deinit(&lines);
}
