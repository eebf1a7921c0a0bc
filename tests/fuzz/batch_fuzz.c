/* A batch header and, behind it, records: whatever reads must write back to the same meaning. */
#include "base/byte_buffer.h"
#include "base/check.h"
#include "protocol/batch.h"
#include "protocol/record.h"

enum { HEADERS_MAX = 64 };

static bool same(struct bytes a, struct bytes b) {
    return bytes_equal(a, b) && bytes_is_null(a) == bytes_is_null(b);
}

static void check_record(const struct record *record) {
    struct record_header headers[HEADERS_MAX];
    struct bytes rest = record->headers;
    int32_t count = 0;
    while (count < HEADERS_MAX && record_header_next(&rest, &headers[count])) count++;
    if (count < record->header_count) return;
    check(rest.len == 0);
    struct byte_buffer out = {0};
    uint8_t *at = byte_buffer_reserve(&out, record_size(record, headers));
    rest = bytes_make(at, record_write(at, record, headers));
    struct record again;
    check(record_next(&rest, &again) == RECORD_READ && rest.len == 0);
    check(same(again.key, record->key) && same(again.value, record->value));
    check(again.offset_delta == record->offset_delta);
    check(again.timestamp_delta == record->timestamp_delta);
    check(again.header_count == record->header_count);
    byte_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = bytes_make(data, size);
    struct batch_header header;
    struct record record;
    batch_crc_valid(in);
    if (!batch_header_read(in, &header)) return 0;
    uint8_t copy[BATCH_HEADER_SIZE];
    batch_header_write(copy, &header);
    check(memcmp(copy, data, BATCH_HEADER_SIZE) == 0);
    struct bytes rest = batch_records(in);
    for (size_t before = rest.len; record_next(&rest, &record) == RECORD_READ; before = rest.len) {
        check(rest.len < before);
        check_record(&record);
    }
    return 0;
}
