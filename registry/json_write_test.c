#include "registry/json_write.h"

#include "registry/json_fixture.h"

#define PROTO3 "syntax = \"proto3\"; package shop;\n"

/* Bytes from the wire, and their JSON; NULL: the error. */
struct row {
    struct bytes payload;
    const char *json, *error;
};

static void rows_check(const char *text, const char *message, const struct row *rows,
                       size_t count) {
    struct json_fixture fixture;
    json_fixture_init(&fixture, text, message);
    for (size_t i = 0; i < count; i++) {
        text_append(&fixture.json, BYTES_OF("x"));
        bool written = json_fixture_write(&fixture, rows[i].payload);
        cr_expect_eq(written, rows[i].json != NULL, "row %zu: %s", i,
                     written ? fixture.json.at : fixture.error.text);
        if (written && rows[i].json)
            cr_expect_str_eq(fixture.json.at, rows[i].json, "row %zu: %s", i, fixture.json.at);
        if (!written && rows[i].error)
            cr_expect_str_eq(fixture.error.text, rows[i].error, "row %zu: %s", i,
                             fixture.error.text);
        if (!written) cr_expect_eq(fixture.json.len, 0);
    }
    json_fixture_deinit(&fixture);
}

static const char order[] = PROTO3
    "message Order { string id = 1; int32 count = 2; repeated int32 list = 3; Item item = 4;\n"
    "oneof way { string post = 5; Item parcel = 6; int32 by = 7; } map<string, Item> map = 8;\n"
    "E e = 9; map<int32, int32> numbers = 10; float f = 11; }\n"
    "message Item { int32 a = 1; int32 b = 2; } enum E { A = 0; B = 1; }";

/* What a parser makes of fields that come more than once. */
Test(json_write, occurrences_are_merged) {
    static const struct row rows[] = {
        {BYTES_OF(""), "{}", NULL},
        {BYTES_OF("\x10\x01\x10\x02"), "{\"count\":2}", NULL},
        {BYTES_OF("\x10\x01\x10\x00"), "{}", NULL},
        {BYTES_OF("\x10\x02\x0a\x01x"), "{\"id\":\"x\",\"count\":2}", NULL},
        {BYTES_OF("\x22\x02\x08\x01\x22\x02\x10\x02"), "{\"item\":{\"a\":1,\"b\":2}}", NULL},
        {BYTES_OF("\x22\x02\x08\x01\x22\x02\x08\x02"), "{\"item\":{\"a\":2}}", NULL},
        {BYTES_OF("\x1a\x02\x01\x02\x18\x03\x1a\x00"), "{\"list\":[1,2,3]}", NULL},
        {BYTES_OF("\x1a\x00"), "{}", NULL},
        {BYTES_OF("\x2a\x01p\x38\x05"), "{\"by\":5}", NULL},
        {BYTES_OF("\x38\x05\x2a\x01p"), "{\"post\":\"p\"}", NULL},
        {BYTES_OF("\x32\x02\x08\x01\x32\x02\x10\x02"), "{\"parcel\":{\"a\":1,\"b\":2}}", NULL},
        {BYTES_OF("\x32\x02\x08\x01\x38\x05\x32\x02\x10\x02"), "{\"parcel\":{\"b\":2}}", NULL},
        {BYTES_OF("\x42\x03\x0a\x01k\x42\x07\x0a\x01k\x12\x02\x08\x01"),
         "{\"map\":{\"k\":{\"a\":1}}}", NULL},
        {BYTES_OF("\x42\x00"), "{\"map\":{\"\":{}}}", NULL},
        {BYTES_OF("\x52\x00"), "{\"numbers\":{\"0\":0}}", NULL},
        {BYTES_OF("\x52\x02\x10\x05"), "{\"numbers\":{\"0\":5}}", NULL},
        {BYTES_OF("\x42\x0a\x12\x02\x08\x01\x12\x02\x10\x02\x0a\x00"),
         "{\"map\":{\"\":{\"a\":1,\"b\":2}}}", NULL},
        {BYTES_OF("\x48\x05"), "{\"e\":5}", NULL},
        {BYTES_OF("\xa0\x06\x01\x10\x01"), "{\"count\":1}", NULL}, /* field 100 is not known */
        {BYTES_OF("\x10\x80\x80\x80\x80\x10"), "{}", NULL},        /* 2^32 is cut to 0 */
        {BYTES_OF("\x5d\x00\x00\x00\x80"), "{\"f\":-0.0}", NULL},
        {BYTES_OF("\x5d\x00\x00\xc0\x7f"), "{\"f\":\"NaN\"}", NULL},
    };
    rows_check(order, "shop.Order", rows, array_count(rows));
}

Test(json_write, what_is_not_valid_is_refused_with_its_field) {
    static const struct row rows[] = {
        {BYTES_OF("\x10"), NULL, "Order.count: varint cut off or too long at byte 0"},
        {BYTES_OF("\x12\x01x"), NULL,
         "Order.count: expected varint (int32), found 1 bytes length-delimited"},
        {BYTES_OF("\x0a\x01\xff"), NULL, NULL},
        {BYTES_OF("\x10\x01\x22\x03\x08\x01"), NULL, NULL},
    };
    rows_check(order, "shop.Order", rows, array_count(rows));
}

Test(json_write, unknown_fields_on_demand) {
    struct json_fixture fixture;
    json_fixture_init(&fixture, order, "shop.Order");
    cr_assert_not(json_write(fixture.schema, fixture.message, BYTES_OF("\xa0\x06\x01"), true,
                             &fixture.json, &fixture.error));
    cr_assert(json_fixture_write(&fixture, BYTES_OF("\xa0\x06\x01")));
    json_fixture_deinit(&fixture);
}

static const char old[] =
    "package shop; message Old { optional string s = 1; optional group G = 2 { optional int32 n = "
    "1;\n"
    "optional group H = 3 { optional int32 m = 1; } } extensions 100 to 200;\n"
    "optional int32 zero = 4; repeated int32 list = 5; }\n"
    "extend Old { optional int32 number = 100; optional Old more = 101; repeated int32 many = "
    "102;\n"
    "optional group X = 103 { optional int32 k = 1; } }";

Test(json_write, groups_and_extensions) {
    static const struct row rows[] = {
        {BYTES_OF("\x13\x08\x01\x1b\x08\x02\x1c\x14"), "{\"g\":{\"n\":1,\"h\":{\"m\":2}}}", NULL},
        {BYTES_OF("\x13\x08\x01\x14\x13\x1b\x1c\x14"), "{\"g\":{\"n\":1,\"h\":{}}}", NULL},
        {BYTES_OF("\x20\x00"), "{\"zero\":0}", NULL},
        {BYTES_OF("\x2a\x02\x01\x02"), "{\"list\":[1,2]}", NULL},
        {BYTES_OF("\xa0\x06\x05"), "{\"[shop.number]\":5}", NULL},
        {BYTES_OF("\xa2\x06\x01x"), NULL,
         "Old.number: expected varint (int32), found 1 bytes length-delimited"},
        {BYTES_OF("\xaa\x06\x02\x20\x07"), "{\"[shop.more]\":{\"zero\":7}}", NULL},
        {BYTES_OF("\xaa\x06\x01\x20"), NULL, NULL},
        {BYTES_OF("\xb2\x06\x02\x01\x02"), "{\"[shop.many]\":[1,2]}", NULL},
        {BYTES_OF("\xb2\x06\x01\x80"), NULL, "Old.many[0]: a packed element is cut off at byte 3"},
        {BYTES_OF("\xbb\x06\x08\x03\xbc\x06"), "{\"[shop.x]\":{\"k\":3}}", NULL},
        {BYTES_OF("\x0a\x01\xff"), NULL, "Old.s: not UTF-8"},
    };
    rows_check(old, "shop.Old", rows, array_count(rows));
}

static const char known[] = PROTO3
    "import \"google/protobuf/any.proto\"; import \"google/protobuf/duration.proto\";\n"
    "import \"google/protobuf/field_mask.proto\"; import \"google/protobuf/struct.proto\";\n"
    "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/wrappers.proto\";\n"
    "message K { google.protobuf.Timestamp at = 1; google.protobuf.Duration for = 2;\n"
    "google.protobuf.FieldMask mask = 3; google.protobuf.Value value = 4;\n"
    "google.protobuf.Any any = 5; google.protobuf.Int32Value whole = 6;\n"
    "google.protobuf.ListValue list = 7; int32 n = 8; }";

Test(json_write, well_known_types) {
    static const struct row rows[] = {
        {BYTES_OF("\x0a\x00"), "{\"at\":\"1970-01-01T00:00:00Z\"}", NULL},
        {BYTES_OF("\x0a\x02\x10\x01"), "{\"at\":\"1970-01-01T00:00:00.000000001Z\"}", NULL},
        {BYTES_OF("\x0a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NULL,
         "K.at: not a time of the years 1 to 9999"},
        {BYTES_OF("\x12\x00"), "{\"for\":\"0s\"}", NULL},
        {BYTES_OF("\x12\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NULL,
         "K.for: not a duration of at most 10,000 years"},
        {BYTES_OF("\x1a\x00"), "{\"mask\":\"\"}", NULL},
        {BYTES_OF("\x1a\x08\x0a\x03"
                  "a_b\x0a\x01"
                  "c"),
         "{\"mask\":\"aB,c\"}", NULL},
        {BYTES_OF("\x1a\x03\x0a\x01"
                  "A"),
         NULL, "K.mask: a path of the mask has no form in JSON"},
        {BYTES_OF("\x22\x00"), "{\"value\":null}", NULL},
        {BYTES_OF("\x22\x09\x11\x00\x00\x00\x00\x00\x00\xf8\x7f"), NULL,
         "K.value: a google.protobuf.Value has to be a finite number"},
        {BYTES_OF("\x2a\x00"), "{\"any\":{}}", NULL},
        {BYTES_OF("\x2a\x0c\x0a\x06t/shop\x12\x02\x40\x01"), NULL,
         "K.any: the schema has no message for \"t/shop\""},
        {BYTES_OF("\x2a\x0e\x0a\x08t/shop.K\x12\x02\x40\x01"),
         "{\"any\":{\"@type\":\"t/shop.K\",\"n\":1}}", NULL},
        {BYTES_OF("\x2a\x0d\x0a\x08t/shop.K\x12\x01\x40"), NULL,
         "K.any: K.n: varint cut off or too long at byte 0"},
        {BYTES_OF("\x32\x00"), "{\"whole\":0}", NULL},
        {BYTES_OF("\x3a\x04\x0a\x00\x0a\x00"), "{\"list\":[null,null]}", NULL},
    };
    rows_check(known, "shop.K", rows, array_count(rows));
}

/* An Any in an Any in an Any ... is no deeper than any other message. */
Test(json_write, depth_is_bounded) {
    struct json_fixture fixture;
    struct byte_buffer inner = {0}, outer = {0};
    json_fixture_init(&fixture, known, "shop.K");
    int written = 0;
    for (; written < 200 && json_fixture_write(&fixture, byte_buffer_bytes(&inner)); written++) {
        uint8_t lengths[16];
        size_t len = varint_put_u64(lengths, inner.len), whole = 10 + 1 + len + inner.len;
        outer.len = 0;
        byte_buffer_put_u8(&outer, 0x2a);
        outer.len += varint_put_u64(byte_buffer_reserve(&outer, 10), whole);
        byte_buffer_append(&outer, BYTES_OF("\x0a\x08t/shop.K\x12"));
        byte_buffer_append(&outer, bytes_make(lengths, len));
        byte_buffer_append(&outer, byte_buffer_bytes(&inner));
        inner.len = 0;
        byte_buffer_append(&inner, byte_buffer_bytes(&outer));
    }
    cr_assert(written > 20 && written < 200, "%d", written);
    cr_assert(strstr(fixture.error.text, "nested too deep"), "%s", fixture.error.text);
    byte_buffer_deinit(&inner);
    byte_buffer_deinit(&outer);
    json_fixture_deinit(&fixture);
}
