#include "config/quantity.h"

#include <criterion/criterion.h>

static int64_t size_of(const char *text) {
    int64_t value;
    cr_assert(size_parse(text, &value), "%s", text);
    return value;
}
static int64_t duration_of(const char *text) {
    int64_t value;
    cr_assert(duration_parse(text, &value), "%s", text);
    return value;
}

Test(quantity, sizes) {
    cr_assert_eq(size_of("0"), 0);
    cr_assert_eq(size_of("1048588"), 1048588);
    cr_assert_eq(size_of("64KiB"), 65536);
    cr_assert_eq(size_of("64 kib"), 65536);
    cr_assert_eq(size_of("2TiB"), 2ll << 40);
    cr_assert_eq(size_of("-1"), -1);
}

Test(quantity, durations) {
    cr_assert_eq(duration_of("250"), 250);
    cr_assert_eq(duration_of("250ms"), 250);
    cr_assert_eq(duration_of("10m"), 600000);
    cr_assert_eq(duration_of("7d"), 604800000);
}

Test(quantity, refuses_what_is_not_one) {
    static const char *const wrong[] = {
        "", " 1", "+1", "1x", "KiB", "1.5GiB", "--1", "1  s", "0x1", "1 ", "99999999999999999999"};
    int64_t value;
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        cr_assert_not(duration_parse(wrong[at], &value), "\"%s\"", wrong[at]);
        cr_assert_not(number_parse_plain(wrong[at], &value), "\"%s\"", wrong[at]);
    }
    cr_assert_not(size_parse("9000000TiB", &value), "the product overflows");
    cr_assert_not(size_parse("1MB", &value), "ambiguous units are refused");
}

Test(quantity, doubles) {
    double value;
    cr_assert(double_parse("0.5", &value) && value == 0.5);
    cr_assert_not(double_parse("", &value));
    cr_assert_not(double_parse("nan", &value));
    cr_assert_not(double_parse("inf", &value));
    cr_assert_not(double_parse("0.5x", &value));
}

static void assert_size_prints(int64_t value, const char *expected) {
    struct text text = {0};
    size_print(value, &text);
    cr_assert_str_eq(text.at, expected);
    cr_assert_eq(size_of(text.at), value);
    text_deinit(&text);
}
static void assert_duration_prints(int64_t value, const char *expected) {
    struct text text = {0};
    duration_print(value, &text);
    cr_assert_str_eq(text.at, expected);
    cr_assert_eq(duration_of(text.at), value);
    text_deinit(&text);
}

Test(quantity, prints_what_parses_back) {
    assert_size_prints(0, "0");
    assert_size_prints(-1, "-1");
    assert_size_prints(1048588, "1048588");
    assert_size_prints(65536, "64KiB");
    assert_size_prints(1ll << 30, "1GiB");
    assert_size_prints(INT64_MAX, "9223372036854775807");
    assert_duration_prints(0, "0");
    assert_duration_prints(-1, "-1");
    assert_duration_prints(1500, "1500ms");
    assert_duration_prints(90000, "90s");
    assert_duration_prints(604800000, "7d");
    assert_duration_prints(INT64_MAX, "9223372036854775807");
}
