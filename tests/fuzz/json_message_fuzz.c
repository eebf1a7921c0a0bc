/* JSON and messages, there and back. The first byte chooses the schema and the direction.
 *
 * A payload that can be written is read again as the same message, by us and by libprotobuf. JSON
 * that can be read gives a valid payload, which is written in a form that does not change any more;
 * where libprotobuf reads that JSON too, it sees the same message. What libprotobuf refuses is not
 * held against us when it is deep, as its JSON parser has limits of its own; extensions it does not
 * know in JSON, an Any it compares by its bytes, and in masks it takes capitals in a row for one
 * word: these are compared with ourselves only. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "registry/compile.h"
#include "registry/json_read.h"
#include "registry/json_write.h"
#include "tests/fuzz/oracle.h"

enum { DEEP = 30 };

static const struct {
    const char *text;
    bool with_oracle; /* of JSON */
} schemas[] = {
    {"syntax = \"proto3\"; import \"google/protobuf/struct.proto\";\n"
     "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/duration.proto\";\n"
     "import \"google/protobuf/wrappers.proto\";\n"
     "message A { int32 a = 1; sint64 b = 2; bool c = 3; fixed32 d = 4; double e = 5;\n"
     "string f = 6; bytes g = 7; E h = 8; repeated int64 i_j = 9; repeated fixed64 j = 10;\n"
     "repeated E k = 11; A l = 12; repeated A m = 13; map<string, A> n = 14; map<int32, E> o = "
     "15;\n"
     "oneof p { string q = 16; A r = 17; uint32 z = 18; } repeated string s = 100;\n"
     "optional int32 t = 19; float u = 20; uint64 v = 21; google.protobuf.Timestamp w = 22;\n"
     "google.protobuf.Duration x = 23; google.protobuf.Value y = 24;\n"
     "google.protobuf.Int64Value aa = 25;\n"
     "google.protobuf.ListValue ac = 27; google.protobuf.Struct ad = 28; map<bool, float> ae = "
     "29;\n"
     "repeated double af = 30; google.protobuf.BytesValue ag = 31; sfixed64 ah = 32; }\n"
     "enum E { X = 0; Y = 5; }",
     true},
    {"message A { required int32 a = 1; optional A b = 2; repeated A c = 3; optional E d = 4;\n"
     "repeated E e = 5 [packed = true]; optional group G = 6 { required int32 x = 1; optional A y "
     "= 2; }\n"
     "map<int32, A> h = 7; optional string i = 8; extensions 100 to 200; repeated float j = 9;\n"
     "repeated group Row = 10 { optional bytes z = 1; } }\n"
     "enum E { X = 0; Y = 100; Z = -1; } extend A { optional A k = 100; repeated sint32 l = 101; }",
     false},
    {"syntax = \"proto3\"; import \"google/protobuf/any.proto\";\n"
     "import \"google/protobuf/duration.proto\"; import \"google/protobuf/struct.proto\";\n"
     "import \"google/protobuf/field_mask.proto\";\n"
     "message A { google.protobuf.Any a = 1; int32 b = 2; repeated google.protobuf.Any c = 3;\n"
     "google.protobuf.FieldMask d = 4; }",
     false},
};

struct subject {
    struct schema_compiled compiled; /* all of it lives as long as the process */
    struct arena arena;
    struct descriptor_set set;
    struct json_schema *schema;
    const struct json_message *message;
    struct oracle *oracle;
    bool with_oracle;
};

static void subject_init(struct subject *subject, size_t index) {
    struct schema_file file = {.content = bytes_of_text(schemas[index].text)};
    struct error error;
    arena_init(&subject->arena, 16 << 20);
    check(schema_compile(&file, NULL, 0, &subject->compiled, &error));
    struct bytes linked = byte_buffer_bytes(&subject->compiled.linked);
    check(descriptor_set_read(linked, &subject->arena, &subject->set, &error));
    subject->schema = json_schema_new(&subject->set, &error);
    check(subject->schema);
    subject->message = json_schema_find(subject->schema, BYTES_OF("A"));
    subject->oracle = oracle_new(linked.at, linked.len, "A");
    check(subject->message && subject->oracle);
    subject->with_oracle = schemas[index].with_oracle;
}

static void complain(const char *what, struct bytes json) {
    fprintf(stderr, "%s: %.*s\n", what, BYTES_FORMAT(json));
    abort();
}

static bool is_deep(struct bytes json) {
    int depth = 0, most = 0;
    for (size_t i = 0; i < json.len; i++) {
        depth += json.at[i] == '{' || json.at[i] == '[';
        depth -= json.at[i] == '}' || json.at[i] == ']';
        if (depth > most) most = depth;
    }
    return most > DEEP;
}

/* Reads JSON that was written, and writes it again. */
static void json_again(struct subject *subject, struct bytes json, struct byte_buffer *wire) {
    struct text again = {0};
    struct error error;
    bool read = json_read(subject->schema, subject->message, json, wire, &error);
    /* jansson has no NUL in keys. */
    if (!read && !strstr(error.text, "NUL")) complain(error.text, json);
    if (!read) return;
    if (!json_write(subject->schema, subject->message, byte_buffer_bytes(wire), true, &again,
                    &error))
        complain(error.text, json);
    if (!bytes_equal(text_bytes(&again), json)) complain(again.at, json);
    text_deinit(&again);
}

static void from_wire(struct subject *subject, struct bytes payload) {
    struct text json = {0};
    struct byte_buffer wire = {0};
    struct error error;
    if (json_write(subject->schema, subject->message, payload, false, &json, &error)) {
        struct bytes written = text_bytes(&json);
        json_again(subject, written, &wire);
        if (subject->with_oracle && wire.len &&
            !oracle_equal(subject->oracle, payload.at, payload.len, wire.at, wire.len))
            complain("another message comes back", written);
        if (subject->with_oracle && !is_deep(written) &&
            oracle_reads(subject->oracle, json.at, json.len, payload.at, payload.len) !=
                ORACLE_AGREES)
            complain("libprotobuf reads another message", written);
    }
    text_deinit(&json);
    byte_buffer_deinit(&wire);
}

static void from_json(struct subject *subject, struct bytes json) {
    struct text canonical = {0};
    struct byte_buffer wire = {0}, again = {0};
    struct error error;
    if (json_read(subject->schema, subject->message, json, &wire, &error)) {
        struct bytes read = byte_buffer_bytes(&wire);
        if (!json_write(subject->schema, subject->message, read, true, &canonical, &error))
            complain(error.text, json);
        json_again(subject, text_bytes(&canonical), &again);
        if (subject->with_oracle && oracle_reads(subject->oracle, (const char *)json.at, json.len,
                                                 read.at, read.len) == ORACLE_DIFFERS)
            complain("libprotobuf reads another message", json);
    }
    text_deinit(&canonical);
    byte_buffer_deinit(&wire);
    byte_buffer_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct subject subjects[array_count(schemas)];
    if (!subjects[0].schema)
        for (size_t i = 0; i < array_count(schemas); i++) subject_init(&subjects[i], i);
    if (size == 0) return 0;
    struct subject *subject = &subjects[data[0] / 2 % array_count(schemas)];
    (data[0] % 2 ? from_json : from_wire)(subject, bytes_make(data + 1, size - 1));
    return 0;
}
