#include "registry/descriptor.h"

#include <criterion/criterion.h>

#include "registry/schema_fixture.h"

Test(descriptor, says_what_the_text_says) {
    struct schema_fixture schema;
    schema_fixture_init(&schema,
                        "syntax = \"proto3\"; package shop;\n"
                        "message Order { string id = 1; map<string, Item> items = 3;\n"
                        "  oneof how { string card = 4; Item gift = 5; } optional int32 n = 6;\n"
                        "  repeated int32 loose = 7 [packed = false]; Kind kind = 8;\n"
                        "  message Inner { Inner again = 1; } reserved 20 to 22, 40; }\n"
                        "message Item { int32 qty = 1; }\n"
                        "enum Kind { NONE = 0; SOME = -1; }\n"
                        "service Shop { rpc Buy(Order) returns (stream Item); }\n");
    const struct file_descriptor *file = descriptor_root(&schema.set);
    cr_assert(file->proto3);
    cr_assert(bytes_equal_text(file->package, "shop"));
    cr_assert_eq(file->message_count, 2);
    const struct message_descriptor *order = &file->messages[0];
    cr_assert(bytes_equal_text(order->full_name, "shop.Order"));
    cr_assert_eq(order->field_count, 7);
    cr_assert_eq(order->message_count, 2);
    cr_assert(order->messages[0].is_map_entry);
    cr_assert_eq(order->fields[1].message, &order->messages[0]);
    cr_assert_eq(order->fields[2].oneof, 0);
    cr_assert(order->fields[4].proto3_optional);
    cr_assert_eq(order->fields[5].packing, PACKING_OFF);
    cr_assert_eq(order->fields[6].enumeration, &file->enums[0]);
    cr_assert_eq(order->messages[1].fields[0].message, &order->messages[1]);
    cr_assert(bytes_equal_text(order->messages[1].full_name, "shop.Order.Inner"));
    cr_assert_eq(order->reserved_count, 2);
    cr_assert_eq(order->reserved[0].last, 22);
    cr_assert_eq(file->enums[0].values[1].number, -1);
    cr_assert(file->services[0].methods[0].server_streaming);
    cr_assert_eq(descriptor_find_message(&schema.set, BYTES_OF(".shop.Item")), &file->messages[1]);
    cr_assert_null(descriptor_find_message(&schema.set, BYTES_OF("shop.Nothing")));
    schema_fixture_deinit(&schema);
}

Test(descriptor, broken_bytes_are_an_error) {
    struct arena arena;
    struct descriptor_set set;
    struct error error;
    arena_init(&arena, 1 << 20);
    cr_expect_not(descriptor_set_read(BYTES_OF(""), &arena, &set, &error));
    cr_expect_not(descriptor_set_read(BYTES_OF("\x0a\x05"), &arena, &set, &error));
    cr_expect_not(descriptor_set_read(BYTES_OF("\x0a\x01\x22"), &arena, &set, &error));
    /* A field without a number, and one in a oneof that is not there. */
    cr_expect_not(descriptor_file_read(BYTES_OF("\x22\x04\x12\x02\x0a\x00"), &arena, &set, &error));
    cr_expect_not(
        descriptor_file_read(BYTES_OF("\x22\x06\x12\x04\x18\x01\x48\x00"), &arena, &set, &error));
    arena_deinit(&arena);
}

Test(descriptor, memory_is_bounded_by_the_arena) {
    static uint8_t many[2 * 4096];
    struct arena arena;
    struct descriptor_set set;
    struct error error;
    for (size_t i = 0; i < sizeof many; i += 2) many[i] = 0x22; /* empty messages */
    arena_init(&arena, 1 << 16);
    cr_expect_not(descriptor_file_read(bytes_make(many, sizeof many), &arena, &set, &error));
    cr_expect(strstr(error.text, "too large"), "%s", error.text);
    arena_deinit(&arena);
}
