/* The first byte chooses the topic's rules, the rest is a produced batch. Its length and CRC are
 * made right, or nothing would get past them. What passes must keep the promises that the log
 * builds on. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "protocol/record.h"
#include "storage/validate.h"

enum { NOW = 1700000000, LENGTH_AT = 8, MAGIC_AT = 16, CRC_AT = 17, CRC_FROM = 21 };

static struct validate_rules rules_of(uint8_t choice) {
    return (struct validate_rules){.message_bytes_max = choice & 1 ? 1000 : 1 << 20,
                                   .compacted = choice & 2,
                                   .append_time = choice & 4,
                                   .timestamp_before_ms_max = choice & 8 ? 1000 : INT64_MAX,
                                   .timestamp_after_ms_max = choice & 16 ? 1000 : INT64_MAX,
                                   .decompressed_bytes_max = 4 << 20,
                                   .ratio_max = 50,
                                   .produce_version = choice & 32 ? 3 : 12};
}

static void check_passed(struct bytes batch, const struct validate_rules *rules,
                         struct validate_result *result) {
    struct bytes rest = result->records;
    struct record record;
    int32_t count = 0;
    while (record_next(&rest, &record) == RECORD_READ) {
        check(record.offset_delta == count++);
        check(!rules->compacted || !bytes_is_null(record.key));
    }
    check(rest.len == 0 && count == result->header.record_count);
    check(count == result->header.last_offset_delta + 1);
    validate_correct((uint8_t *)(uintptr_t)batch.at, rules, result);
    check(batch_crc_valid(batch));
    check(rules->append_time || result->header.max_timestamp == result->max_timestamp);
}

static void check_refused(const struct validate_result *result) {
    check(!bytes_is_null(result->error_message));
    for (size_t i = 1; i < result->record_error_count; i++) {
        check(result->record_errors[i - 1].batch_index < result->record_errors[i].batch_index);
    }
}

static void check_batch(struct bytes batch, uint8_t choice) {
    struct validate_rules rules = rules_of(choice);
    struct validate_result result;
    struct arena arena;
    arena_init(&arena, 64 << 10);
    struct validate_context context = {
        .rules = &rules, .now_ms = NOW, .inflater = inflater_new(), .arena = &arena};
    validate_batch(batch, &context, &result);
    if (result.code == ERROR_NONE) {
        check_passed(batch, &rules, &result);
    } else {
        check_refused(&result);
    }
    inflater_free(context.inflater);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    struct bytes batch = bytes_make(memory_new(size), size - 1);
    uint8_t *at = (uint8_t *)(uintptr_t)batch.at;
    if (batch.len) memcpy(at, data + 1, batch.len);
    check_batch(batch, data[0]);
    if (batch.len >= BATCH_HEADER_SIZE) {
        memset(at, 0, LENGTH_AT); /* base offset */
        store_u32(at + LENGTH_AT, (uint32_t)(batch.len - BATCH_OVERHEAD));
        at[MAGIC_AT] = BATCH_MAGIC;
        store_u32(at + CRC_AT, crc32c(at + CRC_FROM, batch.len - CRC_FROM));
        check_batch(batch, data[0]);
    }
    free(at);
    return 0;
}
