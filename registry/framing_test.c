#include "registry/framing.h"

#include <criterion/criterion.h>

#include "base/memory.h"

Test(framing, prefix) {
    static const struct {
        struct bytes value;
        const char *problem; /* a part of it; NULL: well framed */
        uint32_t id;
        int32_t path[3];
        size_t length, payload;
    } rows[] = {
        {BYTES_OF("\x00\x00\x00\x00\x2a\x00"
                  "abc"),
         NULL,
         42,
         {0},
         1,
         3},
        {BYTES_OF("\x00\x00\x00\x00\x2a\x00"), NULL, 42, {0}, 1, 0},
        {BYTES_OF("\x00\xff\xff\xff\xff\x02\x02"
                  "a"),
         NULL,
         UINT32_MAX,
         {1},
         1,
         1},
        {BYTES_OF("\x00\x00\x00\x00\x01\x04\x02\x00"), NULL, 1, {1, 0}, 2, 0},
        {BYTES_OF(""), "empty", 0, {0}, 0, 0},
        {BYTES_OF("hi"), "neither 0", 0, {0}, 0, 0},
        {BYTES_OF("\x02\x00\x00\x00\x01\x00"), "neither 0", 0, {0}, 0, 0},
        {BYTES_OF("\x00\x00\x00\x01"), "inside the schema id", 0, {0}, 0, 0},
        {BYTES_OF("\x01\x00\x00\x00\x00\x00"), "inside the schema id", 0, {0}, 0, 0},
        {BYTES_OF("\x00\x00\x00\x00\x01"), "no message indexes", 0, {0}, 0, 0},
        {BYTES_OF("\x00\x00\x00\x00\x01\x01\x01"), "negative count", 0, {0}, 0, 0},
        {BYTES_OF("\x00\x00\x00\x00\x01\x02\x01"), "negative message index", 0, {0}, 0, 0},
        {BYTES_OF("\x00\x00\x00\x00\x01\x04\x02"), "inside the message indexes", 0, {0}, 0, 0},
        {BYTES_OF("\x00\x00\x00\x00\x01\x42\x02"), "too many", 0, {0}, 0, 0},
        {BYTES_OF("\x00\x00\x00\x00\x01\x80\x80\x80\x80\x80\x00"), "no message", 0, {0}, 0, 0},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        struct framed framed;
        const char *problem = NULL;
        bool done = framing_read_prefix(rows[i].value, &framed, &problem);
        cr_assert_eq(done, rows[i].problem == NULL, "row %zu: %s", i, problem);
        if (!done) {
            cr_expect(strstr(problem, rows[i].problem), "row %zu: %s", i, problem);
            continue;
        }
        cr_expect_eq(framed.form, FRAMING_ID);
        cr_expect_eq(framed.id, rows[i].id, "row %zu", i);
        cr_expect_eq(framed.path_length, rows[i].length, "row %zu", i);
        cr_expect_eq(memcmp(framed.path, rows[i].path, rows[i].length * sizeof(int32_t)), 0);
        cr_expect_eq(framed.payload.len, rows[i].payload, "row %zu", i);
    }
}

Test(framing, guid) {
    struct framed framed;
    const char *problem;
    struct bytes value = BYTES_OF(
        "\x01"
        "0123456789abcdef"
        "\x00payload");
    cr_assert(framing_read_prefix(value, &framed, &problem));
    cr_expect_eq(framed.form, FRAMING_GUID);
    cr_expect_eq(memcmp(framed.guid, "0123456789abcdef", 16), 0);
    cr_expect(bytes_equal_text(framed.payload, "payload"));
}

Test(framing, the_last_header_of_a_name_counts) {
    struct bytes headers = BYTES_OF(
        "\x02"
        "a\x02"
        "1\x02"
        "b\x02"
        "2\x02"
        "a\x02"
        "3");
    cr_expect(bytes_equal_text(framing_find_header(headers, "a"), "3"));
    cr_expect(bytes_equal_text(framing_find_header(headers, "b"), "2"));
    cr_expect(bytes_is_null(framing_find_header(headers, "c")));
}
