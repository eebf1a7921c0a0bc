#include "base/base64.h"

#include <criterion/criterion.h>

static const struct {
    const char *plain, *encoded;
} rows[] = {{"", ""},
            {"f", "Zg=="},
            {"fo", "Zm8="},
            {"foo", "Zm9v"},
            {"foob", "Zm9vYg=="},
            {"fooba", "Zm9vYmE="},
            {"foobar", "Zm9vYmFy"}};

Test(base64, as_the_rfc_says) {
    for (size_t i = 0; i < array_count(rows); i++) {
        struct text text = {0};
        struct byte_buffer back = {0};
        base64_encode(bytes_of_text(rows[i].plain), &text);
        cr_expect(bytes_equal_text(text_bytes(&text), rows[i].encoded), "row %zu", i);
        cr_expect(base64_decode(text_bytes(&text), &back));
        cr_expect(bytes_equal_text(byte_buffer_bytes(&back), rows[i].plain), "row %zu", i);
        text_deinit(&text);
        byte_buffer_deinit(&back);
    }
}

Test(base64, any_bytes_of_any_length) {
    uint8_t bytes[2000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 167 + i / 256);
    for (size_t len = 1900; len <= sizeof bytes; len++) {
        struct text text = {0};
        struct byte_buffer back = {0};
        base64_encode(bytes_make(bytes, len), &text);
        cr_assert(base64_decode(text_bytes(&text), &back));
        cr_expect(bytes_equal(byte_buffer_bytes(&back), bytes_make(bytes, len)), "%zu", len);
        text_deinit(&text);
        byte_buffer_deinit(&back);
    }
}

Test(base64, what_is_none) {
    static const char *const broken[] = {"Z",     "Zm9v!", "Zg==Zg==", "Zg=a",
                                         "Zm9=v", "Z===",  "Zg==="};
    struct byte_buffer out = {0};
    for (size_t i = 0; i < array_count(broken); i++)
        cr_expect_not(base64_decode(bytes_of_text(broken[i]), &out), "%s", broken[i]);
    cr_expect(base64_decode(BYTES_OF("Zm9v\nYg\n"), &out), "lines, no padding");
    byte_buffer_deinit(&out);
}
