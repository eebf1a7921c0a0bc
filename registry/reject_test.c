#include "registry/reject.h"

#include <stdio.h>

#include "registry/schema_fixture.h"

/* The .proto file itself, found from this file's place. */
static char *proto_text(void) {
    char path[4096];
    snprintf(path, sizeof path, "%.*s../proto/millrace/v1/reject.proto",
             (int)(strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__);
    FILE *file = fopen(path, "re");
    cr_assert(file, "%s", path);
    char *text = memory_zero(1, 1 << 14);
    cr_assert_gt(fread(text, 1, (1 << 14) - 1, file), 0);
    fclose(file);
    return text;
}

static const struct reject full = {
    .time_ms = 1700000000000,
    .topic = BYTES_OF("orders"),
    .client_id = BYTES_OF("shop"),
    .peer = BYTES_OF("127.0.0.1:4711"),
    .partition = 3,
    .producer_id = -1,
    .producer_epoch = -1,
    .base_sequence = -1,
    .record_count = 40,
    .bad_count = 2,
    .observed = true,
    .left_out = 7,
    .violation_count = 2,
    .violations = {{.record_index = 17,
                    .schema_id = 5,
                    .in_key = true,
                    .path = BYTES_OF("Order.id"),
                    .reason = BYTES_OF("it is too long"),
                    .payload = BYTES_OF("\xff\x01z"),
                    .payload_size = 4711},
                   {.record_index = 18, .reason = BYTES_OF("no schema id")}},
};

Test(reject, what_is_written_is_read) {
    struct byte_buffer buffer = {0};
    struct reject read;
    reject_write(&full, &buffer);
    cr_assert(reject_read(byte_buffer_bytes(&buffer), &read));
    cr_expect_eq(read.time_ms, full.time_ms);
    cr_expect(bytes_equal(read.topic, full.topic) && bytes_equal(read.peer, full.peer));
    cr_expect(bytes_equal(read.client_id, full.client_id));
    cr_expect(read.partition == 3 && read.producer_id == -1 && read.producer_epoch == -1);
    cr_expect(read.base_sequence == -1 && read.record_count == 40 && read.bad_count == 2);
    cr_expect(read.observed && read.left_out == 7 && read.violation_count == 2);
    const struct reject_violation *one = &read.violations[0];
    cr_expect(one->record_index == 17 && one->schema_id == 5 && one->in_key);
    cr_expect(bytes_equal_text(one->path, "Order.id"));
    cr_expect(bytes_equal_text(one->payload, "\xff\x01z") && one->payload_size == 4711);
    cr_expect(read.violations[1].payload.len == 0 && read.violations[1].payload_size == 0);
    cr_expect(bytes_equal_text(read.violations[1].reason, "no schema id"));
    for (size_t len = 1; len < buffer.len; len++)
        reject_read(bytes_make(buffer.at, len), &read); /* never beyond the end */
    byte_buffer_deinit(&buffer);
}

Test(reject, honours_its_own_contract) {
    struct schema_fixture schema;
    struct byte_buffer buffer = {0};
    struct violation violation;
    struct error error;
    uint32_t message;
    char *text = proto_text();
    schema_fixture_init(&schema, text);
    struct contract *contract = contract_new(&schema.set, &error);
    cr_assert(contract && contract_find(contract, BYTES_OF("millrace.v1.Reject"), &message));
    reject_write(&full, &buffer);
    cr_assert(contract_check(contract, message, byte_buffer_bytes(&buffer), true, &violation),
              "%s: %s", violation.path, violation.reason);
    contract_free(contract);
    schema_fixture_deinit(&schema);
    byte_buffer_deinit(&buffer);
    free(text);
}
