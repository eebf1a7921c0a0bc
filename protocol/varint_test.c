#include "protocol/varint.h"

#include <criterion/criterion.h>

#include "base/random.h"

Test(varint, known_encodings) {
    uint8_t at[VARINT_64_MAX];
    cr_assert_eq(varint_put_u32(at, 300), 2);
    cr_assert(at[0] == 0xac && at[1] == 0x02);
    cr_assert_eq(varint_put_i32(at, -1), 1);
    cr_assert_eq(at[0], 1);
    cr_assert_eq(varint_put_i32(at, 1), 1);
    cr_assert_eq(at[0], 2);
    cr_assert_eq(varint_put_i32(at, INT32_MIN), 5);
    cr_assert_eq(varint_put_i64(at, INT64_MIN), 10);
    cr_assert_eq(at[9], 1);
}

Test(varint, any_value_comes_back) {
    struct random random;
    random_init(&random, 3);
    for (int round = 0; round < 20000; round++) {
        uint64_t value = random_next(&random) >> random_below(&random, 64);
        uint8_t at[VARINT_64_MAX + 1] = {0};
        uint64_t unsigned_64;
        int64_t signed_64;
        uint32_t unsigned_32;
        int32_t signed_32;
        struct bytes rest = bytes_make(at, varint_put_u64(at, value));
        cr_assert_eq(rest.len, varint_size_u64(value));
        cr_assert(varint_take_u64(&rest, &unsigned_64) && unsigned_64 == value && !rest.len);
        rest = bytes_make(at, varint_put_i64(at, (int64_t)value));
        cr_assert_eq(rest.len, varint_size_i64((int64_t)value));
        cr_assert(varint_take_i64(&rest, &signed_64) && signed_64 == (int64_t)value && !rest.len);
        rest = bytes_make(at, varint_put_u32(at, (uint32_t)value));
        cr_assert(varint_take_u32(&rest, &unsigned_32) && unsigned_32 == (uint32_t)value);
        rest = bytes_make(at, varint_put_i32(at, (int32_t)value));
        cr_assert(varint_take_i32(&rest, &signed_32) && signed_32 == (int32_t)value && !rest.len);
    }
}

static bool refuses_32(struct bytes from) {
    uint32_t value;
    struct bytes before = from;
    return !varint_take_u32(&from, &value) && from.at == before.at && from.len == before.len;
}

static bool refuses_64(struct bytes from) {
    uint64_t value;
    struct bytes before = from;
    return !varint_take_u64(&from, &value) && from.at == before.at && from.len == before.len;
}

Test(varint, refuses_what_ends_early_or_does_not_fit) {
    cr_assert(refuses_32(BYTES_NULL));
    cr_assert(refuses_32(BYTES_OF("\x80")));
    cr_assert(refuses_32(BYTES_OF("\xff\xff\xff\xff")));
    cr_assert(refuses_32(BYTES_OF("\xff\xff\xff\xff\x1f")), "33 bits");
    cr_assert(refuses_32(BYTES_OF("\x80\x80\x80\x80\x80\x00")), "six bytes");
    cr_assert(refuses_64(BYTES_OF("\xff\xff\xff\xff\xff\xff\xff\xff\xff")));
    cr_assert(refuses_64(BYTES_OF("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")), "65 bits");
    cr_assert(refuses_64(BYTES_OF("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00")), "11 bytes");
}

Test(varint, takes_only_its_own_bytes) {
    struct bytes rest = BYTES_OF("\xac\x02zz");
    uint32_t value;
    cr_assert(varint_take_u32(&rest, &value) && value == 300);
    cr_assert(bytes_equal_text(rest, "zz"));
}
