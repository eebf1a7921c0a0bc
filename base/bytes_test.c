#include "base/bytes.h"

#include <criterion/criterion.h>

Test(bytes, null_is_not_empty_but_equals_it) {
    cr_assert(bytes_is_null(BYTES_NULL));
    cr_assert_not(bytes_is_null(BYTES_OF("")));
    cr_assert(bytes_equal(BYTES_NULL, BYTES_OF("")));
    cr_assert(bytes_is_null(bytes_of_text(NULL)));
}

Test(bytes, comparison_is_that_of_memcmp_then_length) {
    cr_assert_lt(bytes_compare(BYTES_OF("a"), BYTES_OF("b")), 0);
    cr_assert_gt(bytes_compare(BYTES_OF("\xff"), BYTES_OF("a")), 0);
    cr_assert_lt(bytes_compare(BYTES_OF("a"), BYTES_OF("ab")), 0);
    cr_assert_gt(bytes_compare(BYTES_OF("ab"), BYTES_NULL), 0);
    cr_assert_eq(bytes_compare(BYTES_OF("ab"), bytes_of_text("ab")), 0);
    cr_assert(bytes_equal_text(BYTES_OF("ab"), "ab"));
    cr_assert_not(bytes_equal_text(BYTES_OF("ab"), "abc"));
}

Test(bytes, prefixes) {
    cr_assert(bytes_starts_with(BYTES_OF("__consumer_offsets"), BYTES_OF("__")));
    cr_assert(bytes_starts_with(BYTES_OF("a"), BYTES_NULL));
    cr_assert_not(bytes_starts_with(BYTES_OF("_"), BYTES_OF("__")));
}

Test(bytes, integers_are_big_endian) {
    static const uint8_t raw[] = {0x81, 2, 3, 4, 5, 6, 7, 0x88};
    cr_assert_eq(load_u16(raw), 0x8102);
    cr_assert_eq(load_u32(raw), 0x81020304);
    cr_assert_eq(load_u64(raw), 0x8102030405060788);
    cr_assert_eq(load_i16(raw), (int16_t)0x8102);
    cr_assert_lt(load_i32(raw), 0);
    cr_assert_lt(load_i64(raw), 0);
}

Test(bytes, stores_are_read_back) {
    uint8_t raw[9] = {0};
    store_i16(raw + 1, -2);
    cr_assert_eq(load_i16(raw + 1), -2);
    store_i32(raw + 1, INT32_MIN);
    cr_assert_eq(load_i32(raw + 1), INT32_MIN);
    store_i64(raw + 1, -3);
    cr_assert_eq(load_i64(raw + 1), -3);
    cr_assert_eq(raw[0], 0);
    store_u32(raw, 0x01020304);
    cr_assert_arr_eq(raw, "\1\2\3\4", 4);
}

Test(bytes, rounding_to_powers_of_two) {
    cr_assert_eq(round_up(0, 4096), 0);
    cr_assert_eq(round_up(1, 4096), 4096);
    cr_assert_eq(round_up(4096, 4096), 4096);
    cr_assert_eq(round_down(8191, 4096), 4096);
}
