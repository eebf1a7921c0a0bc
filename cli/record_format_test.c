#include "cli/record_format.h"

#include <criterion/criterion.h>

/* A record with two headers, as it comes off the wire. */
struct example {
    uint8_t encoded[128];
    struct record record;
    struct consumed consumed;
};

static void example_make(struct example *example, struct bytes key, struct bytes value) {
    struct record_header headers[] = {{BYTES_OF("a"), BYTES_OF("1")}, {BYTES_OF("b"), BYTES_NULL}};
    struct record record = {.key = key, .value = value, .header_count = 2};
    struct bytes rest =
        bytes_make(example->encoded, record_write(example->encoded, &record, headers));
    cr_assert_eq(record_next(&rest, &example->record), RECORD_READ);
    example->consumed = (struct consumed){.topic = BYTES_OF("t"),
                                          .partition = 3,
                                          .offset = 42,
                                          .timestamp = 1700,
                                          .record = &example->record};
}

static void assert_prints(const char *format, struct bytes key, struct bytes value,
                          struct bytes expected) {
    struct arena arena;
    struct error error = {0};
    struct text out = {0};
    struct example example;
    arena_init(&arena, 1 << 20);
    example_make(&example, key, value);
    struct record_format *parsed = record_format_parse(format, &arena, &error);
    cr_assert_not_null(parsed, "%s", error.text);
    record_format_print(parsed, &example.consumed, &out);
    cr_assert(bytes_equal(text_bytes(&out), expected), "%s: \"%s\"", format, out.at);
    text_deinit(&out);
    arena_deinit(&arena);
}

Test(record_format, letters) {
    assert_prints("%t %p %o %T|%k|%v|%s|%h|%K %V %S\\n", BYTES_OF("key"), BYTES_OF("value"),
                  BYTES_OF("t 3 42 1700|key|value|value|a=1,b=|3 5 5\n"));
    assert_prints("%K/%V", BYTES_NULL, BYTES_NULL, BYTES_OF("-1/-1"));
    assert_prints("%K/%V", BYTES_OF(""), BYTES_OF(""), BYTES_OF("0/0"));
    assert_prints("%%v", BYTES_NULL, BYTES_OF("x"), BYTES_OF("%v"));
    assert_prints("", BYTES_NULL, BYTES_OF("x"), BYTES_OF(""));
}

Test(record_format, escapes) {
    assert_prints("\\t\\r\\n\\\\\\0\\x41\\xfF", BYTES_NULL, BYTES_NULL,
                  BYTES_OF("\t\r\n\\\0\x41\xff"));
}

Test(record_format, values_are_exact) {
    assert_prints("%v", BYTES_NULL, BYTES_OF("a\0b\xff"), BYTES_OF("a\0b\xff"));
}

static void assert_refused(const char *format, const char *part) {
    struct arena arena;
    struct error error = {0};
    arena_init(&arena, 1 << 20);
    cr_assert_null(record_format_parse(format, &arena, &error), "%s", format);
    cr_assert_not_null(strstr(error.text, part), "%s", error.text);
    arena_deinit(&arena);
}

Test(record_format, wrong_ones) {
    assert_refused("%z", "\"%z\" is unknown");
    assert_refused("%", "\"% \" is unknown");
    assert_refused("\\q", "\"\\q\" is not an escape");
    assert_refused("\\", "is not an escape");
    assert_refused("\\x4", "is not an escape");
    assert_refused("\\x", "is not an escape");
}

static void assert_json(struct bytes key, struct bytes value, const char *part) {
    struct example example;
    struct text out = {0};
    example_make(&example, key, value);
    record_print_json(&example.consumed, &out);
    cr_assert_not_null(strstr(out.at, part), "%s", out.at);
    text_deinit(&out);
}

Test(record_format, json) {
    assert_json(BYTES_NULL, BYTES_OF("v\"\n"),
                "{\"topic\": \"t\", \"partition\": 3, \"offset\": 42, \"timestamp\": 1700, "
                "\"timestamp_type\": \"CreateTime\", \"key\": null, \"value\": \"v\\\"\\n\", "
                "\"headers\": [{\"name\": \"a\", \"value\": \"1\"}, "
                "{\"name\": \"b\", \"value\": null}]}\n");
    assert_json(BYTES_OF("\xff"), BYTES_OF("\xff\xfe"), "\"key_base64\": \"/w==\"");
    assert_json(BYTES_OF(""), BYTES_OF("\xff\xfe"), "\"value_base64\": \"//4=\"");
    assert_json(BYTES_OF(""), BYTES_OF("\xff\xfe\xfd"), "\"value_base64\": \"//79\"");
    assert_json(BYTES_OF(""), BYTES_OF("\xef\xbf\xbd"), "\"value\": \"\xef\xbf\xbd\"");
}

Test(record_format, decoded_values_are_json_and_problems_are_told) {
    struct text out = {0};
    struct consumed decoded = {.topic = BYTES_OF("t"),
                               .record = &(struct record){.value = BYTES_OF("\1\2")}};
    decoded.value_json = BYTES_OF("{\"a\":1}");
    record_print_json(&decoded, &out);
    cr_assert(strstr(out.at, "\"value\": {\"a\":1}, \"headers\": []}"), "%s", out.at);
    out.len = 0;
    decoded.value_json = BYTES_NULL;
    decoded.value_problem = "it is \"odd\"";
    record_print_json(&decoded, &out);
    cr_assert(strstr(out.at, "\"value_problem\": \"it is \\\"odd\\\"\", \"headers\""), "%s",
              out.at);
    text_deinit(&out);
}
