#include "base/say.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static char written[8192];

/* Runs say_line with stderr going into a pipe; `written` holds what came out. */
static size_t say_capture(enum say_level level, const char *value) {
    int ends[2], kept = dup(STDERR_FILENO);
    cr_assert_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    say_line(level, "value %s", value);
    dup2(kept, STDERR_FILENO);
    close(ends[1]);
    close(kept);
    ssize_t len = read(ends[0], written, sizeof written - 1);
    close(ends[0]);
    cr_assert_geq(len, 0);
    written[len] = 0;
    return (size_t)len;
}

Test(say, a_plain_line_has_time_level_and_text) {
    say_configure(SAY_INFO, SAY_PLAIN);
    size_t len = say_capture(SAY_WARNING, "x");
    cr_assert_eq(len, strlen("2025-01-01T00:00:00.000Z warning value x\n"), "%s", written);
    cr_assert_eq(written[10], 'T');
    cr_assert_str_eq(written + 24, " warning value x\n");
}

Test(say, below_the_level_nothing_is_written) {
    say_configure(SAY_WARNING, SAY_PLAIN);
    cr_assert_eq(say_capture(SAY_INFO, "x"), 0);
    cr_assert_gt(say_capture(SAY_ERROR, "x"), 0);
}

Test(say, control_bytes_are_escaped_and_never_break_a_line) {
    say_configure(SAY_INFO, SAY_PLAIN);
    say_capture(SAY_INFO, "a\nb\x1b[31m\x7f");
    cr_assert_str_eq(written + 24, " info value a\\u000ab\\u001b[31m\\u007f\n");
}

Test(say, json_is_one_escaped_object) {
    say_configure(SAY_INFO, SAY_JSON);
    say_capture(SAY_INFO, "\"q\\\n");
    cr_assert_str_eq(strstr(written, "\"level\""),
                     "\"level\":\"info\",\"message\":\"value \\\"q\\\\\\u000a\"}\n");
}

Test(say, a_long_line_is_cut_but_stays_a_line) {
    static char value[5000];
    for (int json = 0; json < 2; json++) {
        for (const char *c = "x\n\""; *c; c++) {
            memset(value, *c, sizeof value - 1);
            say_configure(SAY_INFO, json ? SAY_JSON : SAY_PLAIN);
            size_t len = say_capture(SAY_INFO, value);
            cr_assert(len > 1000 && len <= 2048, "%zu", len);
            cr_assert_eq(strchr(written, '\n'), written + len - 1);
            if (json) cr_assert_eq(memcmp(written + len - 3, "\"}\n", 3), 0);
        }
    }
}
