/* What checking a record against its contract costs, on one core, in processor time (so that other
 * work on the machine disturbs less):
 *
 *   contract_bench [SECONDS]
 *
 * One line of JSON per kind of payload: records and bytes per second. Payloads are drawn at random
 * beforehand, many more than branch predictors remember. The last line is what a schema of 100
 * messages takes until records can be checked by it: `register_ms` on a worker, for what the
 * registry does with a text (compile, normalise, compile again, tables), `compile_ms` for what a
 * start does with one that is stored, and `bind_us` for judging the binding of a topic to it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/byte_buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "perf/payloads.h"
#include "registry/compile.h"
#include "registry/contract.h"
#include "registry/descriptor.h"
#include "registry/prepare.h"
#include "registry/topic_contract.h"

enum { PAYLOADS = 4096, MESSAGES = 100 };

struct payloads {
    struct byte_buffer bytes;
    size_t ends[PAYLOADS];
};

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

/* --- a schema until records can be checked by it --- */

/* Ten fields each, of all kinds, the last one another message. */
static void schema_print(struct text *text) {
    text_printf(text,
                "syntax = \"proto3\";\npackage shop.large;\n"
                "enum State { NEW = 0; PAID = 1; SENT = 2; }\n");
    for (int i = 0; i < MESSAGES; i++)
        text_printf(text,
                    "// What message %d is for.\nmessage Message%d {\n  string id = 1;\n"
                    "  int64 created_ms = 2;\n  double amount = 3;\n  bool paid = 4;\n"
                    "  State state = 5;\n  bytes token = 6;\n  repeated int32 counts = 7;\n"
                    "  map<string, string> labels = 8;\n"
                    "  oneof way { string mail = 9; string phone = 10; }\n"
                    "  repeated Message%d next = 11;\n}\n",
                    i, i, (i + 1) % MESSAGES);
}

struct large {
    struct schema_entry entry;
    struct subjects subjects;
    struct schema_view *view;
};

static struct schema *large_register(const struct large *large) {
    struct error error;
    struct schema *schema = schema_prepare(large->view, BYTES_OF("."), &large->entry, &error);
    check(schema);
    return schema;
}

static void large_compile(const struct large *large) {
    struct schema *schema = schema_new(BYTES_OF("."), &large->entry);
    schema_prepare_stored(large->view, schema);
    check(schema->state == SCHEMA_COMPILED);
    schema_drop(schema);
}

static void large_bind(const struct large *large, const struct topic_config *config) {
    struct error error;
    check(topic_contract_judge(config, BYTES_OF("t"), large->view, &error));
}

static void large_init(struct large *large, const struct text *text) {
    struct schema_record record;
    large->entry = (struct schema_entry){.type = SCHEMA_TYPE_PROTOBUF, .schema = text_bytes(text)};
    subjects_init(&large->subjects);
    large->view = schema_view_new(&large->subjects);
    struct schema *schema = large_register(large);
    subjects_prepare_register(&large->subjects, BYTES_OF("t-value"), schema, &record);
    subjects_apply_compiled(&large->subjects, &record, schema);
    schema_drop(schema);
    schema_view_drop(large->view);
    large->view = schema_view_new(&large->subjects);
}

static void measure_large(double seconds) {
    struct options *options = options_new();
    struct topic_config config;
    struct text text = {0};
    struct large large;
    uint64_t rounds = 0, registered = 0, compiled = 0, bound = 0;
    topic_config_defaults(options, &config);
    config.contracts[CONTRACT_OF_VALUE].own_level = CONTRACT_PAYLOAD;
    config.contracts[CONTRACT_OF_VALUE].messages = "shop.large.Message99";
    schema_print(&text);
    large_init(&large, &text);
    for (; (double)(registered + compiled + bound) < seconds * 1e9; rounds++) {
        uint64_t began = processor_ns();
        schema_drop(large_register(&large));
        uint64_t then = processor_ns();
        registered += then - began;
        large_compile(&large);
        began = processor_ns();
        compiled += began - then;
        large_bind(&large, &config);
        bound += processor_ns() - began;
    }
    printf(
        "{\"schema\": \"%d messages\", \"bytes\": %zu, \"register_ms\": %.2f, "
        "\"compile_ms\": %.2f, \"bind_us\": %.2f}\n",
        MESSAGES, text.len, (double)registered / (double)rounds / 1e6,
        (double)compiled / (double)rounds / 1e6, (double)bound / (double)rounds / 1e3);
    schema_view_drop(large.view);
    subjects_deinit(&large.subjects);
    text_deinit(&text);
    options_free(options);
}

int main(int argc, char **argv) {
    struct schema_file file = {.content = bytes_of_text(payload_schema)};
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
    measure(contract, "sensor", "shop.Sensor", payload_sensor, seconds);
    measure(contract, "order", "shop.Order", payload_order, seconds);
    measure(contract, "order 1 KiB", "shop.Order", payload_order_large, seconds);
    measure(contract, "text 1 KiB", "shop.Note", payload_note, seconds);
    measure(contract, "packed 1 KiB", "shop.Points", payload_points, seconds);
    measure_large(seconds);
    contract_free(contract);
    arena_deinit(&arena);
    schema_compiled_deinit(&compiled);
    return 0;
}
