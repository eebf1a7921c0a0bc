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
#include "perf/payloads.h"
#include "registry/compile.h"
#include "registry/contract.h"
#include "registry/descriptor.h"

enum { PAYLOADS = 4096 };

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
    contract_free(contract);
    arena_deinit(&arena);
    schema_compiled_deinit(&compiled);
    return 0;
}
