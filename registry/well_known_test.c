#include "registry/well_known.h"

#include <criterion/criterion.h>

#include "base/memory.h"

/* `again` NULL: it comes back as it went. */
struct row {
    const char *text;
    int64_t seconds;
    int32_t nanos;
    const char *again;
};

static void rows_check(const struct row *rows, size_t count,
                       bool (*parse)(struct bytes, int64_t *, int32_t *),
                       bool (*print)(int64_t, int32_t, struct text *)) {
    for (size_t i = 0; i < count; i++) {
        int64_t seconds = 0;
        int32_t nanos = 0;
        struct text text = {0};
        cr_expect(parse(bytes_of_text(rows[i].text), &seconds, &nanos), "%s", rows[i].text);
        cr_expect_eq(seconds, rows[i].seconds, "%s: %lld", rows[i].text, (long long)seconds);
        cr_expect_eq(nanos, rows[i].nanos, "%s: %d", rows[i].text, nanos);
        cr_expect(print(seconds, nanos, &text));
        cr_expect_str_eq(text.at, rows[i].again ? rows[i].again : rows[i].text);
        text_deinit(&text);
    }
}

Test(well_known, timestamps) {
    static const struct row rows[] = {
        {"1970-01-01T00:00:00Z", 0, 0, NULL},
        {"0001-01-01T00:00:00Z", -62135596800, 0, NULL},
        {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999, NULL},
        {"2024-02-29T12:30:15.100Z", 1709209815, 100000000, NULL},
        {"2024-02-29T12:30:15.000100Z", 1709209815, 100000, NULL},
        {"1969-12-31T23:59:59.5Z", -1, 500000000, "1969-12-31T23:59:59.500Z"},
        {"2024-02-29T14:30:15+02:00", 1709209815, 0, "2024-02-29T12:30:15Z"},
        {"2024-02-29T11:00:15-01:30", 1709209815, 0, "2024-02-29T12:30:15Z"},
    };
    static const char *const wrong[] = {
        "",
        "2024-02-30T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-00-01T00:00:00Z",
        "2024-02-29T24:00:00Z",
        "2024-02-29T00:60:00Z",
        "2024-02-29T00:00:60Z",
        "2024-02-29T00:00:00",
        "2024-02-29t00:00:00Z",
        "2024-02-29T00:00:00.Z",
        "2024-02-29T00:00:00.1234567890Z",
        "2024-02-29T00:00:00Z ",
        " 2024-02-29T00:00:00Z",
        "2024-2-29T00:00:00Z",
        "02024-02-29T00:00:00Z",
        "2024-02-29T00:00:00+1:00",
        "2024-02-29T00:00:00+24:00",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    int64_t seconds;
    int32_t nanos;
    struct text text = {0};
    rows_check(rows, array_count(rows), well_known_timestamp_parse, well_known_timestamp_print);
    for (size_t i = 0; i < array_count(wrong); i++)
        cr_expect_not(well_known_timestamp_parse(bytes_of_text(wrong[i]), &seconds, &nanos), "%s",
                      wrong[i]);
    cr_expect_not(well_known_timestamp_print(253402300800, 0, &text));
    cr_expect_not(well_known_timestamp_print(INT64_MIN, 0, &text));
    cr_expect_not(well_known_timestamp_print(0, 1000000000, &text));
    cr_expect_not(well_known_timestamp_print(0, -1, &text));
    text_deinit(&text);
}

Test(well_known, durations) {
    static const struct row rows[] = {
        {"0s", 0, 0, NULL},
        {"1s", 1, 0, NULL},
        {"-1.500s", -1, -500000000, NULL},
        {"-0.5s", 0, -500000000, "-0.500s"},
        {"3.000000001s", 3, 1, NULL},
        {"315576000000s", 315576000000, 0, NULL},
    };
    static const char *const wrong[] = {
        "", "s", "1", "1.s", ".5s", "+1s", "1 s", "--1s", "1.0000000001s", "315576000001s", "1S"};
    int64_t seconds;
    int32_t nanos;
    struct text text = {0};
    rows_check(rows, array_count(rows), well_known_duration_parse, well_known_duration_print);
    for (size_t i = 0; i < array_count(wrong); i++)
        cr_expect_not(well_known_duration_parse(bytes_of_text(wrong[i]), &seconds, &nanos), "%s",
                      wrong[i]);
    cr_expect_not(well_known_duration_print(1, -1, &text));
    cr_expect_not(well_known_duration_print(-1, 1, &text));
    cr_expect_not(well_known_duration_print(INT64_MIN, 0, &text));
    cr_expect_not(well_known_duration_print(0, 1000000000, &text));
    text_deinit(&text);
}

Test(well_known, masks) {
    static const char *const rows[][2] = {
        {"id", "id"}, {"order.item_qty", "order.itemQty"}, {"a_b_c", "aBC"}};
    static const char *const wrong[] = {"", "A", "a_", "a__b", "a_1", "a,b"};
    for (size_t i = 0; i < array_count(rows); i++) {
        struct text there = {0}, back = {0};
        cr_expect(well_known_mask_print(bytes_of_text(rows[i][0]), &there));
        cr_expect(bytes_equal_text(text_bytes(&there), rows[i][1]));
        cr_expect(well_known_mask_parse(bytes_of_text(rows[i][1]), &back));
        cr_expect(bytes_equal_text(text_bytes(&back), rows[i][0]));
        text_deinit(&there);
        text_deinit(&back);
    }
    for (size_t i = 0; i < array_count(wrong); i++) {
        struct text there = {0};
        cr_expect_not(well_known_mask_print(bytes_of_text(wrong[i]), &there), "%s", wrong[i]);
        text_deinit(&there);
    }
    struct text back = {0};
    cr_expect_not(well_known_mask_parse(BYTES_OF("a_b"), &back));
    cr_expect_not(well_known_mask_parse(BYTES_OF(""), &back));
    text_deinit(&back);
}
