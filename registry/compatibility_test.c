#include "registry/compatibility.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "registry/schema_fixture.h"

/* The kinds found from one text to another, with their paths: "FIELD_KIND_CHANGED #/A/1, ...". */
static void kinds_between(enum compatibility_level level, const char *was, const char *now,
                          char kinds[1024]) {
    struct schema_fixture old, new;
    struct differences differences;
    size_t len = 0;
    schema_fixture_init(&old, was);
    schema_fixture_init(&new, now);
    const struct descriptor_set *versions[] = {&old.set};
    compatibility_check(level, &new.set, versions, 1, &new.arena, &differences);
    kinds[0] = 0;
    for (size_t i = 0; i < differences.told; i++) {
        len +=
            (size_t)snprintf(kinds + len, 1024 - len, "%s%s %s", len ? ", " : "",
                             difference_kind_name(differences.at[i].kind), differences.at[i].path);
    }
    schema_fixture_deinit(&old);
    schema_fixture_deinit(&new);
}

#define P3 "syntax = \"proto3\";"

/* Going backward from the first text to the second, and forward. "" is compatible. */
static const struct {
    const char *was, *now, *backward, *forward;
} rules[] = {
    {P3 "package a; message A {}", P3 "package b; message A {}", "PACKAGE_CHANGED #/",
     "PACKAGE_CHANGED #/"},
    /* Messages. */
    {P3 "message A {} message B {}", P3 "message A {}", "MESSAGE_REMOVED #/B", ""},
    {P3 "message A { message B {} }", P3 "message A {}", "MESSAGE_REMOVED #/A/B", ""},
    {P3 "message A {}", P3 "message A {} message B {}", "", "MESSAGE_REMOVED #/B"},
    {P3 "message A {} message B {}", P3 "message B {} message A {}", "", ""},
    {P3 "message A { map<int32, int32> m = 1; }", P3 "message A {}", "", ""},
    /* Fields. */
    {P3 "message A { int32 a = 1; }", P3 "message A {}", "", ""},
    {P3 "message A { int32 a = 1; }", P3 "message A { int32 b = 1; }", "", ""},
    {P3 "message A { int32 a = 1; B b = 2; } message B {}",
     P3 "message A { B a = 1; int32 b = 2; } message B {}",
     "FIELD_KIND_CHANGED #/A/1, FIELD_KIND_CHANGED #/A/2",
     "FIELD_KIND_CHANGED #/A/1, FIELD_KIND_CHANGED #/A/2"},
    {P3 "message A { map<string, string> a = 1; }", P3 "message A { string a = 1; }",
     "FIELD_KIND_CHANGED #/A/1", "FIELD_KIND_CHANGED #/A/1"},
    {P3 "message A { E a = 1; } enum E { X = 0; }", P3 "message A { int32 a = 1; }", "", ""},
    {P3 "message A { map<string, int32> a = 1; }", P3 "message A { map<string, string> a = 1; }",
     "FIELD_SCALAR_KIND_CHANGED #/A/1", "FIELD_SCALAR_KIND_CHANGED #/A/1"},
    {P3 "message A { map<string, B> a = 1; } message B {} message C {}",
     P3 "message A { map<string, C> a = 1; } message B {} message C {}",
     "FIELD_NAMED_TYPE_CHANGED #/A/1", "FIELD_NAMED_TYPE_CHANGED #/A/1"},
    {P3 "message A { B a = 1; } message B {} message C {}",
     P3 "message A { C a = 1; } message B {} message C {}", "FIELD_NAMED_TYPE_CHANGED #/A/1",
     "FIELD_NAMED_TYPE_CHANGED #/A/1"},
    {P3 "message A { A a = 1; B b = 2; } message B { A a = 1; }",
     P3 "message A { A a = 1; B b = 2; } message B { A a = 1; }", "", ""},
    /* Labels. */
    {P3 "message A { optional int32 a = 1; }", P3 "message A { repeated int32 a = 1; }",
     "FIELD_NUMERIC_LABEL_CHANGED #/A/1", "FIELD_NUMERIC_LABEL_CHANGED #/A/1"},
    {P3 "message A { int32 a = 1; }", P3 "message A { repeated int32 a = 1; }", "", ""},
    {P3 "message A { int32 a = 1; }", P3 "message A { optional int32 a = 1; }", "", ""},
    {P3 "message A { optional string a = 1; }", P3 "message A { repeated string a = 1; }", "", ""},
    {"message A { optional int32 a = 1; }", "message A { required int32 a = 1; }",
     "FIELD_NUMERIC_LABEL_CHANGED #/A/1", "FIELD_NUMERIC_LABEL_CHANGED #/A/1"},
    {"message A { optional string a = 1; }", "message A { required string a = 1; }", "", ""},
    {"message A {}", "message A { required int32 a = 1; }", "REQUIRED_FIELD_ADDED #/A/1",
     "REQUIRED_FIELD_REMOVED #/A/1"},
    /* Oneofs. */
    {P3 "message A { oneof o { int32 a = 1; int32 b = 2; } }",
     P3 "message A { oneof o { int32 a = 1; } }", "ONEOF_FIELD_REMOVED #/A/o/2", ""},
    {P3 "message A { oneof o { int32 a = 1; int32 b = 2; } }",
     P3 "message A { oneof p { int32 a = 1; } }", "ONEOF_FIELD_REMOVED #/A/o/2", ""},
    {P3 "message A { oneof o { int32 a = 1; int32 b = 2; } }", P3 "message A { int32 a = 1; }",
     "ONEOF_FIELD_REMOVED #/A/o/2", ""},
    {P3 "message A { oneof o { int32 a = 1; int32 b = 2; } }", P3 "message A {}", "", ""},
    {P3 "message A { oneof o { int32 a = 1; int32 b = 2; } }",
     P3 "message A { int32 a = 1; int32 b = 2; }", "", "MULTIPLE_FIELDS_MOVED_TO_ONEOF #/A/o"},
    {P3 "message A { int32 a = 1; }", P3 "message A { oneof o { int32 a = 1; } }", "", ""},
    {P3 "message A { int32 a = 1; }", P3 "message A { oneof o { int32 a = 1; int32 b = 2; } }", "",
     "ONEOF_FIELD_REMOVED #/A/o/2"},
    {P3 "message A { int32 a = 1; oneof o { int32 b = 2; } }",
     P3 "message A { oneof o { int32 b = 2; int32 a = 1; } }",
     "FIELD_MOVED_TO_EXISTING_ONEOF #/A/o/1", ""},
    {P3 "message A { oneof o { int32 a = 1; int32 b = 2; } }",
     P3 "message A { oneof p { int32 a = 1; int32 b = 2; } }", "", ""},
    {P3 "message A { oneof o { int32 a = 1; int32 b = 2; } oneof p { int32 c = 3; } }",
     P3 "message A { oneof q { int32 a = 1; int32 b = 2; int32 c = 3; } }",
     "MULTIPLE_FIELDS_MOVED_TO_ONEOF #/A/q", ""},
    {P3 "message A { int32 a = 1; int32 b = 2; }",
     P3 "message A { optional int32 a = 1; optional int32 b = 2; }", "", ""},
    /* What nobody looks at. */
    {P3 "message A { reserved 5; int32 a = 1 [deprecated = true]; } enum E { X = 0; Y = 1; }",
     P3 "message A { int32 a = 1 [json_name = \"x\"]; } enum E { X = 0; Z = 1; } service S {}", "",
     ""},
    {"message A { optional group G = 1 { optional int32 a = 1; } }", "message A {}", "", ""},
    {P3 "message A { int32 a = 1; } enum E { X = 0; }", P3 "message A { int32 a = 1; }", "", ""},
};

Test(compatibility, every_rule) {
    for (size_t i = 0; i < array_count(rules); i++) {
        char found[1024];
        kinds_between(COMPATIBILITY_BACKWARD, rules[i].was, rules[i].now, found);
        cr_expect_str_eq(found, rules[i].backward, "row %zu backward: %s", i, found);
        kinds_between(COMPATIBILITY_FORWARD, rules[i].was, rules[i].now, found);
        cr_expect_str_eq(found, rules[i].forward, "row %zu forward: %s", i, found);
        kinds_between(COMPATIBILITY_NONE, rules[i].was, rules[i].now, found);
        cr_expect_str_eq(found, "", "row %zu none", i);
    }
}

/* The classes of scalars that read each other: all pairs. */
Test(compatibility, scalar_classes) {
    static const struct {
        const char *type;
        int group;
    } types[] = {{"int32", 1},   {"int64", 1},    {"uint32", 1},  {"uint64", 1},
                 {"bool", 1},    {"E", 1},        {"sint32", 2},  {"sint64", 2},
                 {"string", 3},  {"bytes", 3},    {"fixed32", 4}, {"sfixed32", 4},
                 {"fixed64", 5}, {"sfixed64", 5}, {"float", 6},   {"double", 7}};
    for (size_t i = 0; i < array_count(types); i++) {
        for (size_t j = 0; j < array_count(types); j++) {
            char was[128], now[128], found[1024];
            const char *format = P3 "enum E { X = 0; } message A { %s a = 1; }";
            snprintf(was, sizeof was, format, types[i].type);
            snprintf(now, sizeof now, format, types[j].type);
            kinds_between(COMPATIBILITY_FULL, was, now, found);
            cr_expect_eq(found[0] == 0, types[i].group == types[j].group, "%s %s: %s",
                         types[i].type, types[j].type, found);
        }
    }
}

Test(compatibility, imported_types_are_compared_where_they_are_used) {
    struct schema_file imports[] = {
        {.name = BYTES_OF("b.proto"),
         .content = BYTES_OF(P3 "message B { int32 x = 1; B again = 2; }")},
        {.name = BYTES_OF("b.proto"),
         .content = BYTES_OF(P3 "message B { string x = 1; B again = 2; }")},
    };
    struct schema_file root = {
        .content = BYTES_OF(P3 "import \"b.proto\"; message A { B b = 3; B c = 4; }")};
    struct schema_compiled compiled[2];
    struct descriptor_set sets[2];
    struct differences differences;
    struct arena arena;
    struct error error;
    arena_init(&arena, 16 << 20);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(schema_compile(&root, &imports[i], 1, &compiled[i], &error), "%s", error.text);
        cr_assert(
            descriptor_set_read(byte_buffer_bytes(&compiled[i].linked), &arena, &sets[i], &error));
    }
    const struct descriptor_set *versions[] = {&sets[0]};
    compatibility_check(COMPATIBILITY_BACKWARD, &sets[1], versions, 1, &arena, &differences);
    cr_assert_eq(differences.count, 2);
    cr_expect_str_eq(differences.at[1].path, "#/A/4");
    cr_expect_eq(differences.at[0].kind, FIELD_NAMED_TYPE_CHANGED);
    cr_expect_str_eq(differences.at[0].path, "#/A/3");
    compatibility_check(COMPATIBILITY_FULL, &sets[0], versions, 1, &arena, &differences);
    cr_expect_eq(differences.count, 0);
    for (size_t i = 0; i < 2; i++) schema_compiled_deinit(&compiled[i]);
    arena_deinit(&arena);
}

/* Three versions: field 1 goes from int32 to string to string, and a message comes with each. */
Test(compatibility, levels_choose_direction_and_versions) {
    static const char *const texts[] = {
        P3 "message A { int32 a = 1; }",
        P3 "message A { string a = 1; } message B {}",
        P3 "message A { string a = 1; } message B {} message C {}",
    };
    static const size_t expected[COMPATIBILITY_LEVEL_COUNT] = {
        [COMPATIBILITY_NONE] = 0,
        [COMPATIBILITY_BACKWARD] = 0,            /* 2 -> 3 */
        [COMPATIBILITY_BACKWARD_TRANSITIVE] = 1, /* and the type of 1 -> 3 */
        [COMPATIBILITY_FORWARD] = 1,             /* C is missing in 2 */
        [COMPATIBILITY_FORWARD_TRANSITIVE] = 4,  /* and B, C, the type in 1 */
        [COMPATIBILITY_FULL] = 1,
        [COMPATIBILITY_FULL_TRANSITIVE] = 5,
    };
    struct schema_fixture schemas[3];
    for (size_t i = 0; i < 3; i++) schema_fixture_init(&schemas[i], texts[i]);
    const struct descriptor_set *versions[] = {&schemas[0].set, &schemas[1].set};
    for (int level = 0; level < COMPATIBILITY_LEVEL_COUNT; level++) {
        struct differences differences;
        compatibility_check(level, &schemas[2].set, versions, 2, &schemas[2].arena, &differences);
        cr_expect_eq(differences.count, expected[level], "%s: %zu", compatibility_level_name(level),
                     differences.count);
        compatibility_check(level, &schemas[2].set, NULL, 0, &schemas[2].arena, &differences);
        cr_expect_eq(differences.count, 0, "nothing to compare with");
    }
    for (size_t i = 0; i < 3; i++) schema_fixture_deinit(&schemas[i]);
}

Test(compatibility, level_names) {
    enum compatibility_level level;
    cr_assert(compatibility_level_parse(BYTES_OF("full_Transitive"), &level));
    cr_expect_eq(level, COMPATIBILITY_FULL_TRANSITIVE);
    cr_expect_str_eq(compatibility_level_name(level), "FULL_TRANSITIVE");
    cr_expect_not(compatibility_level_parse(BYTES_OF("FULL_"), &level));
    cr_expect_not(compatibility_level_parse(BYTES_OF(""), &level));
}

Test(compatibility, texts_say_which_schema_lacks_what) {
    struct difference difference = {.kind = FIELD_KIND_CHANGED, .path = "#/Msg/2"};
    struct text text = {0};
    difference_print(&difference, &text);
    cr_expect_str_eq(text.at,
                     "{errorType:\"FIELD_KIND_CHANGED\", description:\"The type of a field at path "
                     "'#/Msg/2' in the new schema does not match the old schema\"}");
    text_deinit(&text);
    text = (struct text){0};
    difference =
        (struct difference){.kind = MESSAGE_REMOVED, .path = "#/B", .roles_exchanged = true};
    difference_print(&difference, &text);
    cr_expect_str_eq(text.at,
                     "{errorType:\"MESSAGE_REMOVED\", description:\"A message at path '#/B' in the "
                     "new schema is missing in the old schema\"}");
    text_deinit(&text);
    char path[5000];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    text = (struct text){0};
    difference = (struct difference){.kind = MESSAGE_REMOVED, .path = path};
    difference_print(&difference, &text);
    cr_expect_lt(text.len, 1200, "a hundred of them go into one answer");
    text_deinit(&text);
}
