/* For unit tests: a schema from .proto text, and one of its messages, for JSON. */
#pragma once

#include "registry/json_read.h"
#include "registry/json_write.h"
#include "registry/schema_fixture.h"

struct json_fixture {
    struct schema_fixture source;
    struct json_schema *schema;
    const struct json_message *message;
    struct byte_buffer wire; /* of the last json_fixture_read() */
    struct text json;        /* of the last json_fixture_write() */
    struct error error;
};

static inline void json_fixture_init(struct json_fixture *fixture, const char *text,
                                     const char *message) {
    *fixture = (struct json_fixture){0};
    schema_fixture_init(&fixture->source, text);
    fixture->schema = json_schema_new(&fixture->source.set, &fixture->error);
    cr_assert(fixture->schema, "%s", fixture->error.text);
    fixture->message = json_schema_find(fixture->schema, bytes_of_text(message));
    cr_assert(fixture->message, "no message %s", message);
}

static inline void json_fixture_deinit(struct json_fixture *fixture) {
    byte_buffer_deinit(&fixture->wire);
    text_deinit(&fixture->json);
    json_schema_free(fixture->schema);
    schema_fixture_deinit(&fixture->source);
}

static inline bool json_fixture_read(struct json_fixture *fixture, struct bytes json) {
    fixture->wire.len = 0;
    return json_read(fixture->schema, fixture->message, json, &fixture->wire, &fixture->error);
}

static inline bool json_fixture_write(struct json_fixture *fixture, struct bytes payload) {
    fixture->json.len = 0;
    return json_write(fixture->schema, fixture->message, payload, false, &fixture->json,
                      &fixture->error);
}

/* JSON that is read and written again; what comes out is the canonical form. */
struct json_row {
    const char *in, *out; /* out NULL: as it went in */
};

static inline void json_rows_check(const char *text, const char *message,
                                   const struct json_row *rows, size_t count) {
    struct json_fixture fixture;
    json_fixture_init(&fixture, text, message);
    for (size_t i = 0; i < count; i++) {
        const char *expected = rows[i].out ? rows[i].out : rows[i].in;
        bool read = json_fixture_read(&fixture, bytes_of_text(rows[i].in));
        cr_expect(read, "%s: %s", rows[i].in, fixture.error.text);
        if (!read) continue;
        bool written = json_fixture_write(&fixture, byte_buffer_bytes(&fixture.wire));
        cr_expect(written, "%s: %s", rows[i].in, fixture.error.text);
        if (written)
            cr_expect(bytes_equal_text(text_bytes(&fixture.json), expected), "%s became %s, not %s",
                      rows[i].in, fixture.json.at, expected);
    }
    json_fixture_deinit(&fixture);
}

/* JSON that is refused, and the words. */
static inline void json_refusals_check(const char *text, const char *message,
                                       const struct json_row *rows, size_t count) {
    struct json_fixture fixture;
    json_fixture_init(&fixture, text, message);
    for (size_t i = 0; i < count; i++) {
        bool read = json_fixture_read(&fixture, bytes_of_text(rows[i].in));
        cr_expect_not(read, "%s was taken", rows[i].in);
        cr_expect_eq(fixture.wire.len, 0);
        if (!read)
            cr_expect_str_eq(fixture.error.text, rows[i].out, "%s: %s", rows[i].in,
                             fixture.error.text);
    }
    json_fixture_deinit(&fixture);
}
