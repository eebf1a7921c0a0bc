#include "perf/payloads.h"

#include "base/check.h"
#include "protocol/varint.h"

const char payload_schema[] =
    "syntax = \"proto3\"; package shop;\n"
    "message Order { string id = 1; string customer = 2; int64 placed_at = 3; Status status = 4;\n"
    "  repeated Item items = 5; Address address = 6; double total = 7; repeated int32 tags = 8;\n"
    "  map<string, string> labels = 9; bool gift = 10; }\n"
    "message Item { string sku = 1; int32 quantity = 2; int64 price = 3; }\n"
    "message Address { string street = 1; string city = 2; string zip = 3; fixed32 area = 4; }\n"
    "message Note { string author = 1; string text = 2; }\n"
    "message Sensor { fixed64 at = 1; float value = 2; int32 sensor = 3; }\n"
    "message Points { repeated int32 values = 1; }\n"
    "enum Status { NEW = 0; PAID = 1; SENT = 2; }\n";

static void put_varint(struct byte_buffer *to, uint64_t value) {
    uint8_t *at = byte_buffer_reserve(to, VARINT_64_MAX);
    to->len += varint_put_u64(at, value);
}

static void put_number(struct byte_buffer *to, uint32_t field, uint64_t value) {
    put_varint(to, field << 3);
    put_varint(to, value);
}

static void put_bytes(struct byte_buffer *to, uint32_t field, struct bytes value) {
    put_varint(to, field << 3 | 2);
    put_varint(to, value.len);
    byte_buffer_append(to, value);
}

static void put_fixed(struct byte_buffer *to, uint32_t field, size_t size, uint64_t value) {
    put_varint(to, field << 3 | (size == 8 ? 1 : 5));
    byte_buffer_append(to, bytes_make(&value, size));
}

static void put_word(struct byte_buffer *to, uint32_t field, struct random *random, size_t least,
                     size_t spread) {
    char word[2048];
    size_t len = least + random_below(random, spread + 1);
    check(len <= sizeof word);
    for (size_t i = 0; i < len; i++) word[i] = (char)('a' + random_below(random, 26));
    put_bytes(to, field, bytes_make(word, len));
}

static void put_inner(struct byte_buffer *to, uint32_t field, struct byte_buffer *inner) {
    put_bytes(to, field, byte_buffer_bytes(inner));
    inner->len = 0;
}

void payload_order(struct byte_buffer *to, struct random *random) {
    struct byte_buffer inner = {0};
    put_word(to, 1, random, 8, 8);
    put_word(to, 2, random, 6, 12);
    put_number(to, 3, 1700000000000 + random_below(random, 1 << 30));
    if (random_below(random, 3)) put_number(to, 4, 1 + random_below(random, 2));
    for (uint64_t left = 2 + random_below(random, 4); left > 0; left--) {
        put_word(&inner, 1, random, 4, 8);
        put_number(&inner, 2, 1 + random_below(random, 200));
        put_number(&inner, 3, random_below(random, 100000));
        put_inner(to, 5, &inner);
    }
    put_word(&inner, 1, random, 8, 12);
    put_word(&inner, 2, random, 4, 8);
    put_word(&inner, 3, random, 5, 0);
    put_inner(to, 6, &inner);
    put_fixed(to, 7, 8, random_next(random));
    if (random_below(random, 2)) put_number(to, 10, 1);
    byte_buffer_deinit(&inner);
}

void payload_note(struct byte_buffer *to, struct random *random) {
    put_word(to, 1, random, 8, 8);
    put_word(to, 2, random, 990, 20);
}

void payload_sensor(struct byte_buffer *to, struct random *random) {
    put_fixed(to, 1, 8, random_next(random));
    put_fixed(to, 2, 4, random_next(random));
    put_number(to, 3, random_below(random, 5000));
}

void payload_points(struct byte_buffer *to, struct random *random) {
    struct byte_buffer inner = {0};
    for (int i = 0; i < 600; i++) put_varint(&inner, random_below(random, 1000));
    put_inner(to, 1, &inner);
    byte_buffer_deinit(&inner);
}

void payload_order_large(struct byte_buffer *to, struct random *random) {
    struct byte_buffer inner = {0};
    payload_order(to, random);
    for (int i = 0; i < 36; i++) {
        put_word(&inner, 1, random, 8, 8);
        put_number(&inner, 2, 1 + random_below(random, 200));
        put_number(&inner, 3, random_below(random, 100000));
        put_inner(to, 5, &inner);
    }
    byte_buffer_deinit(&inner);
}
