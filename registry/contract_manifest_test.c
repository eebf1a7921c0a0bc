#include "registry/contract_manifest.h"

#include <criterion/criterion.h>

#include "registry/folder_fixture.h"

static struct folder_fixture fixture;
static struct contract_manifest manifest;
static struct text problems;

static void begin(void) { folder_fixture_init(&fixture); }

static void end(void) {
    text_deinit(&problems);
    folder_fixture_deinit(&fixture);
}

TestSuite(contract_manifest, .init = begin, .fini = end);

static bool reads(const char *text) {
    folder_fixture_write(&fixture, "m.yaml", text);
    problems.len = 0;
    return contract_manifest_read(folder_fixture_path(&fixture, "m.yaml"), &fixture.arena,
                                  &manifest, &problems);
}

/* `place` is "line:column: words", or a part of them. */
static void refuses(const char *text, const char *words) {
    cr_expect_not(reads(text), "%s", text);
    cr_expect(problems.len > 0 && strstr(problems.at, words), "%s%s", text, problems.at);
}

Test(contract_manifest, topics_and_their_parts) {
    cr_assert(reads("compatibility: FULL\n"
                    "topics:\n"
                    "  orders:\n"
                    "    value:\n"
                    "      message: [shop.Order, shop.Item]\n"
                    "      unknown-fields: reject\n"
                    "      lock: true\n"
                    "    key: {any-message: true, file: shop/key.proto}\n"
                    "  events:\n"
                    "    value: {level: \"off\"}\n"),
              "%s", problems.at);
    cr_expect_str_eq(manifest.compatibility, "FULL");
    cr_assert_eq(manifest.count, 2);
    const struct manifest_topic *orders = &manifest.topics[0];
    const struct manifest_part *value = orders->parts[CONTRACT_OF_VALUE];
    const struct manifest_part *key = orders->parts[CONTRACT_OF_KEY];
    cr_expect(bytes_equal_text(orders->name, "orders"));
    cr_expect_str_eq(value->values[MANIFEST_MESSAGE], "shop.Order,shop.Item");
    cr_expect_str_eq(value->values[MANIFEST_UNKNOWN_FIELDS], "reject");
    cr_expect_null(value->values[MANIFEST_FRAMING]);
    cr_expect(manifest_part_has(value, MANIFEST_LOCK));
    cr_expect(strstr(value->place, "/m.yaml:4"), "%s", value->place);
    cr_expect(manifest_part_has(key, MANIFEST_ANY_MESSAGE));
    cr_expect_str_eq(key->values[MANIFEST_FILE], "shop/key.proto");
    cr_expect_null(manifest.topics[1].parts[CONTRACT_OF_KEY]);
}

Test(contract_manifest, one_that_says_nothing) {
    cr_expect(reads("") && manifest.count == 0);
    cr_expect(reads("topics: {}\n") && manifest.count == 0);
}

#define VALUE "topics:\n  t:\n    value: "

Test(contract_manifest, what_is_wrong) {
    refuses("topics: [\n", "m.yaml:2:1: not valid YAML");
    refuses("- a\n", "m.yaml:1:1: `topics:` and `compatibility:` are expected");
    refuses("topic: {}\n", "m.yaml:1:1: \"topic\" is not expected");
    refuses("compatibility: SOME\n", "m.yaml:1:16: \"SOME\" is no level");
    refuses("topics:\n  a b:\n    value: {any-message: true}\n", "m.yaml:2:3: ");
    refuses("topics:\n  __consumer_offsets:\n    value: {any-message: true}\n", "broker's own");
    refuses("topics:\n  _schemas:\n    value: {any-message: true}\n", "broker's own");
    refuses("topics:\n  t: {value: {any-message: true}}\n  t: {}\n", "m.yaml:3:3: the topic");
    refuses("topics:\n  t:\n    values: {}\n", "m.yaml:3:5: \"values\"");
    refuses(VALUE "{mesage: a.B}\n", "did you mean \"message\"?");
    refuses(VALUE "{any-message: yes}\n", "neither true nor false");
    refuses(VALUE "{any-message: true, framing: cooked}\n", "m.yaml:3:41: ");
    refuses(VALUE "{any-message: true, message: a.B}\n", "either message or any-message");
    refuses(VALUE "{framing: raw}\n", "say which messages are allowed");
    refuses(VALUE "{message: {a: b}}\n", "a plain value is expected");
    refuses(VALUE "{message: a.B, message: a.C}\n", "said twice");
    refuses(VALUE "\n", "are expected here");
}

Test(contract_manifest, all_of_it_is_told) {
    refuses(VALUE "{framing: cooked, versions: some}\n", "cooked");
    cr_expect(strstr(problems.at, "any, latest") && strstr(problems.at, "say which messages"), "%s",
              problems.at);
}

Test(contract_manifest, one_that_is_not_there) {
    cr_expect_not(contract_manifest_read("/nowhere/m.yaml", &fixture.arena, &manifest, &problems));
    cr_expect(strstr(problems.at, "/nowhere/m.yaml: cannot be read"), "%s", problems.at);
}

/* --- what is small as a text, and large when its aliases are followed --- */

static void repeat(struct text *text, const char *words, const char *behind, int count) {
    for (int i = 0; i < count; i++) text_printf(text, "%s%d%s", words, i, behind);
}

Test(contract_manifest, aliases_that_are_too_large) {
    struct text text = {0};
    text_printf(&text, "topics:\n  first: &t {value: {message: [");
    repeat(&text, "m", ",", 5000);
    text_printf(&text, "m]}}\n");
    repeat(&text, "  t", ": *t\n", 5000);
    arena_deinit(&fixture.arena);
    arena_init(&fixture.arena, SIZE_MAX);
    refuses(text.at, "too large with all that its aliases stand for\n");
    cr_expect_lt(fixture.arena.used, 128 << 20);
    text_deinit(&text);
}

Test(contract_manifest, as_many_topics_as_there_can_be) {
    struct text text = {0};
    text_printf(&text, "topics:\n");
    repeat(&text, " ", ": {}\n", 80000);
    arena_deinit(&fixture.arena);
    arena_init(&fixture.arena, SIZE_MAX);
    cr_assert(reads(text.at) && manifest.count == 80000, "%s", problems.at);
    text_printf(&text, " 0: {}\n");
    refuses(text.at, "m.yaml:80002:2: the topic \"0\" is there twice\n");
    cr_assert_lt(text.len, MANIFEST_BYTES_MAX);
    text_deinit(&text);
}

Test(contract_manifest, as_many_problems_as_anybody_reads) {
    struct text text = {0};
    repeat(&text, "wrong", ": 1\n", 1000);
    refuses(text.at, "m.yaml:100:1: ");
    cr_expect_not(strstr(problems.at, "m.yaml:101:"));
    text_deinit(&text);
}
