#include "cli/start_offset.h"

#include <criterion/criterion.h>

enum { NOW_MS = 100000000 };

static void assert_start(const char *text, enum start_kind kind, int64_t value) {
    struct start_offset start;
    struct error error = {0};
    cr_assert(start_offset_parse("--offset", text, NOW_MS, &start, &error), "%s", error.text);
    cr_assert_eq(start.kind, kind, "%s", text);
    cr_assert_eq(start.value, value, "%s: %lld", text, (long long)start.value);
}

Test(start_offset, forms) {
    assert_start("earliest", START_EARLIEST, 0);
    assert_start("end", START_LATEST, 0);
    assert_start("0", START_AT, 0);
    assert_start("17", START_AT, 17);
    assert_start("-5", START_LAST, 5);
    assert_start("@1700000000000", START_TIME, 1700000000000);
    assert_start("@-1h", START_TIME, NOW_MS - 3600000);
    assert_start("@2024-01-31T12:00:00Z", START_TIME, 1706702400000);
    assert_start("@2024-01-31T12:00:00", START_TIME, 1706702400000);
}

Test(start_offset, wrong_ones) {
    static const char *const wrong[] = {"",
                                        "soon",
                                        "1x",
                                        "@",
                                        "@soon",
                                        "@2024-01-31",
                                        "@-99999d",
                                        "@2024-01-31T12:00:00+01:00",
                                        "-9223372036854775808"};
    struct start_offset start;
    struct error error;
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++)
        cr_assert_not(start_offset_parse("--offset", wrong[at], NOW_MS, &start, &error), "%s",
                      wrong[at]);
}
