#include "registry/schema_record.h"

#include <criterion/criterion.h>

#include "base/memory.h"

/* As Confluent's registry writes them, and back: the same but for spaces, order and what is not
 * kept (md5, timestamps). */
static const struct {
    const char *key, *value; /* value NULL: a tombstone */
    enum schema_record_kind kind;
    const char *written; /* the value that is written; NULL: as read */
} rows[] = {
    {"{\"keytype\":\"SCHEMA\",\"subject\":\"orders-value\",\"version\":1,\"magic\":1}",
     "{\"subject\":\"orders-value\",\"version\":1,\"id\":7,\"md5\":\"x\",\"schemaType\":"
     "\"PROTOBUF\","
     "\"references\":[{\"name\":\"a/b.proto\",\"subject\":\"b\",\"version\":2}],"
     "\"metadata\":{\"properties\":{\"owner\":\"me\"}},\"ruleSet\":null,"
     "\"schema\":\"syntax = \\\"proto3\\\";\\nmessage A {}\\n\",\"deleted\":false,\"ts\":1}",
     SCHEMA_RECORD_SCHEMA,
     "{\"subject\":\"orders-value\",\"version\":1,\"id\":7,\"schemaType\":\"PROTOBUF\","
     "\"references\":[{\"name\":\"a/b.proto\",\"subject\":\"b\",\"version\":2}],"
     "\"metadata\":{\"properties\":{\"owner\":\"me\"}},"
     "\"schema\":\"syntax = \\\"proto3\\\";\\nmessage A {}\\n\",\"deleted\":false}"},
    {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":3,\"magic\":1}",
     "{\"subject\":\"a\",\"version\":3,\"id\":9,\"schema\":\"\\\"string\\\"\",\"deleted\":true}",
     SCHEMA_RECORD_SCHEMA, NULL},
    {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":3,\"magic\":1}", NULL,
     SCHEMA_RECORD_SCHEMA, NULL},
    {"{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0}", "{\"compatibilityLevel\":\"FULL\"}",
     SCHEMA_RECORD_CONFIG, NULL},
    {"{\"keytype\":\"MODE\",\"subject\":\"a\",\"magic\":0}", "{\"mode\":\"READONLY\"}",
     SCHEMA_RECORD_MODE, NULL},
    {"{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"a\",\"magic\":0}",
     "{\"subject\":\"a\",\"version\":3}", SCHEMA_RECORD_DELETE_SUBJECT, NULL},
    {"{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\"a\",\"magic\":0}", "{\"subject\":\"a\"}",
     SCHEMA_RECORD_CLEAR_SUBJECT, NULL},
    {"{\"keytype\":\"NOOP\",\"magic\":0}", NULL, SCHEMA_RECORD_NOOP, NULL},
    {"{\"keytype\":\"HIGHEST_ID\",\"context\":\".\",\"magic\":0}", "{\"id\":17}",
     SCHEMA_RECORD_HIGHEST_ID, NULL},
};

Test(schema_record, is_read_and_written_in_the_registrys_format) {
    for (size_t i = 0; i < array_count(rows); i++) {
        struct schema_record record;
        struct error error;
        struct arena arena;
        struct text key = {0}, value = {0};
        arena_init(&arena, 1 << 20);
        bool read = schema_record_read(bytes_of_text(rows[i].key), bytes_of_text(rows[i].value),
                                       &arena, &record, &error);
        cr_assert(read, "row %zu: %s", i, error.text);
        cr_expect_eq(record.kind, rows[i].kind, "row %zu", i);
        cr_expect_eq(record.tombstone, rows[i].value == NULL);
        schema_record_write(&record, &key, &value);
        cr_expect_str_eq(key.at, rows[i].key, "row %zu", i);
        const char *written = rows[i].written ? rows[i].written : rows[i].value;
        if (written)
            cr_expect_str_eq(value.at, written, "row %zu", i);
        else
            cr_expect_null(value.at, "row %zu", i);
        text_deinit(&key);
        text_deinit(&value);
        arena_deinit(&arena);
    }
}

Test(schema_record, fields_of_a_schema) {
    struct schema_record record;
    struct error error;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    cr_assert(schema_record_read(bytes_of_text(rows[0].key), bytes_of_text(rows[0].value), &arena,
                                 &record, &error));
    cr_expect(bytes_equal_text(record.subject, "orders-value"));
    cr_expect_eq(record.entry.id, 7);
    cr_expect_eq(record.entry.type, SCHEMA_TYPE_PROTOBUF);
    cr_assert_eq(record.entry.reference_count, 1);
    cr_expect(bytes_equal_text(record.entry.references[0].name, "a/b.proto"));
    cr_expect_eq(record.entry.references[0].version, 2);
    cr_expect(bytes_is_null(record.entry.rule_set));
    cr_expect(bytes_equal_text(record.entry.schema, "syntax = \"proto3\";\nmessage A {}\n"));
    arena_deinit(&arena);
}

Test(schema_record, what_is_not_readable_is_an_error_and_other_kinds_are_none) {
    static const struct {
        const char *key, *value;
        bool read;
    } broken[] = {
        {"", "{}", false},
        {"[]", "{}", false},
        {"{\"keytype\":1}", "{}", false},
        {"{\"keytype\":\"SCHEMA\",\"version\":1}", "{}", false},
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1}", "", false},
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1}", "{\"version\":1,\"id\":1}",
         false},
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1}",
         "{\"version\":2,\"id\":1,\"schema\":\"\"}", false},
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1}",
         "{\"version\":1,\"id\":0,\"schema\":\"\"}", false},
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1}",
         "{\"version\":1,\"id\":4294967297,\"schema\":\"\"}", false},
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1}",
         "{\"version\":1,\"id\":1,\"schema\":\"\",\"schemaType\":\"XML\"}", false},
        {"{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1}",
         "{\"version\":1,\"id\":1,\"schema\":\"\",\"references\":[{}]}", false},
        {"{\"keytype\":\"CONTEXT\",\"context\":\".\"}", "{\"whatever\":true}", true},
        {"{\"keytype\":\"CONFIG\"}", "{\"alias\":\"b\"}", true},
    };
    for (size_t i = 0; i < array_count(broken); i++) {
        struct schema_record record;
        struct error error;
        struct arena arena;
        arena_init(&arena, 1 << 20);
        cr_expect_eq(schema_record_read(bytes_of_text(broken[i].key),
                                        bytes_of_text(broken[i].value), &arena, &record, &error),
                     broken[i].read, "row %zu", i);
        arena_deinit(&arena);
    }
}

/* The arena's limit is what a record may take. */
Test(schema_record, what_is_too_large_is_an_error) {
    static const struct {
        const char *before, *behind; /* a text of 2,000 bytes in between, or as many numbers */
        bool numbers;
    } large[] = {{"{\"id\":1,\"version\":1,\"schema\":\"", "\"}", false},
                 {"{\"id\":1,\"version\":1,\"schema\":\"\",\"metadata\":\"", "\"}", false},
                 {"{\"id\":1,\"version\":1,\"schema\":\"\",\"references\":[0", "]}", true}};
    for (size_t i = 0; i < array_count(large); i++) {
        struct schema_record record;
        struct error error;
        struct arena arena;
        struct text value = {0};
        text_printf(&value, "%s", large[i].before);
        for (int at = 0; at < 2000; at++) text_printf(&value, large[i].numbers ? ",0" : "x");
        text_printf(&value, "%s", large[i].behind);
        arena_init(&arena, 1000);
        cr_assert_not(
            schema_record_read(BYTES_OF("{\"keytype\":\"SCHEMA\",\"subject\":\"a\",\"version\":1}"),
                               text_bytes(&value), &arena, &record, &error));
        cr_expect_not_null(strstr(error.text, "too large"), "row %zu: %s", i, error.text);
        text_deinit(&value);
        arena_deinit(&arena);
    }
}
