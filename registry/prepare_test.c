#include "registry/prepare.h"

#include <criterion/criterion.h>

static struct subjects subjects;
static struct schema_view *view;

static void begin(void) {
    subjects_init(&subjects);
    view = schema_view_new(&subjects);
}

static void end(void) {
    schema_view_drop(view);
    subjects_deinit(&subjects);
}

static void look_again(void) {
    schema_view_drop(view);
    view = schema_view_new(&subjects);
}

static struct schema *prepares(const char *text, struct schema_reference *reference) {
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF,
                                 .schema = bytes_of_text(text),
                                 .references = reference,
                                 .reference_count = reference != NULL};
    struct error error;
    struct schema *schema = schema_prepare(view, BYTES_OF("."), &entry, &error);
    cr_assert(schema, "%s", error.text);
    return schema;
}

static void refuses(enum schema_type type, const char *text, const char *why) {
    struct schema_entry entry = {.type = type, .schema = bytes_of_text(text)};
    struct error error;
    cr_expect_null(schema_prepare(view, BYTES_OF("."), &entry, &error), "%s", text);
    cr_expect(strstr(error.text, why), "%s", error.text);
}

static void registers(const char *name, const char *text, struct schema_reference *reference) {
    struct schema *schema = prepares(text, reference);
    struct schema_record record;
    subjects_prepare_register(&subjects, bytes_of_text(name), schema, &record);
    subjects_apply_compiled(&subjects, &record, schema);
    schema_drop(schema);
    look_again();
}

/* A record of the log, as nobody checked it. */
static void replays(const char *name, int32_t id, const char *text) {
    struct schema_record record = {
        .kind = SCHEMA_RECORD_SCHEMA,
        .subject = bytes_of_text(name),
        .version = 1,
        .entry = {
            .version = 1, .id = id, .type = SCHEMA_TYPE_PROTOBUF, .schema = bytes_of_text(text)}};
    subjects_apply(&subjects, &record);
    look_again();
}

#define NO_TEXT_DESCRIPTOR                                                                 \
    "Cg1kZWZhdWx0LnByb3RvEgFwGh9nb29nbGUvcHJvdG9idWYvdGltZXN0YW1wLgxyb3RvGhtidWYvdmFsaWRh" \
    "dGUvdmFsaWRhdGUucHJvdG8ijwIKAU0SFwoBYRgBIAEoCUIJGAG6SARyAhADUgFhEhkKAWQYBCADKAsyCy5w" \
    "Lk0uREVudHJ5UgFkEhIKAXoYCCABKAhIAVICenqIAQESDgoBcRgGIAEoBUgAUgFxEhYKAW4YByABKAsyBi5w" \
    "Lk0uTkgAUgFuGjwKBkRFbnRyeRIQCgNrZXkYASABKAlSA2tleRIcCgV2YWx1ZRgCIAEoCzIGLnAuTS5OUgV2" \
    "YWx1ZToCOAEaKwoBThIQCgF2GAEgAygSQgIQAFIBdhIUCgFlGAIgASgOMgYucC5NLkVSAWUiFQoBRRIFCgFa" \
    "EAASBQoBWRA3GgIQAUIDCgFvQgQKAl96SgQIBRAGSgQICRAMUgF4Mh4KAVMSGQoCRG8SBC5wLk0aBi5wLk0u" \
    "TiIDiAIBMAFiBnByb3RvMw=="

TestSuite(prepare, .init = begin, .fini = end);

#define ORDER "syntax = \"proto3\"; package a; message Order { "

Test(prepare, spelling_makes_no_difference) {
    struct schema *one = prepares(ORDER "string id = 1; Item i = 2; } message Item {}", NULL);
    struct schema *other =
        prepares("// text\n" ORDER ".a.Item i = 2;\n\nstring id = 1; }\nmessage Item {}", NULL);
    struct schema *third = prepares(ORDER "Item i = 2; } message Item {}", NULL);
    cr_expect_eq(one->state, SCHEMA_COMPILED);
    cr_expect(schema_equals(one, other));
    cr_expect_not(schema_equals(one, third));
    cr_expect(bytes_starts_with(one->entry.schema, BYTES_OF("syntax = \"proto3\";\npackage a;\n")));
    schema_drop(one);
    schema_drop(other);
    schema_drop(third);
}

Test(prepare, what_is_none) {
    refuses(SCHEMA_TYPE_PROTOBUF, "message {", "1:9");
    refuses(SCHEMA_TYPE_PROTOBUF, "Zm9v", "");
    refuses(SCHEMA_TYPE_PROTOBUF, "syntax = \"proto3\"; message A { Missing m = 1; }", "Missing");
    refuses(SCHEMA_TYPE_JSON, "{", "1:1");
}

/* Found by mutating descriptors: one that links, with a map's entry that no map<> field makes. */
Test(prepare, a_descriptor_that_no_text_can_say) {
    refuses(SCHEMA_TYPE_PROTOBUF, NO_TEXT_DESCRIPTOR, "no .proto file can say");
}

Test(prepare, references_of_references) {
    registers("item.proto", "syntax = \"proto3\"; package a; message Item { string sku = 1; }",
              NULL);
    struct schema_reference item = {BYTES_OF("a/item.proto"), BYTES_OF("item.proto"), -1};
    registers("order.proto",
              "syntax = \"proto3\"; package a; import \"a/item.proto\"; "
              "message Order { Item item = 1; }",
              &item);
    struct schema_reference order = {BYTES_OF("a/order.proto"), BYTES_OF("order.proto"), -1};
    struct schema *cart = prepares(
        "syntax = \"proto3\"; package a; import \"a/order.proto\"; message Cart { Order o = 1; }",
        &order);
    cr_expect_eq(cart->entry.references[0].version, 1, "the latest, by its number");
    cr_expect(contract_find(cart->contract, BYTES_OF("a.Item"), &(uint32_t){0}));
    schema_drop(cart);

    struct schema_reference missing = {BYTES_OF("x.proto"), BYTES_OF("x"), 3};
    struct schema_entry entry = {.type = SCHEMA_TYPE_PROTOBUF,
                                 .schema = BYTES_OF("syntax = \"proto3\"; import \"x.proto\";"),
                                 .references = &missing,
                                 .reference_count = 1};
    struct error error;
    cr_expect_null(schema_prepare(view, BYTES_OF("."), &entry, &error));
    cr_expect_str_eq(error.text, "No schema reference found for subject \"x\" and version 3");
}

Test(prepare, a_circle_of_references_ends) {
    struct schema_reference itself = {BYTES_OF("self.proto"), BYTES_OF("self"), 1};
    struct schema_record record = {
        .kind = SCHEMA_RECORD_SCHEMA,
        .subject = BYTES_OF("self"),
        .version = 1,
        .entry = {.version = 1,
                  .id = 1,
                  .type = SCHEMA_TYPE_PROTOBUF,
                  .schema = BYTES_OF("syntax = \"proto3\"; import \"self.proto\"; message A {}"),
                  .references = &itself,
                  .reference_count = 1}};
    subjects_apply(&subjects, &record);
    look_again();
    schema_prepare_stored(view, view->by_id[0]);
    cr_expect_eq(view->by_id[0]->state, SCHEMA_QUARANTINED);
}

Test(prepare, what_is_stored_is_compiled_or_set_apart) {
    replays("good", 1, ORDER "string id = 1; }");
    replays("bad", 2, "message {");
    for (size_t i = 0; i < view->schema_count; i++) schema_prepare_stored(view, view->by_id[i]);
    subjects_reindex(&subjects);
    const struct schema *good = schema_view_find(view, BYTES_OF("."), 1);
    const struct schema *bad = schema_view_find(view, BYTES_OF("."), 2);
    cr_expect_eq(good->state, SCHEMA_COMPILED);
    cr_expect_eq(bad->state, SCHEMA_QUARANTINED);
    cr_expect(strstr(bad->problem, "1:9"), "%s", bad->problem);
    struct schema *same = prepares("// spelled otherwise\n" ORDER "string id=1; }", NULL);
    cr_expect(schema_equals(same, good));
    cr_expect_not_null(subjects_find_same(&subjects, NULL, same, false), "found by the new hash");
    schema_drop(same);
}

static size_t problems(enum compatibility_level level, const char *text) {
    const struct schema_subject *subject = schema_view_subject(view, BYTES_OF("s"));
    const struct schema_version *versions[8];
    struct compatibility_verdict verdict;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < subject->count; i++) versions[i] = &subject->versions[i];
    struct schema *candidate = prepares(text, NULL);
    schema_compare(view, level, candidate, versions, subject->count, &arena, &verdict);
    if (verdict.count > 0) cr_expect(strstr(verdict.problems[0], "{errorType:\""));
    if (verdict.count > 0) cr_expect_gt(verdict.version, 0);
    schema_drop(candidate);
    arena_deinit(&arena);
    return verdict.count;
}

Test(prepare, comparing_by_level) {
    registers("s", ORDER "int32 n = 1; }", NULL);
    registers("s", ORDER "int32 n = 1; string was = 2; }", NULL);
    registers("s", ORDER "int32 n = 1; }", NULL);
    const char *bytes = ORDER "string n = 1; }", *second = ORDER "int32 n = 1; int64 was = 2; }";
    cr_expect_eq(problems(COMPATIBILITY_NONE, bytes), 0);
    cr_expect_eq(problems(COMPATIBILITY_BACKWARD, bytes), 1);
    cr_expect_eq(problems(COMPATIBILITY_FORWARD, bytes), 1);
    cr_expect_eq(problems(COMPATIBILITY_FULL, bytes), 2);
    cr_expect_eq(problems(COMPATIBILITY_BACKWARD, second), 0, "the version before has no field 2");
    cr_expect_eq(problems(COMPATIBILITY_BACKWARD_TRANSITIVE, second), 1);
    cr_expect_eq(problems(COMPATIBILITY_FULL_TRANSITIVE, second), 2);
}
