#include "registry/contract_plan.h"

#include <criterion/criterion.h>

#include "registry/folder_fixture.h"

static struct folder_fixture fixture;
static struct contract_folder folder;
static struct contract_manifest manifest;
static struct contract_plan plan;
static struct options *options;
static struct topic_config defaults;
static struct subjects subjects;
static struct text problems;

static void begin(void) {
    folder_fixture_init(&fixture);
    subjects_init(&subjects);
    options = options_new();
    topic_config_defaults(options, &defaults);
}

static void end(void) {
    subjects_deinit(&subjects);
    options_free(options);
    text_deinit(&problems);
    folder_fixture_deinit(&fixture);
}

TestSuite(contract_plan, .init = begin, .fini = end);

#define ITEM "syntax = \"proto3\"; package shop; message Item { int32 qty = 1; }"
#define ORDER                                                                                   \
    "syntax = \"proto3\"; package shop; import \"item.proto\"; message Order { string id = 1; " \
    "Item item = 2; } message Note { string text = 1; }"
#define BIND(part) "topics:\n  orders:\n    value: " part "\n"

static bool plans(const char *yaml) {
    struct schema_view *view = schema_view_new(&subjects);
    problems.len = 0;
    manifest = (struct contract_manifest){0};
    if (yaml) folder_fixture_write(&fixture, MANIFEST_NAME, yaml);
    bool good = contract_folder_open(fixture.path, &folder, &problems) &&
                (!folder.manifest ||
                 contract_manifest_read(folder.manifest, &fixture.arena, &manifest, &problems));
    cr_assert(good, "%s", problems.at);
    good =
        contract_plan_make(&plan, &folder, &manifest, view, &defaults, &fixture.arena, &problems);
    schema_view_drop(view);
    return good;
}

static void plan_end(void) {
    contract_plan_deinit(&plan);
    contract_folder_close(&folder);
}

/* What contract_plan_write() does, without a log. */
static void carry_out(void) {
    for (size_t i = 0; i < plan.count; i++)
        if (plan.records[i].schema)
            subjects_apply_compiled(&subjects, &plan.records[i].record, plan.records[i].schema);
        else
            subjects_apply(&subjects, &plan.records[i].record);
}

/* Plans, carries out, and plans again, which comes to nothing. */
static void settles(const char *yaml, size_t records) {
    cr_assert(plans(yaml), "%s", problems.at);
    cr_expect_eq(plan.count, records, "%zu records", plan.count);
    carry_out();
    plan_end();
    cr_assert(plans(yaml), "%s", problems.at);
    cr_expect_eq(plan.count, 0, "%zu records at the second time", plan.count);
    plan_end();
}

static void refuses(const char *yaml, const char *words) {
    cr_expect_not(plans(yaml), "%s", yaml ? yaml : "");
    cr_expect(problems.len > 0 && strstr(problems.at, words), "%s", problems.at);
    plan_end();
}

static int32_t version_of(const char *name) {
    const struct subject *subject = subjects_find(&subjects, bytes_of_text(name), false);
    return subject ? subject_find_version(subject, -1, false)->entry.version : 0;
}

static int32_t id_of(const char *name) {
    const struct subject *subject = subjects_find(&subjects, bytes_of_text(name), false);
    return subject ? subject_find_version(subject, -1, false)->entry.id : 0;
}

static void expect_edit(const char *name, const char *value) {
    const struct topic_binding *binding = &plan.bindings.items[0];
    for (int32_t i = 0; i < binding->edit_count; i++) {
        const struct config_edit *edit = &binding->edits[i];
        if (!bytes_equal_text(edit->name, name)) continue;
        cr_expect_eq(edit->operation, value ? CONFIG_OPERATION_SET : CONFIG_OPERATION_DELETE);
        cr_expect(!value || bytes_equal_text(edit->value, value), "%s", name);
        return;
    }
    cr_expect_fail("%s is not edited", name);
}

static void write_shop(void) {
    folder_fixture_write(&fixture, "item.proto", ITEM);
    folder_fixture_write(&fixture, "order.proto", ORDER);
}

Test(contract_plan, without_a_manifest_files_go_by_their_paths) {
    write_shop();
    settles(NULL, 2);
    cr_expect(id_of("item.proto") == 1 && id_of("order.proto") == 2);
    const struct subject *order = subjects_find(&subjects, BYTES_OF("order.proto"), false);
    const struct schema_entry *entry = &subject_find_version(order, 1, false)->entry;
    cr_assert_eq(entry->reference_count, 1);
    cr_expect(bytes_equal_text(entry->references[0].subject, "item.proto"));
    cr_expect_eq(entry->references[0].version, 1);
}

Test(contract_plan, a_bound_file_goes_by_its_topic) {
    write_shop();
    settles(BIND("{message: shop.Order}"), 2);
    cr_expect(version_of("orders-value") == 1 && version_of("item.proto") == 1);
    cr_expect_eq(version_of("order.proto"), 0, "nobody imports it");
    cr_assert(plans(BIND("{message: shop.Order, framing: raw}")));
    cr_assert_eq(plan.bindings.count, 1);
    cr_expect(bytes_equal_text(plan.bindings.items[0].topic, "orders"));
    expect_edit("millrace.value.contract", "payload");
    expect_edit("millrace.value.message", "shop.Order");
    expect_edit("millrace.value.framing", "raw");
    expect_edit("millrace.value.versions", NULL);
    cr_expect_eq(plan.bindings.items[0].edit_count, MANIFEST_CONFIGS, "keys are left alone");
    plan_end();
}

Test(contract_plan, a_file_with_two_subjects_has_one_id) {
    write_shop();
    settles("topics:\n  a:\n    value: {message: shop.Item}\n  b:\n    key: {message: shop.Item}\n",
            4);
    cr_expect(id_of("a-value") == 1 && id_of("b-key") == 1 && id_of("item.proto") == 1);
    cr_expect_eq(version_of("order.proto"), 1);
}

Test(contract_plan, subjects_by_record) {
    write_shop();
    settles(BIND("{message: [shop.Order, shop.Item], strategy: record}"), 3);
    cr_expect(version_of("shop.Order") == 1 && version_of("shop.Item") == 1);
    settles(BIND("{message: shop.Order, strategy: topic-record}"), 1);
    cr_expect_eq(version_of("orders-shop.Order"), 1);
}

Test(contract_plan, a_change_is_a_version_and_its_users_follow) {
    write_shop();
    settles(BIND("{message: shop.Order}"), 2);
    folder_fixture_write(&fixture, "item.proto",
                         "syntax = \"proto3\"; package shop; message Item { int32 qty = 1; "
                         "string sku = 2; }");
    settles(BIND("{message: shop.Order}"), 2);
    cr_expect(version_of("orders-value") == 2 && version_of("item.proto") == 2);
}

Test(contract_plan, what_breaks_readers_is_refused) {
    write_shop();
    settles(BIND("{message: shop.Order}"), 2);
    folder_fixture_write(&fixture, "item.proto",
                         "syntax = \"proto3\"; package shop; message Item { string qty = 1; }");
    refuses(BIND("{message: shop.Order}"),
            "/item.proto: not compatible (BACKWARD) with version 1 of subject \"item.proto\"");
    cr_expect(strstr(problems.at, "FIELD_SCALAR_KIND_CHANGED"), "%s", problems.at);
    cr_expect_eq(version_of("item.proto"), 1);
    settles("compatibility: NONE\n" BIND("{message: shop.Order}"), 4);
    cr_expect_eq(version_of("orders-value"), 2);
}

Test(contract_plan, levels_and_locks) {
    write_shop();
    settles(BIND("{message: shop.Order, compatibility: full, lock: true}"), 4);
    cr_expect_eq(subjects_level(&subjects, BYTES_OF("orders-value")), COMPATIBILITY_FULL);
    cr_expect_eq(subjects_level(&subjects, BYTES_OF("item.proto")), COMPATIBILITY_BACKWARD);
    cr_expect_eq(subjects_mode(&subjects, BYTES_OF("orders-value")), MODE_READONLY);
    folder_fixture_write(&fixture, "order.proto", ORDER "message More {}");
    refuses(BIND("{message: shop.Order}"), "not compatible (FULL)");
    settles(BIND("{message: shop.Order, compatibility: BACKWARD}"), 2);
    cr_expect_eq(version_of("orders-value"), 2, "the lock is for serializers");
}

#define TWO(first, second)                                                             \
    "topics:\n  a:\n    value: {message: shop.Item, subject: s, compatibility: " first \
    "}\n  b:\n    value: {message: shop.Item, subject: s, compatibility: " second "}\n"

/* Or every start would write the one, then the other. */
Test(contract_plan, a_subject_has_one_level) {
    write_shop();
    refuses(TWO("FULL", "NONE"), "/millrace.yaml:5: subject \"s\" has compatibility FULL by ");
    cr_expect(strstr(problems.at, "/millrace.yaml:3, NONE here"), "%s", problems.at);
    settles(TWO("NONE", "none"), 4);
    refuses(TWO("FULL", "NONE"), "/millrace.yaml:5: subject \"s\" has");
    refuses("compatibility: FULL\n" BIND("{message: shop.Item, subject: item.proto, "
                                         "compatibility: NONE}"),
            "/millrace.yaml:4: subject \"item.proto\" has compatibility FULL by ");
}

/* A hundred lines are enough for anybody. */
Test(contract_plan, problems_end) {
    struct text yaml = {0};
    write_shop();
    text_printf(&yaml, "topics:\n");
    for (int i = 0; i < 300; i++)
        text_printf(&yaml, "  t%d:\n    value: {message: shop.None}\n", i);
    refuses(yaml.at, "/millrace.yaml:201: no file has the message");
    cr_expect_not(strstr(problems.at, "/millrace.yaml:203: "), "%s", problems.at);
    text_deinit(&yaml);
}

Test(contract_plan, modes_that_forbid) {
    const struct schema_record import = {.kind = SCHEMA_RECORD_MODE,
                                         .subject = BYTES_OF("item.proto"),
                                         .setting = BYTES_OF("IMPORT")};
    write_shop();
    subjects_apply(&subjects, &import);
    refuses(NULL, "subject \"item.proto\" is in mode IMPORT");
}

Test(contract_plan, what_is_named_and_not_there) {
    write_shop();
    refuses(BIND("{message: shop.Ordr}"),
            "/millrace.yaml:3: no file has the message \"shop.Ordr\"; there are: shop.Item, "
            "shop.Order, shop.Note\n");
    refuses(BIND("{any-message: true}"), "say which");
    refuses(BIND("{any-message: true, file: other.proto}"), "there is no file \"other.proto\"");
    refuses(BIND("{message: shop.Note, file: item.proto}"), "no file has the message");
    refuses(BIND("{message: [shop.Item, shop.Order]}"), "messages of one subject are of one file");
    refuses(BIND("{any-message: true, strategy: record}"), "messages have to be named");
    refuses(BIND("{message: [shop.Order, shop.Note], framing: raw}"), "cannot tell messages apart");
}

/* Its ids are counted by themselves, and what a file imports is not there. */
Test(contract_plan, subjects_are_of_the_default_context) {
    write_shop();
    refuses(BIND("{message: shop.Item, subject: \":.team:items\"}"),
            "/item.proto: subject \":.team:items\" is of the context \".team\"");
    settles(BIND("{message: shop.Item, subject: items}"), 3);
}

Test(contract_plan, subjects_by_record_may_be_too_long) {
    char text[3000], yaml[3000], name[1101] = "";
    memset(name, 'a', sizeof name - 1);
    snprintf(text, sizeof text, "syntax = \"proto3\"; message %s {}", name);
    snprintf(yaml, sizeof yaml, BIND("{message: %s, strategy: record}"), name);
    folder_fixture_write(&fixture, "long.proto", text);
    refuses(yaml, "/long.proto: this can be no subject's name: aaa");
}

Test(contract_plan, any_message_of_a_file) {
    write_shop();
    settles(BIND("{any-message: true, file: order.proto, level: schema-id}"), 2);
    settles(BIND("{message: [shop.Item, shop.Order], file: order.proto}"), 0);
}

Test(contract_plan, one_that_is_off_needs_no_schema) {
    settles(BIND("{level: \"off\"}"), 0);
    cr_assert(plans(BIND("{level: \"off\"}")));
    expect_edit("millrace.value.contract", "off");
    plan_end();
}

Test(contract_plan, what_was_there_stays) {
    write_shop();
    settles(NULL, 2);
    const struct schema_record hide = {
        .kind = SCHEMA_RECORD_DELETE_SUBJECT, .subject = BYTES_OF("order.proto"), .version = 1};
    const struct schema_record highest = {
        .kind = SCHEMA_RECORD_HIGHEST_ID, .context = BYTES_OF("."), .id_highest = 9};
    subjects_apply(&subjects, &hide);
    subjects_apply(&subjects, &highest);
    folder_fixture_write(&fixture, "note.proto",
                         "syntax = \"proto3\"; message Note { string text = 1; }");
    settles(NULL, 2);
    cr_expect_eq(id_of("order.proto"), 2, "hidden, and registered again");
    cr_expect_eq(version_of("order.proto"), 2);
    cr_expect_eq(id_of("note.proto"), 10, "ids go on behind the highest");
}

Test(contract_plan, an_image_is_planned_as_its_texts) {
    struct byte_buffer image = {0};
    folder_fixture_descriptor(&image, "item.proto", ITEM, NULL, NULL);
    folder_fixture_descriptor(&image, "order.proto", ORDER, "item.proto", ITEM);
    folder_fixture_write_bytes(&fixture, "all.binpb", byte_buffer_bytes(&image));
    byte_buffer_deinit(&image);
    settles(BIND("{message: shop.Order}"), 2);
    remove(folder_fixture_path(&fixture, "all.binpb"));
    write_shop();
    settles(BIND("{message: shop.Order}"), 0);
}
