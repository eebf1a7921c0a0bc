#include "base/utf8.h"

#include <criterion/criterion.h>

#include "base/memory.h"

Test(utf8, valid_length_is_that_of_whole_characters) {
    static const struct {
        struct bytes text;
        size_t valid;
    } rows[] = {
        {BYTES_OF(""), 0},
        {BYTES_OF("plain text of more than eight bytes"), 35},
        {BYTES_OF("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 9},
        {BYTES_OF("0123456\xc3\xa4"), 9},
        {BYTES_OF("01234567\xff"), 8},
        {BYTES_OF("a\xc3"), 1},
        {BYTES_OF("\xe2\x82"), 0},
        {BYTES_OF("\xc0\x80"), 0},         /* overlong */
        {BYTES_OF("\xe0\x9f\xbf"), 0},     /* overlong */
        {BYTES_OF("\xf0\x8f\xbf\xbf"), 0}, /* overlong */
        {BYTES_OF("\xed\xa0\x80"), 0},     /* a surrogate */
        {BYTES_OF("\xf4\x90\x80\x80"), 0}, /* past U+10FFFF */
        {BYTES_OF("ab\x80"), 2},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        cr_expect_eq(utf8_valid_length(rows[i].text), rows[i].valid, "row %zu", i);
    }
}
