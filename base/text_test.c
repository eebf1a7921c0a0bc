#include "base/text.h"

#include <criterion/criterion.h>

Test(text, empty_has_bytes) {
    struct text text = {0};
    cr_assert_eq(text_bytes(&text).len, 0);
    cr_assert_not(bytes_is_null(text_bytes(&text)));
    text_deinit(&text);
}

Test(text, grows_and_stays_terminated) {
    struct text text = {0};
    for (int at = 0; at < 1000; at++) {
        text_append(&text, BYTES_OF("ab"));
        text_printf(&text, "%03d", at);
    }
    cr_assert_eq(text.len, 5000);
    cr_assert_eq(strlen(text.at), 5000);
    cr_assert_str_eq(text.at + 4995, "ab999");
    text_deinit(&text);
    cr_assert_null(text.at);
}

Test(text, appending_nothing_terminates) {
    struct text text = {0};
    text_append(&text, BYTES_NULL);
    cr_assert_str_eq(text.at, "");
    text_deinit(&text);
}

static void assert_json(struct bytes value, const char *expected) {
    struct text text = {0};
    text_append_json(&text, value);
    cr_assert_str_eq(text.at, expected);
    text_deinit(&text);
}

Test(text, json_escapes) {
    assert_json(BYTES_OF(""), "\"\"");
    assert_json(BYTES_OF("plain"), "\"plain\"");
    assert_json(BYTES_OF("a\"b\\c\n\t\r\b\f"), "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\"");
    assert_json(BYTES_OF("\0\x1f\x7f"), "\"\\u0000\\u001f\\u007f\"");
}

Test(text, json_keeps_utf8) { assert_json(BYTES_OF("é→𝄞"), "\"é→𝄞\""); }

#define BAD "\xef\xbf\xbd"
Test(text, json_replaces_what_is_not_utf8) {
    assert_json(BYTES_OF("a\xff"), "\"a" BAD "\"");
    assert_json(BYTES_OF("\xc3"), "\"" BAD "\"");                         /* cut off */
    assert_json(BYTES_OF("\xc0\xaf"), "\"" BAD BAD "\"");                 /* overlong */
    assert_json(BYTES_OF("\xe0\x80\x80"), "\"" BAD BAD BAD "\"");         /* overlong */
    assert_json(BYTES_OF("\xed\xa0\x80"), "\"" BAD BAD BAD "\"");         /* surrogate */
    assert_json(BYTES_OF("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\""); /* above U+10FFFF */
    assert_json(BYTES_OF("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\"");
}
