#include "registry/contract.h"

#include <criterion/criterion.h>

#include "base/text.h"
#include "protocol/varint.h"
#include "registry/schema_fixture.h"

/* A contract and one of its messages. */
struct subject {
    struct schema_fixture schema;
    struct contract *contract;
    uint32_t message;
    struct violation violation;
};

static void subject_init(struct subject *subject, const char *text, const char *message) {
    struct error error;
    schema_fixture_init(&subject->schema, text);
    subject->contract = contract_new(&subject->schema.set, &error);
    cr_assert(subject->contract, "%s", error.text);
    cr_assert(contract_find(subject->contract, bytes_of_text(message), &subject->message));
}

static void subject_deinit(struct subject *subject) {
    contract_free(subject->contract);
    schema_fixture_deinit(&subject->schema);
}

/* Bytes in a block of their own size, so that the sanitizer sees every read past them. */
static bool subject_accepts(struct subject *subject, struct bytes payload, bool reject_unknown) {
    uint8_t *copy = memory_new(payload.len);
    if (payload.len) memcpy(copy, payload.at, payload.len);
    bool valid = contract_check(subject->contract, subject->message, bytes_make(copy, payload.len),
                                reject_unknown, &subject->violation);
    free(copy);
    return valid;
}

struct row {
    struct bytes payload;
    const char *path, *reason; /* path NULL: valid */
};

static void rows_check(const char *text, const char *message, bool reject_unknown,
                       const struct row *rows, size_t count) {
    struct subject subject;
    subject_init(&subject, text, message);
    for (size_t i = 0; i < count; i++) {
        bool valid = subject_accepts(&subject, rows[i].payload, reject_unknown);
        cr_expect_eq(valid, rows[i].path == NULL, "row %zu: %s: %s", i,
                     valid ? "valid" : subject.violation.path,
                     valid ? "" : subject.violation.reason);
        if (valid || !rows[i].path) continue;
        cr_expect_str_eq(subject.violation.path, rows[i].path, "row %zu: %s", i,
                         subject.violation.path);
        cr_expect_str_eq(subject.violation.reason, rows[i].reason, "row %zu: %s", i,
                         subject.violation.reason);
    }
    subject_deinit(&subject);
}

#define PROTO3 "syntax = \"proto3\"; package shop;\n"

Test(contract, scalars) {
    static const struct row rows[] = {
        {BYTES_OF(""), NULL, NULL},
        {BYTES_OF("\x08\x01"), NULL, NULL},
        {BYTES_OF("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NULL, NULL},
        {BYTES_OF("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), NULL, NULL},
        {BYTES_OF("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "All.i",
         "varint cut off or too long at byte 0"},
        {BYTES_OF("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "All.i",
         "varint cut off or too long at byte 0"},
        {BYTES_OF("\x08"), "All.i", "varint cut off or too long at byte 0"},
        {BYTES_OF("\x08\x80"), "All.i", "varint cut off or too long at byte 0"},
        {BYTES_OF("\x15\x01\x02\x03\x04"), NULL, NULL},
        {BYTES_OF("\x15\x01\x02\x03"), "All.f", "cut off at byte 0"},
        {BYTES_OF("\x19\x01\x02\x03\x04\x05\x06\x07\x08"), NULL, NULL},
        {BYTES_OF("\x19\x01\x02\x03\x04\x05\x06\x07"), "All.d", "cut off at byte 0"},
        {BYTES_OF("\x22\x03"
                  "abc"),
         NULL, NULL},
        {BYTES_OF("\x22\x04"
                  "abc"),
         "All.s", "length goes past the end at byte 0"},
        {BYTES_OF("\x22"), "All.s", "length goes past the end at byte 0"},
        {BYTES_OF("\x22\x80\x80\x80\x80\x80\x00"), "All.s", "length goes past the end at byte 0"},
        {BYTES_OF("\x2a\x02\xff\xff"), NULL, NULL},
        {BYTES_OF("\x30\x07"), NULL, NULL}, /* an open enum takes any value */
        {BYTES_OF("\x32\x00"), "All.e", "expected varint (enum), found 0 bytes length-delimited"},
        {BYTES_OF("\x0d\x01\x02\x03\x04"), "All.i", "expected varint (int32), found 4 fixed bytes"},
        {BYTES_OF("\x20\x01"), "All.s", "expected length-delimited (string), found varint"},
        {BYTES_OF("\x0b\x0c"), "All.i", "expected varint (int32), found group"},
        {BYTES_OF("\x00\x01"), "All", "no valid field begins at byte 0"},
        {BYTES_OF("\x02\x00"), "All", "no valid field begins at byte 0"},
        {BYTES_OF("\x08\x01\xff"), "All", "no valid field begins at byte 2"},
        {BYTES_OF("\xff\xff\xff\xff\xff\x01"), "All", "no valid field begins at byte 0"},
        {BYTES_OF("\x0e"), "All.i", "invalid wire type at byte 0"},
        {BYTES_OF("\x0f"), "All.i", "invalid wire type at byte 0"},
        {BYTES_OF("\x08\x01\x08\x02"), NULL, NULL}, /* the last one wins */
    };
    rows_check(PROTO3
               "message All { int32 i = 1; float f = 2; double d = 3; string s = 4;\n"
               "bytes b = 5; E e = 6; } enum E { A = 0; }",
               "shop.All", false, rows, array_count(rows));
}

Test(contract, paths_name_every_level) {
    static const struct row rows[] = {
        {BYTES_OF("\x12\x02\x08\x01\x12\x02\x08\x02"), NULL, NULL},
        {BYTES_OF("\x12\x02\x08\x01\x12\x02\x08\x02\x12\x04\x0a\x02"
                  "xy"),
         "Order.items[2].qty", "expected varint (int32), found 2 bytes length-delimited"},
        {BYTES_OF("\x12\x04\x12\x02\x08\x80"), "Order.items[0].inner.qty",
         "varint cut off or too long at byte 4"},
        /* The message ends; the payload, which is read in words, goes on. */
        {BYTES_OF("\x12\x02\x08\x80\x0a\x08"
                  "abcdefgh"),
         "Order.items[0].qty", "varint cut off or too long at byte 2"},
        {BYTES_OF("\x12\x01\x08\x0a\x08"
                  "abcdefgh"),
         "Order.items[0].qty", "varint cut off or too long at byte 2"},
        {BYTES_OF("\x12\x03\x08\x80\x01\x0a\x08"
                  "abcdefgh"),
         NULL, NULL},
        {BYTES_OF("\x1a\x07\x0a\x01"
                  "k\x12\x02\x0a\x00"),
         "Order.by_name[0].value.qty", "expected varint (int32), found 0 bytes length-delimited"},
        {BYTES_OF("\x1a\x03\x0a\x01\xff"), "Order.by_name[0].key", "invalid UTF-8 at byte 4"},
        {BYTES_OF("\x1a\x00"), NULL, NULL},
        {BYTES_OF("\x0a\x01\x80"), "Order.id", "invalid UTF-8 at byte 2"},
        {BYTES_OF("\x12\x05\x08\x01"), "Order.items[0]", "length goes past the end at byte 0"},
        {BYTES_OF("\x12\x02\x0a"), "Order.items[0]", "length goes past the end at byte 0"},
    };
    rows_check(PROTO3
               "message Order { string id = 1; repeated Item items = 2;\n"
               "map<string, Item> by_name = 3; } message Item { int32 qty = 1; Item inner = 2; }",
               "shop.Order", false, rows, array_count(rows));
}

Test(contract, utf8) {
    static const struct row rows[] = {
        {BYTES_OF("\x0a\x10"
                  "0123456789abcdef"),
         NULL, NULL},
        {BYTES_OF("\x0a\x10"
                  "0123456789abcde\x80"),
         "A.s", "invalid UTF-8 at byte 17"},
        {BYTES_OF("\x0a\x10\x80"
                  "123456789abcdef"),
         "A.s", "invalid UTF-8 at byte 2"},
        {BYTES_OF("\x0a\x02\xc3\xa4"), NULL, NULL},
        {BYTES_OF("\x0a\x0a\xe2\x82\xac\xf0\x9f\x98\x80"
                  "abc"),
         NULL, NULL},
        {BYTES_OF("\x0a\x02\xc0\x80"), "A.s", "invalid UTF-8 at byte 2"},     /* overlong */
        {BYTES_OF("\x0a\x03\xed\xa0\x80"), "A.s", "invalid UTF-8 at byte 2"}, /* surrogate */
        {BYTES_OF("\x0a\x04\xf4\x90\x80\x80"), "A.s", "invalid UTF-8 at byte 2"},
        {BYTES_OF("\x0a\x01\xc3\x0a\x01"
                  "a"),
         "A.s", "invalid UTF-8 at byte 2"},
        {BYTES_OF("\x0a\x07"
                  "abcdef\xff"
                  "\x12\x01\xff"),
         "A.s", "invalid UTF-8 at byte 8"},
        {BYTES_OF("\x12\x01\xff"), NULL, NULL}, /* bytes */
    };
    rows_check(PROTO3 "message A { string s = 1; bytes b = 2; }", "shop.A", false, rows,
               array_count(rows));
    static const struct row lenient[] = {{BYTES_OF("\x0a\x01\xff"), NULL, NULL}};
    rows_check("message A { optional string s = 1; }", "A", false, lenient, 1);
}

Test(contract, packed_and_unpacked_are_both_fine) {
    static const struct row rows[] = {
        {BYTES_OF("\x0a\x03\x01\x96\x01"), NULL, NULL},
        {BYTES_OF("\x08\x01\x08\x96\x01"), NULL, NULL},
        {BYTES_OF("\x0a\x0b"
                  "0123456789\x96"
                  "\x08\x01"),
         "A.v[0]", "a packed element is cut off at byte 12"},
        {BYTES_OF("\x0a\x00"), NULL, NULL},
        {BYTES_OF("\x0a\x0c"
                  "01234\xff\xff\xff\xff\xff\xff\x01"),
         NULL, NULL},
        {BYTES_OF("\x0a\x10"
                  "01234\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                  "5"),
         NULL, NULL},
        {BYTES_OF("\x0a\x10"
                  "01234\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"
                  "5"),
         "A.v[0]", "a packed element is cut off at byte 7"},
        {BYTES_OF("\x0a\x11"
                  "01234\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                  "5"),
         "A.v[0]", "a packed element is cut off at byte 7"},
        {BYTES_OF("\x12\x08"
                  "01234567"),
         NULL, NULL},
        {BYTES_OF("\x12\x07"
                  "0123456"),
         "A.f[0]", "a packed element is cut off at byte 2"},
        {BYTES_OF("\x1a\x09"
                  "012345678"),
         "A.d[0]", "a packed element is cut off at byte 2"},
        {BYTES_OF("\x22\x00\x22\x01"
                  "x"),
         NULL, NULL},
        {BYTES_OF("\x2a\x01\x00"), "A.one",
         "expected varint (int32), found 1 bytes length-delimited"},
    };
    rows_check(PROTO3
               "message A { repeated int64 v = 1; repeated float f = 2;\n"
               "repeated double d = 3; repeated string s = 4; int32 one = 5; }",
               "shop.A", false, rows, array_count(rows));
}

Test(contract, required_fields) {
    static const struct row rows[] = {
        {BYTES_OF("\x08\x01\x12\x02\x08\x01"), NULL, NULL},
        {BYTES_OF("\x12\x02\x08\x01\x08\x01"), NULL, NULL},
        {BYTES_OF("\x08\x01"), "A.b", "required, but missing"},
        {BYTES_OF(""), "A.a", "required, but missing"},
        {BYTES_OF("\x08\x01\x12\x00"), "A.b.c", "required, but missing"},
        {BYTES_OF("\x08\x01\x12\x02\x08\x01\x1a\x02\x08\x01\x1a\x00"), "A.more[1].c",
         "required, but missing"},
        {BYTES_OF("\x08\x01\x12\x02\x08\x01\x22\x04\x08\x07\x12\x00"), "A.m[0].value.c",
         "required, but missing"},
        {BYTES_OF("\x08\x01\x12\x02\x08\x01\x22\x02\x08\x07"), "A.m[0].value",
         "required, but missing"},
    };
    rows_check(
        "message A { required int32 a = 1; required B b = 2; repeated B more = 3;\n"
        "map<int32, B> m = 4; } message B { required int32 c = 1; }",
        "A", false, rows, array_count(rows));
}

Test(contract, more_required_fields_than_bits) {
    struct subject subject;
    struct text text = {0};
    uint8_t payload[600];
    size_t len = 0;
    text_printf(&text, "message A {");
    for (int i = 1; i <= 200; i++) {
        text_printf(&text, "required int32 f%d = %d;", i, i);
        len += varint_put_u32(payload + len, (uint32_t)i << 3);
        payload[len++] = 1;
    }
    text_printf(&text, "}");
    subject_init(&subject, text.at, "A");
    cr_expect(subject_accepts(&subject, bytes_make(payload, len), false));
    cr_expect_not(subject_accepts(&subject, bytes_make(payload, len - 3), false));
    cr_expect_str_eq(subject.violation.path, "A.f200");
    cr_expect_not(subject_accepts(&subject, bytes_make(payload + 2, len - 2), false));
    cr_expect_str_eq(subject.violation.path, "A.f1");
    subject_deinit(&subject);
    text_deinit(&text);
}

Test(contract, closed_enums) {
    static const struct row rows[] = {
        {BYTES_OF("\x08\x00"), NULL, NULL},
        {BYTES_OF("\x08\x80\x01"), NULL, NULL},
        {BYTES_OF("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NULL, NULL},
        {BYTES_OF("\x08\x01"), "A.e", "its enum has no value 1"},
        {BYTES_OF("\x08\x81\x01"), "A.e", "its enum has no value 129"},
        {BYTES_OF("\x08"), "A.e", "varint cut off or too long at byte 1"},
        {BYTES_OF("\x12\x03\x00\x80\x01"), NULL, NULL},
        {BYTES_OF("\x12\x02\x00\x02"), "A.many[0]", "its enum has no value 2"},
        {BYTES_OF("\x12\x01\x80"), "A.many[0]", "varint cut off or too long at byte 2"},
    };
    rows_check(
        "message A { optional E e = 1; repeated E many = 2 [packed = true]; }\n"
        "enum E { Z = 0; B = 128; M = -1; }",
        "A", false, rows, array_count(rows));
}

Test(contract, groups) {
    static const struct row rows[] = {
        {BYTES_OF("\x0b\x08\x01\x0c"), NULL, NULL},
        {BYTES_OF("\x0b\x0c\x10\x05"), NULL, NULL},
        {BYTES_OF("\x0b\x08\x01"), "A.g[0]", "the group is not closed"},
        {BYTES_OF("\x0b\x14"), "A.g[0]", "group 2 ends at byte 1 but is not open"},
        {BYTES_OF("\x0c"), "A", "group 1 ends at byte 0 but is not open"},
        {BYTES_OF("\x0b\x0a\x00\x0c"), "A.g[0].x",
         "expected varint (int32), found 0 bytes length-delimited"},
        {BYTES_OF("\x2b\x0b\x08\x01\x0c\x12\x01"
                  "a\x2c"),
         NULL, NULL}, /* unknown, nested */
        {BYTES_OF("\x2b\x0b\x2c"), "A.#5.#1", "group 5 ends at byte 2 but is not open"},
        {BYTES_OF("\x1a\x01\x0b\x0c"), "A.m.g[0]", "the group is not closed"},
    };
    rows_check(
        "message A { repeated group G = 1 { optional int32 x = 1; } optional int32 y = 2;\n"
        "optional A m = 3; }",
        "A", false, rows, array_count(rows));
}

Test(contract, unknown_fields_are_allowed_or_refused) {
    static const struct row rows[] = {
        {BYTES_OF("\x08\x01"), NULL, NULL},
        {BYTES_OF("hi"), "A", "no valid field begins at byte 0"},
        {BYTES_OF("\x10\x01"), "A.#2", "field 2 is not in the schema"},
        {BYTES_OF("\xfa\x3f\x00"), "A.#1023", "field 1023 is not in the schema"},
        {BYTES_OF("\xa0\x06\x01"), NULL, NULL}, /* 100: in an extension range */
        {BYTES_OF("\xa3\x06\x08\x01\x10\x01\xa4\x06"), NULL, NULL},
        {BYTES_OF("\xb0\x06\x01"), NULL, NULL}, /* 102: a known extension */
        {BYTES_OF("\xb2\x06\x00"), "A.ext",
         "expected varint (int32), found 0 bytes length-delimited"},
        {BYTES_OF("\x1b\x1c"), "A.#3", "field 3 is not in the schema"},
    };
    const char *text =
        "message A { optional int32 a = 1; extensions 100 to 110; }\n"
        "extend A { optional int32 ext = 102; }";
    struct row strict[array_count(rows)];
    memcpy(strict, rows, sizeof rows);
    strict[1].path = "A.#13", strict[1].reason = "field 13 is not in the schema";
    rows_check(text, "A", true, strict, array_count(strict));
    static const struct row lenient[] = {
        {BYTES_OF("\x10\x01\xfa\x3f\x00\x1b\x1c"), NULL, NULL},
        /* A group is not walked by the rules of the message whose field it is not. */
        {BYTES_OF("\x1b\x0a\x00\x1c"), NULL, NULL},
    };
    rows_check(text, "A", false, lenient, array_count(lenient));
}

Test(contract, nesting_is_limited_like_that_of_parsers) {
    struct subject subject;
    uint8_t payload[1024];
    subject_init(&subject, PROTO3 "message A { A a = 1; }", "shop.A");
    for (size_t depth = 1; depth <= 102; depth++) {
        memset(payload, 0x13, depth); /* begins and ends of field 2, which nobody knows */
        memset(payload + depth, 0x14, depth);
        cr_expect_eq(subject_accepts(&subject, bytes_make(payload, 2 * depth), false),
                     depth <= CONTRACT_NESTING_MAX, "%zu", depth);
    }
    cr_expect_str_eq(subject.violation.reason, "nested deeper than 100 levels");
    subject_deinit(&subject);
}

Test(contract, sparse_numbers_are_found) {
    static const struct row rows[] = {
        {BYTES_OF("\xc0\x3e\x01"), NULL, NULL},
        {BYTES_OF("\xc2\x3e\x00"), "A.b",
         "expected varint (int32), found 0 bytes length-delimited"},
        {BYTES_OF("\xf8\xff\xff\xff\x0f\x01"), NULL, NULL},
        {BYTES_OF("\xfa\xff\xff\xff\x0f\x00"), "A.c",
         "expected varint (int32), found 0 bytes length-delimited"},
        {BYTES_OF("\xc8\x3e\x01"), "A.#1001", "field 1001 is not in the schema"},
    };
    rows_check(PROTO3 "message A { int32 c = 536870911; int32 a = 1; int32 b = 1000; }", "shop.A",
               true, rows, array_count(rows));
}

Test(contract, messages_are_found_by_name_and_by_path) {
    struct subject subject;
    uint32_t found[CONTRACT_PATHS_MAX];
    subject_init(&subject,
                 PROTO3
                 "message A { map<int32, int32> m = 1; message X {} message Y {} }\n"
                 "message B {}",
                 "shop.B");
    static const struct {
        int32_t path[2];
        size_t length, count;
        const char *names[2];
    } rows[] = {
        {{0}, 1, 1, {"shop.A"}},
        {{1}, 1, 1, {"shop.B"}},
        {{2}, 1, 0, {NULL}},
        {{-1}, 1, 0, {NULL}},
        {{0, 0}, 2, 1, {"shop.A.X"}},             /* counted, it is the entry */
        {{0, 1}, 2, 2, {"shop.A.X", "shop.A.Y"}}, /* counted, not counted */
        {{0, 2}, 2, 1, {"shop.A.Y"}},
        {{1, 0}, 2, 0, {NULL}},
        {{0}, 0, 0, {NULL}},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        size_t count = contract_resolve(subject.contract, rows[i].path, rows[i].length, found);
        cr_assert_eq(count, rows[i].count, "row %zu: %zu", i, count);
        for (size_t j = 0; j < count; j++) {
            struct bytes name = contract_message_name(subject.contract, found[j]);
            cr_expect(bytes_equal_text(name, rows[i].names[j]), "row %zu: %.*s", i,
                      BYTES_FORMAT(name));
        }
    }
    cr_expect_eq(contract_top_count(subject.contract), 2);
    cr_expect_not(contract_find(subject.contract, BYTES_OF("A"), found));
    subject_deinit(&subject);
}
