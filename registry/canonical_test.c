#include "registry/canonical.h"

#include <criterion/criterion.h>

#include "registry/known.h"
#include "registry/schema_fixture.h"

static char *canonical_of(struct schema_fixture *schema, bool normalize) {
    struct text text = {0};
    canonical_print(&schema->parsed, &schema->set, normalize, &schema->arena, &text);
    char *copy = arena_text(&schema->arena, text_bytes(&text));
    text_deinit(&text);
    return copy;
}

/* Both forms compile to the same descriptor, and are their own canonical forms. */
static void round_trip(const char *name, const char *text) {
    struct schema_fixture schema, again;
    schema_fixture_init(&schema, text);
    for (int normalize = 0; normalize <= 1; normalize++) {
        const char *printed = canonical_of(&schema, normalize);
        schema_fixture_init(&again, printed);
        cr_expect_str_eq(canonical_of(&again, normalize), printed, "%s", name);
        if (!normalize) {
            cr_expect(bytes_equal(byte_buffer_bytes(&schema.compiled.linked),
                                  byte_buffer_bytes(&again.compiled.linked)),
                      "%s:\n%s", name, printed);
        }
        schema_fixture_deinit(&again);
    }
    schema_fixture_deinit(&schema);
}

static void forms_equal(const char *a, const char *b, bool normalize, bool equal) {
    struct schema_fixture first, second;
    schema_fixture_init(&first, a);
    schema_fixture_init(&second, b);
    const char *printed = canonical_of(&first, normalize);
    cr_expect_eq(strcmp(printed, canonical_of(&second, normalize)) == 0, equal, "%s", printed);
    schema_fixture_deinit(&first);
    schema_fixture_deinit(&second);
}

#define P3 "syntax = \"proto3\";"

Test(canonical, as_written) {
    struct schema_fixture schema;
    schema_fixture_init(&schema,
                        "// a comment\n" P3
                        "option java_package = \"x\"; import \"google/type/money.proto\";"
                        "package shop; enum Kind { NONE = 0; ONE = 1 [deprecated = true]; }"
                        "message Order { Inner inner = 2; string id = 1; message Inner {}"
                        "map<string, google.type.Money> costs = 3; optional int32 n = 4;"
                        "oneof how { string card = 5; Inner gift = 6; } repeated Kind kinds = 7"
                        "[packed = false]; reserved 20 to 22, 30; reserved \"old\"; }"
                        "service S { rpc Buy(Order) returns (stream Order); }");
    cr_expect_str_eq(canonical_of(&schema, false), P3
                     "\n"
                     "package shop;\n"
                     "import \"google/type/money.proto\";\n"
                     "option java_package = \"x\";\n"
                     "message Order {\n"
                     "  reserved 20 to 22, 30;\n"
                     "  reserved \"old\";\n"
                     "  Inner inner = 2;\n"
                     "  string id = 1;\n"
                     "  map<string, google.type.Money> costs = 3;\n"
                     "  optional int32 n = 4;\n"
                     "  repeated Kind kinds = 7 [packed = false];\n"
                     "  oneof how {\n"
                     "    string card = 5;\n"
                     "    Inner gift = 6;\n"
                     "  }\n"
                     "  message Inner {\n"
                     "  }\n"
                     "}\n"
                     "enum Kind {\n"
                     "  NONE = 0;\n"
                     "  ONE = 1 [deprecated = true];\n"
                     "}\n"
                     "service S {\n"
                     "  rpc Buy (Order) returns (stream Order);\n"
                     "}\n");
    schema_fixture_deinit(&schema);
}

Test(canonical, every_construct_survives_the_round_trip) {
    static const char *const texts[] = {
        P3 "message A { map<int32, B> m = 1; B b = 2; } message B { optional string s = 1; }",
        "message A { required group G = 1 { optional bytes b = 1 [default = \"\\001\\\"x\"]; }\n"
        "optional string s = 2 [default = \"a\\\"b\\n\"]; optional double d = 3 [default = -inf];\n"
        "optional E e = 4 [default = Y]; extensions 100 to 199, 300 to max;\n"
        "extend A { repeated float f = 100 [packed = true]; } }\n"
        "enum E { option allow_alias = true; X = -1; Y = 0; Z = 0; reserved 5 to 7, 9 to max; }\n"
        "extend A { optional A a = 101; optional int32 i = 102; }",
        P3
        "message A { option (my.option) = true; int32 an_int = 1 [json_name = \"x\", "
        "(other).y = { a: 1 b: [1, 2] }, (third) = -3, (fourth) = \"s\", (fifth) = NAME]; }",
        P3
        "import \"confluent/meta.proto\"; option (confluent.file_meta).doc = \"about \\\"it\\\"\";"
        "message A { option (confluent.message_meta) = { doc: \"d\" tags: [\"a\", \"b\"]"
        " params: [{ key: \"k\" value: \"v\" }] };"
        "int32 a = 1 [(confluent.field_meta).tags = \"PII\"]; }",
        P3
        "import \"google/protobuf/descriptor.proto\"; package p;"
        "extend google.protobuf.FieldOptions { D d = 50000; repeated sint32 n = 50001;"
        "fixed64 f = 50002; float g = 50003; E e = 50004; }"
        "message D { double x = 1; bytes y = 2; D z = 3; } enum E { NO = 0; YES = 1; }"
        "message A { int32 a = 1 [(d) = { x: 1.5 y: \"\\377\" z: { x: -2 } }, (n) = -1, (n) = 2,"
        "(f) = 18446744073709551615, (g) = 0.1, (e) = YES]; }",
        P3
        "message A { message B { message C { enum D { X = 0; } } } B.C.D d = 1; }"
        "service S { option deprecated = true; rpc R(stream A) returns (A) {"
        " option idempotency_level = IDEMPOTENT; option (x).y = 1; } }",
    };
    for (size_t i = 0; i < array_count(texts); i++) round_trip(texts[i], texts[i]);
}

/* The embedded files are schemas too: from descriptors to text and back. */
Test(canonical, every_known_file_survives_the_round_trip) {
    for (size_t i = 0; i < known_file_count; i++) {
        struct schema_file root = {
            .content = bytes_make(known_files[i].descriptor, known_files[i].len),
            .is_descriptor = true};
        struct schema_compiled compiled;
        struct descriptor_set parsed, linked;
        struct arena arena;
        struct error error;
        struct text text = {0};
        arena_init(&arena, 64 << 20);
        bool done = schema_compile(&root, NULL, 0, &compiled, &error);
        cr_assert(done, "%s: %s", known_files[i].name, error.text);
        cr_assert(
            descriptor_file_read(byte_buffer_bytes(&compiled.parsed), &arena, &parsed, &error));
        cr_assert(
            descriptor_set_read(byte_buffer_bytes(&compiled.linked), &arena, &linked, &error));
        canonical_print(&parsed, &linked, false, &arena, &text);
        round_trip(known_files[i].name, text.at);
        text_deinit(&text);
        schema_compiled_deinit(&compiled);
        arena_deinit(&arena);
    }
}

Test(canonical, normalising_forgets_order_and_spelling) {
    const char *text = P3
        "package p; import \"google/type/money.proto\";"
        "import \"google/type/date.proto\"; option java_package = \"a\";"
        "option go_package = \"b\"; message A { A b = 2; string a = 1;"
        "oneof y { int32 c = 5; } oneof x { int32 d = 4; } reserved 30, 20;"
        "google.type.Money m = 7; }";
    const char *same = P3
        "package p; option go_package = \"b\"; option java_package = \"a\";"
        "import \"google/type/date.proto\"; import \"google/type/money.proto\";"
        "message A { reserved 20; reserved 30; string a = 1; .p.A b = 2;"
        ".google.type.Money m = 7; oneof x { int32 d = 4; }"
        "oneof y { int32 c = 5; } }";
    forms_equal(text, same, true, true);
    forms_equal(text, same, false, false);
    forms_equal(P3 "message A {} message B {}", P3 "message B {} message A {}", true, false);
    forms_equal(P3 "message A { int32 a = 1; }", P3 "message A { int32 b = 1; }", true, false);
    forms_equal(P3 "message A { int32 a = 1; }", P3 "/* c */ message A {\n int32 a=1;}", false,
                true);
}

Test(canonical, text_and_descriptor_of_one_schema_agree_when_normalised) {
    const char *text = P3 "package p; message A { B b = 1; map<string, B> m = 2; } message B {}";
    struct schema_fixture schema;
    struct schema_compiled compiled;
    struct descriptor_set parsed, linked;
    struct error error;
    struct text printed = {0};
    schema_fixture_init(&schema, text);
    /* Clients send descriptors that protoc linked: full names, derived JSON names. */
    const struct file_descriptor *root = descriptor_root(&schema.set);
    struct bytes set = byte_buffer_bytes(&schema.compiled.linked);
    struct bytes last =
        bytes_make(root->name.at - 2, (size_t)(set.at + set.len - root->name.at) + 2);
    struct schema_file file = {.content = last, .is_descriptor = true};
    cr_assert(schema_compile(&file, NULL, 0, &compiled, &error), "%s", error.text);
    cr_assert(
        descriptor_file_read(byte_buffer_bytes(&compiled.parsed), &schema.arena, &parsed, &error));
    cr_assert(
        descriptor_set_read(byte_buffer_bytes(&compiled.linked), &schema.arena, &linked, &error));
    canonical_print(&parsed, &linked, true, &schema.arena, &printed);
    cr_expect_str_eq(printed.at, canonical_of(&schema, true));
    text_deinit(&printed);
    schema_compiled_deinit(&compiled);
    schema_fixture_deinit(&schema);
}
