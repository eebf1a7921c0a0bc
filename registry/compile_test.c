#include "registry/compile.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "registry/known.h"

static struct error error;

static bool compiles_with(const char *text, const struct schema_file *imports, size_t count) {
    struct schema_file root = {.content = bytes_of_text(text)};
    struct schema_compiled compiled;
    bool done = schema_compile(&root, imports, count, &compiled, &error);
    cr_assert(!done || (compiled.parsed.len && compiled.linked.len));
    schema_compiled_deinit(&compiled);
    return done;
}

static bool compiles(const char *text) { return compiles_with(text, NULL, 0); }

static bool compiles_descriptor(struct bytes descriptor) {
    struct schema_file root = {.content = descriptor, .is_descriptor = true};
    struct schema_compiled compiled;
    bool done = schema_compile(&root, NULL, 0, &compiled, &error);
    schema_compiled_deinit(&compiled);
    return done;
}

#define ORDER                                                                                     \
    "syntax = \"proto3\";\n"                                                                      \
    "package shop;\n"                                                                             \
    "import \"google/protobuf/timestamp.proto\";\n"                                               \
    "message Order { string id = 1; google.protobuf.Timestamp at = 2; map<string, Item> items = " \
    "3;\n"                                                                                        \
    "  oneof how { string card = 4; Item gift = 5; } optional int32 n = 6; }\n"                   \
    "message Item { int32 qty = 1; }\n"

Test(compile, text_and_its_descriptor_both_compile) {
    struct schema_file root = {.content = bytes_of_text(ORDER)};
    struct schema_compiled compiled, again;
    cr_assert(schema_compile(&root, NULL, 0, &compiled, &error), "%s", error.text);
    root =
        (struct schema_file){.content = byte_buffer_bytes(&compiled.parsed), .is_descriptor = true};
    cr_assert(schema_compile(&root, NULL, 0, &again, &error), "%s", error.text);
    cr_assert(bytes_equal(byte_buffer_bytes(&compiled.linked), byte_buffer_bytes(&again.linked)));
    schema_compiled_deinit(&compiled);
    schema_compiled_deinit(&again);
}

Test(compile, errors_have_line_and_column) {
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"syntax = \"proto3\";\nmessage A {\n  string a;\n}\n", "3:11: Missing field number."},
        {"syntax = \"proto3\";\nmessage A {\n  B b = 1;\n}\n", "3:3: \"B\" is not defined."},
        {"syntax = \"proto3\";\nmessage A {\n  int32 a = 1;\n  int32 b = 1;\n}\n", "4:13: "},
        {"message A {\n  optional B b = 1 [default = X];\n}\n", "2:12: \"B\" is not defined."},
        {"message A {}\nextend B { optional int32 b = 1; }\n", "2:8: \"B\" is not defined."},
        {"message A {}\nservice S {\n  rpc R(A) returns (B);\n}\n", "3:21: \"B\" is not defined."},
        {"message A {}\nservice S {\n  rpc R(.g.B) returns (A);\n}\n", "3:9: \".g.B\" is not"},
        {"syntax = \"proto3\";\nimport \"gone.proto\";\nmessage A { gone.B b = 1; }\n", "3:13: "},
        {"message A { required int32 a = 1 }", "1:34: Expected \";\"."},
        {"syntax = \"proto3\";\nmessage A { required int32 a = 1; }", "2:22: "},
        {"edition = \"2023\";\nmessage A {}\n", "1:1: "},
        {"", "Empty schema"},
        {"// only a comment\n", "Empty schema"},
        {"hello", "1:1: "},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        cr_expect_not(compiles(rows[i].text), "row %zu", i);
        cr_expect_eq(strncmp(error.text, rows[i].error, strlen(rows[i].error)), 0,
                     "row %zu: \"%s\"", i, error.text);
    }
}

Test(compile, unknown_options_and_unused_missing_imports_are_no_errors) {
    cr_expect(compiles("syntax = \"proto3\";\nimport \"gone.proto\";\nmessage A {\n"
                       "  option (my_option) = true; int32 a = 1 [(other).x = { y: 2 }]; }"),
              "%s", error.text);
    cr_expect_not(compiles("syntax = \"proto3\"; message A { option nonsense = true; }"));
}

Test(compile, imports_come_from_references_first_then_from_what_is_known) {
    struct schema_file imports[] = {
        {.name = BYTES_OF("a/b.proto"),
         .content = BYTES_OF("syntax = \"proto3\"; import \"c.proto\"; message B { C c = 1; }")},
        {.name = BYTES_OF("c.proto"), .content = BYTES_OF("syntax = \"proto3\"; message C {}")},
    };
    const char *text = "syntax = \"proto3\"; import \"a/b.proto\"; message A { B b = 1; }";
    cr_expect(compiles_with(text, imports, 2), "%s", error.text);
    cr_expect_not(compiles_with(text, imports, 1));
    cr_expect_eq(strncmp(error.text, "a/b.proto:1:", 12), 0, "%s", error.text);
}

Test(compile, every_known_file_can_be_imported) {
    for (size_t i = 0; i < known_file_count; i++) {
        char text[256];
        snprintf(text, sizeof text, "syntax = \"proto3\"; import \"%s\"; message A {}",
                 known_files[i].name);
        cr_expect(compiles(text), "%s: %s", known_files[i].name, error.text);
    }
    cr_expect_geq(known_file_count, 30);
    cr_expect(compiles("syntax = \"proto3\"; import \"google/type/money.proto\";"
                       "import \"confluent/meta.proto\"; import \"confluent/types/decimal.proto\";"
                       "message A { google.type.Money m = 1 [(confluent.field_meta).doc = \"x\"];"
                       "confluent.type.Decimal d = 2; }"),
              "%s", error.text);
    cr_expect(compiles("syntax = \"proto3\"; import \"buf/validate/validate.proto\"; message A {"
                       "string mail = 1 [(buf.validate.field).string.email = true]; }"),
              "%s", error.text);
}

Test(compile, imports_in_a_circle_are_refused) {
    struct schema_file imports[] = {
        {.name = BYTES_OF("b.proto"),
         .content = BYTES_OF("syntax = \"proto3\"; import \"b.proto\"; message B {}")},
        {.name = BYTES_OF("c.proto"),
         .content = BYTES_OF("syntax = \"proto3\"; import \"d.proto\"; message C {}")},
        {.name = BYTES_OF("d.proto"),
         .content = BYTES_OF("syntax = \"proto3\"; import \"c.proto\"; message D {}")},
    };
    cr_expect_not(compiles_with("import \"b.proto\"; message A {}", imports, 3));
    cr_expect_not(compiles_with("import \"c.proto\"; message A {}", imports, 3));
    cr_expect_not(compiles("import \"default.proto\"; message A {}"));
}

static char *nested(const char *opens, const char *closes, size_t depth) {
    size_t open = strlen(opens), close = strlen(closes);
    char *text = memory_zero(depth * (open + close) + 1, 1);
    for (size_t i = 0; i < depth; i++) memcpy(text + i * open, opens, open);
    for (size_t i = 0; i < depth; i++) memcpy(text + depth * open + i * close, closes, close);
    return text;
}

Test(compile, deep_nesting_is_refused_before_the_parser_sees_it) {
    static const char *const rows[][2] = {
        {"message A{", "}"},         {"message A{]", "}"},
        {"message A{ // }\n", "}"},  {"message A{ \"}\" ", "}"},
        {"message A{ '\\'}' ", "}"}, {"message A{ /* } */ ", "}"},
        {"message A{ \"}\n", "}"},   {"option (a) = {a: ", "}"},
        {"option (a) = {a < ", ">"}, {"message A{oneof a{group", "}}"},
    };
    for (size_t i = 0; i < array_count(rows); i++) {
        char *text = nested(rows[i][0], rows[i][1], 20000);
        cr_expect_not(compiles(text), "row %zu", i);
        cr_expect(strstr(error.text, "nested deeper"), "row %zu: %s", i, error.text);
        free(text);
    }
    char *fine = nested("message A{", "}", SCHEMA_NESTING_MAX - 1);
    cr_expect(compiles(fine), "%s", error.text);
    free(fine);
}

Test(compile, comments_and_strings_are_not_nesting) {
    char *text = nested("// { \n /* { */ ", "", 100);
    char whole[4096];
    snprintf(whole, sizeof whole,
             "%s message A { optional string a = 1 [default = '{{{{{\\'{{']; }", text);
    cr_expect(compiles(whole), "%s", error.text);
    free(text);
}

Test(compile, size_and_zero_bytes_are_refused) {
    char *large = memory_zero(SCHEMA_SIZE_MAX + 2, 1);
    memset(large, ' ', SCHEMA_SIZE_MAX + 1);
    cr_expect_not(compiles(large));
    cr_expect(strstr(error.text, "1048577 bytes"), "%s", error.text);
    free(large);
    cr_expect_not(schema_scan_text(BYTES_OF("message\0A {}"), &error));
}

/* FileDescriptorProto.message_type is 4, DescriptorProto.nested_type is 3. */
Test(compile, deeply_nested_descriptors_are_refused) {
    struct byte_buffer inner = {0};
    byte_buffer_append(&inner, BYTES_OF("\x0a\x01"
                                        "A"));
    for (int depth = 0; depth < 2000; depth++) {
        struct byte_buffer outer = {0};
        byte_buffer_append(&outer, BYTES_OF("\x0a\x01"
                                            "A"));
        byte_buffer_append(&outer, BYTES_OF("\x1a"));
        uint8_t length[2] = {(uint8_t)(inner.len | 0x80), (uint8_t)(inner.len >> 7)};
        byte_buffer_append(&outer, bytes_make(length, 2));
        byte_buffer_append(&outer, byte_buffer_bytes(&inner));
        byte_buffer_deinit(&inner);
        inner = outer;
    }
    inner.at[3] = 0x22; /* the outermost nested_type becomes the file's message_type */
    cr_expect_not(compiles_descriptor(byte_buffer_bytes(&inner)));
    byte_buffer_deinit(&inner);
    cr_expect_not(compiles_descriptor(BYTES_OF("\xff\xff\xff")));
    cr_expect_not(compiles_descriptor(BYTES_OF("")));
}

/* FileOptions (8) with an UninterpretedOption (999) whose aggregate_value (8) nests. */
Test(compile, nesting_inside_an_uninterpreted_option_of_a_descriptor_is_refused) {
    char *aggregate = nested("a{#}\n", "", 60);
    struct byte_buffer option = {0}, options = {0}, file = {0};
    byte_buffer_append(&option, BYTES_OF("\x12\x05\x0a\x01"
                                         "x\x10\x01\x42"));
    uint8_t length[2] = {(uint8_t)(strlen(aggregate) | 0x80), (uint8_t)(strlen(aggregate) >> 7)};
    byte_buffer_append(&option, bytes_make(length, 2));
    byte_buffer_append(&option, bytes_of_text(aggregate));
    byte_buffer_append(&options, BYTES_OF("\xba\x3e"));
    length[0] = (uint8_t)(option.len | 0x80), length[1] = (uint8_t)(option.len >> 7);
    byte_buffer_append(&options, bytes_make(length, 2));
    byte_buffer_append(&options, byte_buffer_bytes(&option));
    byte_buffer_append(&file, BYTES_OF("\x22\x03\x0a\x01"
                                       "A\x42"));
    length[0] = (uint8_t)(options.len | 0x80), length[1] = (uint8_t)(options.len >> 7);
    byte_buffer_append(&file, bytes_make(length, 2));
    byte_buffer_append(&file, byte_buffer_bytes(&options));
    cr_expect_not(compiles_descriptor(byte_buffer_bytes(&file)));
    cr_expect(strstr(error.text, "nests too deep"), "%s", error.text);
    byte_buffer_deinit(&option);
    byte_buffer_deinit(&options);
    byte_buffer_deinit(&file);
    free(aggregate);
}
