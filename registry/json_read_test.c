#include "registry/json_read.h"

#include "registry/json_fixture.h"

#define PROTO3 "syntax = \"proto3\"; package shop;\n"

static const char scalars[] = PROTO3
    "message All { int32 i = 1; int64 l = 2; uint32 u = 3; uint64 v = 4; sint32 s = 5;\n"
    "sint64 t = 6; fixed32 f = 7; fixed64 g = 8; sfixed32 h = 9; sfixed64 j = 10; float x = 11;\n"
    "double y = 12; bool b = 13; string text_field = 14; bytes d = 15; E e = 16;\n"
    "optional int32 o = 17; int32 c = 18 [json_name = \"other\"]; }\n"
    "enum E { option allow_alias = true; A = 0; B = 1; C = -2; ALSO_B = 1; }";

Test(json_read, scalars_and_their_canonical_form) {
    static const struct json_row rows[] = {
        {"{}", NULL},
        {" { \"i\" : 1 } ", "{\"i\":1}"},
        {"{\"i\":-2147483648}", NULL},
        {"{\"i\":2147483647}", NULL},
        {"{\"i\":\"17\"}", "{\"i\":17}"},
        {"{\"i\":1.0}", "{\"i\":1}"},
        {"{\"i\":1.5e3}", "{\"i\":1500}"},
        {"{\"i\":-0}", "{}"},
        {"{\"i\":0}", "{}"},
        {"{\"i\":null,\"e\":null,\"text_field\":null}", "{}"},
        {"{\"o\":0}", NULL},
        {"{\"o\":null}", "{}"},
        {"{\"l\":9007199254740993}", "{\"l\":\"9007199254740993\"}"},
        {"{\"l\":\"-9223372036854775808\"}", NULL},
        {"{\"l\":-9223372036854775808}", "{\"l\":\"-9223372036854775808\"}"},
        {"{\"u\":4294967295}", NULL},
        {"{\"v\":\"18446744073709551615\"}", NULL},
        {"{\"v\":18446744073709551615}", "{\"v\":\"18446744073709551615\"}"},
        {"{\"v\":9223372036854775808, \"textField\":\"\\\\\\\"18446744073709551615\"}",
         "{\"v\":\"9223372036854775808\",\"textField\":\"\\\\\\\"18446744073709551615\"}"},
        {"{\"y\":-100000000000000000000}", "{\"y\":-1e+20}"},
        {"{\"v\":9223372036854775807}", "{\"v\":\"9223372036854775807\"}"},
        {"{\"s\":-2147483648}", NULL},
        {"{\"s\":2147483647}", NULL},
        {"{\"t\":\"-9223372036854775808\"}", NULL},
        {"{\"t\":\"9223372036854775807\"}", NULL},
        {"{\"f\":4294967295}", NULL},
        {"{\"g\":\"18446744073709551615\"}", NULL},
        {"{\"h\":-2147483648}", NULL},
        {"{\"j\":\"-1\"}", NULL},
        {"{\"x\":0.1}", NULL},
        {"{\"x\":3.4028235e+38}", NULL},
        {"{\"x\":1e-45}", "{\"x\":1.4013e-45}"},
        {"{\"x\":\"NaN\"}", NULL},
        {"{\"x\":\"-Infinity\"}", NULL},
        {"{\"y\":0.1}", NULL},
        {"{\"y\":\"Infinity\"}", NULL},
        {"{\"y\":\"1.5e10\"}", "{\"y\":15000000000}"},
        {"{\"y\":1.7976931348623157e+308}", NULL},
        {"{\"y\":5e-324}", "{\"y\":4.94065645841247e-324}"},
        {"{\"y\":9007199254740993}", "{\"y\":9007199254740992}"},
        {"{\"y\":-0.0}", NULL},
        {"{\"b\":true}", NULL},
        {"{\"b\":false}", "{}"},
        {"{\"text_field\":\"a\"}", "{\"textField\":\"a\"}"},
        {"{\"textField\":\"\\u00e9\\n\\u0000\\\"/\"}",
         "{\"textField\":\"\xc3\xa9\\n\\u0000\\\"/\"}"},
        {"{\"d\":\"AQID/+8=\"}", NULL},
        {"{\"d\":\"AQID_-8\"}", "{\"d\":\"AQID/+8=\"}"},
        {"{\"d\":\"\"}", "{}"},
        {"{\"e\":\"B\"}", NULL},
        {"{\"e\":\"ALSO_B\"}", "{\"e\":\"B\"}"},
        {"{\"e\":-2}", "{\"e\":\"C\"}"},
        {"{\"e\":77}", NULL},
        {"{\"e\":\"A\"}", "{}"},
        {"{\"other\":1}", NULL},
        {"{\"c\":1}", "{\"other\":1}"},
        {"{\"u\":1,\"i\":2}", "{\"i\":2,\"u\":1}"},
    };
    json_rows_check(scalars, "shop.All", rows, array_count(rows));
}

Test(json_read, scalars_that_do_not_fit) {
    static const struct json_row rows[] = {
        {"{\"i\":2147483648}", "All.i: expected int32, found 2147483648"},
        {"{\"i\":1.5}", "All.i: expected int32, found 1.5"},
        {"{\"i\":\"abc\"}", "All.i: expected int32, found \"abc\""},
        {"{\"i\":\"1 \"}", "All.i: expected int32, found \"1 \""},
        {"{\"i\":\"0x1\"}", "All.i: expected int32, found \"0x1\""},
        {"{\"i\":\"01\"}", "All.i: expected int32, found \"01\""},
        {"{\"i\":\"\"}", "All.i: expected int32, found \"\""},
        {"{\"i\":true}", "All.i: expected int32, found true"},
        {"{\"i\":[1]}", "All.i: expected int32, found an array"},
        {"{\"l\":9223372036854775808}", "All.l: expected int64, found 9223372036854775808"},
        {"{\"v\":18446744073709551616}", "All.v: expected uint64, found 18446744073709551616"},
        {"{\"v\":-18446744073709551615}", "All.v: expected uint64, found -18446744073709551615"},
        {"{\"textField\":18446744073709551616}",
         "All.text_field: expected a string, found 18446744073709551616"},
        {"{\"d\":18446744073709551616}", "All.d: expected base64, found 18446744073709551616"},
        {"{\"b\":18446744073709551616}",
         "All.b: expected true or false, found 18446744073709551616"},
        {"{\"e\":18446744073709551616}",
         "All.e: expected a value of enum E (A, B, C, ALSO_B), found 18446744073709551616"},
        {"{18446744073709551616:1}", "column 21: a number that is too large"},
        {"{\"v\":18446744073709551615,\"textField\":\"\\uffff\"}",
         "column 25: a number that is too large"},
        {"{\"y\":1e999}", "column 10: a number that is too large"},
        {"{\"l\":\"9223372036854775808\"}", "All.l: expected int64, found \"9223372036854775808\""},
        {"{\"l\":9007199254740994.0}", "All.l: expected int64, found 9.0072e+15"},
        {"{\"u\":-1}", "All.u: expected uint32, found -1"},
        {"{\"v\":\"18446744073709551616\"}",
         "All.v: expected uint64, found \"18446744073709551616\""},
        {"{\"f\":4294967296}", "All.f: expected fixed32, found 4294967296"},
        {"{\"x\":1e39}", "All.x: expected a number that fits float, found 1e+39"},
        {"{\"x\":\"nan\"}", "All.x: expected a number, found \"nan\""},
        {"{\"y\":\"1e999\"}", "All.y: expected a number, found \"1e999\""},
        {"{\"y\":\"\"}", "All.y: expected a number, found \"\""},
        {"{\"y\":false}", "All.y: expected a number, found false"},
        {"{\"b\":1}", "All.b: expected true or false, found 1"},
        {"{\"b\":\"true\"}", "All.b: expected true or false, found \"true\""},
        {"{\"textField\":1}", "All.text_field: expected a string, found 1"},
        {"{\"d\":\"a\"}", "All.d: expected base64, found \"a\""},
        {"{\"d\":\"AQ ID\"}", "All.d: expected base64, found \"AQ ID\""},
        {"{\"e\":\"b\"}", "All.e: expected a value of enum E (A, B, C, ALSO_B), found \"b\""},
        {"{\"e\":1.5}", "All.e: expected a value of enum E (A, B, C, ALSO_B), found 1.5"},
        {"{\"nothing\":1}", "All: shop.All has no field \"nothing\""},
        {"{\"textField\":\"a\",\"text_field\":\"b\"}",
         "All.text_field: given twice, under both of its names"},
        {"{\"i\":1,\"i\":2}", "column 10: not JSON: duplicate object key near '\"i\"'"},
        {"[]", "All: expected an object, found an array"},
        {"", "column 0: not JSON: unexpected token near end of file"},
        {"{\"i\":1", "column 6: not JSON: '}' expected near end of file"},
        {"{} {}", "column 4: not JSON: end of file expected near '{'"},
    };
    json_refusals_check(scalars, "shop.All", rows, array_count(rows));
}

static const char composites[] = PROTO3
    "message Order { string id = 1; repeated Item items = 2; map<string, int32> stock = 3;\n"
    "map<bool, Item> flags = 4; map<int64, E> kinds = 5; repeated int32 packed = 6;\n"
    "repeated int32 loose = 7 [packed = false]; repeated string names = 8;\n"
    "oneof way { string post = 9; Item parcel = 10; int32 by = 11; } Order inner = 12;\n"
    "repeated E many = 13; map<uint32, bytes> blobs = 14; }\n"
    "message Item { int32 qty = 1; } enum E { A = 0; B = 1; }";

Test(json_read, lists_maps_and_messages) {
    static const struct json_row rows[] = {
        {"{\"items\":[{\"qty\":1},{},{\"qty\":3}]}", NULL},
        {"{\"items\":[]}", "{}"},
        {"{\"items\":null}", "{}"},
        {"{\"packed\":[1,\"2\",-3]}", "{\"packed\":[1,2,-3]}"},
        {"{\"loose\":[1,0,-3]}", NULL},
        {"{\"names\":[\"\",\"a\"]}", NULL},
        {"{\"many\":[\"B\",0,7]}", "{\"many\":[\"B\",\"A\",7]}"},
        {"{\"stock\":{\"b\":1,\"\":0,\"a\":2}}", "{\"stock\":{\"\":0,\"a\":2,\"b\":1}}"},
        {"{\"stock\":{}}", "{}"},
        {"{\"flags\":{\"true\":{\"qty\":1},\"false\":{}}}",
         "{\"flags\":{\"false\":{},\"true\":{\"qty\":1}}}"},
        {"{\"kinds\":{\"-9223372036854775808\":\"B\"}}", NULL},
        {"{\"blobs\":{\"4294967295\":\"AQ==\"}}", NULL},
        {"{\"post\":\"\"}", NULL},
        {"{\"parcel\":{}}", NULL},
        {"{\"by\":0}", NULL},
        {"{\"by\":1,\"post\":null}", "{\"by\":1}"},
        {"{\"inner\":{\"inner\":{\"id\":\"a\"}}}", NULL},
        {"{\"inner\":{}}", NULL},
    };
    json_rows_check(composites, "shop.Order", rows, array_count(rows));
}

Test(json_read, where_lists_maps_and_messages_go_wrong) {
    static const struct json_row rows[] = {
        {"{\"items\":[{\"qty\":1},{\"qty\":\"x\"}]}",
         "Order.items[1].qty: expected int32, found \"x\""},
        {"{\"items\":[{\"qyt\":1}]}", "Order.items[0]: shop.Item has no field \"qyt\""},
        {"{\"items\":{}}", "Order.items: expected an array, found an object"},
        {"{\"items\":[null]}", "Order.items[0]: null cannot be an element of a list"},
        {"{\"packed\":[null]}", "Order.packed[0]: null cannot be an element of a list"},
        {"{\"items\":[1]}", "Order.items[0]: expected an object, found 1"},
        {"{\"stock\":[]}", "Order.stock: expected an object, found an array"},
        {"{\"stock\":{\"a\":\"b\"}}", "Order.stock[\"a\"]: expected int32, found \"b\""},
        {"{\"stock\":{\"a\":null}}", "Order.stock[\"a\"]: null cannot be a value of a map"},
        {"{\"flags\":{\"1\":{}}}", "Order.flags[\"1\"]: expected true or false, found \"1\""},
        {"{\"kinds\":{\"a\":\"B\"}}", "Order.kinds[\"a\"]: expected int64, found \"a\""},
        {"{\"kinds\":{\"1\":\"X\"}}",
         "Order.kinds[\"1\"]: expected a value of enum E (A, B), found \"X\""},
        {"{\"post\":\"a\",\"by\":1}",
         "Order.by: \"post\" is given too, and only one of them can be"},
        {"{\"inner\":{\"inner\":{\"id\":1}}}", "Order.inner.inner.id: expected a string, found 1"},
    };
    json_refusals_check(composites, "shop.Order", rows, array_count(rows));
}

static const char old[] =
    "package shop; message Old { required string id = 1; optional group Part = 2 { required int32 n"
    " = 1; } optional E e = 3; repeated int32 list = 4; optional int32 zero = 5 [default = 7];\n"
    "repeated E many = 6 [packed = true]; extensions 100 to 200; optional Old next = 7;\n"
    "repeated group Row = 8 { optional string s = 1; } }\n"
    "enum E { A = 1; B = 2; } extend Old { optional int32 extra = 100; repeated Old more = 101; }\n"
    "message Scope { extend Old { optional E inside = 102; } }";

Test(json_read, groups_required_fields_and_extensions) {
    static const struct json_row rows[] = {
        {"{\"id\":\"a\"}", NULL},
        {"{\"id\":\"\",\"zero\":0}", NULL},
        {"{\"id\":\"a\",\"part\":{\"n\":3},\"e\":\"B\",\"list\":[0,1],\"many\":[\"A\",\"B\"],"
         "\"row\":[{},{\"s\":\"x\"}]}",
         "{\"id\":\"a\",\"part\":{\"n\":3},\"e\":\"B\",\"list\":[0,1],\"many\":[\"A\",\"B\"],"
         "\"row\":[{},{\"s\":\"x\"}]}"},
        {"{\"id\":\"a\",\"[shop.extra]\":4,\"[shop.more]\":[{\"id\":\"b\"}],"
         "\"[shop.Scope.inside]\":\"A\"}",
         NULL},
    };
    static const struct json_row refused[] = {
        {"{}", "Old.id: required, but missing"},
        {"{\"id\":null}", "Old.id: required, but missing"},
        {"{\"id\":\"a\",\"part\":{}}", "Old.part.n: required, but missing"},
        {"{\"id\":\"a\",\"next\":{}}", "Old.next.id: required, but missing"},
        {"{\"id\":\"a\",\"e\":3}", "Old.e: expected a value of enum E (A, B), found 3"},
        {"{\"id\":\"a\",\"[shop.none]\":3}", "Old: shop.Old has no field \"[shop.none]\""},
    };
    json_rows_check(old, "shop.Old", rows, array_count(rows));
    json_refusals_check(old, "shop.Old", refused, array_count(refused));
}

static const char known[] = PROTO3
    "import \"google/protobuf/any.proto\"; import \"google/protobuf/duration.proto\";\n"
    "import \"google/protobuf/empty.proto\"; import \"google/protobuf/field_mask.proto\";\n"
    "import \"google/protobuf/struct.proto\"; import \"google/protobuf/timestamp.proto\";\n"
    "import \"google/protobuf/wrappers.proto\";\n"
    "message K { google.protobuf.Timestamp at = 1; google.protobuf.Duration for = 2;\n"
    "google.protobuf.FieldMask mask = 3; google.protobuf.Struct open = 4;\n"
    "google.protobuf.Value value = 5; google.protobuf.ListValue list = 6;\n"
    "google.protobuf.Any any = 7; google.protobuf.Empty empty = 8;\n"
    "google.protobuf.Int64Value whole = 9; google.protobuf.StringValue text = 10;\n"
    "google.protobuf.BoolValue flag = 11; google.protobuf.BytesValue data = 12;\n"
    "google.protobuf.DoubleValue real = 13; repeated google.protobuf.Value values = 14;\n"
    "google.protobuf.NullValue null = 15; oneof o { google.protobuf.Value one = 16; }\n"
    "repeated google.protobuf.Timestamp times = 17; map<string, google.protobuf.Value> map = 18;\n"
    "int32 plain = 19; google.protobuf.UInt64Value big = 20; }";

#define URL "type.googleapis.com/"

Test(json_read, well_known_types) {
    static const struct json_row rows[] = {
        {"{\"at\":\"2024-01-31T12:00:00Z\"}", NULL},
        {"{\"at\":\"2024-01-31T12:00:00.5+01:00\"}", "{\"at\":\"2024-01-31T11:00:00.500Z\"}"},
        {"{\"at\":\"1970-01-01T00:00:00Z\"}", NULL},
        {"{\"for\":\"1.5s\"}", "{\"for\":\"1.500s\"}"},
        {"{\"for\":\"-0.000000001s\"}", NULL},
        {"{\"for\":\"0s\"}", NULL},
        {"{\"mask\":\"id,items.itemQty\"}", NULL},
        {"{\"mask\":\"\"}", NULL},
        {"{\"open\":{\"a\":null,\"b\":[1,true,\"x\",{}],\"c\":{\"d\":1.5}}}", NULL},
        {"{\"open\":{}}", NULL},
        {"{\"value\":null}", NULL},
        {"{\"value\":[null,1]}", NULL},
        {"{\"value\":{\"a\":\"b\"}}", NULL},
        {"{\"value\":100000000000000000000}", "{\"value\":1e+20}"},
        {"{\"list\":[]}", NULL},
        {"{\"list\":[null,false]}", NULL},
        {"{\"values\":[null,1]}", NULL},
        {"{\"one\":null}", NULL},
        {"{\"map\":{\"a\":null}}", NULL},
        {"{\"null\":null}", "{}"},
        {"{\"any\":{}}", NULL},
        {"{\"any\":{\"@type\":\"" URL "shop.K\",\"plain\":3}}", NULL},
        {"{\"any\":{\"plain\":3,\"@type\":\"" URL "shop.K\"}}",
         "{\"any\":{\"@type\":\"" URL "shop.K\",\"plain\":3}}"},
        {"{\"any\":{\"@type\":\"" URL "google.protobuf.Duration\",\"value\":\"1s\"}}", NULL},
        {"{\"any\":{\"@type\":\"" URL "google.protobuf.Value\",\"value\":null}}", NULL},
        {"{\"any\":{\"@type\":\"" URL "google.protobuf.Any\",\"value\":{\"@type\":\"" URL
         "shop.K\"}}}",
         NULL},
        {"{\"empty\":{}}", NULL},
        {"{\"whole\":5}", "{\"whole\":\"5\"}"},
        {"{\"whole\":\"0\"}", NULL},
        {"{\"whole\":null}", "{}"},
        {"{\"big\":\"18446744073709551615\"}", NULL},
        {"{\"text\":\"\"}", NULL},
        {"{\"flag\":false}", NULL},
        {"{\"data\":\"AQI=\"}", NULL},
        {"{\"real\":\"NaN\"}", NULL},
    };
    json_rows_check(known, "shop.K", rows, array_count(rows));
}

Test(json_read, well_known_types_that_are_not) {
    static const struct json_row rows[] = {
        {"{\"at\":\"yesterday\"}",
         "K.at: expected a time as \"2024-01-31T12:00:00.5Z\", found \"yesterday\""},
        {"{\"at\":17}", "K.at: expected a time as \"2024-01-31T12:00:00.5Z\", found 17"},
        {"{\"times\":[null]}", "K.times[0]: null cannot be an element of a list"},
        {"{\"for\":\"1\"}", "K.for: expected a duration as \"1.5s\", found \"1\""},
        {"{\"mask\":\"a_b\"}",
         "K.mask: expected paths in lowerCamelCase between commas, found "
         "\"a_b\""},
        {"{\"mask\":\"a,,b\"}",
         "K.mask: expected paths in lowerCamelCase between commas, found \"a,,b\""},
        {"{\"open\":[]}", "K.open: expected an object, found an array"},
        {"{\"list\":{}}", "K.list: expected an array, found an object"},
        {"{\"whole\":\"x\"}", "K.whole: expected int64, found \"x\""},
        {"{\"any\":{\"plain\":1}}", "K.any: an Any needs \"@type\", a string"},
        {"{\"any\":{\"@type\":\"" URL "shop.None\"}}",
         "K.any: expected the URL of a message of the schema's files in \"@type\", found "
         "\"type.googleapis.com/shop.None\""},
        {"{\"any\":{\"@type\":\"shop.K\"}}",
         "K.any: expected the URL of a message of the schema's files in \"@type\", found "
         "\"shop.K\""},
        {"{\"any\":{\"@type\":\"" URL "shop.K\",\"plain\":\"x\"}}",
         "K.any.plain: expected int32, found \"x\""},
        {"{\"any\":{\"@type\":\"" URL "shop.K\",\"nope\":1}}",
         "K.any: shop.K has no field \"nope\""},
        {"{\"any\":{\"@type\":\"" URL "google.protobuf.Duration\",\"seconds\":1}}",
         "K.any: an Any of this type has \"@type\" and \"value\", and nothing else"},
        {"{\"empty\":{\"a\":1}}", "K.empty: google.protobuf.Empty has no field \"a\""},
    };
    json_refusals_check(known, "shop.K", rows, array_count(rows));
}

/* A file of that name that is not the one which everybody knows. */
Test(json_read, a_message_that_only_is_named_like_a_well_known_one) {
    static const struct json_row rows[] = {{"{\"seconds\":\"a\"}", NULL}};
    json_rows_check(
        "syntax = \"proto3\"; package google.protobuf; message Timestamp { string "
        "seconds = 1; }",
        "google.protobuf.Timestamp", rows, array_count(rows));
}

Test(json_read, depth_is_bounded) {
    struct json_fixture fixture;
    json_fixture_init(&fixture, composites, "shop.Order");
    for (int levels = 99; levels <= 3000; levels += levels < 102 ? 1 : 2898) {
        struct text json = {0};
        for (int i = 0; i < levels; i++) text_printf(&json, "{\"inner\":");
        text_printf(&json, "{}");
        for (int i = 0; i < levels; i++) text_printf(&json, "}");
        bool read = json_fixture_read(&fixture, text_bytes(&json));
        cr_expect_eq(read, levels <= CONTRACT_NESTING_MAX, "%d levels", levels);
        if (read) {
            cr_expect(json_fixture_write(&fixture, byte_buffer_bytes(&fixture.wire)));
            cr_expect(bytes_equal(text_bytes(&fixture.json), text_bytes(&json)));
        }
        text_deinit(&json);
    }
    json_fixture_deinit(&fixture);
}
