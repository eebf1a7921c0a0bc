#include "registry/contract_folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/folder_fixture.h"

static struct folder_fixture fixture;
static struct contract_folder folder;
static struct text problems;

static void begin(void) { folder_fixture_init(&fixture); }

static void end(void) {
    contract_folder_close(&folder);
    text_deinit(&problems);
    folder_fixture_deinit(&fixture);
}

TestSuite(contract_folder, .init = begin, .fini = end);

#define ITEM "syntax = \"proto3\"; package shop; message Item { int32 qty = 1; }"
#define ORDER                                                                        \
    "syntax = \"proto3\"; package shop; import \"shop/item.proto\"; message Order {" \
    " Item item = 1; }"

static void opens(const char *below) {
    const char *path = folder_fixture_path(&fixture, below);
    cr_assert(contract_folder_open(path, &folder, &problems), "%s", problems.at);
    cr_assert_eq(problems.len, 0);
}

static void refuses(const char *words) {
    cr_assert_not(contract_folder_open(fixture.path, &folder, &problems));
    cr_expect(strstr(problems.at, words), "%s", problems.at);
}

static size_t lines(void) {
    size_t count = 0;
    for (const char *at = problems.at; at && (at = strchr(at, '\n')); at++) count++;
    return count;
}

static void expect_name(size_t index, const char *name) {
    cr_assert_lt(index, folder.count);
    cr_expect(bytes_equal_text(folder.files[index].name, name), "%.*s",
              BYTES_FORMAT(folder.files[index].name));
}

Test(contract_folder, imports_come_first) {
    folder_fixture_write(&fixture, "a.proto",
                         "syntax = \"proto3\"; import \"shop/order.proto\"; message A {}");
    folder_fixture_write(&fixture, "shop/item.proto", ITEM);
    folder_fixture_write(&fixture, "shop/order.proto", ORDER);
    folder_fixture_write(&fixture, "shop/README.md", "no schema");
    folder_fixture_write(&fixture, ".hidden/x.proto", "no schema");
    folder_fixture_write(&fixture, MANIFEST_NAME, "topics: {}");
    opens("");
    cr_assert_eq(folder.count, 3);
    expect_name(0, "shop/item.proto");
    expect_name(1, "shop/order.proto");
    expect_name(2, "a.proto");
    cr_expect(folder.files[1].import_count == 1 && folder.files[1].imports[0] == 0);
    cr_expect(folder.files[0].is_imported && folder.files[1].is_imported);
    cr_expect_not(folder.files[2].is_imported);
    cr_expect_str_eq(folder.manifest, folder_fixture_path(&fixture, MANIFEST_NAME));
    cr_expect_eq(contract_folder_find(&folder, BYTES_OF("a.proto")), 2);
    cr_expect_eq(contract_folder_find(&folder, BYTES_OF("b.proto")), folder.count);
}

Test(contract_folder, an_empty_one) {
    folder_fixture_write(&fixture, "README.md", "nothing");
    refuses(": has no .proto file, no image and no millrace.yaml\n");
    cr_expect_eq(lines(), 1);
}

Test(contract_folder, a_manifest_alone) {
    folder_fixture_write(&fixture, MANIFEST_NAME, "topics: {}");
    opens("");
    cr_expect_eq(folder.count, 0);
}

Test(contract_folder, one_that_is_not_there) {
    contract_folder_close(&folder);
    cr_expect_not(contract_folder_open("/nowhere/at/all", &folder, &problems));
    cr_expect(strstr(problems.at, "/nowhere/at/all: No such file"), "%s", problems.at);
}

Test(contract_folder, files_are_reached_through_links) {
    folder_fixture_write(&fixture, "..data/item.proto", ITEM);
    cr_assert_eq(symlink("..data/item.proto", folder_fixture_path(&fixture, "item.proto")), 0);
    cr_assert_eq(symlink(".", folder_fixture_path(&fixture, "circle")), 0);
    opens("");
    cr_expect_eq(folder.count, 1);
}

Test(contract_folder, all_that_is_wrong_is_told_once) {
    folder_fixture_write(&fixture, "bad.proto", "syntax = \"proto3\";\nmessage A { B b = 1; }\n");
    folder_fixture_write(&fixture, "worse.proto", "message {");
    folder_fixture_write(&fixture, "user.proto",
                         "syntax = \"proto3\"; import \"bad.proto\"; message C { A a = 1; }");
    folder_fixture_write(&fixture, "good.proto", ITEM);
    refuses("/bad.proto:2:13: \"B\" is not defined.\n");
    cr_expect(strstr(problems.at, "/worse.proto:1:9: "), "%s", problems.at);
    cr_expect_eq(lines(), 2, "%s", problems.at);
}

Test(contract_folder, circles) {
    folder_fixture_write(&fixture, "a.proto", "syntax = \"proto3\"; import \"b.proto\";");
    folder_fixture_write(&fixture, "b.proto", "syntax = \"proto3\"; import \"a.proto\";");
    refuses("imports itself");
}

Test(contract_folder, known_files_are_built_in) {
    folder_fixture_write(&fixture, "google/protobuf/timestamp.proto", "not looked at");
    folder_fixture_write(&fixture, "a.proto",
                         "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\";"
                         "message A { google.protobuf.Timestamp at = 1; }");
    opens("");
    cr_expect(folder.count == 1 && folder.files[0].import_count == 0);
}

/* A FileDescriptorSet of two files, the first with source_code_info and a field of buf's. */
static void image_write(const char *name) {
    struct byte_buffer image = {0};
    folder_fixture_descriptor(&image, "shop/item.proto", ITEM, NULL, NULL);
    folder_fixture_descriptor(&image, "order.proto", ORDER, "shop/item.proto", ITEM);
    folder_fixture_write_bytes(&fixture, name, byte_buffer_bytes(&image));
    byte_buffer_deinit(&image);
}

static void expect_image(void) {
    cr_assert_eq(folder.count, 2);
    expect_name(0, "shop/item.proto");
    expect_name(1, "order.proto");
    cr_expect(folder.files[0].is_descriptor && folder.files[1].imports[0] == 0);
}

Test(contract_folder, an_image_in_the_folder) {
    image_write("all.binpb");
    opens("");
    expect_image();
}

Test(contract_folder, an_image_instead_of_a_folder) {
    image_write("all.set");
    opens("all.set");
    expect_image();
}

Test(contract_folder, what_is_no_image) {
    folder_fixture_write(&fixture, "all.binpb", "hello");
    refuses("all.binpb: not an image");
}

Test(contract_folder, an_image_of_too_many_files) {
    struct byte_buffer image = {0};
    for (int i = 0; i < FOLDER_FILES_MAX + 1000; i++) {
        struct byte_buffer file = {0};
        char name[20];
        snprintf(name, sizeof name, "%d.proto", i);
        folder_fixture_field(&file, 1, bytes_of_text(name));
        folder_fixture_field(&image, 1, byte_buffer_bytes(&file));
        byte_buffer_deinit(&file);
    }
    folder_fixture_write_bytes(&fixture, "all.binpb", byte_buffer_bytes(&image));
    byte_buffer_deinit(&image);
    refuses("all.binpb: 1000.proto: there are more than 1000 files\n");
    cr_expect_eq(lines(), 100, "told of as far as anybody reads");
}

Test(contract_folder, a_name_that_is_there_twice) {
    image_write("all.binpb");
    folder_fixture_write(&fixture, "order.proto", ORDER);
    refuses("the file is also in");
}
