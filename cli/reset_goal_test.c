#include "cli/reset_goal.h"

#include <criterion/criterion.h>

/* A log of 10 to 100, committed at 50. */
static const struct group_offset here = {.committed = 50, .first = 10, .end = 100};

static int64_t goes_to(const char *to, const char *shift, int64_t by_time) {
    struct settings settings;
    struct reset_goal goal;
    struct error error = {0};
    settings_init(&settings);
    settings.to = to;
    settings.shift = shift;
    cr_assert(reset_goal_parse(&settings, 0, &goal, &error), "%s", error.text);
    return reset_goal_offset(&goal, &here, by_time);
}

Test(reset_goal, to) {
    cr_assert_eq(goes_to("earliest", NULL, -1), 10);
    cr_assert_eq(goes_to("latest", NULL, -1), 100);
    cr_assert_eq(goes_to("77", NULL, -1), 77);
    cr_assert_eq(goes_to("-30", NULL, -1), 70);
    cr_assert_eq(goes_to("@1700000000000", NULL, 42), 42);
    cr_assert_eq(goes_to("@1700000000000", NULL, -1), 100); /* nothing is so new */
}

Test(reset_goal, shift) {
    cr_assert_eq(goes_to(NULL, "-5", -1), 45);
    cr_assert_eq(goes_to(NULL, "+5", -1), 55);
    cr_assert_eq(goes_to(NULL, "5", -1), 55);
}

Test(reset_goal, stays_within_the_log) {
    cr_assert_eq(goes_to("3", NULL, -1), 10);
    cr_assert_eq(goes_to("101", NULL, -1), 100);
    cr_assert_eq(goes_to("-91", NULL, -1), 10);
    cr_assert_eq(goes_to(NULL, "-41", -1), 10);
    cr_assert_eq(goes_to(NULL, "51", -1), 100);
    cr_assert_eq(goes_to(NULL, "9223372036854775807", -1), 100);
    cr_assert_eq(goes_to(NULL, "-9223372036854775807", -1), 10);
}

static void assert_refused(const char *to, const char *shift, const char *part) {
    struct settings settings;
    struct reset_goal goal;
    struct error error = {0};
    settings_init(&settings);
    settings.to = to;
    settings.shift = shift;
    cr_assert_not(reset_goal_parse(&settings, 0, &goal, &error));
    cr_assert_not_null(strstr(error.text, part), "%s", error.text);
}

Test(reset_goal, wrong_ones) {
    assert_refused(NULL, NULL, "give either --to");
    assert_refused("earliest", "1", "give either --to");
    assert_refused("soon", NULL, "--to: \"soon\"");
    assert_refused(NULL, "0", "--shift: \"0\"");
    assert_refused(NULL, "+-1", "--shift: \"+-1\"");
    assert_refused(NULL, "x", "--shift: \"x\"");
}
