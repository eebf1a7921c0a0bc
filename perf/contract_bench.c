/* What checking a record against its contract costs, on one core, in processor time (so that other
 * work on the machine disturbs less):
 *
 *   contract_bench [SECONDS]
 *
 * One line of JSON per kind of payload: records and bytes per second. Payloads are drawn at random
 * beforehand, many more than branch predictors remember. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/byte_buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "protocol/varint.h"
#include "registry/compile.h"
#include "registry/contract.h"
#include "registry/descriptor.h"

static const char schema_text[] =
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

enum { PAYLOADS = 4096 };

struct payloads {
    struct byte_buffer bytes;
    size_t ends[PAYLOADS];
};

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

static void order_write(struct byte_buffer *to, struct random *random) {
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

static void note_write(struct byte_buffer *to, struct random *random) {
    put_word(to, 1, random, 8, 8);
    put_word(to, 2, random, 990, 20);
}

static void sensor_write(struct byte_buffer *to, struct random *random) {
    put_fixed(to, 1, 8, random_next(random));
    put_fixed(to, 2, 4, random_next(random));
    put_number(to, 3, random_below(random, 5000));
}

static void points_write(struct byte_buffer *to, struct random *random) {
    struct byte_buffer inner = {0};
    for (int i = 0; i < 600; i++) put_varint(&inner, random_below(random, 1000));
    put_inner(to, 1, &inner);
    byte_buffer_deinit(&inner);
}

static void order_large_write(struct byte_buffer *to, struct random *random) {
    struct byte_buffer inner = {0};
    order_write(to, random);
    for (int i = 0; i < 36; i++) {
        put_word(&inner, 1, random, 8, 8);
        put_number(&inner, 2, 1 + random_below(random, 200));
        put_number(&inner, 3, random_below(random, 100000));
        put_inner(to, 5, &inner);
    }
    byte_buffer_deinit(&inner);
}

static uint64_t processor_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void round_run(const struct contract *contract, uint32_t message,
                      const struct payloads *payloads) {
    struct violation violation;
    size_t from = 0;
    for (size_t i = 0; i < PAYLOADS; i++) {
        struct bytes payload = bytes_make(payloads->bytes.at + from, payloads->ends[i] - from);
        check(contract_check(contract, message, payload, true, &violation));
        from = payloads->ends[i];
    }
}

static void measure(const struct contract *contract, const char *name, const char *message_name,
                    void (*write)(struct byte_buffer *, struct random *), double seconds) {
    struct payloads *payloads = new_zero(struct payloads);
    struct random random;
    uint32_t message = 0;
    uint64_t rounds = 0, spent, began;
    random_init(&random, 1);
    check(contract_find(contract, bytes_of_text(message_name), &message));
    for (size_t i = 0; i < PAYLOADS; i++) {
        write(&payloads->bytes, &random);
        payloads->ends[i] = payloads->bytes.len;
    }
    round_run(contract, message, payloads);
    for (began = processor_ns(); (double)(spent = processor_ns() - began) < seconds * 1e9;
         rounds++) {
        round_run(contract, message, payloads);
    }
    double records = (double)rounds * PAYLOADS, bytes = (double)(rounds * payloads->bytes.len);
    printf(
        "{\"payload\": \"%s\", \"bytes_mean\": %.0f, \"ns_per_record\": %.1f, "
        "\"records_per_s\": %.0f, \"bytes_per_s\": %.0f}\n",
        name, bytes / records, (double)spent / records, records / (double)spent * 1e9,
        bytes / (double)spent * 1e9);
    byte_buffer_deinit(&payloads->bytes);
    free(payloads);
}

int main(int argc, char **argv) {
    struct schema_file file = {.content = bytes_of_text(schema_text)};
    struct schema_compiled compiled;
    struct descriptor_set set;
    struct arena arena;
    struct error error;
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    arena_init(&arena, 16 << 20);
    check(schema_compile(&file, NULL, 0, &compiled, &error));
    check(descriptor_set_read(byte_buffer_bytes(&compiled.linked), &arena, &set, &error));
    struct contract *contract = contract_new(&set, &error);
    check(contract);
    measure(contract, "sensor", "shop.Sensor", sensor_write, seconds);
    measure(contract, "order", "shop.Order", order_write, seconds);
    measure(contract, "order 1 KiB", "shop.Order", order_large_write, seconds);
    measure(contract, "text 1 KiB", "shop.Note", note_write, seconds);
    measure(contract, "packed 1 KiB", "shop.Points", points_write, seconds);
    contract_free(contract);
    arena_deinit(&arena);
    schema_compiled_deinit(&compiled);
    return 0;
}
